//! The seam between tensors and devices: a few kernel families.
//!
//! Every view may have any strides. Outputs are allocated by the caller; shapes and dtypes are
//! checked there too, as each family states it. A kernel returns an error only for what the data or
//! the device decides.

use crate::{DType, Device, Result, Scalar, Src, Storage, View, ViewMut, random::Generator};
use std::ops::Range;

/// One input, one output of the same dtype and shape. Transcendental ops take floats only; integers wrap.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs, reason = "named after the function they compute")]
pub enum UnaryOp {
    Neg,
    Abs,
    /// -1, 0 or 1; 0 for NaN and for -0.
    Sign,
    Square,
    Sqrt,
    Rsqrt,
    Recip,
    Exp,
    Expm1,
    Ln,
    Log2,
    Log10,
    Log1p,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Erf,
    Sigmoid,
    /// `max(x, 0)`; NaN and -0 stay as they are.
    Relu,
    /// `x·Φ(x)` by erf.
    Gelu,
    /// `x·Φ(x)` by the tanh approximation.
    GeluTanh,
    /// `x·sigmoid(x)`.
    Silu,
    /// `ln(1 + eˣ)`, stable.
    Softplus,
    /// `x` where positive, else `slope·x`.
    LeakyRelu(f64),
    /// `x` where positive, else `alpha·(eˣ − 1)`.
    Elu(f64),
    Floor,
    Ceil,
    /// Half to even.
    Round,
    Trunc,
    /// Into `[lo, hi]`; `hi` where `lo > hi`. NaN stays NaN, and a NaN bound gives NaN everywhere.
    /// Bounds saturate to an integer output's range.
    Clamp {
        lo: Option<Scalar>,
        hi: Option<Scalar>,
    },
    /// `x` to a power: 0, 1, 2, 3, ±½, -1 and -2 by multiplication, division and roots, as PyTorch does.
    Pow(Scalar),
}

/// Two inputs and one output of the same dtype and shape. Integers wrap; on bool, `Add` and `Maximum`
/// are "or", `Mul` and `Minimum` "and".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "named after the function they compute")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    /// Floats only (integers divide as floats above this crate).
    Div,
    /// Quotient rounded down. Floats by zero give ±∞ or NaN, integers an error.
    FloorDiv,
    /// Remainder with the divisor's sign, as in Python. Floats by zero give NaN, integers an error.
    Rem,
    /// Quotient towards zero; zero divisors as in `FloorDiv`.
    TruncDiv,
    /// Remainder with the dividend's sign, as in C; zero divisors as in `Rem`.
    Fmod,
    /// Integers and bool, as all of the bitwise ones.
    BitAnd,
    BitOr,
    BitXor,
    /// Integers only. Zero where the distance is negative or has as many bits as the type, or more.
    Shl,
    /// Integers only; the sign moves in. Distances out of range shift everything out.
    Shr,
    /// `a` to the power `b`; integers to negative powers give 1, -1 or 0.
    Pow,
    /// The larger; NaN wins, and the second of two equals.
    Maximum,
    /// The smaller; NaN wins, and the second of two equals.
    Minimum,
    Atan2,
    /// 0 where `y ≤ 0`, else `g` (beside NaN, too); operands `(g, y)`.
    ReluGrad,
    /// `g·y·(1 − y)`; operands `(g, y)`.
    SigmoidGrad,
    /// `g·(1 − y²)`; operands `(g, y)`.
    TanhGrad,
    /// `g·gelu'(x)`; operands `(g, x)`.
    GeluGrad,
    /// `g·gelu_tanh'(x)`; operands `(g, x)`.
    GeluTanhGrad,
    /// `g·silu'(x)`; operands `(g, x)`.
    SiluGrad,
}

impl BinaryOp {
    /// Every one.
    pub const ALL: [BinaryOp; 23] = {
        use BinaryOp::*;
        [
            Add,
            Sub,
            Mul,
            Div,
            FloorDiv,
            Rem,
            TruncDiv,
            Fmod,
            BitAnd,
            BitOr,
            BitXor,
            Shl,
            Shr,
            Pow,
            Maximum,
            Minimum,
            Atan2,
            ReluGrad,
            SigmoidGrad,
            TanhGrad,
            GeluGrad,
            GeluTanhGrad,
            SiluGrad,
        ]
    };
}

/// Two inputs of one dtype, output bool. And, Or and Xor take non-zero for true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "named after the relation they test")]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Xor,
}

