//! How a file is loaded and saved.

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

/// How [`save_with`](crate::save_with) saves.
///
/// Either way the file is written under another name first and takes its own when it is whole, so a
/// program that is killed, at any moment, leaves the old file or the new one.
///
/// ```
/// use taper_io::SaveOptions;
/// use taper_tensor::{StateDict, tensor};
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("every-100-steps.pt");
/// let dict: StateDict = [("weight".to_string(), tensor([1.0, 2.0]))].into_iter().collect();
/// taper_io::save_with(&dict, &path, &SaveOptions { sync: false })?;
/// assert_eq!(taper_io::load_state_dict(&path)?.get("weight").unwrap().to_vec::<f32>(), [1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SaveOptions {
    /// Whether a save waits until the file and its name are on the disk, as it does if not said otherwise.
    /// A machine that loses its power, at any moment, then comes back with the old file or the new one.
    ///
    /// With `false` that is left to the system, as `torch.save` and safetensors leave it: half of the
    /// time, or less. A machine that loses its power within the next half minute or so may come back with
    /// an empty or partial file under the name, and without the old one. An error of the disk that the
    /// system meets after the save is reported to nobody. So it is for files that can be made again: a
    /// checkpoint among many, an intermediate result.
    pub sync: bool,
}

impl Default for SaveOptions {
    fn default() -> Self {
        SaveOptions { sync: true }
    }
}
