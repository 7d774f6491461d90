//! Reductions, scans, sorting.

use crate::array::Array;
use crate::case::{Case, Draw, Row, Size, case, row};
use taper::{DType, Tensor};

fn sum(v: &[f64]) -> f64 {
    v.iter().sum()
}
fn mean(v: &[f64]) -> f64 {
    sum(v) / v.len() as f64
}
fn max(v: &[f64]) -> f64 {
    v.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}
fn min(v: &[f64]) -> f64 {
    v.iter().copied().fold(f64::INFINITY, f64::min)
}
fn var(v: &[f64]) -> f64 {
    let m = mean(v);
    v.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (v.len() as f64 - 1.0)
}
fn position(v: &[f64], best: f64) -> f64 {
    v.iter().position(|&x| x == best).unwrap() as f64
}
fn logsumexp(v: &[f64]) -> f64 {
    v.iter().map(|x| x.exp()).sum::<f64>().ln()
}
fn truth(b: bool) -> f64 {
    b as u8 as f64
}

/// Over everything; `full` shapes have no empty dimension.
macro_rules! whole {
    ($($name:ident $shape:ident $from:ident $f:expr;)*) => {
        vec![$(row(stringify!($name), |d| {
            let shape = $shape(d);
            case([d.$from(&shape)], |x| x[0].$name(), |a| a[0].reduce(&[], false, $f))
        })),*]
    };
}
fn any(d: &mut Draw) -> Vec<usize> {
    d.any_shape(0, 3)
}
fn filled(d: &mut Draw) -> Vec<usize> {
    any(d).into_iter().map(|n| n.max(1)).collect()
}
fn at_least_two(d: &mut Draw) -> Vec<usize> {
    let mut s = filled(d);
    s.push(3);
    s
}

/// Over some dimensions, kept or not; `f` gets the dimensions as arguments.
fn over(
    d: &mut Draw,
    shape: Vec<usize>,
    distinct: bool,
    run: fn(&Tensor, &[isize], bool) -> Tensor,
    f: fn(&[f64]) -> f64,
) -> Case {
    let (n, keepdim) = (shape.len(), d.flag());
    let mut dims: Vec<usize> = (0..n).filter(|_| d.flag()).collect();
    if d.flag() {
        dims.reverse();
    }
    let args: Vec<isize> =
        dims.iter().map(|&i| if d.flag() { i as isize } else { i as isize - n as isize }).collect();
    let input = if distinct { d.distinct(&shape) } else { d.any(&shape) };
    case(
        [input],
        move |x| run(&x[0], &args, keepdim),
        move |a| {
            let mut dims = dims.clone();
            dims.sort();
            a[0].reduce(&dims, keepdim, f)
        },
    )
}

/// Along one dimension, kept or not.
fn along(
    d: &mut Draw,
    shape: Vec<usize>,
    run: fn(&Tensor, isize, bool) -> Tensor,
    f: fn(&[f64]) -> f64,
) -> Case {
    let keepdim = d.flag();
    let (dim, arg) = d.dim(shape.len());
    case([d.distinct(&shape)], move |x| run(&x[0], arg, keepdim), move |a| a[0].reduce(&[dim], keepdim, f))
}

/// A line along a dimension to another line.
fn lines(
    d: &mut Draw,
    distinct: bool,
    run: impl Fn(&Tensor, isize) -> Tensor + Send + Sync + 'static,
    f: impl Fn(&[f64]) -> Vec<f64> + Send + Sync + 'static,
) -> Case {
    let n = 1 + d.below(3);
    let shape = d.full_shape(n);
    let (dim, arg) = d.dim(n);
    let input = if distinct { d.distinct(&shape) } else { d.any(&shape) };
    case([input], move |x| run(&x[0], arg), move |a| a[0].along(dim, &f))
}

fn sorted(v: &[f64], descending: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..v.len()).collect();
    order.sort_by(|&i, &j| if descending { v[j].total_cmp(&v[i]) } else { v[i].total_cmp(&v[j]) });
    order
}
fn pick(v: &[f64], order: &[usize]) -> Vec<f64> {
    order.iter().map(|&i| v[i]).collect()
}
fn as_f64(order: Vec<usize>) -> Vec<f64> {
    order.into_iter().map(|i| i as f64).collect()
}

