//! Optimizer updates: one pass over a parameter, its gradient and its state.
//!
//! f32 and f64 take PyTorch's steps in PyTorch's order, fused where its vector code fuses, with the
//! same bits on every machine; f16 and bf16 are computed in f32 and rounded once, when stored. State
//! may be of another float dtype than the parameter. The square root is IEEE's; where PyTorch takes
//! it from MKL, up to one value in six differs from its in the last bit.

mod operand;
mod rules;

use crate::cpu::elementwise::loops::{load, store};
use crate::cpu::math::{Math, V};
use crate::cpu::simd::{Simd, SimdBase};
use crate::cpu::{par::for_each_range, walk::Walk};
use crate::{DType, OptimizerOp, Result, View, ViewMut, simd};
use operand::Operand;
use rules::{Adagrad, Adam, RmsProp, Rule, Sgd};

/// Elements that are converted together; a multiple of every vector.
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
fn step_in<F: Math>(op: OptimizerOp, grad: View, param: ViewMut) {
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

fn run<F: Math>(rule: impl Rule<F>, grad: View, mut param: ViewMut, mut states: [Option<ViewMut>; STATES]) {
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
            // SAFETY: runs cover each element once and no two pieces share any; positions are
            // of layouts that were checked against their storage.
            simd!(s => unsafe { operands.update(s, rule, plain, at, len) })
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
    fn are_plain<F: Math>(&self) -> bool {
        self.all.iter().zip(self.steps).all(|(o, step)| o.is_none_or(|o| step == 1 && o.is::<F>()))
    }

    /// Updates `len` elements that start at `at`.
    ///
    /// # Safety
    /// The elements lie in the operands, no other thread touches them, and `plain` is true only where
    /// [`are_plain`](Operands::are_plain) is.
    #[inline(always)]
    unsafe fn update<S: Simd, F: Math>(
        &self,
        s: S,
        rule: impl Rule<F>,
        plain: bool,
        at: [usize; 2 + STATES],
        len: usize,
    ) {
        let w = V::<S, F>::LEN;
        let zero = V::<S, F>::splat(s, F::ZERO);
        let whole = if plain { len / w * w } else { 0 };
        if whole > 0 {
            // States that are not there are not read: they are zero.
            let there: [bool; STATES] = std::array::from_fn(|k| self.all[2 + k].is_some());
            // SAFETY: in the memory, as promised by the caller.
            let place =
                |k: usize| unsafe { self.all[k].map_or(std::ptr::null_mut(), |o| o.place::<F>(at[k])) };
            let (param, grad) = (place(0), place(1));
            let states: [*mut F; STATES] = [place(2), place(3), place(4)];
            for i in (0..whole).step_by(w) {
                // SAFETY: `whole` elements lie in each operand, as promised by the caller. The gradient is
                // not written.
                unsafe {
                    let mut p = load::<S, F>(s, param.add(i));
                    let g = load::<S, F>(s, grad.add(i));
                    let mut t = [zero; STATES];
                    for k in 0..STATES {
                        if there[k] {
                            t[k] = load::<S, F>(s, states[k].add(i));
                        }
                    }
                    rule.update(&mut p, g, &mut t);
                    store::<S, F>(p, param.add(i));
                    for k in 0..STATES {
                        if there[k] {
                            store::<S, F>(t[k], states[k].add(i));
                        }
                    }
                }
            }
        }
        for done in (whole..len).step_by(LANES) {
            let n = (len - done).min(LANES);
            let at = |k: usize| (at[k] as isize + done as isize * self.steps[k]) as usize;
            let gather = |k: usize| match &self.all[k] {
                // SAFETY: as promised by the caller.
                Some(o) => unsafe { o.load(at(k), self.steps[k], n) },
                None => [F::ZERO; LANES],
            };
            let scatter = |k: usize, block: Block<F>| {
                if let Some(o) = &self.all[k] {
                    // SAFETY: as promised by the caller; the gradient is not stored.
                    unsafe { o.store(at(k), self.steps[k], n, block) }
                }
            };
            let mut blocks: [Block<F>; 2 + STATES] = std::array::from_fn(gather);
            for i in (0..n).step_by(w) {
                let [mut p, g, s0, s1, s2] =
                    blocks.each_ref().map(|b| V::<S, F>::from_slice(s, &b[i..i + w]));
                let mut states = [s0, s1, s2];
                rule.update(&mut p, g, &mut states);
                p.store_slice(&mut blocks[0][i..i + w]);
                for k in 0..STATES {
                    states[k].store_slice(&mut blocks[2 + k][i..i + w]);
                }
            }
            blocks.into_iter().enumerate().filter(|(k, _)| *k != 1).for_each(|(k, b)| scatter(k, b));
        }
    }
}
