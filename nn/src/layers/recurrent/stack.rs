//! Layers and directions of a recurrent layer: parameters, the walk over steps, states.

use crate::functional as F;
use crate::init::uniform_;
use crate::module::{Slot, Visitor};
use crate::parameter::{Parameter, Training};
use crate::python::float;
use taper_tensor::{AsTensor, Tensor};

/// What a recurrent layer is built from.
#[derive(Clone, Debug)]
pub(super) struct Sizes {
    pub kind: &'static str,
    /// Parts of a step's sums, each of `hidden_size`.
    pub gates: usize,
    pub input_size: usize,
    pub hidden_size: usize,
    pub num_layers: usize,
    pub bias: bool,
    pub batch_first: bool,
    pub dropout: f64,
    pub bidirectional: bool,
}

/// The weights of one layer in one direction.
#[derive(Debug)]
struct Weights {
    /// `l0`, `l0_reverse`, …
    suffix: String,
    /// `[gates·hidden, inputs]` and `[gates·hidden, hidden]`.
    weights: [Parameter; 2],
    /// `[gates·hidden]`, of each.
    biases: Option<[Parameter; 2]>,
}

#[derive(Debug)]
pub(super) struct Stack {
    sizes: Sizes,
    /// Of each layer, and in it of each direction.
    weights: Vec<Weights>,
    training: Training,
}

impl Stack {
    #[track_caller]
    pub fn new(sizes: Sizes) -> Self {
        let (kind, hidden) = (sizes.kind, sizes.hidden_size);
        assert!(hidden > 0 && sizes.num_layers > 0, "{kind}: hidden_size and num_layers must be at least 1");
        assert!(
            (0.0..=1.0).contains(&sizes.dropout),
            "{kind}: expected a dropout from 0 to 1, got {}",
            sizes.dropout
        );
        let (rows, bound) = (sizes.gates * hidden, 1.0 / (hidden as f64).sqrt());
        let draw = |shape: &[usize]| {
            let p = Parameter::new(Tensor::empty(shape));
            uniform_(&p, -bound, bound);
            p
        };
        let directions = 1 + sizes.bidirectional as usize;
        let mut weights = Vec::new();
        for layer in 0..sizes.num_layers {
            let inputs = if layer == 0 { sizes.input_size } else { directions * hidden };
            for direction in ["", "_reverse"].iter().take(directions) {
                weights.push(Weights {
                    suffix: format!("l{layer}{direction}"),
                    weights: [draw(&[rows, inputs]), draw(&[rows, hidden])],
                    biases: sizes.bias.then(|| [draw(&[rows]), draw(&[rows])]),
                });
            }
        }
        Stack { sizes, weights, training: Training::new() }
    }

    pub fn visit(&self, visitor: &mut dyn Visitor) {
        for of in &self.weights {
            let mut show = |what: &str, pair: &[Parameter; 2]| {
                for (side, p) in ["ih", "hh"].iter().zip(pair) {
                    visitor.slot(&format!("{what}_{side}_{}", of.suffix), Slot::Parameter(p));
                }
            };
            show("weight", &of.weights);
            of.biases.iter().for_each(|pair| show("bias", pair));
        }
        visitor.slot("training", Slot::Training(&self.training));
    }

    pub fn extra(&self) -> String {
        let s = &self.sizes;
        let mut text = format!("{}, {}", s.input_size, s.hidden_size);
        if s.num_layers != 1 {
            text += &format!(", num_layers={}", s.num_layers);
        }
        if !s.bias {
            text += ", bias=False";
        }
        if s.batch_first {
            text += ", batch_first=True";
        }
        if s.dropout != 0.0 {
            text += &format!(", dropout={}", float(s.dropout));
        }
        if s.bidirectional {
            text += ", bidirectional=True";
        }
        text
    }

