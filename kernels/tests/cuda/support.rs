//! Operands on both devices, and how near results must be.

use std::cell::Cell;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use taper_kernels::{
    Backend, DType, Device, Layout, Result, Storage, View, ViewMut, bf16, contiguous_strides, cpu::Cpu, f16,
};

/// The device under test, or `None` where there is none and none is asked for.
pub fn device() -> Option<&'static dyn Backend> {
    match Device::Cuda(0).backend() {
        Ok(b) => Some(b),
        Err(e) if std::env::var_os("TAPER_CUDA_REQUIRED").is_some() => panic!("{e}"),
        Err(e) => {
            eprintln!("!!! SKIPPED: {e} (cargo xtask cuda test runs this on an emulator)");
            None
        }
    }
}

/// Of these dtypes all, but where `TAPER_TEST_DTYPES` names some (`f32,i64`) only those.
pub fn asked<const N: usize>(dtypes: [DType; N]) -> Vec<DType> {
    let only = std::env::var("TAPER_TEST_DTYPES").ok();
    let named = |d: &DType| {
        only.as_ref().is_none_or(|only| only.split(',').any(|name| name == format!("{d:?}").to_lowercase()))
    };
    dtypes.into_iter().filter(named).collect()
}

static DEVICE: RwLock<()> = RwLock::new(());
thread_local! { static HELD: Cell<bool> = const { Cell::new(false) } }

/// The device, shared with other tests or not.
#[allow(dead_code, reason = "held for their drops")]
pub enum Hold {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
    /// This thread has it already.
    Again,
}
impl Drop for Hold {
    fn drop(&mut self) {
        if !matches!(self, Hold::Again) {
            HELD.set(false);
        }
    }
}
/// For tests that others do not disturb.
pub fn shared() -> Hold {
    match HELD.replace(true) {
        true => Hold::Again,
        false => Hold::Shared(DEVICE.read().unwrap_or_else(PoisonError::into_inner)),
    }
}
/// For tests that make faults, which whoever reads a result next is told of, or that change what all share.
pub fn alone() -> Hold {
    assert!(!HELD.replace(true), "a test asks for the device alone before anything else");
    Hold::Alone(DEVICE.write().unwrap_or_else(PoisonError::into_inner))
}

/// Numbers that follow from a seed (xorshift64*).
pub struct Rng(pub u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    /// From 0 to 1.
    pub fn unit(&mut self) -> f64 {
        self.next() as f64 / (1u64 << 53) as f64
    }
    /// A shape of up to 4 dimensions, with odd sizes, 1s and now and then a 0.
    pub fn shape(&mut self) -> Vec<usize> {
        let dims = self.below(5);
        let size = |rng: &mut Rng| match rng.below(20) {
            0 => 0,
            1..4 => 1,
            4..8 => 4 * (1 + rng.below(4)),
            _ => 2 + rng.below(8),
        };
        (0..dims).map(|_| size(self)).collect()
    }
    /// A layout of a shape: dimensions in any order, gaps, backward steps, and (for inputs) broadcast ones.
    pub fn layout(&mut self, shape: &[usize], input: bool) -> Layout {
        if self.chance(40) {
            return Layout::contiguous(shape);
        }
        let mut order: Vec<usize> = (0..shape.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, self.below(i + 1));
        }
        let (mut strides, mut step, mut offset) = (vec![0isize; shape.len()], 1usize, self.below(4));
        for d in order.into_iter().rev() {
            if input && self.chance(15) {
                continue;
            }
            let gap = if self.chance(30) { 1 + self.below(3) } else { 1 };
            strides[d] = (step * gap) as isize;
            if self.chance(15) && shape[d] > 0 {
                offset += step * gap * (shape[d] - 1);
                strides[d] = -strides[d];
            }
            step *= gap * shape[d].max(1);
        }
        Layout::new(shape, strides.as_slice(), offset)
    }
}

/// An operand: bytes, and a view of them.
#[derive(Clone, Debug)]
pub struct Operand {
    pub dtype: DType,
    pub layout: Layout,
    pub bytes: Vec<u8>,
}

