//! Every form of rule that the builder takes.

use std::sync::{Arc, Mutex};

use taper_autograd::scalar::Scalar;
use taper_autograd::{
    BackwardOptions, GradcheckOptions, Value, gradcheck, gradgradcheck, no_grad, op, op_at, try_backward,
};

use crate::{CREATE, FREE, backward_with, derivative, grad_of, leaves};

type Needs = Arc<Mutex<Vec<Vec<bool>>>>;

/// `a·b·c` with one rule, which logs what it was asked for.
fn product3(a: &Scalar, b: &Scalar, c: &Scalar, log: &Needs) -> Scalar {
    op("product3", Scalar::new(a.item() * b.item() * c.item()))
        .wrt_all(&[a, b, c], || {
            let (a, b, c, log) = (a.clone(), b.clone(), c.clone(), log.clone());
            move |g, needs| {
                log.lock().unwrap().push(needs.to_vec());
                let all = [g * &b * &c, g * &a * &c, g * &a * &b];
                all.into_iter().zip(needs).map(|(g, need)| need.then_some(g)).collect()
            }
        })
        .done()
}

#[test]
fn one_rule_for_several_inputs() {
    let log = Needs::default();
    let [a, b] = leaves([2.0, 3.0]);
    let frozen = Scalar::new(5.0);
    let y = product3(&a, &frozen, &b, &log);
    assert_eq!(y.node().unwrap().inputs().len(), 2);
    backward_with(&y, 1.0, CREATE);
    assert_eq!((grad_of(&a), grad_of(&b)), (15.0, 10.0));
    // Under `grad`, only what leads to an input is asked for.
    assert_eq!(derivative(&y, &b, FREE).item(), 10.0);
    // A recorded gradient owns the leaf that keeps it.
    a.zero_grad();
    b.zero_grad();
    assert_eq!(*log.lock().unwrap(), [[true, false, true], [false, false, true]]);
}

#[test]
fn joint_rules_are_right_to_second_order() {
    let inputs = leaves([0.4, -1.1, 2.0]);
    let f = |x: &[Scalar]| product3(&x[0], &x[1], &x[2], &Needs::default()).tanh();
    gradcheck(f, &inputs, GradcheckOptions::default()).unwrap();
    gradgradcheck(f, &inputs, GradcheckOptions::default()).unwrap();
}

#[test]
fn a_joint_rule_may_use_the_output() {
    // y = √(a² + b²): dy/da = a / y.
    fn norm(a: &Scalar, b: &Scalar) -> Scalar {
        op("norm", Scalar::new(a.item().hypot(b.item())))
            .wrt_all_y(&[a, b], || {
                let (a, b) = (a.clone(), b.clone());
                move |g, y, _| vec![Some(g * &a / y), Some(g * &b / y)]
            })
            .done()
    }
    let inputs = leaves([3.0, 4.0]);
    gradcheck(|x| norm(&x[0], &x[1]), &inputs, GradcheckOptions::default()).unwrap();
    gradgradcheck(|x| norm(&x[0], &x[1]), &inputs, GradcheckOptions::default()).unwrap();
}

#[test]
fn joint_and_single_rules_mix() {
    let [a, b, c] = leaves([2.0, 3.0, 5.0]);
    let y = op("mixed", Scalar::new(0.0))
        .wrt(&a, || |g| g * 10.0)
        .wrt_all(&[&b, &Scalar::new(0.0), &b], || |g, _| vec![Some(g * 1.0), Some(g * 1000.0), Some(g * 2.0)])
        .wrt_same(&c)
        .done();
    y.backward();
    assert_eq!((grad_of(&a), grad_of(&b), grad_of(&c)), (10.0, 3.0, 1.0));
}

#[test]
fn none_is_a_gradient_of_zero() {
    let [a, b] = leaves([2.0, 3.0]);
    let y = op("first", Scalar::new(2.0)).wrt_all(&[&a, &b], || |g, _| vec![Some(g.clone()), None]).done();
    y.backward();
    assert_eq!(grad_of(&a), 1.0);
    assert!(b.grad().is_none());
}

#[test]
fn the_wrong_number_of_gradients_is_an_error() {
    let [a, b] = leaves([2.0, 3.0]);
    let y = op("short", Scalar::new(2.0)).wrt_all(&[&a, &b], || |g, _| vec![Some(g.clone())]).done();
    let error = try_backward(&y, None, BackwardOptions::default()).unwrap_err().to_string();
    assert!(error.ends_with("the rule gave 1 gradients for 2 inputs"), "{error}");
}

#[test]
fn outer_closures_run_only_when_needed() {
    let x = Scalar::leaf(1.0);
    let build = |x: &Scalar| {
        let mut ran = 0;
        let y = op("probe", x.detach())
            .wrt(x, || {
                ran += 1;
                |g: &Scalar| g.clone()
            })
            .done();
        let _ = op("probe", x.detach())
            .wrt_all(&[x, x], || {
                ran += 1;
                |_: &Scalar, _: &[bool]| vec![None, None]
            })
            .done();
        (ran, y.requires_grad())
    };
    assert_eq!(build(&x), (2, true));
    assert_eq!(build(&x.detach()), (0, false));
    assert_eq!(no_grad(|| build(&x)), (0, false));
}

#[test]
fn the_location_can_be_given() {
    let x = Scalar::leaf(1.0);
    let here = std::panic::Location::caller();
    let y = op_at("elsewhere", Scalar::new(1.0), here).wrt_same(&x).done();
    assert_eq!(y.node().unwrap().location(), here);
}

#[test]
fn a_rule_may_itself_differentiate() {
    // Checkpointing: forget the inside of f(x) = x³ and compute it again on the way back.
    fn cube(x: &Scalar) -> Scalar {
        x * x * x
    }
    let x = Scalar::leaf(2.0);
    let y = op("checkpoint", no_grad(|| cube(&x)))
        .wrt(&x, || {
            let x = x.detach();
            move |g| {
                taper_autograd::enable_grad(|| {
                    let again = Scalar::leaf(x.item());
                    let y = cube(&again);
                    derivative(&y, &again, FREE) * g
                })
            }
        })
        .done();
    (&y * &x).backward();
    assert_eq!(grad_of(&x), 8.0 + 2.0 * 12.0);
}
