//! New tensors from numbers, ranges and Rust arrays.

use crate::error::{Error, Result, ok};
use crate::operand::IntoShape;
use crate::tensor::{Options, Tensor};
use std::sync::Arc;
use taper_kernels::{DType, Device, Dims, Element, Layout, Scalar, Storage};

/// Makes `name(shape)`, `name_with(shape, options)` and `name_like(other)` for a fill value.
macro_rules! filled {
    ($($name:ident $with:ident $like:ident $value:expr, $what:literal;)*) => {
        impl Tensor { $(
            #[doc = concat!("A tensor of ", $what, ", f32 on the CPU.")]
            #[track_caller]
            pub fn $name(shape: impl IntoShape) -> Tensor {
                Tensor::$with(shape, Options::default())
            }
            #[doc = concat!("A tensor of ", $what, " with a dtype, a device or both.")]
            #[track_caller]
            pub fn $with(shape: impl IntoShape, options: impl Into<Options>) -> Tensor {
                Tensor::full_with(shape, $value, options)
            }
            #[doc = concat!("A tensor of ", $what, " with this one's shape, dtype and device.")]
            #[track_caller]
            pub fn $like(&self) -> Tensor {
                Tensor::full_with(self.shape(), $value, self)
            }
        )* }
    };
}
filled! {
    zeros zeros_with zeros_like 0i64, "zeros";
    ones ones_with ones_like 1i64, "ones";
}

impl Tensor {
    /// A tensor of one value in PyTorch's dtype for it: f32 for floats, i64 for integers, bool.
    #[track_caller]
    pub fn full(shape: impl IntoShape, value: impl Into<Scalar>) -> Tensor {
        let value = value.into();
        Tensor::full_with(shape, value, crate::tensor::scalar_dtype(value))
    }

    /// A tensor of one value with a dtype, a device or both.
    #[track_caller]
    pub fn full_with(shape: impl IntoShape, value: impl Into<Scalar>, options: impl Into<Options>) -> Tensor {
        let (o, value): (Options, Scalar) = (options.into(), value.into());
        ok(Tensor::produce("full", &shape.into_shape(), o.dtype, o.device, |b, out| b.fill(out, value)))
    }

    /// A tensor of one value with this one's shape, dtype and device.
    #[track_caller]
    pub fn full_like(&self, value: impl Into<Scalar>) -> Tensor {
        Tensor::full_with(self.shape(), value, self)
    }

    /// A tensor whose elements are arbitrary (but initialised).
    #[track_caller]
    pub fn empty(shape: impl IntoShape) -> Tensor {
        Tensor::empty_with(shape, Options::default())
    }

    /// As [`empty`](Self::empty) with a dtype, a device or both. Bool tensors are zeroed.
    #[track_caller]
    pub fn empty_with(shape: impl IntoShape, options: impl Into<Options>) -> Tensor {
        let o = options.into();
        if o.dtype == DType::Bool {
            return Tensor::zeros_with(shape, o);
        }
        ok(Tensor::produce("empty", &shape.into_shape(), o.dtype, o.device, |_, _| Ok(())))
    }

    /// As [`empty`](Self::empty) with this tensor's shape, dtype and device.
    #[track_caller]
    pub fn empty_like(&self) -> Tensor {
        Tensor::empty_with(self.shape(), self)
    }

    /// The `n` × `n` identity matrix, f32.
    #[track_caller]
    pub fn eye(n: usize) -> Tensor {
        Tensor::eye_with(n, n, Options::default())
    }

    /// Ones on the diagonal of an `n` × `m` matrix.
    #[track_caller]
    pub fn eye_with(n: usize, m: usize, options: impl Into<Options>) -> Tensor {
        let mut x = Tensor::zeros_with([n, m], options);
        let diagonal = Layout::new([n.min(m)].as_slice(), [m as isize + 1].as_slice(), 0);
        let mut v = x.as_view_mut();
        v.layout = &diagonal;
        let backend = ok(x_backend(v.storage.device()));
        ok(backend.fill(v, Scalar::Int(1)).map_err(Error::kernel("eye")));
        x
    }

