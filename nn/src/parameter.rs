//! What a module owns and an optimizer changes: the only values with shared identity.

use std::borrow::Cow;
use std::fmt;
use std::ops;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use taper_tensor::autograd::no_grad;
use taper_tensor::{AsTensor, DType, Operand, Tensor};

/// A trainable tensor: a handle that a module and an optimizer both hold. Clones are the same parameter.
///
/// It stands wherever a `&Tensor` is taken, operators included.
///
/// ```
/// use taper_nn::Parameter;
/// use taper_tensor::tensor;
/// let w = Parameter::new(tensor([2.0]));
/// let y = (&w * &tensor([3.0]) + 1.0).sum();
/// y.backward();
/// assert_eq!(w.grad().unwrap().item(), 3.0);
/// w.update(|t| { t.sub_(0.5); });
/// assert_eq!(w.value().item(), 1.5);
/// ```
#[derive(Clone)]
pub struct Parameter(Arc<RwLock<Tensor>>);

/// A tensor that belongs to a module's state but is not trained (running statistics). Clones are the
/// same buffer.
#[derive(Clone)]
pub struct Buffer {
    cell: Arc<RwLock<Tensor>>,
    persistent: bool,
}

fn read(cell: &RwLock<Tensor>) -> Tensor {
    cell.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn write<R>(cell: &RwLock<Tensor>, f: impl FnOnce(&mut Tensor) -> R) -> R {
    no_grad(|| f(&mut cell.write().unwrap_or_else(PoisonError::into_inner)))
}

impl Parameter {
    /// A parameter with this value, requiring grad.
    ///
    /// # Panics
    /// For integers and bool.
    #[track_caller]
    pub fn new(value: Tensor) -> Self {
        Parameter(Arc::new(RwLock::new(value.detach().requires_grad_(true))))
    }

    /// The tensor at this moment, with its place on the tape. Later updates do not change it.
    pub fn value(&self) -> Tensor {
        read(&self.0)
    }

    /// Changes the value in place, unrecorded. The gradient stays.
    pub fn update<R>(&self, f: impl FnOnce(&mut Tensor) -> R) -> R {
        write(&self.0, f)
    }

    /// Replaces the value by one of any shape, dtype or device; the gradient is forgotten.
    #[track_caller]
    pub fn set_value(&self, value: Tensor) {
        let requires_grad = self.requires_grad();
        self.update(|t| *t = value.detach().requires_grad_(requires_grad));
    }

    /// The accumulated gradient.
    pub fn grad(&self) -> Option<Tensor> {
        self.value().grad()
    }
    /// Replaces the accumulated gradient.
    #[track_caller]
    pub fn set_grad(&self, grad: Option<Tensor>) {
        self.value().set_grad(grad)
    }
    /// Forgets the accumulated gradient.
    pub fn zero_grad(&self) {
        self.value().zero_grad()
    }
    /// Whether it is trained.
    pub fn requires_grad(&self) -> bool {
        self.value().requires_grad()
    }
    /// Freezes or unfreezes it.
    pub fn set_requires_grad(&self, on: bool) {
        self.update(|t| t.set_requires_grad(on))
    }
    /// Sizes.
    pub fn shape(&self) -> Vec<usize> {
        self.value().shape().to_vec()
    }
    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.value().numel()
    }
    /// Element type.
    pub fn dtype(&self) -> DType {
        self.value().dtype()
    }
    /// Whether two handles are the same parameter (tied weights).
    pub fn is(&self, other: &Parameter) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Buffer {
    /// A buffer that the state dict holds.
    pub fn new(value: Tensor) -> Self {
        Buffer { cell: Arc::new(RwLock::new(value.detach())), persistent: true }
    }
    /// A buffer that the state dict leaves out (`persistent=False`).
    pub fn transient(value: Tensor) -> Self {
        Buffer { persistent: false, ..Buffer::new(value) }
    }
    /// Whether the state dict holds it.
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }
    /// The tensor at this moment.
    pub fn value(&self) -> Tensor {
        read(&self.cell)
    }
    /// Changes the value in place.
    pub fn update<R>(&self, f: impl FnOnce(&mut Tensor) -> R) -> R {
        write(&self.cell, f)
    }
    /// Replaces the value.
    pub fn set_value(&self, value: Tensor) {
        self.update(|t| *t = value.detach());
    }
}

/// A module's mode: training (the default) or evaluation.
#[derive(Debug)]
pub struct Training(AtomicBool);
impl Training {
    /// In training.
    pub fn new() -> Self {
        Training(AtomicBool::new(true))
    }
    /// Whether the module is in training.
    pub fn get(&self) -> bool {
        self.0.load(Relaxed)
    }
    /// Sets the mode.
    pub fn set(&self, on: bool) {
        self.0.store(on, Relaxed)
    }
}
impl Default for Training {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! stands_for_tensor {
    ($t:ty, $label:literal) => {
        impl AsTensor for $t {
            fn as_tensor(&self) -> Cow<'_, Tensor> {
                Cow::Owned(self.value())
            }
        }
        impl From<&$t> for Operand {
            fn from(p: &$t) -> Self {
                Operand::Tensor(p.value())
            }
        }
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let t = self.value();
                write!(f, concat!($label, "({}{:?})"), t.dtype(), t.shape())
            }
        }
        stands_for_tensor!(@operators $t: Add add, Sub sub, Mul mul, Div div);
        impl ops::Neg for &$t {
            type Output = Tensor;
            #[track_caller]
            fn neg(self) -> Tensor {
                -self.value()
            }
        }
    };
    (@operators $t:ty: $($trait:ident $method:ident),*) => { $(
        impl<R: Into<Operand>> ops::$trait<R> for &$t {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: R) -> Tensor {
                ops::$trait::$method(self.value(), rhs)
            }
        }
    )* };
}
stands_for_tensor!(Parameter, "Parameter");
stands_for_tensor!(Buffer, "Buffer");
