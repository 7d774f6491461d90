//! Every optimizer step by step beside PyTorch's.

use crate::fixture::{Tolerance, check_state, check_tensor, list, read, tensor, text};
use crate::made::optimizer;
use serde_json::{Value, json};
use taper_nn::Parameter;
use taper_optim::Optimizer;
use taper_tensor::{State, Stateful, Tensor};

/// f64: rounding of the last places. f32: square roots of PyTorch's MKL differ from IEEE's in the last
/// bit now and then, and a parameter carries that on.
const NEAR: Tolerance = Tolerance { f64_relative: 1e-12, f32_ulps: 32 };
/// PyTorch's choice of an implementation; the fixture was made with the plain one, taper has no other.
const IMPLEMENTATION: [&str; 2] = ["foreach", "fused"];

pub struct Run {
    pub params: Vec<Parameter>,
    pub optimizer: Box<dyn Optimizer>,
}

/// Parameters and optimizer of a trajectory, before its first step.
pub fn start(case: &Value) -> Run {
    let params: Vec<Parameter> = list(&case["start"]).iter().map(|t| Parameter::new(tensor(t))).collect();
    let groups = list(&case["groups"]);
    let param = |i: &Value| params[i.as_u64().unwrap() as usize].clone();
    let of = |g: &Value| list(&g["params"]).iter().map(param).collect::<Vec<_>>();
    let own: Vec<&Value> = groups.iter().map(|g| &g["options"]).collect();
    let optimizer =
        optimizer(text(&case["optimizer"]), groups.iter().map(of).collect(), &case["options"], &own);
    Run { params, optimizer }
}

impl Run {
    /// One step with the gradients of a step of the trajectory.
    pub fn step(&mut self, gradients: &Value) {
        for (p, g) in self.params.iter().zip(list(gradients)) {
            p.set_grad(if g.is_null() { None } else { Some(tensor(g)) });
        }
        self.optimizer.step();
    }

    pub fn values(&self) -> Vec<Tensor> {
        self.params.iter().map(|p| p.value().detach()).collect()
    }
}

fn without_implementation(state: &State) -> State {
    match state {
        State::Map(m) => {
            let keep = m.iter().filter(|(k, _)| !IMPLEMENTATION.iter().any(|i| **k == **i));
            State::Map(keep.map(|(k, v)| (k.clone(), without_implementation(v))).collect())
        }
        State::List(l) => State::List(l.iter().map(without_implementation).collect()),
        other => other.clone(),
    }
}

#[test]
fn steps_and_state_are_pytorchs() {
    let all = read("optim");
    let (mut f32s, mut differ) = (0, 0);
    for (n, case) in list(&all["trajectories"]).iter().enumerate() {
        let what = format!("trajectory {n}, {} {}", case["optimizer"], case["options"]);
        let mut run = start(case);
        for (i, (gradients, expected)) in
            list(&case["gradients"]).iter().zip(list(&case["steps"])).enumerate()
        {
            run.step(gradients);
            for (p, expected) in run.values().iter().zip(list(expected)) {
                differ += check_tensor(&format!("{what}, step {i}"), p, expected, NEAR);
                f32s += p.numel();
            }
        }
        let state = without_implementation(&run.optimizer.state_dict());
        check_state(&what, &state, &case["state_dict"], &IMPLEMENTATION, NEAR);
    }
    assert!(f32s > 1000, "the fixture has only {f32s} numbers");
    println!("{differ} f32 elements differ in the last place");
}

#[test]
fn defaults_are_pytorchs() {
    for case in list(&read("optim")["defaults"]) {
        let params = vec![vec![Parameter::new(Tensor::zeros(1))]];
        let made = optimizer(text(&case["optimizer"]), params, &json!({}), &[&json!({})]);
        let state = made.state_dict();
        let group = &state.get("param_groups").and_then(State::as_list).unwrap()[0];
        let mut expected = case["defaults"].clone();
        expected["params"] = json!([0]);
        check_state(text(&case["optimizer"]), group, &expected, &[], NEAR);
    }
}
