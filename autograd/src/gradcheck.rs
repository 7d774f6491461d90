//! Derivatives against finite differences.

use std::fmt;

use crate::{BackwardError, BackwardOptions, Node, Value, enable_grad, no_grad, try_grad};

/// A value whose derivatives can be compared with finite differences.
pub trait Differentiable: Value {
    /// The elements, in row-major order.
    fn to_f64s(&self) -> Vec<f64>;

    /// A constant of the meta of `self` with these elements (rounded to its type).
    #[allow(clippy::wrong_self_convention)] // a constructor with a pattern, like `zeros_like`
    fn from_f64s_like(&self, elements: &[f64]) -> Self;
}

/// What a checked function may return: one value or several.
pub trait Outputs<V> {
    /// All of them in a row.
    fn into_outputs(self) -> Vec<V>;
}

impl<V: Value> Outputs<V> for V {
    fn into_outputs(self) -> Vec<V> {
        vec![self]
    }
}

impl<V: Value> Outputs<V> for Vec<V> {
    fn into_outputs(self) -> Vec<V> {
        self
    }
}

/// How [`gradcheck`] compares. The defaults are for f64.
#[derive(Debug, Clone, Copy)]
pub struct GradcheckOptions {
    /// The step is `eps · max(1, |x|)`; default `cbrt(f64::EPSILON)`, the best for central differences.
    pub eps: f64,
    /// Accepted are differences up to `atol + rtol · |numeric|`; default 1e-6.
    pub atol: f64,
    /// Default 1e-6.
    pub rtol: f64,
    /// Compare one random projection for each input instead of the full Jacobian: two evaluations for each input
    /// rather than for each element. Where they differ, the full Jacobian is computed and decides. Default false.
    pub fast_mode: bool,
    /// Draws the projections of `fast_mode` and the seed gradients of [`gradgradcheck`].
    pub seed: u64,
}

impl Default for GradcheckOptions {
    fn default() -> Self {
        GradcheckOptions { eps: f64::EPSILON.cbrt(), atol: 1e-6, rtol: 1e-6, fast_mode: false, seed: 0 }
    }
}

/// What [`gradcheck`] found wrong.
#[derive(Debug, Clone)]
pub enum GradcheckError {
    /// No input requires grad: there is nothing to check.
    NoInput,
    /// The function returned a different number of values or elements when an input was changed slightly.
    Unsteady,
    /// The backward failed.
    Backward(BackwardError),
    /// A derivative is wrong.
    Mismatch {
        /// 1 for [`gradcheck`], 2 for [`gradgradcheck`].
        order: u8,
        /// Which output (in the second order: the gradient of which checked input) …
        output: usize,
        /// … and which of its elements.
        output_element: usize,
        /// With respect to which input (in the second order, those after the inputs are the seed gradients) …
        input: usize,
        /// … and which of its elements.
        element: usize,
        /// What the rules say.
        analytic: f64,
        /// What the central difference says.
        numeric: f64,
    },
}

impl fmt::Display for GradcheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInput => write!(f, "gradcheck: at least one input must require grad"),
            Self::Unsteady => write!(f, "gradcheck: the outputs change in number when an input changes"),
            Self::Backward(error) => write!(f, "gradcheck: {error}"),
            Self::Mismatch { order, output, output_element, input, element, analytic, numeric } => {
                let name = if *order == 1 { "gradcheck" } else { "gradgradcheck" };
                write!(
                    f,
                    "{name}: the derivative of output {output}[{output_element}] in input {input}[{element}] is \
                     {analytic:e} by the rules, {numeric:e} by finite differences"
                )
            }
        }
    }
}

impl std::error::Error for GradcheckError {}

impl From<BackwardError> for GradcheckError {
    fn from(error: BackwardError) -> Self {
        Self::Backward(error)
    }
}

/// Compares the derivatives of `f` at `inputs` with central differences (`torch.autograd.gradcheck`).
///
/// Checked are the inputs that require grad; the others are handed through. Inputs should be f64 and away from
/// kinks.
///
/// ```
/// use taper_autograd::{gradcheck, scalar::Scalar};
/// let inputs = [Scalar::leaf(0.3), Scalar::leaf(-1.2)];
/// gradcheck(|x| (&x[0] * &x[1]).tanh() / &x[1], &inputs, Default::default()).unwrap();
/// ```
pub fn gradcheck<V: Differentiable, O: Outputs<V>>(
    f: impl Fn(&[V]) -> O,
    inputs: &[V],
    options: GradcheckOptions,
) -> Result<(), GradcheckError> {
    Check { f: |x: &[V]| Ok(f(x).into_outputs()), inputs, options, order: 1 }.run()
}

