//! A rule that panics spoils nothing but its own walk.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

use taper_autograd::scalar::Scalar;
use taper_autograd::{BackwardOptions, is_grad_enabled, op, try_backward};

use crate::{RETAIN, grad_of};

fn failing(x: &Scalar, fail: impl Fn() + Clone + Send + Sync + 'static) -> Scalar {
    op("failing", x.detach())
        .wrt(x, || {
            let fail = fail.clone();
            move |g| {
                fail();
                g.clone()
            }
        })
        .done()
}

#[test]
fn the_error_names_op_and_line() {
    let x = Scalar::leaf(1.0);
    let y = failing(&x, || panic!("no luck with {}", 7));
    let error = try_backward(&y, None, BackwardOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("backward of `failing` (at "), "{error}");
    assert!(error.contains(file!()) && error.ends_with("no luck with 7"), "{error}");
    assert!(is_grad_enabled());
}

#[test]
fn everything_works_afterwards() {
    let x = Scalar::leaf(3.0);
    let good = &x * &x;
    let both = &good + &failing(&x, || panic!("broken"));
    assert!(try_backward(&both, None, RETAIN).is_err());
    assert!(try_backward(&both, None, RETAIN).is_err(), "the same error, not a poisoned lock");
    good.backward();
    assert_eq!(grad_of(&x), 6.0);
}

#[test]
fn other_payloads_pass_through() {
    let y = failing(&Scalar::leaf(1.0), || panic_any(42_i32));
    let payload = catch_unwind(AssertUnwindSafe(|| y.backward())).unwrap_err();
    assert_eq!(payload.downcast_ref::<i32>(), Some(&42));
    assert!(is_grad_enabled());
}

#[test]
fn a_hook_that_panics_is_named_too() {
    let x = Scalar::leaf(1.0);
    taper_autograd::Value::node(&x).unwrap().register_hook(|_| panic!("in the hook"));
    let error = try_backward(&(&x * 1.0), None, BackwardOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("backward of `leaf` (at ") && error.ends_with("in the hook"), "{error}");
}
