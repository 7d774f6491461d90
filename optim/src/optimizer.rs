//! What all optimizers share: parameter groups, per-parameter state, and the state dict.

use taper_nn::Parameter;
use taper_tensor::autograd::no_grad;
use taper_tensor::{Key, OrderedMap, State, StateError, Stateful, Tensor};

/// An optimizer, whatever its algorithm; what training loops and schedulers need of it.
///
/// Its state is in PyTorch's layout: `state` by parameter number, and `param_groups`.
pub trait Optimizer: Stateful + Send {
    /// Updates every parameter that has a gradient.
    fn step(&mut self);
    /// Forgets the gradients of all parameters.
    fn zero_grad(&self);
    /// Number of parameter groups.
    fn num_groups(&self) -> usize;
    /// A group's learning rate.
    fn lr(&self, group: usize) -> f64;
    /// Sets a group's learning rate.
    fn set_lr(&mut self, group: usize, lr: f64);
    /// A group's momentum (Adam's `beta1`), where the algorithm has one.
    fn momentum(&mut self, group: usize) -> Option<&mut f64>;
    /// Values that schedulers keep with a group (`initial_lr`, …).
    fn extra(&mut self, group: usize) -> &mut OrderedMap<Key, State>;
}

/// The hyper-parameters of a group.
pub trait Hyper: Clone + Default + Send {
    /// Learning rate.
    fn lr(&self) -> f64;
    /// Sets the learning rate.
    fn set_lr(&mut self, lr: f64);
    /// Momentum or `beta1`.
    fn momentum(&mut self) -> Option<&mut f64>;
    /// Says which value an optimizer cannot work with.
    ///
    /// # Errors
    /// For values that PyTorch refuses.
    fn check(&self) -> Result<(), String>;
    /// Names and values in PyTorch's order.
    fn save(&self) -> Vec<(&'static str, State)>;
    /// Takes over the values that are there.
    fn load(&mut self, map: &OrderedMap<Key, State>) -> Result<(), String>;
    /// Whether a name is one of them.
    fn knows(key: &str) -> bool;
}

/// Parameters that share hyper-parameters.
pub struct Group<O> {
    /// The parameters.
    pub params: Vec<Parameter>,
    /// Their hyper-parameters; may be changed between steps.
    pub options: O,
    /// What schedulers and other programs keep with the group.
    pub extra: OrderedMap<Key, State>,
}

/// What an algorithm remembers of one parameter.
#[derive(Clone, Default)]
pub struct Slots {
    /// Steps taken.
    pub step: f64,
    /// Tensors of the parameter's shape, one place for each name of [`Algorithm::SLOTS`].
    pub tensors: Vec<Option<Tensor>>,
}

impl Slots {
    fn new<A: Algorithm>(options: &A::Options, param: &Parameter) -> Self {
        Slots { step: 0.0, tensors: A::init(options, &param.value().detach()) }
    }

    /// Goes where the parameter went.
    fn follow(&mut self, param: &Tensor) {
        for t in self.tensors.iter_mut().flatten().filter(|t| t.device() != param.device()) {
            *t = t.to_device(param.device());
        }
    }
}

/// The rule of an optimizer: hyper-parameters, what it remembers, and one update.
pub trait Algorithm: Send + 'static {
    /// PyTorch's name.
    const NAME: &'static str;
    /// Names of the remembered tensors in the state dict.
    const SLOTS: &'static [&'static str];
    /// Whether the state dict has a `step`.
    const COUNTS_STEPS: bool;
    /// Whether PyTorch's has a state of every parameter from the beginning, and expects to find it.
    const EAGER: bool = false;
    /// The hyper-parameters.
    type Options: Hyper;
    /// Remembered tensors as they are before the first step.
    fn init(options: &Self::Options, param: &Tensor) -> Vec<Option<Tensor>>;
    /// One update; `slots.step` counts this step already.
    fn update(options: &Self::Options, param: &mut Tensor, grad: &Tensor, slots: &mut Slots);
}

/// An optimizer of parameter groups; see [`SGD`](crate::SGD), [`Adam`](crate::Adam), ….
pub struct Optim<A: Algorithm> {
    groups: Vec<Group<A::Options>>,
    state: Vec<Vec<Option<Slots>>>,
}

impl<A: Algorithm> Optim<A> {
    /// One group with a learning rate and PyTorch's defaults otherwise.
    ///
    /// # Panics
    /// As [`with_groups`](Self::with_groups).
    #[track_caller]
    pub fn new(params: Vec<Parameter>, lr: f64) -> Self {
        let mut options = A::Options::default();
        options.set_lr(lr);
        Self::with(params, options)
    }

