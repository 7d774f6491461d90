//! Which convolutions come here, and with what operands.

use super::*;
use crate::cpu::conv::{lay, sizes};
use crate::{Activation, ConvOp, ConvParams, DType, Layout, View, ViewMut};

/// Fewest channels on either side, and tiles, with which the transforms pay.
const LEAST_CHANNELS: usize = if cfg!(miri) { 2 } else { 16 };
const LEAST_TILES: usize = if cfg!(miri) { 4 } else { 48 };

/// Computes a product here, if it is one for which that pays and all results are finite.
pub fn run(op: &ConvOp, p: &ConvParams, out: &mut ViewMut) -> bool {
    if out.dtype != DType::F32 || !winograd() {
        return false;
    }
    let layout = out.layout;
    match *op {
        ConvOp::Forward { x, w, bias, activation } => {
            let padding = p.padding.map(|n| n as isize);
            let relu = activation == Activation::Relu;
            fits(p, w.layout, x.layout, layout) && product(x, w, false, padding, bias, relu, out)
        }
        ConvOp::InputGrad { g, w } => {
            // The same with taps and channels turned round, and as much padding as the kernel sees beyond.
            let padding = p.padding.map(|n| (TAPS - 1) as isize - n as isize);
            fits(p, w.layout, layout, g.layout) && product(g, w, true, padding, None, false, out)
        }
        ConvOp::WeightGrad { g, x } => {
            let weights = Weights {
                source: images(x),
                padding: p.padding.map(|n| n as isize),
                gradient: images(g),
                images: sizes(x.layout)[0],
            };
            fits(p, layout, x.layout, g.layout) && weights.run(out.data::<f32>(), &lay(layout))
        }
    }
}

/// Whether a convolution with weight `w` from `x` to `y` (or a gradient of it) comes here.
fn fits(p: &ConvParams, w: &Layout, x: &Layout, y: &Layout) -> bool {
    let ([o, c, kernel @ ..], [n, .., h, width], [.., oh, ow]) = (sizes(w), sizes(x), sizes(y));
    // Tiles at the border may reach beyond the outputs; the input gradient's, beyond the input.
    let pays = |outputs: [usize; 2]| {
        let tiles = Tiles::new(outputs).each();
        n * tiles >= LEAST_TILES && tiles * STEP * STEP * 3 <= outputs[0] * outputs[1] * 4
    };
    kernel == [TAPS; 2]
        && (p.stride, p.dilation, p.groups) == ([1, 1], [1, 1], 1)
        && c.min(o) >= LEAST_CHANNELS
        && pays([h, width])
        && pays([oh, ow])
}

fn images(x: View<'_>) -> Images<'_> {
    let [_, channels, h, w] = sizes(x.layout);
    assert!(x.layout.span().end <= x.data::<f32>().len(), "operand reaches past its memory");
    Images { data: x.data(), lay: lay(x.layout), channels, size: [h, w] }
}

fn product(
    x: View,
    w: View,
    turned: bool,
    padding: [isize; 2],
    bias: Option<View>,
    relu: bool,
    out: &mut ViewMut,
) -> bool {
    let ([o, c, ..], from) = (sizes(w.layout), lay(w.layout));
    let [s0, s1, s2, s3] = from.steps;
    let (to_step, from_step, channels) = if turned { (s1, s0, [o, c]) } else { (s0, s1, [c, o]) };
    let [n, _, h, width] = sizes(out.layout);
    let bias = bias.map(|b| {
        let steps = b.layout.strides()[0];
        let at = |i: usize| b.layout.offset().wrapping_add_signed(i as isize * steps);
        (0..channels[1]).map(|i| b.data::<f32>()[at(i)]).collect()
    });
    let to = lay(out.layout);
    let product = Product {
        source: images(x),
        padding,
        kernels: Kernels {
            data: w.data(),
            start: from.start,
            to: to_step,
            from: from_step,
            taps: [s2, s3],
            turned,
            channels,
        },
        outputs: [h, width],
        out: Out { start: out.data::<f32>().as_mut_ptr(), lay: to },
        bias,
        relu,
    };
    // SAFETY: the caller has checked the output's span; it alone has the output.
    unsafe { product.run(n) }
}