/// Compares the second derivatives: [`gradcheck`] of the gradient of `f`, in the inputs and in random seed gradients
/// (`torch.autograd.gradgradcheck`).
pub fn gradgradcheck<V: Differentiable, O: Outputs<V>>(
    f: impl Fn(&[V]) -> O,
    inputs: &[V],
    options: GradcheckOptions,
) -> Result<(), GradcheckError> {
    let mut random = Random(options.seed ^ 0xA5A5);
    let outputs = no_grad(|| f(inputs).into_outputs());
    let seeds = outputs.iter().map(|y| leaf(y.from_f64s_like(&random.vector(y.to_f64s().len()))));
    let all: Vec<V> = inputs.iter().cloned().chain(seeds).collect();
    let gradient = |all: &[V]| {
        // Finite differences come with detached inputs and grad mode off.
        enable_grad(|| {
            let (x, seeds) = all.split_at(inputs.len());
            let attach = |(x, like): (&V, &V)| {
                if like.node().is_some() && x.node().is_none() { leaf(x.clone()) } else { x.clone() }
            };
            let x: Vec<V> = x.iter().zip(inputs).map(attach).collect();
            let outputs = f(&x).into_outputs();
            if outputs.len() != seeds.len() {
                return Err(GradcheckError::Unsteady);
            }
            vjp(&outputs, seeds, &x, true)
        })
    };
    Check { f: gradient, inputs: &all, options, order: 2 }.run()
}

struct Check<'a, V, F> {
    f: F,
    inputs: &'a [V],
    options: GradcheckOptions,
    order: u8,
}

