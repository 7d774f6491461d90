//! What can be saved.

use taper_tensor::{Key, OrderedMap, State, Tensor};

/// A value that [`save`](crate::save) takes: a [`State`] or what becomes one. Tensors are shared, not copied.
pub trait ToState {
    /// The value as a tree.
    fn to_state(&self) -> State;
}

impl ToState for State {
    fn to_state(&self) -> State {
        self.clone()
    }
}

impl ToState for Tensor {
    fn to_state(&self) -> State {
        State::from(self.detach())
    }
}

impl<T: ToState + ?Sized> ToState for &T {
    fn to_state(&self) -> State {
        (**self).to_state()
    }
}

macro_rules! plain {
    ($($t:ty),*) => { $(
        impl ToState for $t {
            fn to_state(&self) -> State {
                State::from(self.clone())
            }
        }
    )* };
}
plain!(i32, i64, usize, f32, f64, bool, String);

impl ToState for str {
    fn to_state(&self) -> State {
        State::from(self)
    }
}

impl<T: ToState> ToState for Option<T> {
    fn to_state(&self) -> State {
        self.as_ref().map_or(State::None, ToState::to_state)
    }
}

impl<A: ToState, B: ToState> ToState for (A, B) {
    fn to_state(&self) -> State {
        State::Tuple(vec![self.0.to_state(), self.1.to_state()])
    }
}

impl<V: ToState> ToState for OrderedMap<String, V> {
    fn to_state(&self) -> State {
        let entries = self.iter().map(|(k, v)| (Key::Str(k.clone()), v.to_state()));
        State::Map(OrderedMap::from_distinct(entries.collect()))
    }
}

impl<V: ToState> ToState for OrderedMap<Key, V> {
    fn to_state(&self) -> State {
        let entries = self.iter().map(|(k, v)| (k.clone(), v.to_state()));
        State::Map(OrderedMap::from_distinct(entries.collect()))
    }
}

impl<T: ToState> ToState for [T] {
    fn to_state(&self) -> State {
        State::List(self.iter().map(ToState::to_state).collect())
    }
}

impl<T: ToState> ToState for Vec<T> {
    fn to_state(&self) -> State {
        self.as_slice().to_state()
    }
}

/// A key, for messages and paths.
pub(crate) fn show_key(key: &Key) -> String {
    match key {
        Key::Str(s) => format!("\"{s}\""),
        Key::Int(i) => i.to_string(),
    }
}
