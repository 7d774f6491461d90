//! The order in which float sums are added: PyTorch's, to the last bit.
//!
//! Rows (of vectors or single numbers) are added in a cascade of four levels: `2^p` rows into level 0,
//! `2^p` of those sums into level 1, and so on, with `p = max(4, ⌈log2 rows⌉ / 4)`; at the end
//! `((l0 + l1) + l2) + l3`. That is exact enough (error grows with the logarithm), fast (four
//! independent accumulators), and cuts at multiples of `2^3p` rows without changing a bit: each
//! block's level 2 is added to level 3 in order.

use crate::cpu::par::{SharedMut, for_each_range};
use crate::cpu::real::{Real, V};
use crate::cpu::simd::{Simd, SimdBase};
use crate::cpu::stream::{LINE, prefetch};
use crate::simd;
use fearless_simd::SimdFrom;
use std::ops::Range;

/// What is added at once, on every machine alike.
pub trait Lanes<S, T>: Copy {
    const LEN: usize;
    fn zero(s: S) -> Self;
    /// # Safety
    /// `LEN` elements can be read at `p`.
    unsafe fn load(s: S, p: *const T) -> Self;
    fn add(self, other: Self) -> Self;
    fn store(self, to: &mut [T]);
}

/// One number.
#[derive(Clone, Copy)]
pub struct One<T>(pub T);
impl<S: Simd, T: Real> Lanes<S, T> for One<T> {
    const LEN: usize = 1;
    #[inline(always)]
    fn zero(_: S) -> Self {
        One(T::default())
    }
    #[inline(always)]
    unsafe fn load(_: S, p: *const T) -> Self {
        // SAFETY: readable by the caller's promise.
        One(unsafe { *p })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        One(self.0 + other.0)
    }
    #[inline(always)]
    fn store(self, to: &mut [T]) {
        to[0] = self.0;
    }
}

/// A vector of 256 bits.
#[derive(Clone, Copy)]
pub struct Many<S: Simd, T: Real>(pub T::Wide<S>);
impl<S: Simd, T: Real> Lanes<S, T> for Many<S, T> {
    const LEN: usize = T::WIDE;
    #[inline(always)]
    fn zero(s: S) -> Self {
        Many(T::Wide::<S>::simd_from(s, T::default()))
    }
    #[inline(always)]
    unsafe fn load(s: S, p: *const T) -> Self {
        // SAFETY: readable by the caller's promise.
        Many(T::Wide::<S>::from_slice(s, unsafe { std::slice::from_raw_parts(p, T::WIDE) }))
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Many(self.0 + other.0)
    }
    #[inline(always)]
    fn store(self, to: &mut [T]) {
        self.0.store_slice(to);
    }
}

/// A vector of the machine, for sums of which each lane is one.
#[derive(Clone, Copy)]
pub struct Native<S: Simd, T: Real>(V<S, T>);
impl<S: Simd, T: Real> Lanes<S, T> for Native<S, T> {
    const LEN: usize = V::<S, T>::LEN;
    #[inline(always)]
    fn zero(s: S) -> Self {
        Native(V::<S, T>::simd_from(s, T::default()))
    }
    #[inline(always)]
    unsafe fn load(s: S, p: *const T) -> Self {
        // SAFETY: readable by the caller's promise.
        Native(V::<S, T>::from_slice(s, unsafe { std::slice::from_raw_parts(p, V::<S, T>::LEN) }))
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Native(self.0 + other.0)
    }
    #[inline(always)]
    fn store(self, to: &mut [T]) {
        self.0.store_slice(to);
    }
}

/// `p` of a cascade over so many rows.
#[inline(always)]
pub fn level_power(rows: usize) -> u32 {
    let log2 = if rows > 1 { (rows - 1).ilog2() + 1 } else { 0 };
    (log2 / 4).max(4)
}

