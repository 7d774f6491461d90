//! What the tape costs: chains of operations on single numbers.

mod common;

use common::Work;
use taper::autograd::grad;
use taper::tensor;

fn main() {
    common::run("autograd", |f| {
        // Forward and backward: a recorded operation and its rule.
        f.bench("ag_chain1000_add1", Work::Items(1000), || {
            let x = tensor([0.5]).requires_grad_(true);
            move || {
                x.zero_grad();
                let y = (0..1000).fold(x.clone(), |y, _| y + &x);
                y.backward();
            }
        });
        f.bench("ag_chain1000_add1_unrecorded", Work::Items(1000), || {
            let x = tensor([0.5]);
            move || (0..1000).fold(x.clone(), |y, _| y + &x)
        });
        // The second derivative: the rules of the first are recorded themselves.
        f.bench("ag_chain100_mul_second", Work::Items(100), || {
            let x = [tensor([1.001]).requires_grad_(true)];
            move || {
                let y = (0..100).fold(x[0].clone(), |y, _| y * &x[0]);
                let first = grad(&[y], &x, None, false, true, false).remove(0).expect("y depends on x");
                grad(&[first], &x, None, false, false, false)
            }
        });
    });
}
