//! Elements against elements.

use taper_tensor::{DType, Tensor};

/// How far apart equal numbers may be.
#[derive(Clone, Copy)]
pub struct Tolerance {
    pub relative: f64,
    pub absolute: f64,
}

impl Tolerance {
    fn exact(self) -> bool {
        self.relative == 0.0 && self.absolute == 0.0
    }

    /// Whether two numbers are equal: NaN equals NaN; without a tolerance, 0 is not −0.
    pub fn allows(self, a: f64, b: f64) -> bool {
        if a.is_nan() || b.is_nan() {
            return a.is_nan() && b.is_nan();
        }
        if self.exact() {
            return a.to_bits() == b.to_bits();
        }
        let away = (a - b).abs();
        a == b || (away.is_finite() && b.is_finite() && away <= self.absolute + self.relative * b.abs())
    }
}

/// How elements differ.
#[derive(Debug, PartialEq)]
pub struct Elements {
    /// So many differ…
    pub count: u64,
    /// … of so many.
    pub of: u64,
    pub max_abs: f64,
    pub max_abs_at: Vec<usize>,
    /// Of the larger of the two.
    pub max_rel: f64,
    /// Floating-point numbers from one to the other; floats of one dtype only.
    pub max_ulp: Option<u64>,
    /// Where one is NaN and the other is not.
    pub nan: u64,
}

/// Elements read at a time.
const PIECE: usize = 1 << 16;

/// Compares two tensors of one shape; none where they are equal.
pub fn elements(a: &Tensor, b: &Tensor, tolerance: Tolerance) -> Option<Elements> {
    let flat = |t: &Tensor| t.detach().reshape([t.numel()]);
    let (fa, fb) = (flat(a), flat(b));
    if a.dtype() == b.dtype() && fa.with_bytes(|x| fb.with_bytes(|y| x == y)) {
        return None;
    }
    let mut found = Found::default();
    for start in (0..fa.numel()).step_by(PIECE) {
        let length = PIECE.min(fa.numel() - start);
        let piece = |t: &Tensor| t.narrow(0, start as isize, length);
        let (pa, pb) = (piece(&fa), piece(&fb));
        found.start = start;
        if pa.dtype().is_float() || pb.dtype().is_float() {
            let bits = (pa.dtype() == pb.dtype()).then(|| (bits(&pa), bits(&pb)));
            found.floats(&pa.to_vec(), &pb.to_vec(), bits, tolerance);
        } else {
            found.ints(&pa.to_vec(), &pb.to_vec(), tolerance);
        }
    }
    (found.count > 0).then(|| Elements {
        count: found.count,
        of: fa.numel() as u64,
        max_abs: found.max_abs,
        max_abs_at: unravel(found.place.unwrap_or(0), a.shape()),
        max_rel: found.max_rel,
        max_ulp: (a.dtype() == b.dtype() && a.dtype().is_float()).then_some(found.max_ulp),
        nan: found.nan,
    })
}

#[derive(Default)]
struct Found {
    count: u64,
    /// Place of the piece's first element.
    start: usize,
    max_abs: f64,
    /// Of the largest difference.
    place: Option<usize>,
    max_rel: f64,
    max_ulp: u64,
    nan: u64,
}

impl Found {
    fn floats(&mut self, a: &[f64], b: &[f64], bits: Option<(Vec<i64>, Vec<i64>)>, tolerance: Tolerance) {
        for (i, (&x, &y)) in a.iter().zip(b).enumerate() {
            // Without a common dtype there are no bits to compare, and 0 is −0.
            if tolerance.allows(x, y) || (bits.is_none() && x == y) {
                continue;
            }
            self.count += 1;
            if x.is_nan() || y.is_nan() {
                self.nan += 1;
                continue;
            }
            self.away(i, (x - y).abs(), x.abs().max(y.abs()));
            if let Some((bx, by)) = &bits {
                self.max_ulp = self.max_ulp.max(bx[i].abs_diff(by[i]));
            }
        }
    }

    fn ints(&mut self, a: &[i64], b: &[i64], tolerance: Tolerance) {
        for (i, (&x, &y)) in a.iter().zip(b).enumerate() {
            if x != y && (tolerance.exact() || !tolerance.allows(x as f64, y as f64)) {
                self.count += 1;
                self.away(i, x.abs_diff(y) as f64, x.unsigned_abs().max(y.unsigned_abs()) as f64);
            }
        }
    }

