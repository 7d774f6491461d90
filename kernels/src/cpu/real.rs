//! The two float types that arithmetic runs in, and the way of other floats into them.

use super::gemm::scratch::Scratch;
use super::math;
use super::par::{SharedMut, for_each_range};
use super::simd::{Simd, SimdFloat};
use super::walk::Walk;
use crate::{Buffer, DType, Element, Layout, Storage, Strides, View, ViewMut, bf16, f16};
use fearless_simd::{SimdFloatElement, f32x8, f64x4};
use half::slice::HalfFloatSliceExt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, Neg, Sub};

/// The machine's vector of `T`.
pub type V<S, T> = <T as SimdFloatElement>::Native<S>;

/// f32 or f64.
pub trait Real:
    Element
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + DivAssign
    + Sum
    + SimdFloatElement
{
    /// A vector of 256 bits, whatever the machine has.
    type Wide<S: Simd>: SimdFloat<S, Element = Self>;
    /// Lanes of [`Wide`](Real::Wide).
    const WIDE: usize;
    /// −∞.
    const NEG_INFINITY: Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Natural exponential of every lane, none above 0, divided by [`UNLIFT`](Real::UNLIFT).
    fn exp_lifted<S: Simd>(x: V<S, Self>) -> V<S, Self>;
    /// A power of two.
    const UNLIFT: Self;
}

macro_rules! reals {
    ($($t:ident, $wide:ident, $lanes:literal;)*) => { $(
        impl Real for $t {
            type Wide<S: Simd> = $wide<S>;
            const WIDE: usize = $lanes;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            #[inline(always)]
            fn ln(self) -> Self { $t::ln(self) }
            #[inline(always)]
            fn exp_lifted<S: Simd>(x: V<S, $t>) -> V<S, $t> {
                math::exp_lifted(x)
            }
            const UNLIFT: Self = <$t as math::Math>::UNLIFT;
        }
    )* };
}
reals! {
    f32, f32x8, 8;
    f64, f64x4, 4;
}

/// A float element and the type it is computed in.
pub trait Computed: Element {
    /// f32 for f16 and bf16, the type itself otherwise.
    type In: Real;
    /// Reads `src` into `dst`, of equal lengths.
    fn widen(src: &[Self], dst: &mut [Self::In]);
    /// Rounds `src` into `dst`, of equal lengths.
    fn narrow(src: &[Self::In], dst: &mut [Self]);
    /// The slice itself where that is its compute type.
    fn as_is(src: &[Self]) -> Option<&[Self::In]>;
    /// The slice itself where that is its compute type.
    fn as_is_mut(dst: &mut [Self]) -> Option<&mut [Self::In]>;
    /// One element.
    fn up(self) -> Self::In;
    /// One element.
    fn down(v: Self::In) -> Self;
}
macro_rules! computed {
    ($($t:ty: $in:ty, $some:expr, $some_mut:expr, $widen:expr, $narrow:expr, $up:expr, $down:expr;)*) => { $(
        impl Computed for $t {
            type In = $in;
            #[inline(always)]
            fn as_is(src: &[Self]) -> Option<&[$in]> { $some(src) }
            #[inline(always)]
            fn as_is_mut(dst: &mut [Self]) -> Option<&mut [$in]> { $some_mut(dst) }
            #[inline(always)]
            fn widen(src: &[Self], dst: &mut [$in]) { $widen(src, dst) }
            #[inline(always)]
            fn narrow(src: &[$in], dst: &mut [Self]) { $narrow(src, dst) }
            #[inline(always)]
            fn up(self) -> $in { $up(self) }
            #[inline(always)]
            fn down(v: $in) -> Self { $down(v) }
        }
    )* };
}
computed! {
    f32: f32, Some, Some, copy, copy, same, same;
    f64: f64, Some, Some, copy, copy, same, same;
    f16: f32, |_| None, |_| None, HalfFloatSliceExt::convert_to_f32_slice, narrow_half, f16::to_f32, f16::from_f32;
    bf16: f32, |_| None, |_| None, HalfFloatSliceExt::convert_to_f32_slice, narrow_half, bf16::to_f32, bf16::from_f32;
}

#[inline(always)]
fn same<T>(v: T) -> T {
    v
}
#[inline(always)]
fn copy<T: Copy>(src: &[T], dst: &mut [T]) {
    dst.copy_from_slice(src);
}
#[inline(always)]
fn narrow_half<T>(src: &[f32], dst: &mut [T])
where
    [T]: HalfFloatSliceExt,
{
    dst.convert_from_f32_slice(src);
}

/// Reads `dst.len()` elements from position `at` on, `step` apart.
#[inline(always)]
pub fn load_line<T: Computed>(data: &[T], at: usize, step: isize, dst: &mut [T::In]) {
    if step == 1 {
        return T::widen(&data[at..at + dst.len()], dst);
    }
    for (i, d) in dst.iter_mut().enumerate() {
        *d = data[(at as isize + i as isize * step) as usize].up();
    }
}

/// Writes `src` from position `at` on, `step` apart.
///
/// # Safety
/// No other thread touches these elements meanwhile.
#[inline(always)]
pub unsafe fn store_line<T: Computed>(out: SharedMut<T>, at: usize, step: isize, src: &[T::In]) {
    if src.is_empty() {
        return;
    }
    if step == 1 {
        // SAFETY: exclusive by the caller's promise.
        return T::narrow(src, unsafe { out.range(at..at + src.len()) });
    }
    let last = at as isize + (src.len() - 1) as isize * step;
    assert!(at < out.len() && last >= 0 && (last as usize) < out.len());
    for (i, &v) in src.iter().enumerate() {
        // SAFETY: between two positions that were just checked; exclusive by the caller's promise.
        unsafe { *out.at((at as isize + i as isize * step) as usize) = T::down(v) };
    }
}

