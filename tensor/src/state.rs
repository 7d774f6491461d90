//! Named tensors and trees of values: what files of weights and checkpoints hold.

use crate::Tensor;
use std::fmt::Debug;

/// A map that keeps the order of insertion, as PyTorch's `OrderedDict` and Python's `dict` do.
///
/// Lookup walks the entries; maps here have at most some hundreds.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderedMap<K, V> {
    entries: Vec<(K, V)>,
}

/// A module's parameters and buffers by name, in PyTorch's order.
pub type StateDict = OrderedMap<String, Tensor>;

impl<K, V> Default for OrderedMap<K, V> {
    fn default() -> Self {
        OrderedMap { entries: Vec::new() }
    }
}

impl<K: PartialEq, V> OrderedMap<K, V> {
    /// No entries.
    pub fn new() -> Self {
        Self::default()
    }
    /// The value of a key.
    pub fn get<Q: ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: PartialEq<Q>,
    {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }
    /// The value of a key, to change.
    pub fn get_mut<Q: ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: PartialEq<Q>,
    {
        self.entries.iter_mut().find(|(k, _)| k == key).map(|(_, v)| v)
    }
    /// Whether a key is there.
    pub fn contains_key<Q: ?Sized>(&self, key: &Q) -> bool
    where
        K: PartialEq<Q>,
    {
        self.get(key).is_some()
    }
    /// Sets a key's value, in its place where the key is there already; gives the old value.
    pub fn insert(&mut self, key: impl Into<K>, value: V) -> Option<V> {
        let key = key.into();
        match self.entries.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                self.entries.push((key, value));
                None
            }
        }
    }
    /// Takes a key out.
    pub fn remove<Q: ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: PartialEq<Q>,
    {
        let i = self.entries.iter().position(|(k, _)| k == key)?;
        Some(self.entries.remove(i).1)
    }
}

impl<K, V> OrderedMap<K, V> {
    /// Of entries whose keys are known to differ: unlike collecting, takes no time for looking.
    pub fn from_distinct(entries: Vec<(K, V)>) -> Self {
        OrderedMap { entries }
    }
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    /// True for no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// Entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> + DoubleEndedIterator {
        self.entries.iter().map(|(k, v)| (k, v))
    }
    /// Keys in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> + DoubleEndedIterator {
        self.entries.iter().map(|(k, _)| k)
    }
    /// Values in order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> + DoubleEndedIterator {
        self.entries.iter().map(|(_, v)| v)
    }
}

impl<K: PartialEq, V> FromIterator<(K, V)> for OrderedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        let mut map = Self::new();
        for (k, v) in iter {
            map.insert(k, v);
        }
        map
    }
}
impl<K, V> IntoIterator for OrderedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;
    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// A key of a [`State`] map: PyTorch keys modules' tensors by name and optimizers' states by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A name.
    Str(String),
    /// A number.
    Int(i64),
}
impl From<&str> for Key {
    fn from(s: &str) -> Self {
        Key::Str(s.into())
    }
}
impl From<String> for Key {
    fn from(s: String) -> Self {
        Key::Str(s)
    }
}
impl From<i64> for Key {
    fn from(i: i64) -> Self {
        Key::Int(i)
    }
}
impl PartialEq<str> for Key {
    fn eq(&self, other: &str) -> bool {
        matches!(self, Key::Str(s) if s == other)
    }
}
impl PartialEq<i64> for Key {
    fn eq(&self, other: &i64) -> bool {
        matches!(self, Key::Int(i) if i == other)
    }
}

/// A tree of tensors and plain values: the state of an optimizer or a scheduler, or a whole checkpoint.
#[derive(Clone, Debug)]
pub enum State {
    /// A tensor; boxed, so that a tree of a million numbers takes 32 bytes for each.
    Tensor(Box<Tensor>),
    /// An ordered map.
    Map(OrderedMap<Key, State>),
    /// A list.
    List(Vec<State>),
    /// A tuple.
    Tuple(Vec<State>),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text.
    Str(String),
    /// Nothing.
    None,
}

