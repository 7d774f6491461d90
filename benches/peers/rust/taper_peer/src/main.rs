//! taper as a peer of the others.

use peer_common::*;
use std::hint::black_box;
use taper::nn::functional::scaled_dot_product_attention;
use taper::optim::{Adam, AdamW};
use taper::prelude::*;
use taper::{ConvOptions, IntoShape, SaveOptions, State};

fn t(shape: impl IntoShape, seed: u32) -> Tensor {
    let shape = shape.into_shape();
    Tensor::from_vec(fill(shape.iter().product(), seed), &shape[..])
}
fn w(shape: impl IntoShape, fan_in: usize, seed: u32) -> Parameter {
    let shape = shape.into_shape();
    Parameter::new(Tensor::from_vec(weight(shape.iter().product(), fan_in, seed), &shape[..]))
}
fn zeros(n: usize) -> Parameter {
    Parameter::new(Tensor::zeros(n))
}
fn ones(n: usize) -> Parameter {
    Parameter::new(Tensor::ones(n))
}
fn ck(t: &Tensor) -> f64 {
    check(&t.to_vec::<f32>())
}

/// A workload without gradients.
fn forward<const N: usize>(
    h: &Harness,
    id: &str,
    make: impl FnOnce() -> [Tensor; N],
    f: impl Fn(&[Tensor; N]) -> Tensor,
) {
    h.case(id, || {
        let xs = make();
        (ck(&f(&xs)), move || drop(black_box(f(&xs))))
    });
}

fn train<O: Optimizer>(mut optimizer: O, loss: impl Fn() -> Tensor) -> (f64, impl FnMut()) {
    let mut step = move || {
        optimizer.zero_grad();
        let loss = loss();
        loss.backward();
        optimizer.step();
        loss.item()
    };
    let mut fifth = 0.0;
    for _ in 0..5 {
        fifth = step();
    }
    (fifth, move || {
        black_box(step());
    })
}

fn gemm(h: &Harness) {
    let product = |x: &[Tensor; 2]| x[0].matmul(&x[1]);
    for n in GEMM_SQUARE {
        forward(h, &format!("gemm_{n}"), || [t([n, n], 1), t([n, n], 2)], product);
    }
    for (id, m, k, n) in GEMM_SKINNY {
        forward(h, id, || [t([m, k], 1), t([k, n], 2)], product);
    }
    forward(h, BMM_ID, || [t([32, 8, 128, 64], 1), t([32, 8, 64, 128], 2)], product);
}

const N7: usize = 10_000_000;

fn elementwise(h: &Harness) {
    let wide = || [t(N7, 1) * 8.0];
    forward(h, "ew_add_1e7", || [t(N7, 1), t(N7, 2)], |[a, b]| a + b);
    forward(h, "ew_badd_4096x4096", || [t([4096, 4096], 1), t(4096, 2)], |[a, b]| a + b);
    forward(h, "ew_gelu_1e7", wide, |[x]| x.gelu());
    forward(h, "ew_gelu_tanh_1e7", wide, |[x]| x.gelu_tanh());
    forward(h, "ew_exp_1e7", wide, |[x]| x.exp());
    forward(h, "ew_muladd_relu_1e7", wide, |[x]| (x * 2.0 + 1.0).relu());
}

fn reductions(h: &Harness) {
    h.case("red_sum_1e7", || {
        let x = t(N7, 1) + 0.5;
        (x.sum().item() / N7 as f64, move || {
            black_box(x.sum().item());
        })
    });
    forward(h, "red_sum_axis0_4096x4096", || [t([4096, 4096], 1)], |[x]| x.sum_dim(0, false));
    forward(h, "red_sum_axis1_4096x4096", || [t([4096, 4096], 1)], |[x]| x.sum_dim(1, false));
    forward(h, "red_softmax_4096x1024", || [t([4096, 1024], 1) * 8.0], |[x]| x.softmax(-1));
    forward(
        h,
        "red_layernorm_4096x1024",
        || [t([4096, 1024], 1), t(1024, 2), t(1024, 3)],
        |[x, w, b]| x.layer_norm(1024, Some(w), Some(b), 1e-5),
    );
    forward(h, "red_transpose_copy_4096", || [t([4096, 4096], 1)], |[x]| x.t().contiguous());
}

