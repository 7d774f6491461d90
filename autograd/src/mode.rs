//! Grad mode: thread-local switches that say whether ops are recorded.

use std::cell::Cell;
use std::marker::PhantomData;

#[derive(Clone, Copy)]
struct Mode {
    grad: bool,
    inference: bool,
    anomaly: bool,
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode { grad: true, inference: false, anomaly: false }) };
}

/// Puts the former mode of this thread back when it is dropped.
#[must_use = "the mode lasts as long as its guard"]
pub struct ModeGuard {
    former: Mode,
    // The mode belongs to the thread that set it.
    not_send: PhantomData<*const ()>,
}

impl Drop for ModeGuard {
    fn drop(&mut self) {
        MODE.set(self.former);
    }
}

fn change(f: impl FnOnce(&mut Mode)) -> ModeGuard {
    let former = MODE.get();
    let mut mode = former;
    f(&mut mode);
    MODE.set(mode);
    ModeGuard { former, not_send: PhantomData }
}

/// Whether ops on this thread are recorded (`torch.is_grad_enabled`).
#[inline]
pub fn is_grad_enabled() -> bool {
    let mode = MODE.get();
    mode.grad && !mode.inference
}

/// Whether this thread is in inference mode (`torch.is_inference_mode_enabled`).
pub fn is_inference_mode_enabled() -> bool {
    MODE.get().inference
}

/// Switches recording on or off until the guard is dropped (`torch.set_grad_enabled`).
pub fn set_grad_enabled(on: bool) -> ModeGuard {
    change(|m| m.grad = on)
}

/// Switches recording off until the guard is dropped (`with torch.no_grad():` as a guard).
pub fn no_grad_guard() -> ModeGuard {
    set_grad_enabled(false)
}

/// Switches recording on until the guard is dropped; inference mode stays stronger.
pub fn enable_grad_guard() -> ModeGuard {
    set_grad_enabled(true)
}

/// Enters inference mode until the guard is dropped: nothing is recorded, and `enable_grad` inside it has no effect.
pub fn inference_mode_guard() -> ModeGuard {
    change(|m| m.inference = true)
}

/// Runs `f` without recording (`torch.no_grad`).
///
/// ```
/// use taper_autograd::{no_grad, scalar::Scalar};
/// let x = Scalar::leaf(2.0);
/// assert!(!no_grad(|| &x * &x).requires_grad());
/// ```
pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
    let _mode = no_grad_guard();
    f()
}

/// Runs `f` with recording on, also inside [`no_grad`] (`torch.enable_grad`).
pub fn enable_grad<R>(f: impl FnOnce() -> R) -> R {
    let _mode = enable_grad_guard();
    f()
}

/// Runs `f` in inference mode (`torch.inference_mode`); see [`inference_mode_guard`].
pub fn inference_mode<R>(f: impl FnOnce() -> R) -> R {
    let _mode = inference_mode_guard();
    f()
}

/// Until the guard is dropped, a backward on this thread fails at the first rule that makes a NaN, and names its op
/// and the line of the forward pass that recorded it (`torch.autograd.set_detect_anomaly`).
pub fn detect_anomaly(on: bool) -> ModeGuard {
    change(|m| m.anomaly = on)
}

/// Whether [`detect_anomaly`] is on for this thread.
pub fn is_anomaly_enabled() -> bool {
    MODE.get().anomaly
}
