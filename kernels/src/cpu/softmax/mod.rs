//! Softmax and log-softmax along any axis, and their gradients.
//!
//! Lines that lie contiguous go one by one ([`row`]); where neighbouring lines lie side by side, a
//! tile of them goes through the vector's lanes ([`tile`]). Other strides and f16 or bf16 are
//! gathered into a scratch line first.

mod row;
mod tile;

use super::gemm::scratch::Scratch;
use super::par::{SharedMut, for_each_range};
use super::real::{Computed, line, load_line, store_line, write_line};
use super::walk::Walk;
use crate::{backend::*, *};

pub fn softmax(op: SoftmaxOp, log: bool, axis: usize, out: ViewMut) -> Result {
    dispatch_dtype!(out.dtype, floats T => run::<T>(op, log, axis, out), else return Err(Error::Unsupported {
        op: "softmax",
        dtype: out.dtype,
        device: Device::Cpu,
    }));
    Ok(())
}

/// Lines of a tile.
const TILE: usize = 32;

fn run<T: Computed>(op: SoftmaxOp, log: bool, axis: usize, mut out: ViewMut) {
    let n = out.layout.shape()[axis];
    if out.layout.numel() == 0 {
        return;
    }
    // The gradient has two inputs; the forward pass names its one twice.
    let (a, b, grad) = match op {
        SoftmaxOp::Forward { x } => (x, x, false),
        SoftmaxOp::Grad { y, g } => (y, g, true),
    };
    let layouts = [a.layout, b.layout, out.layout];
    let along = layouts.map(|l| l.strides()[axis]);
    let heads = layouts.map(|l| l.slice(axis, 0, 1, 1));
    let walk = Walk::any_order([&heads[0], &heads[1], &heads[2]]);
    let across = walk.inner_strides();
    let side_by_side = across[0] == 1 && along[0] != 1 && n > 1 && walk.inner_len() >= 4;
    let (a, b) = (a.data::<T>(), b.data::<T>());
    let shared = SharedMut::new(out.data::<T>());
    let cost = n as f64 * if T::DTYPE == DType::F64 { 0.8 } else { 0.3 } + 10.0;
    for_each_range(walk.numel(), TILE, cost, |r| {
        // Input, gradient and output; a tile takes the output's place in the input.
        let room = if side_by_side { n * TILE } else { n };
        let mut scratch =
            [room, if grad { room } else { 1 }, if side_by_side { 1 } else { n }].map(Scratch::new::<T::In>);
        let [x, g, y] = scratch.each_mut().map(|s| s.as_mut_slice::<T::In>());
        walk.runs(r, |[p, q, o], lines| {
            let at = |base: usize, k: usize, i: usize| (base as isize + i as isize * across[k]) as usize;
            if side_by_side {
                for first in (0..lines).step_by(TILE) {
                    let width = TILE.min(lines - first);
                    let (x, g) = (&mut x[..room], &mut g[..if grad { room } else { 0 }]);
                    load_tile(a, at(p, 0, first), along[0], across[0], width, x);
                    if grad {
                        load_tile(b, at(q, 1, first), along[1], across[1], width, g);
                    }
                    tile::run(x, g, TILE, log, grad);
                    for i in 0..n {
                        let o = (at(o, 2, first) as isize + i as isize * along[2]) as usize;
                        // SAFETY: outputs are distinct, and each line belongs to one range.
                        unsafe { store_line(shared, o, across[2], &x[i * TILE..i * TILE + width]) };
                    }
                }
                return;
            }
            // Lines that follow each other in all operands go at once.
            let dense = along == [1; 3] && across == [n as isize; 3];
            if dense
                && let (Some(x), Some(g)) = (T::as_is(&a[p..p + lines * n]), T::as_is(&b[q..q + lines * n]))
                // SAFETY: outputs are distinct, and each line belongs to one range.
                && let Some(y) = T::as_is_mut(unsafe { shared.range(o..o + lines * n) })
            {
                return row::run(x, g, y, n, log, grad);
            }
            for i in 0..lines {
                let x = line(a, at(p, 0, i), along[0], n, x);
                let g = if grad { line(b, at(q, 1, i), along[1], n, g) } else { x };
                let y = &mut y[..n];
                // SAFETY: outputs are distinct, and each line belongs to one range.
                unsafe {
                    write_line(shared, at(o, 2, i), along[2], y, |y| row::run(x, g, y, n, log, grad));
                }
            }
        });
    });
}

/// Rows of `width` elements into rows of [`TILE`].
fn load_tile<T: Computed>(
    data: &[T],
    at: usize,
    along: isize,
    across: isize,
    width: usize,
    tile: &mut [T::In],
) {
    for (i, row) in tile.chunks_exact_mut(TILE).enumerate() {
        load_line(data, (at as isize + i as isize * along) as usize, across, &mut row[..width]);
        row[width..].fill(T::In::default());
    }
}
