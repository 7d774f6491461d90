//! Stopping when a model no longer gets better.

use crate::state::int;
use taper_nn::Module;
use taper_tensor::{State, StateDict, StateError, Stateful};

/// Whether small or great values are good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Small ones: losses.
    #[default]
    Min,
    /// Great ones: accuracies.
    Max,
}

/// Says when to stop and keeps the best weights: Keras' `EarlyStopping` with `restore_best_weights`.
///
/// [`step`](Self::step) is called after each epoch. A value that is better than the best by more than
/// `min_delta` (0) starts the wait anew; after `patience` (0) values in a row that are not, it is time to
/// stop, though never after the very first. NaN is never better. (In Keras a NaN at the very start is
/// taken as the best, and nothing gets better than it.)
///
/// ```
/// use taper_nn::{Linear, Module};
/// use taper_train::EarlyStopping;
/// let model = Linear::new(2, 1);
/// let mut stopping = EarlyStopping::new().patience(2);
/// let losses = [0.9, 0.5, 0.7, 0.6, 0.1];
/// let epochs = losses.iter().position(|loss| stopping.step(*loss, &model)).unwrap();
/// assert_eq!((epochs, stopping.best(), stopping.best_step()), (3, Some(0.5), Some(1)));
/// stopping.restore(&model); // the weights as they were after the epoch of 0.5
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    patience: usize,
    min_delta: f64,
    mode: Mode,
    steps: usize,
    /// Values in a row that were no better.
    wait: usize,
    best: Option<f64>,
    /// Step whose weights are kept, and those.
    kept: Option<(usize, StateDict)>,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self::new()
    }
}

impl EarlyStopping {
    /// Of losses, with patience 0.
    pub fn new() -> Self {
        EarlyStopping {
            patience: 0,
            min_delta: 0.0,
            mode: Mode::Min,
            steps: 0,
            wait: 0,
            best: None,
            kept: None,
        }
    }

    /// How many values in a row may be no better.
    pub fn patience(mut self, patience: usize) -> Self {
        self.patience = patience;
        self
    }

    /// By how much a value must be better to count. The sign does not matter.
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.min_delta = min_delta.abs();
        self
    }

    /// Whether small or great values are good.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Takes the value of an epoch and, where it is the best, the model's weights. Returns whether it is
    /// time to stop.
    pub fn step(&mut self, value: f64, model: &dyn Module) -> bool {
        let better = match self.best {
            None => !value.is_nan(),
            Some(best) => match self.mode {
                Mode::Min => value + self.min_delta < best,
                Mode::Max => value - self.min_delta > best,
            },
        };
        if better {
            self.best = Some(value);
        }
        if better || self.kept.is_none() {
            // Tensors are values: this copies nothing until the optimizer writes.
            self.kept = Some((self.steps, model.state_dict()));
        }
        self.wait = if better || self.steps == 0 { 0 } else { self.wait + 1 };
        self.steps += 1;
        self.stopped()
    }

    /// Whether the last step said to stop.
    pub fn stopped(&self) -> bool {
        self.wait > 0 && self.wait >= self.patience
    }

    /// The best value so far.
    pub fn best(&self) -> Option<f64> {
        self.best
    }

    /// The step, from 0, whose weights are kept: that of the best value.
    pub fn best_step(&self) -> Option<usize> {
        self.kept.as_ref().map(|(step, _)| *step)
    }

    /// The best weights.
    pub fn best_state(&self) -> Option<&StateDict> {
        self.kept.as_ref().map(|(_, weights)| weights)
    }

    /// Puts the best weights back into the model, whether or not it was stopped. Returns whether there are any.
    ///
    /// # Panics
    /// If it is another model than the one they are of.
    #[track_caller]
    pub fn restore(&self, model: &dyn Module) -> bool {
        match self.kept.as_ref().map(|(_, weights)| model.load_state_dict(weights, true)) {
            None => false,
            Some(Ok(_)) => true,
            Some(Err(e)) => panic!("EarlyStopping: the weights are not of this model: {e}"),
        }
    }
}

/// The course so far and the best weights; not patience, min_delta and mode, which are the program's.
impl Stateful for EarlyStopping {
    fn state_dict(&self) -> State {
        State::map([
            ("steps", self.steps.into()),
            ("wait", self.wait.into()),
            ("best", self.best.into()),
            ("best_step", self.best_step().into()),
            ("best_state", self.best_state().cloned().into()),
        ])
    }

    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        const TARGET: &str = "EarlyStopping";
        let error = |message: &str| StateError::new(TARGET, message);
        let there = |name: &str| state.get(name).filter(|s| !matches!(s, State::None));
        let (steps, wait) = (int(state, TARGET, "steps")?, int(state, TARGET, "wait")?);
        let best =
            there("best").map(|b| b.as_f64().ok_or_else(|| error("best should be a number"))).transpose()?;
        let kept = match there("best_state") {
            None => None,
            Some(weights) => {
                let weights = weights.to_state_dict();
                let weights = weights.ok_or_else(|| error("best_state should be named tensors"))?;
                Some((int(state, TARGET, "best_step")?, weights))
            }
        };
        (self.steps, self.wait, self.best, self.kept) = (steps, wait, best, kept);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::Linear;
    use taper_tensor::Tensor;