/// Four accumulators side by side: accumulator `k` adds the rows at `p + k·col`, `row` apart.
/// Returns the four levels' states.
///
/// # Safety
/// All those rows can be read.
#[inline(always)]
unsafe fn levels<S: Simd, T: Real, L: Lanes<S, T>>(
    s: S,
    p: *const T,
    rows: usize,
    row: isize,
    col: isize,
    power: u32,
) -> [[L; 4]; 4] {
    let step = 1usize << power;
    let mut acc = [[L::zero(s); 4]; 4];
    let mut i = 0;
    while i + step <= rows {
        let mut sum = [L::zero(s); 4];
        for _ in 0..step {
            // SAFETY: row `i` is one of the caller's rows.
            unsafe { add_row(s, &mut sum, p.offset(i as isize * row), col) };
            i += 1;
        }
        acc[0] = sum;
        for j in 1..4 {
            let low = std::mem::replace(&mut acc[j - 1], [L::zero(s); 4]);
            for (a, b) in acc[j].iter_mut().zip(low) {
                *a = a.add(b);
            }
            if i & ((step - 1) << (j as u32 * power)) != 0 {
                break;
            }
        }
    }
    while i < rows {
        // SAFETY: as above.
        unsafe { add_row(s, &mut acc[0], p.offset(i as isize * row), col) };
        i += 1;
    }
    acc
}

/// Adds the elements at `p`, `col` apart, to the accumulators.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn add_row<S: Simd, T: Real, L: Lanes<S, T>>(s: S, acc: &mut [L; 4], p: *const T, col: isize) {
    if L::LEN > 1 {
        prefetch(p.wrapping_byte_add(AHEAD));
        prefetch(p.wrapping_byte_add(AHEAD + LINE));
    }
    for (k, a) in acc.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *a = a.add(unsafe { L::load(s, p.offset(k as isize * col)) });
    }
}

/// Bytes that are asked for ahead of a sum along memory: further than the processor's own prefetch goes,
/// which ends at each page. A row of four vectors has two lines.
const AHEAD: usize = 8 << 10;

/// [`levels`] added up.
///
/// # Safety
/// As of [`levels`].
#[inline(always)]
pub unsafe fn cascade<S: Simd, T: Real, L: Lanes<S, T>>(
    s: S,
    p: *const T,
    rows: usize,
    row: isize,
    col: isize,
) -> [L; 4] {
    let power = level_power(rows);
    // SAFETY: the caller's promise.
    let [mut a, b, c, d] = unsafe { levels::<S, T, L>(s, p, rows, row, col, power) };
    if rows >= 1 << power {
        for k in 0..4 {
            a[k] = a[k].add(b[k]).add(c[k]).add(d[k]);
        }
    }
    a
}

/// One sum of `n` lanes' worth, `step` apart: row `4i + k` goes to accumulator `k`, what is left
/// over to accumulator 0.
///
/// # Safety
/// All rows can be read.
#[inline(always)]
pub unsafe fn row_sum<S: Simd, T: Real, L: Lanes<S, T>>(s: S, p: *const T, n: usize, step: isize) -> L {
    // SAFETY: the caller's promise.
    let acc = unsafe { cascade::<S, T, L>(s, p, n / 4, step * 4, step) };
    // SAFETY: as above.
    unsafe { finish_row(s, acc, p, n, step) }
}

/// Adds the rows past the last group of four, then the accumulators.
///
/// # Safety
/// All rows can be read.
#[inline(always)]
unsafe fn finish_row<S: Simd, T: Real, L: Lanes<S, T>>(
    s: S,
    acc: [L; 4],
    p: *const T,
    n: usize,
    step: isize,
) -> L {
    let [mut a, b, c, d] = acc;
    for i in n / 4 * 4..n {
        // SAFETY: the caller's promise.
        a = a.add(unsafe { L::load(s, p.offset(i as isize * step)) });
    }
    a.add(b).add(c).add(d)
}

