//! The formulas, each step taken for a whole block. Scalars are as PyTorch passes them on, signs
//! included.

use super::operand::Real;
use super::{Block, LANES, STATES};

/// The update of one block.
pub(super) trait Rule<F>: Copy + Sync {
    /// `p` is the parameter, `g` the gradient, `s` the state tensors; states that are not there
    /// are zero.
    fn update(self, p: &mut Block<F>, g: Block<F>, s: &mut [Block<F>; STATES]);
}

#[inline(always)]
fn lanes<F: Real>(f: impl Fn(usize) -> F) -> Block<F> {
    let mut out = [F::default(); LANES];
    for (i, o) in out.iter_mut().enumerate() {
        *o = f(i);
    }
    out
}

macro_rules! steps {
    ($($(#[$doc:meta])* fn $name:ident($x:ident, $($arg:ident: $t:ty),*; $i:ident) => $e:expr;)*) => { $(
        $(#[$doc])*
        #[inline(always)]
        fn $name<F: Real>($x: &mut Block<F>, $($arg: $t),*) {
            *$x = lanes(|$i| $e);
        }
    )* };
}
steps! {
    /// `x.mul_(by)`
    fn mul(x, by: F; i) => x[i] * by;
    /// `x.add_(y, alpha)`
    fn add(x, y: &Block<F>, alpha: F; i) => y[i].mul_add(alpha, x[i]);
    /// `x.addcmul_(y, y, value)`
    fn add_square(x, y: &Block<F>, value: F; i) => (value * y[i]).mul_add(y[i], x[i]);
    /// `x.addcdiv_(y, z, value)`
    fn add_quotient(x, y: &Block<F>, z: &Block<F>, value: F; i) => x[i] + value * y[i] / z[i];
}

/// `x.lerp_(end, weight)`: from the nearer end.
#[inline(always)]
fn lerp<F: Real>(x: &mut Block<F>, end: &Block<F>, weight: F) {
    let half = F::from_f64(0.5);
    if weight < half && weight > -half {
        *x = lanes(|i| weight.mul_add(end[i] - x[i], x[i]));
    } else {
        let rest = F::from_f64(1.0) - weight;
        *x = lanes(|i| (x[i] - end[i]).mul_add(rest, end[i]));
    }
}

/// The gradient with its sign and L2 penalty: `±g + weight_decay·p`.
#[inline(always)]
fn gradient<F: Real>(g: &mut Block<F>, p: &Block<F>, maximize: bool, weight_decay: F) {
    if maximize {
        *g = lanes(|i| -g[i]);
    }
    if weight_decay != F::default() {
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

impl<F: Real> Rule<F> for Sgd<F> {
    #[inline(always)]
    fn update(self, p: &mut Block<F>, mut g: Block<F>, [buffer, ..]: &mut [Block<F>; STATES]) {
        gradient(&mut g, p, self.maximize, self.weight_decay);
        if let Some(momentum) = self.momentum {
            if self.first {
                *buffer = g;
            } else {
                mul(buffer, momentum);
                add(buffer, &g, self.undamped);
            }
            if self.nesterov {
                add(&mut g, buffer, momentum);
            } else {
                g = *buffer;
            }
        }
        add(p, &g, self.lr);
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

impl<F: Real> Rule<F> for Adam<F> {
    #[inline(always)]
    fn update(self, p: &mut Block<F>, mut g: Block<F>, [avg, square, largest]: &mut [Block<F>; STATES]) {
        gradient(&mut g, p, self.maximize, self.weight_decay);
        if let Some(shrink) = self.shrink {
            mul(p, shrink);
        }
        lerp(avg, &g, self.weight1);
        mul(square, self.beta2);
        add_square(square, &g, self.weight2);
        if self.amsgrad {
            // NaN wins, as in `torch.maximum`.
            *largest = lanes(|i| {
                let (a, b) = (largest[i], square[i]);
                if a > b || a.is_nan() { a } else { b }
            });
        }
        let second = if self.amsgrad { largest } else { square };
        let denominator = lanes(|i| second[i].sqrt() / self.root_correction2 + self.eps);
        add_quotient(p, avg, &denominator, self.step_size);
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

impl<F: Real> Rule<F> for RmsProp<F> {
    #[inline(always)]
    fn update(self, p: &mut Block<F>, mut g: Block<F>, [square, avg, buffer]: &mut [Block<F>; STATES]) {
        gradient(&mut g, p, self.maximize, self.weight_decay);
        mul(square, self.alpha);
        add_square(square, &g, self.weight);
        let mut variance = *square;
        if self.centered {
            lerp(avg, &g, self.weight);
            add_square(&mut variance, avg, F::from_f64(-1.0));
        }
        let root = lanes(|i| variance[i].sqrt() + self.eps);
        if let Some(momentum) = self.momentum {
            mul(buffer, momentum);
            add_quotient(buffer, &g, &root, F::from_f64(1.0));
            add(p, buffer, self.lr);
        } else {
            add_quotient(p, &g, &root, self.lr);
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

impl<F: Real> Rule<F> for Adagrad<F> {
    #[inline(always)]
    fn update(self, p: &mut Block<F>, mut g: Block<F>, [sum, ..]: &mut [Block<F>; STATES]) {
        gradient(&mut g, p, self.maximize, self.weight_decay);
        add_square(sum, &g, F::from_f64(1.0));
        let root = lanes(|i| sum[i].sqrt() + self.eps);
        add_quotient(p, &g, &root, self.lr);
    }
}
