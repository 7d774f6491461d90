//! Saving is all or nothing, and leaves no litter.

use crate::{assert_same, dict, names};
use std::io::{Error as IoError, ErrorKind, Write};
use std::path::Path;
use taper_tensor::{StateDict, Tensor};

fn some() -> StateDict {
    dict([("w", Tensor::ones([2, 2]))])
}

fn other() -> StateDict {
    dict([("w", Tensor::zeros([300, 100]))])
}

#[test]
fn a_new_file_replaces_the_old() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    for dict in [some(), other(), some()] {
        taper_io::save(&dict, &path).unwrap();
        assert_same(&taper_io::load_state_dict(&path).unwrap(), &dict);
        assert_eq!(names(dir.path()), ["w.safetensors"]);
    }
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    taper_io::save(&some(), &path).unwrap();
    for written in [0, 100, 3 << 20] {
        let error = taper_io::write_atomic(&path, |out| {
            out.write_all(&vec![7; written])?;
            Err(IoError::from(ErrorKind::StorageFull))
        });
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with(path.to_str().unwrap()) && error.contains("cannot write"), "{error}");
        assert_same(&taper_io::load_state_dict(&path).unwrap(), &some());
        assert_eq!(names(dir.path()), ["w.safetensors"]);
    }
}

#[test]
fn a_writer_that_panics_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    taper_io::save(&some(), &path).unwrap();
    let panicked = std::panic::catch_unwind(|| {
        let _ = taper_io::write_atomic(&path, |out| {
            out.write_all(b"half")?;
            panic!("on purpose");
        });
    });
    assert!(panicked.is_err());
    assert_same(&taper_io::load_state_dict(&path).unwrap(), &some());
    assert_eq!(names(dir.path()), ["w.safetensors"]);
}

#[test]
fn a_missing_folder_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("no/such/w.safetensors");
    let error = taper_io::save(&some(), &path).unwrap_err().to_string();
    assert!(error.starts_with(path.to_str().unwrap()), "{error}");
    assert!(names(dir.path()).is_empty());
}

/// A folder has the file's name.
#[test]
fn a_folder_in_the_way_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    std::fs::create_dir(&path).unwrap();
    let error = taper_io::save(&some(), &path).unwrap_err().to_string();
    assert!(error.contains("cannot replace it: it is a folder"), "{error}");
    assert_eq!(names(dir.path()), ["w.safetensors"]);
    assert!(names(&path).is_empty());
}

/// What a link points to is replaced, and the link stays.
#[cfg(unix)]
#[test]
fn links_are_followed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("real")).unwrap();
    let (real, link) = (dir.path().join("real/w.safetensors"), dir.path().join("latest.safetensors"));
    taper_io::save(&some(), &real).unwrap();
    std::os::unix::fs::symlink("real/w.safetensors", &link).unwrap();
    taper_io::save(&other(), &link).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_same(&taper_io::load_state_dict(&real).unwrap(), &other());
    std::fs::remove_file(&real).unwrap();
    let error = taper_io::save(&some(), &link).unwrap_err().to_string();
    assert!(error.contains("cannot follow the link"), "{error}");
}

/// Replacing them would take them from everybody else.
#[cfg(unix)]
#[test]
fn what_is_not_a_plain_file_stays() {
    let error = taper_io::write_atomic(Path::new("/dev/null"), |_| Ok(())).unwrap_err().to_string();
    assert_eq!(error, "/dev/null: cannot replace it: it is not a plain file");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    taper_io::save(&some(), &path).unwrap();
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    let error = taper_io::save(&other(), &path).unwrap_err().to_string();
    assert!(error.ends_with("cannot replace it: it is read-only"), "{error}");
    assert_same(&taper_io::load_state_dict(&path).unwrap(), &some());
    assert!(taper_io::save(&some(), dir.path().join("..")).is_err());
    assert!(taper_io::load("/dev/null").is_err());
    assert_eq!(names(dir.path()), ["w.safetensors"]);
}

/// A file that was for its owner alone stays so.
#[cfg(unix)]
#[test]
fn permissions_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    taper_io::save(&some(), &path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    taper_io::save(&other(), &path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    taper_io::save(&some(), &path).unwrap();
    let set = |mode| std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    // Permissions do not bind an administrator.
    let binds = std::fs::File::create(dir.path().join("probe")).is_err();
    let result = taper_io::save(&other(), &path);
    set(0o755);
    if binds {
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with(path.to_str().unwrap()), "{error}");
        assert_same(&taper_io::load_state_dict(&path).unwrap(), &some());
        assert_eq!(names(dir.path()), ["w.safetensors"]);
    }
    #[cfg(target_os = "linux")]
    assert!(taper_io::save(&some(), "/proc/w.safetensors").is_err());
}

/// As any program's new file: what the umask allows.
#[cfg(unix)]
#[test]
fn permissions_are_a_new_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode();
    let plain = dir.path().join("plain");
    std::fs::write(&plain, "x").unwrap();
    let path = dir.path().join("w.safetensors");
    taper_io::save(&some(), &path).unwrap();
    assert_eq!(mode(&path), mode(&plain));
}

/// Many at once, into one file: it is always one of them, whole.
#[test]
fn several_writers_of_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    taper_io::save(&some(), &path).unwrap();
    std::thread::scope(|s| {
        for i in 0..4 {
            let path = &path;
            s.spawn(move || {
                for _ in 0..5 {
                    taper_io::save(&dict([("w", Tensor::full([50, 50], i))]), path).unwrap();
                    let read = taper_io::load_state_dict(path).unwrap();
                    let w = read.get("w").unwrap().to_vec::<f32>();
                    assert!(w.iter().all(|v| *v == w[0]), "a mixture");
                }
            });
        }
    });
    assert_eq!(names(dir.path()), ["w.safetensors"]);
}

/// The format has one name of its own; a file with a tensor of that name could not be read.
#[test]
fn a_reserved_name_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    let error = taper_io::save(&dict([("__metadata__", Tensor::ones(1))]), &path).unwrap_err().to_string();
    assert!(error.contains("safetensors keeps this name for itself"), "{error}");
    assert!(names(dir.path()).is_empty());
}

/// Large enough to be brought to the disk while it is written.
#[test]
fn a_large_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large");
    let block: Vec<u8> = (0..70 << 20).map(|i: u32| (i % 251) as u8).collect();
    taper_io::write_atomic(&path, |out| {
        out.write_all(&block[..5])?;
        out.write_all(&block)
    })
    .unwrap();
    let read = std::fs::read(&path).unwrap();
    assert!(read[..5] == block[..5] && read[5..] == block);
    assert_eq!(names(dir.path()), ["large"]);
}
