//! Writing a file whole or not at all.

use crate::error::{Error, Result};
use crate::options::SaveOptions;
use crate::writeback::AtomicFile;
use std::fs::{File, Permissions};
use std::io::{Error as IoError, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

const SUFFIX: &str = ".taper-tmp";

/// Writes a file through a temporary one in the same folder, which takes its name only when everything
/// is on the disk. Where anything fails (no space, no permission), the old file stays as it was and
/// nothing is left behind. A killed program leaves the old file or the new one, and at most its temporary
/// file, which the next save under the same name clears away.
///
/// A link is followed; a file that is there keeps its permissions.
///
/// # Errors
/// Where the folder is missing or not writable, the name belongs to a folder, a device or a read-only
/// file, the disk is full, or `write` fails.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut AtomicFile) -> std::io::Result<()>) -> Result<()> {
    write_atomic_with(path, &SaveOptions::default(), write)
}

/// As [`write_atomic`], with options: without [`sync`](SaveOptions::sync) the file takes its name when
/// everything is with the system.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_atomic_with(
    path: &Path,
    options: &SaveOptions,
    write: impl FnOnce(&mut AtomicFile) -> std::io::Result<()>,
) -> Result<()> {
    let (target, permissions) = target(path)?;
    let folder = match target.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let prefix = prefix(&target);
    sweep(folder, &prefix);
    let file = create(folder, &prefix)
        .map_err(plain)
        .map_err(Error::io(path, "cannot create a file in its folder"))?;
    let mut out = AtomicFile::new(file.as_file(), options.sync);
    write(&mut out).and_then(|()| out.flush()).map_err(Error::io(path, "cannot write"))?;
    if let Some(permissions) = permissions {
        file.as_file()
            .set_permissions(permissions)
            .map_err(Error::io(path, "cannot keep its permissions"))?;
    }
    out.finish().map_err(Error::io(path, "cannot bring it to the disk"))?;
    file.persist(&target).map_err(|e| Error::io(path, "cannot replace it")(e.error))?;
    // The new name is in the folder only when the folder is on the disk, too. Not every system can sync one.
    if options.sync
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The file to replace, behind any links, and its permissions if there is one.
fn target(path: &Path) -> Result<(PathBuf, Option<Permissions>)> {
    if path.file_name().is_none() {
        return Err(Error::format(path, "cannot write: not a file's name"));
    }
    let Ok(there) = std::fs::symlink_metadata(path) else {
        // Nothing there, or no folder: creating says which.
        return Ok((path.into(), None));
    };
    let (target, there) = if there.is_symlink() {
        let real = std::fs::canonicalize(path).map_err(Error::io(path, "cannot follow the link"))?;
        let there = std::fs::metadata(&real).map_err(Error::io(path, "cannot follow the link"))?;
        (real, there)
    } else {
        (path.into(), there)
    };
    let refused = |why| Err(Error::format(path, format!("cannot replace it: {why}")));
    if there.is_dir() {
        return refused("it is a folder");
    }
    if !there.is_file() {
        return refused("it is not a plain file");
    }
    if there.permissions().readonly() {
        return refused("it is read-only");
    }
    Ok((target, Some(there.permissions())))
}

/// Begins the names of a file's temporary files.
fn prefix(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    // Names have at most 255 bytes.
    let cut = (0..=name.len().min(150)).rev().find(|&i| name.is_char_boundary(i)).unwrap_or(0);
    format!(".{}.", &name[..cut])
}

/// A new file, locked: a lock dies with its program, so what is not locked is litter.
fn create(folder: &Path, prefix: &str) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(SUFFIX);
    #[cfg(unix)]
    {
        // As any new file: readable as the umask allows, not for the owner alone.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(Permissions::from_mode(0o666));
    }
    loop {
        let file = builder.tempfile_in(folder)?;
        // File systems without locks keep their litter: `sweep` gets no lock there either.
        let locked = file.as_file().lock().is_ok();
        // Between its creation and the lock, another program's `sweep` may have taken it away.
        if !locked || file.path().exists() {
            return Ok(file);
        }
    }
}

/// Removes what killed programs left of earlier saves of this file.
fn sweep(folder: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|n| n.starts_with(prefix) && n.ends_with(SUFFIX));
        if ours
            && entry.file_type().is_ok_and(|t| t.is_file())
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The system's reason alone: a temporary file's name says nothing to a user.
fn plain(error: IoError) -> IoError {
    match error.to_string().split_once(" at path ") {
        Some((reason, _)) => IoError::new(error.kind(), reason.to_string()),
        None => error,
    }
}