/// How elements become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReduceOp {
    /// Sum in PyTorch's order; output in the input's dtype, or i64 for integers and bool.
    Sum,
    /// Sum divided by the count, floats only.
    Mean,
    /// Sum of squared deviations from the mean, computed in f64; floats only, output f64. On the CPU alone.
    Deviations,
    /// Product; output dtype as for `Sum`.
    Prod,
    /// Largest; NaN wins. Output in the input's dtype.
    Max,
    /// Smallest; NaN wins. Output in the input's dtype.
    Min,
    /// Position of the first largest along the axes (row-major over them); output i64. NaN wins.
    ArgMax,
    /// Position of the first smallest; output i64. NaN wins.
    ArgMin,
    /// True where any is non-zero; output bool.
    Any,
    /// True where all are non-zero; output bool.
    All,
}

impl ReduceOp {
    /// Every one that all devices have.
    pub const ALL: [ReduceOp; 9] = {
        use ReduceOp::*;
        [Sum, Mean, Prod, Max, Min, ArgMax, ArgMin, Any, All]
    };

    /// The dtype of its result.
    pub fn output(self, input: DType) -> DType {
        match self {
            ReduceOp::ArgMax | ReduceOp::ArgMin => DType::I64,
            ReduceOp::Any | ReduceOp::All => DType::Bool,
            ReduceOp::Deviations => DType::F64,
            ReduceOp::Sum | ReduceOp::Prod if !input.is_float() => DType::I64,
            _ => input,
        }
    }
}

/// A running reduction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScanOp {
    /// Running sum.
    Sum,
    /// Running product.
    Prod,
}

/// What is applied to a result before it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "named after the function they apply")]
pub enum Activation {
    #[default]
    None,
    Relu,
    Gelu,
    GeluTanh,
    Silu,
    Sigmoid,
    Tanh,
}

/// `out = act(a·b + bias)`, or `out += a·b` with `accumulate`.
///
/// `a` is `[batch…, m, k]`, `b` is `[batch…, k, n]`, `out` is `[batch…, m, n]`; batch dimensions are
/// already broadcast by stride 0. All of one dtype. `k = 0` gives zeros (plus bias).
#[derive(Debug)]
pub struct Gemm<'a> {
    /// Left factor.
    pub a: View<'a>,
    /// Right factor.
    pub b: View<'a>,
    /// The product.
    pub out: ViewMut<'a>,
    /// Added to what `out` holds, instead of replacing it.
    pub accumulate: bool,
    /// Broadcast to `out`'s shape by stride 0.
    pub bias: Option<View<'a>>,
    /// Applied last.
    pub activation: Activation,
}

/// How a convolution steps. 1-D convolutions are 2-D ones of height 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvParams {
    /// Steps of the kernel in (height, width).
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
    /// Distance of the kernel's taps.
    pub dilation: [usize; 2],
    /// Channel groups that do not see each other.
    pub groups: usize,
}

/// Which of a convolution's three products is computed. `x` is `[N, C, H, W]`, `w` is
/// `[O, C/groups, KH, KW]`, `y` (or its gradient `g`) is `[N, O, OH, OW]`.
#[derive(Clone, Copy, Debug)]
pub enum ConvOp<'a> {
    /// `y = act(x ⋆ w + bias)`.
    Forward {
        /// Input.
        x: View<'a>,
        /// Weight.
        w: View<'a>,
        /// `[O]`.
        bias: Option<View<'a>>,
        /// Applied last.
        activation: Activation,
    },
    /// Gradient of the input (a transposed convolution).
    InputGrad {
        /// Gradient of the output.
        g: View<'a>,
        /// Weight.
        w: View<'a>,
    },
    /// Gradient of the weight.
    WeightGrad {
        /// Gradient of the output.
        g: View<'a>,
        /// Input.
        x: View<'a>,
    },
}

/// A pooling window over the last two of four dimensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolParams {
    /// Window size.
    pub kernel: [usize; 2],
    /// Steps of the window.
    pub stride: [usize; 2],
    /// Border on each side: −∞ for max, zeros for average.
    pub padding: [usize; 2],
    /// Distance of the window's taps (max only).
    pub dilation: [usize; 2],
    /// Whether the border counts in an average.
    pub count_include_pad: bool,
}

