//! Products, convolutions, pooling, normalisation, attention.

use crate::case::Case;
use taper::nn::functional as F;
use taper::{ConvOptions, ConvTransposeOptions, PoolOptions, Tensor};

pub fn run(c: &Case) -> Option<Vec<Tensor>> {
    let x = c.inputs.first()?;
    let scale = |name: &str| c.float(name).unwrap_or(1.0);
    let conv = || {
        let o = ConvOptions::default().stride(c.pair("stride").unwrap_or([1, 1]));
        let o = o.padding(c.pair("padding").unwrap_or([0, 0])).dilation(c.pair("dilation").unwrap_or([1, 1]));
        o.groups(c.size("groups").unwrap_or(1))
    };
    let conv_transpose = || {
        let pair = |name: &str, usual: usize| c.pair(name).unwrap_or([usual; 2]);
        ConvTransposeOptions::default()
            .stride(pair("stride", 1))
            .padding(pair("padding", 0))
            .output_padding(pair("output_padding", 0))
            .dilation(pair("dilation", 1))
            .groups(c.size("groups").unwrap_or(1))
    };
    let pool = || {
        let kernel = c.pair("kernel_size").expect("a window");
        PoolOptions::new(kernel)
            .stride(c.pair("stride").unwrap_or(kernel))
            .padding(c.pair("padding").unwrap_or([0, 0]))
    };
    Some(vec![match c.op() {
        "matmul" => x.matmul(c.x(1)),
        "mm" => x.mm(c.x(1)),
        "mv" => x.mv(c.x(1)),
        "bmm" => x.bmm(c.x(1)),
        "dot" => x.dot(c.x(1)),
        "outer" => x.outer(c.x(1)),
        "addmm" => x.addmm(c.x(1), c.x(2), scale("beta"), scale("alpha")),
        "baddbmm" => x.baddbmm(c.x(1), c.x(2), scale("beta"), scale("alpha")),
        "linear" => x.linear(c.x(1), c.maybe(2)),
        "einsum" => Tensor::einsum(c.text("equation")?, &c.inputs.iter().collect::<Vec<_>>()),
        "conv1d" => x.conv1d(c.x(1), c.maybe(2), conv()),
        "conv2d" => x.conv2d(c.x(1), c.maybe(2), conv()),
        "conv_transpose1d" => x.conv_transpose1d(c.x(1), c.maybe(2), conv_transpose()),
        "conv_transpose2d" => x.conv_transpose2d(c.x(1), c.maybe(2), conv_transpose()),
        "max_pool2d" => x.max_pool2d(pool()),
        "avg_pool2d" => x.avg_pool2d(pool()),
        "adaptive_avg_pool2d" => x.adaptive_avg_pool2d(c.pair("output_size")?),
        "layer_norm" => x.layer_norm(c.sizes("normalized_shape"), c.maybe(1), c.maybe(2), 1e-5),
        "scaled_dot_product_attention" => {
            F::scaled_dot_product_attention(x, c.x(1), c.x(2), None, 0.0, c.flag("is_causal"), None)
        }
        _ => return None,
    }])
}
