//! Einstein's summation convention, lowered to permutations, sums and matrix products.

use crate::error::{Error, Result, ok};
use crate::tensor::Tensor;
use taper_kernels::{Dims, Layout, Strides};

/// Names an axis: a letter, or one of the axes an ellipsis stands for (counted from the last).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

/// One operand while it is contracted: every axis has a label, no label comes twice.
struct Term {
    x: Tensor,
    labels: Vec<Label>,
}

fn error(equation: &str, message: impl std::fmt::Display) -> Error {
    Error::shape("einsum", format!("{message} in {equation:?}"))
}

/// A subscript such as `b...ij` for a tensor whose ellipsis has `ellipsis` axes.
fn labels(equation: &str, subscript: &str, ellipsis: usize) -> Result<Vec<Label>> {
    let mut labels = Vec::new();
    let mut rest = subscript.trim();
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("...") {
            if labels.iter().any(|l| matches!(l, Label::Ellipsis(_))) || after.contains("...") {
                return Err(error(equation, format!("more than one ellipsis in {subscript:?}")));
            }
            labels.extend((0..ellipsis).rev().map(Label::Ellipsis));
            rest = after;
            continue;
        }
        match c {
            'a'..='z' | 'A'..='Z' => labels.push(Label::Letter(c)),
            ' ' => {}
            _ => {
                return Err(error(
                    equation,
                    format!("unexpected {c:?}: subscripts are letters and ..., found"),
                ));
            }
        }
        rest = &rest[c.len_utf8()..];
    }
    Ok(labels)
}

/// The axes of each operand and of the result.
fn parse(equation: &str, operands: &[&Tensor]) -> Result<(Vec<Vec<Label>>, Vec<Label>)> {
    let (inputs, output) = match equation.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (equation, None),
    };
    let subscripts: Vec<&str> = inputs.split(',').collect();
    if subscripts.len() != operands.len() {
        let message = format!("{} subscripts for {} operands", subscripts.len(), operands.len());
        return Err(error(equation, message));
    }
    let (mut terms, mut widest) = (Vec::new(), 0);
    for (subscript, x) in subscripts.iter().zip(operands) {
        let letters = labels(equation, subscript, 0)?.len();
        let ellipsis = if subscript.contains("...") { x.ndim().saturating_sub(letters) } else { 0 };
        if letters + ellipsis != x.ndim() {
            let message = format!(
                "{:?} names {letters} axes, but the operand has shape {:?}",
                subscript.trim(),
                x.shape()
            );
            return Err(error(equation, message));
        }
        widest = widest.max(ellipsis);
        terms.push(labels(equation, subscript, ellipsis)?);
    }
    let all: Vec<Label> = terms.iter().flatten().copied().collect();
    let output = match output {
        Some(output) => labels(equation, output, widest)?,
        None => {
            // The ellipsis, then what comes once, in the order of the alphabet (capitals first).
            let once = |l: &Label| all.iter().filter(|o| *o == l).count() == 1;
            let mut letters: Vec<Label> =
                all.iter().copied().filter(|l| matches!(l, Label::Letter(_)) && once(l)).collect();
            letters.sort_unstable();
            (0..widest).rev().map(Label::Ellipsis).chain(letters).collect()
        }
    };
    for (i, l) in output.iter().enumerate() {
        if output[..i].contains(l) {
            return Err(error(equation, "a subscript comes twice in the output"));
        }
        if !all.contains(l) {
            return Err(error(equation, "the output has a subscript that no operand has"));
        }
    }
    Ok((terms, output))
}

/// The diagonal of two axes, left in the place of the first.
#[track_caller]
fn diagonal(x: &Tensor, a: usize, b: usize) -> Tensor {
    x.part("diagonal", move |l| {
        let (mut shape, mut strides) = (Dims::from(l.shape()), Strides::from(l.strides()));
        strides[a] += strides[b];
        shape.remove(b);
        strides.remove(b);
        Layout::new(shape, strides, l.offset())
    })
}

impl Term {
    /// Takes diagonals where a label comes twice.
    #[track_caller]
    fn new(equation: &str, x: &Tensor, mut labels: Vec<Label>) -> Result<Term> {
        let mut x = x.clone();
        let mut b = 1;
        while b < labels.len() {
            match labels[..b].iter().position(|l| *l == labels[b]) {
                Some(a) if x.shape()[a] == x.shape()[b] => {
                    x = diagonal(&x, a, b);
                    labels.remove(b);
                }
                Some(a) => {
                    let message =
                        format!("a subscript comes twice for sizes {} and {}", x.shape()[a], x.shape()[b]);
                    return Err(error(equation, message));
                }
                None => b += 1,
            }
        }
        Ok(Term { x, labels })
    }

    fn size(&self, label: Label) -> Option<usize> {
        self.labels.iter().position(|l| *l == label).map(|d| self.x.shape()[d])
    }

    /// Sizes of labels that are there.
    fn sizes(&self, labels: &[Label]) -> impl Iterator<Item = usize> {
        labels.iter().map(|l| self.size(*l).expect("a label of this term"))
    }

