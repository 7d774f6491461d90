//! Schedules given by a formula of the number of steps.

use super::{Rule, Scheduled, load_float, load_int};
use crate::optimizer::Optimizer;
use std::f64::consts::PI;
use taper_tensor::{Key, OrderedMap, State};

type Map = OrderedMap<Key, State>;

/// Rule of [`StepLR`].
pub struct StepRule {
    step_size: i64,
    gamma: f64,
}

/// Multiplies the rate by `gamma` every `step_size` steps (`torch.optim.lr_scheduler.StepLR`; there
/// `gamma` is 0.1 by default).
pub type StepLR = Scheduled<StepRule>;

impl StepLR {
    /// Starts the schedule.
    ///
    /// # Panics
    /// For a `step_size` of 0.
    #[track_caller]
    pub fn new(optimizer: &mut dyn Optimizer, step_size: usize, gamma: f64) -> Self {
        assert!(step_size > 0, "StepLR: step_size must be positive");
        Scheduled::start(optimizer, StepRule { step_size: step_size as i64, gamma })
    }
}

impl Rule for StepRule {
    const NAME: &'static str = "StepLR";
    fn next(&self, _: usize, t: i64, lr: f64, _: f64) -> f64 {
        if t == 0 || t % self.step_size != 0 { lr } else { lr * self.gamma }
    }
    fn closed_form(&self, _: usize, t: i64, base: f64) -> f64 {
        base * self.gamma.powi((t / self.step_size) as i32)
    }
    fn save(&self) -> Vec<(&'static str, State)> {
        vec![("step_size", State::Int(self.step_size)), ("gamma", State::Float(self.gamma))]
    }
    fn load(&mut self, map: &Map) -> Result<(), String> {
        let (step_size, gamma) = (load_int(map, "step_size")?, load_float(map, "gamma")?);
        if step_size <= 0 {
            return Err("`step_size` is not positive".into());
        }
        (self.step_size, self.gamma) = (step_size, gamma);
        Ok(())
    }
}

/// Rule of [`MultiStepLR`].
pub struct MultiStepRule {
    milestones: Vec<i64>,
    gamma: f64,
}

/// Multiplies the rate by `gamma` at each milestone (`torch.optim.lr_scheduler.MultiStepLR`; there
/// `gamma` is 0.1 by default). A milestone that comes twice counts twice.
pub type MultiStepLR = Scheduled<MultiStepRule>;

impl MultiStepLR {
    /// Starts the schedule.
    pub fn new(optimizer: &mut dyn Optimizer, milestones: &[usize], gamma: f64) -> Self {
        let mut milestones: Vec<i64> = milestones.iter().map(|&m| m as i64).collect();
        milestones.sort_unstable();
        Scheduled::start(optimizer, MultiStepRule { milestones, gamma })
    }
}

impl Rule for MultiStepRule {
    const NAME: &'static str = "MultiStepLR";
    fn next(&self, _: usize, t: i64, lr: f64, _: f64) -> f64 {
        match self.milestones.iter().filter(|&&m| m == t).count() {
            0 => lr,
            n => lr * self.gamma.powi(n as i32),
        }
    }
    fn closed_form(&self, _: usize, t: i64, base: f64) -> f64 {
        base * self.gamma.powi(self.milestones.iter().filter(|&&m| m <= t).count() as i32)
    }
    fn save(&self) -> Vec<(&'static str, State)> {
        // PyTorch keeps a Counter: milestone to count.
        let mut counts = OrderedMap::<Key, State>::new();
        for &m in &self.milestones {
            let n = counts.get(&m).and_then(State::as_i64).unwrap_or(0);
            counts.insert(m, State::Int(n + 1));
        }
        vec![("milestones", State::Map(counts)), ("gamma", State::Float(self.gamma))]
    }
    fn load(&mut self, map: &Map) -> Result<(), String> {
        let counts = map.get("milestones").and_then(State::as_map).ok_or("it has no map `milestones`")?;
        let mut milestones = Vec::new();
        for (k, n) in counts.iter() {
            let (Key::Int(m), Some(n)) = (k, n.as_i64()) else {
                return Err("`milestones` holds something else than counts of steps".into());
            };
            if !(0..=1000).contains(&n) {
                return Err(format!("milestone {m} comes {n} times"));
            }
            milestones.extend((0..n).map(|_| *m));
        }
        milestones.sort_unstable();
        let gamma = load_float(map, "gamma")?;
        (self.milestones, self.gamma) = (milestones, gamma);
        Ok(())
    }
}