fn convolution(h: &Harness) {
    for (name, n, ci, co, hw, pad) in CONVS {
        let inputs = move || {
            let kernel = w([co, ci, 3, 3], ci * 9, 2).value().detach();
            [t([n, ci, hw, hw], 1), kernel, t(co, 3)]
        };
        let conv = move |[x, w, b]: &[Tensor; 3]| x.conv2d(w, Some(b), ConvOptions::default().padding(pad));
        forward(h, &format!("conv_fwd_{name}"), inputs, conv);
        h.case(&format!("conv_fwdbwd_{name}"), || {
            let inputs = inputs().map(|x| x.requires_grad_(true));
            let ones = Tensor::ones_like(&conv(&inputs).detach());
            let go = move || {
                inputs.iter().for_each(Tensor::zero_grad);
                conv(&inputs).backward_with(Some(&ones), Default::default());
                inputs.each_ref().map(|x| x.grad().expect("a gradient"))
            };
            (go().iter().map(ck).product(), move || drop(black_box(go())))
        });
    }
    forward(h, "conv_maxpool2_32x64x30x30", || [t([32, 64, 30, 30], 1)], |[x]| x.max_pool2d(2));
}

fn training(h: &Harness) {
    let labels = |n| Tensor::from_vec(labels(n), n);
    h.case("train_mlp", || {
        let (x, y) = (t([64, 784], 1), labels(64));
        let (w1, b1, w2, b2) = (w([256, 784], 784, 11), zeros(256), w([10, 256], 256, 12), zeros(10));
        let params = [&w1, &b1, &w2, &b2].map(Parameter::clone).to_vec();
        train(Adam::new(params, 1e-3), move || {
            F::cross_entropy(&F::linear(&F::linear(&x, &w1, Some(&b1)).relu(), &w2, Some(&b2)), &y)
        })
    });
    h.case("train_cnn", || {
        let (x, y) = (t([32, 3, 32, 32], 2), labels(32));
        let (c1, d1) = (w([32, 3, 3, 3], 27, 21), zeros(32));
        let (c2, d2) = (w([64, 32, 3, 3], 288, 22), zeros(64));
        let (w1, b1) = (w([128, 2304], 2304, 23), zeros(128));
        let (w2, b2) = (w([10, 128], 128, 24), zeros(10));
        let params = [&c1, &d1, &c2, &d2, &w1, &b1, &w2, &b2].map(Parameter::clone).to_vec();
        train(Adam::new(params, 1e-3), move || {
            let o = ConvOptions::default();
            let a = F::conv2d(&x, &c1, Some(&d1), o).relu().max_pool2d(2);
            let a = F::conv2d(&a, &c2, Some(&d2), o).relu().max_pool2d(2).flatten(1, -1);
            F::cross_entropy(&F::linear(&F::linear(&a, &w1, Some(&b1)).relu(), &w2, Some(&b2)), &y)
        })
    });
    h.case("train_transformer", || {
        let (b, s, d, heads) = (8usize, 128usize, 256usize, 8usize);
        let (x, y) = (t([b, s, d], 3), t([b, s, d], 4));
        let (wqkv, bqkv, wo, bo) = (w([3 * d, d], d, 31), zeros(3 * d), w([d, d], d, 32), zeros(d));
        let (w1, b1, w2, b2) = (w([4 * d, d], d, 33), zeros(4 * d), w([d, 4 * d], 4 * d, 34), zeros(d));
        let (g1, h1, g2, h2) = (ones(d), zeros(d), ones(d), zeros(d));
        let params = [&wqkv, &bqkv, &wo, &bo, &w1, &b1, &w2, &b2, &g1, &h1, &g2, &h2];
        train(AdamW::new(params.map(Parameter::clone).to_vec(), 1e-3), move || {
            let a = F::layer_norm(&x, d, Some(&g1), Some(&h1), 1e-5);
            let qkv = F::linear(&a, &wqkv, Some(&bqkv)).reshape([b, s, 3, heads, d / heads]);
            let qkv = qkv.permute([2, 0, 3, 1, 4]).unbind(0);
            let a = scaled_dot_product_attention(&qkv[0], &qkv[1], &qkv[2], None, 0.0, true, None);
            let r = &x + F::linear(&a.transpose(1, 2).reshape([b, s, d]), &wo, Some(&bo));
            let a = F::layer_norm(&r, d, Some(&g2), Some(&h2), 1e-5);
            let r = &r + F::linear(&F::linear(&a, &w1, Some(&b1)).gelu(), &w2, Some(&b2));
            F::mse_loss(&r, &y)
        })
    });
    h.case("train_tiny", || {
        let (x, y) = (t([32, 10], 5), t([32, 1], 6));
        let (w1, b1) = (w([64, 10], 10, 41), zeros(64));
        let (w2, b2) = (w([32, 64], 64, 42), zeros(32));
        let (w3, b3) = (w([1, 32], 32, 43), zeros(1));
        let params = [&w1, &b1, &w2, &b2, &w3, &b3].map(Parameter::clone).to_vec();
        train(Adam::new(params, 1e-3), move || {
            let a = F::linear(&x, &w1, Some(&b1)).relu();
            let a = F::linear(&a, &w2, Some(&b2)).relu();
            F::mse_loss(&F::linear(&a, &w3, Some(&b3)), &y)
        })
    });
}

