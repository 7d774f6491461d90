//! A program killed while it saves leaves the old file or the new one, whole, and no lasting litter.
#![cfg(unix)]

use crate::{assert_same, dict, names};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use taper_io::SaveOptions;
use taper_tensor::{StateDict, Tensor};

const CHILD: &str = "TAPER_SAVES_FOREVER";
/// Set: the child waits for the disk.
const SYNC: &str = "TAPER_SAVES_SYNCED";

/// Some megabytes in which every element says which save they are of, and how long they should be.
fn version(i: usize) -> StateDict {
    let rows = 200 + 100 * (i % 5);
    dict([("version", Tensor::full([rows, 1000], i as f64)), ("rows", Tensor::full((), rows as f64))])
}

/// Not a test by itself: what the child process runs.
#[test]
fn child() {
    if let Ok(path) = std::env::var(CHILD) {
        let options = SaveOptions { sync: std::env::var(SYNC).is_ok() };
        for i in 1.. {
            taper_io::save_with(&version(i), &path, &options).unwrap();
        }
    }
}

/// The save that a file is of; it must be whole.
#[track_caller]
fn saved(path: &Path) -> usize {
    let found = taper_io::load_state_dict(path).expect("a whole file");
    let i = found.get("version").unwrap().select(0, 0).select(0, 0).item() as usize;
    assert_same(&found, &version(i));
    i
}

#[test]
fn at_any_moment() {
    kill(true);
}

#[test]
fn at_any_moment_without_a_wait_for_the_disk() {
    kill(false);
}

fn kill(sync: bool) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let kills: usize = std::env::var("TAPER_KILLS").map_or(25, |n| n.parse().expect("a number of kills"));
    let (mut cut, mut reached) = (0, 0);
    for i in 0..kills {
        taper_io::save(&version(0), &path).unwrap();
        assert_eq!(names(dir.path()), ["w.safetensors"], "litter of a killed save is still there");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "killed::child"]).env(CHILD, &path).stdout(Stdio::null());
        if sync {
            command.env(SYNC, "1");
        }
        let mut child = command.spawn().unwrap();
        // Spread over a start of the program and several of its saves.
        std::thread::sleep(Duration::from_micros(
            5_000 + 97_000 * i as u64 / kills as u64 + 613 * (i as u64 % 7),
        ));
        child.kill().unwrap();
        child.wait().unwrap();
        reached = reached.max(saved(&path));
        let left = names(dir.path());
        assert!(left.len() <= 2 && left.contains(&"w.safetensors".to_string()), "{left:?}");
        cut += left.len() - 1;
    }
    println!("{cut} of {kills} kills cut a save off; the latest save seen was number {reached}");
    assert!(cut > 0, "no kill came within a save: this has tested nothing");
    taper_io::save(&version(7), &path).unwrap();
    assert_eq!((saved(&path), names(dir.path())), (7, vec!["w.safetensors".to_string()]));
}

/// Only dead programs' files are cleared away, and only of the same name.
#[test]
fn others_keep_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let stale = dir.path().join(".w.safetensors.abc123.taper-tmp");
    let foreign = dir.path().join(".v.safetensors.abc123.taper-tmp");
    let alive = dir.path().join(".w.safetensors.xyz789.taper-tmp");
    for p in [&stale, &foreign, &alive] {
        std::fs::write(p, "half").unwrap();
    }
    let held = std::fs::File::open(&alive).unwrap();
    held.lock().unwrap();
    taper_io::save(&version(1), &path).unwrap();
    assert!(!stale.exists() && foreign.exists() && alive.exists());
    drop(held);
    taper_io::save(&version(1), &path).unwrap();
    assert!(!alive.exists());
}
