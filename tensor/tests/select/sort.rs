use crate::common::*;
use taper_tensor::{DType, Tensor, tensor};

/// The line of a table through an index, with the positions in order.
fn ordered(x: &Table, i: &[usize], dim: usize, descending: bool) -> Vec<(f64, usize)> {
    let mut at = i.to_vec();
    let mut line: Vec<(f64, usize)> = (0..x.shape[dim])
        .map(|k| {
            at[dim] = k;
            (x.at(&at), k)
        })
        .collect();
    let compare = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(&b).unwrap(),
        (a, b) => a.cmp(&b),
    };
    line.sort_by(|a, b| if descending { compare(b.0, a.0) } else { compare(a.0, b.0) });
    line
}

#[test]
fn sort_and_topk() {
    for shape in [&[7][..], &[3, 4], &[2, 3, 2], &[2, 0], &[0, 2]] {
        // With repeated values.
        let x = sample(shape, 1).remainder(5.0);
        for dtype in DType::ALL {
            let x = x.to_dtype(dtype);
            let plain = Table { shape: shape.to_vec(), data: x.to_vec() };
            for (dim, descending) in (0..shape.len()).flat_map(|d| [(d, false), (d, true)]) {
                let k = shape[dim] / 2;
                let line = |i: &[usize]| ordered(&plain, i, dim, descending)[i[dim]];
                let values = table(shape, |i| line(i).0).tensor().to_dtype(dtype);
                let positions = table(shape, |i| line(i).1 as f64).tensor().to_dtype(DType::I64);
                let first = |t: &Tensor| t.narrow(dim as isize, 0, k);
                for x in layouts(&x) {
                    let (v, i) = x.sort(dim as isize, descending);
                    assert_same(&v, &values);
                    assert_same(&i, &positions);
                    assert_same(&x.argsort(dim as isize - shape.len() as isize, descending), &positions);
                    let (v, i) = x.topk(k, dim as isize, descending);
                    assert_same(&v, &first(&values));
                    assert_same(&i, &first(&positions));
                }
            }
        }
    }
    let x = tensor([1.0, f64::NAN, -2.0, f64::INFINITY]);
    assert_eq!(x.argsort(0, false).to_vec::<i64>(), [2, 0, 3, 1]);
    assert_eq!(x.topk(2, 0, true).1.to_vec::<i64>(), [1, 3]);
    let (v, i) = tensor(3.0).sort(-1, true);
    assert_eq!((v.shape(), v.item(), i.item()), (&[][..], 3.0, 0.0));
}

#[test]
fn derivatives() {
    let x = sample(&[3, 4], 1) * 0.01;
    check_grads(&[x], |x| {
        let (a, b) = (x[0].sort(0, true).0, x[0].topk(2, 1, false).0);
        vec![a.square(), b, x[0].kthvalue(3, 1, false).0, x[0].median_dim(0, true).0, x[0].median()]
    });
}

#[test]
fn ranks() {
    let x = tensor([[5.0, 1.0, 3.0, 2.0], [0.0, f64::NAN, 7.0, 4.0]]);
    let (v, i) = x.kthvalue(2, 1, false);
    assert_eq!((v.to_vec::<f32>(), i.to_vec::<i64>()), (vec![2.0, 4.0], vec![3, 3]));
    let (v, i) = x.median_dim(1, true);
    assert_eq!((v.shape(), i.to_vec::<i64>()), (&[2, 1][..], vec![3, 1]));
    assert!(v.to_vec::<f32>()[0] == 2.0 && v.to_vec::<f32>()[1].is_nan());
    assert!(x.median().item().is_nan());
    assert_eq!(tensor([4, 1, 3]).median().item(), 3.0);
    assert_eq!(tensor(4.0).kthvalue(1, 0, false).0.item(), 4.0);
    assert_eq!(tensor(4.0).median().item(), 4.0);
}

#[test]
fn unique() {
    for dtype in DType::ALL {
        let x = sample(&[4, 5], 1).remainder(4.0).to_dtype(dtype);
        let mut values = x.to_vec::<f64>();
        values.sort_by(f64::total_cmp);
        values.dedup();
        for x in layouts(&x) {
            let u = x.unique_all();
            assert_eq!((u.values.dtype(), u.values.to_vec::<f64>()), (dtype, values.clone()));
            assert_same(&u.values.index(&u.inverse), &x);
            let count = |v: &f64| x.to_vec::<f64>().iter().filter(|x| *x == v).count() as i64;
            assert_eq!(u.counts.to_vec::<i64>(), values.iter().map(count).collect::<Vec<_>>());
        }
    }
    let empty = Tensor::zeros([0, 3]).unique_all();
    assert_eq!(
        (empty.values.shape(), empty.inverse.shape(), empty.counts.shape()),
        (&[0][..], &[0, 3][..], &[0][..])
    );
    assert_eq!(tensor(2.0).unique_all().counts.to_vec::<i64>(), [1]);
    assert_eq!(tensor([f64::NAN, f64::NAN]).unique().numel(), 2);
}
