//! What all benchmarks share: criterion's settings, the work that a workload is, inputs.
#![allow(dead_code, unused_imports)] // No family needs everything.

pub mod steps;
pub use steps::numbers;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use std::time::Duration;
use taper::{Tensor, manual_seed};

/// The least that the definition of a workload asks for; criterion prints it per second.
pub enum Work {
    /// Floating-point operations (printed as `elem`).
    Flops(usize),
    /// Each input read once, each output written once.
    Bytes(usize),
    /// Whatever there are many of: operations of a chain, steps, keys (printed as `elem`).
    Items(usize),
}

/// Benchmarks of one kernel family.
pub struct Family<'a>(BenchmarkGroup<'a, WallTime>);

impl Family<'_> {
    /// Times what `setup` gives. Inputs are made there, and only where the filter lets the workload pass.
    pub fn bench<O, F: FnMut() -> O>(&mut self, workload: &str, work: Work, setup: impl Fn() -> F) {
        self.0.throughput(match work {
            Work::Flops(n) | Work::Items(n) => Throughput::Elements(n as u64),
            Work::Bytes(n) => Throughput::BytesDecimal(n as u64),
        });
        let mut run = None;
        self.0.bench_function(workload, |b| b.iter(run.get_or_insert_with(&setup)));
    }
}

/// The body of `main`: short by default, so that all families together take two or three minutes.
/// `--measurement-time`, `--sample-size` and criterion's other options go before these settings.
pub fn run(family: &str, add: fn(&mut Family)) {
    manual_seed(0);
    let mut criterion = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(150))
        .measurement_time(Duration::from_millis(500))
        .sample_size(10)
        .configure_from_args();
    let mut group = Family(criterion.benchmark_group(family));
    // Samples of equal length: with so few of them, growing ones are long where a call is slow.
    group.0.sampling_mode(SamplingMode::Flat);
    add(&mut group);
    drop(group);
    criterion.final_summary();
}

/// `f` of leaves and the way back, with a gradient of ones; each run gives the leaves new gradients.
pub fn with_backward<const N: usize>(
    inputs: [Tensor; N],
    f: impl Fn(&[Tensor; N]) -> Tensor,
) -> impl FnMut() {
    let leaves = inputs.map(|t| t.requires_grad_(true));
    let ones = f(&leaves).detach().ones_like();
    move || {
        leaves.iter().for_each(Tensor::zero_grad);
        f(&leaves).backward_with(Some(&ones), Default::default());
    }
}
