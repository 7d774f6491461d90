//! Lane-wise instructions: a closure over plane indices that runs one function on 32 lanes.
//!
//! The lane loops are plain code that the compiler vectorises. They are compiled twice on x86-64,
//! for the baseline and for AVX2 with FMA (where `mul_add` is one instruction and no library
//! call), and the processor decides when a kernel is decoded.

use super::regs::{LANES, Lane, Regs, put};
use std::marker::PhantomData;

/// A decoded arithmetic instruction: runs on the lanes of the mask.
pub(crate) type Alu = Box<dyn Fn(&mut Regs, u32) + Send + Sync>;

#[cfg(target_arch = "x86_64")]
fn fast() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// Declares a constructor whose closure exists for both levels.
macro_rules! levelled {
    ($(#[$doc:meta])* $name:ident<$($t:ident: $bound:ident),*>($($arg:ident: $ty:ty),*; $f:ident: $fn:path) => $body:ident) => {
        $(#[$doc])*
        pub(crate) fn $name<$($t: $bound,)* Func: $fn>($($arg: $ty,)* $f: Func) -> Alu {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
                fn wide<$($t: $bound,)* Func: $fn>($($arg: $ty,)* $f: Func) -> Alu {
                    Box::new(move |regs: &mut Regs, mask: u32| $body(regs, mask, $($arg,)* &$f))
                }
                if fast() {
                    // SAFETY: the processor has the features, `fast` has just asked it.
                    return unsafe { wide($($arg,)* $f) };
                }
            }
            Box::new(move |regs: &mut Regs, mask: u32| $body(regs, mask, $($arg,)* &$f))
        }
    };
}

/// Functions that lanes can run.
pub(crate) trait Fn1<A, D>: Fn(A) -> D + Send + Sync + 'static {}
impl<A, D, F: Fn(A) -> D + Send + Sync + 'static> Fn1<A, D> for F {}
pub(crate) trait Fn2<A, B, D>: Fn(A, B) -> D + Send + Sync + 'static {}
impl<A, B, D, F: Fn(A, B) -> D + Send + Sync + 'static> Fn2<A, B, D> for F {}
pub(crate) trait Fn3<A, B, C, D>: Fn(A, B, C) -> D + Send + Sync + 'static {}
impl<A, B, C, D, F: Fn(A, B, C) -> D + Send + Sync + 'static> Fn3<A, B, C, D> for F {}
pub(crate) trait Fn4<A, B, C, E, D>: Fn(A, B, C, E) -> D + Send + Sync + 'static {}
impl<A, B, C, E, D, F: Fn(A, B, C, E) -> D + Send + Sync + 'static> Fn4<A, B, C, E, D> for F {}

#[inline(always)]
fn run1<A: Lane, D: Lane>(regs: &mut Regs, mask: u32, d: u32, a: u32, f: &impl Fn1<A, D>) {
    let a = A::plane(regs, a);
    let mut out = [D::default(); LANES];
    for lane in 0..LANES {
        out[lane] = f(a[lane]);
    }
    put(regs, d, &out, mask);
}

#[inline(always)]
fn run2<A: Lane, B: Lane, D: Lane>(
    regs: &mut Regs,
    mask: u32,
    d: u32,
    a: u32,
    b: u32,
    f: &impl Fn2<A, B, D>,
) {
    let (a, b) = (A::plane(regs, a), B::plane(regs, b));
    let mut out = [D::default(); LANES];
    for lane in 0..LANES {
        out[lane] = f(a[lane], b[lane]);
    }
    put(regs, d, &out, mask);
}

#[inline(always)]
fn run3<A: Lane, B: Lane, C: Lane, D: Lane>(
    regs: &mut Regs,
    mask: u32,
    d: u32,
    s: [u32; 3],
    f: &impl Fn3<A, B, C, D>,
) {
    let (a, b, c) = (A::plane(regs, s[0]), B::plane(regs, s[1]), C::plane(regs, s[2]));
    let mut out = [D::default(); LANES];
    for lane in 0..LANES {
        out[lane] = f(a[lane], b[lane], c[lane]);
    }
    put(regs, d, &out, mask);
}

#[inline(always)]
fn run4<A: Lane, B: Lane, C: Lane, E: Lane, D: Lane>(
    regs: &mut Regs,
    mask: u32,
    d: u32,
    s: [u32; 4],
    f: &impl Fn4<A, B, C, E, D>,
) {
    let (a, b, c, e) =
        (A::plane(regs, s[0]), B::plane(regs, s[1]), C::plane(regs, s[2]), E::plane(regs, s[3]));
    let mut out = [D::default(); LANES];
    for lane in 0..LANES {
        out[lane] = f(a[lane], b[lane], c[lane], e[lane]);
    }
    put(regs, d, &out, mask);
}

#[inline(always)]
fn run_test<A: Lane, B: Lane>(
    regs: &mut Regs,
    mask: u32,
    d: TestInto,
    a: u32,
    b: u32,
    f: &impl Fn2<A, B, bool>,
) {
    let (a, b) = (A::plane(regs, a), B::plane(regs, b));
    let mut hit = [0u32; LANES];
    for lane in 0..LANES {
        hit[lane] = (f(a[lane], b[lane]) as u32) << lane;
    }
    let bits = hit.iter().fold(0, |all, &bit| all | bit);
    let (yes, no) = match d.combine {
        None => (bits, !bits),
        Some((op, p, negated)) => {
            let other = regs.p[p as usize] ^ if negated { !0 } else { 0 };
            (op.apply(bits, other), op.apply(!bits, other))
        }
    };
    let out = &mut regs.p[d.yes as usize];
    *out = *out & !mask | yes & mask;
    if let Some(no_plane) = d.no {
        let out = &mut regs.p[no_plane as usize];
        *out = *out & !mask | no & mask;
    }
}

#[inline(always)]
fn run_select<A: Lane>(
    regs: &mut Regs,
    mask: u32,
    d: u32,
    s: [u32; 3],
    _: PhantomData<A>,
    f: &impl Fn1<u32, u32>,
) {
    let bits = f(regs.p[s[2] as usize]);
    let (a, b) = (A::plane(regs, s[0]), A::plane(regs, s[1]));
    let mut out = [A::default(); LANES];
    for lane in 0..LANES {
        out[lane] = if bits >> lane & 1 != 0 { a[lane] } else { b[lane] };
    }
    put(regs, d, &out, mask);
}

/// How `setp` combines its comparison with a third predicate.
#[derive(Clone, Copy)]
pub(crate) enum Logic {
    And,
    Or,
    Xor,
}

impl Logic {
    pub(crate) fn apply(self, a: u32, b: u32) -> u32 {
        match self {
            Logic::And => a & b,
            Logic::Or => a | b,
            Logic::Xor => a ^ b,
        }
    }
}

/// Where a comparison goes.
#[derive(Clone, Copy)]
pub(crate) struct TestInto {
    pub yes: u32,
    pub no: Option<u32>,
    /// The operator, the predicate, and whether that is negated.
    pub combine: Option<(Logic, u32, bool)>,
}

levelled!(
    /// `d = f(a)`.
    map1<A: Lane, D: Lane>(d: u32, a: u32; f: Fn1<A, D>) => run1
);
levelled!(
    /// `d = f(a, b)`.
    map2<A: Lane, B: Lane, D: Lane>(d: u32, a: u32, b: u32; f: Fn2<A, B, D>) => run2
);
levelled!(
    /// `d = f(a, b, c)`.
    map3<A: Lane, B: Lane, C: Lane, D: Lane>(d: u32, s: [u32; 3]; f: Fn3<A, B, C, D>) => run3
);
levelled!(
    /// `d = f(a, b, c, e)`.
    map4<A: Lane, B: Lane, C: Lane, E: Lane, D: Lane>(d: u32, s: [u32; 4]; f: Fn4<A, B, C, E, D>) => run4
);
levelled!(
    /// `p = f(a, b)`.
    test<A: Lane, B: Lane>(d: TestInto, a: u32, b: u32; f: Fn2<A, B, bool>) => run_test
);
levelled!(
    /// `d = f(p) ? a : b` with `s = [a, b, p]`.
    select_at<A: Lane>(d: u32, s: [u32; 3], t: PhantomData<A>; f: Fn1<u32, u32>) => run_select
);

/// `d = p ? a : b`, with the predicate negated or not.
pub(crate) fn select<A: Lane>(d: u32, a: u32, b: u32, p: u32, negated: bool) -> Alu {
    let flip = if negated { !0 } else { 0 };
    select_at(d, [a, b, p], PhantomData::<A>, move |bits: u32| bits ^ flip)
}
