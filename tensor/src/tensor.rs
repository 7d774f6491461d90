//! The tensor: storage, layout, dtype and its place on the tape.

use crate::elementwise::layout_for;
use crate::error::{Error, Result, ok};
use std::fmt;
use std::sync::Arc;
use taper_autograd::{self as autograd, BackwardOptions, HookHandle, Node, Value};
use taper_kernels::{
    self as kernels, Backend, BinaryOp, DType, Device, Dims, Layout, Scalar, Src, Storage, View, ViewMut,
};

/// An n-dimensional array with a dtype, a device and a place on the tape.
///
/// A tensor is a *value*: `clone()` is cheap, and writing to one clone never changes another (memory
/// is copied on the first write while it is shared). Views (`reshape`, `permute`, `slice`, …) share
/// memory until then. Any operation takes any strides.
///
/// ```
/// use taper_tensor::{tensor, Tensor};
/// let x = tensor([[1.0, 2.0], [3.0, 4.0]]).requires_grad_(true);
/// let y = (&x * &x).sum();
/// y.backward();
/// assert_eq!(y.item(), 30.0);
/// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [2.0, 4.0, 6.0, 8.0]);
/// ```
#[derive(Clone)]
pub struct Tensor {
    storage: Arc<Storage>,
    layout: Layout,
    dtype: DType,
    node: Option<Arc<Node<Tensor>>>,
}

/// Shape, dtype and device of a tensor: what its gradient must agree with.
#[derive(Clone, PartialEq, Debug)]
pub struct Meta {
    /// Sizes.
    pub shape: Dims,
    /// Element type.
    pub dtype: DType,
    /// Where the memory lives.
    pub device: Device,
}

impl fmt::Display for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.dtype, self.shape.as_slice())?;
        if self.device != Device::Cpu {
            write!(f, "@{}", self.device)?;
        }
        Ok(())
    }
}

impl Value for Tensor {
    type Meta = Meta;

    fn node(&self) -> Option<&Arc<Node<Self>>> {
        self.node.as_ref()
    }
    fn with_node(mut self, node: Option<Arc<Node<Self>>>) -> Self {
        self.node = node;
        self
    }
    fn meta(&self) -> Meta {
        Meta { shape: kernels::dims(self.layout.shape()), dtype: self.dtype, device: self.device() }
    }
    #[track_caller]
    fn add(&self, other: &Self) -> Self {
        Tensor::add(self, other)
    }
    fn accumulate(mut self, other: &Self) -> Self {
        let device = self.device();
        match Arc::get_mut(&mut self.storage) {
            Some(memory) if !self.layout.may_overlap() => {
                // Both agree in shape and dtype: straight to the kernel.
                let out = ViewMut::new(memory, self.dtype, &self.layout);
                let add = |b: &dyn Backend| b.binary(BinaryOp::Add, Src::Out, other.as_view().into(), out);
                ok(device.backend().and_then(add).map_err(Error::kernel("add")));
                self
            }
            _ => Tensor::add(&self, other),
        }
    }
    #[track_caller]
    fn fit(self, meta: &Meta) -> Self {
        let x = if self.shape() == meta.shape.as_slice() { self } else { self.sum_to(&meta.shape) };
        if x.dtype == meta.dtype { x } else { x.to_dtype(meta.dtype) }
    }
    fn zeros(meta: &Meta) -> Self {
        Tensor::zeros_with(meta.shape.as_slice(), (meta.dtype, meta.device))
    }
    fn ones(meta: &Meta) -> Self {
        Tensor::ones_with(meta.shape.as_slice(), (meta.dtype, meta.device))
    }
    fn is_scalar(&self) -> bool {
        self.numel() == 1
    }
    fn has_nan(&self) -> bool {
        self.dtype.is_float() && self.detach().isnan().any().item() != 0.0
    }
}

/// What every op needs: making a tensor from memory, and showing memory to a kernel.
impl Tensor {
    pub(crate) fn from_parts(storage: Arc<Storage>, layout: Layout, dtype: DType) -> Self {
        Tensor { storage, layout, dtype, node: None }
    }

