use crate::common::*;
use taper_tensor::{DType, Tensor, tensor};

type Function = (&'static str, fn(&Tensor) -> Tensor, fn(f64) -> f64, (f64, f64));

/// Name, function, the same on f64, and where it is smooth.
fn functions() -> Vec<Function> {
    macro_rules! rows {
        ($($name:ident $of:expr, $lo:literal .. $hi:literal;)*) => {
            vec![$((stringify!($name), |x: &Tensor| x.$name(), $of, ($lo, $hi))),*]
        };
    }
    let mut all: Vec<Function> = rows! {
        neg |x| -x, -2.0 .. 2.0;
        abs f64::abs, 0.1 .. 2.0;
        sign f64::signum, 0.1 .. 2.0;
        square |x| x * x, -2.0 .. 2.0;
        sqrt f64::sqrt, 0.2 .. 3.0;
        rsqrt |x| 1.0 / x.sqrt(), 0.2 .. 3.0;
        reciprocal |x| 1.0 / x, 0.3 .. 3.0;
        exp f64::exp, -2.0 .. 2.0;
        expm1 f64::exp_m1, -2.0 .. 2.0;
        ln f64::ln, 0.2 .. 3.0;
        log f64::ln, 0.2 .. 3.0;
        log2 f64::log2, 0.2 .. 3.0;
        log10 f64::log10, 0.2 .. 3.0;
        log1p f64::ln_1p, -0.7 .. 3.0;
        sin f64::sin, -3.0 .. 3.0;
        cos f64::cos, -3.0 .. 3.0;
        tan f64::tan, -1.0 .. 1.0;
        asin f64::asin, -0.8 .. 0.8;
        acos f64::acos, -0.8 .. 0.8;
        atan f64::atan, -3.0 .. 3.0;
        sinh f64::sinh, -2.0 .. 2.0;
        cosh f64::cosh, -2.0 .. 2.0;
        tanh f64::tanh, -2.0 .. 2.0;
        sigmoid |x| 1.0 / (1.0 + (-x).exp()), -3.0 .. 3.0;
        relu |x| x.max(0.0), 0.1 .. 2.0;
        silu |x| x / (1.0 + (-x).exp()), -3.0 .. 3.0;
        softplus |x| x.exp().ln_1p(), -3.0 .. 3.0;
        logsigmoid |x| -(-x).exp().ln_1p(), -3.0 .. 3.0;
        gelu_tanh |x| 0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044715 * x * x * x)).tanh()), -3.0 .. 3.0;
        floor f64::floor, 0.1 .. 0.9;
        ceil f64::ceil, 0.1 .. 0.9;
        round f64::round_ties_even, 0.1 .. 0.4;
        trunc f64::trunc, 0.1 .. 0.9;
    };
    let relu: Function = ("relu below 0", Tensor::relu, |x| x.max(0.0), (-2.0, -0.1));
    let leaky: Function =
        ("leaky_relu", |x| x.leaky_relu(0.1), |x| if x > 0.0 { x } else { 0.1 * x }, (-2.0, -0.1));
    let elu: Function = ("elu", |x| x.elu(0.7), |x| if x > 0.0 { x } else { 0.7 * x.exp_m1() }, (-2.0, -0.1));
    let clamp: Function = ("clamp", |x| x.clamp(0.5, 1.0), |x| x.clamp(0.5, 1.0), (0.6, 0.9));
    let power: Function = ("pow 2.7", |x| x.pow(2.7), |x| x.powf(2.7), (0.3, 2.0));
    let cube: Function = ("pow 3", |x| x.pow(3), |x| x * x * x, (-2.0, 2.0));
    let base: Function =
        ("2 to the", |x| (Tensor::full_with((), 2.0, x)).pow(x), |x| 2f64.powf(x), (-2.0, 2.0));
    all.extend([relu, leaky, elu, clamp, power, cube, base]);
    all
}

#[test]
fn values_and_derivatives() {
    for (name, f, of, (lo, hi)) in functions() {
        println!("{name}");
        for shape in [&[3, 4][..], &[], &[2, 0]] {
            let x = uniform(lo, hi, shape, 1);
            let want = Tensor::from_vec(x.to_vec::<f64>().into_iter().map(of).collect(), shape);
            assert_near(&f(&x), &want, 1e-13);
            check_dtypes(&[x.clone()], |x| f(&x[0]));
            check_grads(&[x], |x| f(&x[0]));
        }
    }
}

#[test]
fn erf_and_gelu() {
    // erf from its series, which converges quickly here.
    let erf = |x: f64| {
        let (mut term, mut sum) = (x, x);
        for n in 1..80 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    };
    let x = uniform(-2.5, 2.5, &[40], 1);
    let data = x.to_vec::<f64>();
    let of = |f: &dyn Fn(f64) -> f64| Tensor::from_vec(data.iter().map(|v| f(*v)).collect(), [40]);
    assert_near(&x.erf(), &of(&erf), 1e-13);
    assert_near(&x.gelu(), &of(&|v| 0.5 * v * (1.0 + erf(v / 2f64.sqrt()))), 1e-13);
    check_grads(&[x.narrow(0, 0, 6)], |x| x[0].erf());
    check_grads(&[x.narrow(0, 0, 6)], |x| x[0].gelu());
    check_dtypes(&[x.clone()], |x| x[0].gelu());
    check_dtypes(&[x], |x| x[0].erf());
}

#[test]
fn kinks_have_pytorchs_slopes() {
    let slope = |f: fn(&Tensor) -> Tensor, at: f64| {
        let x = Tensor::full_with((), at, DType::F64).requires_grad_(true);
        f(&x).backward();
        x.grad().unwrap().item()
    };
    assert_eq!(slope(|x| x.relu(), 0.0), 0.0);
    assert_eq!(slope(|x| x.abs(), 0.0), 0.0);
    assert_eq!(slope(|x| x.sign(), 0.0), 0.0);
    assert_eq!(slope(|x| x.clamp(0.0, 1.0), 0.0), 0.0);
    assert_eq!(slope(|x| x.clamp(0.0, 1.0), 0.5), 1.0);
    assert_eq!(slope(|x| x.clamp(0.0, 1.0), 1.0), 0.0);
    assert_eq!(slope(|x| x.clamp(0.0, None), -1.0), 0.0);
    assert_eq!(slope(|x| x.leaky_relu(0.1), 0.0), 0.1);
    assert_eq!(slope(|x| x.sqrt(), 0.0), f64::INFINITY);
    assert_eq!(slope(|x| x.pow(2.0), 0.0), 0.0);
    assert_eq!(slope(|x| x.pow(0.0), 0.0), 0.0);
}

#[test]
fn integers_and_tests() {
    let x = tensor([-2, 0, 3]);
    assert_eq!(
        (x.exp().dtype(), x.abs().dtype(), x.relu().to_vec::<i64>()),
        (DType::F32, DType::I64, vec![0, 0, 3])
    );
    assert_eq!(x.clamp(-1.0, 2.0).to_vec::<i64>(), [-1, 0, 2]);
    assert_eq!(x.clamp(0.5, None).dtype(), DType::F32);
    assert!(panic_of(|| x.clamp(None, None)).contains("clamp: at least one of min and max"));
    let y = tensor([f64::NAN, f64::INFINITY, 1.0]);
    assert_eq!(y.isnan().to_vec::<bool>(), [true, false, false]);
    assert_eq!(y.isinf().to_vec::<bool>(), [false, true, false]);
    assert_eq!(y.isfinite().to_vec::<bool>(), [false, false, true]);
}