    /// A batch of matrices, each side made of several axes.
    #[track_caller]
    fn matrix(&self, batch: &[Label], rows: &[Label], columns: &[Label]) -> Tensor {
        let sides = [rows, columns].map(|l| self.sizes(l).product());
        let shape: Dims = self.sizes(batch).chain(sides).collect();
        self.aligned(&[batch, rows, columns].concat()).reshape_to(&shape)
    }

    /// Sums the axes that `keep` refuses.
    #[track_caller]
    fn sum_out(&mut self, keep: impl Fn(Label) -> bool) {
        let gone: Vec<isize> =
            (0..self.labels.len()).filter(|&d| !keep(self.labels[d])).map(|d| d as isize).collect();
        if !gone.is_empty() {
            self.x = self.x.sum_dim(gone, false);
            self.labels.retain(|l| keep(*l));
        }
    }

    /// Axes in the order of `order`, those that are not there with size 1.
    #[track_caller]
    fn aligned(&self, order: &[Label]) -> Tensor {
        let present: Vec<isize> = order
            .iter()
            .filter_map(|l| self.labels.iter().position(|o| o == l))
            .map(|d| d as isize)
            .collect();
        let x = self.x.permute(present);
        let shape: Dims = order.iter().map(|l| self.size(*l).unwrap_or(1)).collect();
        x.reshape_to(&shape)
    }

    /// The contraction of two terms, keeping what `keep` accepts.
    #[track_caller]
    fn contract(mut self, mut other: Term, keep: impl Fn(Label) -> bool) -> Result<Term> {
        // An axis that is summed is summed at once where the other has not got it, or has it with size 1.
        let (a, b) = (self.wide_labels(), other.wide_labels());
        self.sum_out(|l| keep(l) || b.contains(&l));
        other.sum_out(|l| keep(l) || a.contains(&l));
        let shared: Vec<Label> = self.labels.iter().copied().filter(|l| other.labels.contains(l)).collect();
        let (batch, summed): (Vec<_>, Vec<_>) = shared.iter().copied().partition(|l| keep(*l));
        let only =
            |x: &Term| -> Vec<Label> { x.labels.iter().copied().filter(|l| !shared.contains(l)).collect() };
        let (left, right) = (only(&self), only(&other));
        let labels = [&batch[..], &left, &right].concat();
        if summed.is_empty() {
            return Ok(Term { x: self.aligned(&labels) * other.aligned(&labels), labels });
        }
        let y = self.matrix(&batch, &left, &summed).try_matmul(other.matrix(&batch, &summed, &right))?;
        let mut shape = Dims::from(&y.shape()[..batch.len()]);
        shape.extend(self.sizes(&left).chain(other.sizes(&right)));
        Ok(Term { x: y.reshape_to(&shape), labels })
    }

    /// The labels of axes that are not of size 1.
    fn wide_labels(&self) -> Vec<Label> {
        self.labels.iter().zip(self.x.shape()).filter(|(_, n)| **n != 1).map(|(l, _)| *l).collect()
    }
}

impl Tensor {
    /// Sums of products of elements, as Einstein wrote them (`torch.einsum`): each operand's axes are
    /// named by a letter, axes of one name go together, those not named in the output are summed. A
    /// name that comes twice for one operand takes its diagonal; `...` stands for any axes, which
    /// broadcast. Without `->` the output has the names that come once, in alphabetical order.
    /// Operands are contracted from left to right.
    ///
    /// ```
    /// use taper_tensor::{tensor, Tensor};
    /// let a = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(Tensor::einsum("ij,kj->ik", &[&a, &a]).to_vec::<f32>(), [5.0, 11.0, 11.0, 25.0]);
    /// assert_eq!(Tensor::einsum("ii", &[&a]).item(), 5.0);
    /// ```
    ///
    /// # Panics
    /// Where the equation is malformed or does not fit the operands.
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[&Tensor]) -> Tensor {
        ok(Tensor::try_einsum(equation, operands))
    }

    /// As [`einsum`](Self::einsum), or an error.
    #[track_caller]
    pub fn try_einsum(equation: &str, operands: &[&Tensor]) -> Result<Tensor> {
        let (subscripts, output) = parse(equation, operands)?;
        let mut terms = Vec::new();
        for (x, labels) in operands.iter().zip(subscripts) {
            terms.push(Term::new(equation, x, labels)?);
        }
        for term in &terms {
            for (label, &n) in term.labels.iter().zip(term.x.shape()) {
                let clash = terms.iter().filter_map(|t| t.size(*label)).find(|&m| m != n && m != 1 && n != 1);
                if let Some(m) = clash {
                    let name = match label {
                        Label::Letter(c) => format!("{c:?}"),
                        Label::Ellipsis(_) => "an axis of the ellipsis".into(),
                    };
                    return Err(error(equation, format!("{name} has size {n} here and {m} there")));
                }
            }
        }
        let mut terms = terms.into_iter();
        let mut result = terms.next().ok_or_else(|| error(equation, "no operands"))?;
        while let Some(next) = terms.next() {
            let later: Vec<Label> = terms.as_slice().iter().flat_map(|t| t.labels.iter().copied()).collect();
            result = result.contract(next, |l| output.contains(&l) || later.contains(&l))?;
        }
        result.sum_out(|l| output.contains(&l));
        Ok(result.aligned(&output))
    }
}
