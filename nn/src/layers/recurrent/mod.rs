//! Recurrent layers: [`RNN`], [`LSTM`], [`GRU`].
//!
//! A layer reads a sequence step by step and keeps a state; [`stack`] runs layers and directions, this
//! file has what one step of each kind computes.

mod stack;

use crate::module::{Field, Module, Slot, Visitor};
use crate::options::builder;
use crate::recorder::record;
use stack::{Sizes, Stack};
use std::fmt;
use taper_tensor::Tensor;

/// What [`RNN`] puts its sums through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RNNNonlinearity {
    /// `tanh`.
    #[default]
    Tanh,
    /// `max(x, 0)`.
    Relu,
}

/// A layer with its options, and what makes it a module: its parameters are named as in PyTorch
/// (`weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, then `…_l0_reverse`, `…_l1`).
macro_rules! recurrent {
    (
        $(#[$doc:meta])*
        $layer:ident, $options:ident, $gates:literal {
            $($(#[$fdoc:meta])* $field:ident: $t:ty = $default:expr,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $layer {
            stack: Stack,
            #[allow(dead_code, reason = "not every layer has options of its own")]
            options: $options,
        }

        builder! {
            $options => $layer(input_size: usize, hidden_size: usize) {
                $($(#[$fdoc])* $field: $t = $default,)*
                /// Layers, each reading the one before; 1 by default.
                num_layers: usize = 1,
                /// Whether there are biases; true by default.
                bias: bool = true,
                /// Whether the batch comes before the length; false by default.
                batch_first: bool = false,
                /// Share of each layer's output, but the last's, that is dropped while training; 0 by default.
                dropout: f64 = 0.0,
                /// Whether a second set of weights reads backwards, its output beside the first's; false by
                /// default.
                bidirectional: bool = false,
            }
        }

        impl $layer {
            #[track_caller]
            fn from_options(o: $options) -> Self {
                let sizes = Sizes {
                    kind: stringify!($layer),
                    gates: $gates,
                    input_size: o.input_size,
                    hidden_size: o.hidden_size,
                    num_layers: o.num_layers,
                    bias: o.bias,
                    batch_first: o.batch_first,
                    dropout: o.dropout,
                    bidirectional: o.bidirectional,
                };
                $layer { stack: Stack::new(sizes), options: o }
            }
        }

        impl Module for $layer {
            fn visit(&self, visitor: &mut dyn Visitor) {
                self.stack.visit(visitor);
            }
            fn kind(&self) -> &'static str {
                stringify!($layer)
            }
            fn extra_repr(&self) -> String {
                self.stack.extra()
            }
        }
        impl Field for $layer {
            fn show(&self, name: &str, visitor: &mut dyn Visitor) {
                visitor.slot(name, Slot::Module(self));
            }
        }
        impl fmt::Display for $layer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&crate::repr(self))
            }
        }
    };
}

recurrent! {
    /// The plain recurrent layer: `h ← tanh(x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh)` (`torch.nn.RNN`).
    ///
    /// Inputs are `[length, batch, input_size]`, with `batch_first` `[batch, length, input_size]`, or
    /// `[length, input_size]` without batch. All parameters start uniform in `±1/√hidden_size`.
    RNN, RNNOptions, 1 {
        /// tanh by default.
        nonlinearity: RNNNonlinearity = RNNNonlinearity::Tanh,
    }
}

recurrent! {
    /// Long short-term memory (`torch.nn.LSTM`): with `i, f, g, o` the four parts of
    /// `x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh`, `c ← σ(f)·c + σ(i)·tanh(g)` and `h ← σ(o)·tanh(c)`.
    ///
    /// Inputs are `[length, batch, input_size]`, with `batch_first` `[batch, length, input_size]`, or
    /// `[length, input_size]` without batch. All parameters start uniform in `±1/√hidden_size`.
    ///
    /// Source: Hochreiter and Schmidhuber, *Long Short-Term Memory*, 1997.
    ///
    /// ```
    /// use taper_nn::LSTM;
    /// use taper_tensor::Tensor;
    /// let lstm = LSTM::builder(3, 8).num_layers(2).batch_first(true).build();
    /// let (y, (h, c)) = lstm.forward(&Tensor::ones([5, 7, 3]));
    /// assert_eq!(y.shape(), [5, 7, 8]);
    /// assert_eq!((h.shape(), c.shape()), (&[2, 5, 8][..], &[2, 5, 8][..]));
    /// let (next, _) = lstm.forward_with(&Tensor::ones([5, 1, 3]), Some((&h, &c)));
    /// assert_eq!(next.shape(), [5, 1, 8]);
    /// ```
    LSTM, LSTMOptions, 4 {}
}

recurrent! {
    /// Gated recurrent units (`torch.nn.GRU`): `r = σ(x_r + h_r)`, `z = σ(x_z + h_z)`,
    /// `n = tanh(x_n + r·h_n)`, where `x` and `h` are the parts of `x·W_ihᵀ + b_ih` and `h·W_hhᵀ + b_hh`, and
    /// `h ← (1 − z)·n + z·h`.
    ///
    /// Inputs are `[length, batch, input_size]`, with `batch_first` `[batch, length, input_size]`, or
    /// `[length, input_size]` without batch. All parameters start uniform in `±1/√hidden_size`.
    ///
    /// Source: Cho et al., *Learning Phrase Representations using RNN Encoder–Decoder*, 2014.
    GRU, GRUOptions, 3 {}
}

impl RNN {
    /// As [`forward_with`](Self::forward_with) from a state of zeros.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> (Tensor, Tensor) {
        self.forward_with(x, None)
    }

    /// The last layer's output at each step, `[length, batch, directions·hidden_size]` in the input's form,
    /// and the state after the last step, `[layers·directions, batch, hidden_size]`, as which `h0` is given.
    ///
    /// # Panics
    /// Where shapes do not fit, and for a sequence without steps.
    #[track_caller]
    pub fn forward_with(&self, x: &Tensor, h0: Option<&Tensor>) -> (Tensor, Tensor) {
        let relu = self.options.nonlinearity == RNNNonlinearity::Relu;
        let (y, [h]) = self.stack.run(x, h0.map(|h| [h]), |x, h, _| {
            let sum = x + h;
            [if relu { sum.relu() } else { sum.tanh() }]
        });
        record(self, &y);
        (y, h)
    }
}

