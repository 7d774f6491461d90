//! The structure of models: what a module holds, by name, in order.

use crate::parameter::{Buffer, Parameter, Training};
use crate::state::{LoadError, LoadReport, load_state_dict};
use taper_tensor::{DType, Device, StateDict, Tensor};

/// Something with parameters: a layer or a model. `#[derive(Module)]` writes it from the struct's
/// fields, in their order and under their names, as PyTorch registers attributes; fields of plain
/// values are passed over, other types take `#[module(skip)]`, and `#[module(rename = "…")]` gives a
/// field another name in the state dict.
///
/// The derive also makes the module print as PyTorch's do (`Display`, unless `#[module(no_display)]`) and
/// be a field of other modules. `#[module(extra_repr = function)]` takes the configuration to print from
/// `fn(&Self) -> String`; `#[module(crate = path)]` names this crate where it is neither `taper_nn` nor
/// `taper::nn`.
///
/// The forward pass is [`Forward`], or a method of its own where a module takes more than one tensor.
///
/// ```
/// use taper_nn::{Forward, Linear, Module};
/// use taper_tensor::Tensor;
///
/// #[derive(Module)]
/// struct Net {
///     hidden: Linear,
///     out: Linear,
/// }
///
/// impl Forward for Net {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         self.out.forward(&self.hidden.forward(x).relu())
///     }
/// }
///
/// let net = Net { hidden: Linear::new(4, 8), out: Linear::new(8, 2) };
/// let keys: Vec<String> = net.state_dict().keys().cloned().collect();
/// assert_eq!(keys, ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]);
/// assert_eq!(net.forward(&Tensor::zeros([3, 4])).shape(), [3, 2]);
/// ```
pub trait Module: Send + Sync {
    /// Shows every parameter, buffer, mode flag and child, in order.
    fn visit(&self, visitor: &mut dyn Visitor);

    /// The type's name, as the summary prints it.
    fn kind(&self) -> &'static str;

    /// The configuration, as PyTorch prints it in a module's representation: `in_features=4, …`.
    fn extra_repr(&self) -> String {
        String::new()
    }

    /// Parameters in order; one that is held twice comes once.
    fn parameters(&self) -> Vec<Parameter> {
        self.named_parameters().into_iter().map(|(_, p)| p).collect()
    }

    /// Parameters with their dotted names, in order; one that is held twice comes once, by its first name.
    fn named_parameters(&self) -> Vec<(String, Parameter)> {
        let mut found: Vec<(String, Parameter)> = Vec::new();
        walk(self, |name, slot| {
            if let Slot::Parameter(p) = slot
                && !found.iter().any(|(_, q)| q.is(p))
            {
                found.push((name.into(), p.clone()));
            }
        });
        found
    }

    /// Buffers with their dotted names, in order.
    fn named_buffers(&self) -> Vec<(String, Buffer)> {
        let mut found = Vec::new();
        walk(self, |name, slot| {
            if let Slot::Buffer(b) = slot {
                found.push((name.into(), b.clone()));
            }
        });
        found
    }

