//! Optimizer updates: one pass over a parameter, its gradient and its state.
//!
//! f32 and f64 take PyTorch's steps in PyTorch's order, fused where its vector code fuses, with the
//! same bits on every machine; f16 and bf16 are computed in f32 and rounded once, when stored. State
//! may be of another float dtype than the parameter. The square root is IEEE's; where PyTorch takes
//! it from MKL, up to one value in six differs from its in the last bit.

mod operand;
mod rules;

use crate::cpu::{par::for_each_range, walk::Walk};
use crate::{DType, OptimizerOp, Result, View, ViewMut, simd};
use operand::{Operand, Real};
use rules::{Adagrad, Adam, RmsProp, Rule, Sgd};

/// Elements that are updated together: every step of a formula is taken for a block, in registers.
const LANES: usize = 16;
type Block<F> = [F; LANES];
/// Most state tensors an optimizer has.
const STATES: usize = 3;

/// One update of `param` by `grad`, in f64 for f64 parameters and in f32 for others.
pub fn step(op: OptimizerOp, grad: View, param: ViewMut) -> Result {
    match param.dtype {
        DType::F64 => step_in::<f64>(op, grad, param),
        _ => step_in::<f32>(op, grad, param),
    }
    Ok(())
}

/// Scalars are computed in f64, as Python does, and then rounded to the computing type.
fn step_in<F: Real>(op: OptimizerOp, grad: View, param: ViewMut) {
    let f = F::from_f64;
    match op {
        OptimizerOp::Sgd { lr, momentum, dampening, weight_decay, nesterov, maximize, first, buffer } => {
            let rule = Sgd {
                maximize,
                weight_decay: f(weight_decay),
                momentum: (momentum != 0.0).then(|| f(momentum)),
                undamped: f(1.0 - dampening),
                nesterov,
                first,
                lr: f(-lr),
            };
            assert!(momentum == 0.0 || buffer.is_some(), "momentum needs a buffer");
            run(rule, grad, param, [buffer, None, None])
        }
        OptimizerOp::Adam {
            lr,
            beta1,
            beta2,
            eps,
            weight_decay,
            decoupled,
            maximize,
            step,
            exp_avg,
            exp_avg_sq,
            max_exp_avg_sq,
        } => {
            let rule = Adam {
                maximize,
                weight_decay: f(if decoupled { 0.0 } else { weight_decay }),
                shrink: (decoupled && weight_decay != 0.0).then(|| f(1.0 - lr * weight_decay)),
                weight1: f(1.0 - beta1),
                beta2: f(beta2),
                weight2: f(1.0 - beta2),
                root_correction2: f((1.0 - beta2.powf(step)).powf(0.5)),
                eps: f(eps),
                step_size: f(-(lr / (1.0 - beta1.powf(step)))),
                amsgrad: max_exp_avg_sq.is_some(),
            };
            run(rule, grad, param, [Some(exp_avg), Some(exp_avg_sq), max_exp_avg_sq])
        }
        OptimizerOp::RmsProp {
            lr,
            alpha,
            eps,
            weight_decay,
            momentum,
            maximize,
            square_avg,
            grad_avg,
            buffer,
        } => {
            let rule = RmsProp {
                maximize,
                weight_decay: f(weight_decay),
                alpha: f(alpha),
                weight: f(1.0 - alpha),
                centered: grad_avg.is_some(),
                eps: f(eps),
                momentum: (momentum != 0.0).then(|| f(momentum)),
                lr: f(-lr),
            };
            assert!(momentum == 0.0 || buffer.is_some(), "momentum needs a buffer");
            run(rule, grad, param, [Some(square_avg), grad_avg, buffer])
        }
        OptimizerOp::Adagrad { lr, lr_decay, eps, weight_decay, maximize, step, sum } => {
            let rule = Adagrad {
                maximize,
                weight_decay: f(weight_decay),
                eps: f(eps),
                lr: f(-(lr / (1.0 + (step - 1.0) * lr_decay))),
            };
            run(rule, grad, param, [Some(sum), None, None])
        }
    }
}

