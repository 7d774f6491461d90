//! Reading through indices.

use super::{base, check, dispatch_size, spread};
use crate::cpu::par::for_each_range;
use crate::cpu::walk::Walk;
use crate::{Element, GatherOp, Layout, Result, View, ViewMut};

/// Elements or whole slices, as [`GatherOp`] says.
pub fn gather(op: GatherOp, out: ViewMut) -> Result {
    match op {
        GatherOp::Gather { x, index, dim } => elements(x, index, index.layout, dim, out),
        GatherOp::Select { x, index, dim } => {
            let spread = spread(index.layout, out.layout.shape(), dim);
            elements(x, index, &spread, dim, out)
        }
    }
}

/// `positions` is the index laid out over the output's shape; `index` holds each entry once.
fn elements(x: View, index: View, positions: &Layout, dim: usize, out: ViewMut) -> Result {
    check(index, dim, x.layout.shape()[dim])?;
    let start = base(x.layout, out.layout.shape(), dim);
    let walk = Walk::new([out.layout, positions, &start]);
    let step = x.layout.strides()[dim];
    dispatch_size!(x.dtype, T => copy::<T>(&walk, x.data(), index.data(), step, out));
    Ok(())
}

fn copy<T: Element>(walk: &Walk<3>, x: &[T], index: &[i64], step: isize, mut out: ViewMut) {
    let out = out.shared::<T>();
    let [so, si, sx] = walk.inner_strides();
    // Slices are copied, elements looked up one by one.
    let cost = if si == 0 { 0.05 * size_of::<T>() as f64 } else { 2.0 };
    for_each_range(walk.numel(), 1, cost, |range| {
        walk.runs(range, |[o, i, x0], len| {
            if si == 0 {
                let x0 = x0 as isize + index[i] as isize * step;
                if (so, sx) == (1, 1) {
                    // SAFETY: runs cover each output element once, so no two pieces share any.
                    let out = unsafe { out.range(o..o + len) };
                    out.copy_from_slice(&x[x0 as usize..][..len]);
                    return;
                }
                for j in 0..len as isize {
                    let o = (o as isize + j * so) as usize;
                    // SAFETY: as above; `o` is a position of the output's layout.
                    unsafe { *out.at(o) = x[(x0 + j * sx) as usize] };
                }
                return;
            }
            if (so, si) == (1, 1) {
                // SAFETY: as above.
                let out = unsafe { out.range(o..o + len) };
                let mut from = x0 as isize;
                for (o, &k) in out.iter_mut().zip(&index[i..i + len]) {
                    *o = x[(from + k as isize * step) as usize];
                    from += sx;
                }
                return;
            }
            for j in 0..len as isize {
                let k = index[(i as isize + j * si) as usize] as isize;
                let o = (o as isize + j * so) as usize;
                // SAFETY: as above.
                unsafe { *out.at(o) = x[(x0 as isize + j * sx + k * step) as usize] };
            }
        });
    });
}
