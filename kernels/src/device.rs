//! Where memory lives and kernels run.

use crate::{Backend, Buffer, Result, cpu::Cpu};
use std::fmt;
use std::str::FromStr;

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

/// A name that is no device's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no device {0:?}: expected cpu, cuda or cuda:1")]
pub struct ParseDeviceError(String);

impl FromStr for Device {
    type Err = ParseDeviceError;

    /// `cpu`, `cuda` (the first) or `cuda:1`, as `torch.device` reads them. Whether it is there is another question:
    /// [`Device::cuda`], [`Device::name`].
    fn from_str(text: &str) -> std::result::Result<Device, ParseDeviceError> {
        let index = |i: &str| i.bytes().all(|b| b.is_ascii_digit()).then(|| i.parse().ok()).flatten();
        let device = match text.split_once(':') {
            None if text == "cpu" => Some(Device::Cpu),
            None if text == "cuda" => Some(Device::Cuda(0)),
            Some(("cpu", "0")) => Some(Device::Cpu),
            Some(("cuda", i)) => index(i).map(Device::Cuda),
            _ => None,
        };
        device.ok_or_else(|| ParseDeviceError(text.to_owned()))
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

#[cfg(test)]
mod tests {
    use super::Device;

    #[test]
    fn names() {
        for (text, device) in [
            ("cpu", Device::Cpu),
            ("cuda", Device::Cuda(0)),
            ("cuda:0", Device::Cuda(0)),
            ("cuda:17", Device::Cuda(17)),
        ] {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        for text in [
            "",
            "gpu",
            "CUDA",
            "cuda:",
            "cuda:-1",
            "cuda:+1",
            "cuda:1.0",
            "cpu:1",
            "cuda:99999999999999999999",
        ] {
            let error = text.parse::<Device>().unwrap_err();
            assert_eq!(error.to_string(), format!("no device {text:?}: expected cpu, cuda or cuda:1"));
        }
    }
}
