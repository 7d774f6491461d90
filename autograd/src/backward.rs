//! The walk: highest sequence number first, so every gradient is complete when its node is reached.

use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet, btree_map::Entry};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::node::{lock, sum};
use crate::rule::{Joint, Rule};
use crate::{BackwardError, Node, Value, is_anomaly_enabled, set_grad_enabled};

/// How a backward treats the graph. The default frees it and records nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackwardOptions {
    /// Keep what ops saved, so that another backward can go through.
    pub retain_graph: bool,
    /// Record the backward itself, for higher derivatives; implies `retain_graph`.
    pub create_graph: bool,
}

/// Computes the gradient of `root` and adds it to `.grad` of every leaf it depends on (`Tensor.backward`).
///
/// Without a seed, `root` must have exactly one element and the seed is one.
///
/// With `create_graph` a leaf's gradient may own the leaf in turn; [`Node::zero_grad`] (or [`grad`](crate::grad()))
/// breaks that circle, as in PyTorch.
///
/// # Panics
/// At the caller's line, with a [`BackwardError`].
#[track_caller]
pub fn backward<V: Value>(root: &V, seed: Option<V>, options: BackwardOptions) {
    if let Err(error) = try_backward(root, seed, options) {
        panic!("{error}");
    }
}

/// [`backward`] that returns its error.
pub fn try_backward<V: Value>(
    root: &V,
    seed: Option<V>,
    options: BackwardOptions,
) -> Result<(), BackwardError> {
    try_backward_all(std::slice::from_ref(root), &[seed], options)
}

/// [`backward`] from several roots at once, each with its seed (`torch.autograd.backward`).
///
/// # Panics
/// At the caller's line, with a [`BackwardError`].
#[track_caller]
pub fn backward_all<V: Value>(roots: &[V], seeds: &[Option<V>], options: BackwardOptions) {
    if let Err(error) = try_backward_all(roots, seeds, options) {
        panic!("{error}");
    }
}

/// [`backward_all`] that returns its error.
pub fn try_backward_all<V: Value>(
    roots: &[V],
    seeds: &[Option<V>],
    options: BackwardOptions,
) -> Result<(), BackwardError> {
    let mut walk = Walk::new(options, None);
    walk.start(roots, seeds)?;
    walk.run()
}

/// What [`grad`](crate::grad()) adds to a walk.
pub(crate) struct Targets<V> {
    /// Where in `found` the gradient of a node goes.
    pub slots: HashMap<u64, SmallVec<[usize; 1]>>,
    /// The nodes from which a target can be reached.
    pub reaching: HashSet<u64>,
    pub found: Vec<Option<V>>,
}

pub(crate) struct Walk<V: Value> {
    options: BackwardOptions,
    anomaly: bool,
    pub targets: Option<Targets<V>>,
    /// The newest node that waits, apart from the others: a chain needs no tree.
    newest: Option<Pending<V>>,
    pending: BTreeMap<u64, Pending<V>>,
}

struct Pending<V: Value> {
    node: Arc<Node<V>>,
    /// Absent only inside `push`, while it is added to.
    grad: Option<V>,
}

impl<V: Value> Walk<V> {
    pub fn new(options: BackwardOptions, targets: Option<Targets<V>>) -> Self {
        Walk { options, anomaly: is_anomaly_enabled(), targets, newest: None, pending: BTreeMap::new() }
    }

    pub fn start(&mut self, roots: &[V], seeds: &[Option<V>]) -> Result<(), BackwardError> {
        if roots.len() != seeds.len() {
            return Err(BackwardError::SeedCount { roots: roots.len(), seeds: seeds.len() });
        }
        let _mode = set_grad_enabled(self.options.create_graph);
        for (i, (root, seed)) in roots.iter().zip(seeds).enumerate() {
            let node = root.node().ok_or(BackwardError::NoGrad)?;
            let seed = match seed {
                Some(seed) => seed.clone(),
                None if root.is_scalar() => V::ones(node.meta()),
                None => return Err(BackwardError::NotScalar { meta: node.meta().to_string() }),
            };
            check_meta(&seed, node, || format!("the seed gradient of output {i}"))?;
            self.push(node, seed);
        }
        Ok(())
    }

    pub fn run(&mut self) -> Result<(), BackwardError> {
        let _mode = set_grad_enabled(self.options.create_graph);
        while let Some(Pending { node, grad }) = self.pop() {
            let mut grad = grad.expect("present outside push");
            for hook in node.hooks() {
                if let Some(new) = guarded(&node, || hook(&grad))? {
                    check_meta(&new, &node, || {
                        format!("what a hook on `{}` ({}) returned", node.op(), node.location())
                    })?;
                    grad = self.settle(new);
                }
            }
            if node.retains_grad() {
                guarded(&node, || node.accumulate_grad(grad.clone()))?;
            }
            if self.capture(&node, &grad) {
                continue;
            }
            if node.is_leaf() {
                guarded(&node, || node.accumulate_grad(grad))?;
                continue;
            }
            self.apply(&node, grad)?;
        }
        Ok(())
    }

    /// Keeps the gradient if it was asked for; true if the walk needs to go no further from here.
    fn capture(&mut self, node: &Node<V>, grad: &V) -> bool {
        let Some(targets) = &mut self.targets else { return false };
        for &slot in targets.slots.get(&node.seq()).into_iter().flatten() {
            targets.found[slot] = Some(grad.clone());
        }
        !node.inputs().iter().any(|input| targets.reaching.contains(&input.seq()))
    }

