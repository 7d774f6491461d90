use crate::common::*;
use taper_tensor::{DType, Ellipsis, IndexItem, NewAxis, Slice, Tensor, tensor};

const SHAPE: &[usize] = &[3, 4, 2];

#[test]
fn views() {
    let shape = [SHAPE];
    check(&shape, |x| x[0].index(1), |x| table(&[4, 2], |i| x[0].at(&[1, i[0], i[1]])));
    check(&shape, |x| x[0].index((-1, 1..3)), |x| table(&[2, 2], |i| x[0].at(&[2, i[0] + 1, i[1]])));
    check(&shape, |x| x[0].index((.., ..=-2, 0)), |x| table(&[3, 3], |i| x[0].at(&[i[0], i[1], 0])));
    check(&shape, |x| x[0].index((Ellipsis, ..=-1)), |x| x[0].clone());
    check(&shape, |x| x[0].index((Ellipsis, 1)), |x| table(&[3, 4], |i| x[0].at(&[i[0], i[1], 1])));
    check(&shape, |x| x[0].index(()), |x| x[0].clone());
    check(
        &shape,
        |x| x[0].index((Slice::new(None, None, 2), Slice::new(None, 0, -1))),
        |x| table(&[2, 3, 2], |i| x[0].at(&[i[0] * 2, 3 - i[1], i[2]])),
    );
    check(
        &shape,
        |x| x[0].index((NewAxis, .., NewAxis, 2, Ellipsis, NewAxis)),
        |x| table(&[1, 3, 1, 2, 1], |i| x[0].at(&[i[1], 2, i[3]])),
    );
    check(
        &shape,
        |x| x[0].index((1..100, -100..2)),
        |x| table(&[2, 2, 2], |i| x[0].at(&[i[0] + 1, i[1], i[2]])),
    );
    check(&shape, |x| x[0].index(5..9), |_| table(&[0, 4, 2], |_| 0.0));
    let x = sample(SHAPE, 0);
    assert!(x.index((0, 1.., Ellipsis)).shares_storage(&x));
    let one: usize = 1;
    assert_eq!(x.index((one, ..one)).shape(), [1, 2]);
    let items: Vec<IndexItem> = vec![1.into(), NewAxis.into(), (..2).into()];
    assert_eq!(x.index(&items[..]).shape(), [1, 2, 2]);
    assert_eq!(tensor(1.0).index((NewAxis, Ellipsis)).shape(), [1]);
}