    /// A new row-major tensor whose memory `kernel` writes.
    pub(crate) fn produce(
        op: &'static str,
        shape: &[usize],
        dtype: DType,
        device: Device,
        kernel: impl FnOnce(&'static dyn Backend, ViewMut) -> kernels::Result,
    ) -> Result<Tensor> {
        Tensor::produce_in(op, Layout::contiguous(shape), dtype, device, kernel)
    }

    /// [`produce`](Self::produce) in a layout without gaps.
    #[track_caller]
    pub(crate) fn produce_in(
        op: &'static str,
        layout: Layout,
        dtype: DType,
        device: Device,
        kernel: impl FnOnce(&'static dyn Backend, ViewMut) -> kernels::Result,
    ) -> Result<Tensor> {
        let run = || {
            let backend = device.backend()?;
            let mut storage = backend.alloc(layout.numel() * dtype.size())?;
            kernel(backend, ViewMut::new(&mut storage, dtype, &layout))?;
            Ok(Tensor::from_parts(Arc::new(storage), layout, dtype))
        };
        run().map_err(Error::kernel(op))
    }

    /// [`produce`](Self::produce) with this tensor's device.
    pub(crate) fn produce_like(
        &self,
        op: &'static str,
        shape: &[usize],
        dtype: DType,
        kernel: impl FnOnce(&'static dyn Backend, ViewMut) -> kernels::Result,
    ) -> Result<Tensor> {
        Tensor::produce(op, shape, dtype, self.device(), kernel)
    }

    /// The result of an elementwise kernel of this tensor, laid out alike.
    pub(crate) fn produce_alike(
        &self,
        op: &'static str,
        dtype: DType,
        kernel: impl FnOnce(&'static dyn Backend, ViewMut) -> kernels::Result,
    ) -> Result<Tensor> {
        let layout = layout_for(self.shape(), &[&self.layout]);
        Tensor::produce_in(op, layout, dtype, self.device(), kernel)
    }

    /// The elements, for a kernel to read: what a custom operation hands to a `Backend`.
    pub fn as_view(&self) -> View<'_> {
        View::new(&self.storage, self.dtype, &self.layout)
    }

    /// The same memory seen through another layout; detached.
    pub(crate) fn with_layout(&self, layout: Layout) -> Tensor {
        Tensor { storage: self.storage.clone(), layout, dtype: self.dtype, node: None }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// The elements, for a kernel to write in place: memory that is shared, or in which elements
    /// overlap, is copied first. Keeps the place on the tape.
    #[track_caller]
    pub fn as_view_mut(&mut self) -> ViewMut<'_> {
        if self.layout.may_overlap() || Arc::get_mut(&mut self.storage).is_none() {
            let mut copy = self.empty_alike();
            let backend = ok(self.device().backend().map_err(Error::kernel("clone")));
            ok(backend.copy(self.as_view(), copy.as_view_mut()).map_err(Error::kernel("clone")));
            self.set_memory(copy);
        }
        let storage = Arc::get_mut(&mut self.storage).expect("just made unique");
        ViewMut::new(storage, self.dtype, &self.layout)
    }

    /// Memory of its own for as many elements, without gaps and with its dimensions in the same order
    /// (`torch.empty_like`); row-major where a step is backward.
    #[track_caller]
    pub(crate) fn empty_alike(&self) -> Tensor {
        Tensor::empty_like(self).with_layout(layout_for(self.shape(), &[&self.layout]))
    }

    /// Memory of its own with the same steps, gaps included; as [`empty_alike`](Self::empty_alike) where a
    /// step is backward or 0.
    #[track_caller]
    pub(crate) fn empty_strided_alike(&self) -> Tensor {
        let l = &self.layout;
        if l.numel() == 0 || !l.shape().iter().zip(l.strides()).all(|(&n, &s)| n == 1 || s > 0) {
            return self.empty_alike();
        }
        Tensor::empty_with(l.span().len(), self).with_layout(Layout::new(l.shape(), l.strides(), 0))
    }

    /// Takes another tensor's memory and layout, and keeps the place on the tape.
    pub(crate) fn set_memory(&mut self, from: Tensor) {
        (self.storage, self.layout) = (from.storage, from.layout);
    }

    /// Whether nothing else sees this memory.
    pub(crate) fn owns_memory(&self) -> bool {
        Arc::strong_count(&self.storage) == 1 && !self.layout.may_overlap()
    }

    /// A row-major copy in memory of its own; detached.
    #[track_caller]
    pub(crate) fn copied(&self) -> Tensor {
        ok(self.produce_like("clone", self.shape(), self.dtype, |b, out| b.copy(self.as_view(), out)))
    }

    /// Refuses an in-place write to a leaf that requires grad while it would be recorded.
    #[track_caller]
    pub(crate) fn check_writable(&self, op: &'static str) {
        if autograd::needs_grad(self) && self.is_leaf() {
            panic!(
                "{op}: a leaf tensor that requires grad cannot be changed in place; wrap the update in no_grad"
            );
        }
    }
}

/// What a tensor is.
impl Tensor {
    /// Sizes of the dimensions.
    pub fn shape(&self) -> &[usize] {
        self.layout.shape()
    }
    /// Size of one dimension; negative counts from the end.
    #[track_caller]
    pub fn size(&self, dim: isize) -> usize {
        self.shape()[ok(self.dim("size", dim))]
    }
    /// Steps in elements, one per dimension.
    pub fn strides(&self) -> &[isize] {
        self.layout.strides()
    }
    /// Number of dimensions.
    pub fn ndim(&self) -> usize {
        self.layout.ndim()
    }
    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.layout.numel()
    }
    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }
    /// Where the memory lives.
    pub fn device(&self) -> Device {
        self.storage.device()
    }
    /// Whether the elements lie in row-major order without gaps. No operation asks for it.
    pub fn is_contiguous(&self) -> bool {
        self.layout.is_contiguous()
    }
    /// Whether two tensors share memory at this moment.
    pub fn shares_storage(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.storage, &other.storage)
    }

