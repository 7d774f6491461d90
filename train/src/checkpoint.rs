//! Checkpoints: a run stops at any moment and goes on as if it had not.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use taper_io::{SaveOptions, ToState};
use taper_nn::Module;
use taper_tensor::{
    DType, Key, OrderedMap, State, StateDict, Stateful, Tensor, get_rng_state, set_rng_state,
};

const MODEL: &str = "model";
const RNG: &str = "rng_state";

/// What is saved of a run: `torch.save({"model": …, "optimizer": …, "epoch": …}, path)`.
///
/// The state of the global random generator is saved with it (`"rng_state"`, the bytes of
/// `torch.get_rng_state()`). With it, the model, and everything else that has a state (optimizer,
/// scheduler, loader, metrics), a run that is killed goes on from its last checkpoint with the same bits,
/// in the middle of an epoch too.
///
/// The file is a tree that [`taper_io::load`] reads as well; its format follows the extension.
///
/// ```
/// use taper_nn::{Linear, Module};
/// use taper_optim::{Adam, Optimizer};
/// use taper_train::Checkpoint;
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("run.safetensors");
/// let model = Linear::new(4, 2);
/// let mut optimizer = Adam::new(model.parameters(), 1e-3);
/// let mut start: usize = 0;
/// if let Some(saved) = Checkpoint::find(&path)? {
///     saved.load_model(&model)?;
///     saved.load("optimizer", &mut optimizer)?;
///     saved.restore_rng()?;
///     start = saved.value("epoch")?;
/// }
/// for epoch in start..3 {
///     // … train …
///     Checkpoint::new().model(&model).with("optimizer", &optimizer).value("epoch", epoch + 1).save(&path)?;
/// }
/// assert_eq!(Checkpoint::load(&path)?.value::<usize>("epoch")?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is saved before `save`"]
pub struct Checkpoint {
    parts: OrderedMap<Key, State>,
}

impl Checkpoint {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A model's parameters and buffers, as `"model"`.
    pub fn model(self, model: &(impl Module + ?Sized)) -> Self {
        self.module(MODEL, model)
    }

    /// A model's parameters and buffers under another name, where there is more than one.
    pub fn module(self, name: &str, model: &(impl Module + ?Sized)) -> Self {
        self.value(name, model.state_dict())
    }

    /// The state of an optimizer, scheduler, loader or metric.
    pub fn with(self, name: &str, part: &(impl Stateful + ?Sized)) -> Self {
        self.value(name, part.state_dict())
    }

    /// A value: a number, a text, a tensor, a list of them. A name that comes again replaces.
    pub fn value(mut self, name: &str, value: impl ToState) -> Self {
        self.parts.insert(name, value.to_state());
        self
    }

    /// Saves everything, and the global generator's state as it is now; atomically: killed at any moment,
    /// the checkpoint before or this one is there, whole.
    ///
    /// # Errors
    /// Where the file cannot be written; what was there before stays.
    pub fn save(self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        self.save_with(path, &SaveOptions::default())
    }