#[test]
fn positions() {
    let shape = [SHAPE];
    let t = |v: &[i64]| Tensor::from_slice(v, v.len());
    check(
        &shape,
        |x| x[0].index(tensor([[0, -1], [1, 1]])),
        |x| table(&[2, 2, 4, 2], |i| x[0].at(&[[[0, 2], [1, 1]][i[0]][i[1]], i[2], i[3]])),
    );
    check(
        &shape,
        |x| x[0].index((.., &t(&[3, 0]))),
        |x| table(&[3, 2, 2], |i| x[0].at(&[i[0], [3, 0][i[1]], i[2]])),
    );
    check(
        &shape,
        |x| x[0].index((&t(&[0, 2, 2]), &t(&[-3, 3, 3]))),
        |x| table(&[3, 2], |i| x[0].at(&[[0, 2, 2][i[0]], [1, 3, 3][i[0]], i[1]])),
    );
    // Broadcasting of positions.
    check(
        &shape,
        |x| x[0].index((&tensor([[0], [2]]), &t(&[1, 3]))),
        |x| table(&[2, 2, 2], |i| x[0].at(&[[0, 2][i[0]], [1, 3][i[1]], i[2]])),
    );
    // Adjacent ones stay in place …
    check(
        &shape,
        |x| x[0].index((.., &t(&[1, 3, 0]), &t(&[1, 0, 0]))),
        |x| table(&[3, 3], |i| x[0].at(&[i[0], [1, 3, 0][i[1]], [1, 0, 0][i[1]]])),
    );
    // … others go to the front.
    check(
        &shape,
        |x| x[0].index((&t(&[0, 2, 2]), .., &t(&[1, 0, 0]))),
        |x| table(&[3, 4], |i| x[0].at(&[[0, 2, 2][i[0]], i[1], [1, 0, 0][i[0]]])),
    );
    check(
        &shape,
        |x| x[0].index((&t(&[0, 2]), NewAxis, &t(&[1, 0]))),
        |x| table(&[2, 1, 2], |i| x[0].at(&[[0, 2][i[0]], [1, 0][i[0]], i[2]])),
    );
    check(
        &shape,
        |x| x[0].index((&t(&[2, 0]), Slice::new(None, None, -2), &t(&[1, 1]))),
        |x| table(&[2, 2], |i| x[0].at(&[[2, 0][i[0]], 3 - 2 * i[1], 1])),
    );
    // Over parts that run backwards.
    check(
        &shape,
        |x| x[0].index((&t(&[2, 0]), ..)).flip([0, 1]).index((&t(&[0, 1]), &t(&[0, 3]))),
        |x| table(&[2, 2], |i| x[0].at(&[[0, 2][i[0]], [3, 0][i[0]], i[1]])),
    );
    check(
        &shape,
        |x| {
            x[0].index((Slice::new(None, None, -1), Slice::new(None, None, -2)))
                .index((&t(&[0, 1]), &t(&[0, 1])))
        },
        |x| table(&[2, 2], |i| x[0].at(&[[2, 1][i[0]], [3, 1][i[0]], i[1]])),
    );
    // An integer, and a 0-d tensor, is no tensor of positions.
    check(
        &shape,
        |x| x[0].index((1, .., &t(&[0, 1, 1]))),
        |x| table(&[4, 3], |i| x[0].at(&[1, i[0], [0, 1, 1][i[1]]])),
    );
    check(&shape, |x| x[0].index((&tensor(-1), ..2)), |x| table(&[2, 2], |i| x[0].at(&[2, i[0], i[1]])));
    check(&shape, |x| x[0].index(t(&[])), |_| table(&[0, 4, 2], |_| 0.0));
    check(&[&[2, 0]], |x| x[0].index((&t(&[1, 1, 0]), ..)), |_| table(&[3, 0], |_| 0.0));
    let i32s = tensor([1]).to_dtype(DType::I32);
    check(&shape, |x| x[0].index(&i32s), |x| table(&[1, 4, 2], |i| x[0].at(&[1, i[1], i[2]])));
}

#[test]
fn masks() {
    let rows = Tensor::from_bools(&[true, false, true], 3);
    check(&[SHAPE], |x| x[0].index(&rows), |x| table(&[2, 4, 2], |i| x[0].at(&[i[0] * 2, i[1], i[2]])));
    let plane = sample(&[4, 2], 2).remainder(2.0).eq(1.0);
    let chosen: Vec<Vec<usize>> = {
        let m = Table { shape: vec![4, 2], data: plane.to_vec() };
        indices(&m.shape).into_iter().filter(|i| m.at(i) != 0.0).collect()
    };
    let n = chosen.len();
    for mask in layouts(&plane) {
        check(
            &[SHAPE],
            |x| x[0].index((.., &mask)),
            |x| table(&[3, n], |i| x[0].at(&[i[0], chosen[i[1]][0], chosen[i[1]][1]])),
        );
    }
    check(
        &[SHAPE],
        |x| x[0].index((&rows, &tensor([3, 1]), 1)),
        |x| table(&[2], |i| x[0].at(&[i[0] * 2, [3, 1][i[0]], 1])),
    );
    check(&[SHAPE], |x| x[0].index(rows.logical_and(false)), |_| table(&[0, 4, 2], |_| 0.0));
    check(&[&[2]], |x| x[0].index(tensor(true)), |x| table(&[1, 2], |i| x[0].at(&i[1..])));
    check(&[&[2]], |x| x[0].index((&tensor(false), 0)), |_| table(&[0], |_| 0.0));
}

/// The table with `value(index in the part)` written where `part` of the row-major numbers says.
fn written(x: &Table, part: &Tensor, value: impl Fn(&[usize]) -> f64) -> Table {
    let mut out = x.clone();
    for (at, i) in part.to_vec::<i64>().into_iter().zip(indices(part.shape())) {
        out.data[at as usize] = value(&i);
    }
    out
}

