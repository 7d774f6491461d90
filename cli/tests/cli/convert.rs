//! Every format into every other.

use crate::{Place, run, weights};
use insta::assert_snapshot;
use taper_tensor::{DType, State, StateDict, Tensor, tensor};

fn equal(a: &Tensor, b: &Tensor) {
    assert_eq!((a.dtype(), a.shape(), a.to_bytes()), (b.dtype(), b.shape(), b.to_bytes()));
}

#[test]
fn named_tensors_go_everywhere() {
    let place = Place::new().with("w0.safetensors", &weights());
    let mut from = "w0.safetensors".to_string();
    for (i, to) in ["npz", "safetensors", "pt", "npz", "pth", "safetensors"].into_iter().enumerate() {
        let name = format!("w{}.{to}", i + 1);
        assert!(place.run(&["convert", &from, &name]).code() == 0);
        let (was, now) = (weights(), taper_io::load_state_dict(place.path(&name)).unwrap());
        assert!(was.keys().eq(now.keys()));
        was.values().zip(now.values()).for_each(|(a, b)| equal(a, b));
        from = name;
    }
}

#[test]
fn one_tensor_goes_everywhere() {
    let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
    let place = Place::new().with("x.npy", &x);
    for to in ["x.safetensors", "x.npz", "x.pt"] {
        place.run(&["convert", "x.npy", to]).ok();
        let back = format!("{to}.npy");
        place.run(&["convert", to, &back]).ok();
        equal(taper_io::load(place.path(&back)).unwrap().as_tensor().unwrap(), &x);
        place.run(&["diff", "x.npy", to]).ok();
    }
    assert_eq!(taper_io::load_state_dict(place.path("x.npz")).unwrap().keys().collect::<Vec<_>>(), ["arr_0"]);
}

#[test]
fn trees_keep_their_values() {
    let place = Place::new().with("run.safetensors", &run());
    let wrote = place.run(&["convert", "run.safetensors", "run.pt"]);
    assert!(wrote.ok().starts_with("wrote run.pt: 4 tensors, 9 values, "), "{}", wrote.out());
    place.run(&["diff", "run.safetensors", "run.pt"]).ok();
    let note = place.run(&["convert", "run.pt", "again.safetensors"]);
    assert_eq!(note.code(), 0);
    place.run(&["diff", "run.safetensors", "again.safetensors"]).ok();
}