    /// Reads a sequence. A state is `S` tensors, the first of which is the output. `step` gives the next
    /// state from the input's sums, the state's sums and the state. Gives the last layer's outputs and the
    /// state after the last step.
    #[track_caller]
    pub fn run<const S: usize>(
        &self,
        x: &Tensor,
        initial: Option<[&Tensor; S]>,
        step: impl Fn(&Tensor, Tensor, &[Tensor; S]) -> [Tensor; S],
    ) -> (Tensor, [Tensor; S]) {
        let s = &self.sizes;
        let single = x.ndim() == 2;
        self.check(x, initial.as_ref().map(|i| &i[..]));
        // [length, batch, features] from here on, states [layers·directions, batch, hidden].
        let mut x = match (single, s.batch_first) {
            (true, _) => x.unsqueeze(1),
            (false, true) => x.transpose(0, 1),
            (false, false) => x.clone(),
        };
        let initial = match initial {
            Some(state) if single => state.map(|t| t.unsqueeze(1)),
            Some(state) => state.map(Tensor::clone),
            None => {
                let zeros = Tensor::zeros_with([self.weights.len(), x.size(1), s.hidden_size], &x);
                std::array::from_fn(|_| zeros.clone())
            }
        };
        let directions = 1 + s.bidirectional as usize;
        let mut last: [Vec<Tensor>; S] = std::array::from_fn(|_| Vec::new());
        for layer in 0..s.num_layers {
            let mut outputs = Vec::new();
            for direction in 0..directions {
                let at = layer * directions + direction;
                let [of_input, of_state] = self.weights[at].values();
                let mut state: [Tensor; S] = std::array::from_fn(|k| initial[k].select(0, at as isize));
                let mut inputs = steps(&x.linear(&of_input.0, of_input.1.as_ref()));
                if direction == 1 {
                    inputs.reverse();
                }
                let mut outs = Vec::with_capacity(inputs.len());
                for input in &inputs {
                    let sums = state[0].linear(&of_state.0, of_state.1.as_ref());
                    state = step(input, sums, &state);
                    outs.push(state[0].clone());
                }
                if direction == 1 {
                    outs.reverse();
                }
                outputs.push(Tensor::stack(&outs, 0));
                last.iter_mut().zip(state).for_each(|(last, t)| last.push(t));
            }
            x = match outputs.len() {
                1 => outputs.remove(0),
                _ => Tensor::cat(&outputs, -1),
            };
            if layer + 1 < s.num_layers {
                x = F::dropout(&x, s.dropout, self.training.get());
            }
        }
        let last = last.map(|t| Tensor::stack(&t, 0));
        if single {
            return (x.squeeze(1), last.map(|t| t.squeeze(1)));
        }
        (if s.batch_first { x.transpose(0, 1) } else { x }, last)
    }

    #[track_caller]
    fn check(&self, x: &Tensor, initial: Option<&[&Tensor]>) {
        let s = &self.sizes;
        let form = if s.batch_first { "[batch, length, features]" } else { "[length, batch, features]" };
        let first = self.weights[0].weights[0].value();
        let fits = (2..=3).contains(&x.ndim()) && x.size(-1) == s.input_size && x.dtype() == first.dtype();
        assert!(
            fits,
            "{}({}): expected an input {form} (or without batch) of {} features of {}, got shape {:?} of {}",
            s.kind,
            self.extra(),
            s.input_size,
            first.dtype(),
            x.shape(),
            x.dtype()
        );
        let [length, batch] = match (x.ndim(), s.batch_first) {
            (2, _) => [x.size(0), 1],
            (_, true) => [x.size(1), x.size(0)],
            (_, false) => [x.size(0), x.size(1)],
        };
        assert!(
            length > 0,
            "{}({}): expected at least one step, got shape {:?}",
            s.kind,
            self.extra(),
            x.shape()
        );
        let mut shape = vec![self.weights.len(), batch, s.hidden_size];
        if x.ndim() == 2 {
            shape.remove(1);
        }
        for state in initial.into_iter().flatten() {
            assert!(
                state.shape() == shape,
                "{}({}): expected an initial state of shape {shape:?} for an input of shape {:?}, got {:?}",
                s.kind,
                self.extra(),
                x.shape(),
                state.shape()
            );
        }
    }
}

impl Weights {
    /// Weight and bias for the input and for the state.
    fn values(&self) -> [(Tensor, Option<Tensor>); 2] {
        std::array::from_fn(|i| {
            let bias = self.biases.as_ref().map(|b| b[i].as_tensor().into_owned());
            (self.weights[i].value(), bias)
        })
    }
}

/// The entries along the first dimension, by halves: the gradient of a slice is as large as what it is cut
/// from, so cutting each from the whole would take the square of the length.
#[track_caller]
fn steps(x: &Tensor) -> Vec<Tensor> {
    match x.size(0) {
        1 => vec![x.squeeze(0)],
        n => {
            let half = n / 2;
            let (first, second) = (x.narrow(0, 0, half), x.narrow(0, half as isize, n - half));
            let mut all = steps(&first);
            all.append(&mut steps(&second));
            all
        }
    }
}
