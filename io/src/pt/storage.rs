//! Storages and tensors of a file, each storage once, so that what was shared is shared.

use super::container::{Opened, Piece};
use super::pickle::{StorageRef, TensorRef};
use super::tree::{Leaves, Step};
use crate::options::LoadOptions;
use crate::source::{Source, swapped, whole};
use std::collections::HashMap;
use taper_tensor::{DType, State, Tensor, UntypedStorage};

pub(super) struct Loader<'a> {
    source: &'a Source,
    opened: &'a Opened,
    options: LoadOptions,
    /// By key and, where bytes are swapped, the size of an element.
    loaded: HashMap<(String, usize), UntypedStorage>,
    /// Those whose bytes are all 0 or 1.
    bools: HashMap<String, UntypedStorage>,
    /// Bytes of bools that have been looked at.
    looked: usize,
}

impl<'a> Loader<'a> {
    pub fn new(source: &'a Source, opened: &'a Opened, options: LoadOptions) -> Self {
        Loader { source, opened, options, loaded: HashMap::new(), bools: HashMap::new(), looked: 0 }
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
            (Piece::Stored(range), 1) => self.source.storage(range, &self.options),
            (Piece::Owned(bytes), 1) => whole(bytes),
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
                let clean = self.load(storage, 1)?.as_bools();
                self.bools.insert(storage.key.clone(), clean.clone());
                clean
            }
        };
        // Each tensor looks at all of its storage.
        let looked = &mut self.looked;
        *looked = looked.saturating_add(clean.nbytes());
        if *looked > self.source.bytes().len().saturating_mul(64).saturating_add(1 << 24) {
            return Err("too many tensors share its storage".into());
        }
        Ok(clean)
    }

    /// A tensor of a storage.
    pub fn one(&mut self, tensor: &TensorRef, storage: &StorageRef) -> Step<Tensor> {
        let name = tensor.dtype.name();
        let built = match (tensor.problem, tensor.dtype.dtype()) {
            (Some(problem), _) => Err(problem.to_string()),
            (_, None) => Err(format!("dtype {name} is not supported")),
            (_, Some(dtype)) => self.build(storage, dtype, &tensor.shape, &tensor.strides, tensor.offset),
        };
        built.map_err(|e| format!("{e} ({}, byte {})", self.opened.pickle_name(), tensor.at))
    }

    fn build(
        &mut self,
        storage: &StorageRef,
        dtype: DType,
        shape: &[usize],
        strides: &[isize],
        offset: usize,
    ) -> Step<Tensor> {
        // Steps of 0 make any number of elements of one; who copies them wants to count their bytes.
        let bytes = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d));
        if bytes.is_none_or(|n| n > isize::MAX as usize) {
            return Err(format!("shape {shape:?} is too large"));
        }
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
        tensor.map_err(|e| e.to_string())
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
        let storage = &self.opened.graph.storages[tensor.storage];
        self.one(tensor, storage).map(State::from)
    }

    fn storage(&mut self, _path: &str, storage: &StorageRef) -> Step<State> {
        let name = storage.dtype.name();
        let dtype = storage.dtype.dtype().ok_or_else(|| format!("dtype {name} is not supported"))?;
        let count = storage.view.map_or(storage.numel, |(_, count)| count);
        let tensor = self.build(storage, dtype, &[count], &[1], 0);
        let tensor = tensor.map_err(|e| format!("{e} ({}, byte {})", self.opened.pickle_name(), storage.at));
        tensor.map(State::from)
    }

    fn other(&mut self, _path: &str, what: &str) -> Step<State> {
        Err(format!("{what}, which a state cannot hold"))
    }
}
