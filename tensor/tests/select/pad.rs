use crate::common::*;
use taper_tensor::{PadMode, Tensor};

/// Where position `i` of a padded dimension comes from.
fn source(i: usize, left: isize, n: usize, mode: PadMode) -> Option<usize> {
    let (i, n) = (i as isize - left, n as isize);
    let from = match mode {
        PadMode::Constant(_) if !(0..n).contains(&i) => return None,
        PadMode::Constant(_) => i,
        PadMode::Reflect if i < 0 => -i,
        PadMode::Reflect if i >= n => 2 * (n - 1) - i,
        PadMode::Reflect => i,
        PadMode::Replicate => i.clamp(0, n - 1),
        PadMode::Circular => i.rem_euclid(n),
    };
    Some(from as usize)
}

#[test]
fn all_modes() {
    let modes =
        [PadMode::default(), PadMode::from(3.0), PadMode::Reflect, PadMode::Replicate, PadMode::Circular];
    for mode in modes {
        for widths in [[1, 2, 0, 0], [2, 0, 1, 1], [-1, 2, 2, -1], [-1, -1, 0, 1], [0, 0, -2, -1]] {
            let [left, right, top, bottom] = widths;
            // A circular border comes from what is left of the tensor.
            if mode == PadMode::Circular && widths.iter().any(|&w| w < 0) {
                continue;
            }
            let shape = [2, (4 + top + bottom) as usize, (3 + left + right) as usize];
            check(
                &[&[2, 4, 3]],
                |x| x[0].pad(widths, mode),
                |x| {
                    table(&shape, |i| match (source(i[1], top, 4, mode), source(i[2], left, 3, mode)) {
                        (Some(r), Some(c)) => x[0].at(&[i[0], r, c]),
                        _ => match mode {
                            PadMode::Constant(value) => value.to_f64(),
                            _ => unreachable!("only a constant comes from nowhere"),
                        },
                    })
                },
            );
        }
    }
}

#[test]
fn edges() {
    let x = Tensor::from([1i64, 2, 3]);
    assert_eq!(x.pad([-1, 2], PadMode::Circular).to_vec::<i64>(), [2, 3, 2, 3]);
    assert_eq!(x.pad([1, 1], 9).to_vec::<i64>(), [9, 1, 2, 3, 9]);
    assert_eq!(x.pad([0, 0], PadMode::Reflect).to_vec::<i64>(), [1, 2, 3]);
    assert_eq!(x.pad([-3, 0], 0.0).shape(), [0]);
    assert_eq!(Tensor::zeros([0, 2]).pad([1, 1, 1, 0], 1.0).to_vec::<f32>(), [1.0; 4]);
    assert_eq!(Tensor::from(5.0).pad([], 1.0).shape(), []);
}
