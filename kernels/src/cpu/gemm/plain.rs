//! The product by plain loops, for integers (which wrap).

use super::problem::{Problem, Starts};
use crate::cpu::par::{SharedMut, for_each_job};
use crate::{Element, bf16, f16};

/// Elements with the arithmetic of a sum of products.
pub trait Arith: Element {
    /// What sums are held in.
    type Acc: Copy + Send + Sync + PartialOrd + Default;
    fn widen(self) -> Self::Acc;
    fn narrow(acc: Self::Acc) -> Self;
    fn mul_add(a: Self::Acc, b: Self::Acc, c: Self::Acc) -> Self::Acc;
    fn add(a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn div(a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn acc_from(n: usize) -> Self::Acc;
}
macro_rules! ints {
    ($($t:ty)*) => { $(impl Arith for $t {
        type Acc = $t;
        #[inline(always)]
        fn widen(self) -> $t { self }
        #[inline(always)]
        fn narrow(acc: $t) -> $t { acc }
        #[inline(always)]
        fn mul_add(a: $t, b: $t, c: $t) -> $t { a.wrapping_mul(b).wrapping_add(c) }
        #[inline(always)]
        fn add(a: $t, b: $t) -> $t { a.wrapping_add(b) }
        fn div(a: $t, b: $t) -> $t { a.wrapping_div(b) }
        fn acc_from(n: usize) -> $t { n as $t }
    })* };
}
ints!(u8 i8 i16 i32 i64);
macro_rules! floats {
    ($($t:ty => $acc:ty: $to:expr, $from:expr;)*) => { $(impl Arith for $t {
        type Acc = $acc;
        #[inline(always)]
        fn widen(self) -> $acc { $to(self) }
        #[inline(always)]
        fn narrow(acc: $acc) -> $t { $from(acc) }
        #[inline(always)]
        fn mul_add(a: $acc, b: $acc, c: $acc) -> $acc { a * b + c }
        #[inline(always)]
        fn add(a: $acc, b: $acc) -> $acc { a + b }
        #[inline(always)]
        fn div(a: $acc, b: $acc) -> $acc { a / b }
        #[inline(always)]
        fn acc_from(n: usize) -> $acc { n as $acc }
    })* };
}
floats! {
    f32 => f32: |x| x, |x| x;
    f64 => f64: |x| x, |x| x;
    f16 => f32: f16::to_f32, f16::from_f32;
    bf16 => f32: bf16::to_f32, bf16::from_f32;
}

/// Multiply-adds that are worth a thread's while.
const WORTH_IT: usize = if cfg!(miri) { 500 } else { 200_000 };

/// Columns summed at a time.
const COLS: usize = 256;

pub fn run<T: Arith>(p: &Problem, a: &[T], b: &[T], bias: Option<&[T]>, out: &mut [T]) {
    let out = SharedMut::new(out);
    let starts = p.starts();
    let row = |at: &Starts, i: usize| {
        for j0 in (0..p.n).step_by(COLS) {
            let cols = COLS.min(p.n - j0);
            let mut acc = [T::Acc::default(); COLS];
            let acc = &mut acc[..cols];
            for kk in 0..p.k {
                let x = a[at.a.wrapping_add_signed(i as isize * p.a[0] + kk as isize * p.a[1])].widen();
                let b0 = at.b.wrapping_add_signed(kk as isize * p.b[0] + j0 as isize * p.b[1]);
                if p.b[1] == 1 {
                    acc.iter_mut()
                        .zip(&b[b0..b0 + cols])
                        .for_each(|(s, y)| *s = T::mul_add(x, y.widen(), *s));
                } else {
                    for (j, s) in acc.iter_mut().enumerate() {
                        *s = T::mul_add(x, b[b0.wrapping_add_signed(j as isize * p.b[1])].widen(), *s);
                    }
                }
            }
            for (j, &s) in acc.iter().enumerate() {
                let place = |start: usize, steps: [isize; 2]| {
                    start.wrapping_add_signed(i as isize * steps[0] + (j0 + j) as isize * steps[1])
                };
                let at_out = place(at.out, p.out);
                assert!(at_out < out.len());
                // SAFETY: in bounds, and each element of a product belongs to one row.
                let o = unsafe { &mut *out.at(at_out) };
                let mut s = if p.accumulate { T::add(o.widen(), s) } else { s };
                if let (Some(bias), Some(steps)) = (bias, p.bias) {
                    s = T::add(s, bias[place(at.bias, steps)].widen());
                }
                if p.relu && s < T::Acc::default() {
                    s = T::Acc::default();
                }
                *o = T::narrow(s);
            }
        }
    };
    let rows = starts.len() * p.m;
    let parallel = p.work() * starts.len() >= WORTH_IT;
    let grain = (WORTH_IT / (p.n * p.k).max(1)).max(1);
    for_each_job(rows, parallel, grain, &|i| row(&starts[i / p.m], i % p.m));
}
