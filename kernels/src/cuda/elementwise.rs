//! Unary and binary functions, relations and choices: unary_*.cu, binary_*.cu, compare.cu, select.cu.

use super::context::Context;
use super::fault::{Fault, Word};
use super::launch::*;
use crate::cpu::elementwise::scalar_bytes;
use crate::{BinaryOp, CompareOp, DType, Result, Scalar, Src, UnaryOp, View, ViewMut};

fn unary_kernel(op: UnaryOp, dtype: DType) -> Option<&'static str> {
    use UnaryOp::*;
    if !dtype.is_float() {
        return Some(match op {
            Sign => "sign",
            Square => "square",
            // A rounding, or what bools do not have.
            _ if dtype == DType::Bool => return None,
            Neg => "neg",
            Abs => "abs",
            Relu => "relu",
            Clamp { .. } => "clamp",
            Pow(_) => "pow_number",
            _ => return None,
        });
    }
    Some(match op {
        Neg => "neg",
        Abs => "abs",
        Sign => "sign",
        Square => "square",
        Sqrt => "sqrt",
        Rsqrt => "rsqrt",
        Recip => "recip",
        Relu => "relu",
        LeakyRelu(_) => "leaky_relu",
        Floor => "floor",
        Ceil => "ceil",
        Round => "round",
        Trunc => "trunc",
        Clamp { .. } => "clamp",
        Exp => "exp",
        Expm1 => "expm1",
        Ln => "ln",
        Log2 => "log2",
        Log10 => "log10",
        Log1p => "log1p",
        Sin => "sin",
        Cos => "cos",
        Tan => "tan",
        Asin => "asin",
        Acos => "acos",
        Atan => "atan",
        Sinh => "sinh",
        Cosh => "cosh",
        Tanh => "tanh",
        Erf => "erf",
        Sigmoid => "sigmoid",
        Gelu => "gelu",
        GeluTanh => "gelu_tanh",
        Silu => "silu",
        Softplus => "softplus",
        Elu(_) => "elu",
        Pow(_) => "pow_number",
    })
}

/// The function's own numbers, in what it computes in.
fn extra(op: UnaryOp, dtype: DType) -> [u64; 2] {
    let compute = dtype.compute();
    let bits = |s: Scalar| scalar_bytes(compute, s);
    match op {
        UnaryOp::LeakyRelu(a) | UnaryOp::Elu(a) => [bits(a.into()), 0],
        UnaryOp::Pow(p) if dtype.is_float() => [bits(p), 0],
        UnaryOp::Pow(p) => [p.to_i64() as u64, 0],
        UnaryOp::Clamp { lo, hi } if dtype.is_float() => {
            let (lo, hi) =
                (lo.map_or(f64::NEG_INFINITY, Scalar::to_f64), hi.map_or(f64::INFINITY, Scalar::to_f64));
            let nan = lo.is_nan() || hi.is_nan();
            let bound = |v: f64| bits(Scalar::Float(if nan { f64::NAN } else { v }));
            [bound(lo), bound(hi)]
        }
        UnaryOp::Clamp { lo, hi } => {
            let (least, most) = match dtype {
                DType::U8 => (0, u8::MAX as i64),
                DType::I8 => (i8::MIN as i64, i8::MAX as i64),
                DType::I16 => (i16::MIN as i64, i16::MAX as i64),
                DType::I32 => (i32::MIN as i64, i32::MAX as i64),
                _ => (i64::MIN, i64::MAX),
            };
            let bound = |b: Option<Scalar>, free: i64| {
                bits(Scalar::Int(b.map_or(free, |s| s.to_i64().clamp(least, most))))
            };
            [bound(lo, least), bound(hi, most)]
        }
        _ => [0; 2],
    }
}

pub(super) fn unary(cx: &Context, op: UnaryOp, x: Src, out: ViewMut) -> Result {
    use UnaryOp::{Ceil, Floor, Round, Trunc};
    let dtype = out.dtype;
    if matches!(op, Floor | Ceil | Round | Trunc) && dtype.is_int() {
        // Integers are round.
        return match x {
            Src::View(v) => super::copy::copy(cx, v, out),
            Src::Scalar(s) => super::copy::fill(cx, out, s),
            Src::Out => Ok(()),
        };
    }
    let name = unary_kernel(op, dtype).ok_or_else(|| cx.unsupported(op.name(), dtype))?;
    let input = Operand::input(cx, x, &out, dtype.compute())?;
    let extra = extra(op, dtype);
    let vector = vector_of(dtype.size());
    Walk::<1, 2>::new(Operand::output(cx, &out)?, [input], Order::Any).launches(vector, |map, _| {
        let map = Map { extra, ..*map };
        // SAFETY: kernels of unary_*.cu take a Map<1> of views of this device's memory.
        unsafe { cx.launch(("unary", name, tag(dtype)), blocks(map.count, vector), &[arg(&map)]) }
    })
}

