//! Hooks and kept gradients.

use std::sync::{Arc, Mutex};

use taper_autograd::scalar::Scalar;
use taper_autograd::{Value, grad};

use crate::{CREATE, FREE, RETAIN, backward_with, derivative, grad_of};

type Log = Arc<Mutex<Vec<f64>>>;

fn record(log: &Log) -> impl Fn(&Scalar) -> Option<Scalar> + Send + Sync + 'static {
    let log = log.clone();
    move |g| {
        log.lock().unwrap().push(g.item());
        None
    }
}

#[test]
fn a_hook_sees_the_complete_gradient_once() {
    let x = Scalar::leaf(3.0);
    let h = &x * 2.0;
    let (on_h, on_x) = (Log::default(), Log::default());
    h.node().unwrap().register_hook(record(&on_h));
    x.node().unwrap().register_hook(record(&on_x));
    (&h * &h + &x).backward();
    assert_eq!(*on_h.lock().unwrap(), [12.0]);
    assert_eq!(*on_x.lock().unwrap(), [25.0]);
}

#[test]
fn hooks_replace_in_order() {
    let x = Scalar::leaf(3.0);
    let node = x.node().unwrap();
    node.register_hook(|g| Some(g * 10.0));
    node.register_hook(|g| Some(g + 1.0));
    (&x * 2.0).backward();
    assert_eq!(grad_of(&x), 21.0);
}

#[test]
fn a_replaced_gradient_flows_on() {
    let x = Scalar::leaf(3.0);
    let h = &x * 2.0;
    h.node().unwrap().register_hook(|g| Some(g * 5.0));
    (&h * 7.0).backward();
    assert_eq!(grad_of(&x), 70.0);
}

#[test]
fn a_hook_stays_until_it_is_removed() {
    let x = Scalar::leaf(1.0);
    let log = Log::default();
    let handle = x.node().unwrap().register_hook(record(&log));
    drop(x.node().unwrap().register_hook(|g| Some(g * 2.0)));
    (&x * 3.0).backward();
    handle.remove();
    handle.remove();
    (&x * 4.0).backward();
    assert_eq!(*log.lock().unwrap(), [3.0]);
    assert_eq!(grad_of(&x), 14.0, "the hook whose handle was dropped ran both times");
}

#[test]
fn a_handle_outlives_its_node() {
    let handle = Scalar::leaf(1.0).node().unwrap().register_hook(|_| None);
    handle.remove();
}

#[test]
fn a_hook_may_remove_itself() {
    let x = Scalar::leaf(1.0);
    let handle = Arc::new(Mutex::new(None::<taper_autograd::HookHandle<Scalar>>));
    let inner = handle.clone();
    *handle.lock().unwrap() = Some(x.node().unwrap().register_hook(move |g| {
        inner.lock().unwrap().take().unwrap().remove();
        Some(g * 100.0)
    }));
    (&x * 1.0).backward();
    (&x * 1.0).backward();
    assert_eq!(grad_of(&x), 101.0);
}

#[test]
fn ops_keep_gradients_when_asked() {
    let x = Scalar::leaf(3.0);
    let h = &x * 2.0;
    let node = h.node().unwrap();
    node.register_hook(|g| Some(g * 10.0));
    assert!(!node.retains_grad());
    node.retain_grad();
    assert!(node.retains_grad());
    let y = &h * 7.0;
    backward_with(&y, 1.0, RETAIN);
    assert_eq!(grad_of(&h), 70.0, "after the hooks");
    backward_with(&y, 1.0, RETAIN);
    assert_eq!(grad_of(&h), 140.0, "added to, as a leaf does");
    assert_eq!(grad_of(&x), 280.0);
}

#[test]
fn retain_grad_on_a_leaf_changes_nothing() {
    let x = Scalar::leaf(3.0);
    x.node().unwrap().retain_grad();
    (&x * 2.0).backward();
    assert_eq!(grad_of(&x), 2.0);
    assert!(!x.node().unwrap().retains_grad());
}

#[test]
fn hooks_run_in_grad_too() {
    let x = Scalar::leaf(3.0);
    let h = &x * &x;
    h.node().unwrap().register_hook(|g| Some(g * 2.0));
    h.node().unwrap().retain_grad();
    let y = &h * 1.0;
    let found = grad(&[y], &[h.clone(), x.clone()], None, false, false, false);
    assert_eq!(found[0].as_ref().unwrap().item(), 2.0);
    assert_eq!(found[1].as_ref().unwrap().item(), 12.0);
    assert_eq!(grad_of(&h), 2.0, "`retain_grad` holds here as well");
    assert!(x.grad().is_none());
}

#[test]
fn what_a_hook_does_is_recorded_under_create_graph() {
    // The hook squares dy/dx = 2x; d/dx (2x)² = 8x.
    let x = Scalar::leaf(3.0);
    x.node().unwrap().register_hook(|g| Some(g * g));
    backward_with(&(&x * &x), 1.0, CREATE);
    let d = x.grad().unwrap();
    x.zero_grad();
    // The outer gradient 8x passes the hook again.
    assert_eq!(derivative(&d, &x, FREE).item(), 24.0 * 24.0);
}
