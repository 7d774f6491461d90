//! A warp: its registers, and the groups its lanes form when they take different paths.
//!
//! One group runs; the others wait at an instruction. The group with the lowest address runs
//! first and groups that meet become one, which brings structured code together again. At a
//! warp-wide instruction a group parks until the lanes that its mask names have arrived.

use super::launch::Dice;
use super::regs::Regs;
use crate::check::Order;

/// Lanes that wait somewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub pc: u32,
    pub mask: u32,
    /// At a warp-wide instruction, for lanes that have not arrived.
    pub parked: bool,
}

/// An asynchronous copy that has not arrived.
pub(super) struct Pending {
    pub group: u32,
    pub to: u64,
    pub bytes: u32,
    pub data: [u8; 16],
    pub lane: u32,
    pub pc: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    /// At the barrier with that number.
    Waiting(u32),
    Done,
}

pub(super) struct Warp {
    pub index: u32,
    pub regs: Regs,
    pub pc: u32,
    /// Lanes that run now.
    pub mask: u32,
    /// Lanes that have not exited.
    pub live: u32,
    /// Lanes that exist.
    pub all: u32,
    pub groups: Vec<Group>,
    /// Lowest address at which a group waits that could run.
    pub lowest: u32,
    /// Lanes have exited since groups were parked: their masks may be complete now.
    pub retry: bool,
    pub state: State,
    pub local: Vec<u128>,
    pub copies: Vec<Pending>,
    pub copy_group: u32,
    /// Instructions executed.
    pub steps: u64,
    /// Groups take turns, because one of them ran for a whole turn while others waited.
    pub hurried: bool,
    /// Until so many steps the running group does not give way to a lower one.
    favoured: u64,
    /// In check mode what is ordered before what.
    pub order: Option<Box<Order>>,
}

/// No lane can go on.
pub(super) struct Stuck;

impl Warp {
    pub fn new(regs: Regs, local_bytes: u32, check: bool) -> Self {
        Warp {
            index: 0,
            regs,
            pc: 0,
            mask: 0,
            live: 0,
            all: 0,
            groups: Vec::new(),
            lowest: u32::MAX,
            retry: false,
            state: State::Done,
            local: vec![0xcdcd_cdcd_cdcd_cdcd_cdcd_cdcd_cdcd_cdcd; (local_bytes as usize * 32).div_ceil(16)],
            copies: Vec::new(),
            copy_group: 0,
            steps: 0,
            hurried: false,
            favoured: 0,
            order: check.then(|| Box::new(Order::new())),
        }
    }

    pub fn start(&mut self, index: u32, threads: u32) {
        let here = threads - index * 32;
        self.index = index;
        self.all = if here >= 32 { !0 } else { (1 << here) - 1 };
        self.mask = self.all;
        self.live = self.all;
        self.pc = 0;
        self.groups.clear();
        self.lowest = u32::MAX;
        self.retry = false;
        self.state = State::Ready;
        self.copies.clear();
        self.copy_group = 0;
        self.steps = 0;
        self.hurried = false;
        self.favoured = 0;
        if let Some(order) = &mut self.order {
            **order = Order::new();
        }
    }

    fn find_lowest(&mut self) {
        self.lowest = self.groups.iter().filter(|g| !g.parked).map(|g| g.pc).min().unwrap_or(u32::MAX);
    }

    pub fn add(&mut self, pc: u32, mask: u32, parked: bool) {
        if mask == 0 {
            return;
        }
        match self.groups.iter_mut().find(|g| g.pc == pc && g.parked == parked) {
            Some(g) => g.mask |= mask,
            None => self.groups.push(Group { pc, mask, parked }),
        }
        if !parked {
            self.lowest = self.lowest.min(pc);
        }
    }

    /// At a place where paths meet: takes in who waits here, or lets a lower group run first.
    pub fn meet(&mut self, dice: Option<&mut Dice>) {
        if let Some(dice) = dice {
            // Any order is right; a random one now and then shows who relies on this one.
            if dice.below(4) == 0 {
                let (pc, mask) = (self.pc, self.mask);
                self.add(pc, mask, false);
                let _ = self.resume(Some(dice));
                return;
            }
        } else if self.lowest < self.pc && self.steps >= self.favoured {
            let (pc, mask) = (self.pc, self.mask);
            self.add(pc, mask, false);
            self.mask = 0;
            self.pc = self.lowest;
        }
        self.absorb(false);
    }

    /// The turn has ended. A group that waits may hold what the running one spins for, a lock say,
    /// and every thread must come to run: the next group has the next turn.
    pub fn take_turns(&mut self, turn: u64) {
        let ready = || self.groups.iter().filter(|g| !g.parked).map(|g| g.pc);
        let next = ready().filter(|&pc| pc > self.pc).min().or_else(|| ready().min());
        self.hurried = next.is_some();
        let Some(next) = next else { return };
        let (pc, mask) = (self.pc, self.mask);
        self.add(pc, mask, false);
        self.pc = next;
        self.mask = 0;
        self.favoured = self.steps + turn;
        self.absorb(false);
    }

    /// Joins the groups that wait at this address.
    pub fn absorb(&mut self, parked: bool) {
        let pc = self.pc;
        let mask = &mut self.mask;
        self.groups.retain(|g| {
            let here = g.pc == pc && g.parked == parked;
            if here {
                *mask |= g.mask;
            }
            !here
        });
        self.find_lowest();
    }

    /// The running group has gone: another one runs. `Ok(false)` where all lanes have exited.
    pub fn resume(&mut self, dice: Option<&mut Dice>) -> Result<bool, Stuck> {
        self.mask = 0;
        if self.live == 0 {
            return Ok(false);
        }
        loop {
            self.find_lowest();
            if self.lowest != u32::MAX {
                self.pc = match dice {
                    None => self.lowest,
                    Some(dice) => {
                        let ready: Vec<u32> =
                            self.groups.iter().filter(|g| !g.parked).map(|g| g.pc).collect();
                        ready[dice.below(ready.len())]
                    }
                };
                self.absorb(false);
                return Ok(true);
            }
            if !std::mem::take(&mut self.retry) {
                return Err(Stuck);
            }
            let parked = std::mem::take(&mut self.groups);
            for g in parked {
                self.add(g.pc, g.mask, false);
            }
        }
    }
}
