//! Messages of misuse, and the line they point to.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use taper_autograd::scalar::Scalar;
use taper_autograd::{BackwardOptions, Value, backward, backward_all, grad, op, try_backward};

use crate::leaves;
use crate::vector::Vector;

thread_local! {
    static LINE: RefCell<Option<u32>> = const { RefCell::new(None) };
}

/// The message and the line of the panic that `f` ends in.
fn panic_of<R>(f: impl FnOnce() -> R) -> (String, u32) {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let former = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            LINE.set(info.location().filter(|l| l.file() == file!()).map(|l| l.line()));
            former(info);
        }));
    });
    let payload = catch_unwind(AssertUnwindSafe(f)).err().expect("panics");
    let message = payload.downcast_ref::<String>().cloned();
    (message.unwrap_or_else(|| payload.downcast_ref::<&str>().unwrap().to_string()), LINE.take().unwrap_or(0))
}

#[test]
fn twice_through_one_graph() {
    let x = Scalar::leaf(2.0);
    let y = &x * &x;
    let made = line!() - 1;
    y.backward();
    let (message, line) = panic_of(|| y.backward());
    assert_eq!(line, line!() - 1, "the line of the second backward");
    assert_eq!(
        message,
        format!(
            "backward: trying to go backward through the graph a second time, but what `mul` (at {}:{made}:13) saved \
             was freed by the first; pass retain_graph there if you need to do this",
            file!()
        )
    );
}

#[test]
fn a_root_without_grad() {
    let (message, line) = panic_of(|| Scalar::new(1.0).backward());
    assert_eq!(line, line!() - 1);
    assert_eq!(
        message,
        "backward: the value does not require grad and has no grad_fn; none of its inputs requires grad, or it was computed under no_grad"
    );
}

#[test]
fn a_root_that_is_no_scalar() {
    let y = Vector::leaf(&[1.0, 2.0]).mul(&Vector::new(&[3.0]));
    let (message, line) = panic_of(|| backward(&y, None, BackwardOptions::default()));
    assert_eq!(line, line!() - 1);
    assert_eq!(
        message,
        "backward: grad can be implicitly created only for scalar outputs, and this is [2]; reduce it (`.sum()`, \
         `.mean()`) or give a seed gradient"
    );
}

#[test]
fn a_seed_of_the_wrong_shape() {
    let y = Vector::leaf(&[1.0, 2.0]).mul(&Vector::new(&[3.0]));
    let seed = Vector::new(&[1.0, 1.0, 1.0]);
    let (message, _) = panic_of(|| backward(&y, Some(seed), BackwardOptions::default()));
    assert_eq!(message, "backward: the seed gradient of output 0 is [3], but the value it belongs to is [2]");
}

#[test]
fn a_hook_that_returns_the_wrong_shape() {
    let x = Vector::leaf(&[1.0, 2.0]);
    x.node().unwrap().register_hook(|g| Some(g.sum()));
    let error = try_backward(&x.sum(), None, BackwardOptions::default()).unwrap_err().to_string();
    assert!(
        error.contains("what a hook on `leaf`")
            && error.ends_with("is [1], but the value it belongs to is [2]")
    );
}

#[test]
fn seeds_that_are_too_few() {
    let x = Scalar::leaf(1.0);
    let (message, _) = panic_of(|| backward_all(&[&x * 1.0, &x * 2.0], &[None], BackwardOptions::default()));
    assert_eq!(message, "backward: 1 seed gradients for 2 outputs");
}

#[test]
fn grad_of_something_unused_or_untracked() {
    let [a, b] = leaves([1.0, 2.0]);
    let y = &a * 2.0;
    let (message, line) = panic_of(|| grad(&[&y * 1.0], &[a.clone(), b.clone()], None, true, false, false));
    assert_eq!(line, line!() - 1);
    assert_eq!(
        message,
        "grad: input 1 appears to not have been used in the graph; set allow_unused if this is the desired behavior"
    );
    let (message, _) = panic_of(|| grad(&[y], &[Scalar::new(1.0)], None, false, false, true));
    assert_eq!(message, "grad: input 0 does not require grad; the outputs cannot be differentiated in it");
}

#[test]
fn an_op_without_a_rule() {
    #[track_caller]
    fn round(x: &Scalar) -> Scalar {
        op("round", Scalar::new(x.item().round())).no_rule(x).done()
    }
    let x = Scalar::leaf(1.2);
    let (message, line) = panic_of(|| round(&x));
    assert_eq!(line, line!() - 1);
    assert_eq!(
        message,
        "`round` has no derivative, but its input (f64) requires grad; detach the input or use no_grad"
    );
    assert_eq!(round(&x.detach()).item(), 1.0);
    assert_eq!(taper_autograd::no_grad(|| round(&x)).item(), 1.0);
}
