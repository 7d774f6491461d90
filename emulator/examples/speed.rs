//! Warp instructions that the emulator executes in a second of processor time, on ordinary
//! kernels. It measures the emulator, not any GPU.
//!
//! `cargo run --release -p ptx-emulator --example speed`

use ptx_emulator::{Device, Dim, Options, Profile};
use std::time::Instant;

/// Name, grid, block and arguments: letters are buffers, numbers are `u32`s.
const RUNS: [(&str, Dim, u32, &[Argument]); 4] = [
    (
        "add",
        Dim { x: 4096, y: 1, z: 1 },
        256,
        &[Argument::Buffer(0), Argument::Buffer(1), Argument::Buffer(2), Argument::Number(1 << 20)],
    ),
    (
        "polynomial",
        Dim { x: 4096, y: 1, z: 1 },
        256,
        &[Argument::Buffer(0), Argument::Buffer(2), Argument::Number(1 << 20)],
    ),
    ("normalise", Dim { x: 1024, y: 1, z: 1 }, 256, &[Argument::Buffer(0), Argument::Buffer(2)]),
    (
        "gemm",
        Dim { x: 4, y: 4, z: 1 },
        256,
        &[Argument::Buffer(0), Argument::Buffer(1), Argument::Buffer(2), Argument::Number(256)],
    ),
];

enum Argument {
    Buffer(usize),
    Number(u32),
}

fn main() {
    let threads = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(1);
    println!("warp instructions on {threads} host threads, best of 3");
    for (mode, check, counts) in [("plain", false, false), ("counts", false, true), ("check", true, false)] {
        let device = Device::new(Profile::sm_80(), Options { check, counts, threads, ..Options::default() });
        let module = device.load(include_str!("speed/kernels.ptx")).expect("it is PTX");
        let floats: Vec<u8> = (0..1 << 20).flat_map(|k| (k as f32 / 7e5).to_le_bytes()).collect();
        let buffers: Vec<u64> = (0..3).map(|_| device.alloc(4 << 20).expect("12 MiB")).collect();
        for &b in &buffers {
            device.write(b, &floats).expect("it was allocated");
        }
        for (name, grid, block, arguments) in &RUNS {
            let kernel = module.kernel(name).expect("it is in the module");
            let mut params = vec![0u8; kernel.params().last().map_or(0, |p| (p.0 + p.1) as usize)];
            for (&(at, _), argument) in kernel.params().iter().zip(*arguments) {
                match argument {
                    Argument::Buffer(k) => {
                        params[at as usize..][..8].copy_from_slice(&buffers[*k].to_le_bytes())
                    }
                    Argument::Number(n) => params[at as usize..][..4].copy_from_slice(&n.to_le_bytes()),
                }
            }
            let (mut best, mut instructions) = (f64::INFINITY, 0);
            for _ in 0..3 {
                let start = Instant::now();
                let counts = device.launch(kernel.clone(), *grid, Dim::x(*block), 0, &params);
                let counts = counts.unwrap_or_else(|e| panic!("{e}"));
                best = best.min(start.elapsed().as_secs_f64());
                instructions = counts.warp_instructions;
            }
            println!(
                "{mode:7} {name:11} {:6.2} M in {best:6.3} s: {:6.1} M a second",
                instructions as f64 / 1e6,
                instructions as f64 / best / 1e6
            );
        }
    }
}
