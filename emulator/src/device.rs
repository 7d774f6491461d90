//! The Rust interface: memory, modules and launches of one emulated device.

use crate::PtxError;
use crate::counts::Counts;
use crate::decode::{self, Kernel, Module};
use crate::error::{Fault, FaultKind};
use crate::exec::{self, Dim, Launch};
use crate::memory::{Memory, Table};
use crate::options::Options;
use crate::profile::Profile;
use std::sync::{Arc, Mutex, MutexGuard};

/// An emulated device. Addresses are `u64`s that mean nothing to the host.
pub struct Device {
    profile: Profile,
    options: Options,
    memory: Mutex<Memory>,
}

impl Device {
    /// A device with the limits of a profile.
    pub fn new(profile: Profile, options: Options) -> Self {
        Device::numbered(profile, options, 0)
    }

    /// One of several devices of a program: their addresses differ.
    pub(crate) fn numbered(profile: Profile, options: Options, ordinal: usize) -> Self {
        let memory = Mutex::new(Memory::new(profile.memory, options.check, ordinal));
        Device { profile, options, memory }
    }

    /// Its limits.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// How launches run.
    pub fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Memory for `bytes` bytes, or `None` where the device has no more.
    pub fn alloc(&self, bytes: u64) -> Option<u64> {
        self.memory().alloc(bytes)
    }

    /// Frees what [`Device::alloc`] gave; `false` where nothing starts at that address.
    pub fn free(&self, address: u64) -> bool {
        self.memory().free(address)
    }

    /// Copies to the device; an error says what is wrong with the range.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), String> {
        self.memory().write(address, bytes)
    }

    /// Copies from the device.
    pub fn read(&self, address: u64, bytes: usize) -> Result<Vec<u8>, String> {
        let mut memory = self.memory();
        // The range is checked before memory of the claimed size is taken.
        memory
            .find(address, bytes as u64)
            .ok_or_else(|| format!("{bytes} bytes at {address:#x} are not allocated"))?;
        let mut out = vec![0; bytes];
        memory.read(address, &mut out)?;
        Ok(out)
    }

    /// Loads a module from PTX text.
    pub fn load(&self, ptx: &str) -> Result<Module, PtxError> {
        let taken = std::cell::RefCell::new(Vec::new());
        let module = decode::load(
            ptx,
            self.profile.number(),
            &self.options,
            |bytes| {
                let start = self.memory().alloc(bytes.max(1))?;
                taken.borrow_mut().push(start);
                Some(start)
            },
            |address, bytes, constant| {
                let mut memory = self.memory();
                let _ = memory.write(address, bytes);
                if constant {
                    memory.protect(address);
                }
            },
        );
        if module.is_err() {
            for start in taken.into_inner() {
                self.free(start);
            }
        }
        module
    }

    /// Runs a kernel to its end. `params` holds the arguments at the offsets of
    /// [`Kernel::params`].
    pub fn launch(
        &self,
        kernel: Arc<Kernel>,
        grid: Dim,
        block: Dim,
        shared: u32,
        params: &[u8],
    ) -> Result<Counts, Fault> {
        let table = self.memory().table();
        self.launch_with(&kernel, grid, block, shared, params, &table, self.profile.shared_per_block_opt_in)
    }

    #[allow(clippy::too_many_arguments)] // Those of a launch.
    pub(crate) fn launch_with(
        &self,
        kernel: &Kernel,
        grid: Dim,
        block: Dim,
        dynamic: u32,
        params: &[u8],
        table: &Table,
        shared_limit: u32,
    ) -> Result<Counts, Fault> {
        let shared = kernel.shared.saturating_add(dynamic);
        let mut aligned = vec![0u128; params.len().max(kernel.param_bytes as usize).div_ceil(16)];
        for (k, &byte) in params.iter().enumerate() {
            aligned[k / 16] |= (byte as u128) << (8 * (k % 16));
        }
        let launch =
            Launch { kernel, grid, block, shared, dynamic, params: &aligned, table, options: &self.options };
        if let Some(what) = self.refuse(kernel, grid, block, shared, shared_limit) {
            return Err(launch.fault(FaultKind::Launch, what));
        }
        if params.len() < kernel.param_bytes as usize {
            let what = format!("{} bytes of arguments where {} are needed", params.len(), kernel.param_bytes);
            return Err(launch.fault(FaultKind::Launch, what));
        }
        exec::launch(&launch)
    }

    /// Why this launch cannot run on this device, if it cannot.
    pub(crate) fn refuse(
        &self,
        kernel: &Kernel,
        grid: Dim,
        block: Dim,
        shared: u32,
        limit: u32,
    ) -> Option<String> {
        let threads = block.count();
        if grid.count() == 0 || threads == 0 {
            return Some("an empty grid or block".into());
        }
        if block.x > 1024 || block.y > 1024 || block.z > 64 || threads > Profile::THREADS_PER_BLOCK as u64 {
            return Some(format!("a block of {} x {} x {} threads is too large", block.x, block.y, block.z));
        }
        if threads > kernel.max_threads as u64 {
            return Some(format!(
                "{threads} threads where the kernel's launch bounds allow {}",
                kernel.max_threads
            ));
        }
        if kernel.required.is_some_and(|r| r != [block.x, block.y, block.z]) {
            return Some("the kernel requires another block".into());
        }
        if grid.x > i32::MAX as u32 || grid.y > 65535 || grid.z > 65535 {
            return Some(format!("a grid of {} x {} x {} blocks is too large", grid.x, grid.y, grid.z));
        }
        (shared > limit).then(|| format!("{shared} bytes of shared memory where {limit} are allowed"))
    }
}
