//! Reading and writing through positions and masks.

use crate::array::Array;
use crate::case::{Case, Draw, Row, case, row};
use taper::{Ellipsis, NewAxis, Slice, Tensor};

/// An index for `gather` and `scatter`, along dimension 1 of a matrix, with or without repeats.
fn line_index(d: &mut Draw, repeats: bool) -> (Vec<usize>, crate::case::Input) {
    let s = d.full_shape(2);
    let shape = [s[0], 1 + d.below(s[1])];
    let index = if repeats { d.index(&shape, s[1]) } else { d.permuted_index(&shape, 1, s[1]) };
    (s, index)
}

/// `base` with `source` written (or added) at `index` along dimension 1.
fn scattered(base: &Array, index: &Array, source: &Array, add: bool) -> Array {
    let mut out = base.clone();
    for i in crate::array::indices(&index.shape) {
        let at = i[0] * base.shape[1] + index.at(&i) as usize;
        let v = source.broadcast_at(&i);
        out.data[at] = if add { out.data[at] + v } else { v };
    }
    out
}

/// Rows of a matrix and a one-dimensional index into them.
fn rows_of(d: &mut Draw, repeats: bool) -> (Vec<usize>, crate::case::Input) {
    let s = d.full_shape(2);
    let n = 1 + d.below(s[0]);
    (s.clone(), if repeats { d.index(&[n], s[0]) } else { d.permuted_index(&[n], 0, s[0]) })
}

fn written(d: &mut Draw, repeats: bool, run: fn(&[Tensor]) -> Tensor, add: bool) -> Case {
    let (s, index) = rows_of(d, repeats);
    let source = d.any(&[index.array.shape[0], s[1]]);
    case([d.any(&s), source, index], run, move |a| {
        let mut out = a[0].clone();
        for (i, &r) in a[2].data.iter().enumerate() {
            for c in 0..out.shape[1] {
                let at = r as usize * out.shape[1] + c;
                out.data[at] = a[1].at(&[i, c]) + if add { out.data[at] } else { 0.0 };
            }
        }
        out
    })
}

