//! What an op leaves on the tape for the way back.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::{Node, Value};

/// The gradient of one input from the gradient of the output (and, for those that asked, the output itself).
pub(crate) type OneFn<V> = dyn Fn(&V, Option<&V>) -> V + Send + Sync;
/// The gradients of several inputs at once; the slice says which are wanted.
pub(crate) type JointFn<V> = dyn Fn(&V, Option<&V>, &[bool]) -> Vec<Option<V>> + Send + Sync;

/// A rule stands for the next one (`Pass`, `One`) or the next several (`Joint`) of its node's inputs.
pub(crate) enum Rule<V> {
    /// The gradient goes on as it is.
    Pass,
    One(Box<OneFn<V>>),
    Joint(Box<Joint<V>>),
}

pub(crate) struct Joint<V> {
    /// For each argument of the rule: whether it is among the node's inputs.
    pub tracked: SmallVec<[bool; 4]>,
    pub rule: Box<JointFn<V>>,
}

pub(crate) struct Rules<V> {
    pub list: SmallVec<[Rule<V>; 2]>,
    /// The op's own output, if a rule asked for it: detached, or the node would own itself. Boxed, since most
    /// nodes have none.
    pub output: Option<Box<V>>,
}

impl<V: Value> Rules<V> {
    /// The saved output as a rule should see it: on the tape again if what the rule does is recorded, so that
    /// second derivatives flow through it.
    pub fn output(&self, node: &Arc<Node<V>>, attach: bool) -> Option<V> {
        let output = V::clone(self.output.as_ref()?);
        Some(if attach { output.with_node(Some(node.clone())) } else { output })
    }
}

pub(crate) enum Recorded<V> {
    Owned(Rules<V>),
    /// After the first backward that kept the graph: several may then walk it at the same time.
    Shared(Arc<Rules<V>>),
    Freed,
}

/// Rules on loan to a walk.
pub(crate) enum Loan<V> {
    Taken(Rules<V>),
    Shared(Arc<Rules<V>>),
}

impl<V> std::ops::Deref for Loan<V> {
    type Target = Rules<V>;
    fn deref(&self) -> &Rules<V> {
        match self {
            Loan::Taken(rules) => rules,
            Loan::Shared(rules) => rules,
        }
    }
}

impl<V> Recorded<V> {
    /// The rules for one use; `keep` leaves them for another. `None` if they are gone.
    pub fn lend(&mut self, keep: bool) -> Option<Loan<V>> {
        match std::mem::replace(self, Recorded::Freed) {
            Recorded::Owned(rules) if !keep => Some(Loan::Taken(rules)),
            Recorded::Owned(rules) => Some(self.share(Arc::new(rules))),
            Recorded::Shared(rules) if keep => Some(self.share(rules)),
            Recorded::Shared(rules) => Some(Loan::Shared(rules)),
            Recorded::Freed => None,
        }
    }

    fn share(&mut self, rules: Arc<Rules<V>>) -> Loan<V> {
        *self = Recorded::Shared(rules.clone());
        Loan::Shared(rules)
    }
}
