//! Optimizers by PyTorch's names.

use crate::fixture::number;
use serde_json::Value;
use taper_nn::Parameter;
use taper_optim::{Adagrad, Adam, AdamW, Algorithm, Hyper, Optim, Optimizer, RMSprop, SGD};
use taper_tensor::{Key, OrderedMap, State};

/// Constructor arguments as a state dict has them.
fn state(v: &Value) -> State {
    match v {
        Value::Bool(b) => State::Bool(*b),
        Value::Array(a) => State::Tuple(a.iter().map(state).collect()),
        v => State::Float(number(v)),
    }
}

fn build<A: Algorithm>(groups: Vec<Vec<Parameter>>, common: &Value, own: &[&Value]) -> Box<dyn Optimizer> {
    let groups = groups.into_iter().zip(own).map(|(params, own)| {
        let mut options = A::Options::default();
        for given in [common, own] {
            let given = given.as_object().expect("options by name");
            let map: OrderedMap<Key, State> =
                given.iter().map(|(k, v)| (k.as_str().into(), state(v))).collect();
            assert!(given.keys().all(|k| A::Options::knows(k)), "an option of {given:?} is unknown");
            options.load(&map).unwrap();
        }
        (params, options)
    });
    Box::new(Optim::<A>::with_groups(groups))
}

/// The rule of an optimizer's type.
trait HasRule {
    type Rule: Algorithm;
}
impl<A: Algorithm> HasRule for Optim<A> {
    type Rule = A;
}

macro_rules! by_name {
    ($($optimizer:ident),*) => {
        /// An optimizer with the options of a trajectory; `own` are those of each group.
        pub fn optimizer(
            name: &str,
            groups: Vec<Vec<Parameter>>,
            common: &Value,
            own: &[&Value],
        ) -> Box<dyn Optimizer> {
            match name {
                $(stringify!($optimizer) => build::<<$optimizer as HasRule>::Rule>(groups, common, own),)*
                other => panic!("no optimizer {other}"),
            }
        }
    };
}
by_name!(SGD, Adam, AdamW, RMSprop, Adagrad);
