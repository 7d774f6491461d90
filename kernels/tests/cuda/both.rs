//! The same call on the CPU and on the device, from the same memory, for calls that write several operands:
//! all memory is compared, also what lies outside the views.

use crate::operand::Operand;
use crate::support::{Near, device, numbers, shared};
use taper_kernels::{Backend, DType, Result, cpu::Cpu};

pub const FLOATS: [DType; 4] = [DType::F16, DType::BF16, DType::F32, DType::F64];

/// So many roundings of numbers that are computed in f32 or f64, of their own size or of the largest; 16-bit
/// floats are rounded once more, when they are stored, to neighbours at most; integers are the same.
pub fn near(dtype: DType, roundings: f64) -> Near {
    let ulps = match dtype {
        DType::F16 | DType::BF16 => 2.0,
        d if d.is_float() => roundings / 2.0,
        _ => 0.0,
    };
    Near { ulps, of_largest: ulps }
}

/// True where results differ by no more than the tolerance's part of 1: they may be small because terms of
/// about 1 cancel.
fn near_one(near: Near, dtype: DType, want: &[u8], got: &[u8]) -> bool {
    let allowed = Near::ulp(dtype) * near.of_largest;
    let pairs = numbers(dtype, want).into_iter().zip(numbers(dtype, got));
    allowed > 0.0
        && want.len() == got.len()
        && pairs
            .into_iter()
            .all(|(w, g)| w == g || w.is_nan() && g.is_nan() || (w - g).abs() <= allowed * w.abs().max(1.0))
}

/// An operand whose memory lies on a device.
pub fn upload(o: &Operand, to: &dyn Backend) -> Operand {
    let storage = to.upload(o.bytes()).expect("room");
    Operand { storage, layout: o.layout.clone(), dtype: o.dtype }
}

/// Runs `f` on copies of the operands on both; gives those of the CPU.
#[track_caller]
pub fn both(
    operands: &[Operand],
    near: Near,
    f: impl Fn(&dyn Backend, &mut [Operand]) -> Result,
) -> Vec<Operand> {
    let _device = shared();
    let mut host = operands.to_vec();
    f(&Cpu, &mut host).expect("the CPU's kernel");
    let Some(cuda) = device() else { return host };
    let mut far: Vec<Operand> = operands.iter().map(|o| upload(o, cuda)).collect();
    f(cuda, &mut far).expect("the device's kernel");
    for (k, (host, far)) in host.iter().zip(&far).enumerate() {
        let got = cuda.download(&far.storage).expect("its memory");
        let what = format!("operand {k} {:?} of {:?}", host.layout, host.dtype);
        if !near_one(near, host.dtype, host.bytes(), &got) {
            near.check(&what, host.dtype, host.bytes(), &got);
        }
    }
    host
}