impl<V: Differentiable, F: Fn(&[V]) -> Result<Vec<V>, GradcheckError>> Check<'_, V, F> {
    fn run(&self) -> Result<(), GradcheckError> {
        if self.inputs.iter().all(|x| x.node().is_none()) {
            return Err(GradcheckError::NoInput);
        }
        // Fresh leaves with the layout of the caller's: nothing of the caller's graph is touched.
        let inputs: Vec<V> = self
            .inputs
            .iter()
            .map(|x| if x.node().is_some() { leaf(x.clone()) } else { x.clone() })
            .collect();
        let outputs = enable_grad(|| (self.f)(&inputs))?;
        if self.options.fast_mode && self.projected(&inputs, &outputs)? {
            return Ok(());
        }
        self.full(&inputs, &outputs)
    }

    /// One number for each input: the derivative along a random direction of a random combination of the outputs.
    fn projected(&self, inputs: &[V], outputs: &[V]) -> Result<bool, GradcheckError> {
        let mut random = Random(self.options.seed);
        let weights: Vec<Vec<f64>> = outputs.iter().map(|y| random.vector(y.to_f64s().len())).collect();
        let seeds: Vec<V> = outputs.iter().zip(&weights).map(|(y, w)| y.from_f64s_like(w)).collect();
        let grads = vjp(outputs, &seeds, inputs, false)?;
        let checked = (0..inputs.len()).filter(|&i| inputs[i].node().is_some());
        for (i, grad) in checked.zip(grads) {
            let x = inputs[i].to_f64s();
            let steps: Vec<f64> = x.iter().map(|x| self.step(*x) * random.sign()).collect();
            let Around { high, low, moved } = self.around(i, &steps)?;
            let numeric: f64 =
                high.iter().zip(&low).zip(weights.iter().flatten()).map(|((h, l), w)| (h - l) * w).sum();
            let terms: Vec<f64> = grad.to_f64s().iter().zip(&moved).map(|(g, m)| g * m).collect();
            let analytic: f64 = terms.iter().sum();
            // Random signs make sums small by chance; the tolerance must not shrink with them.
            let size = terms.iter().map(|t| t * t).sum::<f64>().sqrt().max(numeric.abs());
            let scale = moved.iter().fold(0.0, |a: f64, m| a.max(m.abs()));
            if !within((analytic - numeric).abs(), self.options.atol * scale + self.options.rtol * size) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn full(&self, inputs: &[V], outputs: &[V]) -> Result<(), GradcheckError> {
        let checked: Vec<usize> = (0..inputs.len()).filter(|&i| inputs[i].node().is_some()).collect();
        // For each checked input, for each of its elements: the derivative of all outputs in a row.
        let mut numeric = Vec::new();
        for &i in &checked {
            let x = inputs[i].to_f64s();
            let mut columns = Vec::with_capacity(x.len());
            for j in 0..x.len() {
                let mut steps = vec![0.0; x.len()];
                steps[j] = self.step(x[j]);
                let Around { high, low, moved } = self.around(i, &steps)?;
                columns.push(high.iter().zip(&low).map(|(h, l)| (h - l) / moved[j]).collect::<Vec<_>>());
            }
            numeric.push(columns);
        }
        let mut row = 0;
        for (output, y) in outputs.iter().enumerate() {
            let len = y.to_f64s().len();
            for output_element in 0..len {
                let mut seed = vec![0.0; len];
                seed[output_element] = 1.0;
                let (y, seed) = (std::slice::from_ref(y), [y.from_f64s_like(&seed)]);
                for ((&input, grad), columns) in
                    checked.iter().zip(vjp(y, &seed, inputs, false)?).zip(&numeric)
                {
                    for (element, (&analytic, column)) in grad.to_f64s().iter().zip(columns).enumerate() {
                        let numeric = *column.get(row).ok_or(GradcheckError::Unsteady)?;
                        let tolerance = self.options.atol + self.options.rtol * numeric.abs();
                        if !within((analytic - numeric).abs(), tolerance) {
                            let order = self.order;
                            return Err(GradcheckError::Mismatch {
                                order,
                                output,
                                output_element,
                                input,
                                element,
                                analytic,
                                numeric,
                            });
                        }
                    }
                }
                row += 1;
            }
        }
        Ok(())
    }

    fn step(&self, x: f64) -> f64 {
        self.options.eps * x.abs().max(1.0)
    }

    /// All outputs with input `i` moved forth and back, and how far its elements really moved.
    fn around(&self, i: usize, steps: &[f64]) -> Result<Around, GradcheckError> {
        let at = |side: f64| -> Result<(Vec<f64>, Vec<f64>), GradcheckError> {
            let mut inputs: Vec<V> = self.inputs.iter().map(|x| x.clone().with_node(None)).collect();
            let x: Vec<f64> = inputs[i].to_f64s().iter().zip(steps).map(|(x, s)| x + side * s).collect();
            inputs[i] = inputs[i].from_f64s_like(&x);
            let outputs = no_grad(|| (self.f)(&inputs))?;
            Ok((outputs.iter().flat_map(|y| y.to_f64s()).collect(), inputs[i].to_f64s()))
        };
        let ((high, x_high), (low, x_low)) = (at(1.0)?, at(-1.0)?);
        if high.len() != low.len() {
            return Err(GradcheckError::Unsteady);
        }
        Ok(Around { high, low, moved: x_high.iter().zip(&x_low).map(|(h, l)| h - l).collect() })
    }
}

struct Around {
    high: Vec<f64>,
    low: Vec<f64>,
    moved: Vec<f64>,
}

/// False for a NaN, which two equal infinities leave too: neither is a derivative.
fn within(difference: f64, tolerance: f64) -> bool {
    difference <= tolerance
}

fn leaf<V: Value>(x: V) -> V {
    let node = Node::leaf(x.meta());
    x.with_node(Some(node))
}

/// The gradients of the inputs on the tape; zeros for what does not depend on them.
fn vjp<V: Value>(
    outputs: &[V],
    seeds: &[V],
    inputs: &[V],
    create_graph: bool,
) -> Result<Vec<V>, GradcheckError> {
    let inputs: Vec<V> = inputs.iter().filter(|x| x.node().is_some()).cloned().collect();
    let on_tape = outputs.iter().zip(seeds).filter(|(y, _)| y.node().is_some());
    let (outputs, seeds): (Vec<V>, Vec<V>) = on_tape.map(|(y, s)| (y.clone(), s.clone())).unzip();
    let options = BackwardOptions { retain_graph: true, create_graph };
    let grads = try_grad(&outputs, &inputs, Some(&seeds), options, true)?;
    Ok(grads.into_iter().zip(&inputs).map(|(g, x)| g.unwrap_or_else(|| V::zeros(&x.meta()))).collect())
}

/// splitmix64: the check needs a few harmless numbers that are the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn sign(&mut self) -> f64 {
        if self.next() & 1 == 0 { 1.0 } else { -1.0 }
    }

    /// Of either sign, and never near zero.
    fn vector(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| self.sign() * (0.5 + (self.next() >> 11) as f64 / (1u64 << 53) as f64)).collect()
    }
}
