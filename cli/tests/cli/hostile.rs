//! Files that lie. None may make a panic, and each is done with at once.

use crate::{Place, weights};
use insta::assert_snapshot;
use std::time::{Duration, Instant};
use taper_tensor::{StateDict, Tensor};

/// Every command on a file; each ends by itself, with one line or none, and soon.
fn survives(place: &Place, name: &str) {
    for args in [
        &["inspect", "--stats", name][..],
        &["inspect", "--json", name],
        &["convert", "--force", name, "out.pt"],
        &["convert", "--force", name, "out.safetensors"],
        &["diff", name, name],
    ] {
        let start = Instant::now();
        let run = place.run(args);
        // Milliseconds on a quiet machine.
        assert!(start.elapsed() < Duration::from_secs(10), "{args:?}");
        assert!(matches!(run.code(), 0..=2), "{args:?}: {}", run.err());
        assert!(!run.err().contains("panicked"), "{args:?}: {}", run.err());
    }
}

#[test]
fn files_cut_off_anywhere() {
    for (name, pieces) in [("w.safetensors", 12), ("w.npz", 12), ("w.pt", 12), ("w.npy", 4)] {
        let place = Place::new();
        let place = match name {
            "w.npy" => place.with(name, weights().get("embed.weight").unwrap()),
            _ => place.with(name, &weights()),
        };
        let whole = std::fs::read(place.path(name)).unwrap();
        for i in 0..pieces {
            std::fs::write(place.path(name), &whole[..whole.len() * i / pieces]).unwrap();
            let line = place.run(&["inspect", name]).trouble().to_string();
            assert!(line.starts_with(&format!("{name}: ")), "{line}");
        }
        std::fs::write(place.path(name), &whole[..whole.len() - 1]).unwrap();
        place.run(&["inspect", name]).trouble();
    }
}

#[test]
fn sizes_that_no_memory_has() {
    let header = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let huge = usize::MAX;
    let files = [
        header(&format!(r#"{{"x":{{"dtype":"F8_E4M3","shape":[{huge},{huge}],"data_offsets":[0,0]}}}}"#)),
        header(&format!(r#"{{"x":{{"dtype":"F32","shape":[{huge},0],"data_offsets":[0,0]}}}}"#)),
        header(&format!(r#"{{"x":{{"dtype":"F32","shape":[{huge},4],"data_offsets":[0,0]}}}}"#)),
        header(&format!(
            r#"{{"x":{{"dtype":"F32","shape":[{}0],"data_offsets":[0,0]}}}}"#,
            "1,".repeat(50_000)
        )),
        header(&format!(r#"{{"__metadata__":{{"taper.tree":"{}"}}}}"#, "[".repeat(100_000))),
        header(r#"{"__metadata__":{"taper.tree":"{\"a\":{\"$tensor\":\"b\"}}"}}"#),
    ];
    for (i, file) in files.iter().enumerate() {
        let name = format!("{i}.safetensors");
        survives(&Place::new().bytes(&name, file), &name);
    }
}

#[test]
fn many_dimensions() {
    let shape = "1, ".repeat(20_000);
    let dict = format!("{{'descr': '<f4', 'fortran_order': True, 'shape': ({shape}), }}\n");
    let mut file = b"\x93NUMPY\x02\x00".to_vec();
    file.extend((dict.len() as u32).to_le_bytes());
    file.extend(dict.bytes());
    file.extend(1.5f32.to_le_bytes());
    survives(&Place::new().bytes("deep.npy", &file), "deep.npy");
}

#[test]
fn terabytes_of_four_bytes() {
    let dict: StateDict = [("x".to_string(), Tensor::ones([1]).expand([1isize << 40]))].into_iter().collect();
    let place = Place::new().with("bomb.pt", &dict);
    survives(&place, "bomb.pt");
    let run = place.run(&["inspect", "--stats", "bomb.pt"]);
    assert_snapshot!(run.ok().split_once('\n').unwrap().1, @r#"
      key  dtype    shape            strides              bytes  min  max  mean  std  nan  inf
      x    float32  [1099511627776]  [0]      4,398,046,511,104    -    -     -    -    -    -

    1 tensor, 1,099,511,627,776 elements, 4.4 TB in 4 B of memory
    No statistics of x: its 1,099,511,627,776 elements are views of 4 B of memory; refused
    "#);
    let refused =
        r#"bomb.pt: tensor "x": its 1,099,511,627,776 elements are views of 4 B of memory; refused"#;
    for args in [
        &["diff", "bomb.pt", "bomb.pt"][..],
        &["convert", "bomb.pt", "x.npy"],
        &["convert", "bomb.pt", "x.pt", "--dtype", "f16"],
    ] {
        assert_eq!(place.run(args).trouble(), refused);
    }
    // A view stays a view.
    place.run(&["convert", "bomb.pt", "again.pt"]).ok();
    assert!(std::fs::metadata(place.path("again.pt")).unwrap().len() < 2000);
}