/// Pooling of `[N, C, H, W]` and its adjoint. The output's shape is the caller's (ceil mode included).
#[derive(Debug)]
pub enum PoolOp<'a> {
    /// Largest of each window, and its position `h·W + w` in the plane (i64). NaN wins.
    Max {
        /// Input.
        x: View<'a>,
        /// Positions, i64, of the output's shape.
        indices: ViewMut<'a>,
    },
    /// Gradient of the input of `Max`: each `g` added where its index points.
    MaxGrad {
        /// Gradient of the output.
        g: View<'a>,
        /// Positions from the forward pass.
        indices: View<'a>,
    },
    /// Mean of each window.
    Avg {
        /// Input.
        x: View<'a>,
    },
    /// Gradient of the input of `Avg`.
    AvgGrad {
        /// Gradient of the output.
        g: View<'a>,
    },
    /// Mean of near-equal cells, `PoolParams` unused: output cell `i` of `n` spans
    /// `⌊i·H/n⌋ .. ⌈(i+1)·H/n⌉`.
    AdaptiveAvg {
        /// Input.
        x: View<'a>,
    },
    /// Gradient of the input of `AdaptiveAvg`.
    AdaptiveAvgGrad {
        /// Gradient of the output.
        g: View<'a>,
    },
}

/// Reading through indices. Indices are i64; negative ones were wrapped by the caller where allowed.
#[derive(Clone, Copy, Debug)]
pub enum GatherOp<'a> {
    /// `out[i][j] = x[index[i][j]][j]` for `dim = 0`; `index` has the output's shape.
    Gather {
        /// Source.
        x: View<'a>,
        /// Positions along `dim`.
        index: View<'a>,
        /// The indexed dimension.
        dim: usize,
    },
    /// Whole slices: `out[.., i, ..] = x[.., index[i], ..]`, `index` one-dimensional.
    Select {
        /// Source.
        x: View<'a>,
        /// Positions along `dim`.
        index: View<'a>,
        /// The indexed dimension.
        dim: usize,
    },
}

/// Writing through indices into what `out` holds.
#[derive(Clone, Copy, Debug)]
pub enum ScatterOp<'a> {
    /// `out[index[i][j]][j] = src[i][j]` for `dim = 0`; the last write (row-major) wins.
    Scatter {
        /// Positions along `dim`.
        index: View<'a>,
        /// Values of `index`'s shape.
        src: Src<'a>,
        /// The indexed dimension.
        dim: usize,
    },
    /// As `Scatter`, adding in row-major order.
    ScatterAdd {
        /// Positions along `dim`.
        index: View<'a>,
        /// Values of `index`'s shape.
        src: View<'a>,
        /// The indexed dimension.
        dim: usize,
    },
    /// Whole slices: `out[.., index[i], ..] += src[.., i, ..]`, in the order of `i`.
    IndexAdd {
        /// One-dimensional positions.
        index: View<'a>,
        /// Slices.
        src: View<'a>,
        /// The indexed dimension.
        dim: usize,
    },
    /// Whole slices: `out[.., index[i], ..] = src[.., i, ..]`; the last write wins.
    IndexCopy {
        /// One-dimensional positions.
        index: View<'a>,
        /// Slices.
        src: View<'a>,
        /// The indexed dimension.
        dim: usize,
    },
}

/// Softmax along one dimension, and its adjoint.
#[derive(Clone, Copy, Debug)]
pub enum SoftmaxOp<'a> {
    /// `eˣ / Σeˣ`, or its logarithm.
    Forward {
        /// Input.
        x: View<'a>,
    },
    /// Gradient of the input from the output `y` and its gradient `g`:
    /// `y·(g − Σ g·y)`, or `g − e^y·Σg` for the logarithm.
    Grad {
        /// Output of the forward pass.
        y: View<'a>,
        /// Its gradient.
        g: View<'a>,
    },
}

