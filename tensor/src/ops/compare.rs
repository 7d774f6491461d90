//! Relations, truth values and choice.

use super::binary::wrt;
use crate::elementwise::layout_for;
use crate::error::{Error, Result, ok};
use crate::operand::{Operand, Pair, Promotion, result_type, src};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use taper_autograd::op;
use taper_kernels::{CompareOp, DType, Layout, broadcast_shapes};

macro_rules! compare {
    ($($(#[$doc:meta])* $name:ident => $kernel:ident;)*) => {
        impl Tensor { $(
            $(#[$doc])*
            /// Shapes broadcast; the result is bool.
            #[track_caller]
            pub fn $name(&self, other: impl Into<Operand>) -> Tensor {
                let name = stringify!($name);
                let (mut a, mut b) = (self.detach().into(), detached(other.into()));
                let p = ok(Pair::new(name, &mut a, &mut b, Promotion::Same));
                ok(p.compare(name, CompareOp::$kernel))
            }
        )* }
    };
}

compare! {
    /// Whether elements are equal.
    eq => Eq;
    /// Whether elements differ.
    ne => Ne;
    /// Whether elements are less.
    lt => Lt;
    /// Whether elements are less or equal.
    le => Le;
    /// Whether elements are greater.
    gt => Gt;
    /// Whether elements are greater or equal.
    ge => Ge;
    /// Whether both are non-zero.
    logical_and => And;
    /// Whether one or both are non-zero.
    logical_or => Or;
    /// Whether exactly one is non-zero.
    logical_xor => Xor;
}

fn detached(o: Operand) -> Operand {
    match o {
        Operand::Tensor(t) => Operand::Tensor(t.detach()),
        o => o,
    }
}

impl Tensor {
    /// Whether elements are zero; bool.
    #[track_caller]
    pub fn logical_not(&self) -> Tensor {
        self.eq(false)
    }

    /// `a` where `condition` holds, else `b` (`torch.where`). Shapes broadcast; numbers adapt their dtype.
    ///
    /// # Panics
    /// Where `condition` is not bool, or shapes do not broadcast.
    #[track_caller]
    pub fn where_(condition: &Tensor, a: impl Into<Operand>, b: impl Into<Operand>) -> Tensor {
        ok(Tensor::try_where(condition, a, b))
    }

    /// As [`where_`](Self::where_), or an error.
    #[track_caller]
    pub fn try_where(condition: &Tensor, a: impl Into<Operand>, b: impl Into<Operand>) -> Result<Tensor> {
        let (a, b) = (a.into(), b.into());
        let dtype = result_type(&a, &b);
        Tensor::choose("where", condition, a, b, dtype)
    }

    /// `a` where `condition` holds, else `b`, in a dtype.
    #[track_caller]
    fn choose(
        name: &'static str,
        condition: &Tensor,
        mut a: Operand,
        mut b: Operand,
        dtype: DType,
    ) -> Result<Tensor> {
        if condition.dtype() != DType::Bool {
            return Err(Error::dtype(
                name,
                format!("the condition must be bool, it is {}", condition.dtype()),
            ));
        }
        let p = Pair::with_dtype(name, &mut a, &mut b, dtype)?;
        let tensors = p.a.tensor().is_some() || p.b.tensor().is_some();
        if tensors && p.device != condition.device() {
            return Err(Error::Device { op: name, a: condition.device(), b: p.device });
        }
        let shape = broadcast_shapes(condition.shape(), &p.shape).ok_or_else(|| {
            let message = format!(
                "the condition's shape {:?} does not broadcast with {:?}",
                condition.shape(),
                p.shape.as_slice()
            );
            Error::shape(name, message)
        })?;
        let fit = |t: &Tensor| t.layout().broadcast_to(&shape).expect("shapes were checked");
        let (la, lb) = (p.a.tensor().map(fit), p.b.tensor().map(fit));
        let lc = fit(condition);
        let c = condition.with_layout(lc);
        let operands: SmallVec<[&Layout; 3]> =
            [Some(c.layout()), la.as_ref(), lb.as_ref()].into_iter().flatten().collect();
        let layout = layout_for(&shape, &operands);
        let y = Tensor::produce_in(name, layout, dtype, c.device(), |k, out| {
            k.select(c.as_view(), src(p.a, &la), src(p.b, &lb), out)
        })?;
        let o = wrt(op(name, y), p.a, || {
            let c = c.clone();
            move |g: &Tensor| Tensor::where_(&c, g, 0.0)
        });
        let o = wrt(o, p.b, || {
            let c = c.clone();
            move |g: &Tensor| Tensor::where_(&c, 0.0, g)
        });
        Ok(o.done())
    }

    /// `value` where `mask` (bool) holds, else this tensor; keeps this dtype.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: impl Into<Operand>) -> Tensor {
        ok(Tensor::choose("masked_fill", mask, value.into(), self.into(), self.dtype()))
    }

    /// Whether two tensors have one shape and all elements equal (`torch.equal`).
    pub fn equal(&self, other: &Tensor) -> bool {
        self.shape() == other.shape() && self.eq(other).all().item() != 0.0
    }

    /// Whether all elements are close: `|a − b| ≤ atol + rtol·|b|`, shapes broadcasting. NaN is close to
    /// nothing. PyTorch's defaults are `rtol = 1e-5`, `atol = 1e-8`.
    #[track_caller]
    pub fn allclose(&self, other: &Tensor, rtol: f64, atol: f64) -> bool {
        let (a, b) = (self.detach().to_dtype(DType::F64), other.detach().to_dtype(DType::F64));
        let close = (&a - &b).abs().le(b.abs() * rtol + atol) | a.eq(&b);
        close.all().item() != 0.0
    }
}
