//! The loops of contiguous kernels.

use crate::cpu::math::{Math, V};
use crate::cpu::simd::{Simd, SimdBase};
use crate::cpu::stream;

/// Lanes of the widest vector (512 bits of f32).
const WIDEST: usize = 16;

/// `out[i] = f(x[i])` by vectors; the rest at the end goes through the same code, padded. Where `streamed`,
/// vectors are stored past the caches, if `out` is aligned to them.
///
/// # Safety
/// `n` elements can be read at `x` and written at `out`; the two are apart or equal.
#[inline(always)]
pub(crate) unsafe fn map1<S: Simd, T: Math>(
    s: S,
    x: *const T,
    out: *mut T,
    n: usize,
    streamed: bool,
    f: impl Fn(V<S, T>) -> V<S, T>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        map_side(
            s,
            x,
            out,
            n,
            streamed,
            #[inline(always)]
            |[v]| [f(v)],
        )
    }
}

/// As [`map1`], with `U` vectors side by side.
///
/// # Safety
/// As [`map1`].
#[inline(always)]
pub(crate) unsafe fn map_side<S: Simd, T: Math, const U: usize>(
    s: S,
    x: *const T,
    out: *mut T,
    n: usize,
    streamed: bool,
    f: impl Fn([V<S, T>; U]) -> [V<S, T>; U],
) {
    let w = V::<S, T>::LEN;
    let streamed = streamed && out.addr().is_multiple_of(size_of::<V<S, T>>());
    let mut i = 0;
    while i + U * w <= n {
        // SAFETY: whole vectors inside the `n` elements.
        unsafe {
            let mut v = [load::<S, T>(s, x.add(i)); U];
            for u in 1..U {
                v[u] = load::<S, T>(s, x.add(i + u * w));
            }
            let y = f(v);
            for u in 0..U {
                put::<S, T>(s, y[u], out.add(i + u * w), streamed);
            }
        }
        i += U * w;
    }
    if i < n {
        let mut pad = [[T::ONE; WIDEST]; U];
        let rest = pad.as_mut_ptr().cast::<T>();
        // SAFETY: fewer than `U·w` elements, and room for `U` vectors.
        unsafe {
            rest.copy_from_nonoverlapping(x.add(i), n - i);
            let mut v = [load::<S, T>(s, rest); U];
            for u in 1..U {
                v[u] = load::<S, T>(s, rest.add(u * w));
            }
            let y = f(v);
            for u in 0..U {
                store::<S, T>(y[u], rest.add(u * w));
            }
            out.add(i).copy_from_nonoverlapping(rest, n - i);
        }
    }
}

/// `out[i] = f(a[i], b[i])`, as [`map1`].
///
/// # Safety
/// `n` elements can be read at `a` and `b` and written at `out`; inputs are apart from it or equal to it.
#[inline(always)]
pub(crate) unsafe fn map2<S: Simd, T: Math>(
    s: S,
    a: *const T,
    b: *const T,
    out: *mut T,
    n: usize,
    streamed: bool,
    f: impl Fn(V<S, T>, V<S, T>) -> V<S, T>,
) {
    let w = V::<S, T>::LEN;
    let streamed = streamed && out.addr().is_multiple_of(size_of::<V<S, T>>());
    let mut i = 0;
    while i + w <= n {
        // SAFETY: whole vectors inside the `n` elements.
        unsafe {
            put::<S, T>(s, f(load::<S, T>(s, a.add(i)), load::<S, T>(s, b.add(i))), out.add(i), streamed)
        };
        i += w;
    }
    if i < n {
        let (mut pad_a, mut pad_b) = ([T::ONE; WIDEST], [T::ONE; WIDEST]);
        // SAFETY: `n - i < w ≤ WIDEST` elements.
        unsafe {
            pad_a.as_mut_ptr().copy_from_nonoverlapping(a.add(i), n - i);
            pad_b.as_mut_ptr().copy_from_nonoverlapping(b.add(i), n - i);
            store::<S, T>(
                f(load::<S, T>(s, pad_a.as_ptr()), load::<S, T>(s, pad_b.as_ptr())),
                pad_a.as_mut_ptr(),
            );
            out.add(i).copy_from_nonoverlapping(pad_a.as_ptr(), n - i);
        }
    }
}

/// # Safety
/// A vector can be read at `p`.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd, T: Math>(s: S, p: *const T) -> V<S, T> {
    // SAFETY: as promised by the caller.
    V::<S, T>::from_slice(s, unsafe { std::slice::from_raw_parts(p, V::<S, T>::LEN) })
}

/// # Safety
/// A vector can be written at `p`, which is aligned to it where `streamed`.
#[inline(always)]
unsafe fn put<S: Simd, T: Math>(s: S, v: V<S, T>, p: *mut T, streamed: bool) {
    // SAFETY: as promised by the caller.
    unsafe { if streamed { stream::store(s, p, v) } else { store::<S, T>(v, p) } }
}

/// # Safety
/// A vector can be written at `p`.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd, T: Math>(v: V<S, T>, p: *mut T) {
    // SAFETY: as promised by the caller.
    v.store_slice(unsafe { std::slice::from_raw_parts_mut(p, V::<S, T>::LEN) });
}
