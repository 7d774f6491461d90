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
    /// The same of f64.
    pub peak_doubles: Option<f64>,
    /// Bytes to and from its memory in a second.
    pub peak_bytes: Option<f64>,
    /// All its memory.
    pub memory: Option<usize>,
}

impl Card {
    /// The CPU in the place of a device.
    pub fn host() -> Card {
        let name = format!("the CPU ({})", std::env::consts::ARCH);
        let (peak_flops, peak_doubles, peak_bytes, memory) = (None, None, None, None);
        Card { name, emulated: false, facts: Vec::new(), peak_flops, peak_doubles, peak_bytes, memory }
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
        let emulated = p.name.contains("emulator");
        // What an attribute does not say is 0, as clocks are with newer drivers; `nvidia-smi`, which comes with the
        // driver, knows them.
        let [mut clock, mut memory_clock] = [p.clock_khz, p.memory_clock_khz].map(|khz| khz as f64 * 1e3);
        if !emulated && (clock == 0.0 || memory_clock == 0.0) {
            let [a, b] = nvidia_smi(index).unwrap_or_default();
            clock = if clock == 0.0 { a } else { clock };
            memory_clock = if memory_clock == 0.0 { b } else { memory_clock };
        }
        let known = |x: f64| (x > 0.0).then_some(x);
        let peak_flops =
            cores(major, minor).and_then(|c| known(2.0 * (c * p.multiprocessors) as f64 * clock));
        let peak_doubles = peak_flops.map(|f| f * doubles(major, minor));
        // Memory moves data at both edges of its clock.
        let peak_bytes = known(2.0 * memory_clock * p.memory_bus_bits as f64 / 8.0);
        let mut facts = vec![
            ("compute capability", format!("{major}.{minor}")),
            ("multiprocessors", p.multiprocessors.to_string()),
            ("memory", format!("{:.1} GiB", p.memory_bytes as f64 / (1u64 << 30) as f64)),
            ("second-level cache", format!("{:.1} MiB", p.cache_bytes as f64 / (1u64 << 20) as f64)),
            ("CUDA version of the driver", format!("{}.{}", p.driver.0, p.driver.1)),
        ];
        if !emulated {
            let unknown = || "unknown: neither the driver nor nvidia-smi says the clock".to_string();
            facts.extend([
                (
                    "clocks",
                    format!(
                        "{:.2} GHz, memory {:.2} GHz × {} bits",
                        clock / 1e9,
                        memory_clock / 1e9,
                        p.memory_bus_bits
                    ),
                ),
                ("peak, f32", peak_flops.map_or_else(unknown, |f| format!("{:.1} TFLOP/s", f / 1e12))),
                ("peak, memory", peak_bytes.map_or_else(unknown, |b| format!("{:.0} GB/s", b / 1e9))),
            ]);
        }
        let memory = Some(p.memory_bytes);
        Ok(Card { name: p.name, emulated, facts, peak_flops, peak_doubles, peak_bytes, memory })
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

/// How fast a multiprocessor is in f64, in shares of f32.
#[cfg(feature = "cuda")]
fn doubles(major: u32, minor: u32) -> f64 {
    match (major, minor) {
        (7..=10, 0) => 1.0 / 2.0,
        (7, _) => 1.0 / 32.0,
        _ => 1.0 / 64.0,
    }
}

/// The highest clocks of multiprocessors and memory, in Hz, as the driver's own program says them.
#[cfg(feature = "cuda")]
fn nvidia_smi(index: usize) -> Option<[f64; 2]> {
    let mut command = std::process::Command::new("nvidia-smi");
    command.args(["--query-gpu=clocks.max.sm,clocks.max.memory", "--format=csv,noheader,nounits", "-i"]);
    let out = command.arg(index.to_string()).output().ok().filter(|out| out.status.success())?;
    clocks(&String::from_utf8_lossy(&out.stdout))
}

/// `1980, 2619`: MHz; a clock that it does not know is `[N/A]`, and 0 here.
#[cfg(feature = "cuda")]
fn clocks(line: &str) -> Option<[f64; 2]> {
    let (sm, memory) = line.lines().next()?.split_once(',')?;
    Some([sm, memory].map(|mhz| mhz.trim().parse::<f64>().unwrap_or(0.0) * 1e6))
}

#[cfg(all(test, feature = "cuda"))]
mod tests {
    use super::*;

    #[test]
    fn peaks_of_known_cards() {
        assert_eq!(clocks("1980, 2619\n"), Some([1980e6, 2619e6]));
        assert_eq!(clocks("[N/A], 9751\n"), Some([0.0, 9751e6]));
        assert_eq!(clocks(""), None);
        // H100 SXM: 132 multiprocessors at 1.98 GHz, 67 TFLOP/s; RTX 3090: 82 at 1.695 GHz, 35.6; T4: 40 at 1.59, 8.1.
        for (sm, count, clock, flops, share) in [
            ((9, 0), 132, 1.98e9, 66.9e12, 0.5),
            ((8, 6), 82, 1.695e9, 35.6e12, 1.0 / 64.0),
            ((7, 5), 40, 1.59e9, 8.14e12, 1.0 / 32.0),
        ] {
            let peak = 2.0 * (cores(sm.0, sm.1).unwrap() * count) as f64 * clock;
            assert!((peak / flops - 1.0).abs() < 0.01, "{sm:?}: {peak:e}");
            assert_eq!(doubles(sm.0, sm.1), share);
        }
    }
}
