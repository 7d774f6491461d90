//! In the workspace the emulator was written for: every committed PTX file can be loaded.

use ptx_emulator::{Device, Options, Profile};
use std::path::Path;

#[test]
fn committed_ptx_loads() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels/cuda/ptx")];
    let device = Device::new(Profile::sm_90(), Options::default());
    let mut problems = Vec::new();
    while let Some(folder) = folders.pop() {
        // Outside of the workspace there is nothing to load.
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "ptx")
                && let Err(e) = device.load(&std::fs::read_to_string(&path).unwrap())
            {
                problems.push(format!("{}: {e}", path.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
