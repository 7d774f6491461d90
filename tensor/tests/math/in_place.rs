use crate::common::*;
use taper_tensor::autograd::no_grad;
use taper_tensor::{DType, Tensor, tensor};

#[test]
fn a_tensor_is_a_value() {
    let mut a = tensor([1.0, 2.0]);
    let b = a.clone();
    a.add_(1.0);
    assert_eq!((a.to_vec::<f32>(), b.to_vec::<f32>()), (vec![2.0, 3.0], vec![1.0, 2.0]));
    assert!(!a.shares_storage(&b));
    // A view is a value, too.
    let whole = Tensor::zeros([2, 2]);
    let mut row = whole.select(0, 1);
    row.fill_(5);
    assert_eq!((whole.sum().item(), row.sum().item()), (0.0, 10.0));
    // Alone in its memory, a tensor is changed where it is.
    let mut c = Tensor::zeros([2, 2]).t();
    let at = c.clone();
    drop(at);
    c += 1.0;
    assert_eq!((c.strides(), c.to_vec::<f32>()), (&[1, 2][..], vec![1.0; 4]));
    // Elements that overlap are parted first.
    let mut wide = tensor([1.0]).expand([3]);
    wide.set(1, 5.0);
    assert_eq!(wide.to_vec::<f32>(), [1.0, 5.0, 1.0]);
}

#[test]
fn equal_their_functions() {
    let (x, y) = (uniform(0.5, 2.0, &[2, 3], 1), uniform(0.5, 2.0, &[3], 2));
    macro_rules! check {
        (binary $($in_place:ident $function:ident;)*) => { $(
            for other in [y.clone(), Tensor::full_with((), 1.5, DType::F64)] {
                for mut z in layouts(&x) {
                    z.$in_place(&other);
                    assert_near(&z, &x.$function(&other), 0.0);
                }
            }
            let mut z = x.clone();
            z.$in_place(2.0);
            assert_near(&z, &x.$function(2.0), 0.0);
        )* };
        (unary $($in_place:ident $function:ident;)*) => { $(
            for mut z in layouts(&x) {
                z.$in_place();
                assert_near(&z, &x.$function(), 0.0);
            }
        )* };
    }
    check! { binary add_ add; sub_ sub; mul_ mul; div_ div; pow_ pow; remainder_ remainder; floor_divide_ floor_divide; }
    check! {
        unary neg_ neg; abs_ abs; exp_ exp; ln_ ln; sqrt_ sqrt; rsqrt_ rsqrt; square_ square; reciprocal_ reciprocal;
        relu_ relu; sigmoid_ sigmoid; tanh_ tanh; floor_ floor; ceil_ ceil; round_ round; trunc_ trunc; sin_ sin; cos_ cos;
    }
    let mut z = x.clone();
    z.addcmul_(&y, &y, 0.5).addcdiv_(&y, &y, 2.0).lerp_(&x, 0.25).clamp_(None, 3.0);
    let want = x.addcmul(&y, &y, 0.5).addcdiv(&y, &y, 2.0).lerp(&x, 0.25).clamp(None, 3.0);
    assert_near(&z, &want, 1e-15);
    z.masked_fill_(&z.gt(1.0), 9.0).copy_(&y);
    assert_near(&z, &y.expand([2, 3]), 0.0);
    assert_eq!(z.zero_().sum().item(), 0.0);
    // An operand may be the tensor itself.
    let mut w = x.clone();
    let same = w.clone();
    w.mul_(&same);
    assert_near(&w, &x.square(), 0.0);
    w += &x.t().contiguous().t();
    assert_near(&w, &(x.square() + &x), 0.0);
}

#[test]
fn dtype_and_shape_stay() {
    let mut ints = tensor([1, 2]);
    assert_eq!(ints.add_(3).to_vec::<i64>(), [4, 5]);
    assert!(
        panic_of(|| ints.clone().add_(0.5).dtype())
            .contains("add_: the result is float32 and cannot be stored in place as int64")
    );
    assert!(panic_of(|| ints.clone().div_(2).dtype()).contains("div_: the result is float32"));
    let mut half = Tensor::ones_with([2], DType::F16);
    assert_eq!(half.mul_(tensor([2.0, 3.0])).dtype(), DType::F16);
    assert!(
        panic_of(|| Tensor::zeros([2]).add_(Tensor::zeros([2, 2])).numel())
            .contains("does not fit in place into [2]")
    );
    let mut bools = tensor([true, false]);
    assert_eq!(bools.fill_(3).to_vec::<u8>(), [1, 1]);
}

#[test]
fn recorded_where_something_needs_a_gradient() {
    let x = tensor([1.0, 2.0]).requires_grad_(true);
    let mut y = &x * 3.0;
    y.mul_(&x).add_(1.0).exp_();
    y.sum().backward();
    let want: Vec<f32> = [1.0f32, 2.0].iter().map(|v| 6.0 * v * (3.0 * v * v + 1.0).exp()).collect();
    assert_near(&x.grad().unwrap(), &Tensor::from_vec(want, 2), 1e-5);
    // A constant that takes a recorded value is recorded from there on.
    let mut sum = Tensor::zeros([2]);
    sum += &x;
    assert!(sum.requires_grad() && !sum.is_leaf());
    let mut copy = Tensor::zeros([2]);
    copy.copy_(&x).mul_(2.0);
    x.zero_grad();
    copy.sum().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [2.0, 2.0]);
    // What a rule saved is not touched by later writes.
    let a = tensor([2.0]).requires_grad_(true);
    let mut b = &a * 1.0;
    let c = b.square();
    b.fill_(100.0);
    c.backward();
    assert_eq!(a.grad().unwrap().item(), 4.0);
}

#[test]
fn leaves_change_only_without_recording() {
    let mut x = tensor([1.0]).requires_grad_(true);
    assert!(
        panic_of(|| x.clone().add_(1.0).numel())
            .contains("cannot be changed in place; wrap the update in no_grad")
    );
    assert!(panic_of(|| x.clone().uniform_(0.0, 1.0).numel()).contains("uniform_: a leaf tensor"));
    no_grad(|| {
        x.sub_(0.5);
    });
    assert!(x.requires_grad() && x.is_leaf());
    assert_eq!(x.item(), 0.5);
}
