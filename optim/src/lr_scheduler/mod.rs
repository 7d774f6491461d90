//! Learning-rate schedulers: each sets the optimizer's learning rates when made and at every `step`.
//!
//! Rates are computed as PyTorch computes them, most by a factor on the current rate, so that schedules
//! agree bit for bit and a rate changed by hand stays changed.
//!
//! ```
//! use taper_nn::Parameter;
//! use taper_optim::{Optimizer, SGD, lr_scheduler::{LrScheduler, StepLR}};
//! use taper_tensor::tensor;
//! let mut optimizer = SGD::new(vec![Parameter::new(tensor([1.0]))], 0.1);
//! let mut scheduler = StepLR::new(&mut optimizer, 2, 0.5);
//! let mut rates = vec![];
//! for _epoch in 0..4 {
//!     rates.push(optimizer.lr(0));
//!     optimizer.step();
//!     scheduler.step(&mut optimizer);
//! }
//! assert_eq!(rates, [0.1, 0.1, 0.05, 0.05]);
//! ```

mod curves;
mod groups;
mod one_cycle;
mod plateau;
mod sequential;

pub use curves::{
    CosineAnnealingLR, CosineRule, ExponentialLR, ExponentialRule, LambdaLR, LambdaRule, LinearLR,
    LinearRule, MultiStepLR, MultiStepRule, StepLR, StepRule,
};
pub use groups::PerGroup;
pub use one_cycle::{Anneal, OneCycleLR, OneCycleOptions};
pub use plateau::{PlateauMode, PlateauOptions, ReduceLROnPlateau, ThresholdMode};
pub use sequential::SequentialLR;

use crate::optimizer::Optimizer;
use taper_tensor::{Key, OrderedMap, State, StateError, Stateful};

/// A scheduler that is stepped without a metric (all but [`ReduceLROnPlateau`]).
pub trait LrScheduler: Stateful + Send {
    /// Advances by one (an epoch, or a batch, as the schedule is meant) and sets the learning rates. To
    /// be called after the optimizer's step.
    fn step(&mut self, optimizer: &mut dyn Optimizer);
    /// The rates set last, one per group.
    fn last_lr(&self) -> &[f64];
    /// Starts the schedule at the optimizer's initial rates, as its construction does; used by
    /// [`SequentialLR`].
    fn restart(&mut self, optimizer: &mut dyn Optimizer, begin: Begin);
}

/// How [`LrScheduler::restart`] starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// Takes back the step that construction took.
    Undo,
    /// Takes it.
    Initial,
    /// Position 0 by the closed form, when its turn comes.
    Turn,
}

/// The rule of a schedule over the number of steps taken.
pub trait Rule: Send {
    /// PyTorch's name.
    const NAME: &'static str;
    /// The rate at step `t`, from the rate `lr` of step `t − 1` and the group's initial rate `base`.
    fn next(&self, group: usize, t: i64, lr: f64, base: f64) -> f64;
    /// The rate at step `t` from the initial rate alone.
    fn closed_form(&self, group: usize, t: i64, base: f64) -> f64;
    /// Parameters for the state dict.
    fn save(&self) -> Vec<(&'static str, State)>;
    /// Takes parameters over from a state dict.
    fn load(&mut self, map: &OrderedMap<Key, State>) -> Result<(), String>;
}

/// A scheduler that follows a [`Rule`].
pub struct Scheduled<R> {
    rule: R,
    base_lrs: Vec<f64>,
    last_epoch: i64,
    last_lr: Vec<f64>,
}

impl<R: Rule> Scheduled<R> {
    /// Starts a schedule and sets its first rates.
    pub(crate) fn start(optimizer: &mut dyn Optimizer, rule: R) -> Self {
        let base_lrs = (0..optimizer.num_groups())
            .map(|g| {
                let lr = optimizer.lr(g);
                let extra = optimizer.extra(g);
                match extra.get("initial_lr").and_then(State::as_f64) {
                    Some(initial) => initial,
                    None => {
                        extra.insert("initial_lr", State::Float(lr));
                        lr
                    }
                }
            })
            .collect();
        let mut scheduler = Scheduled { rule, base_lrs, last_epoch: -1, last_lr: Vec::new() };
        LrScheduler::step(&mut scheduler, optimizer);
        scheduler
    }

