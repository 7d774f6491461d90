//! Grad mode and inference mode.

use std::panic::catch_unwind;

use taper_autograd::scalar::Scalar;
use taper_autograd::*;

fn records() -> bool {
    (Scalar::leaf(1.0) * 2.0).requires_grad()
}

#[test]
fn closures_nest() {
    assert!(is_grad_enabled() && records());
    no_grad(|| {
        assert!(!is_grad_enabled() && !records());
        enable_grad(|| assert!(is_grad_enabled() && records()));
        assert!(!is_grad_enabled());
    });
    assert!(is_grad_enabled());
}

#[test]
fn guards_restore_what_was() {
    let outer = no_grad_guard();
    {
        let _inner = set_grad_enabled(true);
        assert!(records());
    }
    assert!(!records());
    drop(outer);
    assert!(records());
}

#[test]
fn inference_mode_is_stronger() {
    inference_mode(|| {
        assert!(is_inference_mode_enabled() && !is_grad_enabled());
        enable_grad(|| assert!(!records()));
    });
    assert!(!is_inference_mode_enabled() && records());
    let guard = inference_mode_guard();
    assert!(!records());
    drop(guard);
    assert!(records());
}

#[test]
fn a_panic_restores_the_mode() {
    let caught = catch_unwind(|| no_grad(|| panic!("inside")));
    assert!(caught.is_err() && is_grad_enabled());
}

#[test]
fn threads_have_their_own_mode() {
    no_grad(|| std::thread::scope(|s| assert!(s.spawn(records).join().unwrap())));
}

#[test]
fn leaves_are_made_in_any_mode() {
    let x = no_grad(|| Scalar::leaf(3.0));
    (&x * &x).backward();
    assert_eq!(x.grad().unwrap().item(), 6.0);
}

#[test]
fn a_leaf_changes_under_no_grad_and_the_graph_keeps_the_old_value() {
    let mut w = Scalar::leaf(3.0);
    let y = &w * &w;
    no_grad(|| w.set(100.0));
    y.backward();
    assert_eq!((w.item(), w.grad().unwrap().item()), (100.0, 6.0));
}

#[test]
#[should_panic(expected = "can be changed only under no_grad")]
fn a_leaf_does_not_change_while_recording() {
    Scalar::leaf(3.0).set(1.0);
}

#[test]
fn needs_grad_follows_input_and_mode() {
    let (x, c) = (Scalar::leaf(1.0), Scalar::new(1.0));
    assert!(needs_grad(&x) && !needs_grad(&c));
    assert!(!no_grad(|| needs_grad(&x)));
}
