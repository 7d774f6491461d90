//! What all kernels of one device share.

use super::counters::{Counters, Counts};
use super::driver::Driver;
use super::fault::{Fault, Faults, Word};
use super::launch::Argument;
use super::memory::{Cache, CudaBuffer};
use super::modules::{Modules, Name};
use super::staging::Staging;
use crate::{DType, Device, Error, Result, Storage, View, ViewMut};

/// A device with its memory, its kernels and its errors. It lives as long as the program.
pub(super) struct Context {
    pub driver: Driver,
    pub cache: Cache,
    pub counters: Counters,
    staging: Staging,
    modules: Modules,
    faults: Faults,
}

impl Context {
    pub fn open(index: usize) -> Result<Context> {
        Ok(Context {
            driver: Driver::open(index)?,
            cache: Cache::default(),
            counters: Counters::default(),
            staging: Staging::new(),
            modules: Modules::default(),
            faults: Faults::default(),
        })
    }

    pub fn device(&self) -> Device {
        self.driver.device()
    }

    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// Memory for a kernel's own use, or a result.
    pub fn alloc(&'static self, bytes: usize) -> Result<CudaBuffer> {
        CudaBuffer::new(self, bytes)
    }

    /// Memory with these bytes.
    pub fn upload(&'static self, bytes: &[u8]) -> Result<CudaBuffer> {
        let memory = self.alloc(bytes.len())?;
        if !bytes.is_empty() {
            // SAFETY: memory of this length.
            unsafe { self.staging.upload(self, memory.address(), bytes) }?;
        }
        Ok(memory)
    }

    /// Some bytes from a place in a device's memory on. Waits for the device, and reports what kernels before it found
    /// wrong.
    pub fn download_at(&self, memory: &CudaBuffer, from: usize, bytes: usize) -> Result<Vec<u8>> {
        assert!(from + bytes <= memory.len(), "{bytes} from {from} on of {} bytes", memory.len());
        let mut to = vec![0; bytes];
        self.read(memory.address() + from as u64, &mut to)?;
        Ok(to)
    }

    /// Waits for all work, and reports what it found wrong.
    pub fn synchronize(&self) -> Result {
        self.read(0, &mut [])
    }

    fn read(&self, from: u64, to: &mut [u8]) -> Result {
        Counters::add(&self.counters.synchronizations, 1);
        self.faults.reported(self, |words| {
            // SAFETY: the caller's range, and the words of the faults.
            unsafe { self.staging.download(self, from, to, words) }
        })
    }

    /// Where a kernel says what it finds wrong, see [`Fault`]; to be held until the kernel is launched.
    pub fn fault(&'static self, fault: Fault) -> Result<Word<'static>> {
        self.faults.slot(self, fault)
    }

    /// Puts a kernel of one-dimensional blocks of [`THREADS`](super::driver::THREADS) threads into the stream.
    ///
    /// # Safety
    /// `arguments` are what the kernel takes, in order, and describe memory of this device that it may touch.
    pub unsafe fn launch(&self, name: Name, blocks: u32, arguments: &[Argument]) -> Result {
        // SAFETY: as promised.
        unsafe { self.launch_grid(name, [blocks, 1, 1], super::driver::THREADS, arguments) }
    }

    /// As [`launch`](Self::launch) with a grid of blocks.
    ///
    /// # Safety
    /// As for `launch`.
    pub unsafe fn launch_grid(
        &self,
        name: Name,
        grid: [u32; 3],
        threads: u32,
        arguments: &[Argument],
    ) -> Result {
        if grid.contains(&0) {
            return Ok(());
        }
        let function = self.modules.function(&self.driver, &self.counters, name)?;
        Counters::add(&self.counters.launches, 1);
        // SAFETY: an `Argument` is a pointer to what it was made of; the rest as promised.
        unsafe { self.driver.launch(function, grid, threads, Argument::pointers(arguments)) }
    }

    /// The address of a view's first element; an error where it is on another device.
    pub fn address(&self, x: &View) -> Result<u64> {
        self.address_in(x.storage, x.dtype, x.layout.offset())
    }

    /// As [`address`](Self::address), to write.
    pub fn address_mut(&self, x: &ViewMut) -> Result<u64> {
        self.address_in(x.storage, x.dtype, x.layout.offset())
    }

    fn address_in(&self, storage: &Storage, dtype: DType, offset: usize) -> Result<u64> {
        match storage {
            Storage::Cuda(memory) if std::ptr::eq(memory.context(), self) => {
                Ok(memory.address() + (offset * dtype.size()) as u64)
            }
            other => Err(Error::OtherDevice { expected: self.device(), found: other.device() }),
        }
    }

    /// The error of a kernel that is not there.
    pub fn unsupported(&self, op: &'static str, dtype: DType) -> Error {
        Error::Unsupported { op, dtype, device: self.device() }
    }
}
