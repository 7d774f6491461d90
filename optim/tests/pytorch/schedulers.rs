//! Every schedule step by step beside PyTorch's, bit for bit.

use crate::fixture::{Tolerance, check_state, list, number, numbers, read, text};
use serde_json::Value;
use taper_nn::Parameter;
use taper_optim::lr_scheduler::*;
use taper_optim::{Adam, AdamOptions, Optimizer, SGD, SGDOptions};
use taper_tensor::{State, StateError, Stateful, Tensor};

const EXACT: Tolerance = Tolerance { f64_relative: 0.0, f32_ulps: 0 };
/// Bookkeeping of PyTorch's that says nothing about the schedule.
const LEFT_OUT: [&str; 5] =
    ["_is_initial", "_get_lr_called_within_step", "use_beta1", "mode_worse", "default_min_lr"];

/// Constructor arguments; every one must be asked for.
struct Args<'a>(&'a Value, std::cell::RefCell<Vec<&'static str>>);

impl<'a> Args<'a> {
    fn new(v: &'a Value) -> Self {
        Args(v, Default::default())
    }
    fn get(&self, name: &'static str) -> Option<&'a Value> {
        self.1.borrow_mut().push(name);
        self.0.get(name)
    }
    fn number(&self, name: &'static str, default: f64) -> f64 {
        self.get(name).map_or(default, number)
    }
    fn count(&self, name: &'static str, default: usize) -> usize {
        self.get(name).map_or(default, |v| v.as_u64().expect("a count") as usize)
    }
    fn flag(&self, name: &'static str, default: bool) -> bool {
        self.get(name).map_or(default, |v| v.as_bool().expect("a truth value"))
    }
    fn per_group(&self, name: &'static str, default: f64) -> PerGroup {
        match self.get(name) {
            Some(v) if v.is_array() => numbers(v).into(),
            Some(v) => number(v).into(),
            None => default.into(),
        }
    }
    fn choice<T: Copy>(&self, name: &'static str, known: &[(&str, T)]) -> T {
        let Some(v) = self.get(name) else { return known[0].1 };
        known.iter().find(|(k, _)| *k == text(v)).unwrap_or_else(|| panic!("{name} = {v}")).1
    }
    fn finish(self) {
        let asked = self.1.into_inner();
        let unknown: Vec<&String> =
            self.0.as_object().unwrap().keys().filter(|k| !asked.contains(&k.as_str())).collect();
        assert!(unknown.is_empty(), "unknown arguments {unknown:?}");
    }
}

fn function(v: &Value) -> Box<dyn Fn(i64) -> f64 + Send> {
    match text(v) {
        "0.95**e" => Box::new(|e| 0.95f64.powf(e as f64)),
        "1/(1+e)" => Box::new(|e| 1.0 / (1 + e) as f64),
        other => panic!("no function {other}"),
    }
}

/// A scheduler that goes by steps, or by a metric.
enum Made {
    Steps(Box<dyn LrScheduler>),
    Metric(ReduceLROnPlateau),
}

impl Made {
    fn step(&mut self, optimizer: &mut dyn Optimizer, metric: Option<f64>) {
        match self {
            Made::Steps(s) => s.step(optimizer),
            Made::Metric(s) => s.step(optimizer, metric.expect("a metric")),
        }
    }
    fn state_dict(&self) -> State {
        match self {
            Made::Steps(s) => s.state_dict(),
            Made::Metric(s) => s.state_dict(),
        }
    }
    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        match self {
            Made::Steps(s) => s.load_state_dict(state),
            Made::Metric(s) => s.load_state_dict(state),
        }
    }
    fn last_lr(&self) -> &[f64] {
        match self {
            Made::Steps(s) => s.last_lr(),
            Made::Metric(s) => s.last_lr(),
        }
    }
}

