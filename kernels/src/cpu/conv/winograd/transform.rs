//! The transforms of F(2×2, 3×3), on vectors of channels.
//!
//! In one dimension, two outputs of three taps take four products instead of six:
//! `y = Aᵀ[(G k) ⊙ (Bᵀ d)]` for four inputs `d` and taps `k`; in two dimensions, each is done along the
//! columns and then along the rows. The gradient in the taps is the transposed product,
//! `Gᵀ[(A ∂y) ⊙ (Bᵀ d)]`. The last row of `Bᵀ` (and of `A`) has its sign turned: an addition less.

use crate::cpu::gemm::real::{load, splat, store};
use crate::cpu::simd::Simd;

/// Rows and columns of a transformed tile, and the products of a tile.
pub const SIDE: usize = 4;
pub const PRODUCTS: usize = SIDE * SIDE;
/// Outputs a tile has in each dimension.
pub const STEP: usize = 2;
/// Taps in each dimension.
pub const TAPS: usize = 3;

/// `f` along the columns, then along the rows.
#[inline(always)]
fn both<V: Copy, const A: usize, const B: usize>(
    x: [[V; A]; A],
    f: impl Fn([V; A]) -> [V; B],
) -> [[V; B]; B] {
    let columns: [[V; B]; A] = std::array::from_fn(
        #[inline(always)]
        |j| {
            f(std::array::from_fn(
                #[inline(always)]
                |i| x[i][j],
            ))
        },
    );
    std::array::from_fn(
        #[inline(always)]
        |i| {
            f(std::array::from_fn(
                #[inline(always)]
                |j| columns[j][i],
            ))
        },
    )
}

/// A square of vectors, `row` and `col` elements apart.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn square<S: Simd, const N: usize>(
    s: S,
    from: *const f32,
    row: usize,
    col: usize,
) -> [[S::f32s; N]; N] {
    std::array::from_fn(
        #[inline(always)]
        |i| {
            std::array::from_fn(
                #[inline(always)]
                // SAFETY: the caller's promise.
                |j| unsafe { load::<S, f32>(s, from.add(i * row + j * col)) },
            )
        },
    )
}

/// The products' operands, or the products, of a tile: one vector in each plane.
#[inline(always)]
unsafe fn scatter<S: Simd>(v: [[S::f32s; SIDE]; SIDE], to: *mut f32, plane: usize) {
    for i in 0..SIDE {
        for j in 0..SIDE {
            // SAFETY: the caller's promise: every plane has room for the vector.
            unsafe { store::<S, f32>(v[i][j], to.add((i * SIDE + j) * plane)) };
        }
    }
}

/// `Bᵀ d B` of a 4×4 patch into the planes at `to`.
///
/// # Safety
/// `from` shows a patch of vectors, `row` and `col` elements apart; there is room in every plane.
#[inline(always)]
pub unsafe fn input<S: Simd>(s: S, from: *const f32, row: usize, col: usize, to: *mut f32, plane: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let d = square::<S, SIDE>(s, from, row, col);
        let t = both(
            d,
            #[inline(always)]
            |[a, b, c, d]: [S::f32s; SIDE]| [a - c, b + c, c - b, d - b],
        );
        scatter::<S>(t, to, plane);
    }
}

/// `G k Gᵀ` of 3×3 taps.
///
/// # Safety
/// There is room in every plane.
#[inline(always)]
pub unsafe fn taps<S: Simd>(s: S, k: [[S::f32s; TAPS]; TAPS], to: *mut f32, plane: usize) {
    let half = splat::<S, f32>(s, 0.5);
    let t = both(
        k,
        #[inline(always)]
        |[a, b, c]: [S::f32s; TAPS]| {
            let (outer, inner) = ((a + c) * half, b * half);
            [a, outer + inner, outer - inner, c]
        },
    );
    // SAFETY: the caller's promise.
    unsafe { scatter::<S>(t, to, plane) };
}

/// `A ∂y Aᵀ` of a 2×2 patch.
///
/// # Safety
/// As for [`input`].
#[inline(always)]
pub unsafe fn gradient<S: Simd>(s: S, from: *const f32, row: usize, col: usize, to: *mut f32, plane: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let g = square::<S, STEP>(s, from, row, col);
        let t = both(
            g,
            #[inline(always)]
            |[a, b]: [S::f32s; STEP]| [a, a + b, a - b, b],
        );
        scatter::<S>(t, to, plane);
    }
}

/// `Aᵀ m A`: the outputs of a tile.
///
/// # Safety
/// Every plane has a vector at `from`.
#[inline(always)]
pub unsafe fn output<S: Simd>(s: S, from: *const f32, plane: usize) -> [[S::f32s; STEP]; STEP] {
    // SAFETY: the caller's promise.
    let m = unsafe { square::<S, SIDE>(s, from, SIDE * plane, plane) };
    both(
        m,
        #[inline(always)]
        |[a, b, c, d]: [S::f32s; SIDE]| [a + (b + c), (b - c) + d],
    )
}

/// `Gᵀ m G`: the gradients of the taps, from products already in registers.
#[inline(always)]
pub fn tap_gradients<S: Simd>(s: S, m: [[S::f32s; SIDE]; SIDE]) -> [[S::f32s; TAPS]; TAPS] {
    let half = splat::<S, f32>(s, 0.5);
    both(
        m,
        #[inline(always)]
        |[a, b, c, d]: [S::f32s; SIDE]| {
            let inner = (b + c) * half;
            [a + inner, (b - c) * half, inner + d]
        },
    )
}