    /// As [`save`](Checkpoint::save), with options.
    ///
    /// # Errors
    /// As [`save`](Checkpoint::save).
    pub fn save_with(self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<(), CheckpointError> {
        let state = get_rng_state();
        let parts = self.value(RNG, Tensor::from_slice(&state, [state.len()])).parts;
        Ok(taper_io::save_with(&State::Map(parts), path, options)?)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// Where the file is missing, damaged or no checkpoint.
    pub fn load(path: impl AsRef<Path>) -> Result<Saved, CheckpointError> {
        let path = path.as_ref();
        let parts = match taper_io::load(path)? {
            State::Map(parts) => parts,
            _ => return Err(CheckpointError::Empty { path: path.into() }),
        };
        Ok(Saved { path: path.into(), parts })
    }

    /// Reads a checkpoint, if there is one.
    ///
    /// # Errors
    /// Where there is a file that cannot be read, is damaged or no checkpoint.
    pub fn find(path: impl AsRef<Path>) -> Result<Option<Saved>, CheckpointError> {
        match Checkpoint::load(path) {
            Ok(saved) => Ok(Some(saved)),
            Err(CheckpointError::File(taper_io::Error::Io { source, .. }))
                if source.kind() == ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// A checkpoint that was read.
#[derive(Clone, Debug)]
pub struct Saved {
    path: PathBuf,
    parts: OrderedMap<Key, State>,
}

impl Saved {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its parts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.keys().filter_map(|k| match k {
            Key::Str(name) => Some(name.as_str()),
            Key::Int(_) => None,
        })
    }

    /// A part as it was saved, if it is there.
    pub fn get(&self, name: &str) -> Option<&State> {
        self.parts.get(name)
    }

    fn part(&self, name: &str) -> Result<&State, CheckpointError> {
        self.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            self.fail(name, format!("it is not there; there are {}", names.join(", ")))
        })
    }

    fn fail(&self, part: &str, message: impl Into<String>) -> CheckpointError {
        CheckpointError::Part { path: self.path.clone(), part: part.into(), message: message.into() }
    }

    /// Sets a model's parameters and buffers.
    ///
    /// # Errors
    /// Where the part is missing or is another model's: every missing and unexpected name and every
    /// shape that differs. The model is unchanged then.
    pub fn load_model(&self, model: &(impl Module + ?Sized)) -> Result<(), CheckpointError> {
        self.load_module(MODEL, model)
    }

    /// As [`load_model`](Self::load_model), from another name.
    ///
    /// # Errors
    /// As [`load_model`](Self::load_model).
    pub fn load_module(&self, name: &str, model: &(impl Module + ?Sized)) -> Result<(), CheckpointError> {
        let dict: StateDict = self.value(name)?;
        model.load_state_dict(&dict, true).map_err(|e| self.fail(name, e.to_string()))?;
        Ok(())
    }

    /// Sets the state of an optimizer, scheduler, loader or metric.
    ///
    /// # Errors
    /// Where the part is missing or does not fit; the target is unchanged then.
    pub fn load(&self, name: &str, target: &mut (impl Stateful + ?Sized)) -> Result<(), CheckpointError> {
        target.load_state_dict(self.part(name)?).map_err(|e| self.fail(name, e.to_string()))
    }

    /// A value.
    ///
    /// # Errors
    /// Where it is missing or of another kind.
    pub fn value<T: FromState>(&self, name: &str) -> Result<T, CheckpointError> {
        T::from_state(self.part(name)?).ok_or_else(|| self.fail(name, format!("it is not {}", T::WHAT)))
    }

    /// Sets the global random generator. Do this after everything that draws, such as making the model.
    ///
    /// # Errors
    /// Where the state is missing or damaged; the generator is unchanged then.
    pub fn restore_rng(&self) -> Result<(), CheckpointError> {
        let state: Tensor = self.value(RNG)?;
        if state.dtype() != DType::U8 {
            return Err(self.fail(RNG, format!("bytes were expected, not {}", state.dtype())));
        }
        set_rng_state(&state.to_bytes()).map_err(|e| self.fail(RNG, e.to_string()))
    }
}

/// Why a checkpoint was not saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file.
    #[error(transparent)]
    File(#[from] taper_io::Error),
    /// The file is sound and holds something else.
    #[error("{}: holds no named parts: not a checkpoint", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// One part.
    #[error("{}: part \"{part}\": {message}", path.display())]
    Part {
        /// The file.
        path: PathBuf,
        /// The part's name.
        part: String,
        /// What is wrong with it.
        message: String,
    },
}

/// A type that a checkpoint's values can be read as.
pub trait FromState: Sized {
    /// What it is, for messages.
    const WHAT: &'static str;
    /// The value, if it is of this kind.
    fn from_state(state: &State) -> Option<Self>;
}

macro_rules! from_state {
    ($($t:ty: $what:literal, $read:expr;)*) => { $(
        impl FromState for $t {
            const WHAT: &'static str = $what;
            fn from_state(state: &State) -> Option<Self> {
                let read: fn(&State) -> Option<$t> = $read;
                read(state)
            }
        }
    )* };
}
from_state! {
    i64: "an integer", State::as_i64;
    usize: "a count", |s| usize::try_from(s.as_i64()?).ok();
    f64: "a number", State::as_f64;
    bool: "a truth value", State::as_bool;
    String: "text", |s| s.as_str().map(str::to_string);
    Tensor: "a tensor", |s| s.as_tensor().cloned();
    StateDict: "a map of named tensors", State::to_state_dict;
    State: "a value", |s| Some(s.clone());
}

impl<T: FromState> FromState for Vec<T> {
    const WHAT: &'static str = "a list of such values";
    fn from_state(state: &State) -> Option<Self> {
        state.as_list()?.iter().map(T::from_state).collect()
    }
}

impl<T: FromState> FromState for Option<T> {
    const WHAT: &'static str = T::WHAT;
    fn from_state(state: &State) -> Option<Self> {
        match state {
            State::None => Some(None),
            other => T::from_state(other).map(Some),
        }
    }
}