    /// One group with its options.
    ///
    /// # Panics
    /// As [`with_groups`](Self::with_groups).
    #[track_caller]
    pub fn with(params: Vec<Parameter>, options: A::Options) -> Self {
        Self::with_groups([(params, options)])
    }

    /// Several groups, each with its options.
    ///
    /// # Panics
    /// For no parameters at all, a parameter that comes twice, or options that PyTorch refuses,
    /// such as a negative learning rate.
    #[track_caller]
    pub fn with_groups(groups: impl IntoIterator<Item = (Vec<Parameter>, A::Options)>) -> Self {
        let mut optimizer = Optim { groups: Vec::new(), state: Vec::new() };
        for (params, options) in groups {
            optimizer.add_param_group(params, options);
        }
        assert!(
            optimizer.groups.iter().any(|g| !g.params.is_empty()),
            "{}: got an empty parameter list",
            A::NAME
        );
        optimizer
    }

    /// Adds a group, for layers that are unfrozen later.
    ///
    /// # Panics
    /// As [`with_groups`](Self::with_groups).
    #[track_caller]
    pub fn add_param_group(&mut self, params: Vec<Parameter>, options: A::Options) {
        if let Err(why) = options.check() {
            panic!("{}: {why}", A::NAME);
        }
        for (i, p) in params.iter().enumerate() {
            let known = self.groups.iter().flat_map(|g| &g.params).chain(&params[..i]);
            assert!(!known.into_iter().any(|q| q.is(p)), "{}: a parameter appears in two places", A::NAME);
        }
        self.state.push(params.iter().map(|_| None).collect());
        self.groups.push(Group { params, options, extra: OrderedMap::new() });
    }

    /// The groups.
    pub fn param_groups(&self) -> &[Group<A::Options>] {
        &self.groups
    }
    /// The groups, to change hyper-parameters between steps.
    pub fn param_groups_mut(&mut self) -> &mut [Group<A::Options>] {
        &mut self.groups
    }
}

impl<A: Algorithm> Optimizer for Optim<A> {
    #[track_caller]
    fn step(&mut self) {
        no_grad(|| {
            for (group, states) in self.groups.iter().zip(&mut self.state) {
                for (param, state) in group.params.iter().zip(states) {
                    let Some(grad) = param.grad() else { continue };
                    let slots = state.get_or_insert_with(|| Slots::new::<A>(&group.options, param));
                    slots.step += 1.0;
                    param.update(|p| {
                        slots.follow(p);
                        A::update(&group.options, p, &grad, slots);
                    });
                }
            }
        });
    }

    fn zero_grad(&self) {
        self.groups.iter().flat_map(|g| &g.params).for_each(Parameter::zero_grad);
    }
    fn num_groups(&self) -> usize {
        self.groups.len()
    }
    fn lr(&self, group: usize) -> f64 {
        self.groups[group].options.lr()
    }
    fn set_lr(&mut self, group: usize, lr: f64) {
        self.groups[group].options.set_lr(lr);
    }
    fn momentum(&mut self, group: usize) -> Option<&mut f64> {
        self.groups[group].options.momentum()
    }
    fn extra(&mut self, group: usize) -> &mut OrderedMap<Key, State> {
        &mut self.groups[group].extra
    }
}

