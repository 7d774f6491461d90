//! Entries of the tape.

use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use smallvec::SmallVec;

use crate::Value;
use crate::is_grad_enabled;
use crate::rule::Recorded;

/// One entry of the tape: an op that ran, or a leaf that collects a gradient.
///
/// Nodes are owned by the values that need them; there is no registry. Each carries the next number of one global
/// sequence, so an op's number is always higher than those of its inputs.
pub struct Node<V: Value> {
    seq: u64,
    op: &'static str,
    location: &'static Location<'static>,
    meta: V::Meta,
    /// The inputs that need a gradient; empty for a leaf. They outlive the rules, so a graph that was freed can
    /// still be traced and searched.
    pub(crate) inputs: Inputs<V>,
    pub(crate) recorded: Mutex<Recorded<V>>,
    /// Made when first asked for: few op nodes have a hook or keep a gradient.
    pub(crate) extra: OnceLock<Box<Mutex<Extra<V>>>>,
}

pub(crate) type Inputs<V> = SmallVec<[Arc<Node<V>>; 2]>;
type Hook<V> = Arc<dyn Fn(&V) -> Option<V> + Send + Sync>;

pub(crate) struct Extra<V> {
    grad: Option<V>,
    keep_grad: bool,
    hooks: Vec<(u64, Hook<V>)>,
    next_hook: u64,
}

static SEQUENCE: AtomicU64 = AtomicU64::new(0);

/// A panic elsewhere must not spoil the tape: no invariant spans a lock here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V: Value> Node<V> {
    /// A leaf: where a walk ends and its gradient is kept.
    #[track_caller]
    pub fn leaf(meta: V::Meta) -> Arc<Self> {
        Arc::new(Self::new("leaf", Location::caller(), meta, Inputs::new(), Recorded::Freed))
    }

    #[inline]
    pub(crate) fn new(
        op: &'static str,
        location: &'static Location<'static>,
        meta: V::Meta,
        inputs: Inputs<V>,
        recorded: Recorded<V>,
    ) -> Self {
        let seq = SEQUENCE.fetch_add(1, Relaxed);
        Node { seq, op, location, meta, inputs, recorded: Mutex::new(recorded), extra: OnceLock::new() }
    }

    /// The place in the global order of creation.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The name of the op, `"leaf"` for a leaf.
    pub fn op(&self) -> &'static str {
        self.op
    }

    /// The line of the user's program that ran the op or made the leaf.
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// What a gradient here agrees with.
    pub fn meta(&self) -> &V::Meta {
        &self.meta
    }

    /// Whether this is a leaf: gradients end and are kept here.
    pub fn is_leaf(&self) -> bool {
        self.inputs.is_empty()
    }

    /// The nodes of the op's inputs that need a gradient.
    pub fn inputs(&self) -> &[Arc<Node<V>>] {
        &self.inputs
    }

    /// Whether a backward already used up the rules of this op.
    pub fn is_freed(&self) -> bool {
        !self.is_leaf() && matches!(*lock(&self.recorded), Recorded::Freed)
    }

    fn extra_mut(&self) -> MutexGuard<'_, Extra<V>> {
        lock(self.extra.get_or_init(|| {
            Box::new(Mutex::new(Extra { grad: None, keep_grad: false, hooks: Vec::new(), next_hook: 0 }))
        }))
    }

    fn existing_extra(&self) -> Option<MutexGuard<'_, Extra<V>>> {
        self.extra.get().map(|e| lock(e))
    }

    /// The gradient kept here: by a leaf, or by an op after [`retain_grad`](Self::retain_grad).
    pub fn grad(&self) -> Option<V> {
        self.existing_extra()?.grad.clone()
    }

    /// Replaces the gradient.
    pub fn set_grad(&self, grad: Option<V>) {
        // The old one is dropped after the lock is released: it may own much of a graph.
        let _old = std::mem::replace(&mut self.extra_mut().grad, grad);
    }

    /// Forgets the gradient.
    pub fn zero_grad(&self) {
        let _old = self.existing_extra().and_then(|mut e| e.grad.take());
    }

    /// Makes an op keep its gradient in [`grad`](Self::grad), as leaves always do (`Tensor.retain_grad`).
    pub fn retain_grad(&self) {
        self.extra_mut().keep_grad = true;
    }

    /// Whether the gradient is kept though this is no leaf.
    pub fn retains_grad(&self) -> bool {
        !self.is_leaf() && self.existing_extra().is_some_and(|e| e.keep_grad)
    }

    /// Runs `hook` on the complete gradient of this node before anything uses it; what it returns, if anything,
    /// takes the gradient's place. Hooks run in the order of registration, each on what the one before left.
    ///
    /// The hook stays until [`HookHandle::remove`]; dropping the handle does not remove it (as in PyTorch).
    pub fn register_hook(
        self: &Arc<Self>,
        hook: impl Fn(&V) -> Option<V> + Send + Sync + 'static,
    ) -> HookHandle<V> {
        let mut extra = self.extra_mut();
        let id = extra.next_hook;
        extra.next_hook += 1;
        extra.hooks.push((id, Arc::new(hook)));
        HookHandle { node: Arc::downgrade(self), id }
    }

    /// The hooks of this moment: they run without a lock, so one may register or remove another.
    pub(crate) fn hooks(&self) -> SmallVec<[Hook<V>; 2]> {
        self.existing_extra().map_or_else(SmallVec::new, |e| e.hooks.iter().map(|(_, h)| h.clone()).collect())
    }

    /// Adds to the gradient of a leaf. The sum is made outside the lock: an `add` that works in a thread pool may
    /// come back here, on this thread, for another backward.
    pub(crate) fn accumulate_grad(&self, mut grad: V) {
        loop {
            let mut extra = self.extra_mut();
            let Some(old) = extra.grad.take() else {
                extra.grad = Some(grad);
                return;
            };
            drop(extra);
            grad = sum(old, &grad);
        }
    }
}

/// Adds two gradients: recorded under `create_graph`, else in place where possible.
pub(crate) fn sum<V: Value>(old: V, new: &V) -> V {
    if is_grad_enabled() { old.add(new) } else { old.accumulate(new) }
}

/// Removes a hook; see [`Node::register_hook`].
pub struct HookHandle<V: Value> {
    node: Weak<Node<V>>,
    id: u64,
}

impl<V: Value> HookHandle<V> {
    /// Removes the hook; a second call does nothing.
    pub fn remove(&self) {
        let Some(node) = self.node.upgrade() else { return };
        let mut extra = node.extra_mut();
        let found = extra.hooks.iter().position(|(id, _)| *id == self.id);
        let removed = found.map(|i| extra.hooks.remove(i));
        drop(extra);
        drop(removed);
    }
}

impl<V: Value> std::fmt::Debug for Node<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "%{} {} {} ({})", self.seq, self.op, self.meta, self.location)
    }
}
