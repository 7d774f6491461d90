//! State dicts between devices and files.

use crate::{ALONE, device};
use taper::nn::{BatchNorm2d, Conv2d, Flatten, Linear, ReLU, Sequential, sequential};
use taper::prelude::*;

fn model() -> Sequential {
    sequential![Conv2d::new(1, 4, 3), BatchNorm2d::new(4), ReLU::new(), Flatten::new(), Linear::new(16, 3)]
}

fn same(a: &Sequential, b: &Sequential) {
    for ((name, x), (_, y)) in a.state_dict().iter().zip(b.state_dict().iter()) {
        assert_eq!((x.to_bytes(), x.shape()), (y.to_bytes(), y.shape()), "{name}");
    }
}

#[test]
fn state_dicts_move() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let (here, there) = (model(), model());
    there.to_device(cuda);
    assert!(there.parameters().iter().all(|p| p.value().device() == cuda));
    there.load_state_dict(&here.state_dict(), true).unwrap();
    same(&here, &there);
    assert!(there.state_dict().values().all(|t| t.device() == cuda));
    let again = model();
    again.load_state_dict(&there.state_dict(), true).unwrap();
    same(&here, &again);
    assert!(again.state_dict().values().all(|t| t.device() == Device::Cpu));
}

#[test]
fn files_know_no_device() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let folder = tempfile::tempdir().unwrap();
    let there = model();
    there.to_device(cuda);
    for name in ["model.safetensors", "model.pt", "model.npz"] {
        let path = folder.path().join(name);
        taper::save(&there.state_dict(), &path).unwrap();
        let read = taper::load_state_dict(&path).unwrap();
        assert!(read.values().all(|t| t.device() == Device::Cpu), "{name}");
        let again = model();
        again.to_device(cuda);
        again.load_state_dict(&read, true).unwrap();
        same(&there, &again);
    }
}
