//! A vector whose length-1 instances broadcast.

use std::sync::Arc;

use taper_autograd::{Differentiable, Node, Value, op};

#[derive(Clone)]
pub struct Vector {
    pub data: Arc<Vec<f64>>,
    node: Option<Arc<Node<Vector>>>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Len(pub usize);

impl std::fmt::Display for Len {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

impl Value for Vector {
    type Meta = Len;
    fn node(&self) -> Option<&Arc<Node<Self>>> {
        self.node.as_ref()
    }
    fn with_node(self, node: Option<Arc<Node<Self>>>) -> Self {
        Vector { data: self.data, node }
    }
    fn meta(&self) -> Len {
        Len(self.data.len())
    }
    #[track_caller]
    fn add(&self, other: &Self) -> Self {
        op("add", self.zip(other, |a, b| a + b)).wrt_same(self).wrt_same(other).done()
    }
    fn accumulate(mut self, other: &Self) -> Self {
        let data = Arc::make_mut(&mut self.data);
        data.iter_mut().zip(other.data.iter()).for_each(|(a, b)| *a += b);
        self
    }
    fn fit(self, meta: &Len) -> Self {
        match (self.data.len(), meta.0) {
            (have, want) if have == want => self,
            (_, 1) => self.sum(),
            (have, want) => panic!("a gradient of length {have} does not fit {want}"),
        }
    }
    fn zeros(meta: &Len) -> Self {
        Vector::new(&vec![0.0; meta.0])
    }
    fn ones(meta: &Len) -> Self {
        Vector::new(&vec![1.0; meta.0])
    }
    fn is_scalar(&self) -> bool {
        self.data.len() == 1
    }
}

impl Differentiable for Vector {
    fn to_f64s(&self) -> Vec<f64> {
        self.data.to_vec()
    }
    fn from_f64s_like(&self, elements: &[f64]) -> Self {
        Vector::new(elements)
    }
}

impl Vector {
    pub fn new(data: &[f64]) -> Self {
        Vector { data: Arc::new(data.to_vec()), node: None }
    }

    #[track_caller]
    pub fn leaf(data: &[f64]) -> Self {
        Vector { data: Arc::new(data.to_vec()), node: Some(Node::leaf(Len(data.len()))) }
    }

    pub fn grad(&self) -> Option<Vec<f64>> {
        Some(self.node.as_ref()?.grad()?.data.to_vec())
    }

    pub fn zip(&self, other: &Vector, f: impl Fn(f64, f64) -> f64) -> Vector {
        let n = self.data.len().max(other.data.len());
        let at = |v: &Vector, i: usize| v.data[i % v.data.len()];
        let fits = |v: &Vector| v.data.len() == 1 || v.data.len() == n;
        assert!(fits(self) && fits(other), "lengths {} and {n} do not broadcast", self.data.len());
        Vector::new(&(0..n).map(|i| f(at(self, i), at(other, i))).collect::<Vec<_>>())
    }

    #[track_caller]
    pub fn mul(&self, other: &Vector) -> Vector {
        op("mul", self.zip(other, |a, b| a * b))
            .wrt(self, || {
                let other = other.clone();
                move |g| g.mul(&other)
            })
            .wrt(other, || {
                let this = self.clone();
                move |g| g.mul(&this)
            })
            .done()
    }

    #[track_caller]
    pub fn sum(&self) -> Vector {
        let n = self.data.len();
        op("sum", Vector::new(&[self.data.iter().sum()])).wrt(self, || move |g| g.expand(n)).done()
    }

    #[track_caller]
    pub fn expand(&self, n: usize) -> Vector {
        op("expand", Vector::new(&vec![self.data[0]; n])).wrt_same(self).done()
    }
}
