//! PyTorch's files: a zip archive of a pickle, which holds the tree, and of the tensors' storages.

mod write;

pub use write::save;
