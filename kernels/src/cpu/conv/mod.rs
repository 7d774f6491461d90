//! Convolution and its gradients.
//!
//! The forward pass and the input gradient are both sums over taps of a framed image
//! ([`correlate`], [`frame`]); the weight gradient is a sum over outputs ([`weight`]).

mod correlate;
mod frame;
mod weight;
mod winograd;

pub use winograd::{set_winograd, winograd};

use crate::cpu::gemm::{finish, real::Real, widened::Widened};
use crate::{backend::*, *};
use correlate::{Correlation, Lay, Weights};
use frame::Frame;

pub fn conv(op: ConvOp, params: ConvParams, mut out: ViewMut) -> Result {
    if out.layout.numel() == 0 {
        return Ok(());
    }
    let dtype = out.dtype;
    match dtype {
        DType::F16 | DType::BF16 => {
            let mut wide = Widened::empty(out.layout);
            match op {
                ConvOp::Forward { x, w, bias, activation } => {
                    let (x, w, bias) = (Widened::of(x)?, Widened::of(w)?, bias.map(Widened::of).transpose()?);
                    let bias = bias.as_ref().map(|b| b.view());
                    conv(
                        ConvOp::Forward { x: x.view(), w: w.view(), bias, activation },
                        params,
                        wide.view_mut(),
                    )?;
                }
                ConvOp::InputGrad { g, w } => {
                    let (g, w) = (Widened::of(g)?, Widened::of(w)?);
                    conv(ConvOp::InputGrad { g: g.view(), w: w.view() }, params, wide.view_mut())?;
                }
                ConvOp::WeightGrad { g, x } => {
                    let (g, x) = (Widened::of(g)?, Widened::of(x)?);
                    conv(ConvOp::WeightGrad { g: g.view(), x: x.view() }, params, wide.view_mut())?;
                }
            }
            return wide.rounded(out);
        }
        DType::F32 => run::<f32>(&op, &params, &mut out),
        DType::F64 => run::<f64>(&op, &params, &mut out),
        _ => return Err(Error::Unsupported { op: "conv2d", dtype, device: Device::Cpu }),
    }
    match op {
        ConvOp::Forward { activation, .. } => finish(activation, out),
        _ => Ok(()),
    }
}

fn lay(layout: &Layout) -> Lay {
    Lay {
        start: layout.offset(),
        steps: layout.strides().try_into().expect("convolutions take four dimensions"),
    }
}

fn sizes(layout: &Layout) -> [usize; 4] {
    layout.shape().try_into().expect("convolutions take four dimensions")
}

fn run<T: Real>(op: &ConvOp, p: &ConvParams, out: &mut ViewMut) {
    let out_layout = out.layout;
    assert!(out_layout.span().end <= out.data::<T>().len(), "result reaches past its memory");
    if winograd::run(op, p, out) {
        return;
    }
    let data = out.data::<T>();
    let to = data.as_mut_ptr();
    match *op {
        ConvOp::Forward { x, w, bias, activation } => {
            forward(p, x, w, bias, activation == Activation::Relu, to, out_layout)
        }
        ConvOp::InputGrad { g, w } => input_grad::<T>(p, g, w, to, out_layout),
        ConvOp::WeightGrad { g, x } => weight::run::<T>(p, g, x, data, out_layout),
    }
}

/// Distance of every tap from the first, in each dimension.
fn reach(kernel: [usize; 2], p: &ConvParams) -> [Vec<usize>; 2] {
    std::array::from_fn(|d| (0..kernel[d]).map(|i| i * p.dilation[d]).collect())
}

/// Distance of every weight of an output channel from the first, in row-major order.
fn terms(sizes: [usize; 3], lay: &Lay) -> Vec<isize> {
    let [.., s1, s2, s3] = lay.steps;
    let [c, h, w] = sizes.map(|n| n as isize);
    (0..c).flat_map(|c| (0..h).flat_map(move |h| (0..w).map(move |w| c * s1 + h * s2 + w * s3))).collect()
}

