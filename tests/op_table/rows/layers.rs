//! Convolution, pooling, normalisation, dropout.

use crate::array::Array;
use crate::case::{Draw, Row, Size, case, row};
use taper::{ConvOptions, ConvTransposeOptions, PoolOptions};

/// A convolution by its definition.
fn conv2d(x: &Array, w: &Array, stride: usize, pad: usize, dilation: usize, groups: usize) -> Array {
    let (n, h, width) = (x.shape[0], x.shape[2], x.shape[3]);
    let (o, cg, kh, kw) = (w.shape[0], w.shape[1], w.shape[2], w.shape[3]);
    let out = |n: usize, k: usize| (n + 2 * pad - dilation * (k - 1) - 1) / stride + 1;
    Array::from_fn(&[n, o, out(h, kh), out(width, kw)], |i| {
        let group = i[1] / (o / groups);
        let mut sum = 0.0;
        for c in 0..cg {
            for r in 0..kh {
                for q in 0..kw {
                    let y = (i[2] * stride + r * dilation) as isize - pad as isize;
                    let z = (i[3] * stride + q * dilation) as isize - pad as isize;
                    if (0..h as isize).contains(&y) && (0..width as isize).contains(&z) {
                        sum += x.at(&[i[0], group * cg + c, y as usize, z as usize]) * w.at(&[i[1], c, r, q]);
                    }
                }
            }
        }
        sum
    })
}

/// A transposed convolution by its definition: every element of `x` adds its multiple of the kernel.
fn conv_transpose2d(x: &Array, w: &Array, stride: usize, pad: usize, more: usize, groups: usize) -> Array {
    let (n, c, h, width) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3]);
    let (og, kh, kw) = (w.shape[1], w.shape[2], w.shape[3]);
    let out = |n: usize, k: usize| (n - 1) * stride + k + more - 2 * pad;
    let mut y = Array::from_fn(&[n, og * groups, out(h, kh), out(width, kw)], |_| 0.0);
    let [oh, ow] = [y.shape[2], y.shape[3]];
    for i in 0..n * c * h * width {
        let (b, c_in, r, q) = (i / (c * h * width), i / (h * width) % c, i / width % h, i % width);
        for k in 0..og * kh * kw {
            let (o, kr, kq) = (k / (kh * kw), k / kw % kh, k % kw);
            let (to_r, to_q) = ((r * stride + kr).wrapping_sub(pad), (q * stride + kq).wrapping_sub(pad));
            if to_r < oh && to_q < ow {
                let channel = c_in / (c / groups) * og + o;
                let at = ((b * og * groups + channel) * oh + to_r) * ow + to_q;
                y.data[at] += x.at(&[b, c_in, r, q]) * w.at(&[c_in, o, kr, kq]);
            }
        }
    }
    y
}

/// The elements of each window of the last two dimensions, outside ones as `None`, put through `f`.
fn windows(x: &Array, k: usize, stride: usize, pad: usize, f: impl Fn(&[Option<f64>]) -> f64) -> Array {
    let (h, w) = (x.shape[2], x.shape[3]);
    let out = |n: usize| (n + 2 * pad - k) / stride + 1;
    Array::from_fn(&[x.shape[0], x.shape[1], out(h), out(w)], |i| {
        let mut seen = vec![];
        for r in 0..k {
            for c in 0..k {
                let (y, z) = ((i[2] * stride + r).wrapping_sub(pad), (i[3] * stride + c).wrapping_sub(pad));
                seen.push((y < h && z < w).then(|| x.at(&[i[0], i[1], y, z])));
            }
        }
        f(&seen)
    })
}

