//! Pictures in folders, against what Pillow reads, and damaged copies of them.

mod wounds;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;
use taper_data::transforms::{CenterCrop, Transform};
use taper_data::{DataLoader, Dataset, Error, ImageFolder, image_from, read_image};
use taper_tensor::{DType, Tensor};

fn icons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/icons")
}

fn numbers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

#[test]
fn pixels_are_those_of_pillow() {
    let truth: Value = serde_json::from_str(include_str!("fixtures/icons.json")).unwrap();
    let truth = truth.as_object().unwrap();
    assert_eq!(truth.len(), 10);
    for (name, expected) in truth {
        let x = read_image(icons().join(name)).unwrap();
        assert_eq!(x.dtype(), DType::U8);
        assert_eq!(x.shape().iter().map(|&n| n as i64).collect::<Vec<_>>(), numbers(&expected["shape"]));
        // Decoders of JPEG may round differently.
        let slack = if name.ends_with("jpeg") { 3 } else { 0 };
        let row = x.select(1, x.size(1) as isize / 2).to_vec::<i64>();
        let off = row.iter().zip(numbers(&expected["row"])).map(|(a, b)| (a - b).abs()).max();
        assert!(off.unwrap() <= slack, "{name}: {row:?}");
        let pixels = (x.size(1) * x.size(2)) as i64;
        let sums = x.to_dtype(DType::I64).sum_dim([1, 2], false).to_vec::<i64>();
        for (sum, expected) in sums.iter().zip(numbers(&expected["sums"])) {
            assert!((sum - expected).abs() <= slack * pixels / 2, "{name}: {sum} and {expected}");
        }
    }
}

#[test]
fn folders_are_classes() {
    let folder = ImageFolder::new(icons()).unwrap();
    assert_eq!(folder.classes(), ["devices", "emotes", "weather"]);
    let names: Vec<String> =
        folder.samples().iter().map(|(p, _)| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names[..5], ["computer.png", "grey.png", "palette.png", "printer.png", "face-angel.png"]);
    let set = folder.map(|item| item.map(|(x, y)| (CenterCrop::new(28).apply(&x), y)));
    let loader = DataLoader::new(set).batch_size(4).num_workers(2);
    let batches: Vec<(Tensor, Tensor)> = loader.iter().collect::<Result<_, _>>().unwrap();
    let labels: Vec<i64> = batches.iter().flat_map(|(_, y)| y.to_vec::<i64>()).collect();
    assert_eq!(labels, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]);
    assert_eq!(batches[2].0.shape(), [2, 3, 28, 28]);
}

#[test]
fn folders_that_are_wrong() {
    let message = |folder: &Path| ImageFolder::new(folder).unwrap_err().to_string();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert_eq!(message(root), format!("{}: the folder has no folders of classes", root.display()));
    fs::create_dir_all(root.join("cat/deep")).unwrap();
    fs::write(root.join("cat/notes.txt"), "no picture").unwrap();
    assert!(message(root).ends_with("cat: the folder has no .png, .jpg or .jpeg files"));
    fs::write(root.join("cat/deep/x.PNG"), "not yet").unwrap();
    let found = ImageFolder::new(root).unwrap();
    assert_eq!((found.len(), found.classes()), (1, &["cat".to_string()][..]));
    let error = found.get(0).unwrap_err();
    assert!(error.to_string().ends_with("x.PNG: neither PNG nor JPEG (in a file of 7 bytes)"), "{error}");
    assert!(message(&root.join("none")).contains("none: "));
    // A file that vanished.
    fs::remove_file(root.join("cat/deep/x.PNG")).unwrap();
    assert!(matches!(found.get(0).unwrap_err(), Error::Io { path, .. } if path.ends_with("cat/deep/x.PNG")));
}

#[test]
fn claimed_pixels_are_not_allocated() {
    let mut png = fs::read(icons().join("emotes/face-sad.png")).unwrap();
    // The header of 60,000 × 60,000 pixels, with its checksum.
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let mut crc = flate2::Crc::new();
    crc.update(&png[12..29]);
    png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let error = image_from(&png, "huge.png").unwrap_err();
    assert!(matches!(error, Error::Image { .. }), "{error}");
    assert!(error.to_string().starts_with("huge.png: "), "{error}");
    assert!(error.to_string().to_lowercase().contains("limit"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(wounds::cases()))]

    /// Whatever happens to a file, it is read or refused: never a panic.
    #[test]
    fn damaged_files(
        png in wounds::wounded(fs::read(icons().join("emotes/face-sad.png")).unwrap(), 60),
        palette in wounds::wounded(fs::read(icons().join("devices/palette.png")).unwrap(), 60),
        jpeg in wounds::wounded(fs::read(icons().join("weather/storm.jpeg")).unwrap(), 60),
    ) {
        for bytes in [png, palette, jpeg] {
            match image_from(&bytes, "icon") {
                Ok(x) => prop_assert_eq!((x.ndim(), x.size(0), x.dtype()), (3, 3, DType::U8)),
                Err(error) => prop_assert!(error.to_string().starts_with("icon: "), "{}", error),
            }
        }
    }
}