/// Normalisation of rows (layer norm) or of channels (batch norm). Statistics and weights are in
/// the compute dtype of `x` (f32 for f16 and bf16), or in `x`'s dtype; both are accepted.
#[derive(Debug)]
pub enum NormOp<'a> {
    /// `x` is `[rows, n]`: `out = (x − mean)·rstd·w + b` over each row, with
    /// `rstd = 1/√(var + eps)` (biased variance). `mean` and `rstd` are `[rows]`, written.
    Layer {
        /// Input.
        x: View<'a>,
        /// `[n]`.
        weight: Option<View<'a>>,
        /// `[n]`.
        bias: Option<View<'a>>,
        /// Added to the variance.
        eps: f64,
        /// Mean of each row, written.
        mean: ViewMut<'a>,
        /// Reciprocal standard deviation of each row, written.
        rstd: ViewMut<'a>,
    },
    /// Gradients of `Layer`: `out` gets the input's; weight's and bias's are written where asked.
    LayerGrad {
        /// Gradient of the output.
        g: View<'a>,
        /// Input of the forward pass.
        x: View<'a>,
        /// `[n]`.
        weight: Option<View<'a>>,
        /// From the forward pass.
        mean: View<'a>,
        /// From the forward pass.
        rstd: View<'a>,
        /// `[n]`, written.
        dweight: Option<ViewMut<'a>>,
        /// `[n]`, written.
        dbias: Option<ViewMut<'a>>,
    },
    /// `x` is `[N, C, L]`: mean and biased variance of each channel over N and L, written;
    /// `out` is not used.
    BatchStats {
        /// Input.
        x: View<'a>,
        /// `[C]`, written.
        mean: ViewMut<'a>,
        /// `[C]`, written.
        var: ViewMut<'a>,
    },
    /// `out = (x − mean)·rstd·w + b` per channel.
    BatchApply {
        /// Input.
        x: View<'a>,
        /// `[C]`.
        mean: View<'a>,
        /// `[C]`.
        rstd: View<'a>,
        /// `[C]`.
        weight: Option<View<'a>>,
        /// `[C]`.
        bias: Option<View<'a>>,
    },
    /// Gradients of batch norm in training, where mean and rstd came from `x` itself.
    BatchGrad {
        /// Gradient of the output.
        g: View<'a>,
        /// Input of the forward pass.
        x: View<'a>,
        /// `[C]`.
        weight: Option<View<'a>>,
        /// `[C]`.
        mean: View<'a>,
        /// `[C]`.
        rstd: View<'a>,
        /// `[C]`, written.
        dweight: Option<ViewMut<'a>>,
        /// `[C]`, written.
        dbias: Option<ViewMut<'a>>,
    },
}

/// What is drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum RandomOp<'a> {
    /// Uniform in `[lo, hi)`.
    Uniform {
        /// Lower bound.
        lo: f64,
        /// Upper bound, never reached.
        hi: f64,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// Integers in `[lo, hi)`, any dtype.
    Int {
        /// Lowest.
        lo: i64,
        /// One above the highest.
        hi: i64,
    },
    /// 1 with probability `p`, else 0, any dtype.
    Bernoulli {
        /// Probability of a 1.
        p: f64,
    },
    /// `Bernoulli` for a mask of dropout: the same on the CPU; PyTorch's CUDA kernel deals the draws out in
    /// another order.
    Keep {
        /// Probability of a 1.
        p: f64,
    },
    /// As `Bernoulli`, each element with its own probability (f32 or f64 values, row-major).
    BernoulliEach {
        /// Probabilities, as many as the output has elements.
        p: &'a [f64],
        /// Dtype of the probabilities, which decides how uniforms are drawn.
        dtype: DType,
    },
    /// A random order of `0..n` (`torch.randperm`), integers.
    Permutation,
}

/// One optimizer update of one parameter, in one pass over memory. Formulas are PyTorch's; state
/// tensors and gradient have the parameter's shape. `step` counts from 1 and includes this one.
#[derive(Debug)]
#[allow(missing_docs, reason = "hyper-parameters are named as in PyTorch")]
pub enum OptimizerOp<'a> {
    /// `torch.optim.SGD`. `first` fills the momentum buffer with the gradient.
    Sgd {
        lr: f64,
        momentum: f64,
        dampening: f64,
        weight_decay: f64,
        nesterov: bool,
        maximize: bool,
        first: bool,
        buffer: Option<ViewMut<'a>>,
    },
    /// `torch.optim.Adam`, or `AdamW` with `decoupled`.
    Adam {
        lr: f64,
        beta1: f64,
        beta2: f64,
        eps: f64,
        weight_decay: f64,
        decoupled: bool,
        maximize: bool,
        step: f64,
        exp_avg: ViewMut<'a>,
        exp_avg_sq: ViewMut<'a>,
        max_exp_avg_sq: Option<ViewMut<'a>>,
    },
    /// `torch.optim.RMSprop`; centered with `grad_avg`.
    RmsProp {
        lr: f64,
        alpha: f64,
        eps: f64,
        weight_decay: f64,
        momentum: f64,
        maximize: bool,
        square_avg: ViewMut<'a>,
        grad_avg: Option<ViewMut<'a>>,
        buffer: Option<ViewMut<'a>>,
    },
    /// `torch.optim.Adagrad`.
    Adagrad {
        lr: f64,
        lr_decay: f64,
        eps: f64,
        weight_decay: f64,
        maximize: bool,
        step: f64,
        sum: ViewMut<'a>,
    },
}

