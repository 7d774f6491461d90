//! How operands are shown to kernels: the mirrors of `walk.cuh` and `team.cuh`, and how they are filled.

use super::context::Context;
use super::driver::THREADS;
use crate::cpu::elementwise::scalar_bytes;
use crate::layout::{Dims, Strides, collapse};
use crate::{DType, Layout, Result, Scalar, Src, ViewMut};
use std::ffi::c_void;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Dimensions that a kernel walks at most.
pub(super) const DIMS: usize = 8;

/// Elements of a launch at most; larger operands are cut. Less than 2³¹, and a power of two.
static LIMIT: AtomicUsize = AtomicUsize::new(1 << 30);

/// Sets the number of elements from which launches are cut, so that tests need no large tensors.
#[doc(hidden)]
pub fn set_launch_limit(elements: usize) {
    assert!(elements.is_power_of_two() && elements <= 1 << 30);
    LIMIT.store(elements, Relaxed);
}
pub(super) fn launch_limit() -> usize {
    LIMIT.load(Relaxed)
}

/// What can be passed to a kernel by value.
///
/// # Safety
/// The type is laid out as the kernel's parameter is in C.
pub(super) unsafe trait Parameter: Copy {}
macro_rules! parameters {
    ($($t:ty),*) => { $(
        // SAFETY: a number.
        unsafe impl Parameter for $t {}
    )* };
}
parameters!(u32, i32, u64, i64, f32, f64);

/// A kernel's argument.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Argument<'a>(*const c_void, PhantomData<&'a ()>);

/// An argument: what a kernel's parameter is.
pub(super) fn arg<T: Parameter>(value: &T) -> Argument<'_> {
    Argument((&raw const *value).cast(), PhantomData)
}

impl Argument<'_> {
    /// The arguments as the driver wants them.
    pub fn pointers<'a>(all: &'a [Argument]) -> &'a [*const c_void] {
        // SAFETY: transparent around a pointer.
        unsafe { std::slice::from_raw_parts(all.as_ptr().cast(), all.len()) }
    }
}

/// Division by a size as a multiplication, `Divisor` of walk.cuh.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub(super) struct Divisor {
    pub size: u32,
    multiplier: u32,
    shift: u32,
}
// SAFETY: three numbers, as in walk.cuh.
unsafe impl Parameter for Divisor {}

impl Divisor {
    /// For a size from 1 to 2³¹.
    pub fn new(size: usize) -> Divisor {
        assert!((1..=1 << 31).contains(&size), "a size of {size} in a launch");
        let shift = size.next_power_of_two().trailing_zeros();
        let multiplier = ((1u64 << 32) * ((1u64 << shift) - size as u64) / size as u64 + 1) as u32;
        Divisor { size: size as u32, multiplier, shift }
    }

    /// As it lies in memory.
    pub fn bytes(self) -> impl Iterator<Item = u8> {
        [self.size, self.multiplier, self.shift].into_iter().flat_map(u32::to_le_bytes)
    }
}

/// `Map<K>` of walk.cuh; `N` is `K + 1`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Map<const K: usize, const N: usize> {
    pub out: u64,
    pub inputs: [u64; K],
    pub number: [u64; K],
    pub extra: [u64; 2],
    pub step: [[i64; N]; DIMS],
    pub dim: [Divisor; DIMS],
    pub dims: u32,
    pub count: u32,
    pub numbers: u32,
    pub vectors: u32,
    pub splats: u32,
    pub padding: u32,
}
// SAFETY: the members of walk.cuh in its order, and no padding but at the end.
unsafe impl<const K: usize, const N: usize> Parameter for Map<K, N> {}

/// `Lines<K>` of team.cuh.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Lines<const K: usize, const N: usize> {
    pub map: Map<K, N>,
    pub along: [i64; N],
    pub length: u32,
    pub team: u32,
}
// SAFETY: the members of team.cuh in its order.
unsafe impl<const K: usize, const N: usize> Parameter for Lines<K, N> {}

impl<const K: usize, const N: usize> Lines<K, N> {
    /// Blocks of a launch.
    pub fn blocks(&self) -> u32 {
        (self.map.count as usize * self.team as usize).div_ceil(THREADS as usize) as u32
    }
}

/// An operand of a kernel.
#[derive(Clone, Copy)]
pub(super) enum Operand<'a> {
    /// Elements of a size at an address.
    At { address: u64, layout: &'a Layout, size: usize },
    /// One number for all elements, as its bits in what the kernel computes in.
    Number(u64),
}

impl<'a> Operand<'a> {
    /// A kernel's input; its numbers are in dtype `number`.
    pub fn input(cx: &Context, x: Src<'a>, out: &ViewMut<'a>, number: DType) -> Result<Operand<'a>> {
        Ok(match x {
            Src::View(v) => Operand::At { address: cx.address(&v)?, layout: v.layout, size: v.dtype.size() },
            Src::Out => Operand::output(cx, out)?,
            Src::Scalar(s) => Operand::number(s, number),
        })
    }
    /// The output, or as an input the output itself.
    pub fn output(cx: &Context, out: &ViewMut<'a>) -> Result<Operand<'a>> {
        Ok(Operand::At { address: cx.address_mut(out)?, layout: out.layout, size: out.dtype.size() })
    }
    /// A number of a dtype.
    pub fn number(s: Scalar, dtype: DType) -> Operand<'static> {
        Operand::Number(scalar_bytes(dtype, s))
    }
}

