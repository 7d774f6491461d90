//! Losses of choosing among classes.

use super::reduce;
use crate::loss::{CrossEntropyLoss, CrossEntropyLossOptions, NLLLoss, NLLLossOptions, Reduction};
use std::ops::{AddAssign, Neg};
use taper_tensor::autograd::op;
use taper_tensor::{DType, Device, Tensor, kernels::working_for};

/// Mean of `−ln softmax(scores)[class]`: scores `[N, C]` (or `[C]`, or `[N, C, d₁, …]`), targets are
/// classes (integers) `[N]` (`[]`, `[N, d₁, …]`), or probabilities of the scores' shape.
///
/// ```
/// use taper_nn::functional as F;
/// use taper_tensor::tensor;
/// let scores = tensor([[0.0, 0.0], [0.0, 100.0]]);
/// let loss = F::cross_entropy(&scores, &tensor([0, 1]));
/// assert!((loss.item() - 2f64.ln() / 2.0).abs() < 1e-6);
/// ```
///
/// # Panics
/// For targets of another dtype or shape, and for classes out of range.
#[track_caller]
pub fn cross_entropy(scores: &Tensor, target: &Tensor) -> Tensor {
    cross_entropy_with(scores, target, &CrossEntropyLoss::builder())
}

/// [`cross_entropy`] with options.
#[track_caller]
pub fn cross_entropy_with(scores: &Tensor, target: &Tensor, options: &CrossEntropyLossOptions) -> Tensor {
    let name = "cross_entropy";
    let o = options;
    check_scores(name, scores, o.weight.as_ref());
    assert!(
        (0.0..=1.0).contains(&o.label_smoothing),
        "{name}: expected label smoothing from 0 to 1, got {}",
        o.label_smoothing
    );
    let (dim, classes) = (class_dim(scores), scores.size(class_dim(scores)));
    if target.shape() == scores.shape() && target.dtype().is_float() {
        return against_probabilities(scores, target, o);
    }
    let targets = Targets::new(name, scores, target, o.ignore_index, true);
    let logs = scores.log_softmax(dim);
    let loss = nll(&logs, &targets, o.weight.as_ref(), o.reduction);
    if o.label_smoothing == 0.0 {
        return loss;
    }
    let spread = match &o.weight {
        Some(w) => -(&logs * along(w, scores)).sum_dim(dim, false),
        None => -logs.sum_dim(dim, false),
    };
    let spread = targets.without_ignored(spread);
    let spread = match o.reduction {
        Reduction::Mean => spread.sum() / targets.total(o.weight.as_ref(), scores),
        reduction => reduce(spread, reduction),
    };
    loss * (1.0 - o.label_smoothing) + spread * (o.label_smoothing / classes as f64)
}

#[track_caller]
fn against_probabilities(scores: &Tensor, target: &Tensor, o: &CrossEntropyLossOptions) -> Tensor {
    let (dim, classes) = (class_dim(scores), scores.size(class_dim(scores)) as f64);
    let smoothing = o.label_smoothing;
    let target =
        if smoothing > 0.0 { target * (1.0 - smoothing) + smoothing / classes } else { target.clone() };
    let parts = scores.log_softmax(dim) * target;
    let parts = match &o.weight {
        Some(w) => parts * along(w, scores),
        None => parts,
    };
    match o.reduction {
        Reduction::Mean => -parts.sum() / (scores.numel() as f64 / classes),
        Reduction::Sum => -parts.sum(),
        Reduction::None => -parts.sum_dim(dim, false),
    }
}

/// Mean of `−logs[class]` for logarithms of probabilities; shapes as in [`cross_entropy`].
///
/// # Panics
/// For targets of another dtype or shape, and for classes out of range.
#[track_caller]
pub fn nll_loss(logs: &Tensor, target: &Tensor) -> Tensor {
    nll_loss_with(logs, target, &NLLLoss::builder())
}

