//! What stands beside a tensor in an expression: tensors, parameters and plain numbers; and how
//! dtypes and shapes of the two meet.

use crate::elementwise::layout_for;
use crate::error::{Error, Result};
use crate::tensor::{Tensor, scalar_dtype};
use smallvec::SmallVec;
use std::borrow::Cow;
use taper_kernels::{
    Backend, BinaryOp, CompareOp, DType, Device, Dims, Layout, Scalar, Src, UnaryOp, View, ViewMut, bf16,
    broadcast_shapes, f16,
};

/// Something that can be used wherever a tensor is taken by reference: `Tensor` itself and
/// `nn::Parameter`.
pub trait AsTensor {
    /// The tensor, with its place on the tape.
    fn as_tensor(&self) -> Cow<'_, Tensor>;
}
impl AsTensor for Tensor {
    fn as_tensor(&self) -> Cow<'_, Tensor> {
        Cow::Borrowed(self)
    }
}
impl<T: AsTensor + ?Sized> AsTensor for &T {
    fn as_tensor(&self) -> Cow<'_, Tensor> {
        (**self).as_tensor()
    }
}

/// One side of a binary operation: a tensor or a number. Numbers adapt to the tensor's dtype as
/// Python numbers do in PyTorch.
#[derive(Clone)]
pub enum Operand {
    /// A tensor.
    Tensor(Tensor),
    /// A plain number.
    Scalar(Scalar),
}

impl From<Tensor> for Operand {
    fn from(t: Tensor) -> Self {
        Operand::Tensor(t)
    }
}
impl From<&Tensor> for Operand {
    fn from(t: &Tensor) -> Self {
        Operand::Tensor(t.clone())
    }
}
impl From<&Operand> for Operand {
    fn from(o: &Operand) -> Self {
        o.clone()
    }
}
macro_rules! operand_from_number {
    ($($t:ty),*) => { $(
        impl From<$t> for Operand {
            fn from(v: $t) -> Self { Operand::Scalar(v.into()) }
        }
    )* };
}
operand_from_number!(Scalar, bool, u8, i32, i64, usize, f32, f64);

impl Operand {
    /// Moves a single number of the CPU to a device.
    fn join(&mut self, device: Option<Device>) {
        if let (Operand::Tensor(t), Some(device)) = (&*self, device)
            && t.ndim() == 0
            && t.device() == Device::Cpu
            && device != Device::Cpu
        {
            *self = Operand::Tensor(t.to_device(device));
        }
    }
    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Operand::Tensor(t) => t.shape(),
            Operand::Scalar(_) => &[],
        }
    }
    pub(crate) fn dtype(&self) -> DType {
        match self {
            Operand::Tensor(t) => t.dtype(),
            Operand::Scalar(s) => scalar_dtype(*s),
        }
    }
    pub(crate) fn tensor(&self) -> Option<&Tensor> {
        match self {
            Operand::Tensor(t) => Some(t),
            Operand::Scalar(_) => None,
        }
    }
    /// Tracked cast; numbers stay as they are.
    #[track_caller]
    fn cast(&mut self, dtype: DType) {
        if let Operand::Tensor(t) = self
            && t.dtype() != dtype
        {
            *t = t.to_dtype(dtype);
        }
    }
    /// 0 for numbers, 1 for 0-d tensors, 2 for others: the priority in type promotion.
    fn rank(&self) -> usize {
        match self {
            Operand::Scalar(_) => 0,
            Operand::Tensor(t) if t.ndim() == 0 => 1,
            Operand::Tensor(_) => 2,
        }
    }
    /// A tensor with this value: itself, or a 0-d one.
    #[track_caller]
    pub(crate) fn to_tensor(&self, dtype: DType, device: Device) -> Tensor {
        match self {
            Operand::Tensor(t) => t.clone(),
            Operand::Scalar(s) => Tensor::full_with((), *s, (dtype, device)),
        }
    }
}

/// The dtype two operands meet in (`torch.result_type`): a higher category (bool < integer <
/// float) wins; within one, tensors with dimensions win over 0-d tensors, and those over numbers.
pub fn result_type(a: &Operand, b: &Operand) -> DType {
    if let (Operand::Tensor(a), Operand::Tensor(b)) = (a, b)
        && a.dtype() == b.dtype()
    {
        return a.dtype();
    }
    let category = |d: DType| if d.is_float() { 2 } else { d.is_int() as usize };
    let mut by_rank = [None; 3];
    for o in [a, b] {
        let slot: &mut Option<DType> = &mut by_rank[o.rank()];
        *slot = Some(slot.map_or(o.dtype(), |d| d.promote(o.dtype())));
    }
    // A lower rank counts only where its category is higher.
    by_rank
        .into_iter()
        .rev()
        .flatten()
        .reduce(|high, low| if category(low) > category(high) { high.promote(low) } else { high })
        .expect("two operands")
}

