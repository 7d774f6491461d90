//! What a device is.

/// What the driver says of a device (`torch.cuda.get_device_properties`). Numbers that it does not say are 0.
///
/// An emulator's clocks are those of no machine.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Properties {
    /// As [`device_name`](super::device_name).
    pub name: String,
    /// Major and minor number: (8, 0) is sm_80.
    pub compute_capability: (u32, u32),
    /// Multiprocessors (SMs).
    pub multiprocessors: u32,
    /// Threads that a multiprocessor holds.
    pub threads_per_multiprocessor: u32,
    /// Clock of the multiprocessors, at its highest.
    pub clock_khz: u32,
    /// Clock of the memory, which moves data at both of its edges.
    pub memory_clock_khz: u32,
    /// Width of the memory's bus.
    pub memory_bus_bits: u32,
    /// All memory of the device.
    pub memory_bytes: usize,
    /// Its second-level cache.
    pub cache_bytes: u32,
    /// The version of CUDA that the driver knows: (12, 4).
    pub driver: (u32, u32),
}
