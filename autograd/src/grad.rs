//! Gradients as return values.

use std::collections::{BTreeMap, HashMap, HashSet};

use smallvec::SmallVec;

use crate::backward::{Targets, Walk};
use crate::{BackwardError, BackwardOptions, Node, Value};

/// The gradients of `outputs` with respect to `inputs`, which need not be leaves (`torch.autograd.grad`).
///
/// Leaves' `.grad` is never touched, and only rules on a way from an output to an input run. `grad_outputs` gives a
/// seed per output; without it each output must have exactly one element. An input that no output depends on is an
/// error, or `None` with `allow_unused`.
///
/// ```
/// use taper_autograd::{grad, scalar::Scalar};
/// let x = Scalar::leaf(3.0);
/// let y = &x * &x * &x;
/// let d1 = grad(&[y], &[x.clone()], None, false, true, false).remove(0).unwrap();
/// let d2 = grad(&[d1.clone()], &[x.clone()], None, false, false, false).remove(0).unwrap();
/// assert_eq!((d1.item(), d2.item()), (27.0, 18.0));
/// assert!(x.grad().is_none());
/// ```
///
/// # Panics
/// At the caller's line, with a [`BackwardError`].
#[track_caller]
pub fn grad<V: Value>(
    outputs: &[V],
    inputs: &[V],
    grad_outputs: Option<&[V]>,
    retain_graph: bool,
    create_graph: bool,
    allow_unused: bool,
) -> Vec<Option<V>> {
    let options = BackwardOptions { retain_graph, create_graph };
    match try_grad(outputs, inputs, grad_outputs, options, allow_unused) {
        Ok(grads) => grads,
        Err(error) => panic!("{error}"),
    }
}

/// [`grad()`] that returns its error.
pub fn try_grad<V: Value>(
    outputs: &[V],
    inputs: &[V],
    grad_outputs: Option<&[V]>,
    options: BackwardOptions,
    allow_unused: bool,
) -> Result<Vec<Option<V>>, BackwardError> {
    let mut slots: HashMap<u64, SmallVec<[usize; 1]>> = HashMap::new();
    for (index, input) in inputs.iter().enumerate() {
        let node = input.node().ok_or(BackwardError::InputNoGrad { index })?;
        slots.entry(node.seq()).or_default().push(index);
    }
    let reaching = reaching(outputs, &slots);
    let targets = Targets { slots, reaching, found: vec![None; inputs.len()] };
    let seeds: Vec<_> = match grad_outputs {
        Some(seeds) => seeds.iter().cloned().map(Some).collect(),
        None => vec![None; outputs.len()],
    };
    let mut walk = Walk::new(options, Some(targets));
    walk.start(outputs, &seeds)?;
    walk.run()?;
    let found = walk.targets.take().map_or_else(Vec::new, |t| t.found);
    match found.iter().position(Option::is_none) {
        Some(index) if !allow_unused => Err(BackwardError::Unused { index }),
        _ => Ok(found),
    }
}

/// The nodes below `outputs` from which a target can be reached, targets included.
fn reaching<V: Value>(outputs: &[V], targets: &HashMap<u64, SmallVec<[usize; 1]>>) -> HashSet<u64> {
    let lowest = targets.keys().min().copied().unwrap_or(u64::MAX);
    let mut seen: BTreeMap<u64, &Node<V>> = BTreeMap::new();
    let mut stack: Vec<&Node<V>> = outputs.iter().filter_map(|o| o.node().map(|n| &**n)).collect();
    while let Some(node) = stack.pop() {
        // Inputs have lower numbers: nothing below the lowest target leads to one.
        if node.seq() >= lowest && seen.insert(node.seq(), node).is_none() {
            stack.extend(node.inputs().iter().map(|n| &**n));
        }
    }
    let mut reaching = HashSet::new();
    for (seq, node) in seen {
        if targets.contains_key(&seq) || node.inputs().iter().any(|n| reaching.contains(&n.seq())) {
            reaching.insert(seq);
        }
    }
    reaching
}
