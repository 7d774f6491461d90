//! One check: the same computation on the CPU and on the device, and how far apart the results are.

use std::panic::{AssertUnwindSafe, catch_unwind};
use taper::prelude::*;

/// A computation's results, each with a name: its value, the gradients of what it was given.
pub type Results = Vec<(String, Tensor)>;

/// How a check ended.
pub struct Check {
    pub group: &'static str,
    pub name: String,
    /// The largest error in shares of what is allowed, or what went wrong.
    pub outcome: Result<f64, String>,
}

impl Check {
    pub fn passed(&self) -> bool {
        self.outcome.is_ok()
    }
}

/// Runs a computation on both and compares all results. A panic of either is a failure with its message.
pub fn check(
    group: &'static str,
    name: String,
    device: Device,
    loose: f64,
    run: impl Fn(Device) -> Results,
) -> Check {
    let outcome = caught(|| run(Device::Cpu).into_iter().map(|(n, t)| (n, Numbers::of(&t))).collect())
        .map_err(|e| format!("on the CPU: {e}"))
        .and_then(|right: Vec<(String, Numbers)>| {
            let found: Vec<(String, Numbers)> =
                caught(|| run(device).into_iter().map(|(n, t)| (n, Numbers::of(&t))).collect())?;
            compare(&right, &found, loose)
        });
    Check { group, name, outcome }
}

/// The message of a panic as an error.
pub fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_string()
    })
}

/// A tensor on the host.
struct Numbers {
    dtype: DType,
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Numbers {
    fn of(t: &Tensor) -> Numbers {
        let t = t.detach().to_device(Device::Cpu);
        Numbers { dtype: t.dtype(), shape: t.shape().to_vec(), values: t.to_vec() }
    }
}

/// The largest error allowed, in shares of a tensor's largest element: sums in another order, and functions
/// that are right but for a few units in the last place. Integers have none.
fn allowed(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 256.0 * f64::EPSILON,
        DType::F32 => 64.0 * f32::EPSILON as f64,
        // Every step of a function that is made of several rounds here.
        DType::F16 => 8.0 / 1024.0,
        DType::BF16 => 8.0 / 128.0,
        _ => 0.0,
    }
}

fn compare(right: &[(String, Numbers)], found: &[(String, Numbers)], loose: f64) -> Result<f64, String> {
    if right.len() != found.len() {
        return Err(format!("{} results instead of {}", found.len(), right.len()));
    }
    let mut worst: f64 = 0.0;
    for ((name, a), (_, b)) in right.iter().zip(found) {
        if (a.dtype, &a.shape) != (b.dtype, &b.shape) {
            let text = |n: &Numbers| format!("{} {:?}", n.dtype, n.shape);
            return Err(format!("{name}: {} instead of {}", text(b), text(a)));
        }
        let finite = a.values.iter().filter(|v| v.is_finite());
        let scale = finite.fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
        let limit = allowed(a.dtype) * loose;
        for (i, (&x, &y)) in a.values.iter().zip(&b.values).enumerate() {
            if x == y || x.is_nan() && y.is_nan() {
                continue;
            }
            let error = (x - y).abs() / scale;
            if error.is_nan() || error > limit {
                return Err(format!("{name}, element {i}: {y:e} instead of {x:e}"));
            }
            worst = worst.max(error / limit);
        }
    }
    Ok(worst)
}
