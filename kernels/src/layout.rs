//! How a tensor's elements lie in its memory: shape, signed strides, offset.

use smallvec::SmallVec;

/// Sizes, one per dimension. Up to four dimensions need no allocation; room for more would be moved around
/// with every tensor.
pub type Dims = SmallVec<[usize; 4]>;
/// Signed steps in elements, one per dimension.
pub type Strides = SmallVec<[isize; 4]>;

/// Shape, strides (in elements, may be zero or negative) and the offset of the first element.
#[derive(PartialEq, Eq, Debug)]
pub struct Layout {
    shape: Dims,
    strides: Strides,
    offset: usize,
}

/// A copy of a few numbers without a call of memcpy, which takes longer than the copy.
#[inline]
fn short<T: Copy + Default>(from: &[T]) -> SmallVec<[T; 4]> {
    if from.len() > 4 {
        return SmallVec::from_slice(from);
    }
    let mut all = [T::default(); 4];
    for (i, to) in all.iter_mut().enumerate() {
        if let Some(&x) = from.get(i) {
            *to = x;
        }
    }
    SmallVec::from_buf_and_len(all, from.len())
}

/// Sizes as they are kept.
#[inline]
pub fn dims(shape: &[usize]) -> Dims {
    short(shape)
}

impl Clone for Layout {
    #[inline]
    fn clone(&self) -> Self {
        Layout { shape: short(&self.shape), strides: short(&self.strides), offset: self.offset }
    }
}

/// Row-major strides of a shape.
pub fn contiguous_strides(shape: &[usize]) -> Strides {
    let mut strides: Strides = SmallVec::from_elem(1, shape.len());
    let mut step = 1isize;
    for d in (0..shape.len()).rev() {
        strides[d] = step;
        step *= shape[d].max(1) as isize;
    }
    strides
}