#[test]
fn a_part() {
    let place = Place::new().with("run.safetensors", &run());
    assert_snapshot!(place.run(&["convert", "run.safetensors", "w.npz", "--select", "model"]).ok(), @r#"wrote w.npz: 4 tensors, 1.1 kB"#);
    assert!(taper_io::load_state_dict(place.path("w.npz")).unwrap().keys().eq(weights().keys()));
    place.run(&["convert", "run.safetensors", "one.npy", "--select", "model.head.weight"]).ok();
    equal(
        taper_io::load(place.path("one.npy")).unwrap().as_tensor().unwrap(),
        weights().get("head.weight").unwrap(),
    );
}

#[test]
fn what_the_target_cannot_hold() {
    let bf16: StateDict = [("w".to_string(), tensor([1.0]).to_dtype(DType::BF16))].into_iter().collect();
    let place = Place::new().with("run.safetensors", &run()).with("bf16.safetensors", &bf16);
    let fails = |args: &[&str]| {
        let line = place.run(&[&["convert"], args].concat()).trouble().to_string();
        assert!(!place.path(args[1]).exists());
        line
    };
    assert_snapshot!(fails(&["run.safetensors", "x.npz"]), @r#"x.npz: .npz holds named tensors alone, and cannot hold "model", a map; --select takes a part: "model"; .pt and .safetensors hold any tree"#);
    assert_snapshot!(fails(&["run.safetensors", "x.npz", "--select", "optimizer"]), @r#"x.npz: .npz holds named tensors alone, and cannot hold "param_groups", a list; .pt and .safetensors hold any tree"#);
    assert_snapshot!(fails(&["run.safetensors", "x.npz", "--select", "epoch"]), @r#"x.npz: .npz holds named tensors alone, and cannot hold an integer; .pt and .safetensors hold any tree"#);
    assert_snapshot!(fails(&["run.safetensors", "x.npy"]), @r#"x.npy: .npy holds one tensor; --select takes one of "model.embed.weight", "model.body.weight", "model.body.steps", "model.head.weight""#);
    assert_snapshot!(fails(&["run.safetensors", "x.npy", "--select", "optimizer"]), @r#"x.npy: .npy holds one tensor, and there is none"#);
    assert_snapshot!(fails(&["run.safetensors", "x.pt", "--select", "modell"]), @r#"run.safetensors: has no "modell"; it has "model", "optimizer", "epoch", "best", "note", "parent", "tags""#);
    assert_snapshot!(fails(&["run.safetensors", "x.txt"]), @r#"x.txt: unknown file extension; taper writes .pt, .pth, .safetensors, .npz and .npy"#);
    assert_snapshot!(fails(&["bf16.safetensors", "x.npz"]), @r#"x.npz: tensor "w": numpy has no bfloat16; --dtype f32 holds the same numbers"#);
    assert_snapshot!(fails(&["bf16.safetensors", "x.npy"]), @r#"x.npy: tensor "w": numpy has no bfloat16; --dtype f32 holds the same numbers"#);
    place.run(&["convert", "bf16.safetensors", "x.npz", "--dtype", "f32"]).ok();
}

#[test]
fn nothing_is_replaced_unasked() {
    let place = Place::new().with("a.safetensors", &weights()).bytes("b.npz", b"precious");
    assert_snapshot!(place.run(&["convert", "a.safetensors", "b.npz"]).trouble(), @r#"b.npz: it is there already; --force replaces it"#);
    assert_eq!(std::fs::read(place.path("b.npz")).unwrap(), b"precious");
    place.run(&["convert", "--force", "a.safetensors", "b.npz"]).ok();
    place.run(&["diff", "a.safetensors", "b.npz"]).ok();
    // Over itself, while it is mapped.
    place.run(&["convert", "-f", "--dtype", "f64", "a.safetensors", "a.safetensors"]).ok();
    let widened = taper_io::load_state_dict(place.path("a.safetensors")).unwrap();
    equal(widened.get("embed.weight").unwrap(), &weights().get("embed.weight").unwrap().to_dtype(DType::F64));
    equal(widened.get("body.steps").unwrap(), &tensor(1234));
}

#[test]
fn a_link_that_leads_nowhere_is_something() {
    #[cfg(unix)]
    {
        let place = Place::new().with("a.npz", &weights());
        std::os::unix::fs::symlink("nowhere.npz", place.path("b.npz")).unwrap();
        assert!(place.run(&["convert", "a.npz", "b.npz"]).trouble().contains("--force"));
    }
}

#[test]
fn tied_tensors_stay_tied_in_pt() {
    let tied = |to: &str, args: &[&str]| {
        let place = Place::new().with("a.pt", &weights());
        let run = place.run(&[&["convert", "a.pt", to], args].concat());
        assert_eq!(run.code(), 0, "{}", run.err());
        let dict = taper_io::load_state_dict(place.path(to)).unwrap();
        let shares = dict.get("embed.weight").unwrap().shares_storage(dict.get("head.weight").unwrap());
        (shares, run.err().to_string())
    };
    assert_eq!(tied("b.pt", &[]), (true, String::new()));
    assert_eq!(tied("b.pt", &["--dtype", "bf16"]), (true, String::new()));
    let (shares, note) = tied("b.safetensors", &[]);
    assert!(!shares);
    assert_snapshot!(note, @r#"taper: note: b.safetensors: 1 tensor of shared memory written in full"#);
}

#[test]
fn parts_of_one_storage_stay_so_but_for_casts() {
    let place = Place::new().pytorch("views.pt");
    place.run(&["convert", "views.pt", "b.pt"]).ok();
    let size = |name: &str| std::fs::metadata(place.path(name)).unwrap().len();
    assert!(size("b.pt") < size("views.pt") + 100);
    let cast = place.run(&["convert", "views.pt", "c.pt", "--dtype", "f64"]);
    assert_snapshot!(cast.err(), @r#"taper: note: c.pt: 4 tensors of shared memory written in full"#);
    place.run(&["diff", "views.pt", "c.pt", "--ignore-dtype"]).ok();
}

#[test]
fn metadata_of_safetensors() {
    let place = Place::new().fixture("python.safetensors");
    place.run(&["convert", "python.safetensors", "b.safetensors"]).ok();
    let of = |name: &str| {
        let file = taper_io::safetensors::File::open(place.path(name)).unwrap();
        file.metadata().iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>()
    };
    assert_eq!(of("b.safetensors"), ["format=pt"]);
    // What says nothing more than that is lost silently.
    place.run(&["convert", "python.safetensors", "c.pt"]).ok();
    let path = place.path("author.safetensors");
    taper_io::safetensors::save_with_metadata(&weights(), &[("author", "me")], &path).unwrap();
    assert_snapshot!(place.run(&["convert", "author.safetensors", "d.npz"]).err(), @r#"taper: note: d.npz: the metadata of safetensors is not kept"#);
}

#[test]
fn values_alone() {
    let place = Place::new().with("v.safetensors", &State::map([("a", 1.into())]));
    let wrote = place.run(&["convert", "v.safetensors", "v.pt"]);
    assert!(wrote.ok().starts_with("wrote v.pt: 0 tensors, 1 value, "), "{}", wrote.out());
}