/// Rule of [`ExponentialLR`].
pub struct ExponentialRule {
    gamma: f64,
}

/// Multiplies the rate by `gamma` every step (`torch.optim.lr_scheduler.ExponentialLR`).
pub type ExponentialLR = Scheduled<ExponentialRule>;

impl ExponentialLR {
    /// Starts the schedule.
    pub fn new(optimizer: &mut dyn Optimizer, gamma: f64) -> Self {
        Scheduled::start(optimizer, ExponentialRule { gamma })
    }
}

impl Rule for ExponentialRule {
    const NAME: &'static str = "ExponentialLR";
    fn next(&self, _: usize, t: i64, lr: f64, _: f64) -> f64 {
        if t == 0 { lr } else { lr * self.gamma }
    }
    fn closed_form(&self, _: usize, t: i64, base: f64) -> f64 {
        base * self.gamma.powi(t as i32)
    }
    fn save(&self) -> Vec<(&'static str, State)> {
        vec![("gamma", State::Float(self.gamma))]
    }
    fn load(&mut self, map: &Map) -> Result<(), String> {
        self.gamma = load_float(map, "gamma")?;
        Ok(())
    }
}

/// Rule of [`CosineAnnealingLR`].
pub struct CosineRule {
    t_max: f64,
    eta_min: f64,
}

/// Half a cosine from the initial rate to `eta_min` in `t_max` steps, and back in as many
/// (`torch.optim.lr_scheduler.CosineAnnealingLR`; there `eta_min` is 0 by default).
///
/// Source: Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*, 2017.
pub type CosineAnnealingLR = Scheduled<CosineRule>;

impl CosineAnnealingLR {
    /// Starts the schedule.
    pub fn new(optimizer: &mut dyn Optimizer, t_max: usize, eta_min: f64) -> Self {
        Scheduled::start(optimizer, CosineRule { t_max: t_max as f64, eta_min })
    }
}

impl Rule for CosineRule {
    const NAME: &'static str = "CosineAnnealingLR";
    fn next(&self, _: usize, t: i64, lr: f64, base: f64) -> f64 {
        let (t, t_max) = (t as f64, self.t_max);
        if t == 0.0 {
            lr
        } else if (t - 1.0 - t_max).rem_euclid(2.0 * t_max) == 0.0 {
            lr + (base - self.eta_min) * (1.0 - (PI / t_max).cos()) / 2.0
        } else {
            (1.0 + (PI * t / t_max).cos()) / (1.0 + (PI * (t - 1.0) / t_max).cos()) * (lr - self.eta_min)
                + self.eta_min
        }
    }
    fn closed_form(&self, _: usize, t: i64, base: f64) -> f64 {
        self.eta_min + (base - self.eta_min) * (1.0 + (PI * t as f64 / self.t_max).cos()) / 2.0
    }
    fn save(&self) -> Vec<(&'static str, State)> {
        vec![("T_max", State::Int(self.t_max as i64)), ("eta_min", State::Float(self.eta_min))]
    }
    fn load(&mut self, map: &Map) -> Result<(), String> {
        let (t_max, eta_min) = (load_float(map, "T_max")?, load_float(map, "eta_min")?);
        (self.t_max, self.eta_min) = (t_max, eta_min);
        Ok(())
    }
}

/// Rule of [`LinearLR`].
pub struct LinearRule {
    start_factor: f64,
    end_factor: f64,
    total_iters: i64,
}

/// A factor on the initial rate that moves linearly from `start_factor` to `end_factor` in
/// `total_iters` steps (`torch.optim.lr_scheduler.LinearLR`; there 1/3, 1 and 5 by default).
pub type LinearLR = Scheduled<LinearRule>;

