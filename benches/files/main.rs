//! Saving and loading 256 MiB: 64 tensors of 1 Mi f32, to a folder for temporary files.
//!
//! Saves wait for the disk, as they do by default; those called `unsynced` do not.
//!
//! With `--worker` it does as the lines it reads say, for `compare.py` beside it.

#[path = "../common/mod.rs"]
mod common;

use common::{Work, numbers};
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;
use taper::{SaveOptions, State, StateDict, load, save, save_with};

const TENSORS: usize = 64;
const NUMEL: usize = 1 << 20;

fn tensors() -> StateDict {
    (0..TENSORS).map(|i| (format!("layer{i}.weight"), numbers([NUMEL]))).collect()
}

/// All data looked at.
fn sum(state: &State) -> f64 {
    state.to_state_dict().expect("tensors").values().map(|t| t.sum().item()).sum()
}

fn main() {
    if std::env::args().any(|a| a == "--worker") {
        return worker();
    }
    common::run("files", |f| {
        let dir = tempfile::tempdir().expect("a folder");
        for format in ["pt", "safetensors"] {
            let path = dir.path().join(format!("tensors.{format}"));
            let work = || Work::Bytes(4 * TENSORS * NUMEL);
            f.bench(&format!("save_{format}"), work(), || {
                let (tensors, path) = (tensors(), path.clone());
                move || save(&tensors, &path).expect("saved")
            });
            f.bench(&format!("save_unsynced_{format}"), work(), || {
                let (tensors, path) = (tensors(), path.clone());
                move || save_with(&tensors, &path, &SaveOptions { sync: false }).expect("saved")
            });
            let saved = || {
                if !path.exists() {
                    save(&tensors(), &path).expect("saved");
                }
                path.clone()
            };
            f.bench(&format!("load_{format}"), work(), || {
                let path = saved();
                move || load(&path).expect("loaded")
            });
            f.bench(&format!("load_sum_{format}"), work(), || {
                let path = saved();
                move || sum(&load(&path).expect("loaded"))
            });
            // One file of 256 MiB at a time: small machines run this too. A filter may have made none.
            let _ = std::fs::remove_file(path);
        }
    });
}

/// Lines of `save|save_sync|load|sum PATH`; answers with the seconds it took.
fn worker() {
    let tensors = tensors();
    let mut kept = Some(tensors);
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let (what, path) = line.split_once(' ').unwrap_or((&line, ""));
        let path = Path::new(path);
        let start = Instant::now();
        let loaded = match what {
            "save" | "save_sync" => {
                let options = SaveOptions { sync: what == "save_sync" };
                save_with(kept.as_ref().expect("not forgotten"), path, &options).expect("saved");
                None
            }
            "load" => Some(load(path).expect("loaded")),
            "sum" => {
                let loaded = load(path).expect("loaded");
                std::hint::black_box(sum(&loaded));
                Some(loaded)
            }
            "forget" => {
                kept = None;
                None
            }
            _ => panic!("no such line: {line}"),
        };
        let seconds = start.elapsed().as_secs_f64();
        drop(loaded);
        println!("{seconds}");
        std::io::stdout().flush().expect("a reader");
    }
}
