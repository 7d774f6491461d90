//! Functions of single elements.

use crate::bits::{DTYPES, bits, elements, epsilon, near, numbers, show, tensor, value};
use crate::{FIXTURE, Report};
use serde_json::Value;
use taper::nn::functional as F;
use taper::{DType, Tensor};

type Unary = fn(&Tensor) -> Tensor;
type Binary = fn(&Tensor, &Tensor) -> Tensor;

/// Lengths around those of vectors.
const LENGTHS: [usize; 7] = [1, 7, 8, 9, 16, 17, 33];

/// Functions that are a small difference of larger numbers, or small numbers at all: off by so little of their
/// argument, besides. (PyTorch's gelu has 1 + erf, its tanhshrink x - tanh x.)
const OF_THE_ARGUMENT: [&str; 3] = ["gelu", "gelu_tanh", "tanhshrink"];

/// Where taper differs on purpose, or PyTorch does not agree with itself; `docs/decisions.md` has the reasons.
fn known_difference(name: &str, dtype: DType, x: f64) -> bool {
    match (name, dtype) {
        // PyTorch's is 0; erf x is 2x/√π there.
        ("erf", DType::F16 | DType::BF16) => x.abs() < 1e-6,
        // PyTorch's f16 alone has C's pow instead of a root.
        ("pow_0.5" | "pow_minus_0.5", DType::F16) => x == f64::NEG_INFINITY || x == 0.0,
        // PyTorch rounds the square before it divides.
        ("pow_minus_2.0", DType::F16 | DType::BF16) => true,
        _ => false,
    }
}

/// A function by PyTorch's name, and how far (in units of the last place, of f32 and f64) it may be off.
/// f16 and bf16 are computed in f32, so that one unit is enough where anything is allowed. PyTorch takes its
/// square root from a library (MKL) that may be off by one.
fn unary(name: &str) -> (Unary, u64) {
    macro_rules! method {
        ($($f:ident $ulp:literal)*) => {
            match name { $(stringify!($f) => return (Tensor::$f, $ulp),)* _ => {} }
        };
    }
    method! {
        neg 0 abs 0 sign 0 square 0 sqrt 1 rsqrt 1 reciprocal 0 exp 1 expm1 2 log 1 log2 1 log10 1 log1p 2 sin 2 cos 2
        tan 1 asin 1 acos 1 atan 1 sinh 2 cosh 2 tanh 2 erf 2 sigmoid 2 relu 0 floor 0 ceil 0 round 0 trunc 0 isnan 0
        isinf 0 isfinite 0 logical_not 0 silu 3 logsigmoid 3 gelu 2 gelu_tanh 2
    }
    match name {
        "softplus" => (|x| F::softplus(x, 1.0, 20.0), 2),
        "leaky_relu" => (|x| x.leaky_relu(0.01), 0),
        "elu" => (|x| x.elu(1.0), 2),
        "hardtanh" => (|x| F::hardtanh(x, -1.0, 1.0), 0),
        "relu6" => (F::relu6, 0),
        "selu" => (F::selu, 3),
        "celu" => (|x| F::celu(x, 1.0), 3),
        "softsign" => (F::softsign, 0),
        "tanhshrink" => (F::tanhshrink, 4),
        "hardsigmoid" => (F::hardsigmoid, 1),
        "hardswish" => (F::hardswish, 1),
        "mish" => (F::mish, 4),
        "clamp" => (|x| x.clamp(-1.0, 2.5), 0),
        "clamp_min" => (|x| x.clamp(0.0, None), 0),
        "clamp_max" => (|x| x.clamp(None, -0.0), 0),
        "round_2" => (|x| x.round_decimals(2), 0),
        "round_minus_1" => (|x| x.round_decimals(-1), 0),
        "pow_0.0" => (|x| x.pow(0.0), 0),
        "pow_0.5" => (|x| x.pow(0.5), 1),
        "pow_1.0" => (|x| x.pow(1.0), 0),
        "pow_2.0" => (|x| x.pow(2.0), 0),
        "pow_3.0" => (|x| x.pow(3.0), 0),
        "pow_minus_0.5" => (|x| x.pow(-0.5), 1),
        "pow_minus_1.0" => (|x| x.pow(-1.0), 0),
        "pow_minus_2.0" => (|x| x.pow(-2.0), 0),
        "pow_1.5" => (|x| x.pow(1.5), 2),
        "pow_inf" => (|x| x.pow(f64::INFINITY), 0),
        "pow_minus_inf" => (|x| x.pow(f64::NEG_INFINITY), 0),
        "add_number" => (|x| x + 0.1, 0),
        "sub_number" => (|x| x - 0.1, 0),
        "mul_number" => (|x| x * 0.1, 0),
        "div_number" => (|x| x / 0.1, 0),
        "floor_divide_number" => (|x| x.floor_divide(0.1), 0),
        "remainder_number" => (|x| x % 0.1, 0),
        "fmod_number" => (|x| x.fmod(0.1), 0),
        "eq_number" => (|x| x.eq(0.1), 0),
        "ge_number" => (|x| x.ge(0.1), 0),
        "lt_number" => (|x| x.lt(0.1), 0),
        "pow_number" => (|x| x.pow(0.1), 2),
        "trunc_divide_number" => (|x| x.trunc_divide(0.1), 0),
        "number_sub" => (|x| 0.1 - x, 0),
        "number_div" => (|x| 0.1 / x, 0),
        "number_pow" => (|x| Tensor::full_with((), 0.1, x).pow(x), 2),
        "number_remainder" => (|x| 0.1 % x, 0),
        "number_floor_divide" => (|x| Tensor::full_with((), 0.1, x).floor_divide(x), 0),
        "where_number" => (|x| Tensor::where_(&x.gt(0.0), x, 0.1), 0),
        "div_integer" => (|x| x / 3, 0),
        "integer_div" => (|x| 1 / x, 0),
        other => panic!("no function {other}"),
    }
}

