//! Data sets' files: the first byte says which reader.
#![no_main]
use taper_data::{Table, cifar10_from, idx};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => drop(idx::read_from(bytes, "fuzz")),
        1 => drop(cifar10_from(bytes, "fuzz")),
        _ => {
            if let Ok(table) = Table::read_from(bytes, "fuzz") {
                let names: Vec<&str> = table.columns().iter().map(String::as_str).collect();
                drop(table.numbers(&names, taper_tensor::DType::F32));
                for name in names {
                    drop(table.labels(name));
                }
            }
        }
    }
});
