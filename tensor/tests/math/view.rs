use crate::common::*;
use taper_tensor::Tensor;

#[test]
fn share_memory_until_written() {
    let x = randn(&[2, 3, 4], 1);
    for y in [
        x.reshape([6, 4]),
        x.permute([2, 0, 1]),
        x.transpose(0, -1),
        x.narrow(1, 1, 2),
        x.select(-1, -1),
        x.slice(2, None, None, -2),
        x.flip([0, 1]),
        x.unsqueeze(1),
        x.unsqueeze(-1).squeeze(-1),
        x.flatten(0, 1),
        x.unflatten(2, [2, -1]),
        x.unsqueeze(0).expand([5, -1, -1, -1]),
        x.movedim(0, 2),
        x.mt(),
        x.detach(),
    ] {
        assert!(y.shares_storage(&x), "{:?}", y.shape());
    }
    assert!(!x.transpose(0, 1).reshape(24).shares_storage(&x));
    assert!(panic_of(|| x.transpose(0, 1).view(24)).contains("without a copy; use reshape"));
}

#[test]
fn values() {
    let x = Tensor::arange(0, 24, 1).reshape([2, 3, 4]);
    let data = x.to_vec::<f64>();
    let of = |shape: &[usize], f: &dyn Fn(&[usize]) -> [usize; 3]| {
        table(shape, |i| at(&data, &[2, 3, 4], &f(i))).to_dtype(taper_tensor::DType::I64)
    };
    assert!(x.permute([2, 0, 1]).equal(&of(&[4, 2, 3], &|i| [i[1], i[2], i[0]])));
    assert!(x.movedim(0, -1).equal(&of(&[3, 4, 2], &|i| [i[2], i[0], i[1]])));
    assert!(x.transpose(0, -1).equal(&of(&[4, 3, 2], &|i| [i[2], i[1], i[0]])));
    assert!(x.narrow(-1, -3, 2).equal(&of(&[2, 3, 2], &|i| [i[0], i[1], i[2] + 1])));
    assert!(x.slice(1, None, None, -1).equal(&of(&[2, 3, 4], &|i| [i[0], 2 - i[1], i[2]])));
    assert!(x.slice(2, 3, 0, -2).equal(&of(&[2, 3, 2], &|i| [i[0], i[1], 3 - 2 * i[2]])));
    assert!(x.slice(2, -3, 100, 2).equal(&of(&[2, 3, 2], &|i| [i[0], i[1], 1 + 2 * i[2]])));
    assert!(x.flip([0, 2]).equal(&of(&[2, 3, 4], &|i| [1 - i[0], i[1], 3 - i[2]])));
    assert!(x.transpose(0, 1).reshape([3, -1]).equal(&of(&[3, 8], &|i| [i[1] / 4, i[0], i[1] % 4])));
    assert!(x.select(1, -1).equal(&of(&[2, 4], &|i| [i[0], 2, i[1]])));
    assert!(x.flip([1]).reshape(24).narrow(0, 0, 4).equal(&x.index((0, 2))));
    assert_eq!(x.slice(0, 1, 1, 1).shape(), [0, 3, 4]);
    assert_eq!(x.squeeze(0).shape(), [2, 3, 4]);
    assert_eq!(Tensor::zeros([1, 2, 1]).squeeze_all().shape(), [2]);
    assert_eq!((Tensor::zeros(()).flatten(0, -1).shape(), x.size(-1)), (&[1][..], 4));
}

#[test]
fn derivatives() {
    let x = || [randn(&[2, 3, 4], 1)];
    check_grads(&x(), |x| x[0].reshape([4, -1]).square());
    check_grads(&x(), |x| x[0].transpose(0, 1).reshape([6, 4]).square());
    check_grads(&x(), |x| x[0].permute([2, 0, 1]).square());
    check_grads(&x(), |x| x[0].transpose(0, -1).square());
    check_grads(&x(), |x| x[0].narrow(1, 1, 2).square());
    check_grads(&x(), |x| x[0].select(-1, 2).square());
    check_grads(&x(), |x| x[0].slice(2, None, None, -2).square());
    check_grads(&x(), |x| x[0].flip([0, 2]).square());
    check_grads(&x(), |x| x[0].unsqueeze(1).squeeze(1).square());
    check_grads(&x(), |x| x[0].unflatten(2, [2, 2]).flatten(0, 1).square());
    check_grads(&x(), |x| x[0].unsqueeze(0).expand([2, -1, -1, -1]).square());
    check_grads(&[randn(&[3, 1], 1)], |x| x[0].broadcast_to([2, 3, 4]).square());
    check_grads(&x(), |x| x[0].narrow(0, 0, 0).square());
    check_grads(&x(), |x| x[0].permute([1, 0, 2]).contiguous().square());
}

#[test]
fn errors() {
    let x = Tensor::zeros([2, 3]);
    assert_eq!(panic_of(|| x.reshape([4, -1])), "reshape: shape [2, 3] (6 elements) cannot become [4, -1]");
    assert!(panic_of(|| x.permute([0, 0])).contains("does not name each of the 2 dimensions of [2, 3] once"));
    assert!(panic_of(|| x.select(1, 3)).contains("index 3 is out of bounds for dimension 1 with size 3"));
    assert!(panic_of(|| x.narrow(1, 2, 2)).contains("start 2 and length 2 leave dimension 1 with size 3"));
    assert!(panic_of(|| x.transpose(0, 2)).contains("transpose: dimension 2 is out of range"));
    assert!(panic_of(|| x.broadcast_to([2, 4])).contains("shape [2, 3] does not broadcast to [2, 4]"));
    assert!(panic_of(|| x.slice(0, None, None, 0)).contains("the step must not be 0"));
    assert!(panic_of(|| Tensor::zeros([1, 1, 1]).t()).contains("at most 2 dimensions"));
    assert!(x.try_reshape([5]).is_err() && x.try_select(0, 2).is_err() && x.try_narrow(0, 0, 3).is_err());
}

#[test]
fn reshape_takes_literals_and_sizes_of_tensors() {
    let x = Tensor::arange(0, 12, 1);
    let n = x.size(0) / 4;
    for y in
        [x.reshape([n, 4]), x.reshape([-1, 4]), x.reshape([3, -1]), x.reshape(vec![n, 4]), x.view([n, 4])]
    {
        assert_eq!(y.shape(), [3, 4]);
    }
    assert_eq!(x.reshape(-1).shape(), [12]);
}
