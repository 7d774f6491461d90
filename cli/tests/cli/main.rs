//! The command as a user runs it: what it prints, what it writes, how it ends.

mod convert;
mod diff;
mod errors;
mod hostile;
mod inspect;
mod json;
mod pytorch;
mod stats;
mod streams;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use taper_tensor::{State, StateDict, Tensor, tensor};
use tempfile::TempDir;

/// A folder of its own to run in.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Saves a value here.
    fn with(self, name: &str, value: &(impl taper_io::ToState + ?Sized)) -> Place {
        taper_io::save(value, self.path(name)).unwrap();
        self
    }

    /// Copies a file of the repository's `tests/fixtures` here.
    fn fixture(self, name: &str) -> Place {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
        std::fs::copy(&from, self.path(from.file_name().unwrap().to_str().unwrap())).unwrap();
        self
    }

    /// Copies one of the files by PyTorch here.
    fn pytorch(self, name: &str) -> Place {
        self.fixture(&format!("../../io/tests/fixtures/pt/{name}"))
    }

    /// Writes bytes here.
    fn bytes(self, name: &str, bytes: &[u8]) -> Place {
        std::fs::write(self.path(name), bytes).unwrap();
        self
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taper"));
        command.current_dir(self.0.path()).args(args).env_remove("NO_COLOR");
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run(self.command(args).output().unwrap())
    }
}

/// What a run left.
struct Run(Output);

impl Run {
    fn code(&self) -> i32 {
        self.0.status.code().expect("not ended by a signal")
    }
    fn out(&self) -> &str {
        std::str::from_utf8(&self.0.stdout).unwrap()
    }
    fn err(&self) -> &str {
        std::str::from_utf8(&self.0.stderr).unwrap()
    }
    /// Standard output of a run that ended well.
    fn ok(&self) -> &str {
        assert_eq!((self.code(), self.err()), (0, ""), "{}", self.out());
        self.out()
    }
    /// The one line of an error.
    fn trouble(&self) -> &str {
        assert_eq!((self.code(), self.out()), (2, ""), "{}", self.err());
        let line = self.err().strip_suffix('\n').unwrap();
        assert!(!line.contains('\n'), "{line}");
        line.strip_prefix("taper: ").unwrap()
    }
}

/// Named tensors, two of them of one memory.
fn weights() -> StateDict {
    let embedding = Tensor::from_vec((0..12).map(|i| i as f32 / 4.0).collect(), [4, 3]);
    [
        ("embed.weight".to_string(), embedding.clone()),
        ("body.weight".to_string(), tensor([[1.5, -2.0, f32::NAN], [0.0, f32::INFINITY, 7.0]])),
        ("body.steps".to_string(), tensor(1234)),
        ("head.weight".to_string(), embedding),
    ]
    .into_iter()
    .collect()
}

/// A training run's tree.
fn run() -> State {
    let group = State::map([
        ("lr", 1e-3.into()),
        ("betas", State::Tuple(vec![0.9.into(), 0.999.into()])),
        ("amsgrad", false.into()),
        ("params", State::List((0..20).map(State::Int).collect())),
    ]);
    State::map([
        ("model", weights().into()),
        ("optimizer", State::map([("param_groups", State::List(vec![group]))])),
        ("epoch", 3.into()),
        ("best", f64::INFINITY.into()),
        ("note", "first\ttry".into()),
        ("parent", State::None),
        ("tags", State::List(vec![])),
    ])
}