/// How the dtype of a binary operation's result follows from its inputs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Promotion {
    /// `result_type` of the inputs.
    Same,
    /// The same, but integers and bool become f32.
    Float,
    /// Bool is refused with a hint (subtraction).
    NoBool,
    /// Floats are refused (operations on bits).
    Bits,
}

/// Two operands of one dtype whose shapes broadcast.
pub(crate) struct Pair<'a> {
    pub a: &'a Operand,
    pub b: &'a Operand,
    pub dtype: DType,
    pub shape: Dims,
    pub device: Device,
}

impl<'a> Pair<'a> {
    /// Casts the operands to the dtype they meet in.
    #[track_caller]
    pub fn new(
        op: &'static str,
        a: &'a mut Operand,
        b: &'a mut Operand,
        promotion: Promotion,
    ) -> Result<Self> {
        let mut dtype = result_type(a, b);
        if promotion == Promotion::Float && !dtype.is_float() {
            dtype = DType::F32;
        }
        if promotion == Promotion::NoBool && dtype == DType::Bool {
            return Err(Error::dtype(
                op,
                "bool tensors have no such operation; use logical_xor or logical_not",
            ));
        }
        if promotion == Promotion::Bits && dtype.is_float() {
            let message = format!("floats have no bits to work on: got {} and {}", a.dtype(), b.dtype());
            return Err(Error::dtype(op, message));
        }
        Pair::with_dtype(op, a, b, dtype)
    }

    #[track_caller]
    pub fn with_dtype(
        op: &'static str,
        a: &'a mut Operand,
        b: &'a mut Operand,
        dtype: DType,
    ) -> Result<Self> {
        let shape = broadcast_shapes(a.shape(), b.shape()).ok_or_else(|| {
            let message = format!(
                "shapes {:?} and {:?} do not broadcast: sizes must be equal or 1, counted from the last dimension",
                a.shape(),
                b.shape()
            );
            Error::shape(op, message)
        })?;
        // A single number goes where the other operand is, as in PyTorch.
        let home = |o: &Operand| o.tensor().map(Tensor::device);
        let (of_a, of_b) = (home(a), home(b));
        a.join(of_b);
        b.join(of_a);
        let device = match (a.tensor(), b.tensor()) {
            (Some(x), Some(y)) if x.device() != y.device() => {
                return Err(Error::Device { op, a: x.device(), b: y.device() });
            }
            (Some(x), _) | (_, Some(x)) => x.device(),
            _ => Device::Cpu,
        };
        a.cast(dtype);
        b.cast(dtype);
        Ok(Pair { a, b, dtype, shape, device })
    }

    /// The layout broadcast to the common shape, for tensors of another.
    fn broadcast(&self, o: &Operand) -> Option<Layout> {
        let t = o.tensor().filter(|t| t.shape() != self.shape.as_slice())?;
        Some(t.layout().broadcast_to(&self.shape).expect("shapes were checked"))
    }

    /// The result of a binary kernel. A number as exponent has a kernel of its own, which multiplies and takes
    /// roots where it can.
    pub fn compute(&self, op: &'static str, kernel: BinaryOp) -> Result<Tensor> {
        match (kernel, self.b) {
            (BinaryOp::Pow, Operand::Scalar(p)) if !self.dtype.is_float() && p.to_i64() < 0 => {
                Err(Error::dtype(op, "integers to negative powers are no integers; use a float exponent"))
            }
            (BinaryOp::Pow, Operand::Scalar(p)) => {
                let p = UnaryOp::Pow(settled(*p, kernel, self.dtype));
                self.produce(op, self.dtype, kernel, |k, a, _, out| k.unary(p, a, out))
            }
            _ => self.produce(op, self.dtype, kernel, |k, a, b, out| k.binary(kernel, a, b, out)),
        }
    }

    /// The result of a relation.
    pub fn compare(&self, op: &'static str, kernel: CompareOp) -> Result<Tensor> {
        self.produce(op, DType::Bool, BinaryOp::Sub, |k, a, b, out| k.compare(kernel, a, b, out))
    }

