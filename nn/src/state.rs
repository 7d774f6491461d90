//! Loading a state dict into a module.

use crate::module::Held;
use std::fmt;
use taper_tensor::{StateDict, Tensor};

/// What a state dict and a module had not in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadReport {
    /// Names the module has and the dict has not.
    pub missing: Vec<String>,
    /// Names the dict has and the module has not.
    pub unexpected: Vec<String>,
}

/// A shape that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The name.
    pub name: String,
    /// The shape in the dict.
    pub found: Vec<usize>,
    /// The shape in the module.
    pub expected: Vec<usize>,
}

/// Why a state dict was not loaded: everything that was wrong with it. The module is unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadError {
    /// The module's type.
    pub module: &'static str,
    /// Names that are only on one side; empty unless loading was strict.
    pub names: LoadReport,
    /// Shapes that differ.
    pub mismatched: Vec<Mismatch>,
}

impl std::error::Error for LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error(s) in loading state_dict for {}:", self.module)?;
        let quoted =
            |names: &[String]| names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
        if !self.names.missing.is_empty() {
            write!(f, "\n    missing key(s): {}", quoted(&self.names.missing))?;
        }
        if !self.names.unexpected.is_empty() {
            write!(f, "\n    unexpected key(s): {}", quoted(&self.names.unexpected))?;
        }
        for m in &self.mismatched {
            let Mismatch { name, found, expected } = m;
            write!(
                f,
                "\n    size mismatch for \"{name}\": {found:?} in the state dict, {expected:?} in the module"
            )?;
        }
        Ok(())
    }
}

pub(crate) fn load_state_dict(
    module: &'static str,
    slots: Vec<(String, Held)>,
    dict: &StateDict,
    strict: bool,
) -> Result<LoadReport, LoadError> {
    let mut report = LoadReport::default();
    let mut mismatched = Vec::new();
    let mut found: Vec<(&Held, &Tensor)> = Vec::new();
    for (name, held) in &slots {
        let Some(tensor) = dict.get(name.as_str()) else {
            report.missing.push(name.clone());
            continue;
        };
        let expected = held.value();
        if tensor.shape() == expected.shape() {
            found.push((held, tensor));
        } else {
            let (found, expected) = (tensor.shape().to_vec(), expected.shape().to_vec());
            mismatched.push(Mismatch { name: name.clone(), found, expected });
        }
    }
    report.unexpected = dict.keys().filter(|k| !slots.iter().any(|(n, _)| n == *k)).cloned().collect();
    let names_wrong = strict && report != LoadReport::default();
    if names_wrong || !mismatched.is_empty() {
        let names = if strict { report } else { LoadReport::default() };
        return Err(LoadError { module, names, mismatched });
    }
    for (held, tensor) in found {
        held.update(|t| {
            t.copy_(&tensor.detach());
        });
    }
    Ok(report)
}

impl Held {
    fn value(&self) -> Tensor {
        match self {
            Held::Parameter(p) => p.value(),
            Held::Buffer(b) => b.value(),
        }
    }
    fn update(&self, f: impl FnOnce(&mut Tensor)) {
        match self {
            Held::Parameter(p) => p.update(f),
            Held::Buffer(b) => b.update(f),
        }
    }
}