fn put(bytes: &mut Vec<u8>, dtype: DType, v: f64) {
    match dtype {
        DType::Bool => bytes.push((v > 0.0) as u8),
        DType::U8 => bytes.push(v.abs() as u8),
        DType::I8 => bytes.push(v as i8 as u8),
        DType::I16 => bytes.extend((v as i16).to_le_bytes()),
        DType::I32 => bytes.extend((v as i32).to_le_bytes()),
        DType::I64 => bytes.extend((v as i64).to_le_bytes()),
        DType::F16 => bytes.extend(f16::from_f64(v).to_le_bytes()),
        DType::BF16 => bytes.extend(bf16::from_f64(v).to_le_bytes()),
        DType::F32 => bytes.extend((v as f32).to_le_bytes()),
        DType::F64 => bytes.extend(v.to_le_bytes()),
    }
}

/// Elements' memory as numbers (i64 rounded).
pub fn numbers(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    let each = |f: &dyn Fn(&[u8]) -> f64| bytes.chunks_exact(dtype.size()).map(f).collect();
    match dtype {
        DType::Bool | DType::U8 => each(&|b| b[0] as f64),
        DType::I8 => each(&|b| b[0] as i8 as f64),
        DType::I16 => each(&|b| i16::from_le_bytes(b.try_into().unwrap()) as f64),
        DType::I32 => each(&|b| i32::from_le_bytes(b.try_into().unwrap()) as f64),
        DType::I64 => each(&|b| i64::from_le_bytes(b.try_into().unwrap()) as f64),
        DType::F16 => each(&|b| f16::from_le_bytes(b.try_into().unwrap()).to_f64()),
        DType::BF16 => each(&|b| bf16::from_le_bytes(b.try_into().unwrap()).to_f64()),
        DType::F32 => each(&|b| f32::from_le_bytes(b.try_into().unwrap()) as f64),
        DType::F64 => each(&|b| f64::from_le_bytes(b.try_into().unwrap())),
    }
}

impl Operand {
    /// Numbers that `draw` gives, in a layout.
    pub fn with(layout: Layout, dtype: DType, mut draw: impl FnMut() -> f64) -> Operand {
        let mut bytes = Vec::new();
        for _ in 0..layout.span().end.max(1) {
            put(&mut bytes, dtype, draw());
        }
        Operand { dtype, layout, bytes }
    }
    /// Numbers from -range to range, some of them special, in some layout of a shape.
    pub fn random(rng: &mut Rng, shape: &[usize], dtype: DType, input: bool, range: f64) -> Operand {
        let layout = rng.layout(shape, input);
        let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.0];
        Operand::with(layout, dtype, || match dtype.is_float() && rng.chance(6) {
            true => special[rng.below(special.len())],
            false => (2.0 * rng.unit() - 1.0) * range,
        })
    }
    /// As [`random`](Self::random) without special numbers.
    pub fn plain(rng: &mut Rng, shape: &[usize], dtype: DType, input: bool, range: f64) -> Operand {
        let layout = rng.layout(shape, input);
        Operand::with(layout, dtype, || (2.0 * rng.unit() - 1.0) * range)
    }
    /// Row-major numbers.
    pub fn of(shape: &[usize], dtype: DType, values: &[f64]) -> Operand {
        let mut values = values.iter();
        let layout = Layout::new(shape, contiguous_strides(shape), 0);
        Operand::with(layout, dtype, || values.next().copied().unwrap_or(0.0))
    }
    pub fn upload(&self, to: &dyn Backend) -> Storage {
        to.upload(&self.bytes).unwrap()
    }
}