fn largest(seen: &[Option<f64>]) -> f64 {
    seen.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn image(d: &mut Draw, channels: usize) -> Vec<usize> {
    let (n, side) = if d.size == Size::Large { (4, 40) } else { (1 + d.below(2), 5) };
    vec![n, channels, side + d.below(3), side + d.below(3)]
}

fn normalised(v: &[f64], eps: f64) -> Vec<f64> {
    let m = v.iter().sum::<f64>() / v.len() as f64;
    let var = v.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / v.len() as f64;
    v.iter().map(|x| (x - m) / (var + eps).sqrt()).collect()
}

/// Each channel of `[N, C, L]` normalised over N and L.
fn batch_normalised(x: &Array, eps: f64) -> Array {
    let s = &x.shape;
    let lines = x.permute(&[1, 0, 2]).reshape(&[s[1], s[0] * s[2]]).along(1, |v| normalised(v, eps));
    lines.reshape(&[s[1], s[0], s[2]]).permute(&[1, 0, 2])
}

fn channel(a: &Array) -> Array {
    a.reshape(&[a.data.len(), 1])
}

pub fn rows() -> Vec<Row> {
    let rows = vec![
        row("conv2d", |d| {
            let (s, stride, pad) = (image(d, 2), 1 + d.below(2), d.below(2));
            case(
                [d.any(&s), d.any(&[3, 2, 3, 2]), d.any(&[3])],
                move |x| {
                    let options = ConvOptions::default().stride(stride).padding(pad);
                    x[0].conv2d(&x[1], Some(&x[2]), options)
                },
                move |a| conv2d(&a[0], &a[1], stride, pad, 1, 1).zip(&a[2].reshape(&[3, 1, 1]), |v, b| v + b),
            )
        }),
        row("conv2d, grouped and dilated", |d| {
            let s = image(d, 4);
            case(
                [d.any(&s), d.any(&[4, 2, 2, 2])],
                |x| x[0].conv2d(&x[1], None, ConvOptions::default().dilation(2).groups(2)),
                |a| conv2d(&a[0], &a[1], 1, 0, 2, 2),
            )
        }),
        row("conv2d, one filter for each channel", |d| {
            let s = image(d, 3);
            case(
                [d.any(&s), d.any(&[3, 1, 3, 3])],
                |x| x[0].conv2d(&x[1], None, ConvOptions::default().padding(1).groups(3)),
                |a| conv2d(&a[0], &a[1], 1, 1, 1, 3),
            )
        }),
        row("conv1d", |d| {
            let n = if d.size == Size::Large { 3000 } else { 5 + d.below(4) };
            case(
                [d.any(&[2, 3, n]), d.any(&[2, 3, 3])],
                |x| x[0].conv1d(&x[1], None, ConvOptions::default()),
                move |a| {
                    let y = conv2d(&a[0].reshape(&[2, 3, 1, n]), &a[1].reshape(&[2, 3, 1, 3]), 1, 0, 1, 1);
                    y.reshape(&[2, 2, n - 2])
                },
            )
        }),
        row("conv_transpose2d", |d| {
            let (s, stride, pad) = (image(d, 2), 1 + d.below(3), d.below(2));
            let more = d.below(stride);
            case(
                [d.any(&s), d.any(&[2, 3, 3, 2]), d.any(&[3])],
                move |x| {
                    let options = ConvTransposeOptions::default().stride(stride);
                    x[0].conv_transpose2d(&x[1], Some(&x[2]), options.padding(pad).output_padding(more))
                },
                move |a| {
                    let y = conv_transpose2d(&a[0], &a[1], stride, pad, more, 1);
                    y.zip(&a[2].reshape(&[3, 1, 1]), |v, b| v + b)
                },
            )
        }),
        row("conv_transpose2d, grouped", |d| {
            let s = image(d, 4);
            case(
                [d.any(&s), d.any(&[4, 3, 2, 2])],
                |x| x[0].conv_transpose2d(&x[1], None, ConvTransposeOptions::default().groups(2)),
                |a| conv_transpose2d(&a[0], &a[1], 1, 0, 0, 2),
            )
        }),
        row("conv_transpose1d", |d| {
            let n = if d.size == Size::Large { 3000 } else { 5 + d.below(4) };
            case(
                [d.any(&[2, 3, n]), d.any(&[3, 2, 3])],
                |x| x[0].conv_transpose1d(&x[1], None, ConvTransposeOptions::default()),
                move |a| {
                    let (x, w) = (a[0].reshape(&[2, 3, 1, n]), a[1].reshape(&[3, 2, 1, 3]));
                    conv_transpose2d(&x, &w, 1, 0, 0, 1).reshape(&[2, 2, n + 2])
                },
            )
        }),
        row("max_pool2d", |d| {
            let s = image(d, 2);
            case(
                [d.distinct(&s)],
                |x| x[0].max_pool2d(PoolOptions::new(3).stride(2).padding(1)),
                |a| windows(&a[0], 3, 2, 1, largest),
            )
        }),
        row("max_pool2d_with_indices", |d| {
            let s = image(d, 2);
            let n = s[2] * s[3];
            case(
                [d.distinct(&s)],
                move |x| {
                    let (values, at) = x[0].max_pool2d_with_indices(2);
                    let flat = x[0].reshape([x[0].size(0) as isize, 2, n as isize]);
                    values + flat.gather(2, &at.flatten(2, -1)).reshape(at.shape())
                },
                |a| windows(&a[0], 2, 2, 0, largest).map(|v| 2.0 * v),
            )
        }),
        row("max_pool1d", |d| {
            case(
                [d.distinct(&[2, 3, 8])],
                |x| x[0].max_pool1d(2),
                |a| {
                    Array::from_fn(&[2, 3, 4], |i| {
                        (0..2).map(|j| a[0].at(&[i[0], i[1], 2 * i[2] + j])).fold(f64::MIN, f64::max)
                    })
                },
            )
        }),
        row("max_pool1d_with_indices", |d| {
            case(
                [d.distinct(&[2, 3, 8])],
                |x| x[0].max_pool1d_with_indices(2).0,
                |a| {
                    Array::from_fn(&[2, 3, 4], |i| {
                        (0..2).map(|j| a[0].at(&[i[0], i[1], 2 * i[2] + j])).fold(f64::MIN, f64::max)
                    })
                },
            )
        }),
        row("avg_pool2d", |d| {
            let s = image(d, 2);
            let include = d.flag();
            case(
                [d.any(&s)],
                move |x| x[0].avg_pool2d(PoolOptions::new(2).padding(1).count_include_pad(include)),
                move |a| {
                    windows(&a[0], 2, 2, 1, |seen| {
                        let count = if include { seen.len() } else { seen.iter().flatten().count() };
                        seen.iter().flatten().sum::<f64>() / count as f64
                    })
                },
            )
        })
        .loose(4.0),
        row("avg_pool1d", |d| {
            case(
                [d.any(&[2, 3, 8])],
                |x| x[0].avg_pool1d(2),
                |a| {
                    Array::from_fn(&[2, 3, 4], |i| {
                        (0..2).map(|j| a[0].at(&[i[0], i[1], 2 * i[2] + j]) / 2.0).sum()
                    })
                },
            )
        })
        .loose(4.0),
        row("adaptive_avg_pool2d", |d| {
            let s = image(d, 2);
            case(
                [d.any(&s)],
                |x| x[0].adaptive_avg_pool2d([2, 3]),
                |a| {
                    let s = &a[0].shape;
                    let cell = |i: usize, out: usize, n: usize| (i * n / out)..((i + 1) * n).div_ceil(out);
                    Array::from_fn(&[s[0], s[1], 2, 3], |i| {
                        let (rows, cols) = (cell(i[2], 2, s[2]), cell(i[3], 3, s[3]));
                        let count = (rows.len() * cols.len()) as f64;
                        let each = rows.flat_map(|r| cols.clone().map(move |c| (r, c)));
                        each.map(|(r, c)| a[0].at(&[i[0], i[1], r, c])).sum::<f64>() / count
                    })
                },
            )
        })
        .loose(8.0),
        row("adaptive_avg_pool1d", |d| {
            case(
                [d.any(&[2, 3, 8])],
                |x| x[0].adaptive_avg_pool1d(4),
                |a| {
                    Array::from_fn(&[2, 3, 4], |i| {
                        (0..2).map(|j| a[0].at(&[i[0], i[1], 2 * i[2] + j]) / 2.0).sum()
                    })
                },
            )
        })
        .loose(4.0),
        row("layer_norm", |d| {
            let (r, n) = if d.size == Size::Large { (400, 100) } else { (1 + d.below(3), 5) };
            case(
                [d.any(&[r, n]), d.any(&[n]), d.any(&[n])],
                move |x| x[0].layer_norm([n], Some(&x[1]), Some(&x[2]), 1e-3),
                |a| a[0].along(1, |v| normalised(v, 1e-3)).zip(&a[1], |v, w| v * w).zip(&a[2], |v, b| v + b),
            )
        })
        .loose(20.0),
        row("batch_norm_train", |d| {
            let (n, l) = if d.size == Size::Large { (40, 300) } else { (3, 2 + d.below(3)) };
            case(
                [d.any(&[n, 3, l]), d.any(&[3]), d.any(&[3])],
                |x| x[0].batch_norm_train(Some(&x[1]), Some(&x[2]), 1e-2).0,
                |a| {
                    batch_normalised(&a[0], 1e-2)
                        .zip(&channel(&a[1]), |v, w| v * w)
                        .zip(&channel(&a[2]), |v, b| v + b)
                },
            )
        })
        .loose(30.0),
        row("batch_norm_eval", |d| {
            let s = [2, 3, 4 + d.below(3)];
            case(
                [d.any(&s), d.any(&[3]).constant(), d.positive(&[3]).constant(), d.any(&[3]), d.any(&[3])],
                |x| x[0].batch_norm_eval(&x[1], &x[2], Some(&x[3]), Some(&x[4]), 1e-2),
                |a| {
                    let centred = a[0].zip(&channel(&a[1]), |v, m| v - m);
                    let scaled = centred.zip(&channel(&a[2]), |v, s| v / (s + 1e-2).sqrt());
                    scaled.zip(&channel(&a[3]), |v, w| v * w).zip(&channel(&a[4]), |v, b| v + b)
                },
            )
        })
        .loose(20.0),
        row("group_norm", |d| {
            let s = [2, 4, 3 + d.below(3)];
            case(
                [d.any(&s), d.any(&[4]), d.any(&[4])],
                |x| x[0].group_norm(2, Some(&x[1]), Some(&x[2]), 1e-2),
                |a| {
                    let s = &a[0].shape;
                    let y = a[0].reshape(&[s[0] * 2, 2 * s[2]]).along(1, |v| normalised(v, 1e-2)).reshape(s);
                    y.zip(&channel(&a[1]), |v, w| v * w).zip(&channel(&a[2]), |v, b| v + b)
                },
            )
        })
        .loose(30.0),
        row("dropout out of training", |d| {
            let s = d.any_shape(0, 3);
            case([d.any(&s)], |x| x[0].dropout(0.5, false), |a| a[0].clone())
        }),
    ];
    rows.into_iter().map(|r| if r.name.starts_with("conv") { r.loose(20.0) } else { r }).collect()
}
