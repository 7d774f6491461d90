//! Where memory lives and kernels run.

use crate::{Backend, Buffer, Error, Result, cpu::Cpu};
use std::fmt;

/// A place for tensors: the CPU or one CUDA device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Device {
    /// The host's processor and memory.
    #[default]
    Cpu,
    /// The CUDA device of an index. No backend for it is compiled into this version.
    Cuda(usize),
}

impl Device {
    /// The CUDA device `index`, or the reason why it cannot be used.
    pub fn cuda(index: usize) -> Result<Device> {
        let device = Device::Cuda(index);
        device.backend().map(|_| device)
    }

    /// The first CUDA device where there is one, otherwise the CPU.
    pub fn cuda_if_available() -> Device {
        Device::cuda(0).unwrap_or(Device::Cpu)
    }

    /// The kernels of this device.
    pub fn backend(self) -> Result<&'static dyn Backend> {
        match self {
            Device::Cpu => Ok(&Cpu),
            Device::Cuda(_) => Err(Error::DeviceUnavailable {
                device: self,
                why: "this build of taper has no CUDA backend".into(),
            }),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(i) => write!(f, "cuda:{i}"),
        }
    }
}

/// Memory on some device.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Storage {
    /// Host memory.
    Cpu(Buffer),
}

impl Storage {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Storage::Cpu(b) => b.len(),
        }
    }
    /// True for no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Where it lives.
    pub fn device(&self) -> Device {
        match self {
            Storage::Cpu(_) => Device::Cpu,
        }
    }
    /// The host buffer; `None` on other devices.
    pub fn as_cpu(&self) -> Option<&Buffer> {
        match self {
            Storage::Cpu(b) => Some(b),
        }
    }
    /// The host buffer, to write; `None` on other devices.
    pub fn as_cpu_mut(&mut self) -> Option<&mut Buffer> {
        match self {
            Storage::Cpu(b) => Some(b),
        }
    }
}
