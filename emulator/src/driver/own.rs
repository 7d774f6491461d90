//! What CUDA does not have: what was asked of the driver, and its last report.

use super::Code;
use super::state::initialised;

/// What a program asked of the driver, for its own budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ApiCounts {
    /// Kernel launches.
    pub launches: u64,
    /// Calls that wait for the device.
    pub synchronisations: u64,
    /// Allocations of device memory.
    pub allocations: u64,
    /// Frees of device memory.
    pub frees: u64,
    /// Copies to the device.
    pub to_device: u64,
    /// Their bytes.
    pub to_device_bytes: u64,
    /// Copies to the host.
    pub to_host: u64,
    /// Their bytes.
    pub to_host_bytes: u64,
    /// Copies inside the device.
    pub on_device: u64,
    /// Fills.
    pub fills: u64,
    /// Events recorded.
    pub events: u64,
    /// Modules loaded.
    pub modules: u64,
}

impl ApiCounts {
    pub(super) fn json(&self) -> String {
        format!(
            "{{\"api\":{{\"launches\":{},\"synchronisations\":{},\"allocations\":{},\"frees\":{},\"to_device\":{},\
             \"to_device_bytes\":{},\"to_host\":{},\"to_host_bytes\":{},\"on_device\":{},\"fills\":{},\"events\":{},\
             \"modules\":{}}}}}",
            self.launches,
            self.synchronisations,
            self.allocations,
            self.frees,
            self.to_device,
            self.to_device_bytes,
            self.to_host,
            self.to_host_bytes,
            self.on_device,
            self.fills,
            self.events,
            self.modules
        )
    }
}

super::export! {
    /// What this process has asked of the current context's device since that began; not a CUDA function.
    fn ptxEmulatorApiCounts(counts: *mut ApiCounts) {
        let counted = initialised()?.counts;
        super::give(counts, counted)
    }
    /// The last report, cut to `bytes`; not a CUDA function.
    fn ptxEmulatorLastReport(text: *mut u8, bytes: usize) {
        let report = initialised()?.report.clone();
        if text.is_null() || bytes == 0 {
            return Err(Code::InvalidValue);
        }
        let n = report.len().min(bytes - 1);
        // SAFETY: the caller vouches for `bytes` bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(report.as_ptr(), text, n);
            text.add(n).write(0);
        }
        Ok(())
    }
}