/// Has `fill` write a line of the output: in place where that is possible, else in `scratch`, whose
/// length is the line's.
///
/// # Safety
/// No other thread touches these elements meanwhile.
#[inline(always)]
pub unsafe fn write_line<T: Computed>(
    out: SharedMut<T>,
    at: usize,
    step: isize,
    scratch: &mut [T::In],
    fill: impl FnOnce(&mut [T::In]),
) {
    if scratch.is_empty() {
        return;
    }
    if step == 1
        // SAFETY: exclusive by the caller's promise.
        && let Some(line) = T::as_is_mut(unsafe { out.range(at..at + scratch.len()) })
    {
        return fill(line);
    }
    fill(scratch);
    // SAFETY: as above.
    unsafe { store_line(out, at, step, scratch) }
}

/// A float view copied into row-major memory of its compute type.
pub fn widened<T: Computed>(x: View) -> (Storage, Layout) {
    let layout = Layout::contiguous(x.layout.shape());
    let mut storage = Storage::Cpu(Buffer::new(layout.numel() * T::In::DTYPE.size()));
    let mut out = ViewMut::new(&mut storage, T::In::DTYPE, &layout);
    let all = SharedMut::new(out.data::<T::In>());
    let (walk, data) = (Walk::new([x.layout]), x.data::<T>());
    let [step] = walk.inner_strides();
    for_each_range(walk.numel(), 64, 0.5, |r| {
        // SAFETY: ranges do not overlap.
        let dst = unsafe { all.range(r.clone()) };
        let mut done = 0;
        walk.runs(r, |[p], n| {
            load_line(data, p, step, &mut dst[done..done + n]);
            done += n;
        });
    });
    (storage, layout)
}

/// Row-major values rounded into a view.
pub fn narrowed<T: Computed>(src: &[T::In], mut out: ViewMut) {
    let walk = Walk::new([out.layout]);
    let all = SharedMut::new(out.data::<T>());
    let [step] = walk.inner_strides();
    for_each_range(walk.numel(), 64, 0.5, |r| {
        let mut done = r.start;
        walk.runs(r, |[p], n| {
            // SAFETY: an output's elements are distinct, and ranges do not overlap.
            unsafe { store_line(all, p, step, &src[done..done + n]) };
            done += n;
        });
    });
}

/// `view` as a vector of `R` from any float dtype.
pub fn to_vec<R: Real>(view: View) -> Vec<R> {
    let mut out = Vec::with_capacity(view.layout.numel());
    let walk = Walk::new([view.layout]);
    let [step] = walk.inner_strides();
    walk.runs(0..walk.numel(), |[p], n| {
        let at = |i: usize| (p as isize + i as isize * step) as usize;
        crate::dispatch_dtype!(view.dtype, floats T => {
            let data = view.data::<T>();
            out.extend((0..n).map(|i| R::from_f64(data[at(i)].to_f64())));
        }, else unreachable!("weights and statistics are floats"));
    });
    out
}

/// Row-major values of `R` into a view of any float dtype.
pub fn from_slice<R: Real>(src: &[R], mut out: ViewMut) {
    let walk = Walk::new([out.layout]);
    let [step] = walk.inner_strides();
    let dtype: DType = out.dtype;
    let mut done = 0;
    walk.runs(0..walk.numel(), |[p], n| {
        let at = |i: usize| (p as isize + i as isize * step) as usize;
        crate::dispatch_dtype!(dtype, floats T => {
            let data = out.data::<T>();
            for i in 0..n {
                data[at(i)] = T::from_f64(src[done + i].to_f64());
            }
        }, else unreachable!("weights and statistics are floats"));
        done += n;
    });
}

/// The lines of a view along one dimension, in the compute type.
pub struct Lines<'a, T> {
    data: &'a [T],
    offset: isize,
    /// Steps of the dimensions but that of the line.
    steps: Strides,
    n: usize,
    step: isize,
}

impl<'a, T: Computed> Lines<'a, T> {
    /// Lines along `dim`.
    pub fn new(x: View<'a>, dim: usize) -> Self {
        let mut steps = Strides::from_slice(x.layout.strides());
        let step = steps.remove(dim);
        Lines { data: x.data(), offset: x.layout.offset() as isize, steps, n: x.layout.shape()[dim], step }
    }

    /// Room to gather one line into.
    pub fn scratch(&self) -> Scratch {
        Scratch::new::<T::In>(if self.direct() { 1 } else { self.n.max(1) })
    }

    fn direct(&self) -> bool {
        self.step == 1 && T::DTYPE == T::In::DTYPE
    }

    /// The line at an index of the other dimensions: the memory itself, or gathered into `scratch`.
    #[inline(always)]
    pub fn get<'b>(&'b self, index: &[usize], scratch: &'b mut Scratch) -> &'b [T::In] {
        let at = self.offset + index.iter().zip(&self.steps).map(|(&i, &s)| i as isize * s).sum::<isize>();
        line(self.data, at as usize, self.step, self.n, scratch.as_mut_slice())
    }
}

/// `n` elements from `at` on, `step` apart: the memory itself, or gathered into `scratch`.
#[inline(always)]
pub fn line<'a, T: Computed>(
    data: &'a [T],
    at: usize,
    step: isize,
    n: usize,
    scratch: &'a mut [T::In],
) -> &'a [T::In] {
    if n == 0 {
        return &[];
    }
    if step == 1
        && let Some(line) = T::as_is(&data[at..at + n])
    {
        return line;
    }
    load_line(data, at, step, &mut scratch[..n]);
    &scratch[..n]
}