fn build(o: &mut dyn Optimizer, case: &Value) -> Made {
    let args = Args::new(&case["kwargs"]);
    let scheduler: Box<dyn LrScheduler> = match text(&case["scheduler"]) {
        "StepLR" => Box::new(StepLR::new(o, args.count("step_size", 0), args.number("gamma", 0.1))),
        "MultiStepLR" => {
            let milestones: Vec<usize> =
                numbers(args.get("milestones").unwrap()).iter().map(|&m| m as usize).collect();
            Box::new(MultiStepLR::new(o, &milestones, args.number("gamma", 0.1)))
        }
        "ExponentialLR" => Box::new(ExponentialLR::new(o, args.number("gamma", f64::NAN))),
        "CosineAnnealingLR" => {
            Box::new(CosineAnnealingLR::new(o, args.count("T_max", 0), args.number("eta_min", 0.0)))
        }
        "LinearLR" => {
            let (start, end) = (args.number("start_factor", 1.0 / 3.0), args.number("end_factor", 1.0));
            Box::new(LinearLR::new(o, start, end, args.count("total_iters", 5)))
        }
        "OneCycleLR" => {
            let total = args.count("epochs", 0) * args.count("steps_per_epoch", 0);
            let max_lr = args.per_group("max_lr", f64::NAN);
            let d = OneCycleOptions::new(max_lr, args.count("total_steps", total));
            Box::new(OneCycleLR::new(
                o,
                OneCycleOptions {
                    pct_start: args.number("pct_start", d.pct_start),
                    anneal_strategy: args
                        .choice("anneal_strategy", &[("cos", Anneal::Cos), ("linear", Anneal::Linear)]),
                    cycle_momentum: args.flag("cycle_momentum", d.cycle_momentum),
                    base_momentum: args.number("base_momentum", d.base_momentum),
                    max_momentum: args.number("max_momentum", d.max_momentum),
                    div_factor: args.number("div_factor", d.div_factor),
                    final_div_factor: args.number("final_div_factor", d.final_div_factor),
                    three_phase: args.flag("three_phase", d.three_phase),
                    ..d
                },
            ))
        }
        "LambdaLR" => match args.get("lr_lambda").unwrap() {
            Value::Array(all) => Box::new(LambdaLR::per_group(o, all.iter().map(function).collect())),
            one => Box::new(LambdaLR::new(o, function(one))),
        },
        "SequentialLR" => {
            let parts = list(args.get("schedulers").unwrap()).iter().map(|part| match build(o, part) {
                Made::Steps(s) => s,
                Made::Metric(_) => panic!("a schedule by metric inside another"),
            });
            let parts = parts.collect();
            let milestones: Vec<usize> =
                numbers(args.get("milestones").unwrap()).iter().map(|&m| m as usize).collect();
            Box::new(SequentialLR::new(o, parts, &milestones))
        }
        "ReduceLROnPlateau" => {
            let d = PlateauOptions::default();
            let options = PlateauOptions {
                mode: args.choice("mode", &[("min", PlateauMode::Min), ("max", PlateauMode::Max)]),
                factor: args.number("factor", d.factor),
                patience: args.count("patience", d.patience),
                threshold: args.number("threshold", d.threshold),
                threshold_mode: args
                    .choice("threshold_mode", &[("rel", ThresholdMode::Rel), ("abs", ThresholdMode::Abs)]),
                cooldown: args.count("cooldown", d.cooldown),
                min_lr: args.per_group("min_lr", 0.0),
                eps: args.number("eps", d.eps),
            };
            args.finish();
            return Made::Metric(ReduceLROnPlateau::new(o, options));
        }
        other => panic!("no scheduler {other}"),
    };
    args.finish();
    Made::Steps(scheduler)
}

fn optimizer(name: &Value) -> Box<dyn Optimizer> {
    let p = || vec![Parameter::new(Tensor::zeros(1))];
    match text(name) {
        "SGD" => {
            let options = |lr| SGDOptions { lr, momentum: 0.9, ..Default::default() };
            Box::new(SGD::with_groups([(p(), options(0.1)), (p(), options(0.01))]))
        }
        "Adam" => {
            let options = |lr| AdamOptions { lr, ..Default::default() };
            Box::new(Adam::with_groups([(p(), options(0.1)), (p(), options(0.01))]))
        }
        other => panic!("no optimizer {other}"),
    }
}

/// Learning rates of both groups, and their momenta.
fn rates(o: &mut dyn Optimizer) -> (Vec<f64>, Vec<f64>) {
    (0..2).map(|g| (o.lr(g), *o.momentum(g).expect("a momentum"))).unzip()
}

fn metric(case: &Value, step: usize) -> Option<f64> {
    (!case["metrics"].is_null()).then(|| number(&case["metrics"][step]))
}