impl LinearLR {
    /// Starts the schedule.
    ///
    /// # Panics
    /// For a `start_factor` outside `(0, 1]` or an `end_factor` outside `[0, 1]`.
    #[track_caller]
    pub fn new(
        optimizer: &mut dyn Optimizer,
        start_factor: f64,
        end_factor: f64,
        total_iters: usize,
    ) -> Self {
        assert!(start_factor > 0.0 && start_factor <= 1.0, "LinearLR: start_factor must lie in (0, 1]");
        assert!((0.0..=1.0).contains(&end_factor), "LinearLR: end_factor must lie in [0, 1]");
        Scheduled::start(optimizer, LinearRule { start_factor, end_factor, total_iters: total_iters as i64 })
    }
}

impl Rule for LinearRule {
    const NAME: &'static str = "LinearLR";
    fn next(&self, _: usize, t: i64, lr: f64, _: f64) -> f64 {
        let range = self.end_factor - self.start_factor;
        if t == 0 {
            lr * self.start_factor
        } else if t > self.total_iters {
            lr
        } else {
            lr * (1.0 + range / (self.total_iters as f64 * self.start_factor + (t - 1) as f64 * range))
        }
    }
    fn closed_form(&self, _: usize, t: i64, base: f64) -> f64 {
        let range = self.end_factor - self.start_factor;
        base * (self.start_factor + range * t.min(self.total_iters) as f64 / self.total_iters as f64)
    }
    fn save(&self) -> Vec<(&'static str, State)> {
        vec![
            ("start_factor", State::Float(self.start_factor)),
            ("end_factor", State::Float(self.end_factor)),
            ("total_iters", State::Int(self.total_iters)),
        ]
    }
    fn load(&mut self, map: &Map) -> Result<(), String> {
        let loaded =
            (load_float(map, "start_factor")?, load_float(map, "end_factor")?, load_int(map, "total_iters")?);
        (self.start_factor, self.end_factor, self.total_iters) = loaded;
        Ok(())
    }
}

/// Rule of [`LambdaLR`].
pub struct LambdaRule {
    lambdas: Vec<Box<dyn Fn(i64) -> f64 + Send>>,
    groups: usize,
}

/// The initial rate times a function of the step (`torch.optim.lr_scheduler.LambdaLR`). The function
/// is not part of the state.
pub type LambdaLR = Scheduled<LambdaRule>;

impl LambdaLR {
    /// Starts the schedule with one function for all groups.
    pub fn new(optimizer: &mut dyn Optimizer, lambda: impl Fn(i64) -> f64 + Send + 'static) -> Self {
        let groups = optimizer.num_groups();
        Scheduled::start(optimizer, LambdaRule { lambdas: vec![Box::new(lambda)], groups })
    }

    /// Starts the schedule with one function for each group.
    ///
    /// # Panics
    /// Where the numbers differ.
    #[track_caller]
    pub fn per_group(optimizer: &mut dyn Optimizer, lambdas: Vec<Box<dyn Fn(i64) -> f64 + Send>>) -> Self {
        let groups = optimizer.num_groups();
        assert!(
            lambdas.len() == groups,
            "LambdaLR: {} functions for {groups} parameter groups",
            lambdas.len()
        );
        Scheduled::start(optimizer, LambdaRule { lambdas, groups })
    }
}

impl Rule for LambdaRule {
    const NAME: &'static str = "LambdaLR";
    fn next(&self, group: usize, t: i64, _: f64, base: f64) -> f64 {
        base * self.lambdas[group.min(self.lambdas.len() - 1)](t)
    }
    fn closed_form(&self, group: usize, t: i64, base: f64) -> f64 {
        self.next(group, t, base, base)
    }
    fn save(&self) -> Vec<(&'static str, State)> {
        vec![("lr_lambdas", State::List(vec![State::None; self.groups]))]
    }
    fn load(&mut self, _: &Map) -> Result<(), String> {
        Ok(())
    }
}