    /// Runs the rules of `node` and hands each input its gradient.
    fn apply(&mut self, node: &Arc<Node<V>>, grad: V) -> Result<(), BackwardError> {
        let keep = self.options.retain_graph || self.options.create_graph;
        let rules = lock(&node.recorded).lend(keep);
        let Some(rules) = rules else {
            return Err(BackwardError::Freed { op: node.op(), location: node.location() });
        };
        let output = rules.output(node, self.options.create_graph);
        let mut next = 0;
        for (i, rule) in rules.list.iter().enumerate() {
            let first = next;
            match rule {
                Rule::Pass => {
                    next += 1;
                    if self.wants(&node.inputs[first]) {
                        if i + 1 == rules.list.len() {
                            return self.deliver(node, first, || grad);
                        }
                        self.deliver(node, first, || grad.clone())?;
                    }
                }
                Rule::One(rule) => {
                    next += 1;
                    if self.wants(&node.inputs[first]) {
                        self.deliver(node, first, || rule(&grad, output.as_ref()))?;
                    }
                }
                Rule::Joint(joint) => {
                    next += joint.tracked.iter().filter(|&&t| t).count();
                    self.apply_joint(node, joint, first, &grad, output.as_ref())?;
                }
            }
        }
        Ok(())
    }

    fn apply_joint(
        &mut self,
        node: &Arc<Node<V>>,
        joint: &Joint<V>,
        first: usize,
        grad: &V,
        output: Option<&V>,
    ) -> Result<(), BackwardError> {
        let mut inputs = node.inputs[first..].iter();
        let needs: SmallVec<[bool; 4]> =
            joint.tracked.iter().map(|&t| t && inputs.next().is_some_and(|i| self.wants(i))).collect();
        if !needs.contains(&true) {
            return Ok(());
        }
        let grads = guarded(node, || (joint.rule)(grad, output, &needs))?;
        if grads.len() != needs.len() {
            let message = format!("the rule gave {} gradients for {} inputs", grads.len(), needs.len());
            return Err(BackwardError::Rule { op: node.op(), location: node.location(), message });
        }
        let mut input = first;
        for ((tracked, need), grad) in joint.tracked.iter().zip(&needs).zip(grads) {
            if let (true, Some(grad)) = (*need, grad) {
                self.deliver(node, input, || grad)?;
            }
            input += usize::from(*tracked);
        }
        Ok(())
    }

    fn wants(&self, node: &Node<V>) -> bool {
        self.targets.as_ref().is_none_or(|t| t.reaching.contains(&node.seq()))
    }

    fn deliver(
        &mut self,
        node: &Arc<Node<V>>,
        input: usize,
        grad: impl FnOnce() -> V,
    ) -> Result<(), BackwardError> {
        guarded(node, || {
            let to = &node.inputs[input];
            let grad = grad().fit(to.meta());
            debug_assert_eq!(grad.meta(), *to.meta(), "`fit` left a gradient that does not fit");
            if self.anomaly && grad.has_nan() {
                return Err(BackwardError::Nan { op: node.op(), location: node.location(), input });
            }
            self.push(to, grad);
            Ok(())
        })?
    }

    /// A rule may hand out a saved value as it is; unless it is recorded, a gradient is not on the tape.
    fn settle(&self, grad: V) -> V {
        if self.options.create_graph || grad.node().is_none() { grad } else { grad.with_node(None) }
    }

    fn pop(&mut self) -> Option<Pending<V>> {
        self.newest.take().or_else(|| Some(self.pending.pop_last()?.1))
    }

    fn push(&mut self, to: &Arc<Node<V>>, grad: V) {
        let grad = self.settle(grad);
        let seq = to.seq();
        let newest = match &self.newest {
            Some(newest) => Some(newest.node.seq()),
            None => self.pending.last_key_value().map(|(&seq, _)| seq),
        };
        let new = |grad| Pending { node: to.clone(), grad: Some(grad) };
        if newest.is_none_or(|newest| seq > newest) {
            if let Some(old) = self.newest.replace(new(grad)) {
                self.pending.insert(old.node.seq(), old);
            }
            return;
        }
        let waiting = match &mut self.newest {
            Some(pending) if newest == Some(seq) => pending,
            _ => match self.pending.entry(seq) {
                Entry::Vacant(entry) => {
                    entry.insert(new(grad));
                    return;
                }
                Entry::Occupied(entry) => entry.into_mut(),
            },
        };
        let old = waiting.grad.take().expect("present outside push");
        waiting.grad = Some(sum(old, &grad));
    }
}

fn check_meta<V: Value>(
    grad: &V,
    node: &Node<V>,
    what: impl FnOnce() -> String,
) -> Result<(), BackwardError> {
    let given = grad.meta();
    if given == *node.meta() {
        return Ok(());
    }
    let (given, wanted) = (given.to_string(), node.meta().to_string());
    Err(BackwardError::Mismatch { what: what(), given, wanted })
}

/// Runs code that belongs to the op of `node`; a panic in it comes back with the op's name and line.
fn guarded<V: Value, R>(node: &Node<V>, f: impl FnOnce() -> R) -> Result<R, BackwardError> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let Some(message) = message_of(&*payload) else { resume_unwind(payload) };
        BackwardError::Rule { op: node.op(), location: node.location(), message }
    })
}

fn message_of(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<&str>().map(|s| s.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}
