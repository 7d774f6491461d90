//! One line, and exit status 2.

use crate::{Place, weights};
use insta::assert_snapshot;

#[test]
fn files_that_cannot_be_read() {
    let place = Place::new().bytes("a.foo", b"hello, world").bytes("short", b"");
    std::fs::create_dir(place.path("folder.pt")).unwrap();
    let trouble = |name: &str| place.run(&["inspect", name]).trouble().to_string();
    assert_snapshot!(trouble("missing.pt"), @r#"missing.pt: cannot read: No such file or directory (os error 2)"#);
    assert_snapshot!(trouble("folder.pt"), @r#"folder.pt: cannot read: it is a folder"#);
    assert_snapshot!(trouble("a.foo"), @r#"a.foo: unknown file extension, and it does not begin as a .pt, .safetensors, .npz or .npy file does"#);
    assert_snapshot!(trouble("short"), @r#"short: unknown file extension, and it does not begin as a .pt, .safetensors, .npz or .npy file does"#);
    #[cfg(unix)]
    assert_snapshot!(trouble("/dev/zero"), @r#"/dev/zero: cannot read: not a plain file"#);
    // The same of both other commands.
    assert_eq!(place.run(&["diff", "missing.pt", "a.foo"]).trouble(), trouble("missing.pt"));
    assert_eq!(place.run(&["convert", "missing.pt", "b.npz"]).trouble(), trouble("missing.pt"));
}

#[test]
fn other_files_are_still_shown() {
    let place = Place::new().with("a.npz", &weights()).bytes("b.npz", b"PK");
    let run = place.run(&["inspect", "b.npz", "a.npz", "c.npz"]);
    assert_eq!(run.code(), 2);
    assert!(run.out().contains("a.npz: numpy zip archive, 4 tensors"), "{}", run.out());
    let lines: Vec<&str> = run.err().lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("taper: b.npz: ") && lines[1].starts_with("taper: c.npz: "), "{lines:?}");
}

#[test]
fn any_extension_whose_bytes_are_known() {
    let place = Place::new().with("a.npy", weights().get("embed.weight").unwrap());
    let place = place.with("b.safetensors", &weights()).with("c.pt", &weights());
    for (from, to) in
        [("a.npy", "a"), ("b.safetensors", "model.bin"), ("c.pt", "last.ckpt"), ("c.pt", "model.tar")]
    {
        std::fs::copy(place.path(from), place.path(to)).unwrap();
        place.run(&["inspect", to]).ok();
        place.run(&["diff", from, to]).ok();
    }
}

#[test]
fn usage() {
    let place = Place::new();
    for args in [
        &[][..],
        &["inspect"],
        &["explode", "a.pt"],
        &["diff", "a.pt"],
        &["diff", "a", "b", "--rtol", "-1"],
        &["diff", "a", "b", "--rtol", "nan"],
        &["diff", "a", "b", "--json", "--quiet"],
        &["convert", "a.pt", "b.pt", "--dtype", "int8"],
    ] {
        let run = place.run(args);
        assert_eq!((run.code(), run.out()), (2, ""), "{args:?}");
        assert!(run.err().contains("--help"), "{}", run.err());
    }
}

#[test]
fn help() {
    let place = Place::new();
    let version = place.run(&["--version"]);
    assert_eq!(version.ok(), format!("taper {}\n", env!("CARGO_PKG_VERSION")));
    for args in [&["--help"][..], &["inspect", "--help"], &["convert", "--help"], &["diff", "--help"]] {
        let help = place.run(args);
        assert!(help.ok().contains("Examples:") && help.ok().contains("Exit status:"), "{args:?}");
        assert!(help.ok().lines().all(|line| line.chars().count() <= 104), "{}", help.ok());
    }
}