    /// A dimension counted from the front; negative counts from the end.
    pub(crate) fn dim(&self, op: &'static str, dim: isize) -> Result<usize> {
        wrap_dim(op, dim, self.ndim())
    }
}

/// A dimension counted from the front; a 0-d tensor is treated as if it had one.
pub(crate) fn wrap_dim(op: &'static str, dim: isize, ndim: usize) -> Result<usize> {
    let n = ndim.max(1) as isize;
    if (-n..n).contains(&dim) {
        Ok((if dim < 0 { dim + n } else { dim }) as usize)
    } else {
        let message =
            format!("dimension {dim} is out of range for {ndim} dimensions (expected {}..={})", -n, n - 1);
        Err(Error::index(op, message))
    }
}

/// Gradients.
impl Tensor {
    /// Whether operations on this tensor are recorded.
    pub fn requires_grad(&self) -> bool {
        self.node.is_some()
    }

    /// Whether no recorded operation made this tensor.
    pub fn is_leaf(&self) -> bool {
        self.node.as_ref().is_none_or(|n| n.is_leaf())
    }

    /// Name of the operation that made this tensor, where it was recorded.
    pub fn grad_fn(&self) -> Option<&'static str> {
        self.node.as_ref().filter(|n| !n.is_leaf()).map(|n| n.op())
    }

    /// Starts (or stops) recording operations on this tensor, which becomes a leaf.
    ///
    /// # Panics
    /// For integers and bool, and for turning off what an operation made (use `detach`).
    #[track_caller]
    pub fn requires_grad_(mut self, on: bool) -> Self {
        self.set_requires_grad(on);
        self
    }

    /// As [`requires_grad_`](Self::requires_grad_), in place.
    #[track_caller]
    pub fn set_requires_grad(&mut self, on: bool) {
        if on {
            assert!(
                self.dtype.is_float(),
                "requires_grad_: only floating-point tensors can require gradients, this one is {}",
                self.dtype
            );
            if self.node.is_none() {
                self.node = Some(Node::leaf(self.meta()));
            }
        } else {
            assert!(self.is_leaf(), "requires_grad_: only leaves can stop requiring grad; use detach()");
            self.node = None;
        }
    }

    /// The same value without a place on the tape; shares memory.
    pub fn detach(&self) -> Tensor {
        self.with_layout(self.layout.clone())
    }

    /// The gradient accumulated by `backward`, on leaves and after [`retain_grad`](Self::retain_grad).
    pub fn grad(&self) -> Option<Tensor> {
        self.node.as_ref().and_then(|n| n.grad())
    }

    /// Replaces the accumulated gradient.
    ///
    /// # Panics
    /// Where the tensor does not require grad, or shape or dtype differ.
    #[track_caller]
    pub fn set_grad(&self, grad: Option<Tensor>) {
        let Some(node) = &self.node else { panic!("set_grad: this tensor does not require grad") };
        if let Some(g) = &grad {
            assert!(
                g.meta() == self.meta(),
                "set_grad: a gradient of {} for a tensor of {}",
                g.meta(),
                self.meta()
            );
        }
        node.set_grad(grad);
    }

    /// Forgets the accumulated gradient.
    pub fn zero_grad(&self) {
        if let Some(n) = &self.node {
            n.zero_grad();
        }
    }

    /// Keeps the gradient of a tensor that is not a leaf, too.
    ///
    /// # Panics
    /// Where the tensor does not require grad.
    #[track_caller]
    pub fn retain_grad(&self) {
        match &self.node {
            Some(n) => n.retain_grad(),
            None => panic!("retain_grad: this tensor does not require grad"),
        }
    }

    /// Calls `hook` with this tensor's gradient whenever one is computed; a returned tensor replaces it.
    ///
    /// # Panics
    /// Where the tensor does not require grad.
    #[track_caller]
    pub fn register_hook(
        &self,
        hook: impl Fn(&Tensor) -> Option<Tensor> + Send + Sync + 'static,
    ) -> HookHandle<Tensor> {
        match &self.node {
            Some(n) => n.register_hook(hook),
            None => panic!("register_hook: this tensor does not require grad"),
        }
    }

    /// Computes the gradients of this scalar with respect to the leaves it came from, and adds them
    /// to their `grad()`. Frees the graph.
    ///
    /// # Panics
    /// Where the tensor has more than one element, does not require grad, or its graph was freed.
    #[track_caller]
    pub fn backward(&self) {
        autograd::backward(self, None, BackwardOptions::default());
    }

    /// [`backward`](Self::backward) with a seed gradient, keeping the graph, or recording the pass itself.
    #[track_caller]
    pub fn backward_with(&self, gradient: Option<&Tensor>, options: BackwardOptions) {
        autograd::backward(self, gradient.cloned(), options);
    }
}

