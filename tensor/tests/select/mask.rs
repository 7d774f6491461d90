use crate::common::*;
use taper_tensor::{DType, Tensor, tensor};

fn mask(shape: &[usize]) -> Tensor {
    sample(shape, 3).remainder(2.0).eq(1.0)
}

#[test]
fn nonzero() {
    let x = sample(&[2, 3, 4], 1).remainder(3.0);
    let plain = Table { shape: vec![2, 3, 4], data: x.to_vec() };
    let expected: Vec<i64> = indices(&plain.shape)
        .into_iter()
        .filter(|i| plain.at(i) != 0.0)
        .flatten()
        .map(|i| i as i64)
        .collect();
    for dtype in DType::ALL {
        for x in layouts(&x.to_dtype(dtype)) {
            let found = x.nonzero();
            assert_eq!((found.dtype(), found.size(1)), (DType::I64, 3));
            assert_eq!(found.to_vec::<i64>(), expected);
        }
    }
    assert_eq!(tensor(2.0).nonzero().shape(), [1, 0]);
    assert_eq!(tensor(0.0).nonzero().shape(), [0, 0]);
    assert_eq!(Tensor::zeros([3, 0]).nonzero().shape(), [0, 2]);
    assert_eq!(tensor([f64::NAN, -0.0]).nonzero().to_vec::<i64>(), [0]);
}

#[test]
fn masked() {
    let m = mask(&[3, 4]);
    let chosen: Vec<Vec<usize>> = {
        let m = Table { shape: vec![3, 4], data: m.to_vec() };
        indices(&m.shape).into_iter().filter(|i| m.at(i) != 0.0).collect()
    };
    let n = chosen.len();
    check(&[&[3, 4]], |x| x[0].masked_select(&m), |x| table(&[n], |i| x[0].at(&chosen[i[0]])));
    // Tensor and mask broadcast.
    check(&[&[4]], |x| x[0].masked_select(&m), |x| table(&[n], |i| x[0].at(&chosen[i[0]][1..])));
    let row = Tensor::from_bools(&[true, false], 2);
    check(&[&[3, 2]], |x| x[0].masked_select(&row), |x| table(&[3], |i| x[0].at(&[i[0], 0])));
    assert_eq!(tensor(4.0).masked_select(&tensor(true)).to_vec::<f32>(), [4.0]);
    assert_eq!(tensor(4.0).masked_select(&tensor(false)).shape(), [0]);
    check(
        &[&[3, 4], &[n + 1]],
        |x| x[0].masked_scatter(&m, &x[1]),
        |x| table(&[3, 4], |i| chosen.iter().position(|c| c == i).map_or(x[0].at(i), |k| x[1].at(&[k]))),
    );
    check(
        &[&[3, 4], &[]],
        |x| x[0].masked_fill(&m, &x[1]),
        |x| table(&[3, 4], |i| if chosen.iter().any(|c| c == i) { x[1].at(&[]) } else { x[0].at(i) }),
    );
}
