//! Random operands with random strides.

use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use taper_kernels::{Buffer, DType, Element, Layout, Storage, View, ViewMut, dispatch_dtype};

/// splitmix64.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
    /// About normal, in [-2, 2].
    pub fn value(&mut self) -> f64 {
        (0..4).map(|_| self.next() as f64 / u64::MAX as f64 - 0.5).sum()
    }
}

/// A tensor of the host with any layout.
#[derive(Clone)]
pub struct Operand {
    pub storage: Storage,
    pub layout: Layout,
    pub dtype: DType,
}

impl Operand {
    /// Values from `value`, laid out row-major.
    pub fn dense(shape: &[usize], dtype: DType, mut value: impl FnMut() -> f64) -> Self {
        let layout = Layout::contiguous(shape);
        let mut op = Operand { storage: memory(layout.numel(), dtype), layout, dtype };
        (0..op.layout.numel()).for_each(|i| op.put(i, value()));
        op
    }

    /// Random values (whole numbers for integers) with dimensions in any order, gaps and negative steps;
    /// every fourth dimension repeats one entry if `broadcast`.
    pub fn random(rng: &mut Numbers, shape: &[usize], dtype: DType, broadcast: bool) -> Self {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        if rng.chance(2) {
            (1..order.len()).for_each(|i| order.swap(i, rng.below(i + 1)));
        }
        let (mut strides, mut step, mut offset) = (vec![0isize; shape.len()], 1, rng.below(3));
        for &d in order.iter().rev() {
            if broadcast && rng.chance(4) {
                continue;
            }
            let gap = if rng.chance(4) { 1 + rng.below(2) } else { 1 };
            strides[d] = (step * gap) as isize;
            if rng.chance(5) {
                offset += strides[d] as usize * shape[d].saturating_sub(1);
                strides[d] = -strides[d];
            }
            step *= gap * shape[d].max(1);
        }
        let layout = Layout::new(shape, strides.as_slice(), offset);
        let len = layout.span().end + rng.below(3);
        let mut op = Operand { storage: memory(len, dtype), layout, dtype };
        let scale = if dtype.is_float() { 1.0 } else { 10.0 };
        (0..len).for_each(|i| op.put(i, rng.value() * scale));
        op
    }

    pub fn view(&self) -> View<'_> {
        View::new(&self.storage, self.dtype, &self.layout)
    }
    pub fn view_mut(&mut self) -> ViewMut<'_> {
        ViewMut::new(&mut self.storage, self.dtype, &self.layout)
    }
    fn put(&mut self, at: usize, v: f64) {
        let dtype = self.dtype;
        dispatch_dtype!(dtype, T => self.view_mut().data::<T>()[at] = <T as Element>::from_f64(v));
    }
    pub fn get(&self, index: &[usize]) -> f64 {
        let at = self.layout.position(index);
        dispatch_dtype!(self.dtype, T => self.view().data::<T>()[at].to_f64())
    }
    pub fn set(&mut self, index: &[usize], v: f64) {
        self.put(self.layout.position(index), v);
    }
    /// All values, row-major.
    pub fn values(&self) -> Vec<f64> {
        indices(self.layout.shape()).map(|i| self.get(&i)).collect()
    }
    /// All memory, to compare bits and to see that nothing outside the layout was written.
    pub fn bytes(&self) -> &[u8] {
        self.storage.as_cpu().unwrap().bytes()
    }
    /// The same values in row-major memory.
    pub fn to_dense(&self) -> Self {
        let mut values = self.values().into_iter();
        Operand::dense(self.layout.shape(), self.dtype, || values.next().unwrap())
    }
}

fn memory(len: usize, dtype: DType) -> Storage {
    Storage::Cpu(Buffer::zeroed(len * dtype.size()))
}

/// Every index of a shape, row-major.
pub fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let shape = shape.to_vec();
    (0..shape.iter().product()).map(move |mut i| {
        let mut index = vec![0; shape.len()];
        for d in (0..shape.len()).rev() {
            index[d] = i % shape[d];
            i /= shape[d];
        }
        index
    })
}

/// Relative rounding of a dtype's results, zero for integers.
pub fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2f64.powi(-11),
        DType::BF16 => 2f64.powi(-8),
        DType::F32 => 2f64.powi(-23),
        DType::F64 => 2f64.powi(-52),
        _ => 0.0,
    }
}

/// Half the distance of a dtype's smallest numbers; only f16's are large enough to meet.
pub fn tiniest(dtype: DType) -> f64 {
    if dtype == DType::F16 { 2f64.powi(-25) } else { 0.0 }
}

static LEVEL: RwLock<()> = RwLock::new(());

/// Held by tests that compare bits, so that no other test changes the instruction set meanwhile.
pub fn fixed_level() -> RwLockReadGuard<'static, ()> {
    LEVEL.read().unwrap_or_else(PoisonError::into_inner)
}
/// Held by tests that change the instruction set.
pub fn own_level() -> RwLockWriteGuard<'static, ()> {
    LEVEL.write().unwrap_or_else(PoisonError::into_inner)
}

/// Runs something on a pool of `n` threads; not under Miri, where kernels always run on two.
pub fn on_threads<R: Send>(n: usize, f: impl FnOnce() -> R + Send) -> R {
    if cfg!(miri) {
        return f();
    }
    rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(f)
}

/// Numbers of threads to compare one with; kernels always run on two under Miri.
pub const THREADS: &[usize] = if cfg!(miri) { &[] } else { &[2, 3] };

/// Miri looks for undefined behaviour; values are compared without it, where that takes no minutes.
pub const COMPARED: bool = !cfg!(miri);

/// Settings of a property test with `n` cases; under Miri a few, always the same.
pub fn cases(n: u32) -> ProptestConfig {
    let mut config = ProptestConfig { cases: n, failure_persistence: None, ..Default::default() };
    if cfg!(miri) {
        (config.cases, config.rng_seed, config.max_shrink_iters) = (3, RngSeed::Fixed(1), 0);
    }
    config
}
