//! Convolution forward, and with the gradients of input, weight and bias.

mod common;

use common::{Family, Work, numbers, with_backward};
use taper::{ConvOptions, Tensor};

/// A convolution with square images and kernels.
struct Case {
    name: &'static str,
    batch: usize,
    channels: [usize; 2],
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    groups: usize,
}

/// 3×3, nothing else.
const PLAIN: Case =
    Case { name: "", batch: 8, channels: [64, 64], size: 28, kernel: 3, stride: 1, padding: 0, groups: 1 };

impl Case {
    fn inputs(&self) -> [Tensor; 3] {
        let ([c, o], k) = (self.channels, self.kernel);
        [numbers([self.batch, c, self.size, self.size]), numbers([o, c / self.groups, k, k]), numbers(o)]
    }

    fn flops(&self) -> usize {
        let out = (self.size + 2 * self.padding - self.kernel) / self.stride + 1;
        let taps = self.channels[0] / self.groups * self.kernel * self.kernel;
        2 * self.batch * self.channels[1] * out * out * taps
    }

    fn bench(&self, f: &mut Family) {
        let options = ConvOptions::default().stride(self.stride).padding(self.padding).groups(self.groups);
        let conv = move |[x, w, b]: &[Tensor; 3]| x.conv2d(w, Some(b), options);
        f.bench(&format!("conv_fwd_{}", self.name), Work::Flops(self.flops()), || {
            let inputs = self.inputs();
            move || conv(&inputs)
        });
        f.bench(&format!("conv_fwdbwd_{}", self.name), Work::Flops(3 * self.flops()), || {
            with_backward(self.inputs(), conv)
        });
    }
}

const CASES: [Case; 7] = [
    Case { name: "3to32_32x32", batch: 32, channels: [3, 32], size: 32, ..PLAIN },
    Case { name: "32to64_15x15", batch: 32, channels: [32, 64], size: 15, ..PLAIN },
    Case { name: "64to64_56x56_pad1", size: 56, padding: 1, ..PLAIN },
    Case { name: "512to512_7x7_pad1", batch: 1, channels: [512, 512], size: 7, padding: 1, ..PLAIN },
    Case { name: "64to256_28x28_1x1", channels: [64, 256], kernel: 1, ..PLAIN },
    Case {
        name: "64to128_56x56_pad1_stride2",
        batch: 4,
        channels: [64, 128],
        size: 56,
        stride: 2,
        padding: 1,
        ..PLAIN
    },
    Case { name: "depthwise64_28x28_pad1", padding: 1, groups: 64, ..PLAIN },
];

fn main() {
    common::run("conv", |f| {
        CASES.iter().for_each(|case| case.bench(f));
        f.bench("conv_fwd_1d_64to64_1000", Work::Flops(2 * 8 * 64 * 996 * 64 * 5), || {
            let (x, w) = (numbers([8, 64, 1000]), numbers([64, 64, 5]));
            move || x.conv1d(&w, None, ConvOptions::default())
        });
    });
}
