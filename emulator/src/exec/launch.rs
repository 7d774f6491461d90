//! A launch: checks its limits and hands blocks to host threads.

use super::Dim;
use super::block::Worker;
use crate::check::Checker;
use crate::counts::Counts;
use crate::decode::Kernel;
use crate::error::{Fault, FaultKind};
use crate::memory::Table;
use crate::options::Options;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Everything that does not change during a launch.
pub(crate) struct Launch<'a> {
    pub kernel: &'a Kernel,
    pub grid: Dim,
    pub block: Dim,
    /// Static and dynamic bytes.
    pub shared: u32,
    pub dynamic: u32,
    /// The arguments, 16-byte aligned.
    pub params: &'a [u128],
    pub table: &'a Table,
    pub options: &'a Options,
}

/// A cheap generator for shuffle mode (SplitMix64).
#[derive(Clone)]
pub(crate) struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.roll() % n.max(1) as u64) as usize
    }
}

impl Launch<'_> {
    pub fn fault(&self, kind: FaultKind, what: String) -> Fault {
        Fault {
            kind,
            what,
            kernel: self.kernel.name.clone(),
            block: [0; 3],
            thread: [0; 3],
            line: 0,
            text: "".into(),
            source: None,
        }
    }
}

/// A bijection of 0..n that looks random: an affine map modulo n.
fn shuffled(index: u64, n: u64, seed: u64) -> u64 {
    fn gcd(a: u64, b: u64) -> u64 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    let mut dice = Dice(seed);
    let mut step = (dice.roll() % n) | 1;
    while gcd(step, n) != 1 {
        step += 1;
    }
    ((index as u128 * step as u128 + dice.roll() as u128) % n as u128) as u64
}

/// Runs all blocks.
pub(crate) fn launch(l: &Launch) -> Result<Counts, Fault> {
    let blocks = l.grid.count();
    let next = AtomicU64::new(0);
    let failed = Mutex::new(None::<Fault>);
    let total = Mutex::new(Counts::new(&l.kernel.name, l.grid, l.block, l.shared));
    let work = || {
        let check = l.options.check.then(|| Checker::new(l.kernel.granule, l.shared));
        let mut worker = Worker::new(l, check);
        loop {
            let index = next.fetch_add(1, Relaxed);
            if index >= blocks {
                break;
            }
            let index = l.options.shuffle.map_or(index, |seed| shuffled(index, blocks, seed));
            if let Err(fault) = worker.block(index) {
                next.store(blocks, Relaxed);
                failed.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(*fault);
                break;
            }
        }
        let counts = worker.finish();
        total.lock().unwrap_or_else(|e| e.into_inner()).add(&counts);
    };
    let threads = (l.options.host_threads() as u64).min(blocks);
    if threads <= 1 || blocks * l.block.count() < 2048 {
        work();
    } else {
        std::thread::scope(|s| {
            for _ in 1..threads {
                s.spawn(work);
            }
            work();
        });
    }
    match failed.into_inner().unwrap_or_else(|e| e.into_inner()) {
        Some(fault) => Err(fault),
        None => Ok(total.into_inner().unwrap_or_else(|e| e.into_inner())),
    }
}