pub fn rows() -> Vec<Row> {
    let mut rows = whole! {
        sum any any sum;
        mean filled any mean;
        prod any positive |v| v.iter().product();
        max filled distinct max;
        min filled distinct min;
        median filled distinct |v| pick(v, &sorted(v, false))[(v.len() - 1) / 2];
        nanmedian filled distinct |v| pick(v, &sorted(v, false))[(v.len() - 1) / 2];
        var at_least_two any var;
        std at_least_two any |v| var(v).sqrt();
        norm filled positive |v| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    };
    // A product of many numbers leaves every range; large inputs are for sums.
    for r in &mut rows {
        match r.name {
            "sum" | "mean" | "norm" => r.loose = 30.0,
            "prod" => {
                (r.loose, r.draw) = (30.0, |d: &mut Draw| {
                    let shape = if d.size == Size::Large { vec![4, 5] } else { d.any_shape(0, 2) };
                    case(
                        [d.positive(&shape)],
                        |x| x[0].prod(),
                        |a| a[0].reduce(&[], false, |v| v.iter().product()),
                    )
                })
            }
            "var" | "std" => r.loose = 10.0,
            _ => {}
        }
    }
    rows.extend(
        whole! {
            any any mask |v| truth(v.iter().any(|&x| x != 0.0));
            all any mask |v| truth(v.iter().all(|&x| x != 0.0));
        }
        .into_iter()
        .map(|r| r.orders(0)),
    );
    rows.extend([
        row("sum of integers and bool", |d| {
            let s = any(d);
            case(
                [d.floats(&s, 0.0, 3.0).constant()],
                |x| x[0].to_dtype(DType::U8).sum() + x[0].gt(1.0).sum(),
                |a| a[0].map(|v| v.trunc() + truth(v > 1.0)).reduce(&[], false, sum),
            )
        })
        .orders(0),
        row("sum_dim", |d| {
            let s = any(d);
            over(d, s, false, |x, dims, k| x.sum_dim(dims, k), sum)
        })
        .ints()
        .loose(8.0),
        row("sum_dtype", |d| {
            let s = any(d);
            over(d, s, false, |x, dims, k| x.sum_dtype(dims, k, DType::F64), sum)
        }),
        row("mean_dtype", |d| {
            let s = filled(d);
            over(d, s, false, |x, dims, k| x.mean_dtype(dims, k, DType::F64), mean)
        }),
        row("mean_dim", |d| {
            let s = filled(d);
            over(d, s, false, |x, dims, k| x.mean_dim(dims, k), mean)
        })
        .loose(8.0),
        row("var_dim", |d| {
            let s = at_least_two(d);
            along(d, [s, vec![2]].concat(), |x, _, k| x.var_dim(-2, 1.0, k), var).on_dim_before_last(var)
        })
        .loose(10.0),
        row("std_dim", |d| {
            let s = at_least_two(d);
            along(d, [s, vec![2]].concat(), |x, _, k| x.std_dim(-2, 1.0, k), var)
                .on_dim_before_last(|v| var(v).sqrt())
        })
        .loose(10.0),
        row("var_mean_dim", |d| {
            let s = at_least_two(d);
            along(
                d,
                s,
                |x, _, k| {
                    let (v, m) = x.var_mean_dim(-1, 0.0, k);
                    v + m
                },
                sum,
            )
            .on_last_dim(|v| var(v) * (v.len() as f64 - 1.0) / v.len() as f64 + mean(v))
        })
        .loose(10.0),
        row("norm_dim", |d| {
            let s = filled(d);
            let p = d.one_of(&[0.0, 1.0, 2.0, 3.0, f64::INFINITY, f64::NEG_INFINITY]);
            case(
                [d.distinct(&s)],
                move |x| x[0].norm_dim(p, [], false),
                move |a| {
                    a[0].reduce(&[], false, |v| match p {
                        0.0 => v.iter().filter(|x| **x != 0.0).count() as f64,
                        f64::INFINITY => max(&v.iter().map(|x| x.abs()).collect::<Vec<_>>()),
                        f64::NEG_INFINITY => min(&v.iter().map(|x| x.abs()).collect::<Vec<_>>()),
                        _ => v.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p),
                    })
                },
            )
        })
        .loose(30.0),
        row("logsumexp", |d| {
            let s = filled(d);
            over(d, s, false, |x, dims, k| x.logsumexp(dims, k), logsumexp)
        })
        .loose(4.0),
        row("amax", |d| {
            let s = filled(d);
            over(d, s, true, |x, dims, k| x.amax(dims, k), max)
        }),
        row("amin", |d| {
            let s = filled(d);
            over(d, s, true, |x, dims, k| x.amin(dims, k), min)
        }),
        row("any_dim", |d| {
            let s = any(d);
            over(d, s, false, |x, dims, k| x.gt(0.0).any_dim(dims, k), |v| truth(v.iter().any(|&x| x > 0.0)))
        })
        .orders(0),
        row("all_dim", |d| {
            let s = any(d);
            over(d, s, false, |x, dims, k| x.gt(0.0).all_dim(dims, k), |v| truth(v.iter().all(|&x| x > 0.0)))
        })
        .orders(0),
        row("count_nonzero", |d| {
            let s = any(d);
            case(
                [d.any(&s)],
                |x| x[0].relu().count_nonzero([]),
                |a| a[0].reduce(&[], false, |v| v.iter().filter(|x| **x > 0.0).count() as f64),
            )
        })
        .orders(0),
        row("prod_dim", |d| {
            let n = 1 + d.below(3);
            let s = if d.size == Size::Large { vec![300, 5, 90] } else { d.shape(n) };
            let (dim, arg) = (s.len() - 2.min(s.len()), -(2.min(s.len()) as isize));
            case(
                [d.positive(&s)],
                move |x| x[0].prod_dim(arg, false),
                move |a| a[0].reduce(&[dim], false, |v| v.iter().product()),
            )
        })
        .loose(20.0),
        row("max_dim", |d| {
            let n = 1 + d.below(3);
            let s = d.full_shape(n);
            along(d, s, |x, dim, k| x.max_dim(dim, k).0, max)
        }),
        row("max_dim, positions", |d| {
            let n = 1 + d.below(3);
            let s = d.full_shape(n);
            along(d, s, |x, dim, k| x.max_dim(dim, k).1, |v| position(v, max(v)))
        })
        .orders(0),
        row("min_dim", |d| {
            let n = 1 + d.below(3);
            let s = d.full_shape(n);
            along(d, s, |x, dim, k| x.min_dim(dim, k).0, min)
        }),
        row("argmax", |d| {
            let n = 1 + d.below(3);
            let s = d.full_shape(n);
            along(d, s, |x, dim, k| x.argmax(dim, k), |v| position(v, max(v)))
        })
        .orders(0),
        row("argmin", |d| {
            let n = 1 + d.below(3);
            let s = d.full_shape(n);
            along(d, s, |x, dim, k| x.argmin(dim, k), |v| position(v, min(v)))
        })
        .orders(0),
        row("median_dim", |d| {
            let n = 1 + d.below(3);
            let s = d.full_shape(n);
            along(d, s, |x, dim, k| x.median_dim(dim, k).0, |v| pick(v, &sorted(v, false))[(v.len() - 1) / 2])
        }),
        row("nanmedian_dim", |d| {
            let n = 1 + d.below(3);
            let s = d.full_shape(n);
            along(
                d,
                s,
                |x, dim, k| x.nanmedian_dim(dim, k).0,
                |v| pick(v, &sorted(v, false))[(v.len() - 1) / 2],
            )
        }),
        row("kthvalue", |d| {
            let n = 1 + d.below(3);
            let s = d.full_shape(n);
            along(d, s, |x, dim, k| x.kthvalue(1, dim, k).0, min)
        }),
        row("cumsum_dtype", |d| {
            lines(d, false, |x, dim| x.cumsum_dtype(dim, DType::F64), |v| running(v, |a, b| a + b))
        })
        .loose(30.0),
        row("cumprod_dtype, prod_dtype", |d| {
            let n = 1 + d.below(3);
            let s = d.full_shape(n).into_iter().map(|n| n.min(4)).collect();
            along(
                d,
                s,
                |x, dim, k| {
                    let whole = x.prod_dtype(dim, k, DType::F64);
                    let last = x.cumprod_dtype(dim, DType::F64).narrow(dim, -1, 1);
                    (&whole + last.reshape(whole.shape())) * 0.5
                },
                |v| v.iter().product(),
            )
        }),
        row("cumsum", |d| lines(d, false, |x, dim| x.cumsum(dim), |v| running(v, |a, b| a + b)))
            .ints()
            .loose(30.0),
        row("cumprod", |d| {
            if d.size == Size::Large {
                let shape = [5000, 6];
                return case(
                    [d.unit_steps(&shape)],
                    |x| x[0].cumprod(1),
                    |a| a[0].along(1, |v| running(v, |a, b| a * b)),
                );
            }
            lines(d, false, |x, dim| x.cumprod(dim), |v| running(v, |a, b| a * b))
        })
        .loose(20.0),
        row("diff", |d| {
            lines(d, false, |x, dim| x.diff(1, dim), |v| v.windows(2).map(|w| w[1] - w[0]).collect())
        })
        .loose(4.0),
        row("sort", |d| {
            let down = d.flag();
            lines(d, true, move |x, dim| x.sort(dim, down).0, move |v| pick(v, &sorted(v, down)))
        })
        .ints(),
        row("argsort", |d| {
            let down = d.flag();
            lines(d, true, move |x, dim| x.argsort(dim, down), move |v| as_f64(sorted(v, down)))
        })
        .orders(0),
        row("topk", |d| {
            let largest = d.flag();
            lines(
                d,
                true,
                move |x, dim| x.topk(1, dim, largest).0,
                move |v| pick(v, &sorted(v, largest)[..1]),
            )
        }),
        row("topk, positions", |d| {
            let largest = d.flag();
            lines(
                d,
                true,
                move |x, dim| x.topk(1, dim, largest).1,
                move |v| as_f64(sorted(v, largest)[..1].to_vec()),
            )
        })
        .orders(0),
        row("softmax", |d| {
            lines(d, false, |x, dim| x.softmax(dim), |v| v.iter().map(|x| (x - logsumexp(v)).exp()).collect())
        })
        .loose(4.0),
        row("log_softmax", |d| {
            lines(d, false, |x, dim| x.log_softmax(dim), |v| v.iter().map(|x| x - logsumexp(v)).collect())
        })
        .loose(4.0),
        row("unique", |d| {
            let s = any(d);
            case(
                [d.floats(&s, 0.0, 4.0).constant()],
                |x| x[0].trunc().unique(),
                |a| {
                    let mut v: Vec<f64> = a[0].data.iter().map(|x| x.trunc()).collect();
                    v.sort_by(f64::total_cmp);
                    v.dedup();
                    Array { shape: vec![v.len()], data: v }
                },
            )
        })
        .orders(0),
        row("unique_all", |d| {
            let s = any(d);
            case(
                [d.floats(&s, 0.0, 4.0).constant()],
                |x| {
                    let u = x[0].trunc().unique_all();
                    u.values.index_select(0, &u.inverse.flatten(0, -1)).reshape(x[0].shape())
                },
                |a| a[0].map(f64::trunc),
            )
        })
        .orders(0),
        row("bincount", |d| {
            let s = d.shape(1);
            case(
                [d.index(&s, 5)],
                |x| x[0].bincount(7),
                |a| Array::from_fn(&[7], |i| a[0].data.iter().filter(|&&v| v == i[0] as f64).count() as f64),
            )
        })
        .orders(0),
    ]);
    rows
}

fn running(v: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut out = Vec::new();
    for &x in v {
        out.push(out.last().map_or(x, |&last| f(last, x)));
    }
    out
}

impl Draw {
    /// Factors around 1.
    fn unit_steps(&mut self, shape: &[usize]) -> crate::case::Input {
        self.floats(shape, 0.6, 1.4)
    }
}

impl Case {
    /// The same input; truth over the last dimension, kept as the operation keeps it.
    fn on_last_dim(self, f: fn(&[f64]) -> f64) -> Case {
        self.on_dim(1, f)
    }
    fn on_dim_before_last(self, f: fn(&[f64]) -> f64) -> Case {
        self.on_dim(2, f)
    }
    fn on_dim(self, from_end: usize, f: fn(&[f64]) -> f64) -> Case {
        let old = self.truth;
        Case {
            truth: Box::new(move |a| {
                let keepdim = old(a).shape.len() == a[0].shape.len();
                a[0].reduce(&[a[0].shape.len() - from_end], keepdim, f)
            }),
            ..self
        }
    }
}
