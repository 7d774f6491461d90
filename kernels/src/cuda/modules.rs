//! The committed PTX, and the kernels that have been asked for.

use super::counters::Counters;
use super::driver::{Driver, Function, Module};
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};

/// Makes `source(family, tag)`: a line for each family of `kernels/cuda/kernels.toml`, with its dtypes.
macro_rules! ptx {
    ($($family:ident: $($tag:ident)*;)*) => {
        /// The PTX of a family for a dtype (or "" for a family that has none).
        fn source(family: &str, tag: &str) -> Option<&'static str> {
            Some(match (family, tag) {
                $($((stringify!($family), stringify!($tag)) => include_str!(concat!(
                    "../../cuda/ptx/sm_75/", stringify!($family), "_", stringify!($tag), ".ptx")),)*)*
                ("starts", "") => include_str!("../../cuda/ptx/sm_75/starts.ptx"),
                _ => return None,
            })
        }

        #[cfg(test)]
        const NAMES: &[(&str, &str)] = &[$($((stringify!($family), stringify!($tag)),)*)* ("starts", "")];
    };
}
ptx! {
    unary: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
    binary: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
    compare: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
    select: i8 i16 i32 i64;
    copy: i8 i16 i32 i64;
    cast: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
    reduce: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
    softmax: f16 bf16 f32 f64;
    norm: f16 bf16 f32 f64;
    gemm: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
    conv: f16 bf16 f32 f64;
    index: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
    pool: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
    optimizer: f16 bf16 f32 f64;
    scan: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
    sort: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
    random: u8 i8 i16 i32 i64 f16 bf16 f32 f64;
}

/// A kernel's family, its name in there, and the dtype it is compiled for: `("unary", "exp", "f32")` is
/// `exp_f32` of `unary_f32.ptx`.
pub(super) type Name = (&'static str, &'static str, &'static str);

/// The same module from the folder `TAPER_CUDA_PTX`, where `cargo xtask cuda gen --lines` wrote it with the lines
/// of its source, for reports of an emulator or a profiler.
fn with_lines(family: &str, tag: &str) -> Option<String> {
    let folder = std::env::var_os("TAPER_CUDA_PTX")?;
    let name = if tag.is_empty() { format!("{family}.ptx") } else { format!("{family}_{tag}.ptx") };
    std::fs::read_to_string(std::path::Path::new(&folder).join("sm_75").join(name)).ok()
}

#[derive(Default)]
pub(super) struct Modules {
    functions: RwLock<HashMap<Name, Function>>,
    loaded: Mutex<HashMap<(&'static str, &'static str), Module>>,
}

impl Modules {
    /// A kernel; its module is compiled by the driver when one of it is asked for first.
    pub fn function(&self, driver: &Driver, counters: &Counters, name: Name) -> Result<Function> {
        if let Some(&f) = self.functions.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Ok(f);
        }
        let (family, op, tag) = name;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let module = match loaded.entry((family, tag)) {
            std::collections::hash_map::Entry::Occupied(e) => e.into_mut(),
            std::collections::hash_map::Entry::Vacant(e) => {
                let ptx = source(family, tag).ok_or_else(|| Error::Driver {
                    device: driver.device(),
                    doing: "looking up a kernel",
                    message: format!("there is no module {family}_{tag}"),
                })?;
                Counters::add(&counters.modules, 1);
                e.insert(driver.load(with_lines(family, tag).as_deref().unwrap_or(ptx))?)
            }
        };
        let full = if tag.is_empty() { op.to_owned() } else { format!("{op}_{tag}") };
        let f = driver.function(module, &full)?;
        self.functions.write().unwrap_or_else(PoisonError::into_inner).insert(name, f);
        Ok(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_committed_module_is_in_the_table() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cuda/ptx/sm_75");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .filter(|f| f.ends_with(".ptx"))
            .collect();
        let mut names: Vec<String> = NAMES
            .iter()
            .map(|(f, t)| if t.is_empty() { format!("{f}.ptx") } else { format!("{f}_{t}.ptx") })
            .collect();
        files.sort();
        names.sort();
        assert_eq!(names, files);
        assert!(NAMES.iter().all(|&(family, tag)| source(family, tag).is_some()));
    }
}