fn run<F: Real>(rule: impl Rule<F>, grad: View, mut param: ViewMut, mut states: [Option<ViewMut>; STATES]) {
    let [s0, s1, s2] = std::array::from_fn(|k| states[k].as_ref().map_or(param.layout, |s| s.layout));
    // The order of elements does not matter, so they are taken as the parameter lies in memory.
    let walk = Walk::any_order([param.layout, grad.layout, s0, s1, s2]);
    let [s0, s1, s2] = states.each_mut().map(|s| s.as_mut().map(Operand::new));
    let operands = Operands {
        all: [Some(Operand::new(&mut param)), Some(Operand::read_only(grad)), s0, s1, s2],
        steps: walk.inner_strides(),
    };
    let plain = operands.are_plain::<F>();
    let cost = 0.3 * operands.all.iter().flatten().count() as f64;
    for_each_range(walk.numel(), LANES, cost, |range| {
        walk.runs(range, |at, len| {
            simd!(s => {
                let _ = s;
                // SAFETY: runs cover each element once and no two pieces share any; positions are
                // of layouts that were checked against their storage.
                unsafe { operands.update(rule, plain, at, len) }
            })
        })
    });
}

/// Memory of one update: parameter, gradient, states.
struct Operands<'a> {
    all: [Option<Operand<'a>>; 2 + STATES],
    steps: [isize; 2 + STATES],
}

impl Operands<'_> {
    /// True where blocks can be loaded as they lie in memory.
    fn are_plain<F: Real>(&self) -> bool {
        self.all.iter().zip(self.steps).all(|(o, step)| o.is_none_or(|o| step == 1 && o.is::<F>()))
    }

    /// Updates `len` elements that start at `at`.
    ///
    /// # Safety
    /// The elements lie in the operands, no other thread touches them, and `plain` is true only where
    /// [`are_plain`](Operands::are_plain) is.
    #[inline(always)]
    unsafe fn update<F: Real>(&self, rule: impl Rule<F>, plain: bool, at: [usize; 2 + STATES], len: usize) {
        let whole = if plain { len / LANES } else { 0 };
        if whole > 0 {
            // States that are not there are one block of scratch memory.
            let mut scratch = [[F::default(); LANES]; STATES];
            let mut blocks: [(*mut Block<F>, usize); 2 + STATES] =
                std::array::from_fn(|k| match &self.all[k] {
                    // SAFETY: in the memory, as promised by the caller.
                    Some(o) => (unsafe { o.block(at[k]) }, 1),
                    None => (&raw mut scratch[k - 2], 0),
                });
            for _ in 0..whole {
                // SAFETY: `whole` blocks lie in each operand, as promised by the caller; an array is
                // aligned as its elements are. The gradient is not written.
                unsafe {
                    let [(p, _), (g, _), (s0, _), (s1, _), (s2, _)] = blocks;
                    let mut states = [*s0, *s1, *s2];
                    let mut param = *p;
                    rule.update(&mut param, *g, &mut states);
                    *p = param;
                    [*s0, *s1, *s2] = states;
                    blocks.iter_mut().for_each(|(b, step)| *b = b.add(*step));
                }
            }
        }
        for done in (whole * LANES..len).step_by(LANES) {
            let n = (len - done).min(LANES);
            let at = |k: usize| (at[k] as isize + done as isize * self.steps[k]) as usize;
            let load = |k: usize| match &self.all[k] {
                // SAFETY: as promised by the caller.
                Some(o) => unsafe { o.load(at(k), self.steps[k], n) },
                None => [F::default(); LANES],
            };
            let store = |k: usize, block: Block<F>| {
                if let Some(o) = &self.all[k] {
                    // SAFETY: as promised by the caller; the gradient is not stored.
                    unsafe { o.store(at(k), self.steps[k], n, block) }
                }
            };
            let (mut p, g) = (load(0), load(1));
            let mut states: [Block<F>; STATES] = [load(2), load(3), load(4)];
            rule.update(&mut p, g, &mut states);
            store(0, p);
            states.into_iter().enumerate().for_each(|(k, s)| store(2 + k, s));
        }
    }
}
