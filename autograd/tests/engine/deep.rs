//! Long chains: neither backward nor drop recurses. A stack of 128 KiB would not carry ten thousand frames.

use std::sync::Arc;

use taper_autograd::scalar::Scalar;
use taper_autograd::{Value, op};

use crate::{CREATE, FREE, derivative, grad_of};

const LENGTH: usize = if cfg!(miri) { 100 } else { 1_000_000 };

fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(128 << 10).spawn(f).unwrap().join().unwrap();
}

#[test]
fn a_long_chain_goes_backward_and_drops() {
    on_a_small_stack(|| {
        let x = Scalar::leaf(1.0);
        let y = (0..LENGTH).fold(x.clone(), |y, _| &y + &x);
        y.backward();
        assert_eq!(grad_of(&x), (LENGTH + 1) as f64);
        let nodes = Arc::strong_count(x.node().unwrap());
        assert!(nodes > LENGTH);
        drop(y);
        assert_eq!(Arc::strong_count(x.node().unwrap()), 1, "all of it is gone");
    });
}

#[test]
fn a_chain_that_saved_its_values_drops_unwalked() {
    on_a_small_stack(|| {
        let x = Scalar::leaf(1.0);
        let y = (0..LENGTH).fold(x.clone(), |y, _| (&y * &x).tanh());
        drop(y);
        assert_eq!(Arc::strong_count(x.node().unwrap()), 1);
    });
}

#[test]
fn a_chain_held_by_closures_alone_drops() {
    // Each op's rule owns a value that is no input of the op.
    on_a_small_stack(|| {
        let x = Scalar::leaf(1.0);
        let y = (0..LENGTH)
            .fold(x.clone(), |y, _| op("holder", Scalar::new(1.0)).wrt(&x, || move |g| g * &y).done());
        drop(y);
        assert_eq!(Arc::strong_count(x.node().unwrap()), 1);
    });
}

#[test]
fn a_chain_held_by_kept_gradients_drops() {
    on_a_small_stack(|| {
        let (x, one) = (Scalar::leaf(1.0), Scalar::new(1.0));
        let y = (0..LENGTH).fold(x.clone(), |y, _| {
            let z = &x * &one;
            z.node().unwrap().set_grad(Some(y));
            z
        });
        drop(y);
        assert_eq!(Arc::strong_count(x.node().unwrap()), 1);
    });
}

#[test]
fn a_recorded_backward_of_a_long_chain() {
    on_a_small_stack(|| {
        let x = Scalar::leaf(1.0);
        let y = (0..LENGTH / 10).fold(x.clone(), |y, _| &y * &x);
        let d = derivative(&y, &x, CREATE);
        let n = (LENGTH / 10) as f64;
        assert_eq!(d.item(), n + 1.0);
        let dd = derivative(&d, &x, FREE);
        assert_eq!(dd.item(), (n + 1.0) * n);
    });
}
