//! A naive n-dimensional f64 array: the independent truth that operations are compared with. Slow and
//! plain on purpose; it shares no code with taper.

/// Shape and row-major elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

/// Every index of a shape, row-major.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &n in shape {
        all = all.into_iter().flat_map(|i| (0..n).map(move |j| [&i[..], &[j]].concat())).collect();
    }
    all
}

impl Array {
    pub fn from_fn(shape: &[usize], f: impl FnMut(&[usize]) -> f64) -> Array {
        let mut f = f;
        Array { shape: shape.to_vec(), data: indices(shape).iter().map(|i| f(i)).collect() }
    }

    pub fn scalar(v: f64) -> Array {
        Array { shape: vec![], data: vec![v] }
    }

    pub fn at(&self, index: &[usize]) -> f64 {
        assert_eq!(index.len(), self.shape.len());
        let flat = index.iter().zip(&self.shape).fold(0, |flat, (&i, &n)| {
            assert!(i < n, "index {index:?} of {:?}", self.shape);
            flat * n + i
        });
        self.data[flat]
    }

    /// At an index of a larger shape this one is broadcast to.
    pub fn broadcast_at(&self, index: &[usize]) -> f64 {
        let tail = &index[index.len() - self.shape.len()..];
        let own: Vec<usize> =
            tail.iter().zip(&self.shape).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
        self.at(&own)
    }

    pub fn map(&self, f: impl Fn(f64) -> f64) -> Array {
        Array { shape: self.shape.clone(), data: self.data.iter().map(|&v| f(v)).collect() }
    }

    pub fn zip(&self, other: &Array, f: impl Fn(f64, f64) -> f64) -> Array {
        let shape = broadcast(&self.shape, &other.shape);
        Array::from_fn(&shape, |i| f(self.broadcast_at(i), other.broadcast_at(i)))
    }

    pub fn reshape(&self, shape: &[usize]) -> Array {
        assert_eq!(shape.iter().product::<usize>(), self.data.len());
        Array { shape: shape.to_vec(), data: self.data.clone() }
    }

    pub fn permute(&self, dims: &[usize]) -> Array {
        let shape: Vec<usize> = dims.iter().map(|&d| self.shape[d]).collect();
        Array::from_fn(&shape, |i| {
            let mut own = vec![0; i.len()];
            dims.iter().zip(i).for_each(|(&d, &v)| own[d] = v);
            self.at(&own)
        })
    }

    /// The lines along some dimensions (all of them for an empty list), each put through `f`; the
    /// dimensions go away or become 1.
    pub fn reduce(&self, dims: &[usize], keepdim: bool, f: impl Fn(&[f64]) -> f64) -> Array {
        let all: Vec<usize> = (0..self.shape.len()).collect();
        let dims = if dims.is_empty() { &all[..] } else { dims };
        let kept: Vec<usize> =
            self.shape.iter().enumerate().map(|(d, &n)| if dims.contains(&d) { 1 } else { n }).collect();
        let inner: Vec<usize> = dims.iter().map(|&d| self.shape[d]).collect();
        let out = Array::from_fn(&kept, |i| {
            let line: Vec<f64> = indices(&inner)
                .iter()
                .map(|j| {
                    let mut own = i.to_vec();
                    dims.iter().zip(j).for_each(|(&d, &v)| own[d] = v);
                    self.at(&own)
                })
                .collect();
            f(&line)
        });
        if keepdim {
            return out;
        }
        let gone: Vec<usize> =
            self.shape.iter().enumerate().filter(|(d, _)| !dims.contains(d)).map(|(_, &n)| n).collect();
        out.reshape(&gone)
    }

    /// Each line along a dimension replaced by as many or another number of elements.
    pub fn along(&self, dim: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Array {
        let mut order: Vec<usize> = (0..self.shape.len()).filter(|&d| d != dim).collect();
        order.push(dim);
        let moved = self.permute(&order);
        let n = self.shape[dim];
        let lines: usize = moved.shape[..moved.shape.len() - 1].iter().product();
        let made: Vec<Vec<f64>> = (0..lines).map(|l| f(&moved.data[l * n..(l + 1) * n])).collect();
        let mut shape = moved.shape.clone();
        *shape.last_mut().unwrap() = made.first().map_or_else(|| f(&vec![0.0; n]).len(), Vec::len);
        let mut back = vec![0; order.len()];
        order.iter().enumerate().for_each(|(i, &d)| back[d] = i);
        Array { shape, data: made.concat() }.permute(&back)
    }

    /// Batched matrix product of arrays with at least two dimensions.
    pub fn matmul(&self, other: &Array) -> Array {
        let (a, b) = (&self.shape, &other.shape);
        let (m, k, n) = (a[a.len() - 2], a[a.len() - 1], b[b.len() - 1]);
        let batch = broadcast(&a[..a.len() - 2], &b[..b.len() - 2]);
        Array::from_fn(&[&batch[..], &[m, n]].concat(), |i| {
            let (lead, [r, c]) = (&i[..batch.len()], [i[batch.len()], i[batch.len() + 1]]);
            (0..k).map(|j| self.broadcast_tail(lead, r, j) * other.broadcast_tail(lead, j, c)).sum()
        })
    }

    fn broadcast_tail(&self, lead: &[usize], r: usize, c: usize) -> f64 {
        let own = self.shape.len() - 2;
        let tail = &lead[lead.len() - own..];
        let mut index: Vec<usize> =
            tail.iter().zip(&self.shape).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
        index.extend([r, c]);
        self.at(&index)
    }
}

pub fn broadcast(a: &[usize], b: &[usize]) -> Vec<usize> {
    let n = a.len().max(b.len());
    let at = |s: &[usize], i: usize| if i + s.len() >= n { s[i + s.len() - n] } else { 1 };
    (0..n).map(|i| if at(a, i) == 1 { at(b, i) } else { at(a, i) }).collect()
}
