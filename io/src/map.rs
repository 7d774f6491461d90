//! Files in memory without reading them: the one place of this crate with `unsafe`.

use crate::error::{Error, Result};
use memmap2::Mmap;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

/// A file's bytes, brought in by the system as they are looked at.
pub(crate) struct Map(Option<Mmap>);

impl Map {
    /// # Errors
    /// Where the file is missing, not readable or not a plain file.
    pub(crate) fn open(path: &Path) -> Result<Map> {
        let fail = || Error::io(path, "cannot read");
        // Asked before it is opened: to open a pipe would wait for its writer.
        let plain = std::fs::metadata(path).map_err(fail())?.is_file();
        if !plain {
            return Err(Error::format(path, "cannot read: not a plain file"));
        }
        let file = File::open(path).map_err(fail())?;
        // An empty range cannot be mapped.
        if file.metadata().map_err(fail())?.len() == 0 {
            return Ok(Map(None));
        }
        // SAFETY: the map is read only, and whoever sees its bytes, such as the storage of a loaded tensor,
        // holds it. That nobody changes the file in place meanwhile cannot be known; `LoadOptions::mmap`
        // says so, and offers copies. Headers and offsets are copied when they are checked, and elements
        // may be any bits, so a change is seen as other numbers; a file that is cut off ends this program.
        // Saves of this crate never do either: they put a new file under the name.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) };
        Ok(Map(Some(map.map_err(fail())?)))
    }
}

impl Deref for Map {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or(&[])
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