/// The shape two shapes broadcast to (NumPy's rule), or `None` where they do not fit.
pub fn broadcast_shapes(a: &[usize], b: &[usize]) -> Option<Dims> {
    if a == b {
        return Some(short(a));
    }
    let n = a.len().max(b.len());
    let at = |s: &[usize], i: usize| if i + s.len() >= n { s[i + s.len() - n] } else { 1 };
    (0..n)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

impl Layout {
    /// A row-major layout at offset 0.
    pub fn contiguous(shape: &[usize]) -> Self {
        Layout { shape: short(shape), strides: contiguous_strides(shape), offset: 0 }
    }

    /// A layout from its parts.
    ///
    /// # Panics
    /// Where shape and strides differ in length.
    pub fn new(shape: impl Into<Dims>, strides: impl Into<Strides>, offset: usize) -> Self {
        let (shape, strides) = (shape.into(), strides.into());
        assert_eq!(shape.len(), strides.len(), "a layout needs one stride per dimension");
        Layout { shape, strides, offset }
    }

    /// Sizes of the dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    /// Steps in elements, one per dimension.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }
    /// Position of the first element in the storage, in elements.
    pub fn offset(&self) -> usize {
        self.offset
    }
    /// Number of dimensions.
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }
    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether two indices may be one element. Also true of some layouts, never made by views, whose
    /// dimensions interleave without meeting.
    pub fn may_overlap(&self) -> bool {
        if self.is_contiguous() {
            return false;
        }
        let mut dims: SmallVec<[(u128, u128); 6]> = self
            .shape
            .iter()
            .zip(&self.strides)
            .filter(|&(&n, _)| n > 1)
            .map(|(&n, &s)| (s.unsigned_abs() as u128, n as u128 - 1))
            .collect();
        dims.sort_unstable();
        let mut reach = 0;
        dims.into_iter().any(|(step, last)| {
            let meets = step <= reach;
            reach += step * last;
            meets
        })
    }

    /// True if the elements lie in row-major order without gaps (dimensions of size 1 do not count).
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1isize;
        for (&n, &s) in self.shape.iter().zip(&self.strides).rev() {
            if n == 0 {
                return true;
            }
            if n != 1 {
                if s != step {
                    return false;
                }
                step *= n as isize;
            }
        }
        true
    }

    /// The half-open range of storage positions that the elements occupy (empty for no elements).
    pub fn span(&self) -> std::ops::Range<usize> {
        if self.numel() == 0 {
            return self.offset..self.offset;
        }
        let (mut lo, mut hi) = (self.offset as isize, self.offset as isize);
        for (&n, &s) in self.shape.iter().zip(&self.strides) {
            let reach = (n as isize - 1) * s;
            if reach < 0 { lo += reach } else { hi += reach }
        }
        debug_assert!(lo >= 0, "layout reaches below its storage");
        lo as usize..hi as usize + 1
    }

    /// Storage position of the element at an index (one entry per dimension).
    pub fn position(&self, index: &[usize]) -> usize {
        let at: isize = index.iter().zip(&self.strides).map(|(&i, &s)| i as isize * s).sum();
        (self.offset as isize + at) as usize
    }

    /// Dimensions reordered: dimension `i` of the result is dimension `dims[i]` of this one.
    pub fn permute(&self, dims: &[usize]) -> Self {
        Layout {
            shape: dims.iter().map(|&d| self.shape[d]).collect(),
            strides: dims.iter().map(|&d| self.strides[d]).collect(),
            offset: self.offset,
        }
    }

    /// Two dimensions swapped.
    pub fn transpose(&self, a: usize, b: usize) -> Self {
        let mut out = self.clone();
        out.shape.swap(a, b);
        out.strides.swap(a, b);
        out
    }

    /// `len` entries of dimension `dim`, from `start`, `step` apart (`step` may be negative).
    pub fn slice(&self, dim: usize, start: usize, len: usize, step: isize) -> Self {
        let mut out = self.clone();
        // Without elements the offset stays where it is, inside the memory.
        if len > 0 && !self.shape.contains(&0) {
            out.offset = (self.offset as isize + start as isize * self.strides[dim]) as usize;
        }
        out.shape[dim] = len;
        out.strides[dim] *= step;
        out
    }

    /// One entry of a dimension; the dimension goes away.
    pub fn select(&self, dim: usize, index: usize) -> Self {
        let mut out = self.slice(dim, index, 1, 1);
        out.shape.remove(dim);
        out.strides.remove(dim);
        out
    }

    /// A new dimension of size 1 before `dim`.
    pub fn unsqueeze(&self, dim: usize) -> Self {
        let mut out = self.clone();
        let stride = if dim < self.ndim() { self.shape[dim] as isize * self.strides[dim] } else { 1 };
        out.shape.insert(dim, 1);
        out.strides.insert(dim, stride);
        out
    }

    /// A dimension of size 1 removed.
    pub fn squeeze(&self, dim: usize) -> Self {
        debug_assert_eq!(self.shape[dim], 1);
        let mut out = self.clone();
        out.shape.remove(dim);
        out.strides.remove(dim);
        out
    }

    /// This layout seen as a larger shape by stride 0, or `None` where the shapes do not fit.
    pub fn broadcast_to(&self, shape: &[usize]) -> Option<Self> {
        if *shape == *self.shape {
            return Some(self.clone());
        }
        let lead = shape.len().checked_sub(self.ndim())?;
        let mut strides: Strides = SmallVec::from_elem(0, shape.len());
        for (d, (&n, &s)) in self.shape.iter().zip(&self.strides).enumerate() {
            match shape[lead + d] {
                m if m == n => strides[lead + d] = s,
                _ if n == 1 => {}
                _ => return None,
            }
        }
        Some(Layout { shape: shape.into(), strides, offset: self.offset })
    }

    /// This layout seen with another shape of as many elements, without moving any; `None` where
    /// that takes a copy.
    pub fn reshape(&self, shape: &[usize]) -> Option<Self> {
        debug_assert_eq!(shape.iter().product::<usize>(), self.numel());
        if self.numel() == 0 || self.is_contiguous() {
            return Some(Layout {
                shape: shape.into(),
                strides: contiguous_strides(shape),
                offset: self.offset,
            });
        }
        // Walk both shapes from the right in groups of equal element counts.
        let old: SmallVec<[(usize, isize); 6]> =
            self.shape.iter().copied().zip(self.strides.iter().copied()).filter(|&(n, _)| n != 1).collect();
        let mut strides: Strides = SmallVec::from_elem(1, shape.len());
        let mut d = shape.len();
        let mut i = old.len();
        while i > 0 {
            i -= 1;
            let (mut have, base) = old[i];
            while i > 0 && old[i - 1].1 == old[i].1 * old[i].0 as isize {
                i -= 1;
                have *= old[i].0;
            }
            let mut made = 1;
            while made < have {
                d = d.checked_sub(1)?;
                strides[d] = base * made as isize;
                made *= shape[d];
            }
            if made != have {
                return None;
            }
        }
        Some(Layout { shape: shape.into(), strides, offset: self.offset })
    }

    /// The same elements in fewer dimensions: sizes of 1 dropped, neighbours that are stepped
    /// through as one merged. The order of elements stays.
    pub fn collapse(&self) -> Self {
        let (shape, [strides]) = collapse(&self.shape, [&self.strides]);
        Layout { shape, strides, offset: self.offset }
    }
}

