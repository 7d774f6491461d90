//! The three products by their definitions.

use crate::cpu::{gemm::plain::Arith, par::SharedMut};
use crate::{Activation, ConvOp, ConvParams, Layout};
use rayon::prelude::*;

/// Place of tap `i` for output `o`, if it is inside.
fn tap(o: usize, i: usize, d: usize, p: &ConvParams, size: usize) -> Option<usize> {
    (o * p.stride[d] + i * p.dilation[d]).checked_sub(p.padding[d]).filter(|&h| h < size)
}

pub fn run<T: Arith>(op: &ConvOp, p: &ConvParams, layout: &Layout, out: &mut [T]) {
    let out = SharedMut::new(out);
    let shape: [usize; 4] = layout.shape().try_into().expect("four dimensions");
    let value: Box<dyn Fn([usize; 4]) -> T::Acc + Sync> = match *op {
        ConvOp::Forward { x, w, bias, activation } => {
            let (xs, ws, bs) = (x.data::<T>(), w.data::<T>(), bias.map(|b| b.data::<T>()));
            let per_group = w.layout.shape()[0] / p.groups;
            Box::new(move |[n, o, oh, ow]| {
                let (xl, wl) = (x.layout, w.layout);
                let mut acc = T::Acc::default();
                for c in 0..wl.shape()[1] {
                    for i in 0..wl.shape()[2] {
                        let Some(h) = tap(oh, i, 0, p, xl.shape()[2]) else { continue };
                        for j in 0..wl.shape()[3] {
                            let Some(v) = tap(ow, j, 1, p, xl.shape()[3]) else { continue };
                            let x = xs[xl.position(&[n, o / per_group * wl.shape()[1] + c, h, v])];
                            acc = T::mul_add(x.widen(), ws[wl.position(&[o, c, i, j])].widen(), acc);
                        }
                    }
                }
                if let (Some(bs), Some(b)) = (bs, bias) {
                    acc = T::add(acc, bs[b.layout.position(&[o])].widen());
                }
                if activation == Activation::Relu && acc < T::Acc::default() {
                    acc = T::Acc::default();
                }
                acc
            })
        }
        ConvOp::InputGrad { g, w } => {
            let (gs, ws) = (g.data::<T>(), w.data::<T>());
            let per_group = w.layout.shape()[0] / p.groups;
            Box::new(move |[n, c, h, v]| {
                let (gl, wl) = (g.layout, w.layout);
                let back = |x: usize, i: usize, d: usize| {
                    let at = (x + p.padding[d]).checked_sub(i * p.dilation[d])?;
                    Some(at / p.stride[d]).filter(|&o| at % p.stride[d] == 0 && o < gl.shape()[2 + d])
                };
                let (group, inner) = (c / wl.shape()[1], c % wl.shape()[1]);
                let mut acc = T::Acc::default();
                for o in group * per_group..(group + 1) * per_group {
                    for i in 0..wl.shape()[2] {
                        let Some(oh) = back(h, i, 0) else { continue };
                        for j in 0..wl.shape()[3] {
                            let Some(ow) = back(v, j, 1) else { continue };
                            let (g, w) =
                                (gs[gl.position(&[n, o, oh, ow])], ws[wl.position(&[o, inner, i, j])]);
                            acc = T::mul_add(g.widen(), w.widen(), acc);
                        }
                    }
                }
                acc
            })
        }
        ConvOp::WeightGrad { g, x } => {
            let (gs, xs) = (g.data::<T>(), x.data::<T>());
            let per_group = shape[0] / p.groups;
            Box::new(move |[o, c, i, j]| {
                let (gl, xl) = (g.layout, x.layout);
                let mut acc = T::Acc::default();
                for n in 0..gl.shape()[0] {
                    for oh in 0..gl.shape()[2] {
                        let Some(h) = tap(oh, i, 0, p, xl.shape()[2]) else { continue };
                        for ow in 0..gl.shape()[3] {
                            let Some(v) = tap(ow, j, 1, p, xl.shape()[3]) else { continue };
                            let x = xs[xl.position(&[n, o / per_group * shape[1] + c, h, v])];
                            acc = T::mul_add(gs[gl.position(&[n, o, oh, ow])].widen(), x.widen(), acc);
                        }
                    }
                }
                acc
            })
        }
    };
    (0..layout.numel()).into_par_iter().with_min_len(64).for_each(|mut i| {
        let mut index = [0; 4];
        for d in (0..4).rev() {
            index[d] = i % shape[d];
            i /= shape[d];
        }
        let at = layout.position(&index);
        assert!(at < out.len());
        // SAFETY: in bounds, and each index has its own element.
        unsafe { *out.at(at) = T::narrow(value(index)) };
    });
}