    /// `start, start + step, …` below (above, for a negative step) `end`: i64 where all three are
    /// integers, otherwise f32 (`torch.arange`).
    ///
    /// # Panics
    /// For a zero step, a step of the wrong sign, or bounds that are not finite.
    #[track_caller]
    pub fn arange(start: impl Into<Scalar>, end: impl Into<Scalar>, step: impl Into<Scalar>) -> Tensor {
        let (start, end, step) = (start.into(), end.into(), step.into());
        let float = [start, end, step].iter().any(|s| matches!(s, Scalar::Float(_)));
        Tensor::arange_with(start, end, step, if float { DType::F32 } else { DType::I64 })
    }

    /// As [`arange`](Self::arange) with a dtype, a device or both.
    #[track_caller]
    pub fn arange_with(
        start: impl Into<Scalar>,
        end: impl Into<Scalar>,
        step: impl Into<Scalar>,
        options: impl Into<Options>,
    ) -> Tensor {
        let (start, end, step, o) = (start.into(), end.into(), step.into(), options.into());
        let (s, e, d) = (start.to_f64(), end.to_f64(), step.to_f64());
        assert!(
            d != 0.0 && s.is_finite() && e.is_finite(),
            "arange: from {s} to {e} in steps of {d} never ends"
        );
        assert!((e - s) * d >= 0.0, "arange: a step of {d} does not lead from {s} to {e}");
        let n = match (start, end, step) {
            // Beyond 2⁵³ f64 would miscount.
            (Scalar::Int(s), Scalar::Int(e), Scalar::Int(d)) => {
                let (distance, step) = ((e as i128 - s as i128).unsigned_abs(), d.unsigned_abs() as u128);
                distance.div_ceil(step) as usize
            }
            _ => ((e - s) / d).ceil() as usize,
        };
        ok(Tensor::produce("arange", &[n], o.dtype, o.device, |b, out| b.arange(out, start, step)))
    }

    /// `steps` numbers from `start` to `end`, both included, evenly spaced, f32. As in PyTorch the
    /// second half is counted from the end, so the last is exactly `end`.
    #[track_caller]
    pub fn linspace(start: f64, end: f64, steps: usize) -> Tensor {
        Tensor::linspace_with(start, end, steps, Options::default())
    }

    /// As [`linspace`](Self::linspace) with a dtype, a device or both.
    #[track_caller]
    pub fn linspace_with(start: f64, end: f64, steps: usize, options: impl Into<Options>) -> Tensor {
        let o = options.into();
        let f32s = o.dtype.compute() == DType::F32;
        let values: Vec<f64> = (0..steps)
            .map(|i| {
                // The step and each point are rounded in the dtype that computes.
                if f32s {
                    let (s, e) = (start as f32, end as f32);
                    let step = (e - s) / (steps.max(2) - 1) as f32;
                    let i32s = i as f32;
                    let from_end = (steps - 1 - i) as f32;
                    (if i < steps / 2 { step.mul_add(i32s, s) } else { (-step).mul_add(from_end, e) }) as f64
                } else {
                    let step = (end - start) / (steps.max(2) - 1) as f64;
                    let from_end = (steps - 1 - i) as f64;
                    if i < steps / 2 { step.mul_add(i as f64, start) } else { (-step).mul_add(from_end, end) }
                }
            })
            .collect();
        let values = if steps == 1 { vec![start] } else { values };
        Tensor::from_vec(values, [steps]).to_dtype(o.dtype).to_device(o.device)
    }

    /// `base` to the powers of `linspace(start, end, steps)`, f32 (`torch.logspace`, there by default base 10).
    #[track_caller]
    pub fn logspace(start: f64, end: f64, steps: usize, base: f64) -> Tensor {
        Tensor::logspace_with(start, end, steps, base, Options::default())
    }