    /// Runs `run` with both sides as operands of a kernel like `kernel`, into a new tensor of `dtype`.
    fn produce(
        &self,
        op: &'static str,
        dtype: DType,
        kernel: BinaryOp,
        run: impl FnOnce(&'static dyn Backend, Src, Src, ViewMut) -> taper_kernels::Result,
    ) -> Result<Tensor> {
        if let (Operand::Tensor(a), Operand::Tensor(b)) = (self.a, self.b)
            && a.shape() == b.shape()
            && a.is_contiguous()
            && b.is_contiguous()
        {
            // What is true of most operations needs no further look at the dimensions.
            let layout = Layout::contiguous(a.shape());
            let (a, b) = (Src::View(a.as_view()), Src::View(b.as_view()));
            return Tensor::produce_in(op, layout, dtype, self.device, |k, out| run(k, a, b, out));
        }
        let operands = [(self.a, self.broadcast(self.a)), (self.b, self.broadcast(self.b))];
        let layouts = operands.iter().map(|(o, l)| l.as_ref().or(o.tensor().map(Tensor::layout)));
        let both: SmallVec<[&Layout; 2]> = layouts.flatten().collect();
        let layout = layout_for(&self.shape, &both);
        Tensor::produce_in(op, layout, dtype, self.device, |k, out| {
            let [a, b] = operands.each_ref().map(|(o, layout)| match o {
                Operand::Scalar(s) => Src::Scalar(settled(*s, kernel, self.dtype)),
                o => src(o, layout),
            });
            run(k, a, b, out)
        })
    }
}

/// A number as the kernel of a result of `dtype` gets it. Kernels compute f16 and bf16 in f32, where PyTorch
/// takes a factor or divisor as it is, but rounds other numbers as tensors of the dtype would be.
pub(crate) fn settled(s: Scalar, kernel: BinaryOp, dtype: DType) -> Scalar {
    use BinaryOp::{Div, FloorDiv, Mul, TruncDiv};
    match dtype {
        _ if matches!(kernel, Mul | Div | FloorDiv | TruncDiv) => s,
        DType::F16 => s.to::<f16>().into(),
        DType::BF16 => s.to::<bf16>().into(),
        _ => s,
    }
}

pub(crate) fn src<'a>(o: &'a Operand, layout: &'a Option<Layout>) -> Src<'a> {
    match (o, layout) {
        (Operand::Tensor(t), Some(l)) => Src::View(View::new(t.storage(), t.dtype(), l)),
        (Operand::Scalar(s), _) => Src::Scalar(*s),
        (Operand::Tensor(t), None) => Src::View(t.as_view()),
    }
}

/// Shapes as arguments: `[2, 3]`, `&[2, 3]`, a `Vec`, one number for one dimension, `()` for none.
pub trait IntoShape {
    /// The sizes.
    fn into_shape(self) -> Dims;
}
impl IntoShape for usize {
    fn into_shape(self) -> Dims {
        [self].as_slice().into()
    }
}
impl IntoShape for () {
    fn into_shape(self) -> Dims {
        Dims::new()
    }
}
impl IntoShape for Dims {
    fn into_shape(self) -> Dims {
        self
    }
}
macro_rules! into_shape {
    ($([$($g:tt)*] $t:ty),*) => { $(
        impl<$($g)*> IntoShape for $t {
            fn into_shape(self) -> Dims { self[..].into() }
        }
    )* };
}
into_shape!([const N: usize] [usize; N], [const N: usize] &[usize; N], [] &[usize], [] Vec<usize>, [] &Vec<usize>, [] &Dims);

/// Dimension lists as arguments: one number, `[0, -1]`, `&[..]` or a `Vec`. Negative counts from the end.
pub trait IntoDims {
    /// The dimensions as given.
    fn into_dims(self) -> Vec<isize>;
}
impl IntoDims for isize {
    fn into_dims(self) -> Vec<isize> {
        vec![self]
    }
}
impl IntoDims for Vec<isize> {
    fn into_dims(self) -> Vec<isize> {
        self
    }
}
impl IntoDims for &[isize] {
    fn into_dims(self) -> Vec<isize> {
        self.to_vec()
    }
}
impl<const N: usize> IntoDims for [isize; N] {
    fn into_dims(self) -> Vec<isize> {
        self.to_vec()
    }
}
impl<const N: usize> IntoDims for &[isize; N] {
    fn into_dims(self) -> Vec<isize> {
        self.to_vec()
    }
}
