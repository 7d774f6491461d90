//! Every row on a CUDA device against the CPU: values and gradients.
//!
//! Needs a driver, a device's or the emulator's: `cargo xtask cuda test`. Without one it says so and passes; with
//! `TAPER_CUDA_REQUIRED=1` it fails.

use crate::case::{Case, Draw, Input, Kind, Row, Size};
use crate::checks::{Check, for_every_row, scattered};
use crate::rows;
use taper::{DType, Device, Tensor};

/// How far results may be from the CPU's, relative to the largest element: functions of both are within a few
/// units of the last place, and sums go in another order. f16 and bf16 are computed in f32 on both, so that
/// single roundings differ.
const TOLERANCES: [(DType, f64); 4] =
    [(DType::F32, 4e-6), (DType::F64, 1e-13), (DType::F16, 2e-3), (DType::BF16, 2e-2)];

#[test]
fn cuda_equals_cpu() {
    let device = match Device::cuda(0) {
        Ok(device) => device,
        Err(e) if std::env::var_os("TAPER_CUDA_REQUIRED").is_some() => panic!("{e}"),
        Err(e) => return eprintln!("!!! SKIPPED: {e} (cargo xtask cuda test runs this on an emulator)"),
    };
    for_every_row(rows::all(), 2, "cuda", |row, seed| {
        for (dtype, tolerance) in TOLERANCES {
            same(row, seed, dtype, device, tolerance * row.loose).map_err(|e| format!("{dtype}: {e}"))?;
        }
        if row.ints {
            for dtype in [DType::I64, DType::I32, DType::I16, DType::I8, DType::U8] {
                same(row, seed, dtype, device, 0.0).map_err(|e| format!("{dtype}: {e}"))?;
            }
        }
        Ok(())
    });
}

/// The row's value, and gradients where it has any, in a dtype on both devices.
fn same(row: &Row, seed: u64, dtype: DType, device: Device, tolerance: f64) -> Check {
    let mut draw = Draw { whole: dtype.is_int(), ..Draw::new(seed, Size::Small) };
    let Case { inputs, run, .. } = (row.draw)(&mut draw);
    // Every other draw of tensors that lie oddly in memory.
    let odd = draw.flag();
    let grads = row.orders > 0 && dtype.is_float();
    let [here, there] = [Device::Cpu, device].map(|device| {
        let mut draw = Draw::new(seed, Size::Small);
        let x: Vec<Tensor> = inputs
            .iter()
            .map(|i| {
                let x = input(i, dtype, device);
                let x = if odd && device != Device::Cpu { scattered(&x, &mut draw) } else { x };
                x.requires_grad_(grads && i.kind == Kind::Float)
            })
            .collect();
        let y = run(&x);
        let mut all = vec![("the value".to_owned(), y.detach())];
        if y.requires_grad() {
            let seed = Tensor::arange_with(0.0, y.numel() as f64, 1.0, DType::F32).sin();
            let seed = seed.to_dtype(y.dtype()).to_device(device).reshape(y.shape());
            y.backward_with(Some(&seed), Default::default());
            for (k, g) in x.iter().enumerate().filter_map(|(k, x)| Some((k, x.grad()?))) {
                all.push((format!("the gradient of input {k}"), g));
            }
        }
        all
    });
    if here.len() != there.len() {
        return Err(format!("{} gradients on the CPU, {} on {device}", here.len() - 1, there.len() - 1));
    }
    for ((what, want), (_, got)) in here.into_iter().zip(there) {
        if got.device() != device {
            return Err(format!("{what} is on {}", got.device()));
        }
        near(&got, &want, tolerance).map_err(|e| format!("{what}: {e}"))?;
    }
    Ok(())
}

fn input(i: &Input, dtype: DType, device: Device) -> Tensor {
    i.tensor(dtype).to_device(device)
}

fn near(got: &Tensor, want: &Tensor, tolerance: f64) -> Check {
    if (got.shape(), got.dtype()) != (want.shape(), want.dtype()) {
        return Err(format!(
            "{} {:?}, on the CPU {} {:?}",
            got.dtype(),
            got.shape(),
            want.dtype(),
            want.shape()
        ));
    }
    let (got, want) = (got.to_vec::<f64>(), want.to_vec::<f64>());
    let scale = want.iter().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
    for (i, (g, w)) in got.iter().zip(&want).enumerate() {
        let same = g == w || (g.is_nan() && w.is_nan()) || (g - w).abs() <= tolerance * scale;
        if !same {
            return Err(format!("element {i} is {g}, on the CPU {w}"));
        }
    }
    Ok(())
}