/// Adds the sums of `rows` rows, `row` apart, of `G` vectors from `p` on to `into`.
///
/// # Safety
/// Those elements can be read.
#[inline(always)]
#[allow(
    clippy::needless_range_loop,
    reason = "iterators by value are not always inlined into the level's code"
)]
unsafe fn strip<S: Simd, T: Real, L: Lanes<S, T>, const G: usize>(
    s: S,
    p: *const T,
    rows: usize,
    row: isize,
    into: &mut [T],
) {
    let mut sum = [L::zero(s); G];
    for r in 0..rows {
        for k in 0..G {
            // SAFETY: the caller's promise.
            sum[k] = sum[k].add(unsafe { L::load(s, p.offset(r as isize * row + (k * L::LEN) as isize)) });
        }
    }
    for k in 0..G {
        let to = &mut into[k * L::LEN..(k + 1) * L::LEN];
        // SAFETY: `to` holds LEN elements.
        unsafe { L::load(s, to.as_ptr()) }.add(sum[k]).store(to);
    }
}

/// Column sums of a panel of `width` neighbouring columns (a multiple of `4·WIDE`), each one
/// cascade; adds the levels' states to `state`, four times `width` zeros.
///
/// A strip's rows are read in turn, so the wider it is the fewer separate lines memory is asked for.
///
/// # Safety
/// `rows` rows of `width` elements, `row` apart, can be read at `p`.
#[inline(always)]
unsafe fn panel_levels<S: Simd, T: Real>(
    s: S,
    p: *const T,
    rows: usize,
    row: isize,
    width: usize,
    power: u32,
    state: &mut [T],
) {
    let step = 1usize << power;
    let (half, narrow) = (4 * <Native<S, T> as Lanes<S, T>>::LEN, 4 * T::WIDE);
    let (level0, upper) = state.split_at_mut(width);
    let mut i = 0;
    while i < rows {
        let n = step.min(rows - i);
        let mut into = if n == step { &mut upper[..width] } else { &mut *level0 };
        while !into.is_empty() {
            // SAFETY: rows and columns are the caller's.
            unsafe {
                let p = p.offset(i as isize * row + (width - into.len()) as isize);
                if into.len() >= 2 * half {
                    strip::<S, T, Native<S, T>, 8>(
                        s,
                        p,
                        n,
                        row,
                        into.split_off_mut(..2 * half).expect("checked"),
                    );
                } else if into.len() >= half {
                    strip::<S, T, Native<S, T>, 4>(
                        s,
                        p,
                        n,
                        row,
                        into.split_off_mut(..half).expect("checked"),
                    );
                } else {
                    let now = into.split_off_mut(..narrow).expect("a multiple");
                    strip::<S, T, Many<S, T>, 4>(s, p, n, row, now);
                }
            }
        }
        i += n;
        for j in 1..3 {
            if n < step || i & ((step - 1) << (j as u32 * power)) != 0 {
                break;
            }
            let (low, high) = upper[(j - 1) * width..(j + 1) * width].split_at_mut(width);
            for (h, l) in high.iter_mut().zip(low) {
                *h += *l;
                *l = T::default();
            }
        }
    }
}

/// Cuts a cascade into its independent blocks, runs `leaf(rows, state)` on them in parallel, and
/// adds the blocks' states up: `width` sums.
fn split<T: Real>(
    rows: usize,
    power: u32,
    width: usize,
    cost_per_row: f64,
    leaf: impl Fn(Range<usize>, &mut [T]) + Sync,
) -> Vec<T> {
    let block = 1usize << (3 * power);
    let n = rows.div_ceil(block).max(1);
    let mut states = vec![T::default(); n * 4 * width];
    let shared = SharedMut::new(&mut states);
    for_each_range(n, 1, cost_per_row * block.min(rows) as f64, |blocks| {
        for b in blocks {
            // SAFETY: one state per block.
            let state = unsafe { shared.range(b * 4 * width..(b + 1) * 4 * width) };
            leaf(b * block..((b + 1) * block).min(rows), state);
        }
    });
    // Only the last block can leave something on the lower levels.
    let (first, last) = states.split_at_mut((n - 1) * 4 * width);
    let mut top = vec![T::default(); width];
    for state in first.chunks_exact(4 * width) {
        top.iter_mut().zip(&state[3 * width..]).for_each(|(t, &v)| *t += v);
    }
    (0..width)
        .map(|j| last[j] + last[width + j] + last[2 * width + j] + (top[j] + last[3 * width + j]))
        .collect()
}