/// In which order elements are numbered.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Order {
    /// As the output lies in memory: for kernels that do not care.
    Any,
    /// Row-major.
    RowMajor,
}

/// Elements of one vector access of a dtype, `VECTOR` of core.cuh.
pub(super) fn vector_of(size: usize) -> usize {
    if size == 8 { 2 } else { 4 }
}

/// Operands of one shape, cut to what a launch can take.
pub(super) struct Walk<const K: usize, const N: usize> {
    shape: Dims,
    strides: [Strides; N],
    address: [u64; N],
    size: [usize; N],
    numbers: u32,
    number: [u64; K],
}

impl<const K: usize, const N: usize> Walk<K, N> {
    /// The output and its inputs. Shapes are the output's.
    pub fn new(out: Operand, inputs: [Operand; K], order: Order) -> Self {
        const { assert!(N == K + 1) };
        let Operand::At { layout, .. } = out else { panic!("an output is memory") };
        let mut dims: Dims = (0..layout.ndim()).collect();
        if order == Order::Any {
            dims.sort_by_key(|&d| std::cmp::Reverse(layout.strides()[d].unsigned_abs()));
        }
        let shape: Dims = dims.iter().map(|&d| layout.shape()[d]).collect();
        let (mut address, mut size, mut number, mut numbers) = ([0; N], [1; N], [0; K], 0);
        let all = |k: usize| if k == 0 { out } else { inputs[k - 1] };
        let strides: [Strides; N] = std::array::from_fn(|k| match all(k) {
            Operand::At { address: a, layout: l, size: s } => {
                debug_assert_eq!(l.shape(), layout.shape(), "operands of one kernel differ in shape");
                (address[k], size[k]) = (a, s);
                dims.iter().map(|&d| l.strides()[d]).collect()
            }
            Operand::Number(bits) => {
                number[k - 1] = bits;
                numbers |= 1 << (k - 1);
                Strides::from_elem(0, dims.len())
            }
        });
        let (mut shape, mut strides) = collapse(&shape, std::array::from_fn(|k| strides[k].as_slice()));
        if shape.is_empty() {
            shape.push(1);
            strides.iter_mut().for_each(|s| s.push(1));
        }
        Walk { shape, strides, address, size, numbers, number }
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    pub fn strides(&self, k: usize) -> &[isize] {
        &self.strides[k]
    }
    pub fn address(&self, k: usize) -> u64 {
        self.address[k]
    }
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// Calls `f` for each launch, with the number of the first element of it in the walk's order. `vector` is the
    /// number of elements that the kernel can take as one, 1 for none.
    pub fn launches(&self, vector: usize, mut f: impl FnMut(&Map<K, N>, usize) -> Result) -> Result {
        self.cut(&self.shape, 0, self.address, 0, vector, &mut f)
    }

    fn cut(
        &self,
        shape: &[usize],
        d: usize,
        address: [u64; N],
        first: usize,
        vector: usize,
        f: &mut impl FnMut(&Map<K, N>, usize) -> Result,
    ) -> Result {
        let numel: usize = shape.iter().product();
        let limit = launch_limit();
        if numel == 0 {
            return Ok(());
        }
        if shape.len() <= DIMS && numel <= limit {
            return f(&self.map(shape, d, address, vector), first);
        }
        let inner = numel / shape[0];
        let moved = |by: usize| {
            std::array::from_fn(|k| {
                let step = by as i64 * self.strides[k][d] as i64 * self.size[k] as i64;
                address[k].wrapping_add_signed(step)
            })
        };
        if shape.len() <= DIMS && inner <= limit {
            let rows = limit / inner;
            for start in (0..shape[0]).step_by(rows) {
                let mut part = Dims::from_slice(shape);
                part[0] = rows.min(shape[0] - start);
                f(&self.map(&part, d, moved(start), vector), first + start * inner)?;
            }
            return Ok(());
        }
        (0..shape[0]).try_for_each(|i| self.cut(&shape[1..], d + 1, moved(i), first + i * inner, vector, f))
    }

    /// The parameters for the dimensions from `d` on, with these sizes.
    fn map(&self, shape: &[usize], d: usize, address: [u64; N], vector: usize) -> Map<K, N> {
        let last = shape.len() - 1;
        let vectors = vector > 1 && self.takes_vectors(shape, d, &address, vector);
        let (mut step, mut dim) = ([[0; N]; DIMS], [Divisor::default(); DIMS]);
        for (i, &n) in shape.iter().enumerate() {
            let inner = vectors && i == last;
            // Sizes and steps of the innermost dimension count vectors.
            let n = if inner && shape.len() > 1 { n / vector } else { n };
            dim[i] = Divisor::new(n);
            for k in 0..N {
                step[i][k] = self.strides[k][d + i] as i64 * if inner { vector as i64 } else { 1 };
            }
        }
        let splat = |k: usize| vectors && self.strides[k + 1][d + last] == 0;
        Map {
            out: address[0],
            inputs: std::array::from_fn(|k| address[k + 1]),
            number: self.number,
            extra: [0; 2],
            step,
            dim,
            dims: shape.len() as u32,
            count: shape.iter().product::<usize>() as u32,
            numbers: self.numbers,
            vectors: vectors as u32,
            splats: (0..K).filter(|&k| splat(k)).fold(0, |bits, k| bits | 1 << k),
            padding: 0,
        }
    }

    /// Whether elements can be taken as vectors, as `Map::vectors` of walk.cuh asks.
    fn takes_vectors(&self, shape: &[usize], d: usize, address: &[u64; N], vector: usize) -> bool {
        let last = shape.len() - 1;
        if last > 0 && !shape[last].is_multiple_of(vector) {
            return false;
        }
        (0..N).all(|k| {
            let inner = self.strides[k][d + last];
            if k > 0 && self.numbers >> (k - 1) & 1 == 1 {
                return true;
            }
            if inner == 0 && k > 0 {
                return true;
            }
            inner == 1
                && address[k].is_multiple_of((vector * self.size[k]) as u64)
                && (0..last).all(|i| self.strides[k][d + i].unsigned_abs().is_multiple_of(vector))
        })
    }
}

/// Blocks that cover `count` elements, `each` per thread.
pub(super) fn blocks(count: u32, each: usize) -> u32 {
    (count as usize).div_ceil(THREADS as usize * each) as u32
}

/// The tag of the kernels for a dtype; bool goes as u8.
pub(super) fn tag(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool | DType::U8 => "u8",
        DType::I8 => "i8",
        DType::I16 => "i16",
        DType::I32 => "i32",
        DType::I64 => "i64",
        DType::F16 => "f16",
        DType::BF16 => "bf16",
        DType::F32 => "f32",
        DType::F64 => "f64",
    }
}

