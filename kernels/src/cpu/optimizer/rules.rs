//! The formulas, each step taken for a whole vector. Scalars are as PyTorch passes them on, signs
//! included.

use super::STATES;
use crate::cpu::math::{Math, V, Vf, fma, pick, splat_like};
use crate::cpu::simd::{Simd, SimdFloat, prelude::*};

/// The update of one vector.
pub(super) trait Rule<T: Math>: Copy + Sync {
    /// `p` is the parameter, `g` the gradient, `s` the state tensors; states that are not there
    /// are zero.
    fn update<S: Simd>(self, p: &mut V<S, T>, g: V<S, T>, s: &mut [V<S, T>; STATES]);
}

/// `x.add_(y, alpha)`
#[inline(always)]
fn add<S: Simd, X: Vf<S>>(x: &mut X, y: X, alpha: X::Element) {
    *x = fma(y, alpha, *x);
}

/// `x.addcmul_(y, y, value)`
#[inline(always)]
fn add_square<S: Simd, X: Vf<S>>(x: &mut X, y: X, value: X::Element) {
    *x = fma(y * value, y, *x);
}

/// `x.addcdiv_(y, z, value)`
#[inline(always)]
fn add_quotient<S: Simd, X: Vf<S>>(x: &mut X, y: X, z: X, value: X::Element) {
    *x += y * value / z;
}

/// `x.lerp_(end, weight)`: from the nearer end.
#[inline(always)]
fn lerp<S: Simd, X: Vf<S>>(x: &mut X, end: X, weight: X::Element) {
    let half = X::Element::HALF;
    *x = if weight < half && weight > -half {
        fma(end - *x, weight, *x)
    } else {
        fma(*x - end, X::Element::ONE - weight, end)
    };
}

/// The gradient with its sign and L2 penalty: `±g + weight_decay·p`.
#[inline(always)]
fn gradient<S: Simd, X: Vf<S>>(g: &mut X, p: X, maximize: bool, weight_decay: X::Element) {
    if maximize {
        *g = -*g;
    }
    if weight_decay != X::Element::ZERO {
        add(g, p, weight_decay);
    }
}

#[derive(Clone, Copy)]
pub(super) struct Sgd<F> {
    pub maximize: bool,
    pub weight_decay: F,
    pub momentum: Option<F>,
    /// `1 − dampening`
    pub undamped: F,
    pub nesterov: bool,
    pub first: bool,
    /// `−lr`
    pub lr: F,
}

impl<F: Math> Rule<F> for Sgd<F> {
    #[inline(always)]
    fn update<S: Simd>(self, p: &mut V<S, F>, mut g: V<S, F>, [buffer, ..]: &mut [V<S, F>; STATES]) {
        gradient(&mut g, *p, self.maximize, self.weight_decay);
        if let Some(momentum) = self.momentum {
            if self.first {
                *buffer = g;
            } else {
                *buffer *= momentum;
                add(buffer, g, self.undamped);
            }
            if self.nesterov {
                add(&mut g, *buffer, momentum);
            } else {
                g = *buffer;
            }
        }
        add(p, g, self.lr);
    }
}

#[derive(Clone, Copy)]
pub(super) struct Adam<F> {
    pub maximize: bool,
    pub weight_decay: F,
    /// `1 − lr·weight_decay`, where the decay is decoupled.
    pub shrink: Option<F>,
    /// `1 − β₁`
    pub weight1: F,
    pub beta2: F,
    /// `1 − β₂`
    pub weight2: F,
    /// `√(1 − β₂ᵗ)`
    pub root_correction2: F,
    pub eps: F,
    /// `−lr / (1 − β₁ᵗ)`
    pub step_size: F,
    pub amsgrad: bool,
}

impl<F: Math> Rule<F> for Adam<F> {
    #[inline(always)]
    fn update<S: Simd>(
        self,
        p: &mut V<S, F>,
        mut g: V<S, F>,
        [avg, square, largest]: &mut [V<S, F>; STATES],
    ) {
        gradient(&mut g, *p, self.maximize, self.weight_decay);
        if let Some(shrink) = self.shrink {
            *p *= shrink;
        }
        lerp(avg, g, self.weight1);
        *square *= self.beta2;
        add_square(square, g, self.weight2);
        if self.amsgrad {
            // NaN wins, as in `torch.maximum`.
            *largest = pick(largest.simd_gt(*square) | largest.is_nan(), *largest, *square);
        }
        let second = if self.amsgrad { *largest } else { *square };
        let denominator = second.sqrt() / splat_like(*p, self.root_correction2) + self.eps;
        add_quotient(p, *avg, denominator, self.step_size);
    }
}

#[derive(Clone, Copy)]
pub(super) struct RmsProp<F> {
    pub maximize: bool,
    pub weight_decay: F,
    pub alpha: F,
    /// `1 − α`
    pub weight: F,
    pub centered: bool,
    pub eps: F,
    pub momentum: Option<F>,
    /// `−lr`
    pub lr: F,
}

impl<F: Math> Rule<F> for RmsProp<F> {
    #[inline(always)]
    fn update<S: Simd>(self, p: &mut V<S, F>, mut g: V<S, F>, [square, avg, buffer]: &mut [V<S, F>; STATES]) {
        gradient(&mut g, *p, self.maximize, self.weight_decay);
        *square *= self.alpha;
        add_square(square, g, self.weight);
        let mut variance = *square;
        if self.centered {
            lerp(avg, g, self.weight);
            add_square(&mut variance, *avg, -F::ONE);
        }
        let root = variance.sqrt() + self.eps;
        if let Some(momentum) = self.momentum {
            *buffer *= momentum;
            add_quotient(buffer, g, root, F::ONE);
            add(p, *buffer, self.lr);
        } else {
            add_quotient(p, g, root, self.lr);
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Adagrad<F> {
    pub maximize: bool,
    pub weight_decay: F,
    pub eps: F,
    /// `−lr / (1 + (t − 1)·lr_decay)`
    pub lr: F,
}

impl<F: Math> Rule<F> for Adagrad<F> {
    #[inline(always)]
    fn update<S: Simd>(self, p: &mut V<S, F>, mut g: V<S, F>, [sum, ..]: &mut [V<S, F>; STATES]) {
        gradient(&mut g, *p, self.maximize, self.weight_decay);
        add_square(sum, g, F::ONE);
        let root = sum.sqrt() + self.eps;
        add_quotient(p, g, root, self.lr);
    }
}
