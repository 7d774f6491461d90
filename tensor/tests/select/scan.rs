use crate::common::*;
use taper_tensor::{DType, Tensor, tensor};

fn running(x: &Table, dim: usize, f: impl Fn(f64, f64) -> f64) -> Table {
    table(&x.shape, |i| {
        let mut at = i.to_vec();
        let each = (0..=i[dim]).map(|k| {
            at[dim] = k;
            x.at(&at)
        });
        each.reduce(&f).expect("at least one")
    })
}

fn check_scan(f: impl Fn(&Tensor, isize) -> Tensor, combine: impl Fn(f64, f64) -> f64) {
    for shape in [&[5][..], &[2, 3, 4], &[3, 0]] {
        for dim in 0..shape.len() {
            // Small enough for every product to be exact.
            let x = sample(shape, 1).remainder(3.0);
            let expected =
                running(&Table { shape: shape.to_vec(), data: x.to_vec() }, dim, &combine).tensor();
            for dtype in DType::ALL {
                let kind = if dtype.is_float() { dtype } else { DType::I64 };
                let expected = match dtype {
                    DType::Bool => {
                        let x = x.to_dtype(dtype).to_dtype(DType::F64);
                        running(&Table { shape: shape.to_vec(), data: x.to_vec() }, dim, &combine).tensor()
                    }
                    _ => expected.clone(),
                };
                for x in layouts(&x.to_dtype(dtype)) {
                    assert_same(&f(&x, dim as isize - shape.len() as isize), &expected.to_dtype(kind));
                }
            }
        }
    }
    assert_eq!(f(&tensor(3.0), -1).item(), 3.0);
}

#[test]
fn cumsum() {
    check_scan(|x, dim| x.cumsum(dim), |a, b| a + b);
    check_grads(&[sample(&[2, 3, 2], 1) * 0.01, tensor(2.0).to_dtype(DType::F64)], |x| {
        vec![x[0].cumsum(1), x[0].cumsum(-1).square(), x[1].cumsum(0)]
    });
}

#[test]
fn cumprod() {
    check_scan(|x, dim| x.cumprod(dim), |a, b| a * b);
    // One, two and no zeros, in front, inside and last.
    let x = Tensor::from([
        [0.5, -1.2, 2.0, 0.3, 1.1],
        [0.0, 1.5, 0.7, -0.2, 0.9],
        [1.1, 0.0, 0.7, 0.0, 2.0],
        [1.3, -0.4, 0.8, 1.9, 0.0],
    ]);
    check_grads(&[x.clone()], |x| vec![x[0].cumprod(1)]);
    check_grads(&[layouts(&x)[1].clone()], |x| vec![x[0].cumprod(0)]);
    check_grads(&[Tensor::from(2.0f64)], |x| vec![x[0].cumprod(0)]);
    check_grads(&[sample(&[2, 1], 1)], |x| vec![x[0].cumprod(1)]);
}

#[test]
fn diff() {
    check(&[&[2, 4]], |x| x[0].diff(0, -1), |x| x[0].clone());
    let x = sample(&[3, 4], 1);
    let once = |x: &Table| table(&[3, x.shape[1] - 1], |i| x.at(&[i[0], i[1] + 1]) - x.at(i));
    let plain = Table { shape: vec![3, 4], data: x.to_vec() };
    assert_same(&x.diff(1, -1), &once(&plain).tensor());
    assert_same(&x.diff(2, 1), &once(&once(&plain)).tensor());
    assert_eq!(x.diff(5, 1).shape(), [3, 0]);
    let bools = Tensor::from_bools(&[true, true, false], 3);
    assert_eq!(bools.diff(1, 0).to_vec::<bool>(), [false, true]);
    check_grads(&[x], |x| vec![x[0].diff(2, 0)]);
}
