//! From a pickle's graph to a tree. Shared containers are copied, so what they may cost is limited.

use super::pickle::{Budget, Graph, Node, StorageRef, TensorRef, Value};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use taper_tensor::{Key, OrderedMap, State};

/// How deep containers may lie in each other: what drops and writes trees goes as deep on its stack.
const MAX_DEPTH: usize = 128;

pub(super) type Step<T> = std::result::Result<T, String>;

/// What becomes of a graph's leaves.
pub(super) trait Leaves {
    fn tensor(&mut self, path: &str, tensor: &TensorRef) -> Step<State>;
    /// A storage by itself.
    fn storage(&mut self, path: &str, storage: &StorageRef) -> Step<State>;
    /// A value that a state cannot hold; what it is.
    fn other(&mut self, path: &str, what: &str) -> Step<State>;
    /// A plain value, an empty container, or a list or tuple of plain values.
    fn plain(&mut self, _path: &str, _value: &State) -> Step<()> {
        Ok(())
    }
    /// The attributes of an `OrderedDict`.
    fn attributes(&mut self, _path: &str, _value: Value) -> Step<()> {
        Ok(())
    }
}

/// Why a tree was not built, and at which of its places.
pub(super) struct Failure {
    pub path: String,
    pub tensor: bool,
    pub message: String,
}

/// Builds the tree of a value.
pub(super) fn build(
    graph: &Graph,
    pickle: &[u8],
    value: Value,
    leaves: &mut dyn Leaves,
    budget: &mut Budget,
) -> std::result::Result<State, Failure> {
    let (path, above) = (String::new(), Vec::new());
    let mut walk = Walk { graph, pickle, leaves, budget, path, above, quiet: false, at: None };
    walk.value(value).map_err(|message| {
        let (path, tensor) = walk.at.unwrap_or_default();
        Failure { path, tensor, message }
    })
}

struct Walk<'a> {
    graph: &'a Graph,
    pickle: &'a [u8],
    leaves: &'a mut dyn Leaves,
    budget: &'a mut Budget,
    /// Keys and indices, with dots.
    path: String,
    /// The containers around the present value.
    above: Vec<u32>,
    /// Within a list that is told of as a whole.
    quiet: bool,
    /// Where an error was, and whether it is a tensor's.
    at: Option<(String, bool)>,
}

