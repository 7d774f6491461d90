//! What the reductions do with one element.

use super::deviations::Deviations;
use super::fold::{Fold, PANEL, run};
use crate::{DType, Element, ReduceOp, View, ViewMut, dispatch_dtype};
use std::marker::PhantomData;
use std::ops::Range;

/// What comparing reductions and products need of an element.
pub trait Number: Element {
    const LOWEST: Self;
    const HIGHEST: Self;
    const ZERO: Self;
    /// Worth compiling for every instruction set.
    const SIMD: bool;
    /// i64 for integers, the type itself for floats.
    type Wide: Element;
    const WIDE_ONE: Self::Wide;
    fn wide(self) -> Self::Wide;
    fn times(a: Self::Wide, b: Self::Wide) -> Self::Wide;
    #[allow(clippy::eq_op, reason = "true for NaN alone")]
    #[inline(always)]
    fn unordered(self) -> bool {
        self != self
    }
}
macro_rules! numbers {
    ($($t:ident, $lo:expr, $hi:expr, $zero:expr, $simd:literal, $wide:ident, $one:expr, $times:expr;)*) => { $(
        impl Number for $t {
            const LOWEST: Self = $lo;
            const HIGHEST: Self = $hi;
            const ZERO: Self = $zero;
            const SIMD: bool = $simd;
            type Wide = $wide;
            const WIDE_ONE: $wide = $one;
            #[inline(always)]
            fn wide(self) -> $wide { self as $wide }
            #[inline(always)]
            fn times(a: $wide, b: $wide) -> $wide { $times(a, b) }
        }
    )* };
}
numbers! {
    u8, u8::MIN, u8::MAX, 0, false, i64, 1, i64::wrapping_mul;
    i8, i8::MIN, i8::MAX, 0, false, i64, 1, i64::wrapping_mul;
    i16, i16::MIN, i16::MAX, 0, false, i64, 1, i64::wrapping_mul;
    i32, i32::MIN, i32::MAX, 0, false, i64, 1, i64::wrapping_mul;
    i64, i64::MIN, i64::MAX, 0, false, i64, 1, i64::wrapping_mul;
    f32, f32::NEG_INFINITY, f32::INFINITY, 0.0, true, f32, 1.0, |a, b| a * b;
    f64, f64::NEG_INFINITY, f64::INFINITY, 0.0, true, f64, 1.0, |a, b| a * b;
}

/// Dispatches over integers (bool as `u8`), f32 and f64.
macro_rules! with_number {
    ($d:expr, $T:ident => $e:expr) => {
        match $d {
            DType::F32 => { type $T = f32; $e }
            DType::F64 => { type $T = f64; $e }
            DType::Bool => { type $T = u8; $e }
            d => dispatch_dtype!(d, ints $T => $e, else unreachable!("f16 and bf16 are widened before")),
        }
    };
}

pub fn reduce(op: ReduceOp, x: View, axes: &[usize], out: ViewMut) {
    match op {
        ReduceOp::Sum | ReduceOp::Mean => match x.dtype {
            DType::Bool => run::<Total<u8>>(x, axes, out),
            d => {
                dispatch_dtype!(d, ints T => run::<Total<T>>(x, axes, out), else unreachable!("float sums go elsewhere"))
            }
        },
        ReduceOp::Prod => with_number!(x.dtype, T => run::<Product<T>>(x, axes, out)),
        ReduceOp::Max => with_number!(x.dtype, T => run::<Extreme<T, true>>(x, axes, out)),
        ReduceOp::Min => with_number!(x.dtype, T => run::<Extreme<T, false>>(x, axes, out)),
        ReduceOp::ArgMax => with_number!(x.dtype, T => run::<Arg<T, true>>(x, axes, out)),
        ReduceOp::ArgMin => with_number!(x.dtype, T => run::<Arg<T, false>>(x, axes, out)),
        ReduceOp::Deviations => match x.dtype {
            DType::F32 => run::<Deviations<f32>>(x, axes, out),
            DType::F64 => run::<Deviations<f64>>(x, axes, out),
            d => unreachable!("deviations of {d}"),
        },
        ReduceOp::Any => with_number!(x.dtype, T => run::<Truth<T, true>>(x, axes, out)),
        ReduceOp::All => with_number!(x.dtype, T => run::<Truth<T, false>>(x, axes, out)),
    }
}

