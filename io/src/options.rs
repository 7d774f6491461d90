//! How a file is loaded.

use taper_tensor::Device;

/// How [`load_with`](crate::load_with) loads.
///
/// ```
/// use taper_io::LoadOptions;
/// let copied = LoadOptions { mmap: false, ..LoadOptions::default() };
/// assert!(LoadOptions::default().mmap && !copied.mmap);
/// ```
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where tensors go, whatever device they were saved from: the CPU, if not said otherwise.
    pub map_location: Device,
    /// Whether tensors are views of the mapped file, as they are if not said otherwise: nothing is read
    /// before it is looked at, nothing is copied before it is written to, and a loaded tensor never
    /// changes the file. Another program that changes the file in place meanwhile changes the tensors,
    /// and one that cuts it off ends this program; saves of taper put a new file under the name and do
    /// neither. With `false`, tensors are copies.
    pub mmap: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions { map_location: Device::Cpu, mmap: true }
    }
}
