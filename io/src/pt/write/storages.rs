//! Which storages a file gets, and where in them its tensors lie.

use std::collections::{HashMap, HashSet};
use std::io::Result;
use taper_tensor::{DType, State, Tensor, UntypedStorage};

/// Tensors without one memory are written in pieces of about this many bytes.
const PIECE: usize = 1 << 20;

/// The storages that a file gets, in the order of their first use.
pub(super) struct Storages {
    /// Storages that several different tensors show.
    shared: HashSet<Memory>,
    places: HashMap<Source, usize>,
    written: Vec<Written>,
}

/// PyTorch's files give a storage a dtype, so what is seen as two is written twice.
type Memory = (usize, DType);

/// What a storage in the file is made of.
#[derive(PartialEq, Eq, Hash)]
enum Source {
    /// A whole storage.
    Whole(Memory),
    /// A tensor's elements: the memory, its shape, strides and offset in it.
    Own(Memory, Vec<usize>, Vec<isize>, usize),
}

/// A tensor in the file.
pub(super) struct Place {
    /// The storage's number.
    pub storage: usize,
    /// The storage's elements.
    pub numel: usize,
    pub offset: usize,
    pub strides: Vec<usize>,
}

/// A storage in the file.
pub(super) enum Written {
    /// A range of a memory.
    Memory(UntypedStorage, std::ops::Range<usize>),
    /// The elements of a tensor, row by row.
    Rows(Tensor),
}

impl Storages {
    /// Looks for storages that several tensors share.
    pub(super) fn of(state: &State) -> Storages {
        let mut first: HashMap<Memory, &Tensor> = HashMap::new();
        let mut shared = HashSet::new();
        let mut open = vec![state];
        while let Some(state) = open.pop() {
            match state {
                State::Map(map) => open.extend(map.values()),
                State::List(items) | State::Tuple(items) => open.extend(items),
                State::Tensor(t) if t.numel() > 0 && forward(t) => {
                    let other = first.entry(memory(t)).or_insert(t);
                    if !same_view(other, t) {
                        shared.insert(memory(t));
                    }
                }
                _ => {}
            }
        }
        Storages { shared, places: HashMap::new(), written: Vec::new() }
    }

    /// Gives a tensor its place.
    pub(super) fn place(&mut self, t: &Tensor) -> Place {
        let size = t.dtype().size();
        if self.shared.contains(&memory(t)) && t.numel() > 0 && forward(t) {
            let storage = t.untyped_storage();
            let numel = storage.nbytes() / size;
            let written = || Written::Memory(storage, 0..numel * size);
            let storage = self.number(Source::Whole(memory(t)), written);
            let strides = t.strides().iter().map(|&s| s as usize).collect();
            return Place { storage, numel, offset: t.storage_offset(), strides };
        }
        let source = Source::Own(memory(t), t.shape().into(), t.strides().into(), t.storage_offset());
        if let Some(numel) = dense(t) {
            let start = t.storage_offset() * size;
            let written = || Written::Memory(t.untyped_storage(), start..start + numel * size);
            let storage = self.number(source, written);
            // Backwards at most where there is one step only.
            let strides = t.strides().iter().map(|s| s.unsigned_abs()).collect();
            return Place { storage, numel, offset: 0, strides };
        }
        // What an expanded dimension repeats is written once.
        let repeated = |d: usize| t.strides()[d] == 0 && t.numel() > 0;
        let mut rows = t.detach();
        for d in (0..t.ndim()).filter(|&d| repeated(d)) {
            rows = rows.narrow(d as isize, 0, 1);
        }
        let mut strides = vec![0; t.ndim()];
        let mut step = 1;
        for d in (0..t.ndim()).rev() {
            if !repeated(d) {
                strides[d] = step;
                step *= t.shape()[d].max(1);
            }
        }
        let numel = rows.numel();
        Place { storage: self.number(source, || Written::Rows(rows)), numel, offset: 0, strides }
    }

    fn number(&mut self, source: Source, written: impl FnOnce() -> Written) -> usize {
        // Empty tensors share nothing, whatever memory they are of.
        let next = self.written.len();
        let number = *self.places.entry(source).or_insert(next);
        if number == next {
            self.written.push(written());
        }
        number
    }

    pub(super) fn written(&self) -> &[Written] {
        &self.written
    }
}

impl Written {
    pub(super) fn nbytes(&self) -> u64 {
        match self {
            Written::Memory(_, range) => range.len() as u64,
            Written::Rows(t) => (t.numel() * t.dtype().size()) as u64,
        }
    }

    /// Shows the bytes from the first to the last, never copying more than a piece.
    pub(super) fn each_piece(&self, show: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match self {
            Written::Memory(storage, range) => storage.with_bytes(|bytes| show(&bytes[range.clone()])),
            Written::Rows(t) => each_piece(t, show),
        }
    }
}

fn each_piece(t: &Tensor, show: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    match t.shape().iter().position(|&n| n > 1) {
        Some(d) if t.numel() * t.dtype().size() > PIECE && !t.is_contiguous() => {
            let (n, half) = (t.shape()[d], t.shape()[d] / 2);
            each_piece(&t.narrow(d as isize, 0, half), show)?;
            each_piece(&t.narrow(d as isize, half as isize, n - half), show)
        }
        _ => t.with_bytes(|bytes| show(bytes)),
    }
}

fn memory(t: &Tensor) -> Memory {
    (t.untyped_storage().id(), t.dtype())
}

fn same_view(a: &Tensor, b: &Tensor) -> bool {
    (a.shape(), a.strides(), a.storage_offset()) == (b.shape(), b.strides(), b.storage_offset())
}

/// Whether PyTorch has such strides.
fn forward(t: &Tensor) -> bool {
    t.strides().iter().all(|&s| s >= 0)
}

/// How many elements a tensor takes up, where they lie side by side, in whatever order.
fn dense(t: &Tensor) -> Option<usize> {
    if t.numel() == 0 {
        return None;
    }
    let dims = t.strides().iter().zip(t.shape()).filter(|&(&step, &n)| n > 1 && step != 0);
    let mut dims: Vec<(isize, usize)> = dims.map(|(&step, &n)| (step, n)).collect();
    dims.sort();
    dims.iter().try_fold(1, |expected, &(step, n)| (step == expected as isize).then_some(expected * n))
}
