//! gradcheck finds what is wrong and passes what is right.

use taper_autograd::scalar::Scalar;
use taper_autograd::{GradcheckError, GradcheckOptions, gradcheck, gradgradcheck, op};

use crate::leaves;
use crate::vector::Vector;

const FULL: GradcheckOptions =
    GradcheckOptions { eps: 6.055454452393343e-6, atol: 1e-6, rtol: 1e-6, fast_mode: false, seed: 0 };
const FAST: GradcheckOptions = GradcheckOptions { fast_mode: true, ..FULL };

/// (name, op, point away from kinks)
type Case = (&'static str, fn(&[Scalar]) -> Scalar, [f64; 2]);
const CASES: [Case; 14] = [
    ("add", |x| &x[0] + &x[1], [0.3, -1.2]),
    ("sub", |x| &x[0] - &x[1], [0.3, -1.2]),
    ("mul", |x| &x[0] * &x[1], [0.3, -1.2]),
    ("div", |x| &x[0] / &x[1], [0.3, -1.2]),
    ("neg", |x| -&x[0], [0.3, 0.0]),
    ("exp", |x| x[0].exp(), [0.3, 0.0]),
    ("ln", |x| x[0].ln(), [0.3, 0.0]),
    ("tanh", |x| x[0].tanh(), [0.3, 0.0]),
    ("sigmoid", |x| x[0].sigmoid(), [0.3, 0.0]),
    ("relu above", |x| x[0].relu(), [0.3, 0.0]),
    ("relu below", |x| x[0].relu(), [-0.3, 0.0]),
    ("powf", |x| x[0].powf(2.5), [0.3, 0.0]),
    ("powf -1", |x| x[0].powf(-1.0), [-0.3, 0.0]),
    ("composite", |x| (&x[0] * x[1].exp()).tanh() / (1.0 + &x[1] * &x[1]), [0.3, -1.2]),
];

#[test]
fn every_scalar_op_to_second_order() {
    let modes: &[_] = if cfg!(miri) { &[FAST] } else { &[FULL, FAST] };
    for (name, f, at) in CASES {
        for &options in modes {
            let inputs = leaves(at);
            gradcheck(f, &inputs, options).unwrap_or_else(|e| panic!("{name}: {e}"));
            gradgradcheck(f, &inputs, options).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}

#[test]
fn relu_is_flat_at_zero() {
    let x = Scalar::leaf(0.0);
    x.relu().backward();
    assert_eq!(x.grad().unwrap().item(), 0.0);
}

#[test]
fn broadcasting_and_several_outputs() {
    let inputs = [Vector::leaf(&[0.5]), Vector::leaf(&[1.0, -2.0, 3.0]), Vector::new(&[4.0])];
    let f = |x: &[Vector]| vec![x[0].mul(&x[1]).mul(&x[2]), x[1].mul(&x[1]).sum()];
    for options in [FULL, FAST] {
        gradcheck(f, &inputs, options).unwrap();
        gradgradcheck(f, &inputs, options).unwrap();
    }
    assert!(inputs[0].grad().is_none(), "the caller's leaves are left alone");
}

/// x² elementwise, whose rule is wrong for one element.
fn wrong(x: &Vector) -> Vector {
    op("wrong", x.zip(x, |a, b| a * b))
        .wrt(x, || {
            let x = x.clone();
            move |g| {
                let factor = [2.0, 2.0, 2.5, 2.0];
                g.mul(&x).mul(&Vector::new(&factor[..x.data.len()]))
            }
        })
        .done()
}

#[test]
fn a_wrong_rule_is_located() {
    let inputs = [Vector::new(&[1.0]), Vector::leaf(&[1.0, 2.0, 3.0, 4.0])];
    for options in [FULL, FAST] {
        let error = gradcheck(|x| vec![x[1].sum(), wrong(&x[1])], &inputs, options).unwrap_err();
        let GradcheckError::Mismatch { order, output, output_element, input, element, analytic, numeric } =
            error
        else {
            panic!("{error}")
        };
        assert_eq!((order, output, output_element, input, element, analytic), (1, 1, 2, 1, 2, 7.5));
        assert!((numeric - 6.0).abs() < 1e-8);
    }
}

#[test]
fn a_rule_that_forgets_to_record_fails_the_second_order() {
    fn square(x: &Scalar) -> Scalar {
        op("square", Scalar::new(x.item() * x.item()))
            .wrt(x, || {
                let x = x.detach();
                move |g| g * &x * 2.0
            })
            .done()
    }
    let inputs = leaves([1.5]);
    gradcheck(|x| square(&x[0]), &inputs, FULL).unwrap();
    for options in [FULL, FAST] {
        let error = gradgradcheck(|x| square(&x[0]), &inputs, options).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("gradgradcheck: the derivative of output 0[0] in input 0[0] is 0e0"),
            "{text}"
        );
    }
}

#[test]
fn a_nan_is_no_derivative() {
    let error = gradcheck(|x| x[0].powf(0.5) * 0.0, &leaves([0.0]), FULL).unwrap_err();
    assert!(matches!(error, GradcheckError::Mismatch { .. }));
}

#[test]
fn a_dependence_that_was_cut_is_found() {
    let error = gradcheck(|x| x[0].detach() * &x[1], &leaves([2.0, 3.0]), FULL).unwrap_err();
    assert!(matches!(error, GradcheckError::Mismatch { input: 0, .. }), "{error}");
}

#[test]
fn nothing_to_check_is_an_error() {
    let error = gradcheck(|x| x[0].exp(), &[Scalar::new(1.0)], FULL).unwrap_err();
    assert!(matches!(error, GradcheckError::NoInput));
}

#[test]
fn a_failing_backward_is_reported() {
    let f = |x: &[Scalar]| op("bad", x[0].detach()).wrt(&x[0], || |_| panic!("oh")).done();
    let error = gradcheck(f, &leaves([1.0]), FULL).unwrap_err().to_string();
    assert!(error.starts_with("gradcheck: backward of `bad`") && error.ends_with("oh"), "{error}");
}
