//! Views, joining and splitting, padding, triangles.

use crate::array::Array;
use crate::case::{Case, Draw, Row, Size, case, row};
use taper::{PadMode, Tensor};

fn shape3(d: &mut Draw) -> Vec<usize> {
    d.any_shape(1, 3)
}

/// Reverses some dimensions of a naive array.
fn flip(a: &Array, dims: &[usize]) -> Array {
    Array::from_fn(&a.shape, |i| {
        let own: Vec<usize> = i
            .iter()
            .enumerate()
            .map(|(d, &v)| if dims.contains(&d) { a.shape[d] - 1 - v } else { v })
            .collect();
        a.at(&own)
    })
}

/// Entries of a dimension in a given order.
fn take(a: &Array, dim: usize, order: &[usize]) -> Array {
    a.along(dim, |v| order.iter().map(|&i| v[i]).collect())
}

fn concat(parts: &[Array], dim: usize) -> Array {
    let mut shape = parts[0].shape.clone();
    shape[dim] = parts.iter().map(|p| p.shape[dim]).sum();
    Array::from_fn(&shape, |i| {
        let mut i = i.to_vec();
        let part = parts
            .iter()
            .find(|p| {
                let inside = i[dim] < p.shape[dim];
                if !inside {
                    i[dim] -= p.shape[dim];
                }
                inside
            })
            .unwrap();
        part.at(&i)
    })
}

/// Python's slice of `0..n`, one position after the other.
fn python_slice(n: usize, start: isize, end: isize, step: isize) -> Vec<usize> {
    let n = n as isize;
    let clip = |p: isize, low, high| (if p < 0 { p + n } else { p }).clamp(low, high);
    let (mut at, stop) = if step > 0 {
        (clip(start, 0, n), clip(end, 0, n))
    } else {
        (clip(start, -1, n - 1), clip(end, -1, n - 1))
    };
    let mut positions = vec![];
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        positions.push(at as usize);
        at += step;
    }
    positions
}

/// Where a padded position comes from; `None` is the constant.
fn padded_from(p: isize, n: isize, mode: PadMode) -> Option<usize> {
    let inside = (0..n).contains(&p);
    Some(match mode {
        _ if inside => p as usize,
        PadMode::Constant(_) => return None,
        PadMode::Reflect => (if p < 0 { -p } else { 2 * (n - 1) - p }) as usize,
        PadMode::Replicate => p.clamp(0, n - 1) as usize,
        PadMode::Circular => p.rem_euclid(n) as usize,
    })
}

fn pad(d: &mut Draw, mode: PadMode) -> Case {
    let mut shape = vec![2, 1];
    let tail = if d.size == Size::Large { vec![170, 180] } else { vec![3 + d.below(2), 3] };
    shape.extend(tail);
    let w: Vec<isize> = (0..4).map(|_| d.below(3) as isize).collect();
    let widths = w.clone();
    case(
        [d.any(&shape)],
        move |x| x[0].pad(&widths[..], mode),
        move |a| {
            let s = &a[0].shape;
            let out =
                [s[0], s[1], (s[2] as isize + w[2] + w[3]) as usize, (s[3] as isize + w[0] + w[1]) as usize];
            Array::from_fn(&out, |i| {
                let r = padded_from(i[2] as isize - w[2], s[2] as isize, mode);
                let c = padded_from(i[3] as isize - w[0], s[3] as isize, mode);
                match (r, c) {
                    (Some(r), Some(c)) => a[0].at(&[i[0], i[1], r, c]),
                    _ => 1.5,
                }
            })
        },
    )
}

