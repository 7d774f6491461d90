use crate::common::*;
use taper_tensor::{DType, Tensor, tensor};

#[test]
fn gather_and_scatter() {
    let plain = table(&[2, 3], |i| [[0.0, 2.0, 1.0], [2.0, 2.0, 0.0]][i[0]][i[1]]);
    let k = |i: &[usize]| plain.at(i) as usize;
    for index in layouts(&plain.tensor().to_dtype(DType::I64)) {
        check(&[&[3, 4]], |x| x[0].gather(0, &index), |x| table(&[2, 3], |i| x[0].at(&[k(i), i[1]])));
        check(&[&[2, 5]], |x| x[0].gather(-1, &index), |x| table(&[2, 3], |i| x[0].at(&[i[0], k(i)])));
        // The source is larger than the index; of repeated positions the last stays.
        let last = |i: &[usize], d: usize| {
            indices(&[2, 3]).into_iter().rfind(|j| k(j) == i[d] && j[1 - d] == i[1 - d])
        };
        for d in 0..2 {
            check_values(
                &[&[3, 4], &[2, 4]],
                |x| x[0].scatter(d as isize, &index, &x[1]),
                |x| table(&[3, 4], |i| last(i, d).map_or(x[0].at(i), |j| x[1].at(&j))),
            );
            check(
                &[&[3, 4]],
                |x| x[0].scatter(d as isize, &index, 1),
                |x| table(&[3, 4], |i| last(i, d).map_or(x[0].at(i), |_| 1.0)),
            );
        }
        for d in 0..2 {
            check_values(
                &[&[3, 4], &[2, 4]],
                |x| x[0].scatter_add(d as isize, &index, &x[1]),
                |x| {
                    table(&[3, 4], |i| {
                        let added =
                            indices(&[2, 3]).into_iter().filter(|j| k(j) == i[d] && j[1 - d] == i[1 - d]);
                        x[0].at(i) + added.map(|j| x[1].at(&j)).sum::<f64>()
                    })
                },
            );
        }
    }
    check_grads(&[sample(&[3, 4], 1), sample(&[2, 4], 2)], |x| {
        let index = tensor([[0, 2, 1], [2, 2, 0]]);
        let distinct = tensor([[0, 2, 1], [2, 0, 2]]);
        vec![
            x[0].scatter_add(0, &index, &x[1]).square(),
            x[0].scatter(0, &distinct, &x[1]).square(),
            x[0].gather(0, &index).square(),
        ]
    });
    let distinct = tensor([[0, 2, 1], [2, 0, 1]]);
    check_grads(&[sample(&[2, 4], 1), sample(&[2, 3], 2)], |x| vec![x[0].scatter(1, &distinct, &x[1])]);
    check(&[&[]], |x| x[0].gather(0, &tensor(0)), |x| x[0].clone());
    check(&[&[], &[]], |x| x[0].scatter(0, &tensor(0), &x[1]), |x| x[1].clone());
    assert_eq!(Tensor::zeros([2, 3]).gather(1, &Tensor::zeros_with([2, 0], DType::I64)).shape(), [2, 0]);
}

/// Values in all dtypes and layouts, without derivatives. A sum of bools is their disjunction, as a cast of
/// the sum of numbers is.
#[track_caller]
fn check_values(shapes: &[&[usize]], f: impl Fn(&[Tensor]) -> Tensor, naive: impl Fn(&[Table]) -> Table) {
    let inputs: Vec<Tensor> =
        shapes.iter().enumerate().map(|(i, s)| sample(s, i + 1).remainder(20.0)).collect();
    let tables: Vec<Table> =
        inputs.iter().map(|x| Table { shape: x.shape().to_vec(), data: x.to_vec() }).collect();
    let expected = naive(&tables).tensor();
    for dtype in DType::ALL {
        for form in 0..4 {
            let x: Vec<Tensor> = inputs.iter().map(|x| layouts(&x.to_dtype(dtype))[form].clone()).collect();
            assert_same(&f(&x), &expected.to_dtype(dtype));
        }
    }
}

#[test]
fn along() {
    let x = sample(&[3, 4], 1);
    let order = x.argsort(0, false);
    assert_same(&x.take_along_dim(&order, 0), &x.sort(0, false).0);
    // The index broadcasts with the tensor.
    let index = tensor([[2, 0]]);
    check(
        &[&[3, 4]],
        |x| x[0].take_along_dim(&index, 1),
        |x| table(&[3, 2], |i| x[0].at(&[i[0], [2, 0][i[1]]])),
    );
    check(
        &[&[1, 4]],
        |x| x[0].take_along_dim(&tensor([[1], [3]]), 1),
        |x| table(&[2, 1], |i| x[0].at(&[0, [1, 3][i[0]]])),
    );
    check(
        &[&[2, 3]],
        |x| x[0].take_along_dim(&tensor([5, 0, 5]), None),
        |x| table(&[3], |i| x[0].data[[5, 0, 5][i[0]]]),
    );
    check(
        &[&[2, 3]],
        |x| x[0].take(&tensor([[5, 0], [-1, -6]])),
        |x| table(&[2, 2], |i| x[0].data[[[5, 0], [5, 0]][i[0]][i[1]]]),
    );
    check(&[&[2, 3]], |x| x[0].take(&tensor(4)), |x| table(&[], |_| x[0].data[4]));
}

