//! Writing through indices.

use super::{base, check, dispatch_size, spread};
use crate::cpu::par;
use crate::cpu::walk::Walk;
use crate::{
    Buffer, DType, Element, Layout, Result, Scalar, ScatterOp, Src, Storage, View, ViewMut, bf16,
    dispatch_dtype, f16,
};
use std::ops::Range;

/// Writes or adds elements or slices, as [`ScatterOp`] says.
///
/// Sums are made in the output's dtype, one addend after the other in the order of the index, as
/// PyTorch makes them: f16 and bf16 round after each addition, integers wrap, bools are or-ed.
pub fn scatter(op: ScatterOp, out: ViewMut) -> Result {
    match op {
        ScatterOp::Scatter { index, src: Src::View(src), dim } => {
            Scatter { index, positions: index.layout, src, dim }.run(out, false)
        }
        ScatterOp::Scatter { index, src: Src::Scalar(value), dim } => {
            let storage = one(value, out.dtype);
            let shape = index.layout.shape();
            let layout = Layout::contiguous(&[]).broadcast_to(shape).expect("a scalar fits any shape");
            let src = View::new(&storage, out.dtype, &layout);
            Scatter { index, positions: index.layout, src, dim }.run(out, false)
        }
        ScatterOp::Scatter { src: Src::Out, .. } => panic!("a scatter's source cannot be its output"),
        ScatterOp::ScatterAdd { index, src, dim } => {
            Scatter { index, positions: index.layout, src, dim }.run(out, true)
        }
        ScatterOp::IndexAdd { index, src, dim } => {
            let positions = &spread(index.layout, src.layout.shape(), dim);
            Scatter { index, positions, src, dim }.run(out, true)
        }
        ScatterOp::IndexCopy { index, src, dim } => {
            let positions = &spread(index.layout, src.layout.shape(), dim);
            Scatter { index, positions, src, dim }.run(out, false)
        }
    }
}

fn one(value: Scalar, dtype: DType) -> Storage {
    let mut b = Buffer::new(dtype.size());
    match dtype {
        DType::Bool => b.as_mut_slice::<u8>()[0] = (value.to_f64() != 0.0) as u8,
        _ => dispatch_dtype!(dtype, T => b.as_mut_slice::<T>()[0] = value.to()),
    }
    Storage::Cpu(b)
}

/// Addition in an element's own type.
trait Add {
    fn add(self, other: Self) -> Self;
}
macro_rules! add {
    ($($t:ty: $a:ident $b:ident => $e:expr;)*) => { $(
        impl Add for $t {
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                let ($a, $b) = (self, other);
                $e
            }
        }
    )* };
}
add! {
    u8: a b => a.wrapping_add(b);
    i8: a b => a.wrapping_add(b);
    i16: a b => a.wrapping_add(b);
    i32: a b => a.wrapping_add(b);
    i64: a b => a.wrapping_add(b);
    f32: a b => a + b;
    f64: a b => a + b;
    f16: a b => f16::from_f32(a.to_f32() + b.to_f32());
    bf16: a b => bf16::from_f32(a.to_f32() + b.to_f32());
}

/// Operands of a scatter; `positions` is the index laid out over the source's shape.
#[derive(Clone, Copy)]
struct Scatter<'a> {
    index: View<'a>,
    positions: &'a Layout,
    src: View<'a>,
    dim: usize,
}

impl Scatter<'_> {
    fn run(self, out: ViewMut, add: bool) -> Result {
        check(self.index, self.dim, out.layout.shape()[self.dim])?;
        match (add, out.dtype) {
            (false, d) => dispatch_size!(d, T => self.lines::<T>(out, |_, new| new)),
            (true, DType::Bool) => self.lines::<u8>(out, |old, new| old | new),
            (true, d) => dispatch_dtype!(d, T => self.lines::<T>(out, |old, new| old.add(new))),
        }
        Ok(())
    }

    /// Works line by line: a line is all elements that differ in `dim` only, and no two lines
    /// write the same element. Within a line the order is that of the index.
    fn lines<T: Element>(self, mut out: ViewMut, put: impl Fn(T, T) -> T + Sync) {
        let (n, dim) = (self.positions.shape()[self.dim], self.dim);
        if self.positions.numel() == 0 {
            return;
        }
        let start = base(out.layout, self.positions.shape(), dim);
        let first = [&start, self.positions, self.src.layout].map(|l| l.select(dim, 0));
        let walk = Walk::new([&first[0], &first[1], &first[2]]);
        let [so, si, ss] = walk.inner_strides();
        let step = out.layout.strides()[dim];
        let (next_i, next_s) = (self.positions.strides()[dim], self.src.layout.strides()[dim]);
        let (index, src) = (self.index.data::<i64>(), self.src.data::<T>());
        let out = out.shared::<T>();
        let put_at = |o: isize, v: T| {
            // SAFETY: pieces hold different lines, which share no element; the position is one of
            // the output's layout, as indices were checked.
            let o = unsafe { &mut *out.at(o as usize) };
            *o = put(*o, v);
        };
        let whole_lines = |range: Range<usize>| {
            walk.runs(range, |[o, p, s], len| {
                for j in 0..len as isize {
                    let (o, p, s) = (o as isize + j * so, p as isize + j * si, s as isize + j * ss);
                    if (next_i, next_s) == (1, 1) {
                        let (index, src) = (&index[p as usize..][..n], &src[s as usize..][..n]);
                        index.iter().zip(src).for_each(|(&k, &v)| put_at(o + k as isize * step, v));
                        continue;
                    }
                    for i in 0..n as isize {
                        let k = index[(p + i * next_i) as usize] as isize;
                        put_at(o + k * step, src[(s + i * next_s) as usize]);
                    }
                }
            })
        };
        let entry_by_entry = |range: Range<usize>| {
            walk.runs(range, |[o, p, s], len| {
                let (o, len) = (o as isize, len as isize);
                for i in 0..n as isize {
                    let (p, s) = (p as isize + i * next_i, s as isize + i * next_s);
                    if si == 0 && (so, ss) == (1, 1) {
                        let o = (o + index[p as usize] as isize * step) as usize;
                        // SAFETY: as for `put_at`.
                        let out = unsafe { out.range(o..o + len as usize) };
                        let src = &src[s as usize..][..len as usize];
                        out.iter_mut().zip(src).for_each(|(o, &v)| *o = put(*o, v));
                        continue;
                    }
                    for j in 0..len {
                        let k = index[(p + j * si) as usize] as isize;
                        put_at(o + j * so + k * step, src[(s + j * ss) as usize]);
                    }
                }
            })
        };
        let along = walk.inner_len() == 1 || next_s.unsigned_abs() < ss.unsigned_abs();
        // A piece per thread and no more, as every piece reads the index.
        let most = par::num_threads() as f64;
        let cost = (n as f64).min(par::GRAIN as f64 * most / walk.numel() as f64).max(1e-3);
        par::for_each_range(walk.numel(), 16, cost, |range| {
            if along { whole_lines(range) } else { entry_by_entry(range) }
        });
    }
}
