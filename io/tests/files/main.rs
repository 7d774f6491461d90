//! safetensors files: what goes in comes out, damage is an error, and saving is all or nothing.

mod damage;
mod round_trip;
mod saving;

use taper_tensor::{StateDict, Tensor};

/// Fails where two dicts differ in a name, dtype, shape or bit; order is free.
#[track_caller]
fn assert_same(a: &StateDict, b: &StateDict) {
    let names = |d: &StateDict| {
        let mut names: Vec<String> = d.keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(names(a), names(b));
    let whole = |t: &Tensor| (t.dtype(), t.shape().to_vec(), t.to_bytes());
    for (name, t) in a.iter() {
        assert_eq!(whole(t), whole(b.get(name.as_str()).unwrap()), "{name}");
    }
}

fn dict<const N: usize>(entries: [(&str, Tensor); N]) -> StateDict {
    entries.into_iter().map(|(k, t)| (k.to_string(), t)).collect()
}
