//! What a device can do: the limits of the compute capabilities that matter.

use crate::options::{bytes, understood};

/// The limits of one kind of device (CUDA C programming guide, table of compute capabilities).
///
/// ```
/// use ptx_emulator::Profile;
/// // Blocks of 256 threads and 40 KiB of shared memory on one multiprocessor.
/// assert_eq!(Profile::sm_80().occupancy(256, 40 << 10), 4);
/// assert_eq!(Profile::named("sm_75"), Some(Profile::sm_75()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Compute capability, major and minor.
    pub capability: (u32, u32),
    /// Number of multiprocessors of a typical card.
    pub multiprocessors: u32,
    /// Shared memory of one multiprocessor, in bytes.
    pub shared_per_multiprocessor: u32,
    /// Shared memory a block may use after asking for it (`cuFuncSetAttribute`).
    pub shared_per_block_opt_in: u32,
    /// Threads that one multiprocessor holds.
    pub threads_per_multiprocessor: u32,
    /// Blocks that one multiprocessor holds.
    pub blocks_per_multiprocessor: u32,
    /// Memory of the device, in bytes.
    pub memory: u64,
    /// Level-2 cache, in bytes.
    pub l2: u32,
}

impl Profile {
    /// Shared memory a block may use without asking.
    pub const SHARED_PER_BLOCK: u32 = 48 * 1024;
    /// Threads in a block.
    pub const THREADS_PER_BLOCK: u32 = 1024;
    /// Registers of a block and of a multiprocessor.
    pub const REGISTERS: u32 = 65536;

    /// Turing (T4, RTX 20).
    pub fn sm_75() -> Self {
        Profile {
            capability: (7, 5),
            multiprocessors: 40,
            shared_per_multiprocessor: 64 << 10,
            shared_per_block_opt_in: 64 << 10,
            threads_per_multiprocessor: 1024,
            blocks_per_multiprocessor: 16,
            memory: 16 << 30,
            l2: 4 << 20,
        }
    }

    /// Ampere (A100).
    pub fn sm_80() -> Self {
        Profile {
            capability: (8, 0),
            multiprocessors: 108,
            shared_per_multiprocessor: 164 << 10,
            shared_per_block_opt_in: 163 << 10,
            threads_per_multiprocessor: 2048,
            blocks_per_multiprocessor: 32,
            memory: 40 << 30,
            l2: 40 << 20,
        }
    }

    /// Hopper (H100).
    pub fn sm_90() -> Self {
        Profile {
            capability: (9, 0),
            multiprocessors: 132,
            shared_per_multiprocessor: 228 << 10,
            shared_per_block_opt_in: 227 << 10,
            memory: 80 << 30,
            l2: 50 << 20,
            ..Profile::sm_80()
        }
    }

    /// The profile of that name (`sm_75`, `sm_80` or `sm_90`).
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sm_75" => Some(Profile::sm_75()),
            "sm_80" => Some(Profile::sm_80()),
            "sm_90" => Some(Profile::sm_90()),
            _ => None,
        }
    }

    /// The profile that `PTX_EMULATOR_DEVICE` names, sm_80 where it names none, with
    /// `PTX_EMULATOR_MEMORY` bytes of memory (`512M` as well) and `PTX_EMULATOR_MULTIPROCESSORS`.
    pub fn from_env() -> Self {
        let mut profile = understood("DEVICE", Profile::named).unwrap_or_else(Profile::sm_80);
        if let Some(memory) = understood("MEMORY", bytes) {
            profile.memory = memory;
        }
        let count = |v: &str| v.parse().ok().filter(|&n| n > 0 && n <= 1024);
        if let Some(n) = understood("MULTIPROCESSORS", count) {
            profile.multiprocessors = n;
        }
        profile
    }

    /// The capability as one number, 80 for sm_80.
    pub fn number(&self) -> u32 {
        self.capability.0 * 10 + self.capability.1
    }

    /// Blocks of `threads` threads and `shared` bytes that one multiprocessor holds at a time.
    /// Registers are not known here (ptxas assigns them), so this is an upper bound.
    pub fn occupancy(&self, threads: u32, shared: u32) -> u32 {
        if threads == 0 || threads > Self::THREADS_PER_BLOCK || shared > self.shared_per_block_opt_in {
            return 0;
        }
        // From sm_80 on the system keeps 1 KiB of shared memory a block.
        let reserved = if self.capability.0 >= 8 { 1024 } else { 0 };
        let by_threads = self.threads_per_multiprocessor / threads.next_multiple_of(32);
        let by_shared = match shared + reserved {
            0 => self.blocks_per_multiprocessor,
            bytes => self.shared_per_multiprocessor / bytes.next_multiple_of(128),
        };
        by_threads.min(by_shared).min(self.blocks_per_multiprocessor)
    }
}
