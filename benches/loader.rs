//! What worker threads hide of a slow decode: a pass over ten batches of 16, with a training step of 5 ms
//! after each. An item that waits 200 µs (a disk) costs the loop 3.2 ms a batch without workers; one that
//! computes as long needs a core of its own.

mod common;

use common::Work;
use std::hint::spin_loop;
use std::thread::sleep;
use std::time::{Duration, Instant};
use taper::data::{DataLoader, Dataset};

const DECODE: Duration = Duration::from_micros(200);
const STEP: Duration = Duration::from_millis(5);
const BATCHES: usize = 10;

fn wait() {
    sleep(DECODE);
}

fn compute() {
    let start = Instant::now();
    while start.elapsed() < DECODE {
        spin_loop();
    }
}

fn main() {
    common::run("loader", |f| {
        for (name, decode) in [("wait", wait as fn()), ("compute", compute)] {
            for workers in [0, 1, 2] {
                f.bench(&format!("{name}_workers_{workers}"), Work::Items(BATCHES), || {
                    let set = vec![0i64; 16 * BATCHES].map(move |item| {
                        decode();
                        item
                    });
                    let loader = DataLoader::new(set).batch_size(16).num_workers(workers);
                    move || loader.iter().for_each(|_| sleep(STEP))
                });
            }
        }
    });
}