/// The tag of kernels that only move bits.
pub(super) fn size_tag(size: usize) -> &'static str {
    match size {
        1 => "i8",
        2 => "i16",
        4 => "i32",
        _ => "i64",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_divide() {
        for size in [1, 2, 3, 5, 7, 255, 256, 641, 65_537, (1 << 30) - 1, 1 << 30, (1usize << 31) - 1] {
            let d = Divisor::new(size);
            let quotient =
                |n: u32| ((((n as u64 * d.multiplier as u64) >> 32) as u32).wrapping_add(n)) >> d.shift;
            for n in (0..200).chain((0..31).map(|k| (1u32 << k) - 1)).chain([size as u32, (1 << 31) - 1]) {
                assert_eq!(quotient(n), n / size as u32, "{n} / {size}");
            }
        }
    }

    #[test]
    fn parameters_are_as_large_as_in_c() {
        assert_eq!(size_of::<Map<1, 2>>(), 8 + 8 + 8 + 16 + 8 * 16 + 96 + 24);
        assert_eq!(size_of::<Map<3, 4>>(), 8 + 24 + 24 + 16 + 8 * 32 + 96 + 24);
        assert_eq!(size_of::<Lines<1, 2>>(), size_of::<Map<1, 2>>() + 16 + 8);
    }

    fn maps(out: &Layout, input: &Layout, vector: usize) -> Vec<(Map<1, 2>, usize)> {
        let at = |layout, address| Operand::At { address, layout, size: 4 };
        let mut all = vec![];
        Walk::<1, 2>::new(at(out, 4096), [at(input, 8192)], Order::Any)
            .launches(vector, |m, first| {
                all.push((*m, first));
                Ok(())
            })
            .unwrap();
        all
    }

    #[test]
    fn vectors_where_memory_allows() {
        let l = Layout::contiguous(&[6, 8]);
        let m = maps(&l, &l, 4)[0].0;
        assert_eq!((m.vectors, m.dims, m.count, m.step[0]), (1, 1, 48, [4, 4]));
        let row = Layout::contiguous(&[8]).broadcast_to(&[6, 8]).unwrap();
        let m = maps(&l, &row, 4)[0].0;
        assert_eq!((m.vectors, m.dims, m.splats, m.dim[1].size), (1, 2, 0, 2));
        let column = Layout::contiguous(&[6, 1]).broadcast_to(&[6, 8]).unwrap();
        let m = maps(&l, &column, 4)[0].0;
        assert_eq!((m.vectors, m.splats, m.step[0], m.step[1]), (1, 1, [8, 1], [4, 0]));
        let shifted = Layout::contiguous(&[6, 9]).slice(1, 0, 8, 1);
        assert_eq!(maps(&l, &shifted, 4)[0].0.vectors, 0, "rows of 9");
        let odd = Layout::contiguous(&[7, 7]);
        assert_eq!(maps(&odd, &odd, 4)[0].0.vectors, 1, "one dimension of 49");
    }
}
