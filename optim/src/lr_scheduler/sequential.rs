//! Schedules one after another.

use super::{Begin, LrScheduler, floats, load_int};
use crate::optimizer::Optimizer;
use taper_tensor::{State, StateError, Stateful};

/// Runs schedulers one after another; each begins at its milestone
/// (`torch.optim.lr_scheduler.SequentialLR`).
pub struct SequentialLR {
    schedulers: Vec<Box<dyn LrScheduler>>,
    milestones: Vec<i64>,
    last_epoch: i64,
}

impl SequentialLR {
    /// Starts the first schedule; `milestones[i]` is the step at which schedule `i + 1` begins.
    ///
    /// # Panics
    /// Where there is not one milestone less than schedulers.
    #[track_caller]
    pub fn new(
        optimizer: &mut dyn Optimizer,
        mut schedulers: Vec<Box<dyn LrScheduler>>,
        milestones: &[usize],
    ) -> Self {
        assert!(
            schedulers.len() == milestones.len() + 1,
            "SequentialLR: {} schedulers need {} milestones, got {}",
            schedulers.len(),
            schedulers.len().saturating_sub(1),
            milestones.len()
        );
        // Every scheduler has taken its first step when it was made.
        for g in 0..optimizer.num_groups() {
            if let Some(initial) = optimizer.extra(g).get("initial_lr").and_then(State::as_f64) {
                optimizer.set_lr(g, initial);
            }
        }
        for s in &mut schedulers {
            s.restart(optimizer, Begin::Undo);
        }
        let milestones: Vec<i64> = milestones.iter().map(|&m| m as i64).collect();
        let first = milestones.partition_point(|&m| m <= 0);
        schedulers[first].restart(optimizer, Begin::Initial);
        SequentialLR { schedulers, milestones, last_epoch: 0 }
    }

    fn current(&self) -> usize {
        self.milestones.partition_point(|&m| m <= self.last_epoch)
    }
}

impl LrScheduler for SequentialLR {
    fn step(&mut self, optimizer: &mut dyn Optimizer) {
        self.last_epoch += 1;
        let i = self.current();
        if i > 0 && self.milestones[i - 1] == self.last_epoch {
            self.schedulers[i].restart(optimizer, Begin::Turn);
        } else {
            self.schedulers[i].step(optimizer);
        }
    }

    fn last_lr(&self) -> &[f64] {
        self.schedulers[self.current()].last_lr()
    }

    fn restart(&mut self, optimizer: &mut dyn Optimizer, begin: Begin) {
        match begin {
            Begin::Undo => self.schedulers.iter_mut().for_each(|s| s.restart(optimizer, Begin::Undo)),
            Begin::Initial | Begin::Turn => {
                self.last_epoch = 0;
                let first = self.current();
                self.schedulers[first].restart(optimizer, begin);
            }
        }
    }
}

impl Stateful for SequentialLR {
    fn state_dict(&self) -> State {
        State::map([
            ("_milestones", State::List(self.milestones.iter().map(|&m| State::Int(m)).collect())),
            ("last_epoch", State::Int(self.last_epoch)),
            ("_last_lr", floats(self.last_lr())),
            ("_schedulers", State::List(self.schedulers.iter().map(|s| s.state_dict()).collect())),
        ])
    }

    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        let fail = |message: String| StateError::new("SequentialLR", message);
        let map = state.as_map().ok_or_else(|| fail("it is not a map".into()))?;
        let last_epoch = load_int(map, "last_epoch").map_err(fail)?;
        let states = map.get("_schedulers").and_then(State::as_list).unwrap_or_default();
        if states.len() != self.schedulers.len() {
            return Err(fail(format!("it has {} schedulers, not {}", states.len(), self.schedulers.len())));
        }
        let milestones: Option<Vec<i64>> = map
            .get("_milestones")
            .and_then(State::as_list)
            .and_then(|list| list.iter().map(State::as_i64).collect());
        let Some(milestones) = milestones.filter(|m| m.len() == self.milestones.len()) else {
            return Err(fail(format!("it has no {} integers `_milestones`", self.milestones.len())));
        };
        let old: Vec<State> = self.schedulers.iter().map(|s| s.state_dict()).collect();
        for (i, state) in states.iter().enumerate() {
            if let Err(e) = self.schedulers[i].load_state_dict(state) {
                // Back to where all of them were.
                for (s, state) in self.schedulers.iter_mut().zip(&old).take(i) {
                    s.load_state_dict(state)?;
                }
                return Err(e);
            }
        }
        (self.last_epoch, self.milestones) = (last_epoch, milestones);
        Ok(())
    }
}