fn forward<T: Real>(
    p: &ConvParams,
    x: View,
    w: View,
    bias: Option<View>,
    relu: bool,
    out: *mut T,
    out_layout: &Layout,
) {
    let ([n, _, h, wi], [o, channels, kh, kw]) = (sizes(x.layout), sizes(w.layout));
    let [.., oh, ow] = sizes(out_layout);
    let reach = reach([kh, kw], p);
    let frame = Frame::new([h, wi], p.stride, p.padding, &reach, [oh, ow]);
    let plane = frame.len();
    let mut offsets = Vec::with_capacity(channels * kh * kw);
    for c in 0..channels {
        for &i in &reach[0] {
            offsets.extend(reach[1].iter().map(|&j| c * plane + frame.offset([i, j])));
        }
    }
    let (wl, rows) = (lay(w.layout), o / p.groups);
    let each = [channels, kh, kw];
    let bias = bias.map(|b| {
        assert!(b.layout.span().end <= b.data::<T>().len(), "bias reaches past its memory");
        (b.data::<T>(), b.layout.offset(), b.layout.strides()[0])
    });
    let correlation = Correlation {
        images: n,
        groups: p.groups,
        rows,
        channels,
        source: x.data(),
        source_lay: lay(x.layout),
        frame: &frame,
        origin: 0,
        offsets,
        weights: Weights {
            data: w.data(),
            start: wl.start,
            group: rows as isize * wl.steps[0],
            row: wl.steps[0],
            terms: terms(each, &wl),
        },
        outputs: [oh, ow],
        out,
        out_lay: lay(out_layout),
        bias,
        relu,
    };
    // SAFETY: the output's span was checked; the frame was made for these taps and outputs.
    unsafe { correlation.run() }
}

/// Each phase of the input (positions `h` of one `(h + padding) mod stride`) sees its own taps, one
/// step of the gradient apart: output `(h + padding − tap) / stride`.
fn input_grad<T: Real>(p: &ConvParams, g: View, w: View, out: *mut T, out_layout: &Layout) {
    let ([n, o, oh, ow], [_, rows, kh, kw]) = (sizes(g.layout), sizes(w.layout));
    let [.., h, wi] = sizes(out_layout);
    let (size, kernel, outputs) = ([h, wi], [kh, kw], [oh, ow]);
    // Rows of zeros before the gradient's first, and rows in all.
    let lead: [usize; 2] = std::array::from_fn(|d| (kernel[d] - 1) * p.dilation[d] / p.stride[d]);
    let frame = Frame {
        source: outputs,
        step: [1, 1],
        pad: lead,
        phases: [vec![0], vec![0]],
        size: std::array::from_fn(|d| {
            lead[d] + outputs[d].max((size[d] - 1 + p.padding[d]) / p.stride[d] + 1)
        }),
    };
    let (plane, pitch, channels) = (frame.len(), frame.size[1], o / p.groups);
    let (wl, to) = (lay(w.layout), lay(out_layout));
    let [w0, w1, w2, w3] = wl.steps;
    for a in 0..p.stride[0] {
        for b in 0..p.stride[1] {
            let phase = [a, b];
            // Positions `stride·r + phase − padding`, from the first r inside.
            let first: [usize; 2] =
                std::array::from_fn(|d| p.padding[d].saturating_sub(phase[d]).div_ceil(p.stride[d]));
            let start: [usize; 2] = std::array::from_fn(|d| first[d] * p.stride[d] + phase[d] - p.padding[d]);
            if start[0] >= size[0] || start[1] >= size[1] {
                continue;
            }
            let count = std::array::from_fn(|d| (size[d] - start[d]).div_ceil(p.stride[d]));
            let taps: [Vec<usize>; 2] = std::array::from_fn(|d| {
                (0..kernel[d]).filter(|i| i * p.dilation[d] % p.stride[d] == phase[d]).collect()
            });
            let each: Vec<[usize; 2]> =
                taps[0].iter().flat_map(|&i| taps[1].iter().map(move |&j| [i, j])).collect();
            let back = |d: usize, i: usize| lead[d] - i * p.dilation[d] / p.stride[d];
            let offsets = (0..channels)
                .flat_map(|c| each.iter().map(move |t| c * plane + back(0, t[0]) * pitch + back(1, t[1])))
                .collect();
            let of_tap = |t: &[usize; 2]| t[0] as isize * w2 + t[1] as isize * w3;
            let terms =
                (0..channels).flat_map(|c| each.iter().map(move |t| c as isize * w0 + of_tap(t))).collect();
            let [s0, s1, s2, s3] = to.steps;
            let correlation = Correlation {
                images: n,
                groups: p.groups,
                rows,
                channels,
                source: g.data(),
                source_lay: lay(g.layout),
                frame: &frame,
                origin: first[0] * pitch + first[1],
                offsets,
                weights: Weights {
                    data: w.data(),
                    start: wl.start,
                    group: channels as isize * w0,
                    row: w1,
                    terms,
                },
                outputs: count,
                out,
                out_lay: Lay {
                    start: to.at([0, 0, start[0], start[1]]),
                    steps: [s0, s1, s2 * p.stride[0] as isize, s3 * p.stride[1] as isize],
                },
                bias: None,
                relu: false,
            };
            // SAFETY: the output's span was checked, and phases are different elements; the frame
            // reaches from the first tap of the first output to the last of the last.
            unsafe { correlation.run() }
        }
    }
}
