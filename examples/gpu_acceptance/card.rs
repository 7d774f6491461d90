//! What the driver says of a device, and what the device could do at the most.

use taper::Device;

pub struct Card {
    pub name: String,
    /// Whether there is no hardware behind it: then nothing measured is a time.
    pub emulated: bool,
    /// More about it, for the report.
    pub facts: Vec<(&'static str, String)>,
    /// Floating-point operations in a second: two for each core and clock, f32.
    pub peak_flops: Option<f64>,
    /// Bytes to and from its memory in a second.
    pub peak_bytes: Option<f64>,
}

impl Card {
    /// The CPU in the place of a device.
    pub fn host() -> Card {
        let name = format!("the CPU ({})", std::env::consts::ARCH);
        Card { name, emulated: false, facts: Vec::new(), peak_flops: None, peak_bytes: None }
    }

    #[cfg(not(feature = "cuda"))]
    pub fn of(device: Device) -> taper::kernels::Result<Card> {
        device.backend().map(|_| Card::host())
    }

    #[cfg(feature = "cuda")]
    pub fn of(device: Device) -> taper::kernels::Result<Card> {
        let Device::Cuda(index) = device else { return Ok(Card::host()) };
        let p = taper::kernels::cuda::properties(index)?;
        let (major, minor) = p.compute_capability;
        // What an attribute does not say is 0.
        let known = |x: f64| (x > 0.0).then_some(x);
        let clock = p.clock_khz as f64 * 1e3;
        let peak_flops =
            cores(major, minor).and_then(|c| known(2.0 * (c * p.multiprocessors) as f64 * clock));
        // Memory moves data at both edges of its clock.
        let peak_bytes = known(2.0 * p.memory_clock_khz as f64 * 1e3 * p.memory_bus_bits as f64 / 8.0);
        let mut facts = vec![
            ("compute capability", format!("{major}.{minor}")),
            ("multiprocessors", p.multiprocessors.to_string()),
            ("memory", format!("{:.1} GiB", p.memory_bytes as f64 / (1u64 << 30) as f64)),
            ("second-level cache", format!("{:.1} MiB", p.cache_bytes as f64 / (1u64 << 20) as f64)),
            ("CUDA version of the driver", format!("{}.{}", p.driver.0, p.driver.1)),
        ];
        let emulated = p.name.contains("emulator");
        if !emulated {
            let unknown = || "unknown".to_string();
            facts.extend([
                (
                    "clocks",
                    format!(
                        "{:.2} GHz, memory {:.2} GHz × {} bits",
                        clock / 1e9,
                        p.memory_clock_khz as f64 / 1e6,
                        p.memory_bus_bits
                    ),
                ),
                ("peak, f32", peak_flops.map_or_else(unknown, |f| format!("{:.1} TFLOP/s", f / 1e12))),
                ("peak, memory", peak_bytes.map_or_else(unknown, |b| format!("{:.0} GB/s", b / 1e9))),
            ]);
        }
        Ok(Card { name: p.name, emulated, facts, peak_flops, peak_bytes })
    }
}

/// f32 cores of a multiprocessor.
#[cfg(feature = "cuda")]
fn cores(major: u32, minor: u32) -> Option<u32> {
    match (major, minor) {
        (7, _) | (8, 0) => Some(64),
        (8.., _) => Some(128),
        _ => None,
    }
}
