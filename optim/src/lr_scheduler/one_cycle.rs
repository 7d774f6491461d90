//! The 1cycle policy.

use super::{Begin, LrScheduler, PerGroup, floats, load_floats, load_int};
use crate::optimizer::Optimizer;
use std::f64::consts::PI;
use taper_tensor::{State, StateError, Stateful};

/// How a rate moves between two values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Anneal {
    /// Half a cosine.
    #[default]
    Cos,
    /// A straight line.
    Linear,
}

/// Options of [`OneCycleLR`], with PyTorch's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct OneCycleOptions {
    /// Highest rate, of all groups or of each.
    pub max_lr: PerGroup,
    /// Length of the cycle in steps (batches).
    pub total_steps: usize,
    /// Share of the cycle in which the rate rises.
    pub pct_start: f64,
    /// How rates move.
    pub anneal_strategy: Anneal,
    /// Moves momentum (or Adam's `beta1`) against the rate.
    pub cycle_momentum: bool,
    /// Momentum at the highest rate.
    pub base_momentum: f64,
    /// Momentum at the lowest rate.
    pub max_momentum: f64,
    /// The first rate is `max_lr / div_factor`.
    pub div_factor: f64,
    /// The last rate is the first one divided by this.
    pub final_div_factor: f64,
    /// Falls back to the first rate before going below it.
    pub three_phase: bool,
}

impl OneCycleOptions {
    /// PyTorch's defaults for a highest rate and a number of steps.
    pub fn new(max_lr: impl Into<PerGroup>, total_steps: usize) -> Self {
        OneCycleOptions {
            max_lr: max_lr.into(),
            total_steps,
            pct_start: 0.3,
            anneal_strategy: Anneal::Cos,
            cycle_momentum: true,
            base_momentum: 0.85,
            max_momentum: 0.95,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }
}

/// The 1cycle policy (`torch.optim.lr_scheduler.OneCycleLR`): the rate rises from `max_lr/div_factor`
/// to `max_lr` and falls far below; momentum goes the other way. Stepped after every batch.
///
/// Source: Smith and Topin, *Super-Convergence*, 2018.
pub struct OneCycleLR {
    options: OneCycleOptions,
    last_epoch: i64,
    last_lr: Vec<f64>,
}

/// The rates between which a group moves; their names are those in the optimizer's groups.
struct Rates {
    initial: f64,
    max: f64,
    min: f64,
}

impl Rates {
    fn of(options: &OneCycleOptions, group: usize) -> Self {
        let max = options.max_lr.of(group);
        let initial = max / options.div_factor;
        Rates { initial, max, min: initial / options.final_div_factor }
    }

    fn named(&self, name: &str) -> f64 {
        match name {
            "initial_lr" => self.initial,
            "max_lr" => self.max,
            _ => self.min,
        }
    }
}

/// End of a phase, and the names of what it moves between.
struct Phase {
    end: f64,
    lr: (&'static str, &'static str),
    momentum: (&'static str, &'static str),
}

impl OneCycleLR {
    /// Starts the cycle.
    ///
    /// # Panics
    /// For no steps, a `pct_start` outside `[0, 1]`, another number of `max_lr` than of groups, or
    /// momentum cycling with an optimizer that has none.
    #[track_caller]
    pub fn new(optimizer: &mut dyn Optimizer, options: OneCycleOptions) -> Self {
        assert!(options.total_steps > 0, "OneCycleLR: total_steps must be positive");
        assert!((0.0..=1.0).contains(&options.pct_start), "OneCycleLR: pct_start must lie in [0, 1]");
        options.max_lr.check("OneCycleLR: max_lr", optimizer.num_groups());
        for g in 0..optimizer.num_groups() {
            if options.cycle_momentum {
                match optimizer.momentum(g) {
                    Some(m) => *m = options.max_momentum,
                    None => panic!("OneCycleLR: cycle_momentum needs an optimizer with momentum or beta1"),
                }
            }
            let extra = optimizer.extra(g);
            let Rates { initial, max, min } = Rates::of(&options, g);
            for (name, value) in [("initial_lr", initial), ("max_lr", max), ("min_lr", min)] {
                extra.insert(name, State::Float(value));
            }
            if options.cycle_momentum {
                extra.insert("max_momentum", State::Float(options.max_momentum));
                extra.insert("base_momentum", State::Float(options.base_momentum));
            }
        }
        let mut scheduler = OneCycleLR { options, last_epoch: -1, last_lr: Vec::new() };
        scheduler.step(optimizer);
        scheduler
    }

