//! Values and graphs cross threads.

use taper_autograd::scalar::Scalar;
use taper_autograd::{Node, Op, Value};

use crate::{RETAIN, backward_with, derivative, grad_of};

const ROUNDS: usize = if cfg!(miri) { 5 } else { 300 };

#[test]
fn everything_is_send_and_sync() {
    fn check<T: Send + Sync>() {}
    check::<Scalar>();
    check::<Node<Scalar>>();
    fn send<T: Send>() {}
    send::<Op<Scalar>>();
}

#[test]
fn a_graph_made_here_goes_backward_there() {
    let x = Scalar::leaf(3.0);
    let y = &x * &x;
    std::thread::spawn(move || y.backward()).join().unwrap();
    assert_eq!(grad_of(&x), 6.0);
}

#[test]
fn many_threads_share_a_leaf() {
    let x = Scalar::leaf(1.0);
    std::thread::scope(|s| {
        for k in 1..=4 {
            let x = &x;
            s.spawn(move || (0..ROUNDS).for_each(|_| (x * f64::from(k)).backward()));
        }
    });
    assert_eq!(grad_of(&x), (10 * ROUNDS) as f64, "no contribution is lost");
}

#[test]
fn many_threads_walk_one_kept_graph() {
    let x = Scalar::leaf(2.0);
    let y = (&x * &x).tanh().exp();
    let expected = derivative(&y, &x, RETAIN).item();
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| (0..ROUNDS).for_each(|_| backward_with(&y, 1.0, RETAIN)));
        }
    });
    let total = grad_of(&x);
    assert!((total / (4 * ROUNDS) as f64 - expected).abs() < 1e-12);
}

#[test]
fn a_graph_dies_on_several_threads_at_once() {
    let x = Scalar::leaf(1.0);
    for _ in 0..ROUNDS / 5 {
        let trunk = (0..50).fold(x.clone(), |y, _| &y * &x);
        let ends: Vec<Scalar> = (0..4).map(|_| &trunk * 2.0).collect();
        drop(trunk);
        std::thread::scope(|s| ends.into_iter().for_each(|y| drop(s.spawn(move || drop(y)))));
    }
    assert_eq!(std::sync::Arc::strong_count(x.node().unwrap()), 1);
}