/// A kernel's name, and whether it divides integers: those take elements one by one, and a word for faults.
fn binary_kernel(op: BinaryOp, dtype: DType) -> Option<(&'static str, bool)> {
    use BinaryOp::*;
    if dtype == DType::Bool {
        return Some(match op {
            Add | Maximum | BitOr => ("bitor", false),
            Mul | Minimum | BitAnd => ("bitand", false),
            BitXor => ("bitxor", false),
            _ => return None,
        });
    }
    let float = dtype.is_float();
    Some(match op {
        Add => ("add", false),
        Sub => ("sub", false),
        Mul => ("mul", false),
        Maximum => ("maximum", false),
        Minimum => ("minimum", false),
        ReluGrad => ("relu_grad", false),
        Pow => ("pow", false),
        FloorDiv => ("floor_div", !float),
        Rem => ("rem", !float),
        Fmod => ("fmod", !float),
        TruncDiv => ("trunc_div", !float),
        Div if float => ("div", false),
        SigmoidGrad if float => ("sigmoid_grad", false),
        TanhGrad if float => ("tanh_grad", false),
        Atan2 if float => ("atan2", false),
        GeluGrad if float => ("gelu_grad", false),
        GeluTanhGrad if float => ("gelu_tanh_grad", false),
        SiluGrad if float => ("silu_grad", false),
        BitAnd if !float => ("bitand", false),
        BitOr if !float => ("bitor", false),
        BitXor if !float => ("bitxor", false),
        Shl if !float => ("shl", false),
        Shr if !float => ("shr", false),
        _ => return None,
    })
}

pub(super) fn binary(cx: &'static Context, op: BinaryOp, a: Src, b: Src, out: ViewMut) -> Result {
    let dtype = out.dtype;
    let (name, divides) = binary_kernel(op, dtype).ok_or_else(|| cx.unsupported(op.name(), dtype))?;
    let number = dtype.compute();
    let inputs = [Operand::input(cx, a, &out, number)?, Operand::input(cx, b, &out, number)?];
    let word = divides.then(|| cx.fault(Fault::ZeroDivision { op: op.name() })).transpose()?;
    let address = word.as_ref().map_or(0, Word::address);
    let vector = vector_of(dtype.size());
    let width = if divides { 1 } else { vector };
    Walk::<2, 3>::new(Operand::output(cx, &out)?, inputs, Order::Any).launches(width, |map, _| {
        let all = [arg(map), arg(&address)];
        // SAFETY: kernels of binary_*.cu take a Map<2> of views of this device's memory, and those that divide
        // integers the address of a word for faults.
        unsafe {
            cx.launch(
                ("binary", name, tag(dtype)),
                blocks(map.count, vector),
                &all[..if divides { 2 } else { 1 }],
            )
        }
    })
}

/// The table of answers of compare.cu.
fn answers(op: CompareOp) -> u64 {
    match op {
        CompareOp::Lt => 0b0001,
        CompareOp::Eq => 0b0010,
        CompareOp::Gt => 0b0100,
        CompareOp::Le => 0b0011,
        CompareOp::Ge => 0b0110,
        CompareOp::Ne => 0b1101,
        CompareOp::And => 256 | 0b1000,
        CompareOp::Or => 256 | 0b1110,
        CompareOp::Xor => 256 | 0b0110,
    }
}

pub(super) fn compare(cx: &Context, op: CompareOp, a: Src, b: Src, out: ViewMut) -> Result {
    let dtype = match (a, b) {
        (Src::View(v), _) | (_, Src::View(v)) => v.dtype,
        _ => out.dtype,
    };
    let number = dtype.compute();
    let inputs = [Operand::input(cx, a, &out, number)?, Operand::input(cx, b, &out, number)?];
    let vector = vector_of(dtype.size());
    Walk::<2, 3>::new(Operand::output(cx, &out)?, inputs, Order::Any).launches(vector, |map, _| {
        let map = Map { extra: [answers(op), 0], ..*map };
        // SAFETY: compare.cu takes a Map<2> of views of this device's memory.
        unsafe { cx.launch(("compare", "compare", tag(dtype)), blocks(map.count, vector), &[arg(&map)]) }
    })
}

pub(super) fn select(cx: &Context, cond: View, a: Src, b: Src, out: ViewMut) -> Result {
    let (dtype, size) = (out.dtype, out.dtype.size());
    let inputs = [
        Operand::input(cx, cond.into(), &out, DType::U8)?,
        Operand::input(cx, a, &out, dtype)?,
        Operand::input(cx, b, &out, dtype)?,
    ];
    let vector = vector_of(size);
    Walk::<3, 4>::new(Operand::output(cx, &out)?, inputs, Order::Any).launches(vector, |map, _| {
        // SAFETY: select.cu takes a Map<3> of views of this device's memory.
        unsafe { cx.launch(("select", "select", size_tag(size)), blocks(map.count, vector), &[arg(map)]) }
    })
}
