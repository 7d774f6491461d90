//! Running metrics.

use crate::state::int;
use taper_tensor::{State, StateError, Stateful, Tensor};

/// A running mean, each value with a weight: the mean loss of an epoch is that of its batches weighted
/// by their sizes.
///
/// ```
/// use taper_train::Mean;
/// let mut loss = Mean::new();
/// loss.add(1.0, 3);
/// loss.add(2.0, 1);
/// assert_eq!(loss.value(), 1.25);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    /// The mean of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A value that stands for `count` items.
    pub fn add(&mut self, value: f64, count: usize) {
        self.sum += value * count as f64;
        self.count += count;
    }

    /// The mean so far; NaN if there is nothing.
    pub fn value(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// How many items it is of.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Starts over.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

impl Stateful for Mean {
    fn state_dict(&self) -> State {
        State::map([("sum", self.sum.into()), ("count", self.count.into())])
    }
    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        let sum = state.get("sum").and_then(State::as_f64);
        let sum = sum.ok_or_else(|| StateError::new("Mean", "sum should be a number"))?;
        *self = Mean { sum, count: int(state, "Mean", "count")? };
        Ok(())
    }
}

/// The share of items whose highest score is that of their class.
///
/// ```
/// use taper_tensor::tensor;
/// use taper_train::Accuracy;
/// let mut accuracy = Accuracy::new();
/// accuracy.add(&tensor([[0.1, 0.9], [2.0, -1.0]]), &tensor([1, 1]));
/// assert_eq!(accuracy.value(), 0.5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accuracy {
    right: usize,
    count: usize,
}

impl Accuracy {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Scores `[N, C]`, of any kind that orders the classes, and the classes `[N]` (i64). The first of
    /// equal scores counts.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn add(&mut self, scores: &Tensor, classes: &Tensor) {
        assert!(
            scores.ndim() == 2 && classes.shape() == &scores.shape()[..1],
            "Accuracy: expected scores [N, C] and classes [N], got {:?} and {:?}",
            scores.shape(),
            classes.shape()
        );
        if scores.numel() == 0 {
            return;
        }
        let guessed = scores.argmax(1, false).to_vec::<i64>();
        let right = guessed.iter().zip(classes.to_vec::<i64>()).filter(|(guess, class)| **guess == *class);
        self.right += right.count();
        self.count += guessed.len();
    }

    /// The share so far, in 0 ..= 1; NaN if there is nothing.
    pub fn value(&self) -> f64 {
        self.right as f64 / self.count as f64
    }

    /// How many items it is of.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Starts over.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

impl Stateful for Accuracy {
    fn state_dict(&self) -> State {
        State::map([("right", self.right.into()), ("count", self.count.into())])
    }
    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        let (right, count) = (int(state, "Accuracy", "right")?, int(state, "Accuracy", "count")?);
        if right > count {
            return Err(StateError::new("Accuracy", format!("right is {right} of {count}")));
        }
        *self = Accuracy { right, count };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_tensor::tensor;

    #[test]
    fn mean_of_batches_is_mean_of_items() {
        let mut mean = Mean::new();
        assert!(mean.value().is_nan());
        mean.add((1.0 + 2.0 + 3.0) / 3.0, 3);
        mean.add(10.0, 1);
        assert_eq!((mean.value(), mean.count()), (4.0, 4));
        mean.reset();
        assert_eq!(mean, Mean::new());
    }

    #[test]
    fn accuracy_counts() {
        let mut accuracy = Accuracy::new();
        assert!(accuracy.value().is_nan());
        accuracy.add(&tensor([[1.0, 2.0, 0.0], [5.0, 5.0, 1.0], [0.0, 0.0, 3.0]]), &tensor([1, 0, 1]));
        accuracy.add(&tensor([[f32::NEG_INFINITY, -1.0]]), &tensor([1]));
        accuracy.add(&Tensor::zeros([0, 3]), &Tensor::from_vec(Vec::<i64>::new(), [0]));
        assert_eq!((accuracy.value(), accuracy.count()), (0.75, 4));
    }

    #[test]
    #[should_panic(expected = "expected scores [N, C] and classes [N], got [2, 3] and [3]")]
    fn shapes_must_fit() {
        Accuracy::new().add(&Tensor::zeros([2, 3]), &Tensor::zeros([3]));
    }

    #[test]
    fn metrics_go_on_from_their_state() {
        let mut mean = Mean::new();
        mean.add(0.1, 3);
        let mut other = Mean::new();
        other.load_state_dict(&mean.state_dict()).unwrap();
        assert_eq!(other, mean);
        let mut accuracy = Accuracy::new();
        accuracy.add(&tensor([[1.0, 2.0]]), &tensor([1]));
        let mut other = Accuracy::new();
        other.load_state_dict(&accuracy.state_dict()).unwrap();
        assert_eq!(other, accuracy);

        let bad = State::map([("right", 3i64.into()), ("count", 2i64.into())]);
        let error = other.load_state_dict(&bad).unwrap_err();
        assert_eq!(error.to_string(), "cannot load the state of Accuracy: right is 3 of 2");
        assert!(other.load_state_dict(&State::map([("right", (-1i64).into())])).is_err());
        let error = mean.load_state_dict(&State::None).unwrap_err();
        assert_eq!(error.to_string(), "cannot load the state of Mean: sum should be a number");
        assert_eq!(other, accuracy, "a state that does not fit changes nothing");
    }
}
