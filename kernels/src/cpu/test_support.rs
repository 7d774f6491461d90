//! What the kernels' tests share: operands of random layout, and a SIMD level of one's own.

use crate::cpu::simd::{SimdLevel, set_simd_level, simd_level};
use crate::{
    Backend, BinaryOp, Buffer, DType, Element, Layout, Scalar, Src, Storage, UnaryOp, View, ViewMut,
    cpu::Cpu, dispatch_dtype,
};
use std::sync::{Mutex, PoisonError};

/// Memory holding these elements.
pub(crate) fn storage<T: Element>(data: &[T]) -> Storage {
    let mut b = Buffer::new(size_of_val(data));
    b.as_mut_slice().copy_from_slice(data);
    Storage::Cpu(b)
}

/// Runs something at a SIMD level, one test at a time.
pub(crate) fn at_level<R>(level: SimdLevel, f: impl FnOnce() -> R) -> R {
    static ONE: Mutex<()> = Mutex::new(());
    let _guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = simd_level();
    set_simd_level(level);
    let r = f();
    set_simd_level(before);
    r
}

/// A unary op on contiguous elements.
pub(crate) fn apply_unary<T: Element>(op: UnaryOp, x: &[T]) -> Vec<T> {
    let layout = Layout::contiguous(&[x.len()]);
    let (x, mut y) = (storage(x), storage(&vec![T::default(); x.len()]));
    let x = View::new(&x, T::DTYPE, &layout);
    Cpu.unary(op, Src::View(x), ViewMut::new(&mut y, T::DTYPE, &layout)).unwrap();
    y.as_cpu().unwrap().as_slice().to_vec()
}

/// A function of two of contiguous slices.
pub(crate) fn apply_binary<T: Element>(op: BinaryOp, a: &[T], b: &[T]) -> Vec<T> {
    let layout = Layout::contiguous(&[a.len()]);
    let (a, b, mut y) = (storage(a), storage(b), storage(&vec![T::default(); a.len()]));
    let [a, b] = [&a, &b].map(|x| Src::View(View::new(x, T::DTYPE, &layout)));
    Cpu.binary(op, a, b, ViewMut::new(&mut y, T::DTYPE, &layout)).unwrap();
    y.as_cpu().unwrap().as_slice().to_vec()
}

/// A small generator of test cases (SplitMix64).
#[derive(Clone)]
pub(crate) struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    /// A shape of up to four dimensions; some with long rows, some empty.
    pub fn shape(&mut self) -> Vec<usize> {
        let sizes: &[usize] = if cfg!(miri) { &[1, 2, 3, 5] } else { &[1, 1, 2, 3, 5, 7, 17, 40] };
        let mut shape: Vec<usize> = (0..self.below(5)).map(|_| sizes[self.below(sizes.len())]).collect();
        if !shape.is_empty() {
            let d = self.below(shape.len());
            if self.chance(20) {
                shape[d] = if cfg!(miri) { 40 } else { 600 + self.below(500) };
            } else if self.chance(5) {
                shape[d] = 0;
            }
        }
        while shape.iter().product::<usize>() > if cfg!(miri) { 50 } else { 5_000 } {
            let longest = (0..shape.len()).max_by_key(|&d| shape[d]).unwrap();
            shape[longest] = shape[longest].div_ceil(2);
        }
        shape
    }
}

/// Memory with a layout.
#[derive(Clone)]
pub(crate) struct Operand {
    pub storage: Storage,
    pub layout: Layout,
    pub dtype: DType,
}

impl Operand {
    /// Elements `value(rng)` under random strides: permuted, negative, with gaps, and repeated (by
    /// stride 0) if `broadcast`.
    pub fn random(
        rng: &mut Rng,
        shape: &[usize],
        dtype: DType,
        broadcast: bool,
        value: impl Fn(&mut Rng) -> Scalar,
    ) -> Self {
        let n = shape.len();
        let plain = rng.chance(35);
        let mut order: Vec<usize> = (0..n).collect();
        if !plain {
            (1..n).for_each(|i| order.swap(i, rng.below(i + 1)));
        }
        let (mut strides, mut offset, mut step) = (vec![0isize; n], 0, 1isize);
        for &d in order.iter().rev() {
            if broadcast && rng.chance(20) {
                continue;
            }
            let gap = if !plain && rng.chance(25) { 2 } else { 1 };
            strides[d] = step * gap;
            if !plain && rng.chance(25) {
                offset += (shape[d].max(1) as isize - 1) * strides[d];
                strides[d] = -strides[d];
            }
            step *= gap * shape[d].max(1) as isize;
        }
        let lead = if plain { 0 } else { rng.below(3) };
        let layout = Layout::new(shape, &strides[..], offset as usize + lead);
        let len = step as usize + lead;
        let storage = dispatch_dtype!(dtype, T => {
            storage(&(0..len).map(|_| value(rng).to::<T>()).collect::<Vec<T>>())
        });
        Operand { storage, layout, dtype }
    }

    pub fn view(&self) -> View<'_> {
        View::new(&self.storage, self.dtype, &self.layout)
    }
    pub fn view_mut(&mut self) -> ViewMut<'_> {
        ViewMut::new(&mut self.storage, self.dtype, &self.layout)
    }

    /// The elements in row-major order.
    pub fn elements<T: Element>(&self) -> Vec<T> {
        let data = self.view().data::<T>();
        indices(self.layout.shape()).iter().map(|i| data[self.layout.position(i)]).collect()
    }
    /// The elements' bits in row-major order.
    pub fn bits(&self) -> Vec<u64> {
        match self.dtype.size() {
            1 => self.elements::<u8>().iter().map(|&v| v as u64).collect(),
            2 => self.elements::<i16>().iter().map(|&v| v as u64).collect(),
            4 => self.elements::<i32>().iter().map(|&v| v as u64).collect(),
            _ => self.elements::<i64>().iter().map(|&v| v as u64).collect(),
        }
    }
    pub fn floats(&self) -> Vec<f64> {
        dispatch_dtype!(self.dtype, T => self.elements::<T>().iter().map(|v| v.to_f64()).collect())
    }
    pub fn ints(&self) -> Vec<i64> {
        dispatch_dtype!(self.dtype, T => self.elements::<T>().iter().map(|v| v.to_i64()).collect())
    }
    /// All bytes of the memory, so that writes beside the elements are seen.
    pub fn bytes(&self) -> &[u8] {
        self.storage.as_cpu().unwrap().bytes()
    }
}

/// All indices of a shape in row-major order.
pub(crate) fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &n in shape {
        all = all.into_iter().flat_map(|i| (0..n).map(move |j| [&i[..], &[j]].concat())).collect();
    }
    all
}
