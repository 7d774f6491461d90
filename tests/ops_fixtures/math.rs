//! Elementwise functions.

use crate::case::Case;
use taper::nn::functional as F;
use taper::{Operand, Tensor};

pub fn run(c: &Case) -> Option<Vec<Tensor>> {
    unary(c).or_else(|| binary(c)).or_else(|| parametric(c)).map(|y| vec![y])
}

fn unary(c: &Case) -> Option<Tensor> {
    let plain = c.has_no_args();
    let f: fn(&Tensor) -> Tensor = match c.op() {
        "neg" => Tensor::neg,
        "abs" => Tensor::abs,
        "sign" => Tensor::sign,
        "square" => Tensor::square,
        "reciprocal" => Tensor::reciprocal,
        "sqrt" => Tensor::sqrt,
        "rsqrt" => Tensor::rsqrt,
        "exp" => Tensor::exp,
        "expm1" => Tensor::expm1,
        "log" => Tensor::log,
        "log2" => Tensor::log2,
        "log10" => Tensor::log10,
        "log1p" => Tensor::log1p,
        "sin" => Tensor::sin,
        "cos" => Tensor::cos,
        "tan" => Tensor::tan,
        "tanh" => Tensor::tanh,
        "sigmoid" => Tensor::sigmoid,
        "erf" => Tensor::erf,
        "relu" => Tensor::relu,
        "silu" => Tensor::silu,
        "gelu" if plain => Tensor::gelu,
        "gelu" => Tensor::gelu_tanh,
        "floor" => Tensor::floor,
        "ceil" => Tensor::ceil,
        "round" if plain => Tensor::round,
        "trunc" => Tensor::trunc,
        "softplus" => |x| F::softplus(x, 1.0, 20.0),
        "logsigmoid" => |x| -(-x).softplus(),
        "hardtanh" => |x| F::hardtanh(x, -1.0, 1.0),
        "relu6" => F::relu6,
        "hardsigmoid" => F::hardsigmoid,
        "hardswish" => F::hardswish,
        "selu" => F::selu,
        "celu" => |x| F::celu(x, 1.0),
        "softsign" => F::softsign,
        "isnan" => Tensor::isnan,
        "isinf" => Tensor::isinf,
        "isfinite" => Tensor::isfinite,
        "logical_not" => Tensor::logical_not,
        _ => return None,
    };
    Some(f(c.x(0)))
}

/// Functions of two tensors, or of a tensor and the number that the sample gives.
fn binary(c: &Case) -> Option<Tensor> {
    let f: fn(&Tensor, Operand) -> Tensor = match (c.op(), c.text("rounding_mode")) {
        ("add", _) => |a, b| a.add(b),
        ("sub", _) => |a, b| a.sub(b),
        ("mul", _) => |a, b| a.mul(b),
        ("div", None) => |a, b| a.div(b),
        ("div", Some("trunc")) => |a, b| a.trunc_divide(b),
        ("div", Some("floor")) | ("floor_divide", _) => |a, b| a.floor_divide(b),
        ("remainder", _) => |a, b| a.remainder(b),
        ("fmod", _) => |a, b| a.fmod(b),
        ("pow", _) => |a, b| a.pow(b),
        ("atan2", _) => |a, b| a.atan2(b),
        ("maximum", _) => |a, b| a.maximum(b),
        ("minimum", _) => |a, b| a.minimum(b),
        ("eq", _) => |a, b| a.eq(b),
        ("ne", _) => |a, b| a.ne(b),
        ("lt", _) => |a, b| a.lt(b),
        ("le", _) => |a, b| a.le(b),
        ("gt", _) => |a, b| a.gt(b),
        ("ge", _) => |a, b| a.ge(b),
        ("logical_and", _) => |a, b| a.logical_and(b),
        ("logical_or", _) => |a, b| a.logical_or(b),
        ("logical_xor", _) => |a, b| a.logical_xor(b),
        _ => return None,
    };
    let number = || c.scalar("exponent").or_else(|| c.scalar("other")).expect("a second operand");
    let b: Operand = c.maybe(1).map_or_else(|| number().into(), Operand::from);
    // A number's factor `alpha` belongs to the second operand.
    let b = match (c.float("alpha"), &b) {
        (Some(alpha), Operand::Tensor(b)) => (b * alpha).into(),
        _ => b,
    };
    Some(f(c.x(0), b))
}

fn parametric(c: &Case) -> Option<Tensor> {
    let x = || c.x(0);
    let value = || c.float("value").unwrap_or(1.0);
    Some(match c.op() {
        "round" => x().round_decimals(c.int("decimals")? as i32),
        "where" => Tensor::where_(x(), c.x(1), c.x(2)),
        "clamp" if c.inputs.len() == 3 => x().clamp_tensor(c.x(1), c.x(2)),
        "clamp" => x().clamp(c.float("min"), c.float("max")),
        "lerp" => match c.float("weight") {
            Some(weight) => x().lerp(c.x(1), weight),
            None => x().lerp(c.x(1), c.x(2)),
        },
        "addcmul" => x().addcmul(c.x(1), c.x(2), value()),
        "addcdiv" => x().addcdiv(c.x(1), c.x(2), value()),
        "leaky_relu" => x().leaky_relu(c.float("negative_slope").unwrap_or(0.01)),
        "elu" => x().elu(c.float("alpha").unwrap_or(1.0)),
        _ => return None,
    })
}