#[test]
fn rates_momenta_and_states_are_pytorchs() {
    let all = read("schedulers");
    let cases = list(&all["cases"]);
    assert!(cases.len() >= 27, "only {} cases", cases.len());
    for case in cases {
        let what = format!("{} {} of {}", case["scheduler"], case["kwargs"], case["optimizer"]);
        let mut o = optimizer(&case["optimizer"]);
        let mut scheduler = build(&mut *o, case);
        for (step, expected) in list(&case["lrs"]).iter().enumerate() {
            if step > 0 {
                o.step();
                scheduler.step(&mut *o, metric(case, step - 1));
            }
            let (lrs, momenta) = rates(&mut *o);
            assert_eq!(lrs, numbers(expected), "{what}: rates after {step} steps");
            assert_eq!(lrs, scheduler.last_lr(), "{what}: last_lr after {step} steps");
            if !case["momentum"].is_null() {
                assert_eq!(momenta, numbers(&case["momenta"][step]), "{what}: momenta after {step} steps");
            }
        }
        check_state(&what, &scheduler.state_dict(), &case["state"], &LEFT_OUT, EXACT);
    }
}

/// Stopped after any step, saved, and loaded into new objects, a schedule goes on as if nothing had been.
#[test]
fn a_loaded_schedule_goes_on() {
    for case in list(&read("schedulers")["cases"]) {
        for stop in [0, 1, 4, 5, 13, 20, 29] {
            let mut o = optimizer(&case["optimizer"]);
            let mut scheduler = build(&mut *o, case);
            (0..stop).for_each(|i| scheduler.step(&mut *o, metric(case, i)));
            let (saved, saved_optimizer) = (scheduler.state_dict(), o.state_dict());

            let mut o = optimizer(&case["optimizer"]);
            let mut scheduler = build(&mut *o, case);
            scheduler.load_state_dict(&saved).unwrap();
            o.load_state_dict(&saved_optimizer).unwrap();
            for (step, expected) in list(&case["lrs"]).iter().enumerate().skip(stop) {
                if step > stop {
                    scheduler.step(&mut *o, metric(case, step - 1));
                }
                let what = format!("{} {} stopped at {stop}, step {step}", case["scheduler"], case["kwargs"]);
                assert_eq!(rates(&mut *o).0, numbers(expected), "{what}");
            }
            check_state("loaded", &scheduler.state_dict(), &case["state"], &LEFT_OUT, EXACT);
        }
    }
}

/// A state that lacks an entry, or has one of another type, changes nothing.
#[test]
fn a_damaged_state_is_refused() {
    for case in list(&read("schedulers")["cases"]) {
        let mut o = optimizer(&case["optimizer"]);
        let mut scheduler = build(&mut *o, case);
        (0..7).for_each(|i| scheduler.step(&mut *o, metric(case, i)));
        let good = scheduler.state_dict();
        let before = format!("{good:?}");
        let mut bad = vec![State::None, State::List(vec![])];
        let keys = match text(&case["scheduler"]) {
            "SequentialLR" => ["last_epoch", "_milestones", "_schedulers"],
            "ReduceLROnPlateau" => ["last_epoch", "_last_lr", "best"],
            "OneCycleLR" => ["last_epoch", "_last_lr", "total_steps"],
            _ => ["last_epoch", "_last_lr", "base_lrs"],
        };
        for key in keys {
            let State::Map(map) = &good else { panic!("not a map: {good:?}") };
            for value in [None, Some(State::Str("x".into())), Some(State::List(vec![State::None]))] {
                let mut map = map.clone();
                match value {
                    Some(v) => drop(map.insert(key, v)),
                    None => drop(map.remove(key)),
                }
                bad.push(State::Map(map));
            }
        }
        for bad in bad {
            let error = scheduler.load_state_dict(&bad);
            assert!(error.is_err(), "{} took {bad:?}", case["scheduler"]);
            assert_eq!(format!("{:?}", scheduler.state_dict()), before);
        }
    }
}

/// PyTorch's SGD has a momentum that may be 0; the cycle moves it all the same.
#[test]
fn one_cycle_moves_a_momentum_of_zero() {
    let mut o = SGD::new(vec![Parameter::new(Tensor::zeros(1))], 0.1);
    OneCycleLR::new(&mut o, OneCycleOptions::new(1.0, 10));
    assert_eq!(o.param_groups()[0].options.momentum, 0.95);
}

#[test]
#[should_panic(expected = "OneCycleLR: max_lr has 3 numbers for 1 parameter groups")]
fn rates_for_other_groups_are_refused() {
    let mut o = SGD::new(vec![Parameter::new(Tensor::zeros(1))], 0.1);
    OneCycleLR::new(&mut o, OneCycleOptions::new([1.0, 2.0, 3.0], 10));
}
