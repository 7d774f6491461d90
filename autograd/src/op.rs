//! The builder that puts an op on the tape.

use std::panic::Location;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::node::Inputs;
use crate::rule::{Joint, Recorded, Rule, Rules};
use crate::{Node, Value, is_grad_enabled};

/// Whether an op on `input` would be recorded now: grad mode is on and `input` requires grad.
#[inline]
pub fn needs_grad<V: Value>(input: &V) -> bool {
    input.node().is_some() && is_grad_enabled()
}

/// An op under construction: its value, and a rule for each input that may need a gradient. Made by [`op`].
#[must_use = "finish the op with `done()`"]
pub struct Op<V: Value> {
    name: &'static str,
    location: &'static Location<'static>,
    value: V,
    recording: bool,
    keeps_output: bool,
    inputs: Inputs<V>,
    rules: SmallVec<[Rule<V>; 2]>,
}

/// Declares the op `name` that computed `value` (untracked). The location is the caller's, so an op should be
/// `#[track_caller]`, as every function between it and the user's line.
///
/// The closure given to [`wrt`](Op::wrt) runs at once, and only if that input needs a gradient: it saves what the
/// derivative needs and returns the rule. The rule works with tracked ops, so it can be differentiated again; the
/// engine sums gradients and un-broadcasts them.
///
/// ```
/// use taper_autograd::{op, scalar::Scalar};
///
/// #[track_caller]
/// fn hypot(a: &Scalar, b: &Scalar) -> Scalar {
///     op("hypot", Scalar::new(a.item().hypot(b.item())))
///         .wrt_y(a, || { let a = a.clone(); move |g, y| g * &a / y })
///         .wrt_y(b, || { let b = b.clone(); move |g, y| g * &b / y })
///         .done()
/// }
///
/// let (a, b) = (Scalar::leaf(3.0), Scalar::leaf(4.0));
/// hypot(&a, &b).backward();
/// assert_eq!(a.grad().unwrap().item(), 0.6);
/// ```
#[inline(always)]
#[track_caller]
pub fn op<V: Value>(name: &'static str, value: V) -> Op<V> {
    op_at(name, value, Location::caller())
}

/// [`op`] with the user's line given, for wrappers that cannot pass it on by `#[track_caller]`.
#[inline(always)]
pub fn op_at<V: Value>(name: &'static str, value: V, location: &'static Location<'static>) -> Op<V> {
    let recording = is_grad_enabled();
    Op {
        name,
        location,
        value,
        recording,
        keeps_output: false,
        inputs: Inputs::new(),
        rules: SmallVec::new(),
    }
}

impl<V: Value> Op<V> {
    #[inline(always)]
    fn add(&mut self, input: &V, rule: impl FnOnce() -> Rule<V>) -> bool {
        let Some(node) = input.node().filter(|_| self.recording) else { return false };
        self.inputs.push(node.clone());
        self.rules.push(rule());
        true
    }

    /// The gradient with respect to `input`: `rule()` saves what is needed and gives `g ↦ gradient`.
    #[inline]
    pub fn wrt<F>(mut self, input: &V, rule: impl FnOnce() -> F) -> Self
    where
        F: Fn(&V) -> V + Send + Sync + 'static,
    {
        self.add(input, || {
            let rule = rule();
            Rule::One(Box::new(move |g, _| rule(g)))
        });
        self
    }

    /// Like [`wrt`](Self::wrt) for a rule that uses the op's own output: `(g, y) ↦ gradient`.
    #[inline]
    pub fn wrt_y<F>(mut self, input: &V, rule: impl FnOnce() -> F) -> Self
    where
        F: Fn(&V, &V) -> V + Send + Sync + 'static,
    {
        self.keeps_output |= self.add(input, || {
            let rule = rule();
            Rule::One(Box::new(move |g, y| rule(g, y.expect("the output was kept"))))
        });
        self
    }

    /// The gradient of `input` is that of the output, as for a term of a sum; no closure is stored.
    #[inline(always)]
    pub fn wrt_same(mut self, input: &V) -> Self {
        self.add(input, || Rule::Pass);
        self
    }

    /// One rule for several inputs: `(g, needs) ↦ gradients`. `needs[i]` says whether the gradient of `inputs[i]` is
    /// asked for; the rule returns one entry per input, `None` where it was not asked for or is zero.
    #[inline]
    pub fn wrt_all<F>(mut self, inputs: &[&V], rule: impl FnOnce() -> F) -> Self
    where
        F: Fn(&V, &[bool]) -> Vec<Option<V>> + Send + Sync + 'static,
    {
        self.add_joint(inputs, || {
            let rule = rule();
            Box::new(move |g, _, needs| rule(g, needs))
        });
        self
    }

    /// Like [`wrt_all`](Self::wrt_all) for a rule that uses the op's own output: `(g, y, needs) ↦ gradients`.
    #[inline]
    pub fn wrt_all_y<F>(mut self, inputs: &[&V], rule: impl FnOnce() -> F) -> Self
    where
        F: Fn(&V, &V, &[bool]) -> Vec<Option<V>> + Send + Sync + 'static,
    {
        self.keeps_output |= self.add_joint(inputs, || {
            let rule = rule();
            Box::new(move |g, y, needs| rule(g, y.expect("the output was kept"), needs))
        });
        self
    }

    fn add_joint(&mut self, inputs: &[&V], rule: impl FnOnce() -> Box<crate::rule::JointFn<V>>) -> bool {
        if !self.recording || inputs.iter().all(|x| x.node().is_none()) {
            return false;
        }
        let tracked = inputs.iter().map(|x| x.node().is_some()).collect();
        self.inputs.extend(inputs.iter().filter_map(|x| x.node().cloned()));
        self.rules.push(Rule::Joint(Box::new(Joint { tracked, rule: rule() })));
        true
    }

    /// States that the op has no derivative in `input`.
    ///
    /// # Panics
    /// If `input` requires grad and grad mode is on: a gradient is never dropped silently.
    #[inline]
    #[track_caller]
    pub fn no_rule(self, input: &V) -> Self {
        if self.recording && input.node().is_some() {
            panic!(
                "`{}` has no derivative, but its input ({}) requires grad; detach the input or use no_grad",
                self.name,
                input.meta()
            );
        }
        self
    }

    /// The value, recorded if any input needs a gradient.
    #[inline]
    pub fn done(self) -> V {
        if self.inputs.is_empty() {
            return self.value;
        }
        // The value came from untracked work; a clone of it is the detached output.
        let output = self.keeps_output.then(|| Box::new(self.value.clone().with_node(None)));
        let rules = Recorded::Owned(Rules { list: self.rules, output });
        let node = Node::new(self.name, self.location, self.value.meta(), self.inputs, rules);
        self.value.with_node(Some(Arc::new(node)))
    }
}