impl<A: Algorithm> Stateful for Optim<A> {
    fn state_dict(&self) -> State {
        let mut states = OrderedMap::new();
        let mut groups = Vec::new();
        let mut number = 0i64;
        for (group, slots) in self.groups.iter().zip(&self.state) {
            let first = number;
            for (param, slots) in group.params.iter().zip(slots) {
                let fresh = (A::EAGER && slots.is_none()).then(|| Slots::new::<A>(&group.options, param));
                if let Some(s) = (slots.as_ref().or(fresh.as_ref()))
                    .filter(|s| A::COUNTS_STEPS || s.tensors.iter().any(Option::is_some))
                {
                    states.insert(number, save_slots::<A>(s));
                }
                number += 1;
            }
            let mut map: OrderedMap<Key, State> =
                group.options.save().into_iter().map(|(k, v)| (Key::from(k), v)).collect();
            for (k, v) in group.extra.iter() {
                map.insert(k.clone(), v.clone());
            }
            map.insert("params", State::List((first..number).map(State::Int).collect()));
            groups.push(State::Map(map));
        }
        State::map([("state", State::Map(states)), ("param_groups", State::List(groups))])
    }

    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        let fail = |message: String| StateError::new(A::NAME, message);
        let saved_groups = state
            .get("param_groups")
            .and_then(State::as_list)
            .ok_or_else(|| fail("it has no list `param_groups`".into()))?;
        let saved_states =
            state.get("state").and_then(State::as_map).ok_or_else(|| fail("it has no map `state`".into()))?;
        if saved_groups.len() != self.groups.len() {
            let message =
                format!("it has {} parameter groups, not {}", saved_groups.len(), self.groups.len());
            return Err(fail(message));
        }
        let (mut options, mut extras, mut states) = (Vec::new(), Vec::new(), Vec::new());
        let mut known = Vec::new();
        for (i, (group, saved)) in self.groups.iter().zip(saved_groups).enumerate() {
            let map = saved.as_map().ok_or_else(|| fail(format!("group {i} is not a map")))?;
            let numbers = map
                .get("params")
                .and_then(State::as_list)
                .ok_or_else(|| fail(format!("group {i} has no list `params`")))?;
            if numbers.len() != group.params.len() {
                let message =
                    format!("group {i} has {} parameters, not {}", numbers.len(), group.params.len());
                return Err(fail(message));
            }
            let mut loaded = group.options.clone();
            loaded.load(map).map_err(|m| fail(format!("group {i}: {m}")))?;
            let foreign = |k: &Key| matches!(k, Key::Str(s) if s != "params" && !A::Options::knows(s));
            extras
                .push(map.iter().filter(|(k, _)| foreign(k)).map(|(k, v)| (k.clone(), v.clone())).collect());
            let mut group_states = Vec::new();
            for (number, param) in numbers.iter().zip(&group.params) {
                let number = number
                    .as_i64()
                    .ok_or_else(|| fail(format!("group {i}: parameter numbers must be integers")))?;
                if known.contains(&number) {
                    return Err(fail(format!("group {i}: parameter {number} appears in two places")));
                }
                known.push(number);
                let slots = saved_states.get(&number).map(|s| {
                    load_slots::<A>(s, &loaded, &param.value())
                        .map_err(|m| fail(format!("state of parameter {number}: {m}")))
                });
                group_states.push(slots.transpose()?);
            }
            options.push(loaded);
            states.push(group_states);
        }
        if let Some((k, _)) =
            saved_states.iter().find(|(k, _)| !matches!(k, Key::Int(n) if known.contains(n)))
        {
            return Err(fail(format!("its state has an entry {k:?} that is no parameter of its groups")));
        }
        for ((group, options), extra) in self.groups.iter_mut().zip(options).zip(extras) {
            (group.options, group.extra) = (options, extra);
        }
        self.state = states;
        Ok(())
    }
}

fn save_slots<A: Algorithm>(slots: &Slots) -> State {
    let mut map = OrderedMap::<Key, State>::new();
    if A::COUNTS_STEPS {
        map.insert("step", Tensor::full((), slots.step).into());
    }
    for (name, tensor) in A::SLOTS.iter().zip(&slots.tensors) {
        if let Some(t) = tensor {
            map.insert(*name, t.clone().into());
        }
    }
    State::Map(map)
}

fn load_slots<A: Algorithm>(state: &State, options: &A::Options, param: &Tensor) -> Result<Slots, String> {
    let map = state.as_map().ok_or("it is not a map")?;
    let step = match map.get("step") {
        Some(State::Tensor(t)) if t.numel() == 1 => t.item(),
        Some(other) => other.as_f64().ok_or("`step` is not a number")?,
        None if A::COUNTS_STEPS => return Err("`step` is missing".into()),
        // The algorithm only asks whether this is the first step.
        None => 1.0,
    };
    let fresh = A::init(options, &param.detach());
    let tensor = |(name, fresh): (&&'static str, &Option<Tensor>)| match map.get(*name) {
        None | Some(State::None) if fresh.is_some() => Err(format!("`{name}` is missing")),
        None | Some(State::None) => Ok(None),
        Some(State::Tensor(t)) if t.shape() == param.shape() => {
            Ok(Some(t.detach().to_dtype(param.dtype()).to_device(param.device())))
        }
        Some(State::Tensor(t)) => Err(format!("`{name}` has shape {:?}, not {:?}", t.shape(), param.shape())),
        Some(_) => Err(format!("`{name}` is not a tensor")),
    };
    Ok(Slots { step, tensors: A::SLOTS.iter().zip(&fresh).map(tensor).collect::<Result<_, _>>()? })
}

/// Runs a fused update kernel; `op` is built with views of the remembered tensors.
#[track_caller]
pub(crate) fn run(
    name: &'static str,
    param: &mut Tensor,
    grad: &Tensor,
    op: taper_tensor::kernels::OptimizerOp,
) {
    assert!(
        grad.dtype() == param.dtype() && grad.shape() == param.shape(),
        "{name}: a gradient of {} {:?} for a parameter of {} {:?}",
        grad.dtype(),
        grad.shape(),
        param.dtype(),
        param.shape()
    );
    let result =
        param.device().backend().and_then(|b| b.optimizer_step(op, grad.as_view(), param.as_view_mut()));
    if let Err(e) = result {
        panic!("{name}: {e}");
    }
}
