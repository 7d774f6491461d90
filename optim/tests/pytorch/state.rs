//! Saving and loading optimizers.

use crate::fixture::{list, read, text};
use crate::trajectories::{Run, start};
use taper_nn::Parameter;
use taper_optim::{Adagrad, AdagradOptions};
use taper_tensor::{Key, OrderedMap, State, Stateful, Tensor, tensor};

fn bits(tensors: &[Tensor]) -> Vec<Vec<u8>> {
    tensors.iter().map(Tensor::to_bytes).collect()
}

/// A state, tensors by their bits: equal texts are equal states.
fn written(state: &State) -> String {
    match state {
        State::Tensor(t) => format!("{}{:?}{:?}", t.dtype(), t.shape(), t.to_bytes()),
        State::Map(m) => m.iter().map(|(k, v)| format!("{k:?}: {}, ", written(v))).collect(),
        State::List(l) | State::Tuple(l) => l.iter().map(|v| format!("[{}]", written(v))).collect(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_loaded_optimizer_goes_on_bit_for_bit() {
    for case in list(&read("optim")["trajectories"]) {
        let gradients = list(&case["gradients"]);
        for stop in [0, 1, 4, 7] {
            let mut straight = start(case);
            gradients[..stop].iter().for_each(|g| straight.step(g));

            let mut resumed = start(case);
            for (p, v) in resumed.params.iter().zip(straight.values()) {
                p.set_value(v);
            }
            let saved = straight.optimizer.state_dict();
            // Other rates, to see that the saved ones count.
            resumed.optimizer.set_lr(0, 123.0);
            resumed.optimizer.load_state_dict(&saved).unwrap();
            assert_eq!(written(&resumed.optimizer.state_dict()), written(&saved));

            gradients[stop..].iter().for_each(|g| straight.step(g));
            gradients[stop..].iter().for_each(|g| resumed.step(g));
            assert_eq!(
                bits(&straight.values()),
                bits(&resumed.values()),
                "{} {}",
                case["optimizer"],
                case["options"]
            );
            let states = [&straight, &resumed].map(|r: &Run| written(&r.optimizer.state_dict()));
            assert_eq!(states[0], states[1]);
        }
    }
}

#[test]
fn a_saved_state_is_a_value() {
    let all = read("optim");
    let case = &list(&all["trajectories"])[14];
    let mut run = start(case);
    run.step(&case["gradients"][0]);
    let saved = run.optimizer.state_dict();
    let before = written(&saved);
    run.step(&case["gradients"][1]);
    assert_eq!(written(&saved), before);
}

type Map = OrderedMap<Key, State>;
type Damage = Box<dyn Fn(&mut State)>;

/// The map at a path of a state (`Int` keys are positions in lists), to change.
fn at<'a>(state: &'a mut State, path: &[Key]) -> &'a mut Map {
    let (Some((key, rest)), state) = (path.split_first(), state) else {
        unreachable!();
    };
    let next = match (state, key) {
        (State::Map(m), Key::Str(s)) => m.get_mut(s.as_str()),
        (State::Map(m), Key::Int(i)) => m.get_mut(i),
        (State::List(l), Key::Int(i)) => l.get_mut(*i as usize),
        _ => None,
    };
    let next = next.unwrap_or_else(|| panic!("no {key:?}"));
    if rest.is_empty() {
        match next {
            State::Map(m) => m,
            other => panic!("not a map: {other:?}"),
        }
    } else {
        at(next, rest)
    }
}

/// Each damage to a good state is refused with a message that names it, and changes nothing.
#[test]
fn a_state_that_does_not_fit_is_refused() {
    let groups = |i| [Key::from("param_groups"), Key::Int(i)];
    let states = |i| [Key::from("state"), Key::Int(i)];
    let ints = |v: &[i64]| State::List(v.iter().map(|&i| State::Int(i)).collect());
    let set = |path: [Key; 2], key: &'static str, value: State| -> Damage {
        Box::new(move |s: &mut State| drop(at(s, &path).insert(key, value.clone())))
    };
    let remove = |path: [Key; 2], key: &'static str| -> Damage {
        Box::new(move |s: &mut State| drop(at(s, &path).remove(key).expect("the key")))
    };
    let top = |key: &'static str, value: Option<State>| -> Damage {
        Box::new(move |s: &mut State| {
            let State::Map(m) = s else { unreachable!() };
            match &value {
                Some(v) => drop(m.insert(key, v.clone())),
                None => drop(m.remove(key)),
            }
        })
    };
    let wide = State::from(Tensor::zeros([2, 3]));
    let damages: Vec<(Damage, &str)> = vec![
        (Box::new(|s: &mut State| *s = State::None), "no list `param_groups`"),
        (top("state", None), "no map `state`"),
        (top("state", Some(State::Int(1))), "no map `state`"),
        (top("param_groups", Some(State::List(vec![]))), "0 parameter groups, not 2"),
        (set(groups(0), "params", State::None), "group 0 has no list `params`"),
        (remove(groups(1), "params"), "group 1 has no list `params`"),
        (set(groups(0), "params", ints(&[0, 2])), "group 0 has 2 parameters, not 1"),
        (set(groups(0), "params", ints(&[])), "group 0 has 0 parameters, not 1"),
        (set(groups(1), "params", ints(&[0])), "parameter 0 appears in two places"),
        (set(groups(1), "params", ints(&[7])), "no parameter of its groups"),
        (set(groups(0), "params", State::List(vec!["a".into()])), "must be integers"),
        (set(groups(1), "lr", "fast".into()), "group 1: `lr` has an unexpected type"),
        (
            set(groups(0), "betas", State::Tuple(vec![State::Float(0.9)])),
            "group 0: `betas` has an unexpected type",
        ),
        (set(groups(0), "amsgrad", State::Int(3)), "group 0: `amsgrad` has an unexpected type"),
        (remove(states(0), "step"), "state of parameter 0: `step` is missing"),
        (set(states(0), "step", "8".into()), "`step` is not a number"),
        (set(states(0), "step", wide.clone()), "`step` is not a number"),
        (remove(states(1), "exp_avg"), "state of parameter 1: `exp_avg` is missing"),
        (remove(states(1), "max_exp_avg_sq"), "`max_exp_avg_sq` is missing"),
        (set(states(1), "exp_avg_sq", wide), "`exp_avg_sq` has shape [2, 3], not [2, 2]"),
        (set(states(1), "exp_avg_sq", State::Float(1.0)), "`exp_avg_sq` is not a tensor"),
        (
            Box::new(move |s: &mut State| {
                let State::Map(m) = s else { unreachable!() };
                let Some(State::Map(states)) = m.get_mut("state") else { unreachable!() };
                states.insert(0i64, State::List(vec![]));
            }),
            "state of parameter 0: it is not a map",
        ),
    ];
    let all = read("optim");
    let amsgrad =
        |c: &&serde_json::Value| text(&c["optimizer"]) == "Adam" && c["options"].get("amsgrad").is_some();
    let case = list(&all["trajectories"]).iter().find(amsgrad).expect("Adam with amsgrad");
    let mut run = start(case);
    list(&case["gradients"])[..3].iter().for_each(|g| run.step(g));
    let good = run.optimizer.state_dict();
    for (damage, message) in damages {
        let mut bad = good.clone();
        damage(&mut bad);
        let error = run.optimizer.load_state_dict(&bad).expect_err(message).to_string();
        assert!(error.starts_with("cannot load the state of Adam: "), "{error}");
        assert!(error.contains(message), "{error:?} does not say {message:?}");
        assert_eq!(written(&run.optimizer.state_dict()), written(&good), "changed by {message}");
    }
}

