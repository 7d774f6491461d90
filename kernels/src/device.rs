//! Where memory lives and kernels run.

use crate::{Backend, Buffer, Result, cpu::Cpu};
use std::fmt;

/// A place for tensors: the CPU or one CUDA device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Device {
    /// The host's processor and memory.
    #[default]
    Cpu,
    /// The CUDA device of an index; needs the feature `cuda`, and an NVIDIA driver when it is used.
    Cuda(usize),
}

impl Device {
    /// The CUDA device `index`, or the reason why it cannot be used.
    pub fn cuda(index: usize) -> Result<Device> {
        let device = Device::Cuda(index);
        device.backend().map(|_| device)
    }

    /// The first CUDA device where there is one, otherwise the CPU. An emulated driver on the library's path
    /// counts, see [`name`](Device::name).
    pub fn cuda_if_available() -> Device {
        Device::cuda(0).unwrap_or(Device::Cpu)
    }

    /// CUDA devices that can be used; 0 without a driver or the feature `cuda` (`torch.cuda.device_count`).
    pub fn cuda_count() -> usize {
        #[cfg(feature = "cuda")]
        return crate::cuda::device_count();
        #[cfg(not(feature = "cuda"))]
        0
    }

    /// What the device calls itself (`torch.cuda.get_device_name`); an emulator says so here.
    pub fn name(self) -> Result<String> {
        match self {
            #[cfg(feature = "cuda")]
            Device::Cuda(index) => crate::cuda::device_name(index).map(str::to_owned),
            _ => self.backend().map(|_| "CPU".to_owned()),
        }
    }

    /// The kernels of this device.
    pub fn backend(self) -> Result<&'static dyn Backend> {
        match self {
            Device::Cpu => Ok(&Cpu),
            #[cfg(feature = "cuda")]
            Device::Cuda(index) => Ok(crate::cuda::backend(index)?),
            #[cfg(not(feature = "cuda"))]
            Device::Cuda(_) => Err(crate::Error::DeviceUnavailable {
                device: self,
                why: "taper was built without its feature \"cuda\"".into(),
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
    /// A CUDA device's memory.
    #[cfg(feature = "cuda")]
    Cuda(crate::cuda::CudaBuffer),
}

impl Storage {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Storage::Cpu(b) => b.len(),
            #[cfg(feature = "cuda")]
            Storage::Cuda(b) => b.len(),
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
            #[cfg(feature = "cuda")]
            Storage::Cuda(b) => b.device(),
        }
    }
    /// The host buffer; `None` on other devices.
    pub fn as_cpu(&self) -> Option<&Buffer> {
        match self {
            Storage::Cpu(b) => Some(b),
            #[cfg(feature = "cuda")]
            Storage::Cuda(_) => None,
        }
    }
    /// The memory of a CUDA device; `None` on other devices.
    #[cfg(feature = "cuda")]
    pub fn as_cuda(&self) -> Option<&crate::cuda::CudaBuffer> {
        match self {
            Storage::Cpu(_) => None,
            Storage::Cuda(b) => Some(b),
        }
    }
    /// The host buffer, to write; `None` on other devices.
    pub fn as_cpu_mut(&mut self) -> Option<&mut Buffer> {
        match self {
            Storage::Cpu(b) => Some(b),
            #[cfg(feature = "cuda")]
            Storage::Cuda(_) => None,
        }
    }
}