#[test]
fn slices() {
    let rows = [2usize, 0, 2];
    for index in [tensor([2, 0, 2]), tensor([2, 0, 2]).to_dtype(DType::I32)] {
        check(
            &[&[2, 3, 2]],
            |x| x[0].index_select(1, &index),
            |x| table(&[2, 3, 2], |i| x[0].at(&[i[0], rows[i[1]], i[2]])),
        );
        let added = |x: &[Table]| {
            table(&[3, 4], |i| {
                let from = (0..3).filter(|&k| rows[k] == i[0]);
                x[0].at(i) + from.map(|k| x[1].at(&[k, i[1]])).sum::<f64>()
            })
        };
        check_values(&[&[3, 4], &[3, 4]], |x| x[0].index_add(0, &index, &x[1]), added);
        let copied = |x: &[Table]| {
            let from = |i: &[usize]| (0..3).rfind(|&k| rows[k] == i[0]);
            table(&[3, 4], |i| from(i).map_or(x[0].at(i), |k| x[1].at(&[k, i[1]])))
        };
        check_values(&[&[3, 4], &[3, 4]], |x| x[0].index_copy(-2, &index, &x[1]), copied);
        let filled = |x: &[Table]| table(&[2, 3], |i| if rows.contains(&i[1]) { 1.0 } else { x[0].at(i) });
        check(&[&[2, 3]], |x| x[0].index_fill(1, &index, 1), filled);
    }
    check(&[&[3]], |x| x[0].index_select(0, &tensor(1)), |x| table(&[1], |_| x[0].at(&[1])));
    check(&[&[]], |x| x[0].index_select(0, &tensor([0])), |x| x[0].clone());
    check(
        &[&[3, 2]],
        |x| x[0].index_select(0, &Tensor::zeros_with([0], DType::I64)),
        |_| table(&[0, 2], |_| 0.0),
    );
    let distinct = tensor([2, 0]);
    check_grads(&[sample(&[3, 2], 1), sample(&[2, 2], 2)], |x| {
        vec![
            x[0].index_add(0, &tensor([1, 1]), &x[1]).square(),
            x[0].index_copy(0, &distinct, &x[1]).square(),
            x[0].index_fill(0, &distinct, x[1].select(0, 0).select(0, 1)).square(),
        ]
    });
}

#[test]
fn embedding() {
    let index = tensor([[1, 0, 1], [2, 1, 1]]);
    let rows = [[1usize, 0, 1], [2, 1, 1]];
    check(
        &[&[3, 2]],
        |x| Tensor::embedding(&index, &x[0], None),
        |x| table(&[2, 3, 2], |i| x[0].at(&[rows[i[0]][i[1]], i[2]])),
    );
    check(
        &[&[3, 2]],
        |x| Tensor::embedding(&tensor(2), &x[0], None),
        |x| table(&[2], |i| x[0].at(&[2, i[0]])),
    );
    assert_eq!(Tensor::embedding(&index.narrow(1, 0, 0), &sample(&[3, 2], 0), None).shape(), [2, 0, 2]);
    // The padding row has a value and no gradient, at every order.
    let w = sample(&[3, 2], 1).requires_grad_(true);
    for padding in [1, -2] {
        w.zero_grad();
        Tensor::embedding(&index, &w, padding).sum().backward();
        assert_eq!(w.grad().unwrap().to_vec::<f64>(), [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    }
}

#[test]
fn classes() {
    let x = tensor([[0, 2], [1, 0]]);
    let expected = table(&[2, 2, 3], |i| ([[0, 2], [1, 0]][i[0]][i[1]] == i[2]) as u8 as f64).tensor();
    assert_same(&x.one_hot(None), &expected.to_dtype(DType::I64));
    assert_eq!(x.one_hot(5).shape(), [2, 2, 5]);
    assert_eq!(tensor(1).to_dtype(DType::I32).one_hot(2).to_vec::<i64>(), [0, 1]);
    assert_eq!(Tensor::zeros_with([0], DType::I64).one_hot(3).shape(), [0, 3]);
    assert_eq!(tensor([1, 3, 1]).bincount(0).to_vec::<i64>(), [0, 2, 0, 1]);
    assert_eq!(tensor([1]).bincount(3).to_vec::<i64>(), [0, 1, 0]);
    assert_eq!(Tensor::zeros_with([0], DType::I64).bincount(0).shape(), [0]);
}