#[test]
fn assignment() {
    let numbers = Tensor::arange(0, 12, 1).reshape([3, 4]);
    macro_rules! case {
        ($index:expr, $value:expr, |$v:ident, $i:ident| $at:expr) => {{
            let value: &[usize] = &$value;
            let naive = |x: &[Table]| {
                let $v = &x[1];
                written(&x[0], &numbers.index($index), |$i| $at)
            };
            let in_place = |x: &[Tensor]| {
                // Not a leaf, as those that require grad are not written to.
                let mut y = &x[0] + x[0].zeros_like();
                y.set($index, &x[1]);
                y.to_dtype(x[0].dtype())
            };
            check(&[&[3, 4], value], in_place, naive);
            check(&[&[3, 4], value], |x| x[0].index_put($index, &x[1], false), naive);
        }};
    }
    case!(1, [4], |v, i| v.at(i));
    case!((0..2, Slice::new(None, None, 2)), [2, 1], |v, i| v.at(&[i[0], 0]));
    case!((Ellipsis, -1), [], |v, _i| v.at(&[]));
    case!((.., Slice::new(None, None, -1)), [1, 1, 3, 4], |v, i| v.at(&[0, 0, i[0], i[1]]));
    case!((NewAxis, 2), [4], |v, i| v.at(&[i[1]]));
    case!(&tensor([2, 0]), [2, 4], |v, i| v.at(i));
    case!((&tensor([2, 0]), &tensor([1, -1])), [2], |v, i| v.at(i));
    case!((&tensor([[2], [0]]), &tensor([1, 3])), [2], |v, i| v.at(&i[1..]));
    case!((1.., &tensor([0, 3, 1])), [2, 3], |v, i| v.at(i));
    case!((Slice::new(None, None, -1), &tensor([0, 3])), [3, 1], |v, i| v.at(&[i[0], 0]));
    let mask = numbers.remainder(3).eq(1);
    case!(&mask, [4], |v, i| v.at(i));
    case!(&mask, [], |v, _i| v.at(&[]));
    case!((.., &Tensor::from_bools(&[true, false, false, true], 4)), [3, 2], |v, i| v.at(i));
    case!(&tensor([0, 1]).narrow(0, 0, 0), [0, 4], |v, i| v.at(i));
}

#[test]
fn repeated_positions() {
    let index = tensor([1, 0, 1]);
    let x = sample(&[2, 2], 1);
    // Written, the last stays; added, all count.
    let v = Tensor::from([1.0f64, 2.0, 4.0]).unsqueeze(1);
    let put = x.index_put(&index, &v, false) - x.index_put(&index, 0, false);
    assert_eq!(put.to_vec::<f64>(), [2.0, 2.0, 4.0, 4.0]);
    assert_eq!((x.index_put(&index, &v, true) - &x).to_vec::<f64>(), [2.0, 2.0, 5.0, 5.0]);
    let mut y = x.clone();
    y.index_put_((&index, 0), v.squeeze(1), true);
    assert_eq!((y - &x).to_vec::<f64>(), [2.0, 0.0, 5.0, 0.0]);
    check_grads(&[x, v], |x| {
        let mut view = x[0].square();
        view.index_put_((.., 0), x[1].select(1, 0).narrow(0, 0, 2), true);
        vec![x[0].index_put(&index, &x[1], true).square(), view, x[0].index((&index, &index)).square()]
    });
}

#[test]
fn values_are_not_shared() {
    let x = sample(&[2, 3], 0);
    let before = x.to_vec::<f64>();
    let mut y = x.clone();
    y.set(0, 7).set((.., 2), -1.5);
    assert_eq!(x.to_vec::<f64>(), before);
    assert_eq!(y.to_vec::<f64>(), [7.0, 7.0, -1.5, before[3], before[4], -1.5]);
    // From itself.
    let own = y.index((.., Slice::new(None, None, -1)));
    y.set(.., &own);
    assert_eq!(y.to_vec::<f64>(), [-1.5, 7.0, 7.0, -1.5, before[4], before[3]]);
    // A repeated row is one only in memory.
    let mut z = tensor([1.0, 2.0]).broadcast_to([2, 2]);
    z.set((0, 0), 5);
    assert_eq!(z.to_vec::<f32>(), [5.0, 2.0, 1.0, 2.0]);
    // Values are cast.
    let mut n = tensor([1, 2, 3]);
    n.set(1.., 2.7).set(0, tensor(9.9));
    assert_eq!((n.dtype(), n.to_vec::<i64>()), (DType::I64, vec![9, 2, 2]));
    // A value that needs a gradient brings the tensor onto the tape.
    let v = tensor([3.0, 4.0]).requires_grad_(true);
    let mut z = Tensor::zeros([2, 2]);
    z.set((.., 1), &v);
    z.square().sum().backward();
    assert_eq!(v.grad().unwrap().to_vec::<f32>(), [6.0, 8.0]);
}
