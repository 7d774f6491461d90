//! A tree as tensors by name and a structure in JSON.
//!
//! Maps, lists, texts, truth values, numbers and null are JSON's own (a number with `.` or `e` is a
//! float, every other an integer). What JSON has not got is a map of one entry with a `$`:
//!
//! ```json
//! {"model": {"weight": {"$tensor": "model.weight"}}, "betas": {"$tuple": [0.9, 0.999]},
//!  "state": {"$map": [[0, {"step": 3.0}]]}, "best": {"$float": "7ff0000000000000"}}
//! ```
//!
//! `$map` is a map with keys other than texts (or one whose first key begins with `$`), `$float` the bits
//! of a number that JSON cannot write.

use crate::error::{Error, Result};
use crate::value::show_key;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::path::Path;
use taper_tensor::{Key, OrderedMap, State, StateDict, Tensor};

/// How deep the JSON may go; its reader allows 127.
const DEPTH: usize = 120;

/// A text as JSON.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A tree in two parts.
pub(super) struct Flat {
    pub tensors: Vec<(String, Tensor)>,
    /// JSON; none for a plain map of named tensors.
    pub structure: Option<String>,
}

/// Takes a tree apart.
pub(super) fn flatten(state: &State) -> std::result::Result<Flat, String> {
    if let Some(dict) = state.to_state_dict() {
        return Ok(Flat { tensors: dict.into_iter().collect(), structure: None });
    }
    let mut flat = Flatten::default();
    flat.state(state, 0)?;
    Ok(Flat { tensors: flat.tensors, structure: Some(flat.json) })
}

#[derive(Default)]
struct Flatten {
    json: String,
    tensors: Vec<(String, Tensor)>,
    names: HashSet<String>,
    at: Vec<String>,
}

