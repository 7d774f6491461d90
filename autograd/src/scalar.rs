//! The smallest value on the tape: an `f64`. The engine's tests and the micrograd example run on it.

use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::Arc;

use crate::{BackwardOptions, Differentiable, Node, Value, backward, needs_grad, op};

/// A number that remembers how it was computed.
///
/// ```
/// use taper_autograd::scalar::Scalar;
/// let x = Scalar::leaf(2.0);
/// let y = (&x * &x + 3.0).ln();
/// y.backward();
/// assert_eq!(x.grad().unwrap().item(), 4.0 / 7.0);
/// ```
#[derive(Clone)]
pub struct Scalar {
    value: f64,
    node: Option<Arc<Node<Scalar>>>,
}

/// The meta of a [`Scalar`]: all are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalarMeta;

impl fmt::Display for ScalarMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("f64")
    }
}

impl Value for Scalar {
    type Meta = ScalarMeta;
    fn node(&self) -> Option<&Arc<Node<Self>>> {
        self.node.as_ref()
    }
    fn with_node(self, node: Option<Arc<Node<Self>>>) -> Self {
        Scalar { value: self.value, node }
    }
    fn meta(&self) -> ScalarMeta {
        ScalarMeta
    }
    fn add(&self, other: &Self) -> Self {
        self + other
    }
    fn accumulate(self, other: &Self) -> Self {
        Scalar::new(self.value + other.value)
    }
    fn fit(self, _: &ScalarMeta) -> Self {
        self
    }
    fn zeros(_: &ScalarMeta) -> Self {
        Scalar::new(0.0)
    }
    fn ones(_: &ScalarMeta) -> Self {
        Scalar::new(1.0)
    }
    fn is_scalar(&self) -> bool {
        true
    }
    fn has_nan(&self) -> bool {
        self.value.is_nan()
    }
}

impl Differentiable for Scalar {
    fn to_f64s(&self) -> Vec<f64> {
        vec![self.value]
    }
    fn from_f64s_like(&self, elements: &[f64]) -> Self {
        Scalar::new(elements[0])
    }
}

impl Scalar {
    /// A constant.
    pub fn new(value: f64) -> Self {
        Scalar { value, node: None }
    }

    /// A number that collects a gradient.
    #[track_caller]
    pub fn leaf(value: f64) -> Self {
        Scalar { value, node: Some(Node::leaf(ScalarMeta)) }
    }

    /// The number itself.
    pub fn item(&self) -> f64 {
        self.value
    }

    /// Changes the number. Values computed from it before keep what they were computed from.
    ///
    /// # Panics
    /// If it requires grad and grad mode is on.
    #[track_caller]
    pub fn set(&mut self, value: f64) {
        assert!(!needs_grad(self), "set: a value that requires grad can be changed only under no_grad");
        self.value = value;
    }

    /// The same number off the tape.
    pub fn detach(&self) -> Self {
        Scalar::new(self.value)
    }

    /// Whether a gradient can flow here.
    pub fn requires_grad(&self) -> bool {
        self.node.is_some()
    }

    /// The gradient that backwards have collected here.
    pub fn grad(&self) -> Option<Scalar> {
        self.node.as_ref()?.grad()
    }

    /// Forgets the gradient.
    pub fn zero_grad(&self) {
        if let Some(node) = &self.node {
            node.zero_grad();
        }
    }

    /// Adds the gradient of this number to every leaf it was computed from; see [`backward`].
    #[track_caller]
    pub fn backward(&self) {
        backward(self, None, BackwardOptions::default());
    }

    /// `selfᵉ` for a constant exponent.
    #[track_caller]
    pub fn powf(&self, exponent: f64) -> Scalar {
        op("powf", Scalar::new(self.value.powf(exponent)))
            .wrt(self, || {
                let x = self.clone();
                move |g| g * (x.powf(exponent - 1.0) * exponent)
            })
            .done()
    }

    /// `max(self, 0)`, with derivative 0 at 0.
    #[track_caller]
    pub fn relu(&self) -> Scalar {
        let slope = f64::from(self.value > 0.0);
        op("relu", Scalar::new(self.value.max(0.0))).wrt(self, || move |g| g * slope).done()
    }

