//! A disk that is full: a clear error, the old file, no litter.
#![cfg(unix)]

use crate::{assert_same, dict, names};
use std::path::Path;
use std::process::Command;
use taper_tensor::{StateDict, Tensor};

const CHILD: &str = "TAPER_SAVES_TOO_MUCH";

fn small() -> StateDict {
    dict([("w", Tensor::ones([100, 100]))])
}

fn large() -> StateDict {
    dict([("w", Tensor::zeros([1000, 1000])), ("v", Tensor::ones([1000, 100]))])
}

/// Saves what does not fit; the error must say which file and why, and the old file must be there.
fn save_too_much(path: &Path, why: &str) {
    taper_io::save(&small(), path).unwrap();
    for name in ["w.npz", "w.pt", "w.safetensors"] {
        let error = taper_io::save(&large(), path.with_file_name(name)).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("cannot write") && error.contains(why), "{error}");
        assert_same(&taper_io::load_state_dict(path).unwrap(), &small());
        assert_eq!(names(path.parent().unwrap()), ["w.safetensors"]);
    }
}

/// A file system of one megabyte. Mounting one takes an administrator.
#[test]
fn a_full_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let mount = |args: &[&str]| {
        let status = Command::new(args[0]).args(&args[1..]).arg(dir.path()).output();
        status.is_ok_and(|out| out.status.success())
    };
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"]) {
        println!("!!! SKIPPED: a small file system cannot be mounted here");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        save_too_much(&dir.path().join("w.safetensors"), "No space left on device");
    });
    assert!(mount(&["umount"]), "{} is still mounted", dir.path().display());
    result.unwrap();
}

/// Not a test by itself: what the limited child process runs.
#[test]
fn child() {
    if let Ok(path) = std::env::var(CHILD) {
        save_too_much(Path::new(&path), "File too large");
    }
}

/// Files of no more than one megabyte, by the process's limit, which anybody may set.
#[test]
fn a_limit_of_file_sizes() {
    let dir = tempfile::tempdir().unwrap();
    // Blocks are of 512 or of 1024 bytes, as the shell has it.
    let script = r#"trap '' XFSZ; ulimit -f 1000 || exit 77; exec "$0" --exact disk::child --nocapture"#;
    let out = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, dir.path().join("w.safetensors"))
        .output()
        .unwrap();
    if out.status.code() == Some(77) {
        println!("!!! SKIPPED: this shell cannot limit the size of files");
        return;
    }
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(String::from_utf8_lossy(&out.stdout).contains("1 passed"));
}
