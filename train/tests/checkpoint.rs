//! Checkpoints: what is saved comes back; what does not fit says which file and which part.

use std::sync::{Mutex, MutexGuard, PoisonError};
use taper_nn::{BatchNorm1d, Forward, Linear, Module, sequential};
use taper_optim::lr_scheduler::{LrScheduler, StepLR};
use taper_optim::{Adam, Optimizer, SGD};
use taper_tensor::{State, Tensor, manual_seed};
use taper_train::{Accuracy, Checkpoint, Mean};

/// One test at a time: making a layer draws from the global stream, which is compared here.
fn alone() -> MutexGuard<'static, ()> {
    static STREAM: Mutex<()> = Mutex::new(());
    STREAM.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A little training; gives the losses.
fn train(model: &dyn Forward, optimizer: &mut Adam, scheduler: &mut StepLR, steps: usize) -> Vec<f64> {
    let step = |_| {
        let loss = model.forward(&Tensor::randn([8, 4])).dropout(0.5, true).pow(2.0).mean();
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        scheduler.step(optimizer);
        loss.item()
    };
    (0..steps).map(step).collect()
}

#[test]
fn a_run_goes_on_as_it_would_have() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.safetensors");
    assert!(Checkpoint::find(&path).unwrap().is_none());
    assert!(Checkpoint::find(dir.path().join("no/folder/run.safetensors")).unwrap().is_none());

    let fresh = || {
        let model = sequential![Linear::new(4, 8), BatchNorm1d::new(8), Linear::new(8, 2)];
        let mut optimizer = Adam::new(model.parameters(), 1e-2);
        let scheduler = StepLR::new(&mut optimizer, 3, 0.7);
        (model, optimizer, scheduler)
    };
    manual_seed(3);
    let (model, mut optimizer, mut scheduler) = fresh();
    let (mut loss, mut accuracy) = (Mean::new(), Accuracy::new());
    for value in train(&model, &mut optimizer, &mut scheduler, 5) {
        loss.add(value, 8);
    }
    accuracy.add(&Tensor::eye(2), &Tensor::arange(0, 2, 1));
    let losses = vec![0.1, f64::NAN, -0.0];
    let checkpoint = Checkpoint::new()
        .model(&model)
        .with("optimizer", &optimizer)
        .with("scheduler", &scheduler)
        .with("loss", &loss)
        .with("accuracy", &accuracy)
        .value("losses", &losses)
        .value("best", None::<f64>)
        .value("note", "half way")
        .value("epoch", 5);
    checkpoint.save(&path).unwrap();
    let straight = train(&model, &mut optimizer, &mut scheduler, 6);

    manual_seed(99);
    let (resumed, mut optimizer, mut scheduler) = fresh();
    let saved = Checkpoint::find(&path).unwrap().unwrap();
    saved.load_model(&resumed).unwrap();
    saved.load("optimizer", &mut optimizer).unwrap();
    saved.load("scheduler", &mut scheduler).unwrap();
    let (mut loss_again, mut accuracy_again) = (Mean::new(), Accuracy::new());
    saved.load("loss", &mut loss_again).unwrap();
    saved.load("accuracy", &mut accuracy_again).unwrap();
    saved.restore_rng().unwrap();
    assert_eq!(train(&resumed, &mut optimizer, &mut scheduler, 6), straight);
    for ((name, a), (_, b)) in model.state_dict().iter().zip(resumed.state_dict().iter()) {
        assert_eq!(a.to_bytes(), b.to_bytes(), "{name}");
    }
    assert_eq!((loss_again, accuracy_again), (loss, accuracy));
    let bits = |v: &[f64]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&saved.value::<Vec<f64>>("losses").unwrap()), bits(&losses));
    assert_eq!(saved.value::<Option<f64>>("best").unwrap(), None);
    assert_eq!(saved.value::<String>("note").unwrap(), "half way");
    assert_eq!(saved.value::<usize>("epoch").unwrap(), 5);
}

/// The file is as PyTorch users would lay it out, and any program's tree will do.
#[test]
fn the_file_is_a_tree() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.safetensors");
    let model = Linear::new(2, 1);
    let optimizer = SGD::new(model.parameters(), 0.1);
    Checkpoint::new().model(&model).with("optimizer", &optimizer).value("epoch", 1).save(&path).unwrap();
    let tree = taper_io::load(&path).unwrap();
    assert_eq!(tree.get("model").unwrap().get("weight").unwrap().as_tensor().unwrap().shape(), [1, 2]);
    assert!(tree.get("optimizer").unwrap().get("param_groups").unwrap().as_list().unwrap().len() == 1);
    // As torch.get_rng_state().
    assert_eq!(tree.get("rng_state").unwrap().as_tensor().unwrap().shape(), [5056]);
    let names = taper_io::safetensors::File::open(&path).unwrap();
    assert_eq!(names.names().collect::<Vec<_>>(), ["model.weight", "model.bias", "rng_state"]);
}

#[test]
fn what_does_not_fit_says_where() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.safetensors");
    let model = Linear::new(2, 1);
    Checkpoint::new().model(&model).value("epoch", "one").value("optimizer", 3).save(&path).unwrap();
    let saved = Checkpoint::load(&path).unwrap();
    let check = |error: taper_train::CheckpointError, expected: &str| {
        let text = error.to_string();
        assert!(text.starts_with(path.to_str().unwrap()) && text.contains(expected), "{text}");
    };
    let other = Linear::new(3, 1);
    let before = other.state_dict();
    check(saved.load_model(&other).unwrap_err(), "part \"model\": error(s) in loading state_dict for Linear");
    assert!(other.state_dict().iter().zip(before.iter()).all(|(a, b)| a.1.equal(b.1)));
    check(saved.value::<usize>("epoch").unwrap_err(), "part \"epoch\": it is not a count");
    let missing = "part \"step\": it is not there; there are model, epoch, optimizer, rng_state";
    check(saved.value::<usize>("step").unwrap_err(), missing);
    let mut optimizer = Adam::new(model.parameters(), 0.1);
    check(
        saved.load("optimizer", &mut optimizer).unwrap_err(),
        "part \"optimizer\": cannot load the state of Adam",
    );

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    check(Checkpoint::find(&path).unwrap_err(), "is the file cut off?");

    let rng = |state: State| {
        taper_io::save(&State::map([("rng_state", state)]), &path).unwrap();
        Checkpoint::load(&path).unwrap().restore_rng().unwrap_err()
    };
    check(rng(Tensor::zeros([5056]).into()), "part \"rng_state\": bytes were expected, not float32");
    check(rng(Tensor::zeros_with([12], taper_tensor::DType::U8).into()), "part \"rng_state\": ");
    taper_io::save(&State::from(vec![State::None]), &path).unwrap();
    check(Checkpoint::load(&path).unwrap_err(), "not a checkpoint");
}