/// [`nll_loss`] with options.
#[track_caller]
pub fn nll_loss_with(logs: &Tensor, target: &Tensor, options: &NLLLossOptions) -> Tensor {
    let name = "nll_loss";
    check_scores(name, logs, options.weight.as_ref());
    let targets = Targets::new(name, logs, target, options.ignore_index, false);
    nll(logs, &targets, options.weight.as_ref(), options.reduction)
}

#[track_caller]
fn nll(logs: &Tensor, targets: &Targets, weight: Option<&Tensor>, reduction: Reduction) -> Tensor {
    let dim = class_dim(logs);
    let classes = targets.classes.unsqueeze(dim);
    let losses = -working_for(targets.name, || logs.gather(dim, &classes)).squeeze(dim);
    let losses = match weight {
        Some(w) => losses * targets.weights(w),
        None => losses,
    };
    let losses = targets.without_ignored(losses);
    match reduction {
        Reduction::None => losses,
        Reduction::Sum => sum(&losses, targets),
        Reduction::Mean => sum(&losses, targets) / targets.total(weight, logs),
    }
}

/// Where the classes are: dimension 1, or the only one.
fn class_dim(scores: &Tensor) -> isize {
    if scores.ndim() == 1 { 0 } else { 1 }
}

/// A weight for each class, beside the scores.
#[track_caller]
fn along(weight: &Tensor, scores: &Tensor) -> Tensor {
    let mut shape = vec![1isize; scores.ndim()];
    shape[class_dim(scores) as usize] = -1;
    weight.reshape(shape)
}

#[track_caller]
fn check_scores(name: &str, scores: &Tensor, weight: Option<&Tensor>) {
    assert!(
        scores.ndim() > 0 && scores.dtype().is_float(),
        "{name}: expected floating-point scores [N, C] or [N, C, ...], got {} of shape {:?}",
        scores.dtype(),
        scores.shape()
    );
    let classes = scores.size(class_dim(scores));
    if let Some(w) = weight {
        assert!(
            w.shape() == [classes],
            "{name}: expected a weight for each of {classes} classes, got shape {:?}",
            w.shape()
        );
    }
}

/// Targets that were checked.
struct Targets {
    /// The loss.
    name: &'static str,
    /// i64, with class 0 where the target is ignored.
    classes: Tensor,
    /// Whether to ignore each; empty where none is, and on other devices than the CPU.
    ignored: Vec<bool>,
    /// The same on another device, where the host does not look at the targets.
    mask: Option<Tensor>,
}

impl Targets {
    #[track_caller]
    fn new(
        name: &'static str,
        scores: &Tensor,
        target: &Tensor,
        ignore_index: i64,
        probabilities: bool,
    ) -> Targets {
        let mut expected = scores.shape().to_vec();
        let count = expected.remove(class_dim(scores) as usize) as i64;
        if !target.dtype().is_int() || target.shape() != expected {
            let or = match probabilities {
                true => format!(", or probabilities ({}) of shape {:?}", scores.dtype(), scores.shape()),
                false => String::new(),
            };
            panic!(
                "{name}: for an input of shape {:?} the targets must be class indices (int64) of shape {expected:?}{or}; got {} of shape {:?}",
                scores.shape(),
                target.dtype(),
                target.shape()
            );
        }
        if target.device() != Device::Cpu {
            // No host read: a class out of range is found by the kernel that looks up its score.
            let classes = target.detach().to_dtype(DType::I64);
            let mask = classes.eq(ignore_index);
            return Targets {
                name,
                classes: classes.masked_fill(&mask, 0i64),
                ignored: Vec::new(),
                mask: Some(mask),
            };
        }
        let mut classes = target.to_vec::<i64>();
        if let Some(at) = classes.iter().position(|&c| c != ignore_index && !(0..count).contains(&c)) {
            panic!(
                "{name}: class index {} at position {} of the targets is out of range for {count} classes (0..={})",
                classes[at],
                position(at, target.shape()),
                count - 1
            );
        }
        if !classes.contains(&ignore_index) {
            let classes = target.detach().to_dtype(DType::I64);
            return Targets { name, classes, ignored: Vec::new(), mask: None };
        }
        let ignored = classes.iter().map(|&c| c == ignore_index).collect();
        classes.iter_mut().filter(|c| **c == ignore_index).for_each(|c| *c = 0);
        Targets { name, classes: Tensor::from_vec(classes, target.shape()), ignored, mask: None }
    }