impl LSTM {
    /// As [`forward_with`](Self::forward_with) from a state of zeros.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> (Tensor, (Tensor, Tensor)) {
        self.forward_with(x, None)
    }

    /// The last layer's output at each step, `[length, batch, directions·hidden_size]` in the input's form,
    /// and the state `(h, c)` after the last step, each `[layers·directions, batch, hidden_size]`, as which
    /// `(h0, c0)` are given.
    ///
    /// # Panics
    /// Where shapes do not fit, and for a sequence without steps.
    #[track_caller]
    pub fn forward_with(&self, x: &Tensor, state: Option<(&Tensor, &Tensor)>) -> (Tensor, (Tensor, Tensor)) {
        let (y, [h, c]) = self.stack.run(x, state.map(|(h, c)| [h, c]), |x, h, [_, c]| {
            let gates = (x + h).chunk(4, -1);
            let c = gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh();
            [gates[3].sigmoid() * c.tanh(), c]
        });
        record(self, &y);
        (y, (h, c))
    }
}

impl GRU {
    /// As [`forward_with`](Self::forward_with) from a state of zeros.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> (Tensor, Tensor) {
        self.forward_with(x, None)
    }

    /// The last layer's output at each step, `[length, batch, directions·hidden_size]` in the input's form,
    /// and the state after the last step, `[layers·directions, batch, hidden_size]`, as which `h0` is given.
    ///
    /// # Panics
    /// Where shapes do not fit, and for a sequence without steps.
    #[track_caller]
    pub fn forward_with(&self, x: &Tensor, h0: Option<&Tensor>) -> (Tensor, Tensor) {
        let (y, [h]) = self.stack.run(x, h0.map(|h| [h]), |x, hidden, [h]| {
            let (x, hidden) = (x.chunk(3, -1), hidden.chunk(3, -1));
            let [r, z] = [0, 1].map(|i| (&x[i] + &hidden[i]).sigmoid());
            let n = (&x[2] + r * &hidden[2]).tanh();
            [(h - &n) * z + n]
        });
        record(self, &y);
        (y, h)
    }
}
