use crate::common::*;
use taper_tensor::{DType, Tensor, tensor};

#[test]
fn cat() {
    check(
        &[&[2, 3], &[1, 3], &[0, 3]],
        |x| Tensor::cat(x, 0),
        |x| table(&[3, 3], |i| if i[0] < 2 { x[0].at(i) } else { x[1].at(&[0, i[1]]) }),
    );
    check(
        &[&[2, 1, 2], &[2, 2, 2]],
        |x| Tensor::cat(x, -2),
        |x| table(&[2, 3, 2], |i| if i[1] == 0 { x[0].at(i) } else { x[1].at(&[i[0], i[1] - 1, i[2]]) }),
    );
    check(&[&[3], &[0]], |x| Tensor::cat(x, 0), |x| x[0].clone());
    // A vector without elements fits everything.
    let x = sample(&[2, 2], 0);
    assert_same(&Tensor::cat(&[&x, &Tensor::zeros_with([0], DType::F64)], 1), &x);
    let y = Tensor::cat(&[tensor([1, 2]), tensor([0.5])], 0);
    assert_eq!((y.dtype(), y.to_vec::<f32>()), (DType::F32, vec![1.0, 2.0, 0.5]));
    // Each input gets the gradient in its own dtype.
    let (a, b) = (tensor([1.0]).requires_grad_(true), Tensor::from([2.0f64]).requires_grad_(true));
    let y = Tensor::cat(&[&a, &b], 0);
    assert_eq!(y.dtype(), DType::F64);
    (y.square()).sum().backward();
    assert_eq!((a.grad().unwrap().dtype(), a.grad().unwrap().item()), (DType::F32, 2.0));
    assert_eq!((b.grad().unwrap().dtype(), b.grad().unwrap().item()), (DType::F64, 4.0));
}

#[test]
fn stack() {
    for dim in 0..3 {
        let f = move |x: &[Tensor]| Tensor::stack(x, dim as isize - 3);
        check(&[&[2, 3], &[2, 3]], f, |x| {
            let mut shape = vec![2, 3];
            shape.insert(dim, 2);
            table(&shape, |i| {
                let mut rest = i.to_vec();
                let which = rest.remove(dim);
                x[which].at(&rest)
            })
        });
    }
    check(&[&[], &[], &[]], |x| Tensor::stack(x, 0), |x| table(&[3], |i| x[i[0]].at(&[])));
    let rows = [tensor([1, 2]), tensor([3, 4])];
    assert_eq!(Tensor::hstack(&rows).to_vec::<i64>(), [1, 2, 3, 4]);
    assert_eq!(Tensor::vstack(&rows).shape(), [2, 2]);
    assert_eq!(Tensor::hstack(&[sample(&[2, 1], 0), sample(&[2, 3], 0)]).shape(), [2, 4]);
}

#[test]
fn pieces() {
    let part = |x: &Table, from: usize, n: usize| table(&[2, n], |i| x.at(&[i[0], from + i[1]]));
    check(&[&[2, 5]], |x| x[0].split(2, 1)[2].clone(), |x| part(&x[0], 4, 1));
    check(&[&[2, 5]], |x| x[0].split_with_sizes([1, 0, 4], -1)[2].clone(), |x| part(&x[0], 1, 4));
    check(&[&[2, 5]], |x| x[0].chunk(2, 1)[0].clone(), |x| part(&x[0], 0, 3));
    check(&[&[2, 5]], |x| x[0].unbind(1)[3].clone(), |x| table(&[2], |i| x[0].at(&[i[0], 3])));
    let sizes = |parts: Vec<Tensor>| parts.iter().map(|p| p.size(0)).collect::<Vec<_>>();
    let x = sample(&[7, 2], 0);
    assert_eq!(sizes(x.chunk(3, 0)), [3, 3, 1]);
    assert_eq!(sizes(x.chunk(4, 0)), [2, 2, 2, 1]);
    assert_eq!(sizes(x.chunk(5, 0)), [2, 2, 2, 1]);
    assert_eq!(sizes(x.split(7, 0)), [7]);
    assert_eq!(sizes(x.narrow(0, 0, 0).split(3, 0)), [0]);
    assert_eq!(sizes(x.narrow(0, 0, 0).chunk(2, 0)), [0, 0]);
    assert!(x.split(3, 0).iter().all(|p| p.shares_storage(&x)));
    check_grads(&[sample(&[5], 1)], |x| x[0].split(2, 0));
}

#[test]
fn repeats() {
    check(&[&[2, 3]], |x| x[0].repeat([2, 1, 2]), |x| table(&[2, 2, 6], |i| x[0].at(&[i[1], i[2] % 3])));
    check(&[&[2, 3]], |x| x[0].tile(2), |x| table(&[2, 6], |i| x[0].at(&[i[0], i[1] % 3])));
    check(&[&[2, 3]], |x| x[0].repeat([0, 1]), |_| table(&[0, 3], |_| 0.0));
    check(&[&[]], |x| x[0].repeat([2, 2]), |x| table(&[2, 2], |_| x[0].at(&[])));
    check(&[&[2, 3]], |x| x[0].repeat_interleave(2, -1), |x| table(&[2, 6], |i| x[0].at(&[i[0], i[1] / 2])));
    check(&[&[2, 2]], |x| x[0].repeat_interleave(3, None), |x| table(&[12], |i| x[0].data[i[0] / 3]));
}

#[test]
fn roll() {
    check(&[&[2, 5]], |x| x[0].roll(2, 1), |x| table(&[2, 5], |i| x[0].at(&[i[0], (i[1] + 3) % 5])));
    check(
        &[&[3, 4]],
        |x| x[0].roll([-1, 5], [0, -1]),
        |x| table(&[3, 4], |i| x[0].at(&[(i[0] + 1) % 3, (i[1] + 3) % 4])),
    );
    check(&[&[2, 3]], |x| x[0].roll(-1, []), |x| table(&[2, 3], |i| x[0].data[(i[0] * 3 + i[1] + 1) % 6]));
    assert_eq!(sample(&[0, 3], 0).roll(1, 0).shape(), [0, 3]);
}

#[test]
fn meshgrid() {
    let grids = Tensor::meshgrid(&[tensor([1, 2]), tensor(7), tensor([3, 4, 5])]);
    assert!(grids.iter().all(|g| g.shape() == [2, 1, 3]));
    assert_eq!(grids[0].to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
    assert_eq!(grids[1].to_vec::<i64>(), [7; 6]);
    assert_eq!(grids[2].to_vec::<i64>(), [3, 4, 5, 3, 4, 5]);
    check_grads(&[sample(&[2], 1), sample(&[3], 2)], |x| Tensor::meshgrid(x));
}