#[derive(Clone, Copy)]
struct Total<T>(PhantomData<T>);
impl<T: Element> Fold for Total<T> {
    type In = T;
    type Acc = i64;
    type Out = i64;
    #[inline(always)]
    fn init() -> i64 {
        0
    }
    #[inline(always)]
    fn step(acc: i64, x: T, _: usize) -> i64 {
        acc.wrapping_add(x.to_i64())
    }
    #[inline(always)]
    fn merge(a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }
    fn finish(acc: i64) -> i64 {
        acc
    }
}

#[derive(Clone, Copy)]
struct Product<T>(PhantomData<T>);
impl<T: Number> Fold for Product<T> {
    type In = T;
    type Acc = T::Wide;
    type Out = T::Wide;
    const SIMD: bool = T::SIMD;
    #[inline(always)]
    fn init() -> T::Wide {
        T::WIDE_ONE
    }
    #[inline(always)]
    fn step(acc: T::Wide, x: T, _: usize) -> T::Wide {
        T::times(acc, x.wide())
    }
    #[inline(always)]
    fn merge(a: T::Wide, b: T::Wide) -> T::Wide {
        T::times(a, b)
    }
    fn finish(acc: T::Wide) -> T::Wide {
        acc
    }
}

/// Max (`UP`) or min; NaN stays once it is there.
#[derive(Clone, Copy)]
struct Extreme<T, const UP: bool>(PhantomData<T>);
impl<T: Number, const UP: bool> Fold for Extreme<T, UP> {
    type In = T;
    type Acc = T;
    type Out = T;
    const SIMD: bool = T::SIMD;
    const SLICE: usize = 8;
    #[inline(always)]
    fn init() -> T {
        if UP { T::LOWEST } else { T::HIGHEST }
    }
    #[inline(always)]
    fn step(acc: T, x: T, _: usize) -> T {
        let keep = if UP { acc >= x } else { acc <= x };
        if keep | acc.unordered() { acc } else { x }
    }
    #[inline(always)]
    fn merge(a: T, b: T) -> T {
        Self::step(a, b, 0)
    }
    fn finish(acc: T) -> T {
        acc
    }
    #[inline(always)]
    fn slice(x: &[T], _: usize) -> T {
        if x.len() < 128 { Self::lanes::<8>(x) } else { Self::lanes::<32>(x) }
    }
}
impl<T: Number, const UP: bool> Extreme<T, UP> {
    /// The extreme, and apart from it whether there is a NaN: a NaN that is chosen itself is chosen by its
    /// address, one number at a time.
    #[inline(always)]
    fn lanes<const L: usize>(x: &[T]) -> T {
        let (mut best, mut nan) = ([Self::init(); L], [0; L]);
        let (chunks, rest) = x.as_chunks::<L>();
        for c in chunks {
            for l in 0..L {
                let more = if UP { c[l] > best[l] } else { c[l] < best[l] };
                best[l] = if more { c[l] } else { best[l] };
            }
            for l in 0..L {
                nan[l] |= c[l].unordered() as u32;
            }
        }
        if nan.iter().fold(0, |a, b| a | b) != 0 {
            return *x.iter().find(|v| v.unordered()).expect("one was seen");
        }
        let mut half = L / 2;
        while half > 0 {
            for l in 0..half {
                best[l] = Self::step(best[l], best[l + half], 0);
            }
            half /= 2;
        }
        rest.iter().fold(best[0], |acc, &v| Self::step(acc, v, 0))
    }
}