    /// Zeros where the target is ignored.
    #[track_caller]
    fn without_ignored(&self, losses: Tensor) -> Tensor {
        if let Some(mask) = &self.mask {
            return losses.masked_fill(mask, 0.0);
        }
        if self.ignored.is_empty() {
            return losses;
        }
        losses.masked_fill(&Tensor::from_bools(&self.ignored, losses.shape()), 0.0)
    }

    /// The weight of each target.
    #[track_caller]
    fn weights(&self, weight: &Tensor) -> Tensor {
        weight.index_select(0, &self.classes.reshape([-1])).reshape(self.classes.shape())
    }

    /// What a mean divides by: the number of targets, or the sum of their weights.
    #[track_caller]
    fn total(&self, weight: Option<&Tensor>, like: &Tensor) -> Tensor {
        match weight {
            Some(w) => sum(&self.without_ignored(self.weights(w)), self),
            None if self.mask.is_some() => {
                let mask = self.mask.as_ref().expect("just seen");
                Tensor::where_(mask, 0.0, 1.0).sum().to_dtype(like.dtype())
            }
            None => {
                let count = self.classes.numel() - self.ignored.iter().filter(|i| **i).count();
                Tensor::full_with((), count as f64, like)
            }
        }
    }
}

/// A flat position as the user would index it.
fn position(at: usize, shape: &[usize]) -> String {
    if shape.len() < 2 {
        return at.to_string();
    }
    let mut rest = at;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|n| {
            let i = rest % n;
            rest /= n;
            i
        })
        .collect();
    index.reverse();
    format!("{index:?}")
}

/// The sum of losses, in PyTorch's order for this loss on the CPU.
#[track_caller]
fn sum(losses: &Tensor, targets: &Targets) -> Tensor {
    let x = losses.detach();
    let total = match (x.device(), x.dtype()) {
        (Device::Cpu, DType::F32) => {
            Tensor::from_vec(vec![cascade(&x.to_vec::<f32>(), &targets.ignored)], ())
        }
        (Device::Cpu, DType::F64) => {
            Tensor::from_vec(vec![cascade(&x.to_vec::<f64>(), &targets.ignored)], ())
        }
        _ => return losses.sum(),
    };
    let rule = || {
        let shape = losses.shape().to_vec();
        move |g: &Tensor| g.broadcast_to(&shape)
    };
    op("sum", total).wrt(losses, rule).done()
}

/// Eight levels of partial sums; each is added to the next when its number of terms is complete.
fn cascade<T: Copy + Default + AddAssign + Neg<Output = T>>(values: &[T], ignored: &[bool]) -> T {
    const LEVELS: usize = 8;
    let bits = match values.len() {
        0..=2 => 1,
        n => usize::BITS - (n - 1).leading_zeros(),
    };
    let power = (bits as usize / LEVELS).max(4);
    let mut sums = [T::default(); LEVELS];
    for (i, &value) in values.iter().enumerate() {
        if ignored.get(i).is_some_and(|skip| *skip) {
            continue;
        }
        sums[0] += value;
        for level in 0..LEVELS - 1 {
            // Seven levels of at least 4 bits.
            let mask = ((1usize << power) - 1) << (level * power);
            if i & mask != 0 {
                break;
            }
            let partial = std::mem::take(&mut sums[level]);
            sums[level + 1] += partial;
        }
    }
    let mut total = T::default();
    sums.into_iter().for_each(|s| total += s);
    total
}