    /// `1/(1 + e^-x)`.
    #[track_caller]
    pub fn sigmoid(&self) -> Scalar {
        op("sigmoid", Scalar::new(1.0 / (1.0 + (-self.value).exp())))
            .wrt_y(self, || |g, y| g * (y * (1.0 - y)))
            .done()
    }

    /// `eˣ`.
    #[track_caller]
    pub fn exp(&self) -> Scalar {
        op("exp", Scalar::new(self.value.exp())).wrt_y(self, || |g, y| g * y).done()
    }

    /// The natural logarithm.
    #[track_caller]
    pub fn ln(&self) -> Scalar {
        op("ln", Scalar::new(self.value.ln()))
            .wrt(self, || {
                let x = self.clone();
                move |g| g / &x
            })
            .done()
    }

    /// The hyperbolic tangent.
    #[track_caller]
    pub fn tanh(&self) -> Scalar {
        op("tanh", Scalar::new(self.value.tanh())).wrt_y(self, || |g, y| g * (1.0 - y * y)).done()
    }
}

#[track_caller]
fn add(a: &Scalar, b: &Scalar) -> Scalar {
    op("add", Scalar::new(a.value + b.value)).wrt_same(a).wrt_same(b).done()
}

#[track_caller]
fn sub(a: &Scalar, b: &Scalar) -> Scalar {
    op("sub", Scalar::new(a.value - b.value)).wrt_same(a).wrt(b, || |g| -g).done()
}

#[track_caller]
fn mul(a: &Scalar, b: &Scalar) -> Scalar {
    op("mul", Scalar::new(a.value * b.value))
        .wrt(a, || {
            let b = b.clone();
            move |g| g * &b
        })
        .wrt(b, || {
            let a = a.clone();
            move |g| g * &a
        })
        .done()
}

#[track_caller]
fn div(a: &Scalar, b: &Scalar) -> Scalar {
    op("div", Scalar::new(a.value / b.value))
        .wrt(a, || {
            let b = b.clone();
            move |g| g / &b
        })
        .wrt_y(b, || {
            let b = b.clone();
            move |g, y| -(g * y / &b)
        })
        .done()
}

/// An operator for every mix of values, references and plain numbers.
macro_rules! operator {
    ($trait:ident, $name:ident) => {
        operator!(@ $trait, $name, Scalar, Scalar, |a, b| (&a, &b));
        operator!(@ $trait, $name, Scalar, &Scalar, |a, b| (&a, b));
        operator!(@ $trait, $name, &Scalar, Scalar, |a, b| (a, &b));
        operator!(@ $trait, $name, &Scalar, &Scalar, |a, b| (a, b));
        operator!(@ $trait, $name, Scalar, f64, |a, b| (&a, &Scalar::new(b)));
        operator!(@ $trait, $name, &Scalar, f64, |a, b| (a, &Scalar::new(b)));
        operator!(@ $trait, $name, f64, Scalar, |a, b| (&Scalar::new(a), &b));
        operator!(@ $trait, $name, f64, &Scalar, |a, b| (&Scalar::new(a), b));
    };
    (@ $trait:ident, $name:ident, $lhs:ty, $rhs:ty, |$a:ident, $b:ident| ($x:expr, $y:expr)) => {
        impl $trait<$rhs> for $lhs {
            type Output = Scalar;
            #[track_caller]
            fn $name(self, other: $rhs) -> Scalar {
                let ($a, $b) = (self, other);
                $name($x, $y)
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl Neg for &Scalar {
    type Output = Scalar;
    #[track_caller]
    fn neg(self) -> Scalar {
        op("neg", Scalar::new(-self.value)).wrt(self, || |g| -g).done()
    }
}

impl Neg for Scalar {
    type Output = Scalar;
    #[track_caller]
    fn neg(self) -> Scalar {
        -&self
    }
}

impl std::iter::Sum for Scalar {
    #[track_caller]
    fn sum<I: Iterator<Item = Scalar>>(mut iter: I) -> Scalar {
        let first = iter.next().unwrap_or(Scalar::new(0.0));
        iter.fold(first, |a, b| a + b)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Some(node) => write!(f, "Scalar({}, {node:?})", self.value),
            None => write!(f, "Scalar({})", self.value),
        }
    }
}