/// What schedulers keep with the groups is saved and comes back.
#[test]
fn extra_values_of_groups_are_kept() {
    let all = read("optim");
    let case = &list(&all["trajectories"])[0];
    let mut run = start(case);
    run.optimizer.extra(1).insert("initial_lr", State::Float(0.5));
    let saved = run.optimizer.state_dict();
    let mut fresh = start(case);
    fresh.optimizer.load_state_dict(&saved).unwrap();
    assert_eq!(fresh.optimizer.extra(1).get("initial_lr").and_then(State::as_f64), Some(0.5));
    assert!(fresh.optimizer.extra(0).is_empty());
}

#[test]
fn adagrad_has_a_state_from_the_beginning() {
    // PyTorch's step expects to find one of every parameter, whether it has had a gradient or not.
    let options = AdagradOptions { initial_accumulator_value: 0.5, ..Default::default() };
    let optimizer = Adagrad::with(vec![Parameter::new(tensor([1.0, 2.0]))], options);
    let state = optimizer.state_dict();
    let first = state.get("state").and_then(|s| s.as_map()?.get(&0)).unwrap();
    let of = |name: &str| first.get(name).unwrap().as_tensor().unwrap().to_vec::<f32>();
    assert_eq!((of("step"), of("sum")), (vec![0.0], vec![0.5, 0.5]));
}