impl Walk<'_> {
    fn value(&mut self, value: Value) -> Step<State> {
        let at_tensor = matches!(self.graph.node(value), Some(Node::Tensor(_)));
        let state = self.known(value);
        if state.is_err() && self.at.is_none() {
            self.at = Some((self.path.clone(), at_tensor));
        }
        state
    }

    fn known(&mut self, value: Value) -> Step<State> {
        let plain = match value {
            Value::None => State::None,
            Value::Bool(b) => State::Bool(b),
            Value::Int(i) => State::Int(i),
            Value::Float(f) => State::Float(f),
            Value::Str(span) => {
                self.budget.charge(2 * span.len())?;
                State::Str(String::from_utf8_lossy(span.of(self.pickle)).into_owned())
            }
            Value::Bytes(span) => return self.bytes(span.of(self.pickle)),
            Value::Long(span) => {
                let what = format!("an integer of {} bytes; 8 are supported", span.len());
                return self.leaves.other(&self.path, &what);
            }
            Value::Global(global) => match global.constant() {
                Some(name) => State::Str(name),
                None => return self.leaves.other(&self.path, "a class or function"),
            },
            Value::Node(index) => return self.node(index),
        };
        self.tell(&plain)?;
        Ok(plain)
    }

    fn tell(&mut self, plain: &State) -> Step<()> {
        if self.quiet { Ok(()) } else { self.leaves.plain(&self.path, plain) }
    }

    /// Bytes have no kind of their own in a state: they are a tensor of u8.
    fn bytes(&mut self, bytes: &[u8]) -> Step<State> {
        self.budget.charge(2 * bytes.len())?;
        let tensor = taper_tensor::Tensor::try_from_bytes(bytes, [bytes.len()], taper_tensor::DType::U8);
        let state = State::from(tensor.map_err(|e| e.to_string())?);
        self.tell(&state)?;
        Ok(state)
    }

    fn node(&mut self, index: u32) -> Step<State> {
        let graph = self.graph;
        let items = match &graph.nodes[index as usize] {
            Node::Text(text) => {
                self.budget.charge(2 * text.len())?;
                let state = State::Str(text.clone());
                self.tell(&state)?;
                return Ok(state);
            }
            Node::Bytes(bytes) => return self.bytes(bytes),
            Node::Opaque(what) => return self.leaves.other(&self.path, what),
            Node::Storage(i) => return self.leaves.storage(&self.path, &graph.storages[*i]),
            Node::Tensor(tensor) => {
                self.budget.charge(256 + 32 * tensor.shape.len())?;
                return self.leaves.tensor(&self.path, tensor);
            }
            Node::Map(map) => {
                self.enter(index)?;
                if let Some(attributes) = map.attributes {
                    self.leaves.attributes(&self.path, attributes)?;
                }
                let state = self.map(&map.entries)?;
                self.above.pop();
                return Ok(state);
            }
            Node::List(items) | Node::Tuple(items) | Node::Set(items) => items,
        };
        self.enter(index)?;
        let plain =
            items.iter().all(|item| !matches!(item, Value::Node(_) | Value::Long(_) | Value::Global(_)));
        self.quiet = plain;
        let mut states = Vec::with_capacity(items.len());
        for (i, &item) in items.iter().enumerate() {
            let length = self.step(|path| path.push_str(&i.to_string()));
            states.push(self.value(item)?);
            self.path.truncate(length);
        }
        self.quiet = false;
        self.above.pop();
        // A set's items come as they were written; a tuple is what cannot change by accident.
        let list = matches!(graph.nodes[index as usize], Node::List(_));
        let state = if list { State::List(states) } else { State::Tuple(states) };
        if plain {
            self.tell(&state)?;
        }
        Ok(state)
    }

    /// Goes into a container.
    fn enter(&mut self, index: u32) -> Step<()> {
        if self.above.contains(&index) {
            return Err("it contains itself".into());
        }
        if self.above.len() == MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        // Before the items, so that memory for them is not taken and then refused.
        let bytes = match &self.graph.nodes[index as usize] {
            Node::List(items) | Node::Tuple(items) | Node::Set(items) => items.len() * size_of::<State>(),
            Node::Map(map) => map.entries.len() * (size_of::<(Key, State)>() + size_of::<(Key, Value)>()),
            _ => 0,
        };
        self.budget.charge(bytes)?;
        self.above.push(index);
        Ok(())
    }

    /// Adds a step to the path; gives the length to cut it to afterwards.
    fn step(&mut self, name: impl FnOnce(&mut String)) -> usize {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        name(&mut self.path);
        length
    }

    /// As Python has it, the last of equal keys counts, in the place of the first.
    fn map(&mut self, entries: &[(Value, Value)]) -> Step<State> {
        let mut places: HashMap<Key, usize> = HashMap::with_capacity(entries.len());
        let mut chosen: Vec<(Key, Value)> = Vec::with_capacity(entries.len());
        for &(key, value) in entries {
            let key = match self.key(key) {
                Ok(key) => key,
                Err(what) => {
                    self.leaves.other(&self.path, &what)?;
                    continue;
                }
            };
            match places.entry(key) {
                Place::Occupied(place) => chosen[*place.get()].1 = value,
                Place::Vacant(place) => {
                    chosen.push((place.key().clone(), value));
                    place.insert(chosen.len() - 1);
                }
            }
        }
        drop(places);
        let mut states = Vec::with_capacity(chosen.len());
        for (key, value) in chosen {
            let length = self.step(|path| match &key {
                Key::Str(name) => path.push_str(name),
                Key::Int(i) => path.push_str(&i.to_string()),
            });
            states.push((key, self.value(value)?));
            self.path.truncate(length);
        }
        let state = State::Map(OrderedMap::from_distinct(states));
        if entries.is_empty() {
            self.leaves.plain(&self.path, &state)?;
        }
        Ok(state)
    }

    fn key(&mut self, key: Value) -> Step<Key> {
        // A place in the table of keys.
        self.budget.charge(64)?;
        if let Value::Int(i) = key {
            return Ok(Key::Int(i));
        }
        match self.graph.text(self.pickle, key) {
            Some(text) => {
                self.budget.charge(3 * text.len())?;
                Ok(Key::Str(text.into()))
            }
            None => Err(format!("a dict's key is {}; text and integers are supported", self.graph.kind(key))),
        }
    }
}