    /// Number of elements of all parameters.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().map(Parameter::numel).sum()
    }

    /// Puts the module and all it holds into training mode, or out of it.
    fn train(&self, on: bool) {
        walk(self, |_, slot| {
            if let Slot::Training(t) = slot {
                t.set(on);
            }
        });
    }

    /// Puts the module and all it holds into evaluation mode.
    fn eval(&self) {
        self.train(false);
    }

    /// Freezes or unfreezes all parameters.
    fn requires_grad_(&self, on: bool) {
        self.parameters().iter().for_each(|p| p.set_requires_grad(on));
    }

    /// Forgets all gradients.
    fn zero_grad(&self) {
        self.parameters().iter().for_each(Parameter::zero_grad);
    }

    /// Converts floating-point parameters and buffers. Gradients are forgotten.
    fn to_dtype(&self, dtype: DType) {
        let convert = |t: Tensor| if t.dtype().is_float() { t.detach().to_dtype(dtype) } else { t };
        self.parameters().iter().for_each(|p| p.set_value(convert(p.value())));
        self.named_buffers().iter().for_each(|(_, b)| b.set_value(convert(b.value())));
    }

    /// Moves parameters, their gradients and buffers to a device. An optimizer of the parameters goes on there.
    fn to_device(&self, device: Device) {
        for p in self.parameters() {
            let (value, grad) = (p.value(), p.grad());
            if value.device() != device {
                p.set_value(value.detach().to_device(device));
                if let Some(g) = grad {
                    p.set_grad(Some(g.detach().to_device(device)));
                }
            }
        }
        self.named_buffers().iter().for_each(|(_, b)| b.set_value(b.value().to_device(device)));
    }

    /// All parameters and persistent buffers by name, in PyTorch's order, detached. The tensors are
    /// values: training on does not change them.
    fn state_dict(&self) -> StateDict {
        let mut dict = StateDict::new();
        walk(self, |name, slot| match slot {
            Slot::Parameter(p) => drop(dict.insert(name, p.value().detach())),
            Slot::Buffer(b) if b.is_persistent() => drop(dict.insert(name, b.value())),
            _ => {}
        });
        dict
    }

    /// Takes the values of a state dict, converted to this module's dtypes and devices.
    ///
    /// All names and shapes are checked before anything changes. With `strict`, names missing from
    /// the dict or unknown to the module are an error; without, they are only reported.
    ///
    /// # Errors
    /// Lists every missing and unexpected name and every shape that differs.
    fn load_state_dict(&self, dict: &StateDict, strict: bool) -> Result<LoadReport, LoadError> {
        let mut slots = Vec::new();
        walk(self, |name, slot| match slot {
            Slot::Parameter(p) => slots.push((name.to_string(), Held::Parameter(p.clone()))),
            Slot::Buffer(b) if b.is_persistent() => slots.push((name.to_string(), Held::Buffer(b.clone()))),
            _ => {}
        });
        load_state_dict(self.kind(), slots, dict, strict)
    }
}

/// A module with one input and one output.
pub trait Forward: Module {
    /// Computes the module's function.
    // Not `#[track_caller]`: it would pass to all implementations, and what panics or is recorded inside
    // a user's `forward` would name the line that called the model.
    fn forward(&self, x: &Tensor) -> Tensor;

    /// Why an input does not fit, where the module can tell before it computes. [`Sequential`](crate::Sequential)
    /// asks first, so that the message names the layer and the user's line.
    ///
    /// # Errors
    /// With the message of the panic that [`forward`](Self::forward) would be.
    fn check_input(&self, _x: &Tensor) -> Result<(), String> {
        Ok(())
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        (**self).visit(visitor);
    }
    fn kind(&self) -> &'static str {
        (**self).kind()
    }
    fn extra_repr(&self) -> String {
        (**self).extra_repr()
    }
}
impl<M: Forward + ?Sized> Forward for Box<M> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        (**self).forward(x)
    }
    fn check_input(&self, x: &Tensor) -> Result<(), String> {
        (**self).check_input(x)
    }
}

/// A parameter or buffer that a state dict can fill.
pub(crate) enum Held {
    Parameter(Parameter),
    Buffer(Buffer),
}

