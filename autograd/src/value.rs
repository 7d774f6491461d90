use std::fmt::{Debug, Display};
use std::sync::Arc;

use crate::Node;

/// What the engine asks of a value that can flow on the tape.
///
/// A value carries its place on the tape (a [`Node`]) with it; everything else here says how gradients of that
/// type add up and how a gradient is made to fit the input it belongs to. See [`Scalar`](crate::scalar::Scalar)
/// for the smallest implementation.
pub trait Value: Clone + Send + Sync + 'static {
    /// What a gradient must agree with: shape, dtype, device. Shown by [`Tape::trace`](crate::Tape::trace).
    type Meta: Clone + PartialEq + Send + Sync + Debug + Display + 'static;

    /// The place on the tape, `None` for a constant.
    fn node(&self) -> Option<&Arc<Node<Self>>>;

    /// The same value at another place on the tape; `None` detaches it.
    fn with_node(self, node: Option<Arc<Node<Self>>>) -> Self;

    /// What a gradient of this value must agree with.
    fn meta(&self) -> Self::Meta;

    /// The tracked sum, used to add gradients while `create_graph` records them.
    fn add(&self, other: &Self) -> Self;

    /// The sum of two gradients that nobody tracks; it may reuse the storage of `self`.
    fn accumulate(self, other: &Self) -> Self {
        self.add(other)
    }

    /// Makes a gradient agree with `meta`: sums what broadcasting repeated, casts. Tracked; the identity when it
    /// agrees already.
    fn fit(self, meta: &Self::Meta) -> Self;

    /// All zeros.
    fn zeros(meta: &Self::Meta) -> Self;

    /// All ones: the seed of a `backward` that was given none.
    fn ones(meta: &Self::Meta) -> Self;

    /// Whether `backward` may start here without a seed: exactly one element.
    fn is_scalar(&self) -> bool;

    /// Whether any element is NaN; asked only while [`detect_anomaly`](crate::detect_anomaly) is on.
    fn has_nan(&self) -> bool {
        false
    }
}
