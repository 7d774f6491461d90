//! Sort and top-k.

use crate::both::*;
use crate::operand::{Numbers, Operand};
use crate::support::{SAME, asked};
use taper_kernels::DType;

#[test]
fn sort_and_topk() {
    let mut rng = Numbers(50);
    for dtype in asked(DType::ALL) {
        for (shape, axis, k) in [
            (&[3, 2500][..], 1, 2500),
            (&[5, 7], 1, 3),
            (&[6, 4, 3], 1, 4),
            (&[1100, 2], 0, 9),
            (&[4, 1], 1, 1),
            (&[2, 5], 1, 0),
            (&[0, 5], 1, 5),
        ] {
            for down in [false, true] {
                let mut x = Operand::random(&mut rng, shape, dtype, true);
                if dtype.is_float() && shape == [5, 7] {
                    x.set(&[0, 3], f64::NAN);
                    x.set(&[1, 2], -0.0);
                    x.set(&[1, 4], 0.0);
                    x.set(&[2, 0], f64::INFINITY);
                    x.set(&[2, 1], f64::NEG_INFINITY);
                }
                let mut to = shape.to_vec();
                to[axis] = k;
                let values = Operand::random(&mut rng, &to, dtype, false);
                let indices = Operand::random(&mut rng, &to, DType::I64, false);
                both(&[x, values, indices], SAME, |be, o| {
                    let [x, values, indices] = o else { panic!("three") };
                    let (values, indices) = (values.view_mut(), indices.view_mut());
                    match k == shape[axis] {
                        true => be.sort(x.view(), axis, down, values, indices),
                        false => be.topk(x.view(), axis, down, values, indices),
                    }
                });
            }
        }
    }
}
