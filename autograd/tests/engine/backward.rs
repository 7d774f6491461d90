//! What a backward computes and where it leaves it.

use std::sync::{Arc, Mutex};

use taper_autograd::scalar::Scalar;
use taper_autograd::{BackwardOptions, Value, backward, backward_all};

use crate::vector::Vector;
use crate::{CREATE, RETAIN, backward_with, grad_of, leaves};

#[test]
fn product_and_quotient() {
    let [a, b] = leaves([3.0, 4.0]);
    let y = &a * &b + &a / &b - &b;
    y.backward();
    assert_eq!(grad_of(&a), 4.0 + 0.25);
    assert_eq!(grad_of(&b), 3.0 - 3.0 / 16.0 - 1.0);
}

#[test]
fn an_input_used_twice_counts_twice() {
    let x = Scalar::leaf(3.0);
    (&x * &x).backward();
    assert_eq!(grad_of(&x), 6.0);
}

#[test]
fn every_path_of_a_diamond_is_complete_before_it_joins() {
    let x = Scalar::leaf(0.5);
    let a = &x * 2.0;
    let b = a.exp();
    let c = &a * &b;
    (&c + &b * &x).backward();
    let (x0, e) = (0.5, 1.0_f64.exp());
    let exact = (2.0 * e + 2.0 * x0 * 2.0 * e) + (2.0 * e * x0 + e);
    assert!((grad_of(&x) - exact).abs() < 1e-12);
}

#[test]
fn gradients_accumulate_until_zeroed() {
    let x = Scalar::leaf(2.0);
    (&x * 3.0).backward();
    (&x * 4.0).backward();
    assert_eq!(grad_of(&x), 7.0);
    x.zero_grad();
    assert!(x.grad().is_none());
    (&x * 5.0).backward();
    assert_eq!(grad_of(&x), 5.0);
}

#[test]
fn a_seed_scales_and_a_leaf_can_be_the_root() {
    let x = Scalar::leaf(2.0);
    backward_with(&(&x * &x), 10.0, BackwardOptions::default());
    assert_eq!(grad_of(&x), 40.0);
    let leaf = Scalar::leaf(1.0);
    leaf.backward();
    assert_eq!(grad_of(&leaf), 1.0);
}

#[test]
fn several_roots_share_one_walk() {
    let x = Scalar::leaf(2.0);
    let shared = &x * &x;
    let roots = [&shared * 3.0, shared.exp(), shared.clone()];
    backward_all(&roots, &[None, Some(Scalar::new(0.0)), Some(Scalar::new(1.0))], BackwardOptions::default());
    assert_eq!(grad_of(&x), 3.0 * 4.0 + 4.0);
}

#[test]
fn retain_graph_allows_another_backward() {
    let x = Scalar::leaf(3.0);
    let y = &x * &x;
    backward(&y, None, RETAIN);
    backward(&y, None, RETAIN);
    y.backward();
    assert_eq!(grad_of(&x), 18.0);
}

#[test]
fn detach_cuts() {
    let x = Scalar::leaf(3.0);
    let y = &x * &x;
    (&y.detach() * &x).backward();
    assert_eq!(grad_of(&x), 9.0);
    assert!(!y.detach().requires_grad());
}

#[test]
fn constants_are_not_recorded() {
    let y = Scalar::new(2.0).exp() * Scalar::new(3.0);
    assert!(!y.requires_grad());
}

#[test]
fn broadcasting_is_undone_by_the_engine() {
    let w = Vector::leaf(&[2.0]);
    let x = Vector::leaf(&[1.0, 2.0, 3.0]);
    w.mul(&x).sum().with_seed(1.0);
    assert_eq!(w.grad().unwrap(), [6.0]);
    assert_eq!(x.grad().unwrap(), [2.0, 2.0, 2.0]);
}

impl Vector {
    fn with_seed(self, seed: f64) {
        backward(&self, Some(Vector::new(&[seed])), BackwardOptions::default());
    }
}

#[test]
fn gradients_of_leaves_are_off_the_tape() {
    let x = Scalar::leaf(2.0);
    // The seed is on a tape of its own, and the rule of `mul` hands out saved values that are on this one.
    let seed = Scalar::leaf(1.0) * 1.0;
    backward(&(&x * &x), Some(seed), BackwardOptions::default());
    assert!(!x.grad().unwrap().requires_grad());
}

#[test]
fn accumulating_reuses_nothing_that_someone_holds() {
    let x = Vector::leaf(&[1.0, 1.0]);
    let node = x.node().unwrap();
    x.mul(&Vector::new(&[2.0, 3.0])).sum().with_seed(1.0);
    let held = node.grad().unwrap();
    x.mul(&Vector::new(&[2.0, 3.0])).sum().with_seed(1.0);
    assert_eq!(*held.data, [2.0, 3.0]);
    assert_eq!(x.grad().unwrap(), [4.0, 6.0]);
}

#[test]
fn higher_derivatives_through_leaves() {
    // d/dx x⁴ and on: 4x³, 12x², 24x, 24.
    let x = Scalar::leaf(2.0);
    let mut y = &(&x * &x) * &(&x * &x);
    for expected in [32.0, 48.0, 48.0, 24.0] {
        backward(&y, None, CREATE);
        y = x.grad().unwrap();
        assert_eq!(y.item(), expected);
        x.zero_grad();
    }
}

#[test]
fn saved_values_die_as_the_walk_goes() {
    let x = Vector::leaf(&[1.0, 2.0]);
    let first = x.mul(&Vector::new(&[3.0, 4.0]));
    let second = Vector::new(&[5.0, 6.0]);
    let second_data = Arc::downgrade(&second.data);
    let loss = first.mul(&second).sum();
    drop(second);
    assert!(second_data.upgrade().is_some(), "saved for the way back");
    let seen = Arc::new(Mutex::new(None));
    first.node().unwrap().register_hook({
        let seen = seen.clone();
        let data = second_data.clone();
        move |_| {
            *seen.lock().unwrap() = Some(data.upgrade().is_some());
            None
        }
    });
    loss.with_seed(1.0);
    assert_eq!(*seen.lock().unwrap(), Some(false), "gone while the walk is at the next op");
}

#[test]
fn a_frozen_input_saves_nothing() {
    let frozen = Vector::new(&[1.0, 2.0]);
    let x = Vector::leaf(&[3.0, 4.0]);
    let data = Arc::downgrade(&x.data);
    let y = frozen.mul(&x);
    drop(x);
    assert!(data.upgrade().is_none(), "only the gradient of `frozen` would have needed it");
    y.sum().with_seed(1.0);
}

#[test]
fn dropping_the_loss_frees_the_graph() {
    let x = Scalar::leaf(1.0);
    let y = x.exp();
    let node = Arc::downgrade(y.node().unwrap());
    let loss = &y * &y;
    drop(y);
    assert!(node.upgrade().is_some());
    drop(loss);
    assert!(node.upgrade().is_none(), "`exp` keeps its own output, but no circle");
}
