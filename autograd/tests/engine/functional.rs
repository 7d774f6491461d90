//! `grad`: gradients as return values.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use taper_autograd::scalar::Scalar;
use taper_autograd::{grad, op};

use crate::{CREATE, FREE, derivative, grad_of, leaves};

/// The identity, counting how often its rule runs.
fn counted(x: &Scalar, count: &Arc<AtomicUsize>) -> Scalar {
    op("counted", x.detach())
        .wrt(x, || {
            let count = count.clone();
            move |g| {
                count.fetch_add(1, Relaxed);
                g.clone()
            }
        })
        .done()
}

#[test]
fn leaves_are_not_touched() {
    let [a, b] = leaves([2.0, 5.0]);
    let y = &a * &b;
    let grads = grad(&[y], &[b.clone(), a.clone()], None, false, false, false);
    assert_eq!(grads.map_items(), [2.0, 5.0]);
    assert!(a.grad().is_none() && b.grad().is_none());
}

trait Items {
    fn map_items(self) -> Vec<f64>;
}

impl Items for Vec<Option<Scalar>> {
    fn map_items(self) -> Vec<f64> {
        self.into_iter().map(|g| g.unwrap().item()).collect()
    }
}

#[test]
fn inputs_may_stand_anywhere() {
    let x = Scalar::leaf(2.0);
    let h = &x * &x;
    let y = &h * &h;
    let both = grad(
        std::slice::from_ref(&y),
        &[h.clone(), x.clone(), y.clone(), h.clone()],
        None,
        false,
        false,
        false,
    );
    assert_eq!(both.map_items(), [8.0, 32.0, 1.0, 8.0]);
}

#[test]
fn only_rules_on_the_way_run() {
    let [a, b] = leaves([2.0, 5.0]);
    let (on_a, on_b, below) = (Arc::default(), Arc::default(), Arc::default());
    let deep = counted(&a, &below);
    let y = counted(&deep, &on_a) * counted(&b, &on_b);
    derivative(&y, &deep, FREE);
    assert_eq!((on_a.load(Relaxed), on_b.load(Relaxed), below.load(Relaxed)), (1, 0, 0));
    // What was not walked is not freed either.
    deep.backward();
    assert_eq!(grad_of(&a), 1.0);
}

#[test]
fn a_freed_part_elsewhere_is_no_obstacle() {
    let [a, b] = leaves([2.0, 5.0]);
    let used = &a * &a;
    used.backward();
    let y = &used * &(&b * &b);
    assert_eq!(derivative(&y, &b, FREE).item(), 40.0);
}

#[test]
fn unused_inputs() {
    let [a, b] = leaves([2.0, 5.0]);
    let y = &a * 3.0;
    let grads = grad(&[y], &[a.clone(), b.clone()], None, true, false, true);
    assert_eq!(grads[0].as_ref().unwrap().item(), 3.0);
    assert!(grads[1].is_none());
    // Without the ticket it is an error; see `errors`.
}

#[test]
fn several_outputs_with_seeds() {
    let x = Scalar::leaf(3.0);
    let seeds = [Scalar::new(2.0), Scalar::new(-1.0)];
    let grads = grad(&[&x * &x, &x * 4.0], std::slice::from_ref(&x), Some(&seeds), false, false, false);
    assert_eq!(grads.map_items(), [2.0 * 6.0 - 4.0]);
}

#[test]
fn second_derivative_of_saved_outputs() {
    // tanh'' = -2 tanh (1 - tanh²); exp and sigmoid keep their outputs too.
    let x = Scalar::leaf(0.7);
    let second = |y: Scalar| {
        let d1 = derivative(&y, &x, CREATE);
        derivative(&d1, &x, FREE).item()
    };
    let t = 0.7_f64.tanh();
    assert!((second(x.tanh()) + 2.0 * t * (1.0 - t * t)).abs() < 1e-15);
    assert!((second(x.exp()) - 0.7_f64.exp()).abs() < 1e-15);
    let s = 1.0 / (1.0 + (-0.7_f64).exp());
    assert!((second(x.sigmoid()) - s * (1.0 - s) * (1.0 - 2.0 * s)).abs() < 1e-15);
}

#[test]
fn gradient_penalty_reaches_the_leaves() {
    // loss = (dy/dx)², y = w x²: dloss/dw = 2 (2 w x) 2x.
    let [w, x] = leaves([3.0, 2.0]);
    let y = &w * &(&x * &x);
    let d = derivative(&y, &x, CREATE);
    (&d * &d).backward();
    assert_eq!(grad_of(&w), 2.0 * 12.0 * 4.0);
}

#[test]
fn create_graph_leaves_no_circle_behind() {
    let x = Scalar::leaf(0.3);
    let y = x.tanh();
    let node = Arc::downgrade(taper_autograd::Value::node(&y).unwrap());
    let d = derivative(&y, &x, CREATE);
    let dd = derivative(&d, &x, CREATE);
    drop((y, d, dd));
    assert!(node.upgrade().is_none());
}