/// Merges neighbouring dimensions that all operands step through as one; sizes of 1 are dropped.
/// Order of iteration is unchanged.
pub fn collapse<const N: usize>(shape: &[usize], strides: [&[isize]; N]) -> (Dims, [Strides; N]) {
    let mut out_shape = Dims::new();
    let mut out: [Strides; N] = std::array::from_fn(|_| Strides::new());
    for (d, &n) in shape.iter().enumerate() {
        if n == 1 {
            continue;
        }
        let merges = out_shape.last().is_some()
            && (0..N).all(|k| *out[k].last().unwrap() == strides[k][d] * n as isize);
        if merges {
            *out_shape.last_mut().unwrap() *= n;
            (0..N).for_each(|k| *out[k].last_mut().unwrap() = strides[k][d]);
        } else {
            out_shape.push(n);
            (0..N).for_each(|k| out[k].push(strides[k][d]));
        }
    }
    (out_shape, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshape_of_views() {
        let l = Layout::contiguous(&[2, 3, 4]);
        assert_eq!(l.permute(&[1, 0, 2]).reshape(&[3, 8]), None);
        let t = l.permute(&[1, 0, 2]).reshape(&[3, 2, 2, 2]).unwrap();
        assert_eq!(t.strides(), &[4, 12, 2, 1]);
        let s = l.slice(2, 3, 4, -1);
        assert_eq!(s.reshape(&[6, 4]).unwrap().strides(), &[4, -1]);
        assert_eq!(s.reshape(&[24]), None);
        assert_eq!(l.slice(0, 0, 2, 1).select(2, 1).reshape(&[6]).unwrap().strides(), &[4]);
        assert_eq!(
            l.unsqueeze(1).permute(&[2, 0, 1, 3]).reshape(&[3, 1, 2, 4]).unwrap().shape(),
            &[3, 1, 2, 4]
        );
    }

    #[test]
    fn overlaps() {
        let l = Layout::contiguous(&[2, 3, 4]);
        for plain in [l.clone(), l.permute(&[2, 0, 1]), l.slice(2, 3, 2, -2), l.slice(0, 1, 1, 1)] {
            assert!(!plain.may_overlap(), "{plain:?}");
        }
        assert!(l.unsqueeze(0).broadcast_to(&[5, 2, 3, 4]).unwrap().may_overlap());
        assert!(Layout::new(&[4usize, 3][..], &[1isize, 1][..], 0).may_overlap(), "windows");
        assert!(!Layout::new(&[4usize, 3][..], &[1isize, 5][..], 0).may_overlap());
        assert!(Layout::new(&[4usize, 3][..], &[1isize, -3][..], 6).may_overlap());
        assert!(!Layout::new(&[1usize, 3][..], &[0isize, 1][..], 0).may_overlap());
    }

    #[test]
    fn spans_and_broadcast() {
        let l = Layout::contiguous(&[4, 5]).slice(1, 4, 5, -1);
        assert_eq!((l.offset(), l.span()), (4, 0..20));
        let b = Layout::contiguous(&[5]).broadcast_to(&[4, 5]).unwrap();
        assert_eq!((b.strides(), b.span()), (&[0isize, 1][..], 0..5));
        assert_eq!(broadcast_shapes(&[4, 1], &[3]).unwrap().as_slice(), &[4, 3]);
        assert_eq!(broadcast_shapes(&[4, 2], &[3]), None);
        assert_eq!(broadcast_shapes(&[0], &[1]).unwrap().as_slice(), &[0]);
        assert_eq!(Layout::contiguous(&[2, 3, 4]).collapse().shape(), &[24]);
    }
}
