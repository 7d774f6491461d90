use crate::common::*;
use taper_tensor::{ConvOptions, DType, Padding, Tensor};

fn options(stride: [usize; 2], padding: [usize; 2], dilation: [usize; 2], groups: usize) -> ConvOptions {
    ConvOptions::default().stride(stride).padding(padding).dilation(dilation).groups(groups)
}

/// The convolution by its definition.
fn naive(x: &Tensor, w: &Tensor, b: &Tensor, o: ConvOptions) -> Tensor {
    let (sx, sw) = (x.shape().to_vec(), w.shape().to_vec());
    let (dx, dw, db) = (x.to_vec::<f64>(), w.to_vec::<f64>(), b.to_vec::<f64>());
    let Padding::Zeros(pad) = o.padding else { panic!("plain padding") };
    let size = |d: usize| (sx[2 + d] + 2 * pad[d] - o.dilation[d] * (sw[2 + d] - 1) - 1) / o.stride[d] + 1;
    let per_group = sw[0] / o.groups;
    table(&[sx[0], sw[0], size(0), size(1)], |i| {
        let mut sum = db[i[1]];
        for k in indices(&sw[1..]) {
            let place = |d: usize| (i[2 + d] * o.stride[d] + k[1 + d] * o.dilation[d]).checked_sub(pad[d]);
            let (Some(h), Some(v)) = (place(0), place(1)) else { continue };
            if h < sx[2] && v < sx[3] {
                let channel = i[1] / per_group * sw[1] + k[0];
                sum += at(&dx, &sx, &[i[0], channel, h, v]) * at(&dw, &sw, &[i[1], k[0], k[1], k[2]]);
            }
        }
        sum
    })
}

type Case = (&'static [usize], &'static [usize], ConvOptions);
fn cases() -> Vec<Case> {
    vec![
        (&[2, 3, 5, 4], &[4, 3, 3, 2], ConvOptions::default()),
        (&[1, 2, 5, 5], &[4, 1, 2, 2], options([2, 1], [0, 1], [1, 2], 2)),
        (&[1, 2, 6, 6], &[2, 2, 3, 3], options([2, 2], [1, 1], [1, 1], 1)),
        (&[2, 3, 4, 4], &[3, 1, 3, 3], options([1, 1], [1, 1], [1, 1], 3)),
        (&[1, 1, 4, 7], &[2, 1, 1, 3], options([3, 2], [0, 2], [1, 3], 1)),
        (&[1, 2, 2, 2], &[3, 2, 1, 1], ConvOptions::default()),
        (&[0, 2, 4, 4], &[3, 2, 2, 2], ConvOptions::default()),
    ]
}

#[test]
fn values_in_all_dtypes_and_layouts() {
    for (x, w, o) in cases() {
        let inputs = [randn(x, 1), randn(w, 2), randn(&[w[0]], 3)];
        let run = |t: &[Tensor]| t[0].conv2d(&t[1], Some(&t[2]), o);
        assert_near(&run(&inputs), &naive(&inputs[0], &inputs[1], &inputs[2], o), 1e-12);
        check_dtypes(&inputs, run);
    }
}

#[test]
fn derivatives() {
    for (x, w, o) in cases() {
        let inputs = [randn(x, 1), randn(w, 2), randn(&[w[0]], 3)];
        check_grads(&inputs, |t| t[0].conv2d(&t[1], Some(&t[2]), o));
    }
    check_grads(&[randn(&[1, 1, 3, 3], 1), randn(&[1, 1, 2, 2], 2)], |t| {
        t[0].conv2d(&t[1], None, ConvOptions::default())
    });
}

#[test]
fn one_dimension_is_an_image_of_height_one() {
    let inputs = [randn(&[2, 4, 7], 1), randn(&[6, 2, 3], 2), randn(&[6], 3)];
    let o = ConvOptions::default().stride(2).padding(1).groups(2);
    let image = |t: &[Tensor]| {
        let o = options([1, 2], [0, 1], [1, 1], 2);
        t[0].unsqueeze(2).conv2d(t[1].unsqueeze(2), Some(&t[2]), o).squeeze(2)
    };
    let run = |t: &[Tensor]| t[0].conv1d(&t[1], Some(&t[2]), o);
    assert!(run(&inputs).equal(&image(&inputs)));
    check_grads(&inputs, run);
    let single = inputs[0].select(0, 0);
    assert!(single.conv1d(&inputs[1], Some(&inputs[2]), o).equal(&run(&inputs).select(0, 0)));
}

#[test]
fn same_padding_keeps_the_size() {
    let x = randn(&[1, 2, 5, 6], 1);
    for (kernel, dilation) in [([3, 3], [1, 1]), ([2, 4], [1, 1]), ([2, 3], [3, 2])] {
        let w = randn(&[2, 2, kernel[0], kernel[1]], 2);
        let o = ConvOptions::default().dilation(dilation);
        let y = x.conv2d(&w, None, o.padding(Padding::Same));
        assert_eq!(y.shape(), x.shape());
        // An odd number of zeros has the last one at the end.
        let total = [0, 1].map(|d| (dilation[d] * (kernel[d] - 1)) as isize);
        let sides = [total[1] / 2, total[1] - total[1] / 2, total[0] / 2, total[0] - total[0] / 2];
        assert_near(&y, &x.pad(sides, 0.0).conv2d(&w, None, o), 1e-13);
        check_grads(&[x.clone(), w], |t| t[0].conv2d(&t[1], None, o.padding(Padding::Same)));
    }
}

#[test]
fn errors_name_shapes() {
    let x = Tensor::zeros([1, 3, 8, 8]);
    let plain = ConvOptions::default();
    assert_eq!(
        panic_of(|| x.conv2d(Tensor::zeros([4, 1, 3, 3]), None, plain)),
        "conv2d: the input of shape [1, 3, 8, 8] has 3 channels, the weight of shape [4, 1, 3, 3] with 1 group(s) takes 1"
    );
    assert!(
        panic_of(|| x.conv2d(Tensor::zeros([4, 3, 9, 9]), None, plain))
            .contains("larger than the padded input")
    );
    assert!(
        panic_of(|| x.conv2d(Tensor::zeros([4, 3, 3]), None, plain))
            .contains("expected an input [batch, channels")
    );
    let w = Tensor::zeros([4, 3, 3, 3]);
    assert!(panic_of(|| x.conv2d(&w, Some(&Tensor::zeros([3])), plain)).contains("a bias of shape [3]"));
    assert!(
        panic_of(|| x.conv2d(w.to_dtype(DType::F64), None, plain))
            .contains("one dtype, got float32 and float64")
    );
    assert!(panic_of(|| x.conv2d(&w, None, plain.stride(2).padding(Padding::Same))).contains("stride of 1"));
    assert!(panic_of(|| x.conv2d(&w, None, plain.stride(0))).contains("at least 1"));
}
