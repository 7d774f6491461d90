//! Loads that only say what a compare-and-swap is to expect. The first read of the usual loop
//! (`old = *p; do { seen = old; old = atomicCAS(p, seen, …); } while (old != seen);`) is no race: the `cas` finds out
//! where it was out of date.

use super::op::{AtomicOp, Inst, Op, Reg};

/// What a kernel's instructions say about that.
#[derive(Default)]
pub(super) struct Guesses {
    /// Loads of one register, by the instruction's index.
    loads: Vec<(usize, Reg)>,
    /// Moves: to and from.
    copies: Vec<(Reg, Reg)>,
    /// What is compared with.
    compared: Vec<Reg>,
}

/// One register, whatever type it is used with.
fn same(a: Reg, b: Reg) -> bool {
    match (a, b) {
        (Reg::W(a, _), Reg::W(b, _)) | (Reg::D(a), Reg::D(b)) => a == b,
        _ => false,
    }
}

impl Guesses {
    pub fn copy(&mut self, to: Reg, from: Reg) {
        self.copies.push((to, from));
    }

    pub fn note(&mut self, index: usize, op: &Op) {
        match op {
            Op::Load(a) if a.regs.len() == 1 => self.loads.push((index, a.regs[0])),
            Op::Atomic { op: AtomicOp::CompareSwap, b, .. } => self.compared.push(*b),
            _ => {}
        }
    }

    /// Marks the loads whose registers come to be compared with, directly or by moves.
    pub fn mark(&mut self, code: &mut [Inst]) {
        let mut at = 0;
        while let Some(&reg) = self.compared.get(at) {
            for &(to, from) in &self.copies {
                if same(to, reg) && !self.compared.iter().any(|&c| same(c, from)) {
                    self.compared.push(from);
                }
            }
            at += 1;
        }
        for &(index, reg) in &self.loads {
            if let Op::Load(access) = &mut code[index].op {
                access.guess = self.compared.iter().any(|&c| same(c, reg));
            }
        }
    }
}
