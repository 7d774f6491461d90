//! The pickle of a tree, protocol 2, in the opcodes that Python writes for `torch.save`.

use super::storages::{Place, Storages};
use std::collections::HashMap;
use taper_tensor::{DType, Key, OrderedMap, State, Tensor};

/// As deep as trees may go; the safetensors writer stops there, too.
const DEPTH: usize = 120;
/// Python hands over items in batches of this size.
const BATCH: usize = 1000;

type Result<T = ()> = std::result::Result<T, String>;

/// Writes one tree.
pub(super) struct Pickler<'a> {
    out: Vec<u8>,
    storages: &'a mut Storages,
    /// Places in the reader's memo, of texts and of globals.
    texts: HashMap<String, u32>,
    globals: HashMap<&'static str, u32>,
    memo: u32,
}

impl<'a> Pickler<'a> {
    pub(super) fn new(storages: &'a mut Storages) -> Self {
        Pickler { out: Vec::new(), storages, texts: HashMap::new(), globals: HashMap::new(), memo: 0 }
    }

    pub(super) fn run(mut self, state: &State) -> Result<Vec<u8>> {
        self.out.extend([0x80, 2]);
        self.state(state, 0, false)?;
        self.out.push(b'.');
        Ok(self.out)
    }

    /// `numbered`: whether this is the value of a number in a map.
    fn state(&mut self, state: &State, depth: usize, numbered: bool) -> Result {
        if depth > DEPTH {
            return Err("the tree is nested too deeply to be saved".into());
        }
        match state {
            State::Tensor(t) => self.tensor(t)?,
            State::Map(map) => self.map(map, depth, numbered)?,
            State::List(items) => {
                self.out.push(b']');
                self.remember();
                for batch in items.chunks(BATCH) {
                    self.batch(items.len() == 1, b'a', b'e', |p| {
                        batch.iter().try_for_each(|item| p.state(item, depth + 1, false))
                    })?;
                }
            }
            State::Tuple(items) => {
                self.tuple(items.len(), |p| {
                    items.iter().try_for_each(|item| p.state(item, depth + 1, false))
                })?;
            }
            State::Int(i) => self.int(*i),
            State::Float(f) => {
                self.out.push(b'G');
                self.out.extend(f.to_be_bytes());
            }
            State::Bool(b) => self.out.push(if *b { 0x88 } else { 0x89 }),
            State::Str(s) => self.text(s)?,
            State::None => self.out.push(b'N'),
        }
        Ok(())
    }

    fn map(&mut self, map: &OrderedMap<Key, State>, depth: usize, numbered: bool) -> Result {
        let named = map.iter().all(|e| matches!(e, (Key::Str(_), State::Tensor(_))));
        let ordered = named && !map.is_empty() && !numbered;
        if ordered {
            self.ordered_dict()
        } else {
            self.out.push(b'}')
        }
        if !ordered {
            self.remember();
        }
        let entries: Vec<_> = map.iter().collect();
        for batch in entries.chunks(BATCH) {
            let single = batch.len() == 1 && (ordered || entries.len() == 1);
            self.batch(single, b's', b'u', |p| {
                batch.iter().try_for_each(|(key, value)| {
                    match key {
                        Key::Str(s) => p.text(s)?,
                        Key::Int(i) => p.int(*i),
                    }
                    p.state(value, depth + 1, matches!(key, Key::Int(_)))
                })
            })?;
        }
        Ok(())
    }

    /// Items for the list or map before them: one, or many after a mark.
    fn batch(&mut self, single: bool, one: u8, many: u8, items: impl FnOnce(&mut Self) -> Result) -> Result {
        if !single {
            self.out.push(b'(');
        }
        items(self)?;
        self.out.push(if single { one } else { many });
        Ok(())
    }

    fn tuple(&mut self, len: usize, items: impl FnOnce(&mut Self) -> Result) -> Result {
        let end = match len {
            0 => {
                self.out.push(b')');
                return Ok(());
            }
            1..=3 => 0x84 + len as u8,
            _ => {
                self.out.push(b'(');
                b't'
            }
        };
        items(self)?;
        self.out.push(end);
        self.remember();
        Ok(())
    }

