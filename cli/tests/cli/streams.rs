//! Standard output that closes, fills up, or is no terminal.

use crate::Place;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use taper_tensor::{StateDict, Tensor};

fn many() -> Place {
    let dict: StateDict = (0..5000).map(|i| (format!("layer.{i}.weight"), Tensor::zeros([2]))).collect();
    Place::new().with("a.safetensors", &dict).with("b.safetensors", &StateDict::new())
}

/// Reads one line and closes the pipe; the exit status and standard error.
fn read_one_line(place: &Place, args: &[&str]) -> (Option<i32>, String) {
    let mut child = place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_reader_that_has_enough() {
    let place = many();
    let twice = ["inspect", "a.safetensors", "a.safetensors"];
    assert_eq!(read_one_line(&place, &twice), (Some(0), String::new()));
    // The answer stays the answer.
    assert_eq!(read_one_line(&place, &["diff", "a.safetensors", "b.safetensors"]), (Some(1), String::new()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk() {
    let place = many();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = place.command(&["inspect", "a.safetensors"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("taper: cannot write the output: "), "{message}");
}

#[test]
fn no_colours_in_a_pipe() {
    let place = many();
    assert!(!place.run(&["inspect", "a.safetensors"]).ok().contains('\x1b'));
    assert!(!place.run(&["diff", "a.safetensors", "b.safetensors"]).out().contains('\x1b'));
}
