//! What the fuzz targets share.

use std::io::{Cursor, Write as _};
use std::path::Path;
use taper_tensor::{State, Tensor};
use zip::write::{SimpleFileOptions, ZipWriter};

/// Largest tensor that is looked at: a file of a few bytes may describe a broadcast one of any size.
const ELEMENTS: usize = 1 << 16;

/// Calls `f` with the path of a file of these bytes.
pub fn on_file(extension: &str, bytes: &[u8], f: impl FnOnce(&Path)) {
    let dir = if Path::new("/dev/shm").is_dir() { "/dev/shm".into() } else { std::env::temp_dir() };
    let suffix = format!(".{extension}");
    let mut file = tempfile::Builder::new().suffix(&suffix).tempfile_in(dir).expect("a temporary file");
    file.write_all(bytes).expect("room for a small file");
    f(file.path());
}

/// Loads a file. What loads must hold together, and come back from a file of taper's the same.
pub fn load(path: &Path) {
    let state = match taper_io::load(path) {
        Ok(state) => state,
        Err(e) => {
            let message = e.to_string();
            assert!(message.starts_with(path.to_str().expect("UTF-8")), "no path in {message:?}");
            return;
        }
    };
    let mut small = true;
    walk(&state, &mut |t| small &= t.numel() <= ELEMENTS);
    if small {
        walk(&state, &mut |t| assert_eq!(t.to_bytes().len(), t.numel() * t.dtype().size()));
        on_file("safetensors", &[], |copy| {
            if taper_io::save(&state, copy).is_ok() {
                let again = taper_io::load(copy).expect("what was saved loads");
                assert!(same(&state, &again), "{state:?} came back as {again:?}");
            }
        });
    }
}

fn walk(state: &State, f: &mut impl FnMut(&Tensor)) {
    match state {
        State::Tensor(t) => f(t),
        State::Map(map) => map.values().for_each(|v| walk(v, f)),
        State::List(items) | State::Tuple(items) => items.iter().for_each(|v| walk(v, f)),
        _ => {}
    }
}

fn same(a: &State, b: &State) -> bool {
    let all = |a: &[State], b: &[State]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
    match (a, b) {
        (State::Tensor(a), State::Tensor(b)) => {
            (a.shape(), a.dtype()) == (b.shape(), b.dtype()) && a.to_bytes() == b.to_bytes()
        }
        (State::Map(a), State::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        (State::List(a), State::List(b)) | (State::Tuple(a), State::Tuple(b)) => all(a, b),
        (State::Float(a), State::Float(b)) => a.to_bits() == b.to_bits(),
        (State::Int(a), State::Int(b)) => a == b,
        (State::Bool(a), State::Bool(b)) => a == b,
        (State::Str(a), State::Str(b)) => a == b,
        (State::None, State::None) => true,
        _ => false,
    }
}

/// A PyTorch archive of this `data.pkl`, with some storages: what gets past the checksums.
pub fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, bytes: &[u8]| {
        zip.start_file(name, SimpleFileOptions::default()).expect("a good name");
        zip.write_all(bytes).expect("memory");
    };
    add("archive/data.pkl", pickle);
    add("archive/byteorder", b"little");
    for key in 0..4u8 {
        add(&format!("archive/data/{key}"), &[key; 96]);
    }
    add("archive/version", b"3\n");
    zip.finish().expect("memory").into_inner()
}