/// What a module shows of itself.
pub enum Slot<'a> {
    /// A parameter.
    Parameter(&'a Parameter),
    /// A buffer.
    Buffer(&'a Buffer),
    /// A mode flag.
    Training(&'a Training),
    /// A module inside.
    Module(&'a dyn Module),
}

/// Receives what a module shows.
pub trait Visitor {
    /// One field: its name and what it holds.
    fn slot(&mut self, name: &str, slot: Slot);
}

/// Calls `f` with the dotted name of everything a module holds, children before what follows them.
///
/// As in PyTorch a module's own parameters come first, then its buffers, then its children.
pub(crate) fn walk<M: Module + ?Sized>(module: &M, mut f: impl FnMut(&str, Slot)) {
    struct Walk<'f> {
        prefix: String,
        pass: usize,
        f: &'f mut dyn FnMut(&str, Slot),
    }
    fn pass_of(slot: &Slot) -> usize {
        match slot {
            Slot::Parameter(_) => 0,
            Slot::Buffer(_) => 1,
            Slot::Training(_) | Slot::Module(_) => 2,
        }
    }
    impl Visitor for Walk<'_> {
        fn slot(&mut self, name: &str, slot: Slot) {
            if pass_of(&slot) != self.pass {
                return;
            }
            let full = format!("{}{name}", self.prefix);
            match slot {
                Slot::Module(m) => {
                    (self.f)(&full, Slot::Module(m));
                    walk_at(m, format!("{full}."), self.f);
                }
                slot => (self.f)(&full, slot),
            }
        }
    }
    fn walk_at(module: &dyn Module, prefix: String, f: &mut dyn FnMut(&str, Slot)) {
        for pass in 0..3 {
            module.visit(&mut Walk { prefix: prefix.clone(), pass, f });
        }
    }
    for pass in 0..3 {
        module.visit(&mut Walk { prefix: String::new(), pass, f: &mut f });
    }
}

/// A struct field that `#[derive(Module)]` can look at.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a module",
    label = "not a module, parameter, buffer or plain value",
    note = "derive Module for it, or mark the field with #[module(skip)]"
)]
pub trait Field {
    /// Shows what the field holds under a name.
    fn show(&self, name: &str, visitor: &mut dyn Visitor);
}

impl Field for Parameter {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        visitor.slot(name, Slot::Parameter(self));
    }
}
impl Field for Buffer {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        visitor.slot(name, Slot::Buffer(self));
    }
}
impl Field for Training {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        visitor.slot(name, Slot::Training(self));
    }
}
impl<F: Field> Field for Option<F> {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        if let Some(f) = self {
            f.show(name, visitor);
        }
    }
}
impl<F: Field + ?Sized> Field for Box<F> {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        (**self).show(name, visitor);
    }
}
impl<F: Field + ?Sized> Field for std::sync::Arc<F> {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        (**self).show(name, visitor);
    }
}
impl<T: ?Sized> Field for std::marker::PhantomData<T> {
    fn show(&self, _: &str, _: &mut dyn Visitor) {}
}
impl Field for dyn Module {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        visitor.slot(name, Slot::Module(self));
    }
}
impl Field for dyn Forward {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        visitor.slot(name, Slot::Module(self));
    }
}
/// Items are named by their position, as in `ModuleList`: `layers.0`, `layers.1`, …
impl<F: Field> Field for Vec<F> {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        for (i, f) in self.iter().enumerate() {
            f.show(&format!("{name}.{i}"), visitor);
        }
    }
}
impl<F: Field, const N: usize> Field for [F; N] {
    fn show(&self, name: &str, visitor: &mut dyn Visitor) {
        for (i, f) in self.iter().enumerate() {
            f.show(&format!("{name}.{i}"), visitor);
        }
    }
}
macro_rules! plain_fields {
    ($($t:ty),*) => { $(
        impl Field for $t {
            fn show(&self, _: &str, _: &mut dyn Visitor) {}
        }
    )* };
}
plain_fields!(
    bool,
    u8,
    i32,
    i64,
    u32,
    u64,
    usize,
    isize,
    f32,
    f64,
    String,
    &'static str,
    DType,
    Device,
    Tensor,
    ()
);
impl<A: Copy, B: Copy> Field for (A, B) {
    fn show(&self, _: &str, _: &mut dyn Visitor) {}
}
impl<R> Field for fn(&Tensor) -> R {
    fn show(&self, _: &str, _: &mut dyn Visitor) {}
}