    fn tensor(&mut self, t: &Tensor) -> Result {
        let Place { storage, numel, offset, strides } = self.storages.place(t);
        self.global("torch._utils _rebuild_tensor_v2");
        self.tuple(6, |p| {
            p.tuple(5, |p| {
                p.text("storage")?;
                p.global(storage_class(t.dtype()));
                p.text(&storage.to_string())?;
                p.text("cpu")?;
                p.int(numel as i64);
                Ok(())
            })?;
            p.out.push(b'Q');
            p.int(offset as i64);
            p.sizes(t.shape())?;
            p.sizes(&strides)?;
            // requires_grad, and no hooks.
            p.out.push(0x89);
            p.ordered_dict();
            Ok(())
        })?;
        self.out.push(b'R');
        self.remember();
        Ok(())
    }

    fn sizes(&mut self, sizes: &[usize]) -> Result {
        self.tuple(sizes.len(), |p| {
            sizes.iter().for_each(|&n| p.int(n as i64));
            Ok(())
        })
    }

    fn ordered_dict(&mut self) {
        self.global("collections OrderedDict");
        self.out.extend(b")R");
        self.remember();
    }

    fn int(&mut self, i: i64) {
        if let Ok(byte) = u8::try_from(i) {
            self.out.extend([b'K', byte]);
        } else if let Ok(short) = u16::try_from(i) {
            self.out.push(b'M');
            self.out.extend(short.to_le_bytes());
        } else if let Ok(word) = i32::try_from(i) {
            self.out.push(b'J');
            self.out.extend(word.to_le_bytes());
        } else {
            // Two's complement, as short as the sign allows.
            let bits = 65 - if i < 0 { i.leading_ones() } else { i.leading_zeros() };
            let len = bits.div_ceil(8) as usize;
            self.out.extend([0x8a, len as u8]);
            self.out.extend(&i.to_le_bytes()[..len]);
        }
    }

    fn text(&mut self, text: &str) -> Result {
        if let Some(&place) = self.texts.get(text) {
            self.recall(place);
            return Ok(());
        }
        let len = u32::try_from(text.len()).map_err(|_| "a text of 4 GiB or more cannot be saved")?;
        self.out.push(b'X');
        self.out.extend(len.to_le_bytes());
        self.out.extend(text.as_bytes());
        let place = self.remember();
        self.texts.insert(text.into(), place);
        Ok(())
    }

    /// A class or function: module and name.
    fn global(&mut self, name: &'static str) {
        if let Some(&place) = self.globals.get(name) {
            return self.recall(place);
        }
        self.out.push(b'c');
        self.out.extend(name.replace(' ', "\n").as_bytes());
        self.out.push(b'\n');
        let place = self.remember();
        self.globals.insert(name, place);
    }

    fn remember(&mut self) -> u32 {
        let place = self.memo;
        self.memo += 1;
        self.numbered(b'q', b'r', place);
        place
    }

    fn recall(&mut self, place: u32) {
        self.numbered(b'h', b'j', place);
    }

    fn numbered(&mut self, short: u8, long: u8, place: u32) {
        if let Ok(byte) = u8::try_from(place) {
            self.out.extend([short, byte]);
        } else {
            self.out.push(long);
            self.out.extend(place.to_le_bytes());
        }
    }
}

fn storage_class(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "torch BoolStorage",
        DType::U8 => "torch ByteStorage",
        DType::I8 => "torch CharStorage",
        DType::I16 => "torch ShortStorage",
        DType::I32 => "torch IntStorage",
        DType::I64 => "torch LongStorage",
        DType::F16 => "torch HalfStorage",
        DType::BF16 => "torch BFloat16Storage",
        DType::F32 => "torch FloatStorage",
        DType::F64 => "torch DoubleStorage",
    }
}