    /// Mode, patience, min_delta, values; when it stops, and whose weights are back at the end.
    type Case<'a> = (Mode, usize, f64, &'a [f64], Option<usize>, usize);

    /// What Keras 3.15 does (`keras.callbacks.EarlyStopping`, `restore_best_weights=True`).
    const KERAS: [Case; 10] = [
        (Mode::Min, 0, 0.0, &[1.0, 0.9, 0.9, 0.8], Some(2), 1),
        (Mode::Min, 2, 0.0, &[1.0, 0.9, 0.95, 0.91, 0.8], Some(3), 1),
        (Mode::Min, 2, 0.1, &[1.0, 0.95, 0.92, 0.85, 0.84, 0.83, 0.1], Some(2), 0),
        (Mode::Max, 1, 0.0, &[0.1, 0.3, 0.2, 0.25, 0.9], Some(2), 1),
        (Mode::Max, 3, -0.05, &[0.5, 0.54, 0.56, 0.58, 0.59, 0.6, 0.9], Some(5), 2),
        (Mode::Min, 0, 0.0, &[5.0, 4.0, 3.0, 3.0, 2.0], Some(3), 2),
        (Mode::Min, 5, 0.0, &[3.0, 2.0, 1.0, 2.0, 3.0], None, 2),
        (Mode::Max, 2, 0.5, &[0.0, 1.0, 1.5, 1.6, 2.2, 2.2, 2.1, 2.0], Some(6), 4),
        (Mode::Min, 1, 0.0, &[f64::INFINITY, f64::INFINITY, 1.0], Some(1), 0),
        (Mode::Min, 2, 0.0, &[0.7, f64::NAN, f64::NAN, 0.1], Some(2), 0),
    ];

    fn set(model: &Linear, value: f64) {
        model.weight.set_value(Tensor::full([1, 1], value));
    }

    #[test]
    fn it_stops_and_restores_as_keras_does() {
        for (case, &(mode, patience, delta, values, stops, best)) in KERAS.iter().enumerate() {
            let model = Linear::new(1, 1);
            let mut stopping = EarlyStopping::new().mode(mode).patience(patience).min_delta(delta);
            let mut stopped = None;
            for (epoch, &value) in values.iter().enumerate() {
                set(&model, epoch as f64);
                // Half of the way it goes on from a saved state.
                if epoch == 2 {
                    let state = stopping.state_dict();
                    stopping = EarlyStopping::new().mode(mode).patience(patience).min_delta(delta);
                    stopping.load_state_dict(&state).unwrap();
                }
                if stopping.step(value, &model) {
                    stopped = Some(epoch);
                    break;
                }
            }
            assert_eq!((stopped, stopping.best_step()), (stops, Some(best)), "case {case}");
            set(&model, -1.0);
            assert!(stopping.restore(&model));
            assert_eq!(model.weight.value().item(), best as f64, "case {case}");
        }
    }

    #[test]
    fn nan_at_the_start_is_not_the_best() {
        let model = Linear::new(1, 1);
        let mut stopping = EarlyStopping::new().patience(2);
        assert!(!stopping.restore(&model));
        let stops = [f64::NAN, f64::NAN, 0.5, 0.4].map(|v| stopping.step(v, &model));
        assert_eq!((stops, stopping.best()), ([false; 4], Some(0.4)));
    }

    #[test]
    fn states_that_do_not_fit_change_nothing() {
        let mut stopping = EarlyStopping::new();
        stopping.step(0.5, &Linear::new(1, 1));
        let State::Map(mut state) = stopping.state_dict() else { unreachable!() };
        state.insert("best_state", State::Int(3));
        let error = stopping.load_state_dict(&State::Map(state)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot load the state of EarlyStopping: best_state should be named tensors"
        );
        assert_eq!(stopping.best(), Some(0.5));
    }

    #[test]
    #[should_panic(expected = "EarlyStopping: the weights are not of this model")]
    fn another_model_is_refused() {
        let mut stopping = EarlyStopping::new();
        stopping.step(0.5, &Linear::new(1, 1));
        stopping.restore(&Linear::new(2, 1));
    }
}
