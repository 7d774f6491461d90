//! What the tests of axis kernels share.

use crate::operand::{COMPARED, Numbers, Operand, indices};
use taper_kernels::{DType, Element, dispatch_dtype};

pub const FLOATS: [DType; 4] = [DType::F16, DType::BF16, DType::F32, DType::F64];

/// A shape of up to four dimensions, now and then with a zero or a longer one.
pub fn shape(rng: &mut Numbers, dims: usize) -> Vec<usize> {
    let (short, long) = if cfg!(miri) { (2, 9) } else { (5, 70) };
    (0..dims)
        .map(|_| match rng.below(12) {
            0 => 0,
            1..=3 => 1 + rng.below(long),
            _ => 1 + rng.below(short),
        })
        .collect()
}

/// Values along `axis` for every other index, row-major in both.
/// None where nothing is compared.
pub fn lines(x: &Operand, axis: usize) -> Vec<Vec<f64>> {
    if !COMPARED {
        return vec![];
    }
    let mut heads = x.layout.shape().to_vec();
    let n = std::mem::replace(&mut heads[axis], 1);
    indices(&heads)
        .map(|mut i| {
            (0..n)
                .map(|k| {
                    i[axis] = k;
                    x.get(&i)
                })
                .collect()
        })
        .collect()
}

/// `v` as a dtype stores it, and the step between the smallest numbers it has.
pub fn rounded(v: f64, dtype: DType) -> (f64, f64) {
    let step = match dtype {
        DType::F16 => 2f64.powi(-24),
        DType::BF16 | DType::F32 => 2f64.powi(-126),
        _ => 0.0,
    };
    (dispatch_dtype!(dtype, T => T::from_f64(v).to_f64()), step)
}

/// An output of random layout, and a check that nothing but its elements was written.
pub fn output(rng: &mut Numbers, shape: &[usize], dtype: DType) -> Operand {
    Operand::random(rng, shape, dtype, false)
}

/// Memory outside of the layout must be as before.
pub fn assert_untouched(before: &Operand, after: &Operand) {
    if !COMPARED {
        return;
    }
    let size = before.dtype.size();
    let mut inside = vec![false; before.bytes().len()];
    for i in indices(before.layout.shape()) {
        let at = before.layout.position(&i) * size;
        inside[at..at + size].fill(true);
    }
    for (k, (a, b)) in before.bytes().iter().zip(after.bytes()).enumerate() {
        assert!(inside[k] || a == b, "byte {k} is outside of {:?} and was written", before.layout);
    }
}

/// `got` is `want` up to `tolerance` (absolute); NaN and infinities alike.
#[track_caller]
pub fn assert_near(got: f64, want: f64, tolerance: f64, what: impl std::fmt::Debug) {
    let same = got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= tolerance;
    assert!(same, "{got} instead of {want} (± {tolerance:e}): {what:?}");
}
