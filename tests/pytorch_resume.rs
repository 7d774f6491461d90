//! A run that began in PyTorch goes on as it does there; without PyTorch, by the checkpoints and losses
//! that `tests/pytorch/resume.py --fixtures` left. With PyTorch, that script tests both ways.

#[allow(dead_code)]
#[path = "../examples/pytorch_resume.rs"]
mod example;

use clap::ValueEnum;
use example::{Algorithm, Run};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use taper::{Key, State, Tensor, load};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/resume").join(name)
}

fn name(algorithm: Algorithm) -> String {
    algorithm.to_possible_value().unwrap().get_name().into()
}

fn resume(algorithm: Algorithm) -> Run {
    let from = fixture(&format!("{}.pt", name(algorithm)));
    Run::resume(algorithm, &fixture("data.pt"), &from).unwrap()
}

/// The global generator is part of a run: one at a time.
static GENERATOR: Mutex<()> = Mutex::new(());

#[test]
fn a_run_of_pytorch_goes_on() {
    let _alone = GENERATOR.lock();
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let floats = |list: &serde_json::Value| -> Vec<f64> {
        list.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let dir = tempfile::tempdir().unwrap();
    for &algorithm in Algorithm::value_variants() {
        let name = name(algorithm);
        let losses = floats(&expected[&name]["losses"]);
        let mut run = resume(algorithm);
        assert_eq!(run.losses, losses[..14], "{name}: the first two epochs are PyTorch's");
        run.train_epoch();
        run.train_epoch();
        // The generator is where PyTorch's is: to the bit, after shuffling and dropout.
        let (ours, theirs) = (Tensor::rand([4]), floats(&expected[&name]["draws"]));
        assert_eq!(ours.to_vec::<f32>(), theirs.iter().map(|&v| v as f32).collect::<Vec<_>>(), "{name}");
        // The rest follows from a file of taper's own.
        let mut run = resume(algorithm);
        run.train_epoch();
        let saved = dir.path().join(format!("{name}.pt"));
        run.save(&saved).unwrap();
        let mut run = Run::resume(algorithm, &fixture("data.pt"), &saved).unwrap();
        (0..3).for_each(|_| run.train_epoch());
        assert_eq!((run.epoch, run.losses.len()), (6, losses.len()));
        let apart = |(a, b): (&f64, &f64)| ((a - b) / b).abs();
        let worst = run.losses.iter().zip(&losses).map(apart).fold(0.0, f64::max);
        println!("{name}: {worst:.1e}");
        assert!(worst < 1e-5, "{name}: a loss is a relative {worst:.1e} from PyTorch's");
    }
}

/// Saved again at once, a checkpoint is what it was, value for value, but for what is PyTorch's alone.
#[test]
fn a_checkpoint_has_pytorch_layout() {
    let _alone = GENERATOR.lock();
    let dir = tempfile::tempdir().unwrap();
    for &algorithm in Algorithm::value_variants() {
        let theirs = load(fixture(&format!("{}.pt", name(algorithm)))).unwrap();
        let ours = dir.path().join("again.pt");
        resume(algorithm).save(&ours).unwrap();
        same(&name(algorithm), &load(&ours).unwrap(), &theirs);
    }
}

/// Flags of PyTorch's schedulers between two of their calls.
const FLAGS: [&str; 2] = ["_is_initial", "_get_lr_called_within_step"];

#[track_caller]
fn same(at: &str, ours: &State, theirs: &State) {
    match (ours, theirs) {
        (State::Map(a), State::Map(b)) => {
            let b: Vec<(&Key, &State)> =
                b.iter().filter(|(k, _)| !FLAGS.iter().any(|f| **k == **f)).collect();
            let mut keys = [a.keys().collect::<Vec<_>>(), b.iter().map(|(k, _)| *k).collect()]
                .map(|keys| keys.iter().map(|k| format!("{k:?}")).collect::<Vec<_>>());
            // PyTorch's own optimizers differ in where among the rest their switches stand.
            if at.contains("param_groups") {
                keys.iter_mut().for_each(|k| k.sort());
            }
            assert_eq!(keys[0], keys[1], "{at}");
            for (k, theirs) in b {
                let (_, ours) = a.iter().find(|(key, _)| *key == k).unwrap();
                same(&format!("{at}.{k:?}"), ours, theirs);
            }
        }
        (State::List(a), State::List(b)) | (State::Tuple(a), State::Tuple(b)) => {
            assert_eq!(a.len(), b.len(), "{at}");
            a.iter().zip(b).for_each(|(a, b)| same(at, a, b));
        }
        (State::Tensor(a), State::Tensor(b)) => {
            let whole = |t: &Tensor| (t.dtype(), t.shape().to_vec(), t.strides().to_vec(), t.to_bytes());
            assert_eq!(whole(a), whole(b), "{at}");
        }
        // Hyper-parameters that were given as 0 are integers in PyTorch.
        (State::Float(a), State::Int(b)) => assert_eq!(*a, *b as f64, "{at}"),
        (a, b) => assert_eq!(format!("{a:?}"), format!("{b:?}"), "{at}"),
    }
}