    fn phases(&self) -> Vec<Phase> {
        let o = &self.options;
        let total = o.total_steps as f64;
        let (initial, max, min) = ("initial_lr", "max_lr", "min_lr");
        let (high, low) = ("max_momentum", "base_momentum");
        let phase = |end, lr, momentum| Phase { end, lr, momentum };
        let rise = phase(o.pct_start * total - 1.0, (initial, max), (high, low));
        if o.three_phase {
            let fall = phase(2.0 * o.pct_start * total - 2.0, (max, initial), (low, high));
            vec![rise, fall, phase(total - 1.0, (initial, min), (high, high))]
        } else {
            vec![rise, phase(total - 1.0, (max, min), (low, high))]
        }
    }

    fn momentum(&self, name: &str) -> f64 {
        if name == "max_momentum" { self.options.max_momentum } else { self.options.base_momentum }
    }

    fn between(&self, (start, end): (f64, f64), share: f64) -> f64 {
        match self.options.anneal_strategy {
            Anneal::Cos => end + (start - end) / 2.0 * ((PI * share).cos() + 1.0),
            Anneal::Linear => (end - start) * share + start,
        }
    }
}

impl LrScheduler for OneCycleLR {
    #[track_caller]
    fn step(&mut self, optimizer: &mut dyn Optimizer) {
        self.last_epoch += 1;
        let (t, total) = (self.last_epoch, self.options.total_steps);
        assert!(t <= total as i64, "OneCycleLR: step {t} of a cycle of {total} steps");
        let phases = self.phases();
        let i = phases.iter().position(|p| t as f64 <= p.end).unwrap_or(phases.len() - 1);
        let start = if i == 0 { 0.0 } else { phases[i - 1].end };
        let share = (t as f64 - start) / (phases[i].end - start);
        let Phase { lr, momentum, .. } = phases[i];
        let momentum = self.between((self.momentum(momentum.0), self.momentum(momentum.1)), share);
        self.last_lr.clear();
        for g in 0..optimizer.num_groups() {
            let rates = Rates::of(&self.options, g);
            let rate = self.between((rates.named(lr.0), rates.named(lr.1)), share);
            optimizer.set_lr(g, rate);
            self.last_lr.push(rate);
            if self.options.cycle_momentum
                && let Some(m) = optimizer.momentum(g)
            {
                *m = momentum;
            }
        }
    }

    fn last_lr(&self) -> &[f64] {
        &self.last_lr
    }

    fn restart(&mut self, optimizer: &mut dyn Optimizer, begin: Begin) {
        match begin {
            Begin::Undo => self.last_epoch -= 1,
            Begin::Initial => self.step(optimizer),
            Begin::Turn => {
                self.last_epoch = -1;
                self.step(optimizer);
            }
        }
    }
}

impl Stateful for OneCycleLR {
    fn state_dict(&self) -> State {
        let phase = |p: Phase| {
            State::map([
                ("end_step", State::Float(p.end)),
                ("start_lr", p.lr.0.into()),
                ("end_lr", p.lr.1.into()),
                ("start_momentum", p.momentum.0.into()),
                ("end_momentum", p.momentum.1.into()),
            ])
        };
        let base_lrs: Vec<f64> =
            (0..self.last_lr.len()).map(|g| Rates::of(&self.options, g).initial).collect();
        let anneal = match self.options.anneal_strategy {
            Anneal::Cos => "cos",
            Anneal::Linear => "linear",
        };
        State::map([
            ("total_steps", self.options.total_steps.into()),
            ("_schedule_phases", State::List(self.phases().into_iter().map(phase).collect())),
            ("_anneal_func_type", anneal.into()),
            ("cycle_momentum", self.options.cycle_momentum.into()),
            ("base_lrs", floats(&base_lrs)),
            ("last_epoch", State::Int(self.last_epoch)),
            ("_step_count", State::Int(self.last_epoch + 1)),
            ("_last_lr", floats(&self.last_lr)),
        ])
    }

    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        let fail = |message: String| StateError::new("OneCycleLR", message);
        let map = state.as_map().ok_or_else(|| fail("it is not a map".into()))?;
        let total = load_int(map, "total_steps").map_err(fail)?;
        if total != self.options.total_steps as i64 {
            return Err(fail(format!("its cycle has {total} steps, not {}", self.options.total_steps)));
        }
        let (last_epoch, last_lr) =
            (load_int(map, "last_epoch").map_err(fail)?, load_floats(map, "_last_lr").map_err(fail)?);
        if last_lr.len() != self.last_lr.len() {
            let (n, groups) = (last_lr.len(), self.last_lr.len());
            return Err(fail(format!("it is for {n} parameter groups, not {groups}")));
        }
        (self.last_epoch, self.last_lr) = (last_epoch, last_lr);
        Ok(())
    }
}