pub fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = vec![
        row("gather", |d| {
            let (s, index) = line_index(d, true);
            case(
                [d.any(&s), index],
                |x| x[0].gather(1, &x[1]),
                |a| Array::from_fn(&a[1].shape, |i| a[0].at(&[i[0], a[1].at(i) as usize])),
            )
        }),
        row("take_along_dim", |d| {
            let (s, index) = line_index(d, true);
            case(
                [d.any(&s), index],
                |x| x[0].take_along_dim(&x[1], 1),
                |a| Array::from_fn(&a[1].shape, |i| a[0].at(&[i[0], a[1].at(i) as usize])),
            )
        }),
        row("take", |d| {
            let s = d.full_shape(2);
            let (n, shape) = (s[0] * s[1], d.shape(2));
            case(
                [d.any(&s), d.index(&shape, n)],
                |x| x[0].take(&x[1]),
                |a| a[1].map(|i| a[0].data[i as usize]),
            )
        }),
        row("scatter", |d| {
            let (s, index) = line_index(d, false);
            let source = d.any(&index.array.shape.clone());
            case(
                [d.any(&s), index, source],
                |x| x[0].scatter(1, &x[1], &x[2]),
                |a| scattered(&a[0], &a[1], &a[2], false),
            )
        }),
        row("scatter of a number", |d| {
            let (s, index) = line_index(d, true);
            case(
                [d.any(&s), index],
                |x| x[0].scatter(1, &x[1], 3.0),
                |a| scattered(&a[0], &a[1], &Array::scalar(3.0), false),
            )
        }),
        row("scatter_add", |d| {
            let (s, index) = line_index(d, true);
            let source = d.any(&index.array.shape.clone());
            case(
                [d.any(&s), index, source],
                |x| x[0].scatter_add(1, &x[1], &x[2]),
                |a| scattered(&a[0], &a[1], &a[2], true),
            )
        }),
        row("index_select", |d| {
            let (s, index) = rows_of(d, true);
            case(
                [d.any(&s), index],
                |x| x[0].index_select(0, &x[1]),
                |a| {
                    Array::from_fn(&[a[1].data.len(), a[0].shape[1]], |i| {
                        a[0].at(&[a[1].data[i[0]] as usize, i[1]])
                    })
                },
            )
        }),
        row("index_add", |d| written(d, true, |x| x[0].index_add(0, &x[2], &x[1]), true)),
        row("index_copy", |d| written(d, false, |x| x[0].index_copy(0, &x[2], &x[1]), false)),
        row("index_fill", |d| {
            let (s, index) = rows_of(d, true);
            case(
                [d.any(&s), index],
                |x| x[0].index_fill(0, &x[1], 2.0),
                |a| {
                    Array::from_fn(&a[0].shape, |i| {
                        if a[1].data.contains(&(i[0] as f64)) { 2.0 } else { a[0].at(i) }
                    })
                },
            )
        }),
        row("index: ranges, new axes, single positions", |d| {
            let s: Vec<usize> = d.full_shape(3).into_iter().map(|n| n + 1).collect();
            case(
                [d.any(&s)],
                |x| x[0].index((1.., NewAxis, -1, Slice::new(None, None, -1))),
                |a| {
                    let s = &a[0].shape;
                    Array::from_fn(&[s[0] - 1, 1, s[2]], |i| a[0].at(&[i[0] + 1, s[1] - 1, s[2] - 1 - i[2]]))
                },
            )
        }),
        row("index: tensors of positions", |d| {
            let s = d.full_shape(3);
            let (i, j) = (d.index(&[4], s[0]), d.index(&[3, 1], s[2]));
            case(
                [d.any(&s), i, j],
                |x| x[0].index((&x[1], .., &x[2])),
                |a| {
                    // Positions apart from each other: their shape comes first.
                    Array::from_fn(&[3, 4, a[0].shape[1]], |i| {
                        a[0].at(&[a[1].at(&[i[1]]) as usize, i[2], a[2].at(&[i[0], 0]) as usize])
                    })
                },
            )
        }),
        row("index: ellipsis and a mask", |d| {
            let s = d.full_shape(2);
            let m = s[1];
            case(
                [d.any(&s), d.mask(&[m])],
                |x| x[0].index((Ellipsis, &x[1])),
                |a| {
                    let order: Vec<usize> = (0..a[1].data.len()).filter(|&i| a[1].data[i] == 1.0).collect();
                    Array::from_fn(&[a[0].shape[0], order.len()], |i| a[0].at(&[i[0], order[i[1]]]))
                },
            )
        }),
        row("index_put", |d| {
            let (s, index) = rows_of(d, true);
            let value = d.any(&[index.array.shape[0], s[1]]);
            case(
                [d.any(&s), index, value],
                |x| x[0].index_put(&x[1], &x[2], true),
                |a| {
                    let mut out = a[0].clone();
                    for (i, &r) in a[1].data.iter().enumerate() {
                        (0..out.shape[1])
                            .for_each(|c| out.data[r as usize * a[0].shape[1] + c] += a[2].at(&[i, c]));
                    }
                    out
                },
            )
        }),
        row("index_put_", |d| {
            let s = d.full_shape(2);
            let value = d.any(&[s[1]]);
            case(
                [d.any(&s), value],
                |x| {
                    let mut y = &x[0] + 0i64;
                    y.index_put_(-1, &x[1], true);
                    y
                },
                |a| {
                    let last = a[0].shape[0] - 1;
                    Array::from_fn(&a[0].shape, |i| {
                        a[0].at(i) + if i[0] == last { a[1].at(&[i[1]]) } else { 0.0 }
                    })
                },
            )
        }),
        row("set", |d| {
            let s = d.full_shape(2);
            let value = d.any(&[s[0], 1]);
            case(
                [d.any(&s), value],
                |x| {
                    let mut y = &x[0] + 0i64;
                    y.set((.., 0..1), &x[1]);
                    y
                },
                |a| Array::from_fn(&a[0].shape, |i| if i[1] == 0 { a[1].at(&[i[0], 0]) } else { a[0].at(i) }),
            )
        }),
        row("embedding", |d| {
            let s = d.full_shape(2);
            let shape = d.any_shape(0, 2);
            let index = d.index(&shape, s[0]);
            case(
                [d.any(&s), index],
                |x| Tensor::embedding(&x[1], &x[0], None),
                |a| {
                    Array::from_fn(&[&a[1].shape[..], &[a[0].shape[1]]].concat(), |i| {
                        let (last, lead) = i.split_last().unwrap();
                        a[0].at(&[a[1].at(lead) as usize, *last])
                    })
                },
            )
        }),
        row("masked_select", |d| {
            let s = d.any_shape(1, 2);
            case(
                [d.any(&s), d.mask(&s)],
                |x| x[0].masked_select(&x[1]),
                |a| {
                    let data: Vec<f64> =
                        (0..a[0].data.len()).filter(|&i| a[1].data[i] == 1.0).map(|i| a[0].data[i]).collect();
                    Array { shape: vec![data.len()], data }
                },
            )
        }),
        row("masked_scatter", |d| {
            let s = d.any_shape(1, 2);
            case(
                [d.any(&s), d.mask(&s), d.any(&s)],
                |x| x[0].masked_scatter(&x[1], &x[2]),
                |a| {
                    let mut next = a[2].data.iter();
                    let data = a[0]
                        .data
                        .iter()
                        .zip(&a[1].data)
                        .map(|(&v, &m)| if m == 1.0 { *next.next().unwrap() } else { v });
                    Array { shape: a[0].shape.clone(), data: data.collect() }
                },
            )
        }),
    ];
    rows = rows
        .into_iter()
        .map(|r| match r.name {
            // bf16 and f16 add in their own dtype, as PyTorch does.
            "scatter_add" | "index_add" | "index_put" => r.loose(8.0),
            "scatter of a number" => r.ints(),
            _ => r.ints(),
        })
        .collect();
    rows.extend([
        row("nonzero", |d| {
            let s = d.any_shape(1, 3);
            case(
                [d.mask(&s)],
                |x| x[0].nonzero(),
                |a| {
                    let found: Vec<Vec<usize>> = crate::array::indices(&a[0].shape)
                        .into_iter()
                        .filter(|i| a[0].at(i) != 0.0)
                        .collect();
                    Array::from_fn(&[found.len(), a[0].shape.len()], |i| found[i[0]][i[1]] as f64)
                },
            )
        })
        .orders(0),
        row("one_hot", |d| {
            let s = d.any_shape(1, 2);
            case(
                [d.index(&s, 5)],
                |x| x[0].one_hot(6),
                |a| {
                    Array::from_fn(&[&a[0].shape[..], &[6]].concat(), |i| {
                        let (last, lead) = i.split_last().unwrap();
                        (a[0].at(lead) == *last as f64) as u8 as f64
                    })
                },
            )
        })
        .orders(0),
    ]);
    rows
}