/// Reading elements.
impl Tensor {
    /// The only element, as f64.
    ///
    /// # Panics
    /// Where there is not exactly one.
    #[track_caller]
    pub fn item(&self) -> f64 {
        self.item_as()
    }

    /// The only element, converted as [`to_vec`](Self::to_vec) converts.
    ///
    /// # Panics
    /// Where there is not exactly one.
    #[track_caller]
    pub fn item_as<T: HostElement>(&self) -> T {
        assert!(
            self.numel() == 1,
            "item: a tensor with {} elements (shape {:?}) cannot be read as one number",
            self.numel(),
            self.shape()
        );
        self.to_vec()[0]
    }

    /// All elements in row-major order, converted to `T` where the dtype is another.
    #[track_caller]
    pub fn to_vec<T: HostElement>(&self) -> Vec<T> {
        T::read(self)
    }

    /// The elements' memory, little-endian, in row-major order.
    #[track_caller]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.with_bytes(<[u8]>::to_vec)
    }

    /// Shows `f` what [`to_bytes`](Self::to_bytes) copies; a contiguous tensor on the CPU is not copied.
    #[track_caller]
    pub fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        let x = self.copied_if_strided();
        let size = x.dtype.size();
        let start = x.layout.offset() * size;
        let part = start..start + x.numel() * size;
        match x.storage.as_cpu() {
            Some(memory) => f(&memory.bytes()[part]),
            None => {
                let download = || x.device().backend()?.download_range(&x.storage, part);
                f(&ok(download().map_err(Error::kernel("to_bytes"))))
            }
        }
    }

    #[track_caller]
    fn copied_if_strided(&self) -> Tensor {
        if self.is_contiguous() { self.detach() } else { self.copied() }
    }
}

/// A Rust type that elements can be read as: the dtypes' own types, and `bool` (non-zero).
pub trait HostElement: Copy {
    /// All elements of a tensor, row-major.
    fn read(x: &Tensor) -> Vec<Self>;
}

macro_rules! host_element {
    ($($t:ty => $d:ident),*) => { $(
        impl HostElement for $t {
            #[track_caller]
            fn read(x: &Tensor) -> Vec<$t> {
                let x = if x.dtype() == DType::$d { x.detach() } else { x.detach().to_dtype(DType::$d) };
                x.to_bytes().chunks_exact(size_of::<$t>())
                    .map(|c| <$t>::from_le_bytes(c.try_into().expect("chunks of the element's size"))).collect()
            }
        }
    )* };
}
host_element!(u8 => U8, i8 => I8, i16 => I16, i32 => I32, i64 => I64, f32 => F32, f64 => F64,
    kernels::f16 => F16, kernels::bf16 => BF16);

impl HostElement for bool {
    #[track_caller]
    fn read(x: &Tensor) -> Vec<bool> {
        x.detach().to_dtype(DType::Bool).to_bytes().into_iter().map(|b| b != 0).collect()
    }
}

/// Where and as what a new tensor is made; by default f32 on the CPU.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Options {
    /// Element type.
    pub dtype: DType,
    /// Where the memory lives.
    pub device: Device,
}

impl Default for Options {
    fn default() -> Self {
        Options { dtype: DType::F32, device: Device::Cpu }
    }
}
impl From<DType> for Options {
    fn from(dtype: DType) -> Self {
        Options { dtype, ..Default::default() }
    }
}
impl From<Device> for Options {
    fn from(device: Device) -> Self {
        Options { device, ..Default::default() }
    }
}
impl From<(DType, Device)> for Options {
    fn from((dtype, device): (DType, Device)) -> Self {
        Options { dtype, device }
    }
}
impl From<&Tensor> for Options {
    /// Those of another tensor.
    fn from(t: &Tensor) -> Self {
        Options { dtype: t.dtype(), device: t.device() }
    }
}

/// The scalar as an f64 tensor value would print it; used by error messages.
pub(crate) fn scalar_dtype(s: Scalar) -> DType {
    match s {
        Scalar::Bool(_) => DType::Bool,
        Scalar::Int(_) => DType::I64,
        Scalar::Float(_) => DType::F32,
    }
}
