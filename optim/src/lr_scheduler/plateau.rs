//! Lower rates when a metric stops improving.

use super::{floats, load_float, load_floats, load_int};
use crate::error::StateError;
use crate::optimizer::Optimizer;
use taper_tensor::State;

/// Whether a metric should fall or rise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PlateauMode {
    /// Lower is better.
    #[default]
    Min,
    /// Higher is better.
    Max,
}

/// What a threshold is measured against.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ThresholdMode {
    /// A share of the best value.
    #[default]
    Rel,
    /// A distance from the best value.
    Abs,
}

/// Options of [`ReduceLROnPlateau`], with PyTorch's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct PlateauOptions {
    /// Whether the metric should fall or rise.
    pub mode: PlateauMode,
    /// The rate is multiplied by this.
    pub factor: f64,
    /// Steps without improvement that are let pass.
    pub patience: usize,
    /// What counts as an improvement.
    pub threshold: f64,
    /// What the threshold is measured against.
    pub threshold_mode: ThresholdMode,
    /// Steps after a reduction in which nothing is counted.
    pub cooldown: usize,
    /// Lowest rate.
    pub min_lr: f64,
    /// Smaller changes of the rate are not made.
    pub eps: f64,
}

impl Default for PlateauOptions {
    fn default() -> Self {
        PlateauOptions {
            mode: PlateauMode::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: ThresholdMode::Rel,
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
        }
    }
}

/// Multiplies the rate by `factor` when a metric has not improved for more than `patience` steps
/// (`torch.optim.lr_scheduler.ReduceLROnPlateau`).
#[derive(Clone, Debug)]
pub struct ReduceLROnPlateau {
    options: PlateauOptions,
    best: f64,
    bad_epochs: i64,
    cooldown: i64,
    last_epoch: i64,
    last_lr: Vec<f64>,
}

impl ReduceLROnPlateau {
    /// Starts watching.
    ///
    /// # Panics
    /// For a factor of 1 or more.
    #[track_caller]
    pub fn new(optimizer: &dyn Optimizer, options: PlateauOptions) -> Self {
        assert!(options.factor < 1.0, "ReduceLROnPlateau: factor must be below 1");
        let best = if options.mode == PlateauMode::Min { f64::INFINITY } else { f64::NEG_INFINITY };
        let last_lr = (0..optimizer.num_groups()).map(|g| optimizer.lr(g)).collect();
        ReduceLROnPlateau { options, best, bad_epochs: 0, cooldown: 0, last_epoch: 0, last_lr }
    }

    fn improves(&self, metric: f64) -> bool {
        let o = &self.options;
        match (o.mode, o.threshold_mode) {
            (PlateauMode::Min, ThresholdMode::Rel) => metric < self.best * (1.0 - o.threshold),
            (PlateauMode::Min, ThresholdMode::Abs) => metric < self.best - o.threshold,
            (PlateauMode::Max, ThresholdMode::Rel) => metric > self.best * (o.threshold + 1.0),
            (PlateauMode::Max, ThresholdMode::Abs) => metric > self.best + o.threshold,
        }
    }

    /// Takes in the metric of an epoch and lowers the rates where it is due.
    pub fn step(&mut self, optimizer: &mut dyn Optimizer, metric: f64) {
        self.last_epoch += 1;
        if self.improves(metric) {
            self.best = metric;
            self.bad_epochs = 0;
        } else {
            self.bad_epochs += 1;
        }
        if self.cooldown > 0 {
            self.cooldown -= 1;
            self.bad_epochs = 0;
        }
        if self.bad_epochs > self.options.patience as i64 {
            for g in 0..optimizer.num_groups() {
                let old = optimizer.lr(g);
                let new = (old * self.options.factor).max(self.options.min_lr);
                if old - new > self.options.eps {
                    optimizer.set_lr(g, new);
                }
            }
            self.cooldown = self.options.cooldown as i64;
            self.bad_epochs = 0;
        }
        self.last_lr = (0..optimizer.num_groups()).map(|g| optimizer.lr(g)).collect();
    }

    /// The rates after the last step, one per group.
    pub fn last_lr(&self) -> &[f64] {
        &self.last_lr
    }

    /// The best metric so far.
    pub fn best(&self) -> f64 {
        self.best
    }

    /// The state, with PyTorch's names.
    pub fn state_dict(&self) -> State {
        State::map([
            ("best", State::Float(self.best)),
            ("num_bad_epochs", State::Int(self.bad_epochs)),
            ("cooldown_counter", State::Int(self.cooldown)),
            ("last_epoch", State::Int(self.last_epoch)),
            ("_last_lr", floats(&self.last_lr)),
        ])
    }

    /// Takes over a state.
    ///
    /// # Errors
    /// Where entries are missing or of another type; nothing is changed then.
    pub fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        let fail = |message: String| StateError::new("ReduceLROnPlateau", message);
        let map = state.as_map().ok_or_else(|| fail("it is not a map".into()))?;
        let best = load_float(map, "best").map_err(fail)?;
        let ints = ["num_bad_epochs", "cooldown_counter", "last_epoch"].map(|n| load_int(map, n));
        let [bad_epochs, cooldown, last_epoch] = ints;
        let (bad_epochs, cooldown) = (bad_epochs.map_err(fail)?, cooldown.map_err(fail)?);
        let last_epoch = last_epoch.map_err(fail)?;
        let last_lr = load_floats(map, "_last_lr").map_err(fail)?;
        *self = ReduceLROnPlateau {
            options: self.options.clone(),
            best,
            bad_epochs,
            cooldown,
            last_epoch,
            last_lr,
        };
        Ok(())
    }
}
