//! Hyper-parameters: one declaration gives the struct, its defaults, and its way into and out of a
//! state dict.

use taper_tensor::State;

/// A hyper-parameter's way into and out of a state dict.
pub(crate) trait Setting: Sized {
    fn to_state(&self) -> State;
    fn from_state(state: &State) -> Option<Self>;
}
impl Setting for f64 {
    fn to_state(&self) -> State {
        State::Float(*self)
    }
    fn from_state(state: &State) -> Option<Self> {
        // PyTorch also keeps learning rates as 0-d tensors.
        state.as_f64().or_else(|| state.as_tensor().filter(|t| t.numel() == 1).map(|t| t.item()))
    }
}
impl Setting for bool {
    fn to_state(&self) -> State {
        State::Bool(*self)
    }
    fn from_state(state: &State) -> Option<Self> {
        state.as_bool()
    }
}
impl Setting for (f64, f64) {
    fn to_state(&self) -> State {
        State::Tuple(vec![State::Float(self.0), State::Float(self.1)])
    }
    fn from_state(state: &State) -> Option<Self> {
        match state.as_list()? {
            [a, b] => Some((f64::from_state(a)?, f64::from_state(b)?)),
            _ => None,
        }
    }
}

/// Numbers that must not be negative (nor NaN), with their names.
pub(crate) fn not_negative(values: &[(&str, f64)]) -> Result<(), String> {
    match values.iter().find(|(_, v)| v.is_nan() || *v < 0.0) {
        Some((name, v)) => Err(format!("invalid {name} {v}")),
        None => Ok(()),
    }
}

/// Declares an optimizer's options with PyTorch's defaults, in the order of its state dict. `fixed`
/// entries are PyTorch's switches that have no meaning here; they are written for PyTorch to read. `valid`
/// says what PyTorch refuses.
macro_rules! options {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $t:ty = $default:expr,)* }
     fixed { $($key:literal: $value:expr,)* } momentum($options:ident) $momentum:expr; valid($given:ident) $valid:expr;) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $t,)* }

        impl Default for $name {
            fn default() -> Self { $name { $($field: $default,)* } }
        }

        impl $crate::optimizer::Hyper for $name {
            fn lr(&self) -> f64 { self.lr }
            fn set_lr(&mut self, lr: f64) { self.lr = lr }
            fn momentum(&mut self) -> Option<&mut f64> { let $options = self; $momentum }
            fn check(&self) -> Result<(), String> { let $given = self; $valid }
            fn save(&self) -> Vec<(&'static str, taper_tensor::State)> {
                vec![$((stringify!($field), $crate::options::Setting::to_state(&self.$field)),)* $(($key, $value),)*]
            }
            fn load(&mut self, map: &taper_tensor::OrderedMap<taper_tensor::Key, taper_tensor::State>) -> Result<(), String> {
                $(if let Some(state) = map.get(stringify!($field)) {
                    self.$field = $crate::options::Setting::from_state(state)
                        .ok_or_else(|| format!("`{}` has an unexpected type: {state:?}", stringify!($field)))?;
                })*
                Ok(())
            }
            fn knows(key: &str) -> bool {
                [$(stringify!($field),)* $($key,)*].contains(&key)
            }
        }
    };
}
pub(crate) use options;
