use crate::common::*;
use taper_tensor::{DType, Tensor};

#[test]
fn triangles() {
    for diagonal in -4..=5isize {
        let kept = |i: &[usize]| i[2] as isize - i[1] as isize <= diagonal;
        let f = |x: &[Tensor]| x[0].tril(diagonal);
        check(&[&[2, 3, 4]], f, |x| table(&[2, 3, 4], |i| if kept(i) { x[0].at(i) } else { 0.0 }));
        let f = |x: &[Tensor]| x[0].triu(diagonal + 1);
        check(&[&[2, 3, 4]], f, |x| table(&[2, 3, 4], |i| if kept(i) { 0.0 } else { x[0].at(i) }));
    }
    check(&[&[0, 3]], |x| x[0].tril(0), |x| x[0].clone());
    let nan = Tensor::full([2, 2], f64::NAN).triu(0);
    assert_eq!(nan.to_vec::<f32>()[2], 0.0);
}

#[test]
fn diagonals() {
    for offset in -4..=5isize {
        let (down, right) = ((-offset).max(0) as usize, offset.max(0) as usize);
        let n = 3usize.saturating_sub(down).min(4usize.saturating_sub(right));
        check(
            &[&[3, 2, 4]],
            |x| x[0].diagonal(offset, 0, -1),
            |x| table(&[2, n], |i| x[0].at(&[i[1] + down, i[0], i[1] + right])),
        );
        let on = |i: &[usize], r: usize, c: usize| {
            (i[r] as isize + offset == i[c] as isize).then(|| i[r].min(i[c]))
        };
        let size = 3 + offset.unsigned_abs();
        check(
            &[&[3]],
            |x| x[0].diag(offset),
            |x| table(&[size, size], |i| on(i, 0, 1).map_or(0.0, |k| x[0].at(&[k]))),
        );
        check(
            &[&[2, 3]],
            |x| x[0].diag_embed(offset, 2, 0),
            |x| table(&[size, 2, size], |i| on(i, 2, 0).map_or(0.0, |k| x[0].at(&[i[1], k]))),
        );
    }
    check(&[&[3, 2]], |x| x[0].diag(-1), |x| table(&[2], |i| x[0].at(&[i[0] + 1, i[0]])));
    assert!(sample(&[3, 3], 0).diag(0).numel() == 3);
    let x = sample(&[3, 4], 0);
    assert_eq!(x.trace().item(), x.diag(0).to_vec::<f64>().iter().sum::<f64>());
    assert_eq!(x.to_dtype(DType::I16).trace().dtype(), DType::I64);
    check_grads(&[x], |x| vec![x[0].trace()]);
}
