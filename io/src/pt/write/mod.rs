//! Writing what `torch.save` writes.

mod pickler;
mod storages;
mod zip;

use crate::atomic::write_atomic_with;
use crate::error::{Error, Result};
use crate::options::SaveOptions;
use crate::value::ToState;
use pickler::Pickler;
use std::io::Write;
use std::path::Path;
use storages::Storages;
use zip::Archive;

/// Saves a value for `torch.load(path, weights_only=True)`, atomically.
///
/// Maps whose entries are named tensors alone become `OrderedDict`s, as modules' state dicts are (those
/// within a map of numbers excepted: an optimizer keeps `dict`s there), every other map a `dict`.
/// Tensors that share a storage are written with this one storage, their offsets and strides kept, and
/// share it again in PyTorch: tied weights, but also clones that nobody has written to since. A tensor
/// that is the only one of its storage is written without what it does not show of it; PyTorch's own
/// `torch.save` writes the whole storage. Steps backwards, which PyTorch has not got, are written forward.
///
/// The bytes are those of `torch.save` under the same name, but for 20 digits of the file's fingerprint,
/// the version numbers that a PyTorch module's own state dict has, and storages written smaller.
///
/// # Errors
/// Where the file cannot be written, for trees nested deeper than 120 levels and texts of 4 GiB; what
/// was there before stays.
pub fn save(value: &(impl ToState + ?Sized), path: impl AsRef<Path>) -> Result<()> {
    save_with(value, path, &SaveOptions::default())
}

/// As [`save`], with options.
///
/// # Errors
/// As [`save`].
pub fn save_with(
    value: &(impl ToState + ?Sized),
    path: impl AsRef<Path>,
    options: &SaveOptions,
) -> Result<()> {
    let path = path.as_ref();
    let state = value.to_state();
    let mut storages = Storages::of(&state);
    let pickle = Pickler::new(&mut storages).run(&state).map_err(|e| Error::format(path, e))?;
    let root = root(path);
    write_atomic_with(path, options, |out| {
        let mut archive = Archive::new(out, &root);
        archive.bytes("data.pkl", &pickle)?;
        archive.bytes(".format_version", b"1")?;
        archive.bytes(".storage_alignment", zip::ALIGNMENT.to_string().as_bytes())?;
        archive.bytes("byteorder", if cfg!(target_endian = "big") { b"big" } else { b"little" })?;
        for (i, storage) in storages.written().iter().enumerate() {
            archive.record(&format!("data/{i}"), storage.nbytes(), |out| {
                storage.each_piece(&mut |bytes| out.write_all(bytes))
            })?;
        }
        archive.bytes("version", b"3\n")?;
        archive.finish()
    })
}

/// The folder in the archive: the file's name without its extension, as PyTorch has it.
fn root(path: &Path) -> String {
    match path.file_stem().and_then(|name| name.to_str()) {
        Some(name) if name.is_ascii() && !name.contains('\\') => name.into(),
        _ => "archive".into(),
    }
}