impl Flatten {
    fn state(&mut self, state: &State, depth: usize) -> std::result::Result<(), String> {
        if depth >= DEPTH {
            let at = self.at.iter().take(4).cloned().collect::<Vec<_>>().join(".");
            return Err(format!("the tree at {at}… is nested too deeply to be saved"));
        }
        match state {
            State::Tensor(t) => {
                let name = self.name();
                let _ = write!(self.json, r#"{{"$tensor":{}}}"#, quote(&name));
                self.tensors.push((name, t.detach()));
            }
            State::Map(map) => self.map(map, depth)?,
            State::List(items) => self.list(items, depth)?,
            State::Tuple(items) => {
                self.json.push_str(r#"{"$tuple":"#);
                self.list(items, depth + 1)?;
                self.json.push('}');
            }
            State::Int(i) => drop(write!(self.json, "{i}")),
            // Rust's shortest text that reads as the same number; it has a point or an exponent.
            State::Float(f) if f.is_finite() => drop(write!(self.json, "{f:?}")),
            State::Float(f) => drop(write!(self.json, r#"{{"$float":"{:016x}"}}"#, f.to_bits())),
            State::Bool(b) => drop(write!(self.json, "{b}")),
            State::Str(s) => self.json.push_str(&quote(s)),
            State::None => self.json.push_str("null"),
        }
        Ok(())
    }

    fn map(&mut self, map: &OrderedMap<Key, State>, depth: usize) -> std::result::Result<(), String> {
        let plain = map.keys().all(|k| matches!(k, Key::Str(_)))
            && !matches!(map.keys().next(), Some(Key::Str(s)) if s.starts_with('$'));
        self.json.push_str(if plain { "{" } else { r#"{"$map":["# });
        for (i, (key, value)) in map.iter().enumerate() {
            if i > 0 {
                self.json.push(',');
            }
            let (text, json) = match key {
                Key::Str(s) => (s.clone(), quote(s)),
                Key::Int(i) => (i.to_string(), i.to_string()),
            };
            self.at.push(text);
            if plain {
                let _ = write!(self.json, "{json}:");
                self.state(value, depth + 1)?;
            } else {
                let _ = write!(self.json, "[{json},");
                self.state(value, depth + 3)?;
                self.json.push(']');
            }
            self.at.pop();
        }
        self.json.push_str(if plain { "}" } else { "]}" });
        Ok(())
    }

    fn list(&mut self, items: &[State], depth: usize) -> std::result::Result<(), String> {
        self.json.push('[');
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.json.push(',');
            }
            self.at.push(i.to_string());
            self.state(item, depth + 1)?;
            self.at.pop();
        }
        self.json.push(']');
        Ok(())
    }

    /// The path with dots. Keys may hold dots themselves, so it may be taken already.
    fn name(&mut self) -> String {
        let path = if self.at.is_empty() { "tensor".to_string() } else { self.at.join(".") };
        let mut name = if path == super::RESERVED { format!("{path}#") } else { path.clone() };
        let mut count = 1;
        while !self.names.insert(name.clone()) {
            count += 1;
            name = format!("{path}#{count}");
        }
        name
    }
}

/// The tree of a structure and the file's tensors.
pub(super) fn build(path: &Path, structure: &str, tensors: StateDict) -> Result<State> {
    let tensors: HashMap<String, Tensor> = tensors.into_iter().collect();
    let build = Build { tensors: &tensors, used: RefCell::default(), at: RefCell::default() };
    let mut json = serde_json::Deserializer::from_str(structure);
    match (&build).deserialize(&mut json).and_then(|state| json.end().map(|()| state)) {
        Ok(state) => {
            let used = build.used.into_inner();
            let mut lost: Vec<&String> = tensors.keys().filter(|name| !used.contains(*name)).collect();
            lost.sort();
            match lost.first() {
                None => Ok(state),
                Some(name) => Err(Error::tensor(path, name, "the file's structure has no place for it")),
            }
        }
        Err(error) => {
            let at = build.at.into_inner().join(", ");
            let at = if at.is_empty() { String::new() } else { format!(" at {at}") };
            Err(Error::format(
                path,
                format!("the structure of its values (metadata \"taper.tree\"){at}: {error}"),
            ))
        }
    }
}

struct Build<'a> {
    tensors: &'a HashMap<String, Tensor>,
    used: RefCell<HashSet<String>>,
    /// The keys on the way to what is being read.
    at: RefCell<Vec<String>>,
}

impl Build<'_> {
    fn within<T, E>(
        &self,
        key: String,
        read: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.at.borrow_mut().push(key);
        let value = read()?;
        self.at.borrow_mut().pop();
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for &Build<'_> {
    type Value = State;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<State, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Build<'_> {
    type Value = State;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_bool<E>(self, v: bool) -> std::result::Result<State, E> {
        Ok(State::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> std::result::Result<State, E> {
        Ok(State::Int(v))
    }
    fn visit_u64<E: serde::de::Error>(self, v: u64) -> std::result::Result<State, E> {
        i64::try_from(v).map(State::Int).map_err(|_| E::custom(format!("{v} is not within 64 bits")))
    }
    fn visit_f64<E>(self, v: f64) -> std::result::Result<State, E> {
        Ok(State::Float(v))
    }
    fn visit_str<E>(self, v: &str) -> std::result::Result<State, E> {
        Ok(State::Str(v.into()))
    }
    fn visit_unit<E>(self) -> std::result::Result<State, E> {
        Ok(State::None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<State, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = self.within(items.len().to_string(), || seq.next_element_seed(self))? {
            items.push(item);
        }
        Ok(State::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<State, A::Error> {
        let Some(first) = map.next_key::<String>()? else { return Ok(State::Map(OrderedMap::new())) };
        if let Some(tag) = first.strip_prefix('$') {
            let state = self.tagged(tag, &mut map)?;
            return match map.next_key::<String>()? {
                None => Ok(state),
                Some(key) => {
                    Err(A::Error::custom(format!("\"${tag}\" with another key beside it: \"{key}\"")))
                }
            };
        }
        let mut entries = Entries::default();
        let mut next = Some(first);
        while let Some(key) = next {
            let value = self.within(format!("\"{key}\""), || map.next_value_seed(self))?;
            entries.push(Key::Str(key), value).map_err(A::Error::custom)?;
            next = map.next_key::<String>()?;
        }
        Ok(entries.into())
    }
}

impl Build<'_> {
    fn tagged<'de, A: MapAccess<'de>>(&self, tag: &str, map: &mut A) -> std::result::Result<State, A::Error> {
        match tag {
            "tensor" => {
                let name = map.next_value::<String>()?;
                let tensor = self.tensors.get(&name);
                let tensor =
                    tensor.ok_or_else(|| A::Error::custom(format!("there is no tensor \"{name}\"")))?;
                self.used.borrow_mut().insert(name);
                Ok(State::from(tensor.clone()))
            }
            "tuple" => match map.next_value_seed(self)? {
                State::List(items) => Ok(State::Tuple(items)),
                _ => Err(A::Error::custom("\"$tuple\" without a list")),
            },
            "float" => {
                let text = map.next_value::<String>()?;
                let bits = u64::from_str_radix(&text, 16);
                let bits =
                    bits.map_err(|_| A::Error::custom(format!("\"$float\" without 64 bits: \"{text}\"")))?;
                Ok(State::Float(f64::from_bits(bits)))
            }
            "map" => map.next_value_seed(Pairs(self)),
            _ => Err(A::Error::custom(format!("nothing is known of \"${tag}\""))),
        }
    }
}

/// The entries of a map with keys of any kind.
struct Pairs<'a, 'b>(&'a Build<'b>);

impl<'de> DeserializeSeed<'de> for Pairs<'_, '_> {
    type Value = State;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<State, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pairs<'_, '_> {
    type Value = State;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of keys with values")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<State, A::Error> {
        let mut entries = Entries::default();
        while let Some((key, value)) = seq.next_element_seed(Pair(self.0))? {
            entries.push(key, value).map_err(A::Error::custom)?;
        }
        Ok(entries.into())
    }
}

struct Pair<'a, 'b>(&'a Build<'b>);

impl<'de> DeserializeSeed<'de> for Pair<'_, '_> {
    type Value = (Key, State);
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<(Key, State), D::Error> {
        json.deserialize_tuple(2, self)
    }
}

impl<'de> Visitor<'de> for Pair<'_, '_> {
    type Value = (Key, State);
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key and a value")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(Key, State), A::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Name {
            Int(i64),
            Str(String),
        }
        let short = || A::Error::custom("a key and a value are two");
        let key = match seq.next_element::<Name>()?.ok_or_else(short)? {
            Name::Int(i) => Key::Int(i),
            Name::Str(s) => Key::Str(s),
        };
        let value = self.0.within(show_key(&key), || seq.next_element_seed(self.0))?.ok_or_else(short)?;
        Ok((key, value))
    }
}

/// A map being read; a key that comes twice is an error.
#[derive(Default)]
struct Entries {
    entries: Vec<(Key, State)>,
    texts: HashSet<String>,
    numbers: HashSet<i64>,
}

impl Entries {
    fn push(&mut self, key: Key, value: State) -> std::result::Result<(), String> {
        let new = match &key {
            Key::Str(s) => self.texts.insert(s.clone()),
            Key::Int(i) => self.numbers.insert(*i),
        };
        if !new {
            return Err(format!("key {} is there twice", show_key(&key)));
        }
        self.entries.push((key, value));
        Ok(())
    }
}

impl From<Entries> for State {
    fn from(map: Entries) -> State {
        State::Map(OrderedMap::from_distinct(map.entries))
    }
}
