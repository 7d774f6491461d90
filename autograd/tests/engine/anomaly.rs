//! Anomaly detection.

use taper_autograd::scalar::Scalar;
use taper_autograd::{BackwardOptions, detect_anomaly, is_anomaly_enabled, try_backward};

#[test]
fn names_the_op_that_made_the_first_nan() {
    let x = Scalar::leaf(0.0);
    let root = x.powf(0.5);
    let line = line!() - 1;
    let y = &root * 0.0; // the gradient 0 meets the slope ∞
    let guard = detect_anomaly(true);
    let error = try_backward(&y, None, BackwardOptions::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "backward of `powf` (at {}:{line}:18): the gradient of its tracked input 0 has NaN values",
            file!()
        )
    );
    drop(guard);
    assert!(!is_anomaly_enabled());
    (&x.powf(0.5) * 0.0).backward();
    assert!(x.grad().unwrap().item().is_nan());
}
