//! What a launch did, in numbers. None of them is a time.

use crate::decode::op::Class;
use crate::exec::Dim;

/// Requests of one kind to memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Warp-wide accesses.
    pub requests: u64,
    /// 32-byte sectors they touched.
    pub sectors: u64,
    /// Bytes the lanes asked for.
    pub bytes: u64,
}

/// The counts of a launch.
///
/// ```
/// use ptx_emulator::{Device, Dim, Options, Profile};
/// let ptx = ".version 7.0 .target sm_80 .address_size 64 .visible .entry k() { bar.sync 0; ret; }";
/// let device = Device::new(Profile::sm_80(), Options::default());
/// let kernel = device.load(ptx).unwrap().kernel("k").unwrap();
/// let counts = device.launch(kernel, Dim::x(3), Dim::x(64), 0, &[]).unwrap();
/// // Three blocks of two warps, two instructions each.
/// assert_eq!((counts.barriers, counts.warp_instructions, counts.thread_instructions), (3, 12, 384));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    /// Name of the kernel.
    pub kernel: String,
    /// Blocks.
    pub grid: Dim,
    /// Threads of a block.
    pub block: Dim,
    /// Shared memory of a block, static and dynamic.
    pub shared_bytes: u32,
    /// Instructions executed by warps.
    pub warp_instructions: u64,
    /// Instructions executed by threads: those of warps, times the lanes that took part.
    pub thread_instructions: u64,
    /// Warp instructions by class.
    pub classes: Vec<(&'static str, u64)>,
    /// Loads from global memory (with `counts`).
    pub global_loads: Requests,
    /// Stores to global memory (with `counts`).
    pub global_stores: Requests,
    /// Accesses to shared memory (with `counts`).
    pub shared_requests: u64,
    /// Passes over shared memory's 32 banks that they need: more than ideal means conflicts.
    pub shared_wavefronts: u64,
    /// Passes without any conflict.
    pub shared_ideal: u64,
    /// Warp instructions that not all live lanes of the warp executed.
    pub divergent_instructions: u64,
    /// Branches where the lanes of a warp parted.
    pub divergent_branches: u64,
    /// Block barriers, counted once a block.
    pub barriers: u64,
    /// Atomic operations of threads.
    pub atomics: u64,
}

impl Counts {
    pub(crate) fn new(kernel: &str, grid: Dim, block: Dim, shared_bytes: u32) -> Self {
        Counts {
            kernel: kernel.to_string(),
            grid,
            block,
            shared_bytes,
            warp_instructions: 0,
            thread_instructions: 0,
            classes: Class::ALL.iter().map(|&(_, name)| (name, 0)).collect(),
            global_loads: Requests::default(),
            global_stores: Requests::default(),
            shared_requests: 0,
            shared_wavefronts: 0,
            shared_ideal: 0,
            divergent_instructions: 0,
            divergent_branches: 0,
            barriers: 0,
            atomics: 0,
        }
    }

    /// Adds another part of the same launch.
    pub(crate) fn add(&mut self, other: &Counts) {
        self.warp_instructions += other.warp_instructions;
        self.thread_instructions += other.thread_instructions;
        for (a, b) in self.classes.iter_mut().zip(&other.classes) {
            a.1 += b.1;
        }
        for (a, b) in
            [(&mut self.global_loads, &other.global_loads), (&mut self.global_stores, &other.global_stores)]
        {
            a.requests += b.requests;
            a.sectors += b.sectors;
            a.bytes += b.bytes;
        }
        self.shared_requests += other.shared_requests;
        self.shared_wavefronts += other.shared_wavefronts;
        self.shared_ideal += other.shared_ideal;
        self.divergent_instructions += other.divergent_instructions;
        self.divergent_branches += other.divergent_branches;
        self.barriers += other.barriers;
        self.atomics += other.atomics;
    }

    /// Warp instructions of a class, by its name in [`Counts::classes`].
    pub fn class(&self, name: &str) -> u64 {
        self.classes.iter().find(|c| c.0 == name).map_or(0, |c| c.1)
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        let name: String =
            self.kernel.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect();
        let dim = |d: Dim| format!("[{},{},{}]", d.x, d.y, d.z);
        let requests = |r: Requests| {
            format!("{{\"requests\":{},\"sectors\":{},\"bytes\":{}}}", r.requests, r.sectors, r.bytes)
        };
        let classes: Vec<String> =
            self.classes.iter().filter(|c| c.1 > 0).map(|(name, n)| format!("\"{name}\":{n}")).collect();
        format!(
            "{{\"kernel\":\"{name}\",\"grid\":{},\"block\":{},\"shared_bytes\":{},\"warp_instructions\":{},\
             \"thread_instructions\":{},\"classes\":{{{}}},\"global_loads\":{},\"global_stores\":{},\
             \"shared\":{{\"requests\":{},\"wavefronts\":{},\"ideal\":{}}},\"divergent_instructions\":{},\
             \"divergent_branches\":{},\"barriers\":{},\"atomics\":{}}}",
            dim(self.grid),
            dim(self.block),
            self.shared_bytes,
            self.warp_instructions,
            self.thread_instructions,
            classes.join(","),
            requests(self.global_loads),
            requests(self.global_stores),
            self.shared_requests,
            self.shared_wavefronts,
            self.shared_ideal,
            self.divergent_instructions,
            self.divergent_branches,
            self.barriers,
            self.atomics
        )
    }
}

/// Sorts and counts different values.
fn different(values: &mut [u64]) -> usize {
    if !values.is_sorted() {
        values.sort_unstable();
    }
    let mut n = usize::from(!values.is_empty());
    for k in 1..values.len() {
        if values[k] != values[n - 1] {
            values[n] = values[k];
            n += 1;
        }
    }
    n
}

/// Sectors of 32 bytes that at most 32 lanes touch.
pub(crate) fn sectors(addresses: &[u64], bytes: u32) -> u64 {
    // An aligned access of up to 32 bytes lies in one sector, one of 64 in two.
    let each = bytes.div_ceil(32).clamp(1, 2) as u64;
    let (mut all, mut n) = ([0u64; 64], 0);
    for &a in addresses {
        for k in 0..each {
            all[n] = a / 32 + k;
            n += 1;
        }
    }
    different(&mut all[..n]) as u64
}

/// Passes over the 32 banks that one request needs, and those it would need without conflicts.
///
/// Lanes go in groups whose accesses make 128 bytes; in a group each bank serves one 4-byte word
/// a pass, and lanes that want the same word share it.
pub(crate) fn wavefronts(addresses: &[u64], bytes: u32) -> (u64, u64) {
    let (group, each) = ((128 / bytes.max(4)).max(1) as usize, bytes.div_ceil(4).min(32) as u64);
    let (mut passes, mut ideal) = (0, 0);
    for chunk in addresses.chunks(group) {
        let (mut words, mut n) = ([0u64; 32], 0);
        for &a in chunk {
            for k in 0..each {
                words[n] = a / 4 + k;
                n += 1;
            }
        }
        let n = different(&mut words[..n]);
        let mut banks = [0u8; 32];
        for word in &words[..n] {
            banks[(word % 32) as usize] += 1;
        }
        passes += banks.iter().max().copied().unwrap_or(0) as u64;
        ideal += 1;
    }
    (passes, ideal)
}
