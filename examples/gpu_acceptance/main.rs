//! For the first run on a graphics card: does everything compute there what it computes on the CPU, and how fast?
//!
//!     cargo run --release --features cuda --example gpu_acceptance
//!
//! It runs operations, layers, losses and optimizers, forward and backward, on both and compares the numbers; trains
//! a small network on both and compares the losses; times kernels beside the card's peaks. It writes a report to
//! attach to an issue, and ends with 0 where all is well, 1 where something differs, 2 where there is no device.
//!
//! What it teaches: how tensors and models move between devices, how errors of a device are met, and how little of a
//! program depends on where it runs. `suite.rs` and `layers.rs` are also a tour of the library.

mod bench;
mod card;
mod check;
mod layers;
mod report;
mod suite;
mod training;

use bench::Size;
use card::Card;
use check::{Check, caught};
use clap::Parser;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use taper::prelude::*;

/// Compares a CUDA device with the CPU, times its kernels and writes a report.
#[derive(Parser)]
struct Args {
    /// `cuda`, `cuda:1`, …; `cpu` compares the CPU with itself, to try this program out.
    #[arg(long, default_value = "cuda")]
    device: Device,
    /// Seed of all inputs and of the initial weights.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Checks float32 only, trains 4 steps of 8 pictures, times small problems. Emulated devices are slow enough
    /// to want this.
    #[arg(long)]
    quick: bool,
    /// Leaves the benchmarks out.
    #[arg(long)]
    no_bench: bool,
    /// Names every check as it ends, not only those that fail.
    #[arg(long)]
    verbose: bool,
    /// The report.
    #[arg(long, default_value = "runs/gpu_acceptance.md")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let card = match Card::of(args.device) {
        Ok(card) => card,
        Err(e) => {
            eprintln!("gpu_acceptance: {e}");
            eprintln!("`cargo xtask cuda test` checks the kernels without a GPU, on an emulator.");
            return ExitCode::from(2);
        }
    };
    println!("{}", card.name);
    for (what, value) in &card.facts {
        println!("  {what}: {value}");
    }
    if card.emulated {
        println!(
            "An emulated device: there are no times in what follows; benchmarks run once each, with tiny sizes."
        );
    }
    match run(&args, &card) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(e) => {
            eprintln!("gpu_acceptance: {}: {e}", args.out.display());
            ExitCode::from(1)
        }
    }
}

fn run(args: &Args, card: &Card) -> std::io::Result<bool> {
    // Where a check fails its message is part of the report.
    std::panic::set_hook(Box::new(|_| {}));
    let device = args.device;
    manual_seed(args.seed);
    let dtypes = [DType::F32, DType::F64, DType::F16, DType::BF16];
    let verbose = args.verbose;
    let done = |check: &Check| match &check.outcome {
        Err(why) => println!("FAILED {}: {}: {}", check.group, check.name, why.lines().next().unwrap_or("")),
        Ok(error) if verbose => println!("{}: {}: {:.1} %", check.group, check.name, 100.0 * error),
        Ok(_) => {}
    };
    let mut checks = suite::run(device, &dtypes[..if args.quick { 1 } else { 4 }], done);
    checks.extend(layers::layers(device, done));
    checks.extend(layers::losses(device, done));
    checks.extend(layers::optimizers(device, done));
    let passed = checks.iter().filter(|c| c.passed()).count();
    println!("{passed} of {} checks agree with the CPU", checks.len());

    let (steps, batch) = if args.quick { (4, 8) } else { (30, 32) };
    let training = caught(|| training::run(device, args.seed, steps, batch).map_err(|e| e.to_string()))
        .and_then(|result| result);
    match &training {
        Ok(t) => println!("training: losses differ by {:.1e} at the most in {steps} steps", t.worst()),
        Err(e) => println!("training FAILED: {e}"),
    }

    let size = match (card.emulated, args.quick) {
        (true, _) => Size::Tiny,
        (false, true) => Size::Small,
        (false, false) => Size::Full,
    };
    let timings = (!args.no_bench).then(|| {
        bench::run(device, card.memory, size, |timing| match &timing.seconds {
            Ok(Some(seconds)) => println!("{:<40} {:>10.1} µs", timing.name, seconds * 1e6),
            Ok(None) => {}
            Err(e) => println!("{:<40} FAILED {}", timing.name, e.lines().next().unwrap_or("")),
        })
    });

    let report = Report { card, checks: &checks, training: &training, timings: timings.as_deref() };
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&args.out, report.markdown())?;
    println!(
        "{}; the report is in {}",
        if report.passed() { "passed" } else { "FAILED" },
        args.out.display()
    );
    Ok(report.passed())
}
