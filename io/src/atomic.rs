//! Writing a file whole or not at all.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Error as IoError, Write};
use std::path::Path;

/// Writes a file through a temporary one in the same folder, which takes its name only when everything
/// is on the disk. Where anything fails (no space, no permission, a killed process), the old file
/// stays as it was; a failed write leaves nothing behind.
///
/// # Errors
/// Where the folder is missing or not writable, the disk is full, or `write` fails.
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".taper-").suffix(".tmp");
    #[cfg(unix)]
    {
        // As any new file: readable as the umask allows, not for the owner alone.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder
        .tempfile_in(folder)
        .map_err(plain)
        .map_err(Error::io(path, "cannot create a file in its folder"))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    write(&mut out).and_then(|()| out.flush()).map_err(Error::io(path, "cannot write"))?;
    let file = out.into_inner().map_err(|e| Error::io(path, "cannot write")(e.into_error()))?;
    file.as_file().sync_all().map_err(Error::io(path, "cannot bring it to the disk"))?;
    file.persist(path).map_err(|e| Error::io(path, "cannot replace it")(e.error))?;
    // The new name is in the folder only when the folder is on the disk, too. Not every system can sync one.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The system's reason alone: a temporary file's name says nothing to a user.
fn plain(error: IoError) -> IoError {
    match error.to_string().split_once(" at path ") {
        Some((reason, _)) => IoError::new(error.kind(), reason.to_string()),
        None => error,
    }
}
