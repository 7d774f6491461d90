//! Which classes are taken for which.

use crate::Heatmap;
use std::fmt;
use taper_tensor::{DType, State, StateError, Stateful, Tensor};

/// Counts of items by true class (rows) and predicted class (columns).
///
/// It prints as a table with precision and recall, and [`heatmap`](Self::heatmap) draws it.
///
/// ```
/// use taper_tensor::tensor;
/// use taper_train::ConfusionMatrix;
/// let mut matrix = ConfusionMatrix::new(["cat", "dog"]);
/// matrix.add(&tensor([[2.0, 0.1], [0.3, 0.9], [1.0, 0.0]]), &tensor([0, 1, 1]));
/// assert_eq!(matrix.count(1, 0), 1); // one dog was taken for a cat
/// assert_eq!((matrix.recall(1), matrix.precision(1)), (0.5, 1.0));
/// println!("{matrix}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    names: Vec<String>,
    /// Row by row.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Of nothing yet, with the names of the classes.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let counts = vec![0; names.len() * names.len()];
        ConfusionMatrix { names, counts }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.names.len()
    }

    /// Adds items: scores `[N, C]`, of any kind that orders the classes, and the classes `[N]` (i64).
    /// The first of equal scores counts.
    ///
    /// # Panics
    /// If the shapes do not fit, or a class is none of them.
    #[track_caller]
    pub fn add(&mut self, scores: &Tensor, classes: &Tensor) {
        let n = self.classes();
        assert!(
            scores.ndim() == 2 && scores.size(1) == n && classes.shape() == &scores.shape()[..1],
            "ConfusionMatrix: expected scores [N, {n}] and classes [N], got {:?} and {:?}",
            scores.shape(),
            classes.shape()
        );
        if scores.numel() == 0 {
            return;
        }
        let guessed = scores.argmax(1, false).to_vec::<i64>();
        for (guess, class) in guessed.into_iter().zip(classes.to_vec::<i64>()) {
            assert!((0..n as i64).contains(&class), "ConfusionMatrix: class {class} of {n} classes");
            self.counts[class as usize * n + guess as usize] += 1;
        }
    }

    /// How many items of a class were taken for another, or for itself.
    pub fn count(&self, class: usize, predicted: usize) -> u64 {
        self.counts[class * self.classes() + predicted]
    }

    /// How many items there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of items whose class was predicted; NaN if there is nothing.
    pub fn accuracy(&self) -> f64 {
        (0..self.classes()).map(|c| self.count(c, c)).sum::<u64>() as f64 / self.total() as f64
    }

    /// Of the items predicted as a class, the share that are of it; NaN if there are none.
    pub fn precision(&self, class: usize) -> f64 {
        self.count(class, class) as f64
            / (0..self.classes()).map(|c| self.count(c, class)).sum::<u64>() as f64
    }

    /// Of the items of a class, the share that were predicted as it; NaN if there are none.
    pub fn recall(&self, class: usize) -> f64 {
        self.count(class, class) as f64
            / (0..self.classes()).map(|c| self.count(class, c)).sum::<u64>() as f64
    }

    /// Starts over.
    pub fn reset(&mut self) {
        self.counts.fill(0);
    }

    /// The matrix as a picture.
    pub fn heatmap(&self, title: impl Into<String>) -> Heatmap {
        let rows = self.counts.chunks(self.classes().max(1)).map(|r| r.iter().map(|&c| c as f64).collect());
        Heatmap::new(title, "predicted", "true", self.names.iter().cloned(), rows.collect())
    }
}