macro_rules! state_from {
    ($($t:ty => $v:ident),*) => { $(
        impl From<$t> for State {
            fn from(v: $t) -> Self { State::$v(v.into()) }
        }
    )* };
}
state_from!(Tensor => Tensor, OrderedMap<Key, State> => Map, Vec<State> => List, i64 => Int, i32 => Int, f64 => Float,
    f32 => Float, bool => Bool, String => Str, &str => Str);
impl From<usize> for State {
    fn from(v: usize) -> Self {
        State::Int(v as i64)
    }
}
impl<T: Into<State>> From<Option<T>> for State {
    fn from(v: Option<T>) -> Self {
        v.map_or(State::None, Into::into)
    }
}
impl From<StateDict> for State {
    fn from(dict: StateDict) -> Self {
        let entries = dict.into_iter().map(|(k, v)| (Key::Str(k), State::from(v)));
        State::Map(OrderedMap::from_distinct(entries.collect()))
    }
}

impl State {
    /// A map of named values.
    pub fn map<const N: usize>(entries: [(&str, State); N]) -> State {
        State::Map(entries.into_iter().map(|(k, v)| (Key::from(k), v)).collect())
    }
    /// What kind of value this is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            State::Tensor(_) => "a tensor",
            State::Map(_) => "a map",
            State::List(_) => "a list",
            State::Tuple(_) => "a tuple",
            State::Int(_) => "an integer",
            State::Float(_) => "a float",
            State::Bool(_) => "a truth value",
            State::Str(_) => "text",
            State::None => "nothing",
        }
    }
    /// The value of a name, where this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&State> {
        self.as_map()?.get(name)
    }
    /// This map.
    pub fn as_map(&self) -> Option<&OrderedMap<Key, State>> {
        match self {
            State::Map(m) => Some(m),
            _ => None,
        }
    }
    /// This list's or tuple's items.
    pub fn as_list(&self) -> Option<&[State]> {
        match self {
            State::List(l) | State::Tuple(l) => Some(l),
            _ => None,
        }
    }
    /// This tensor.
    pub fn as_tensor(&self) -> Option<&Tensor> {
        match self {
            State::Tensor(t) => Some(t),
            _ => None,
        }
    }
    /// This integer.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            State::Int(i) => Some(*i),
            _ => None,
        }
    }
    /// This number, integers included.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            State::Float(f) => Some(*f),
            State::Int(i) => Some(*i as f64),
            _ => None,
        }
    }
    /// This truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            State::Bool(b) => Some(*b),
            _ => None,
        }
    }
    /// This text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            State::Str(s) => Some(s),
            _ => None,
        }
    }
    /// The tensors of a flat map of named tensors.
    pub fn to_state_dict(&self) -> Option<StateDict> {
        let named = self.as_map()?.iter().map(|(k, v)| match (k, v) {
            (Key::Str(name), State::Tensor(t)) => Some((name.clone(), Tensor::clone(t))),
            _ => None,
        });
        named.collect::<Option<_>>().map(OrderedMap::from_distinct)
    }
}

/// A state that does not fit what it is loaded into. Nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("cannot load the state of {target}: {message}")]
pub struct StateError {
    /// What was to take it over.
    pub target: &'static str,
    /// What is missing or does not fit.
    pub message: String,
}

impl StateError {
    /// An error of `target`, a type's name.
    pub fn new(target: &'static str, message: impl Into<String>) -> Self {
        StateError { target, message: message.into() }
    }
}

/// What a checkpoint holds besides a model: optimizers, schedulers, loaders, metrics.
pub trait Stateful {
    /// The whole state, with PyTorch's names where PyTorch has it.
    fn state_dict(&self) -> State;

    /// Takes a state over and goes on from there.
    ///
    /// # Errors
    /// Where entries are missing or do not fit; nothing is changed then.
    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError>;
}

impl<T: Stateful + ?Sized> Stateful for Box<T> {
    fn state_dict(&self) -> State {
        (**self).state_dict()
    }
    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        (**self).load_state_dict(state)
    }
}