fn binary(name: &str) -> (Binary, u64) {
    macro_rules! method {
        ($($f:ident $ulp:literal)*) => {
            match name {
                $(stringify!($f) => (|a, b| a.$f(b), $ulp),)*
                other => panic!("no function {other}"),
            }
        };
    }
    method! {
        add 0 sub 0 mul 0 div 0 floor_divide 0 remainder 0 fmod 0 trunc_divide 0 pow 2 maximum 0 minimum 0 atan2 1 eq 0
        ne 0 lt 0 le 0 gt 0 ge 0 logical_and 0 logical_or 0 logical_xor 0
    }
}

pub fn check(report: &mut Report) {
    let lines = |key: &str| FIXTURE[key].as_array().expect("a table").iter();
    for line in lines("unary") {
        let name = line["op"].as_str().expect("a name");
        let (f, ulp) = unary(name);
        for (text, dtype) in DTYPES.iter().filter(|(text, _)| line.get(text).is_some()) {
            let inputs = elements(&FIXTURE["values"][text], *dtype);
            let slack = if OF_THE_ARGUMENT.contains(&name) { 2.0 * epsilon(*dtype) } else { 0.0 };
            each_way(report, name, [&inputs], &line[text], *dtype, (ulp, slack), |x| f(x[0]));
        }
    }
    for line in lines("binary").chain(lines("compare")) {
        let name = line["op"].as_str().expect("a name");
        let (f, ulp) = binary(name);
        for (text, dtype) in DTYPES.iter().filter(|(text, _)| line.get(text).is_some()) {
            let one = elements(&FIXTURE["pairs"][text], *dtype);
            let left: Vec<u64> = one.iter().flat_map(|&a| one.iter().map(move |_| a)).collect();
            let right: Vec<u64> = one.iter().flat_map(|_| one.iter().copied()).collect();
            let inputs = [&left, &right];
            each_way(report, name, inputs, &line[text], *dtype, (ulp, 0.0), |x| f(x[0], x[1]));
        }
    }
}

/// Runs `f` on the elements at every place of vectors of every kind, contiguous and strided.
fn each_way<const N: usize>(
    report: &mut Report,
    what: &str,
    inputs: [&Vec<u64>; N],
    want: &Value,
    dtype: DType,
    (ulp, slack): (u64, f64),
    f: impl Fn([&Tensor; N]) -> Tensor,
) {
    let count = inputs[0].len();
    let ulp = if dtype.size() == 2 { ulp.min(1) } else { ulp };
    let mut want_bits: Option<Vec<u64>> = None;
    // (first element, number of elements, distance in memory)
    let short =
        LENGTHS.into_iter().flat_map(|n| (0..count).step_by(1 + count / 20).map(move |at| (at, n, 1)));
    let long = [(0, 17 * count + 5, 1), (3, 2 * count, 2)];
    for (at, n, step) in long.into_iter().chain(short) {
        let place = |i: usize| (at + i) % count;
        let x = inputs.map(|bits| {
            let some: Vec<u64> = (0..n * step).map(|i| bits[place(i / step)]).collect();
            let x = tensor(&some, &[n, step], dtype);
            x.select(1, 0)
        });
        let y = f(std::array::from_fn(|i| &x[i]));
        let want: &Vec<u64> = want_bits.get_or_insert_with(|| match y.dtype() {
            DType::Bool => numbers(want, 1),
            d => elements(want, d),
        });
        let got = bits(&y);
        let close = |i: usize| {
            let [x, got, want] = [(inputs[0], dtype), (&got, y.dtype()), (want, y.dtype())]
                .map(|(bits, dtype)| move |i: usize| value(bits[i], dtype));
            slack > 0.0 && (got(i) - want(place(i))).abs() <= slack * x(place(i)).abs()
        };
        let known = |i: usize| known_difference(what, dtype, value(inputs[0][place(i)], dtype));
        let wrong = (0..n).find(|&i| !near(got[i], want[place(i)], y.dtype(), ulp) && !close(i) && !known(i));
        let message = wrong.map(|i| {
            let of: Vec<String> = inputs.iter().map(|x| show(x[place(i)], dtype)).collect();
            let [got, want] = [got[i], want[place(i)]].map(|b| show(b, y.dtype()));
            format!(
                "{what} of {dtype}({}): {got}, PyTorch's is {want} ({i} of {n}, step {step})",
                of.join(", ")
            )
        });
        let failed = message.is_some();
        report.note(n, message);
        if failed {
            break;
        }
    }
}