    fn set(&mut self, optimizer: &mut dyn Optimizer, rate: impl Fn(&R, usize, f64, f64) -> f64) {
        self.last_lr = (0..optimizer.num_groups())
            .map(|g| {
                let lr = rate(&self.rule, g, optimizer.lr(g), self.base_lrs[g]);
                optimizer.set_lr(g, lr);
                lr
            })
            .collect();
    }
}

impl<R: Rule> LrScheduler for Scheduled<R> {
    fn step(&mut self, optimizer: &mut dyn Optimizer) {
        self.last_epoch += 1;
        let t = self.last_epoch;
        self.set(optimizer, |rule, g, lr, base| rule.next(g, t, lr, base));
    }

    fn last_lr(&self) -> &[f64] {
        &self.last_lr
    }

    fn restart(&mut self, optimizer: &mut dyn Optimizer, begin: Begin) {
        match begin {
            Begin::Undo => self.last_epoch -= 1,
            Begin::Initial => self.step(optimizer),
            Begin::Turn => {
                self.last_epoch = 0;
                self.set(optimizer, |rule, g, _, base| rule.closed_form(g, 0, base));
            }
        }
    }
}

impl<R: Rule> Stateful for Scheduled<R> {
    fn state_dict(&self) -> State {
        let mut map: OrderedMap<Key, State> =
            self.rule.save().into_iter().map(|(k, v)| (Key::from(k), v)).collect();
        map.insert("base_lrs", floats(&self.base_lrs));
        map.insert("last_epoch", State::Int(self.last_epoch));
        map.insert("_step_count", State::Int(self.last_epoch + 1));
        map.insert("_last_lr", floats(&self.last_lr));
        State::Map(map)
    }

    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        let fail = |message: String| StateError::new(R::NAME, message);
        let map = state.as_map().ok_or_else(|| fail("it is not a map".into()))?;
        let base_lrs = load_floats(map, "base_lrs").map_err(fail)?;
        let last_lr = load_floats(map, "_last_lr").map_err(fail)?;
        let last_epoch = load_int(map, "last_epoch").map_err(fail)?;
        let groups = self.base_lrs.len();
        for (name, n) in [("base_lrs", base_lrs.len()), ("_last_lr", last_lr.len())] {
            if n != groups {
                return Err(fail(format!("`{name}` is for {n} parameter groups, not {groups}")));
            }
        }
        self.rule.load(map).map_err(fail)?;
        (self.base_lrs, self.last_lr, self.last_epoch) = (base_lrs, last_lr, last_epoch);
        Ok(())
    }
}

pub(crate) fn floats(values: &[f64]) -> State {
    State::List(values.iter().map(|&v| State::Float(v)).collect())
}

pub(crate) fn load_floats(map: &OrderedMap<Key, State>, name: &str) -> Result<Vec<f64>, String> {
    let list = map.get(name).and_then(State::as_list).ok_or_else(|| format!("it has no list `{name}`"))?;
    list.iter()
        .map(|s| s.as_f64().ok_or_else(|| format!("`{name}` holds something else than numbers")))
        .collect()
}

pub(crate) fn load_int(map: &OrderedMap<Key, State>, name: &str) -> Result<i64, String> {
    map.get(name).and_then(State::as_i64).ok_or_else(|| format!("it has no integer `{name}`"))
}

pub(crate) fn load_float(map: &OrderedMap<Key, State>, name: &str) -> Result<f64, String> {
    map.get(name).and_then(State::as_f64).ok_or_else(|| format!("it has no number `{name}`"))
}
