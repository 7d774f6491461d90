//! Storages and tensors of a file, each storage once, so that what was shared is shared.

use super::container::{Opened, Piece};
use super::pickle::{StorageRef, TensorRef};
use super::tree::{Leaves, Step};
use crate::options::LoadOptions;
use crate::source::{Source, swapped};
use std::collections::HashMap;
use taper_tensor::{DType, State, Tensor, UntypedStorage};

pub(super) struct Loader<'a> {
    source: &'a Source,
    opened: &'a Opened,
    options: &'a LoadOptions,
    /// By key and, where bytes are swapped, the size of an element.
    loaded: HashMap<(String, usize), UntypedStorage>,
    /// Those whose bytes are all 0 or 1.
    bools: HashMap<String, UntypedStorage>,
    /// Bytes of bools that may still be looked at.
    looks: usize,
}

impl<'a> Loader<'a> {
    pub fn new(source: &'a Source, opened: &'a Opened, options: &'a LoadOptions) -> Self {
        let looks = source.bytes().len().saturating_mul(64).saturating_add(1 << 24);
        Loader { source, opened, options, loaded: HashMap::new(), bools: HashMap::new(), looks }
    }

    /// The storage, for elements of a size.
    fn load(&mut self, storage: &StorageRef, size: usize) -> Step<UntypedStorage> {
        let swap = if self.opened.big_endian() { size } else { 1 };
        let place = (storage.key.clone(), swap);
        if let Some(loaded) = self.loaded.get(&place) {
            // Another mention of it may say another size.
            let wanted = storage.numel.checked_mul(storage.dtype.size());
            if wanted.is_none_or(|wanted| wanted > loaded.nbytes()) {
                return Err(format!("its storage {:?} has {} bytes", storage.key, loaded.nbytes()));
            }
            return Ok(loaded.clone());
        }
        let bytes = self.source.bytes();
        let loaded = match (self.opened.piece(bytes, storage)?, swap) {
            (Piece::Stored(range), 1) => self.source.storage(range, self.options),
            (Piece::Owned(bytes), 1) => UntypedStorage::from_bytes(&bytes),
            (Piece::Stored(range), size) => swapped(&bytes[range], size),
            (Piece::Owned(bytes), size) => swapped(&bytes, size),
        };
        self.loaded.insert(place, loaded.clone());
        Ok(loaded)
    }

    /// As above; bytes of bools that are neither 0 nor 1 become 1, once for all tensors.
    fn load_bools(&mut self, storage: &StorageRef) -> Step<UntypedStorage> {
        let clean = match self.bools.get(&storage.key) {
            Some(clean) => clean.clone(),
            None => {
                let raw = self.load(storage, 1)?;
                let strange = raw.with_bytes(|b| b.iter().any(|&b| b > 1));
                let clean = if strange {
                    let ones = raw.with_bytes(|b| b.iter().map(|&b| (b != 0) as u8).collect::<Vec<_>>());
                    UntypedStorage::from_bytes(&ones)
                } else {
                    raw
                };
                self.bools.insert(storage.key.clone(), clean.clone());
                clean
            }
        };
        // Each tensor looks at all of its storage.
        self.looks = self.looks.checked_sub(clean.nbytes()).ok_or("too many tensors share its storage")?;
        Ok(clean)
    }

    fn build(
        &mut self,
        storage: &StorageRef,
        dtype: DType,
        shape: &[usize],
        strides: &[isize],
        offset: usize,
    ) -> Step<State> {
        let memory =
            if dtype == DType::Bool { self.load_bools(storage)? } else { self.load(storage, dtype.size())? };
        let offset = match storage.view {
            None => offset,
            Some((start, count)) => {
                if storage.dtype.size() != dtype.size() {
                    return Err("it sees a view's elements as others".into());
                }
                inside(shape, strides, offset, count)?;
                offset.checked_add(start).ok_or("its offset is too large")?
            }
        };
        let tensor = Tensor::try_from_storage(&memory, dtype, shape, strides, offset);
        let tensor = tensor.and_then(|t| t.try_to_device(self.options.map_location));
        Ok(State::Tensor(tensor.map_err(|e| e.to_string())?))
    }
}

/// Whether a tensor's elements are among the `count` that it may see.
fn inside(shape: &[usize], strides: &[isize], offset: usize, count: usize) -> Step<()> {
    let reach = shape.iter().zip(strides).map(|(&n, &step)| (n.max(1) as i128 - 1) * step as i128);
    let reach = reach.filter(|&r| r > 0).fold(offset as i128, i128::saturating_add);
    let empty = shape.contains(&0);
    if empty || reach < count as i128 { Ok(()) } else { Err("it reaches outside of its view".into()) }
}

impl Leaves for Loader<'_> {
    fn tensor(&mut self, _path: &str, tensor: &TensorRef) -> Step<State> {
        let opened = self.opened;
        let mut found = || -> Step<State> {
            if let Some(problem) = tensor.problem {
                return Err(problem.into());
            }
            let name = tensor.dtype.name();
            let dtype = tensor.dtype.dtype().ok_or_else(|| format!("dtype {name} is not supported"))?;
            let storage = &opened.graph.storages[tensor.storage];
            self.build(storage, dtype, &tensor.shape, &tensor.strides, tensor.offset)
        };
        found().map_err(|e| format!("{e} ({}, byte {})", opened.pickle_name(), tensor.at))
    }

    fn storage(&mut self, _path: &str, storage: &StorageRef) -> Step<State> {
        let name = storage.dtype.name();
        let dtype = storage.dtype.dtype().ok_or_else(|| format!("dtype {name} is not supported"))?;
        let count = storage.view.map_or(storage.numel, |(_, count)| count);
        let state = self.build(storage, dtype, &[count], &[1], 0);
        state.map_err(|e| format!("{e} ({}, byte {})", self.opened.pickle_name(), storage.at))
    }

    fn other(&mut self, _path: &str, what: &str) -> Step<State> {
        Err(format!("{what}, which a state cannot hold"))
    }
}