/// Position of the first max (`UP`) or min; the first NaN beats all. Position -1: nothing seen yet.
#[derive(Clone, Copy)]
struct Arg<T, const UP: bool>(PhantomData<T>);
impl<T: Number, const UP: bool> Arg<T, UP> {
    #[inline(always)]
    fn beats(x: T, best: T) -> bool {
        let more = if UP { x > best } else { x < best };
        more | (x.unordered() & !best.unordered())
    }
}
impl<T: Number, const UP: bool> Fold for Arg<T, UP> {
    type In = T;
    type Acc = (T, i64);
    type Out = i64;
    const SIMD: bool = T::SIMD;
    const SLICE: usize = 4;
    #[inline(always)]
    fn init() -> (T, i64) {
        (T::ZERO, -1)
    }
    #[inline(always)]
    fn step((best, i): (T, i64), x: T, at: usize) -> (T, i64) {
        if (i < 0) | Self::beats(x, best) { (x, at as i64) } else { (best, i) }
    }
    #[inline(always)]
    fn merge(a: (T, i64), b: (T, i64)) -> (T, i64) {
        if b.1 >= 0 && (a.1 < 0 || Self::beats(b.0, a.0)) { b } else { a }
    }
    fn finish(acc: (T, i64)) -> i64 {
        acc.1
    }
    /// Values apart from positions, which are counted from the first row so that they have a number's width:
    /// so both are compared and chosen in vectors.
    #[inline(always)]
    fn columns(acc: &mut [(T, i64)], x: &[T], start: isize, step: isize, rows: Range<usize>) {
        const ROWS: usize = u32::MAX as usize;
        let (mut best, mut place) = ([T::ZERO; PANEL], [0u32; PANEL]);
        let (best, place) = (&mut best[..acc.len()], &mut place[..acc.len()]);
        for first in rows.clone().step_by(ROWS) {
            let mut p = start + (first - rows.start) as isize * step;
            for i in 0..(rows.end - first).min(ROWS) {
                let row = &x[p as usize..p as usize + acc.len()];
                if i == 0 {
                    best.copy_from_slice(row);
                    place.fill(0);
                }
                for ((b, at), &v) in best.iter_mut().zip(&mut *place).zip(row) {
                    let wins = Self::beats(v, *b);
                    *b = if wins { v } else { *b };
                    *at = if wins { i as u32 } else { *at };
                }
                p += step;
            }
            for ((a, &b), &at) in acc.iter_mut().zip(&*best).zip(&*place) {
                *a = Self::merge(*a, (b, (first + at as usize) as i64));
            }
        }
    }
    /// The extreme of each block first, which vectorises; then its place in the winning block.
    #[inline(always)]
    fn slice(x: &[T], at: usize) -> (T, i64) {
        const BLOCK: usize = 512;
        let mut best = Extreme::<T, UP>::slice(&x[..x.len().min(BLOCK)], 0);
        let mut block = 0;
        for (b, part) in x.chunks(BLOCK).enumerate().skip(1) {
            let v = Extreme::<T, UP>::slice(part, 0);
            if Self::beats(v, best) {
                (best, block) = (v, b);
            }
        }
        let start = block * BLOCK;
        let i = x[start..].iter().position(|&v| v == best || (v.unordered() && best.unordered()));
        (best, (at + start + i.expect("the block holds its extreme")) as i64)
    }
}

/// Any (`ANY`) or all non-zero.
#[derive(Clone, Copy)]
struct Truth<T, const ANY: bool>(PhantomData<T>);
impl<T: Number, const ANY: bool> Fold for Truth<T, ANY> {
    type In = T;
    type Acc = u8;
    type Out = u8;
    #[inline(always)]
    fn init() -> u8 {
        !ANY as u8
    }
    #[inline(always)]
    fn step(acc: u8, x: T, _: usize) -> u8 {
        Self::merge(acc, (x != T::ZERO) as u8)
    }
    #[inline(always)]
    fn merge(a: u8, b: u8) -> u8 {
        if ANY { a | b } else { a & b }
    }
    fn finish(acc: u8) -> u8 {
        acc
    }
}
