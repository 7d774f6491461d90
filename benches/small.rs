//! Small work on one thread and on two: handing work over must never cost more than it saves.
//!
//! `cargo bench --bench small` prints a table of operations and sizes, in microseconds a call, with the
//! speed-up of two threads, and marks where they are slower by more than 5 %. `cargo bench --bench small --
//! gemm` keeps the operations with that name. Each thread count is a process of its own; they take turns.

mod common;

use common::numbers;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};
use taper::{ConvOptions, Tensor};

/// Set for the processes that measure: the seconds for each figure.
const SECONDS: &str = "TAPER_SMALL_SECONDS";
const SIZES: [usize; 9] = [100, 1_000, 3_000, 10_000, 30_000, 60_000, 100_000, 300_000, 1_000_000];
const ROUNDS: usize = 3;

type Call = Box<dyn FnMut() -> Tensor>;

/// An operation, made for inputs of about so many elements.
type Make = fn(usize) -> Call;

fn on<const N: usize>(inputs: [Tensor; N], f: fn(&[Tensor; N]) -> Tensor) -> Call {
    Box::new(move || f(&inputs))
}

/// A matrix of about `n` elements with rows of 64.
fn rows(n: usize) -> Tensor {
    numbers([n.div_ceil(64), 64])
}

/// Side of a square of about `n` elements.
fn side(n: usize) -> usize {
    (n as f64).sqrt() as usize
}

/// A batch of images with 16 channels of 16×16.
fn images(n: usize) -> Tensor {
    numbers([n.div_ceil(16 * 256), 16, 16, 16])
}

const OPERATIONS: [(&str, Make); 18] = [
    ("add", |n| on([numbers(n), numbers(n)], |[a, b]| a + b)),
    ("add_row", |n| on([rows(n), numbers(64)], |[a, b]| a + b)),
    ("mul_scalar", |n| on([numbers(n)], |[a]| a * 2.0)),
    ("relu", |n| on([numbers(n)], |[a]| a.relu())),
    ("exp", |n| on([numbers(n)], |[a]| a.exp())),
    ("gelu", |n| on([numbers(n)], |[a]| a.gelu())),
    ("tanh", |n| on([numbers(n)], |[a]| a.tanh())),
    ("greater", |n| on([numbers(n), numbers(n)], |[a, b]| a.gt(b))),
    ("transpose", |n| on([rows(n)], |[a]| a.transpose(0, 1).contiguous())),
    ("sum", |n| on([numbers(n)], |[a]| a.sum())),
    ("sum_rows", |n| on([rows(n)], |[a]| a.sum_dim(1, false))),
    ("sum_columns", |n| on([rows(n)], |[a]| a.sum_dim(0, false))),
    ("max", |n| on([numbers(n)], |[a]| a.max())),
    ("softmax", |n| on([rows(n)], |[a]| a.softmax(-1))),
    ("layer_norm", |n| {
        on([rows(n), numbers(64), numbers(64)], |[x, w, b]| x.layer_norm(64, Some(w), Some(b), 1e-5))
    }),
    ("gemm", |n| on([numbers([side(n); 2]), numbers([side(n); 2])], |[a, b]| a.matmul(b))),
    ("conv3x3", |n| {
        on([images(n), numbers([16, 16, 3, 3]), numbers(16)], |[x, w, b]| {
            x.conv2d(w, Some(b), ConvOptions::default().padding(1))
        })
    }),
    ("max_pool", |n| on([images(n)], |[x]| x.max_pool2d(2))),
];

/// Microseconds of a call: the median of runs of some 100 µs.
fn time(mut call: Call, seconds: f64) -> f64 {
    let started = Instant::now();
    drop(call());
    let calls = (1e-4 / started.elapsed().as_secs_f64().max(1e-8)).clamp(1.0, 1e4) as usize;
    let mut runs = vec![];
    let started = Instant::now();
    while runs.len() < 3 || started.elapsed() < Duration::from_secs_f64(seconds) {
        let run = Instant::now();
        (0..calls).for_each(|_| drop(call()));
        runs.push(run.elapsed().as_secs_f64() / calls as f64);
    }
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2] * 1e6
}

/// What a measuring process does: a line for each operation and size.
fn measure(filter: &str, seconds: f64) {
    for (name, make) in OPERATIONS {
        if filter.split(',').any(|part| name.contains(part)) {
            SIZES.iter().for_each(|&n| println!("{name} {n} {}", time(make(n), seconds)));
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filter = arguments.iter().find(|a| !a.starts_with("--")).cloned().unwrap_or_default();
    if let Ok(seconds) = std::env::var(SECONDS) {
        return measure(&filter, seconds.parse().expect("seconds"));
    }
    // `cargo test --benches` only asks whether everything runs.
    let (rounds, seconds) = if arguments.iter().any(|a| a == "--test") { (1, "0") } else { (ROUNDS, "0.02") };
    let mut times: BTreeMap<(String, usize), [f64; 2]> = BTreeMap::new();
    for _ in 0..rounds {
        for threads in [1, 2] {
            let mut child = Command::new(std::env::current_exe().expect("this program"));
            let child =
                child.arg(&filter).env(SECONDS, seconds).env("RAYON_NUM_THREADS", threads.to_string());
            let output = child.output().expect("starts again");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            for line in String::from_utf8(output.stdout).expect("text").lines() {
                let mut words = line.split(' ');
                let mut word = || words.next().expect("name, size and time");
                let key = (word().to_owned(), word().parse().expect("a size"));
                let best = &mut times.entry(key).or_insert([f64::INFINITY; 2])[threads - 1];
                *best = best.min(word().parse().expect("a time"));
            }
        }
    }
    print(&times);
}

/// A row for each operation, a column for each size: time of one thread, and how much two are faster.
fn print(times: &BTreeMap<(String, usize), [f64; 2]>) {
    println!("| operation |{} |", SIZES.map(|n| format!(" {n}")).join(" |"));
    println!("|---|{}", "---:|".repeat(SIZES.len()));
    let mut slower = vec![];
    for (name, _) in OPERATIONS {
        let cells: Vec<_> =
            SIZES.iter().filter_map(|&n| Some((n, times.get(&(name.to_owned(), n))?))).collect();
        if cells.is_empty() {
            continue;
        }
        print!("| `{name}` |");
        for (n, [one, two]) in cells {
            print!(" {one:.2}, {:.2}× |", one / two);
            if *two > one * 1.05 {
                slower.push(format!("{name} of {n}: {:.2}", one / two));
            }
        }
        println!();
    }
    println!(
        "\nSlower on two threads by more than 5 %: {}",
        if slower.is_empty() { "none".into() } else { slower.join(", ") }
    );
}
