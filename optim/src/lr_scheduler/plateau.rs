//! Lower rates when a metric stops improving.

use super::{PerGroup, floats, load_float, load_floats, load_int};
use crate::optimizer::Optimizer;
use taper_tensor::{State, StateError, Stateful};

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

/// PyTorch's names of [`PlateauMode`] and [`ThresholdMode`].
const MODES: [&str; 2] = ["min", "max"];
const THRESHOLDS: [&str; 2] = ["rel", "abs"];

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
    /// Lowest rate, of all groups or of each.
    pub min_lr: PerGroup,
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
            min_lr: 0.0.into(),
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
    /// For a factor of 1 or more, and another number of `min_lr` than of groups.
    #[track_caller]
    pub fn new(optimizer: &dyn Optimizer, options: PlateauOptions) -> Self {
        assert!(options.factor < 1.0, "ReduceLROnPlateau: factor must be below 1");
        options.min_lr.check("ReduceLROnPlateau: min_lr", optimizer.num_groups());
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
                let new = (old * self.options.factor).max(self.options.min_lr.of(g));
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
}

impl Stateful for ReduceLROnPlateau {
    fn state_dict(&self) -> State {
        let o = &self.options;
        let min_lrs: Vec<f64> = (0..self.last_lr.len()).map(|g| o.min_lr.of(g)).collect();
        State::map([
            ("factor", State::Float(o.factor)),
            ("min_lrs", floats(&min_lrs)),
            ("patience", o.patience.into()),
            ("cooldown", o.cooldown.into()),
            ("eps", State::Float(o.eps)),
            ("mode", MODES[o.mode as usize].into()),
            ("threshold", State::Float(o.threshold)),
            ("threshold_mode", THRESHOLDS[o.threshold_mode as usize].into()),
            ("best", State::Float(self.best)),
            ("num_bad_epochs", State::Int(self.bad_epochs)),
            ("cooldown_counter", State::Int(self.cooldown)),
            ("last_epoch", State::Int(self.last_epoch)),
            ("_last_lr", floats(&self.last_lr)),
        ])
    }

    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        let fail = |message: String| StateError::new("ReduceLROnPlateau", message);
        let map = state.as_map().ok_or_else(|| fail("it is not a map".into()))?;
        let best = load_float(map, "best").map_err(fail)?;
        let ints = ["num_bad_epochs", "cooldown_counter", "last_epoch"].map(|n| load_int(map, n));
        let [bad_epochs, cooldown, last_epoch] = ints;
        let (bad_epochs, cooldown) = (bad_epochs.map_err(fail)?, cooldown.map_err(fail)?);
        let last_epoch = last_epoch.map_err(fail)?;
        let last_lr = load_floats(map, "_last_lr").map_err(fail)?;
        let min_lrs = load_floats(map, "min_lrs").map_err(fail)?;
        let groups = self.last_lr.len();
        for (name, n) in [("_last_lr", last_lr.len()), ("min_lrs", min_lrs.len())] {
            if n != groups {
                return Err(fail(format!("`{name}` is for {n} parameter groups, not {groups}")));
            }
        }
        let count = |name| {
            load_int(map, name)
                .and_then(|n| usize::try_from(n).map_err(|_| format!("`{name}` is {n}")))
                .map_err(fail)
        };
        let number = |name| load_float(map, name).map_err(fail);
        let is_second = |name: &str, known: [&str; 2]| {
            let found = map.get(name).and_then(State::as_str);
            known
                .iter()
                .position(|&k| Some(k) == found)
                .map(|i| i == 1)
                .ok_or_else(|| fail(format!("`{name}` must be \"{}\" or \"{}\"", known[0], known[1])))
        };
        let options = PlateauOptions {
            mode: if is_second("mode", MODES)? { PlateauMode::Max } else { PlateauMode::Min },
            factor: number("factor")?,
            patience: count("patience")?,
            threshold: number("threshold")?,
            threshold_mode: match is_second("threshold_mode", THRESHOLDS)? {
                true => ThresholdMode::Abs,
                false => ThresholdMode::Rel,
            },
            cooldown: count("cooldown")?,
            min_lr: min_lrs.into(),
            eps: number("eps")?,
        };
        *self = ReduceLROnPlateau { options, best, bad_epochs, cooldown, last_epoch, last_lr };
        Ok(())
    }
}