/// A table: a row for each true class with its counts and recall, and the precisions below.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.classes();
        let length = |s: &String| s.chars().count();
        let name = self.names.iter().map(length).max().unwrap_or(0).max("precision".len());
        // Names of columns are cut to what keeps the table narrow.
        let widest = self.counts.iter().map(|c| c.to_string().len()).max().unwrap_or(1);
        let cell = widest.max(self.names.iter().map(length).max().unwrap_or(0).min(7)).max(4);
        let share = |v: f64| if v.is_nan() { "–".to_string() } else { format!("{:.1}", 100.0 * v) };
        write!(f, "{:>name$}", "")?;
        for column in &self.names {
            let short: String = column.chars().take(cell).collect();
            write!(f, "  {:>cell$}", short.trim_end())?;
        }
        writeln!(f, "  {:>8}", "recall %")?;
        for (r, row) in self.names.iter().enumerate() {
            write!(f, "{row:>name$}")?;
            for c in 0..n {
                write!(f, "  {:>cell$}", self.count(r, c))?;
            }
            writeln!(f, "  {:>8}", share(self.recall(r)))?;
        }
        write!(f, "{:>name$}", "precision")?;
        for c in 0..n {
            write!(f, "  {:>cell$}", share(self.precision(c)))?;
        }
        write!(f, "  {:>8}", share(self.accuracy()))
    }
}

impl Stateful for ConfusionMatrix {
    fn state_dict(&self) -> State {
        let counts: Vec<i64> = self.counts.iter().map(|&c| c as i64).collect();
        State::map([("counts", Tensor::from_vec(counts, [self.classes(), self.classes()]).into())])
    }

    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        let error = |message: String| StateError::new("ConfusionMatrix", message);
        let n = self.classes();
        let counts = state.get("counts").and_then(State::as_tensor);
        let counts = counts.ok_or_else(|| error("counts should be a tensor".into()))?;
        if counts.shape() != [n, n] || counts.dtype() != DType::I64 {
            let (shape, dtype) = (counts.shape(), counts.dtype());
            return Err(error(format!("counts should be i64 [{n}, {n}], not {dtype:?} {shape:?}")));
        }
        let counts: Option<Vec<u64>> =
            counts.to_vec::<i64>().into_iter().map(|c| c.try_into().ok()).collect();
        self.counts = counts.ok_or_else(|| error("a count is negative".into()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_tensor::tensor;

    fn matrix() -> ConfusionMatrix {
        let mut m = ConfusionMatrix::new(["cat", "guinea pig", "ox"]);
        let guesses = [0, 0, 0, 1, 1, 0, 1, 1];
        let scores: Vec<f32> =
            guesses.iter().flat_map(|&g| (0..3).map(move |c| (c == g) as u8 as f32)).collect();
        m.add(&Tensor::from_vec(scores, [8, 3]), &tensor([0, 0, 0, 0, 1, 1, 1, 2]));
        m
    }

    /// scikit-learn's `classification_report` of the same labels: precision 0.75, 0.5, recall 0.75, 2/3, 0.
    #[test]
    fn rates_are_those_of_the_counts() {
        let mut m = matrix();
        assert_eq!((m.count(0, 0), m.count(0, 1), m.count(1, 0), m.count(2, 1)), (3, 1, 1, 1));
        assert_eq!((m.precision(0), m.precision(1)), (0.75, 0.5));
        assert!(m.precision(2).is_nan());
        assert_eq!((m.recall(0), m.recall(1), m.recall(2)), (0.75, 2.0 / 3.0, 0.0));
        assert_eq!((m.accuracy(), m.total()), (0.625, 8));
        m.reset();
        assert_eq!(m, ConfusionMatrix::new(["cat", "guinea pig", "ox"]));
    }

    #[test]
    fn it_prints_as_a_table() {
        let expected = "                cat   guinea       ox  recall %
       cat        3        1        0      75.0
guinea pig        1        2        0      66.7
        ox        0        1        0       0.0
 precision     75.0     50.0        –      62.5";
        assert_eq!(matrix().to_string(), expected);
    }

    #[test]
    fn it_goes_on_from_its_state() {
        let m = matrix();
        let mut other = ConfusionMatrix::new(["cat", "guinea pig", "ox"]);
        other.load_state_dict(&m.state_dict()).unwrap();
        assert_eq!(other, m);
        let error = ConfusionMatrix::new(["a", "b"]).load_state_dict(&m.state_dict()).unwrap_err();
        assert!(error.to_string().contains("counts should be i64 [2, 2], not"), "{error}");
    }

    #[test]
    #[should_panic(expected = "class 7 of 2 classes")]
    fn classes_must_be_known() {
        ConfusionMatrix::new(["a", "b"]).add(&tensor([[0.0, 1.0]]), &tensor([7]));
    }
}