/// True where [`split`] has at least two blocks to give to threads.
pub fn splits(rows: usize) -> bool {
    rows > 1 << (3 * level_power(rows))
}

/// Rows of a sum that is too long for one thread: `lanes` says whether they are vectors.
#[derive(Clone, Copy)]
pub struct Long<T> {
    pub p: *const T,
    pub n: usize,
    pub step: isize,
    pub lanes: bool,
}
// SAFETY: only read through, by `sum` whose caller promises that it can be.
unsafe impl<T: Sync> Sync for Long<T> {}

impl<T: Real> Long<T> {
    /// [`row_sum`] on several threads, lane by lane.
    ///
    /// # Safety
    /// All rows can be read.
    pub unsafe fn sum(&self) -> Vec<T> {
        let (rows, len) = (self.n / 4, if self.lanes { T::WIDE } else { 1 });
        let power = level_power(rows);
        let this = self;
        let mut acc = split(rows, power, 4 * len, 0.3 * len as f64, |r, state| {
            simd!(s => {
                // SAFETY: rows `r` of the four accumulators are some of the caller's.
                unsafe { if this.lanes { this.block::<_, Many<_, T>>(s, r, power, state) } else { this.block::<_, One<T>>(s, r, power, state) } }
            })
        });
        for i in rows * 4..self.n {
            for (l, a) in acc[..len].iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                *a += unsafe { *self.p.offset(i as isize * self.step + l as isize) };
            }
        }
        (0..len).map(|l| acc[l] + acc[len + l] + acc[2 * len + l] + acc[3 * len + l]).collect()
    }

    /// # Safety
    /// As of [`sum`](Long::sum).
    #[inline(always)]
    unsafe fn block<S: Simd, L: Lanes<S, T>>(&self, s: S, r: Range<usize>, power: u32, state: &mut [T]) {
        // SAFETY: the caller's promise.
        let acc = unsafe {
            let p = self.p.offset(r.start as isize * 4 * self.step);
            levels::<S, T, L>(s, p, r.len(), 4 * self.step, self.step, power)
        };
        for (to, l) in state.chunks_exact_mut(L::LEN).zip(acc.into_iter().flatten()) {
            l.store(to);
        }
    }
}

/// Neighbouring columns, `rows` long, that are summed side by side: a multiple of `4·WIDE` of them.
#[derive(Clone, Copy)]
pub struct Panel<T> {
    pub p: *const T,
    pub rows: usize,
    pub row: isize,
    pub width: usize,
}
// SAFETY: only read through, by `sum` whose caller promises that it can be.
unsafe impl<T: Sync> Sync for Panel<T> {}

impl<T: Real> Panel<T> {
    /// Each column by a cascade.
    ///
    /// # Safety
    /// All elements can be read.
    pub unsafe fn sum(&self) -> Vec<T> {
        let (power, this) = (level_power(self.rows), self);
        split(self.rows, power, self.width, 0.05 * self.width as f64, |r, state| {
            simd!(s => {
                // SAFETY: rows `r` are some of the caller's.
                unsafe {
                    let p = this.p.offset(r.start as isize * this.row);
                    panel_levels(s, p, r.len(), this.row, this.width, power, state)
                }
            })
        })
    }
}