    fn away(&mut self, place: usize, by: f64, larger: f64) {
        if by > self.max_abs || self.place.is_none() {
            (self.max_abs, self.place) = (by, Some(self.start + place));
        }
        if larger > 0.0 {
            self.max_rel = self.max_rel.max(if larger.is_infinite() { f64::INFINITY } else { by / larger });
        }
    }
}

/// Floats numbered in their order, so that neighbours differ by 1; 0 and −0 by 1, too.
fn bits(t: &Tensor) -> Vec<i64> {
    let signed =
        |magnitude: u64, negative: bool| if negative { !(magnitude as i64) } else { magnitude as i64 };
    t.with_bytes(|bytes| match t.dtype() {
        DType::F64 => {
            let (chunks, _) = bytes.as_chunks();
            chunks.iter().map(|&c| u64::from_le_bytes(c)).map(|u| signed(u << 1 >> 1, u >> 63 == 1)).collect()
        }
        DType::F32 => {
            let (chunks, _) = bytes.as_chunks();
            chunks
                .iter()
                .map(|&c| u32::from_le_bytes(c))
                .map(|u| signed((u << 1 >> 1) as u64, u >> 31 == 1))
                .collect()
        }
        _ => {
            let (chunks, _) = bytes.as_chunks();
            chunks
                .iter()
                .map(|&c| u16::from_le_bytes(c))
                .map(|u| signed((u & 0x7fff) as u64, u >> 15 == 1))
                .collect()
        }
    })
}

/// The index of an element by its place in row-major order.
fn unravel(mut place: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        (*i, place) = (place % n, place / n);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_tensor::tensor;

    const EXACT: Tolerance = Tolerance { relative: 0.0, absolute: 0.0 };

    #[test]
    fn neighbours_are_one_apart() {
        for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
            let one = tensor([1.0, 0.0, -1.0]).to_dtype(dtype);
            let size = dtype.size();
            let mut bytes = one.to_bytes();
            // The next away from 0 of 1 and −1, and −0.
            bytes[0] += 1;
            bytes[2 * size - 1] |= 0x80;
            bytes[2 * size] += 1;
            let next = Tensor::try_from_bytes(&bytes, [3], dtype).unwrap();
            let found = elements(&one, &next, EXACT).unwrap();
            assert_eq!((found.count, found.of, found.max_ulp, found.nan), (3, 3, Some(1), 0), "{dtype}");
            assert_eq!(found.max_abs_at, [0]);
        }
    }

    #[test]
    fn not_numbers() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        let a = tensor([nan, nan, inf, inf, 1.0]);
        assert_eq!(elements(&a, &a, EXACT), None);
        // NaN of other bits, with an ordinary difference beside it that a tolerance takes away.
        let b = tensor([-nan, nan, inf, inf, 1.0 + 1e-6]);
        let loose = Tolerance { relative: 1e-5, absolute: 0.0 };
        assert_eq!(elements(&a, &b, loose), None);
        assert_eq!(elements(&a, &b, EXACT).unwrap().count, 1);
        let c = tensor([0.0, nan, -inf, 3.0, 1.0]);
        let found = elements(&a, &c, loose).unwrap();
        assert_eq!((found.count, found.nan, found.max_abs, found.max_rel), (3, 1, inf, inf));
        assert_eq!(found.max_abs_at, [2]);
    }

    #[test]
    fn integers_are_compared_as_integers() {
        let big = tensor([i64::MAX, 0]);
        let found = elements(&big, &tensor([i64::MAX - 1, 0]), EXACT).unwrap();
        assert_eq!((found.count, found.max_abs, found.max_ulp), (1, 1.0, None));
        let far = elements(&big, &tensor([i64::MIN, 0]), EXACT).unwrap();
        assert_eq!(far.max_abs, u64::MAX as f64);
    }

    #[test]
    fn places_are_found_in_later_pieces() {
        let a = Tensor::zeros([300, 500]);
        let mut b = a.clone();
        b.set((7, 3), 1.0).set((299, 498), 2.0);
        let found = elements(&a, &b, EXACT).unwrap();
        assert_eq!((found.count, found.max_abs, found.max_abs_at), (2, 2.0, vec![299, 498]));
    }

    #[test]
    fn numbers_of_two_dtypes() {
        let a = tensor([0.5, -0.0, 3.0]);
        assert_eq!(elements(&a, &a.to_dtype(DType::BF16), EXACT), None);
        let found = elements(&a, &a.to_dtype(DType::I64), EXACT).unwrap();
        assert_eq!((found.count, found.max_abs, found.max_ulp), (1, 0.5, None));
    }
}