/// The kernels of one device.
pub trait Backend: Send + Sync {
    /// The device that memory from [`alloc`](Backend::alloc) belongs to.
    fn device(&self) -> Device;
    /// Memory of `bytes` bytes with initialised but arbitrary contents.
    fn alloc(&self, bytes: usize) -> Result<Storage>;
    /// Memory filled from the host.
    fn upload(&self, bytes: &[u8]) -> Result<Storage>;
    /// The memory's bytes on the host.
    fn download(&self, storage: &Storage) -> Result<Vec<u8>>;
    /// A range of the memory's bytes on the host: no more than that is copied.
    fn download_range(&self, storage: &Storage, range: Range<usize>) -> Result<Vec<u8>> {
        self.download(storage).map(|bytes| bytes[range].to_vec())
    }
    /// Waits for all kernels that were started, and reports what they found wrong.
    fn synchronize(&self) -> Result {
        Ok(())
    }

    /// One value everywhere.
    fn fill(&self, out: ViewMut, value: Scalar) -> Result;
    /// `start + i·step` in row-major order: computed in i64 for integer outputs with integer
    /// arguments, otherwise in f64 and rounded as PyTorch rounds (vectors count from their first element).
    fn arange(&self, out: ViewMut, start: Scalar, step: Scalar) -> Result;
    /// Copies, converting the dtype as PyTorch's casts do; shapes are equal.
    fn copy(&self, x: View, out: ViewMut) -> Result;
    /// Elementwise function.
    fn unary(&self, op: UnaryOp, x: Src, out: ViewMut) -> Result;
    /// Elementwise function of two.
    fn binary(&self, op: BinaryOp, a: Src, b: Src, out: ViewMut) -> Result;
    /// Elementwise relation; `a` and `b` share a dtype, a scalar takes the other's.
    fn compare(&self, op: CompareOp, a: Src, b: Src, out: ViewMut) -> Result;
    /// `a` where `cond` (bool), else `b`; `a`, `b` and `out` share a dtype.
    fn select(&self, cond: View, a: Src, b: Src, out: ViewMut) -> Result;
    /// Reduction over `axes`; `out` has the input's shape with 1 in their place.
    fn reduce(&self, op: ReduceOp, x: View, axes: &[usize], out: ViewMut) -> Result;
    /// Running reduction along an axis; `out` in the input's dtype or i64.
    fn scan(&self, op: ScanOp, x: View, axis: usize, out: ViewMut) -> Result;
    /// Matrix product.
    fn gemm(&self, gemm: Gemm) -> Result;
    /// Convolution or one of its gradients.
    fn conv(&self, op: ConvOp, params: ConvParams, out: ViewMut) -> Result;
    /// Pooling or its gradient.
    fn pool(&self, op: PoolOp, params: PoolParams, out: ViewMut) -> Result;
    /// Reads through indices.
    fn gather(&self, op: GatherOp, out: ViewMut) -> Result;
    /// Writes through indices into `out`.
    fn scatter(&self, op: ScatterOp, out: ViewMut) -> Result;
    /// Indices (i64, `[count, ndim]` row-major) of the non-zero elements, and their count.
    fn nonzero(&self, x: View) -> Result<(Storage, usize)>;
    /// Softmax (or log-softmax with `log`) along an axis, or its gradient.
    fn softmax(&self, op: SoftmaxOp, log: bool, axis: usize, out: ViewMut) -> Result;
    /// Layer or batch norm.
    fn norm(&self, op: NormOp, out: Option<ViewMut>) -> Result;
    /// Stable sort along an axis: values, and positions as i64. NaN counts as the largest.
    fn sort(&self, x: View, axis: usize, descending: bool, values: ViewMut, indices: ViewMut) -> Result;
    /// The `k` largest or smallest along an axis in order (`k` is the outputs' size there).
    fn topk(&self, x: View, axis: usize, largest: bool, values: ViewMut, indices: ViewMut) -> Result;
    /// Random numbers, in PyTorch's order and bits.
    fn random(&self, op: RandomOp, generator: &mut Generator, out: ViewMut) -> Result;
    /// One optimizer update of `param` by `grad`.
    fn optimizer_step(&self, op: OptimizerOp, grad: View, param: ViewMut) -> Result;
}