    /// As [`logspace`](Self::logspace) with a dtype, a device or both.
    #[track_caller]
    pub fn logspace_with(
        start: f64,
        end: f64,
        steps: usize,
        base: f64,
        options: impl Into<Options>,
    ) -> Tensor {
        let o = options.into();
        if o.device != Device::Cpu {
            let there = (DType::F64, o.device);
            let exponents = Tensor::linspace_with(start, end, steps, there);
            return Tensor::full_with((), base, there).pow(exponents).to_dtype(o.dtype);
        }
        let exponents = Tensor::linspace_with(start, end, steps, DType::F64).to_vec::<f64>();
        let powers: Vec<f64> = exponents.into_iter().map(|e| base.powf(e)).collect();
        Tensor::from_vec(powers, [steps]).to_dtype(o.dtype)
    }

    /// A tensor of a vector's elements, row-major, in their own dtype.
    ///
    /// # Panics
    /// Where the shape has another number of elements.
    #[track_caller]
    pub fn from_vec<T: Element>(data: Vec<T>, shape: impl IntoShape) -> Tensor {
        ok(Tensor::try_from_vec(data, shape))
    }

    /// As [`from_vec`](Self::from_vec), or an error.
    pub fn try_from_vec<T: Element>(data: Vec<T>, shape: impl IntoShape) -> Result<Tensor> {
        Tensor::try_from_slice(&data, shape)
    }

    /// A tensor of a slice's elements, row-major, in their own dtype.
    ///
    /// # Panics
    /// Where the shape has another number of elements.
    #[track_caller]
    pub fn from_slice<T: Element>(data: &[T], shape: impl IntoShape) -> Tensor {
        ok(Tensor::try_from_slice(data, shape))
    }

    /// As [`from_slice`](Self::from_slice), or an error.
    pub fn try_from_slice<T: Element>(data: &[T], shape: impl IntoShape) -> Result<Tensor> {
        let shape = shape.into_shape();
        let wanted = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if wanted != Some(data.len()) {
            let message = format!("{} elements do not fill shape {:?}", data.len(), shape.as_slice());
            return Err(Error::shape("from_slice", message));
        }
        Tensor::produce("from_slice", &shape, T::DTYPE, Device::Cpu, |_, mut out| {
            out.data::<T>()[..data.len()].copy_from_slice(data);
            Ok(())
        })
    }

    /// A bool tensor of a slice's truth values, row-major.
    ///
    /// # Panics
    /// Where the shape has another number of elements.
    #[track_caller]
    pub fn from_bools(data: &[bool], shape: impl IntoShape) -> Tensor {
        Tensor::from_vec(data.iter().map(|&b| b as u8).collect(), shape).to_dtype(DType::Bool)
    }

    /// A tensor from elements' memory, little-endian, row-major: what [`to_bytes`](Self::to_bytes) gives.
    /// Bool bytes that are not 0 become 1.
    pub fn try_from_bytes(bytes: &[u8], shape: impl IntoShape, dtype: DType) -> Result<Tensor> {
        let shape = shape.into_shape();
        let wanted = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d));
        // Sizes beside a 0 cost no memory, but their strides must be numbers.
        let strides = shape.iter().try_fold(1isize, |n, &d| n.checked_mul(isize::try_from(d.max(1)).ok()?));
        if strides.is_none() {
            let message = format!("shape {:?} is too large", shape.as_slice());
            return Err(Error::shape("from_bytes", message));
        }
        if wanted != Some(bytes.len()) {
            let message =
                format!("{} bytes do not fill {dtype} of shape {:?}", bytes.len(), shape.as_slice());
            return Err(Error::shape("from_bytes", message));
        }
        let upload = || {
            let storage = if dtype == DType::Bool && bytes.iter().any(|&b| b > 1) {
                let bools: Vec<u8> = bytes.iter().map(|&b| (b != 0) as u8).collect();
                Device::Cpu.backend()?.upload(&bools)?
            } else {
                Device::Cpu.backend()?.upload(bytes)?
            };
            Ok(Tensor::from_parts(Arc::<Storage>::new(storage), Layout::contiguous(&shape), dtype))
        };
        upload().map_err(Error::kernel("from_bytes"))
    }
}

fn x_backend(device: Device) -> Result<&'static dyn taper_kernels::Backend> {
    device.backend().map_err(Error::kernel("eye"))
}