/// How near a result must be to the CPU's: in units of the last place of the dtype, plus a part of the
/// largest magnitude among the results, for sums whose terms cancel. All tolerances of these tests are made
/// by these names.
#[derive(Clone, Copy)]
pub struct Near {
    pub ulps: f64,
    pub of_largest: f64,
}
/// The same bits (any NaN is as good as another).
pub const SAME: Near = Near { ulps: 0.0, of_largest: 0.0 };
/// Polynomials of two authors: each is within 4 ulp of the exact function (kernels/cuda/README.md).
pub const FUNCTION: Near = Near { ulps: 8.0, of_largest: 0.0 };
/// Functions that lose digits where they nearly vanish, as gelu's tail does: near to what it is a part of.
pub const CANCELS: Near = Near { ulps: 16.0, of_largest: 1.0 };
/// Sums of up to a few thousand terms in different orders.
pub const SUM: Near = Near { ulps: 64.0, of_largest: 16.0 };

impl Near {
    /// One ulp relative to 1.
    pub fn ulp(dtype: DType) -> f64 {
        match dtype {
            DType::F16 => 2f64.powi(-10),
            DType::BF16 => 2f64.powi(-7),
            DType::F32 => 2f64.powi(-23),
            DType::F64 => 2f64.powi(-52),
            _ => 0.0,
        }
    }

    /// Fails unless all elements of two memories are near.
    pub fn check(self, what: &str, dtype: DType, want: &[u8], got: &[u8]) {
        assert_eq!(want.len(), got.len(), "{what}");
        if want == got {
            return;
        }
        // f16 and bf16 are computed in f32: only their rounding may differ.
        let ulps = if matches!(dtype, DType::F16 | DType::BF16) { self.ulps.min(2.0) } else { self.ulps };
        let (a, b) = (numbers(dtype, want), numbers(dtype, got));
        let largest = a.iter().filter(|x| x.is_finite()).fold(0.0f64, |m, x| m.max(x.abs()));
        let unit = Near::ulp(dtype);
        for (i, (&x, &y)) in a.iter().zip(&b).enumerate() {
            let size = dtype.size();
            let exact = dtype.is_float() || want[i * size..][..size] == got[i * size..][..size];
            // What is not normal has fewer digits.
            let tiny = if dtype == DType::F64 { f64::MIN_POSITIVE } else { f32::MIN_POSITIVE as f64 };
            let far = (x - y).abs() > tiny
                && (x - y).abs() > unit * (ulps * x.abs().max(y.abs()) + self.of_largest * largest);
            let same = x == y && (x != 0.0 || x.is_sign_negative() == y.is_sign_negative() || ulps > 0.0);
            let near = same || (x.is_nan() && y.is_nan()) || (self.ulps > 0.0 && !far && !(x - y).is_nan());
            assert!(exact && near, "{what}: element {i} of {dtype} is {y}, on the CPU {x}");
        }
    }
}

/// Runs `run` on both devices with copies of the operands, and compares all memory of the output, also what
/// its view does not show.
#[track_caller]
pub fn compare(
    what: &str,
    cuda: &dyn Backend,
    near: Near,
    inputs: &[&Operand],
    out: &Operand,
    run: impl Fn(&dyn Backend, &[View], ViewMut) -> Result,
) {
    let _device = shared();
    let [want, got] = [&Cpu as &dyn Backend, cuda].map(|b| {
        let memory: Vec<Storage> = inputs.iter().map(|x| x.upload(b)).collect();
        let views: Vec<View> =
            memory.iter().zip(inputs).map(|(s, x)| View::new(s, x.dtype, &x.layout)).collect();
        let mut to = out.upload(b);
        let result = run(b, &views, ViewMut::new(&mut to, out.dtype, &out.layout));
        result.and_then(|()| b.download(&to))
    });
    let layouts = || {
        let l = |x: &Operand| format!("{:?} {:?} {:?}", x.dtype, x.layout.shape(), x.layout.strides());
        inputs.iter().map(|x| l(x)).chain([l(out)]).collect::<Vec<_>>().join("; ")
    };
    match (want, got) {
        (Ok(want), Ok(got)) => near.check(&format!("{what} ({})", layouts()), out.dtype, &want, &got),
        (Err(_), Err(_)) => {}
        (want, got) => {
            panic!("{what} ({}): {:?} on the CPU, {:?}", layouts(), want.map(|_| ()), got.map(|_| ()))
        }
    }
}