fn autograd(h: &Harness) {
    h.case("ag_chain1000_add1", || {
        let x = tensor([0.5]).requires_grad_(true);
        let go = move || {
            x.zero_grad();
            let mut y = x.clone();
            for _ in 0..1000 {
                y = &y + &x;
            }
            y.backward();
            x.grad().expect("a gradient")
        };
        (go().item(), move || drop(black_box(go())))
    });
}

fn files(h: &Harness) {
    for (kind, extension) in [("native", "pt"), ("safetensors", "safetensors")] {
        let (save_id, load_id) = (format!("io_save_{kind}"), format!("io_load_{kind}"));
        let synced_id = format!("{save_id}_synced");
        if !h.wants(&synced_id) && !h.wants(&load_id) {
            continue;
        }
        let dir = io_dir(&h.peer);
        let path = dir.join(format!("m.{extension}"));
        let dict: StateDict =
            (0..IO_TENSORS).map(|i| (format!("t{i:02}"), t([IO_SIDE, IO_SIDE], i as u32))).collect();
        let save = |sync| {
            let _ = std::fs::remove_file(&path);
            taper::save_with(&dict, &path, &SaveOptions { sync }).expect("a saved file");
        };
        save(true);
        h.case(&save_id, || (f64::NAN, || save(false)));
        h.case(&synced_id, || (f64::NAN, || save(true)));
        // One number of every 4 KiB page is read, so that a map is paid for.
        let load = || {
            let state = taper::load(&path).expect("a loaded file");
            let tensors = state.as_map().expect("named tensors").values().filter_map(State::as_tensor);
            tensors.map(|t| t.reshape(-1).slice(0, None, None, 1024).sum().item()).sum::<f64>()
        };
        h.case(&load_id, || {
            (load(), || {
                black_box(load());
            })
        });
        let _ = std::fs::remove_dir_all(dir);
    }
}

fn main() {
    let h = Harness::from_args("taper");
    // Nothing is recorded where nothing asks for a gradient, so no mode is set.
    gemm(&h);
    elementwise(&h);
    reductions(&h);
    convolution(&h);
    training(&h);
    autograd(&h);
    files(&h);
}