pub fn rows() -> Vec<Row> {
    let float_or_int = vec![
        row("reshape", |d| {
            let s = d.any_shape(0, 3);
            let n = s.iter().product::<usize>();
            let to = if n > 0 && n.is_multiple_of(2) && d.flag() { vec![2, n / 2] } else { vec![n, 1] };
            let sizes: Vec<isize> = to.iter().map(|&v| v as isize).collect();
            case([d.any(&s)], move |x| x[0].reshape(&sizes[..]), move |a| a[0].reshape(&to))
        }),
        row("view", |d| {
            let s = d.full_shape(2);
            let n = s.iter().product::<usize>();
            case([d.any(&s)], |x| x[0].contiguous().view([-1, 1]), move |a| a[0].reshape(&[n, 1]))
        }),
        row("flatten", |d| {
            let s = d.shape(3);
            let to = [s[0], s[1] * s[2]];
            case([d.any(&s)], |x| x[0].flatten(1, -1), move |a| a[0].reshape(&to))
        }),
        row("unflatten", |d| {
            let s = d.full_shape(2);
            let wide = [s[0] * s[1], 3];
            case(
                [d.any(&wide)],
                {
                    let s = s.clone();
                    move |x| x[0].unflatten(0, [s[0] as isize, -1])
                },
                move |a| a[0].reshape(&[s[0], s[1], 3]),
            )
        }),
        row("squeeze", |d| {
            let s = d.shape(2);
            case([d.any(&[s[0], 1, s[1]])], |x| x[0].squeeze(1), move |a| a[0].reshape(&s))
        }),
        row("squeeze_all", |d| {
            let n = d.shape(1)[0];
            case(
                [d.any(&[1, n, 1])],
                |x| x[0].squeeze_all(),
                move |a| a[0].reshape(&if n == 1 { vec![] } else { vec![n] }),
            )
        }),
        row("unsqueeze", |d| {
            let s = d.shape(2);
            case([d.any(&s)], |x| x[0].unsqueeze(-2), move |a| a[0].reshape(&[s[0], 1, s[1]]))
        }),
        row("transpose", |d| {
            let s = d.shape(3);
            case([d.any(&s)], |x| x[0].transpose(0, -1), |a| a[0].permute(&[2, 1, 0]))
        }),
        row("t", |d| {
            let s = d.shape(2);
            case([d.any(&s)], |x| x[0].t(), |a| a[0].permute(&[1, 0]))
        }),
        row("mt", |d| {
            let s = d.shape(3);
            case([d.any(&s)], |x| x[0].mt(), |a| a[0].permute(&[0, 2, 1]))
        }),
        row("permute", |d| {
            let s = d.shape(3);
            case([d.any(&s)], |x| x[0].permute([2, 0, -2]), |a| a[0].permute(&[2, 0, 1]))
        }),
        row("movedim", |d| {
            let s = d.shape(3);
            case([d.any(&s)], |x| x[0].movedim(0, -1), |a| a[0].permute(&[1, 2, 0]))
        }),
        row("expand", |d| {
            let s = d.shape(1);
            case(
                [d.any(&[s[0], 1])],
                |x| x[0].expand([2, -1, 3]),
                move |a| Array::from_fn(&[2, s[0], 3], |i| a[0].at(&[i[1], 0])),
            )
        }),
        row("broadcast_to", |d| {
            let s = d.shape(2);
            case(
                [d.any(&[1, s[1]])],
                {
                    let s = s.clone();
                    move |x| x[0].broadcast_to(&s)
                },
                move |a| Array::from_fn(&s, |i| a[0].at(&[0, i[1]])),
            )
        }),
        row("select", |d| {
            let s = d.full_shape(3);
            let (dim, arg) = d.dim(3);
            let at = d.below(s[dim]);
            let index = if d.flag() { at as isize } else { at as isize - s[dim] as isize };
            case(
                [d.any(&s)],
                move |x| x[0].select(arg, index),
                move |a| a[0].reduce(&[dim], false, |v| v[at]),
            )
        }),
        row("narrow", |d| {
            let s = d.full_shape(2);
            let (dim, arg) = d.dim(2);
            let from = d.below(s[dim]);
            let len = d.below(s[dim] - from + 1);
            case(
                [d.any(&s)],
                move |x| x[0].narrow(arg, from as isize, len),
                move |a| a[0].along(dim, |v| v[from..from + len].to_vec()),
            )
        }),
        row("slice", |d| {
            let s = shape3(d);
            let (dim, arg) = d.dim(s.len());
            let n = s[dim] as isize;
            let mut position = || d.below(2 * n as usize + 3) as isize - n - 1;
            let (start, end) = (position(), position());
            let step = d.one_of(&[1, 2, 3, -1, -2]);
            let order = python_slice(s[dim], start, end, step);
            case([d.any(&s)], move |x| x[0].slice(arg, start, end, step), move |a| take(&a[0], dim, &order))
        }),
        row("flip", |d| {
            let s = d.shape(3);
            case([d.any(&s)], |x| x[0].flip([0, -1]), |a| flip(&a[0], &[0, 2]))
        }),
        row("cat", |d| {
            let (mut s, mut r) = (d.shape(2), vec![]);
            r.extend(&s);
            let (dim, arg) = d.dim(2);
            r[dim] = d.below(4);
            s[dim] = s[dim].min(300);
            case([d.any(&s), d.any(&r)], move |x| Tensor::cat(x, arg), move |a| concat(a, dim))
        }),
        row("stack", |d| {
            let s = d.shape(2);
            case(
                [d.any(&s), d.any(&s)],
                |x| Tensor::stack(x, 1),
                move |a| concat(&[a[0].reshape(&[s[0], 1, s[1]]), a[1].reshape(&[s[0], 1, s[1]])], 1),
            )
        }),
        row("hstack", |d| {
            let s = d.shape(2);
            case([d.any(&s), d.any(&s)], |x| Tensor::hstack(x), |a| concat(a, 1))
        }),
        row("vstack", |d| {
            let s = d.shape(2);
            case([d.any(&s), d.any(&s)], |x| Tensor::vstack(x), |a| concat(a, 0))
        }),
        row("split", |d| {
            let s = d.full_shape(2);
            case(
                [d.any(&s)],
                |x| Tensor::cat(&x[0].split(2, 0).into_iter().rev().collect::<Vec<_>>(), 0),
                |a| {
                    let n = a[0].shape[0];
                    let starts: Vec<usize> = (0..n).step_by(2).rev().collect();
                    let order: Vec<usize> = starts.iter().flat_map(|&s| s..(s + 2).min(n)).collect();
                    take(&a[0], 0, &order)
                },
            )
        }),
        row("split_with_sizes", |d| {
            let s = d.full_shape(1)[0];
            case(
                [d.any(&[s, 2])],
                move |x| x[0].split_with_sizes([1, s - 1], 0)[0].clone(),
                |a| take(&a[0], 0, &[0]),
            )
        }),
        row("chunk", |d| {
            let s = d.full_shape(2);
            case(
                [d.any(&s)],
                |x| x[0].chunk(3, 1)[0].clone(),
                |a| {
                    let n = a[0].shape[1].div_ceil(3);
                    a[0].along(1, |v| v[..n].to_vec())
                },
            )
        }),
        row("unbind", |d| {
            let s = d.full_shape(2);
            let last = s[0] - 1;
            case(
                [d.any(&s)],
                |x| x[0].unbind(0).pop().unwrap(),
                move |a| a[0].reduce(&[0], false, |v| v[last]),
            )
        }),
        row("repeat", |d| {
            let s = d.shape(1);
            case(
                [d.any(&s)],
                |x| x[0].repeat([2, 3]),
                |a| {
                    let n = a[0].shape[0];
                    Array::from_fn(&[2, 3 * n], |i| a[0].at(&[i[1] % n]))
                },
            )
        }),
        row("tile", |d| {
            let s = d.shape(2);
            case(
                [d.any(&s)],
                |x| x[0].tile([2]),
                |a| {
                    let n = a[0].shape[1];
                    Array::from_fn(&[a[0].shape[0], 2 * n], |i| a[0].at(&[i[0], i[1] % n]))
                },
            )
        }),
        row("repeat_interleave", |d| {
            let s = d.shape(2);
            case(
                [d.any(&s)],
                |x| x[0].repeat_interleave(2, 0),
                |a| Array::from_fn(&[2 * a[0].shape[0], a[0].shape[1]], |i| a[0].at(&[i[0] / 2, i[1]])),
            )
        }),
        row("roll", |d| {
            let s = d.shape(2);
            case(
                [d.any(&s)],
                |x| x[0].roll([1], [-1]),
                |a| a[0].along(1, |v| (0..v.len()).map(|i| v[(i + v.len() - 1) % v.len()]).collect()),
            )
        }),
        row("tril", |d| {
            let s = d.shape(3);
            case(
                [d.any(&s)],
                |x| x[0].tril(-1),
                |a| Array::from_fn(&a[0].shape, |i| if i[2] < i[1] { a[0].at(i) } else { 0.0 }),
            )
        }),
        row("triu", |d| {
            let s = d.shape(2);
            case(
                [d.any(&s)],
                |x| x[0].triu(1),
                |a| Array::from_fn(&a[0].shape, |i| if i[1] > i[0] { a[0].at(i) } else { 0.0 }),
            )
        }),
        row("diag", |d| {
            let n = d.below(6);
            case(
                [d.any(&[n])],
                |x| x[0].diag(1),
                move |a| {
                    Array::from_fn(&[n + 1, n + 1], |i| if i[1] == i[0] + 1 { a[0].at(&[i[0]]) } else { 0.0 })
                },
            )
        }),
        row("diag of a matrix", |d| {
            let s = d.full_shape(2);
            case(
                [d.any(&s)],
                |x| x[0].diag(0),
                |a| Array::from_fn(&[a[0].shape[0].min(a[0].shape[1])], |i| a[0].at(&[i[0], i[0]])),
            )
        }),
        row("diagonal", |d| {
            let s = d.full_shape(3);
            case(
                [d.any(&s)],
                |x| x[0].diagonal(0, 0, 2),
                |a| {
                    let n = a[0].shape[0].min(a[0].shape[2]);
                    Array::from_fn(&[a[0].shape[1], n], |i| a[0].at(&[i[1], i[0], i[1]]))
                },
            )
        }),
        row("diag_embed", |d| {
            let s = [2, d.below(5)];
            case(
                [d.any(&s)],
                |x| x[0].diag_embed(0, -2, -1),
                |a| {
                    let n = a[0].shape[1];
                    Array::from_fn(&[2, n, n], |i| if i[1] == i[2] { a[0].at(&[i[0], i[1]]) } else { 0.0 })
                },
            )
        }),
        row("meshgrid", |d| {
            let (n, m) = (d.shape(2)[0], d.shape(2)[1]);
            case(
                [d.any(&[n]), d.any(&[m])],
                |x| {
                    let g = Tensor::meshgrid(x);
                    &g[0] * &g[1]
                },
                move |a| Array::from_fn(&[n, m], |i| a[0].at(&[i[0]]) * a[1].at(&[i[1]])),
            )
        }),
    ];
    let mut rows: Vec<Row> = float_or_int.into_iter().map(Row::ints).collect();
    rows.extend([
        row("trace", |d| {
            let s = d.full_shape(2);
            case(
                [d.any(&s)],
                |x| x[0].trace(),
                |a| Array::scalar((0..a[0].shape[0].min(a[0].shape[1])).map(|i| a[0].at(&[i, i])).sum()),
            )
        })
        .loose(8.0),
        row("pad with a constant", |d| pad(d, PadMode::Constant(1.5.into()))),
        row("pad by reflection", |d| pad(d, PadMode::Reflect)),
        row("pad by the border", |d| pad(d, PadMode::Replicate)),
        row("pad around", |d| pad(d, PadMode::Circular)),
    ]);
    rows
}