/// Numbers and nested arrays or vectors of numbers, as [`tensor`] and `Tensor::from` take them.
pub trait NestedArray {
    /// The element type.
    type Element: Copy;
    /// Sizes, outermost first, appended to `shape`.
    fn shape(&self, shape: &mut Dims);
    /// Elements, row-major, appended to `data`.
    ///
    /// # Panics
    /// Where rows of vectors differ in length.
    fn flatten(&self, data: &mut Vec<Self::Element>);
}

macro_rules! nested_leaf {
    ($($t:ty => $value:ident $python:ident;)*) => { $(
        impl NestedArray for $t {
            type Element = $t;
            fn shape(&self, _: &mut Dims) {}
            fn flatten(&self, data: &mut Vec<$t>) { data.push(*self) }
        }
        impl Literal for $t {
            const PYTHON: DType = DType::$python;
            fn build(data: Vec<$t>, shape: &[usize]) -> Result<Tensor> { nested_leaf!(@$value data, shape) }
        }
    )* };
    (@own $d:ident, $s:ident) => { Tensor::try_from_vec($d, $s) };
    (@bools $d:ident, $s:ident) => {
        Tensor::try_from_vec($d.iter().map(|&b| b as u8).collect(), $s).map(|t| t.to_dtype(DType::Bool))
    };
}
/// A number that literals are made of.
pub trait Literal: Copy {
    /// The dtype `torch.tensor` gives such a number.
    const PYTHON: DType;
    /// A tensor of them in their own dtype.
    fn build(data: Vec<Self>, shape: &[usize]) -> Result<Tensor>;
}
nested_leaf! {
    bool => bools Bool; u8 => own U8; i8 => own I8; i16 => own I16; i32 => own I64; i64 => own I64;
    f32 => own F32; f64 => own F32; taper_kernels::f16 => own F16; taper_kernels::bf16 => own BF16;
}

impl<A: NestedArray> NestedArray for [A] {
    type Element = A::Element;
    fn shape(&self, shape: &mut Dims) {
        shape.push(self.len());
        if let Some(first) = self.first() {
            first.shape(shape);
        }
    }
    fn flatten(&self, data: &mut Vec<A::Element>) {
        let shape_of = |a: &A| {
            let mut s = Dims::new();
            a.shape(&mut s);
            s
        };
        for a in self {
            assert!(shape_of(a) == shape_of(&self[0]), "tensor: rows of a nested array differ in length");
            a.flatten(data);
        }
    }
}
macro_rules! nested_container {
    ($([$($g:tt)*] $t:ty),*) => { $(
        impl<A: NestedArray, $($g)*> NestedArray for $t {
            type Element = A::Element;
            fn shape(&self, shape: &mut Dims) { self[..].shape(shape) }
            fn flatten(&self, data: &mut Vec<A::Element>) { self[..].flatten(data) }
        }
    )* };
}
nested_container!([const N: usize] [A; N], [] Vec<A>, [] &[A]);

fn build<A: NestedArray<Element: Literal>>(array: &A) -> Result<Tensor> {
    let (mut shape, mut data) = (Dims::new(), Vec::new());
    array.shape(&mut shape);
    array.flatten(&mut data);
    Literal::build(data, &shape)
}

/// A tensor from a number or nested arrays, with the dtype `torch.tensor` would give it: `f64` and
/// `f32` numbers make f32, `i32` and `i64` make i64, others keep their type. `Tensor::from` keeps
/// every type as it is.
///
/// ```
/// use taper_tensor::{tensor, DType};
/// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!((x.shape(), x.dtype()), (&[2, 2][..], DType::F32));
/// assert_eq!(tensor([1, 2, 3]).dtype(), DType::I64);
/// ```
///
/// # Panics
/// Where rows of nested vectors differ in length.
#[track_caller]
pub fn tensor<A: NestedArray<Element: Literal>>(array: A) -> Tensor {
    ok(build(&array)).to_dtype(<A::Element as Literal>::PYTHON)
}

impl<A: NestedArray<Element: Literal>> From<A> for Tensor {
    /// A tensor from a number or nested arrays, in the numbers' own dtype (see [`tensor`]).
    #[track_caller]
    fn from(array: A) -> Tensor {
        ok(build(&array))
    }
}
