//! With and without a wait for the disk: the same files, and whether there was a wait.

use crate::{cases, dict, names};
use proptest::prelude::*;
use std::io::{Error as IoError, Write};
use std::path::Path;
use taper_io::{SaveOptions, write_atomic_with};
use taper_tensor::{StateDict, Tensor};

const BOTH: [SaveOptions; 2] = [SaveOptions { sync: true }, SaveOptions { sync: false }];

proptest! {
    #![proptest_config(cases(12))]

    /// In every format, over an old file and as a new one; small, and larger than a piece that the system gets.
    #[test]
    fn the_bytes_are_the_same(
        sizes in prop::collection::vec(prop_oneof![0usize..200, 500_000usize..600_000], 1..5),
        there in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let tensor = |n: &usize| Tensor::arange(0, *n as i64, 1);
        let all: StateDict = sizes.iter().enumerate().map(|(i, n)| (format!("t{i}"), tensor(n))).collect();
        for name in ["w.safetensors", "w.pt", "w.npz"] {
            let path = dir.path().join(name);
            let [waited, not] = BOTH.map(|options| {
                if there {
                    std::fs::write(&path, "old").unwrap();
                } else {
                    let _ = std::fs::remove_file(&path);
                }
                taper_io::save_with(&all, &path, &options).unwrap();
                std::fs::read(&path).unwrap()
            });
            prop_assert!(waited == not, "{}", name);
        }
        let one = dir.path().join("one.npy");
        let [waited, not] = BOTH.map(|options| {
            taper_io::save_with(&tensor(&sizes[0]), &one, &options).unwrap();
            std::fs::read(&one).unwrap()
        });
        prop_assert!(waited == not);
        prop_assert_eq!(names(dir.path()), ["one.npy", "w.npz", "w.pt", "w.safetensors"]);
    }

    /// Wherever a write fails, the old file stays, and nothing else.
    #[test]
    fn a_failure_leaves_the_old_file(written in prop_oneof![0usize..100, 2_000_000usize..5_000_000]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w");
        std::fs::write(&path, "old").unwrap();
        for options in BOTH {
            let failed = write_atomic_with(&path, &options, |out| {
                out.write_all(&vec![7; written])?;
                Err(IoError::other("on purpose"))
            });
            prop_assert!(failed.unwrap_err().to_string().contains("cannot write"));
            prop_assert_eq!(std::fs::read(&path).unwrap(), b"old");
            prop_assert_eq!(names(dir.path()), ["w"]);
        }
    }
}

/// How many bytes of this thread's writes never went to the disk, because their file was removed before.
/// None where the system does not count them.
fn taken_back() -> Option<u64> {
    let counts = std::fs::read_to_string("/proc/thread-self/io").ok()?;
    counts.lines().find_map(|line| line.strip_prefix("cancelled_write_bytes: ")?.parse().ok())
}

/// A file that is removed right after it was written: what of it was on the disk by then is not taken back.
#[test]
fn whether_it_waits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let len = 40 << 20;
    let all = dict([("w", Tensor::ones(len / 4))]);
    let removed = |path: &Path| {
        let before = taken_back()?;
        std::fs::remove_file(path).unwrap();
        Some(taken_back()? - before)
    };
    std::fs::write(&path, vec![1; len]).unwrap();
    if removed(&path).is_none_or(|n| n < len as u64 / 2) {
        println!("!!! SKIPPED: this system or file system does not say what it has not written yet");
        return;
    }
    let [waited, not] = BOTH.map(|options| {
        taper_io::save_with(&all, &path, &options).unwrap();
        removed(&path).unwrap()
    });
    assert_eq!(waited, 0, "of {len} bytes these were not on the disk after a save that waits");
    assert!(not > 0, "a save that should not wait did");
}
