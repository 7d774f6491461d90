//! Draws into a view, in PyTorch's order.

use super::Generator;
use super::uniform::{self, Real};
use crate::cpu::walk::Walk;
use crate::{DType, Device, Element, Error, Layout, RandomOp, Result, ViewMut, bf16, dispatch_dtype};

/// Fewest normals that are drawn in blocks.
const BLOCKS_FROM: usize = 16;

/// Fills a view with draws.
///
/// Numbers are drawn in the order of the elements in memory, whatever the order of the dimensions.
/// (A view with a negative step counts as a fresh contiguous tensor, which is what PyTorch has in
/// its place.) Normals of 16 or more contiguous elements are drawn in blocks, others one by one.
///
/// # Errors
/// [`Error::Unsupported`] for uniforms and normals of integers; nothing is drawn then.
pub fn fill(op: RandomOp, generator: &mut Generator, out: ViewMut) -> Result {
    let (g, dtype) = (generator, out.dtype);
    let unsupported = |op| Err(Error::Unsupported { op, dtype, device: Device::Cpu });
    match op {
        RandomOp::Uniform { lo, hi } => dispatch_dtype!(dtype, floats T => {
            draw::<T>(out, |flat, _| T::uniform(g, lo, hi, flat));
        }, else return unsupported("uniform")),
        RandomOp::Normal { mean, std } => dispatch_dtype!(dtype, floats T => {
            draw::<T>(out, |flat, contiguous| if contiguous && flat.len() >= BLOCKS_FROM {
                T::normal_blocks(g, mean, std, flat)
            } else {
                flat.iter_mut().for_each(|o| *o = T::narrow(g.normal().mul_add(std, mean)))
            });
        }, else return unsupported("normal")),
        RandomOp::Int { lo, hi } => {
            let (lo, hi) = representable(dtype, lo, hi);
            match dtype {
                DType::Bool => draw(out, |flat, _| uniform::int(g, lo, hi, flat, |v| (v != 0) as u8)),
                // PyTorch converts through f32.
                DType::BF16 => {
                    draw(out, |flat, _| uniform::int(g, lo, hi, flat, |v| bf16::from_f32(v as f32)))
                }
                _ => dispatch_dtype!(dtype, T => {
                    draw::<T>(out, |flat, _| uniform::int(g, lo, hi, flat, T::from_i64))
                }),
            }
        }
        RandomOp::Bernoulli { p } | RandomOp::Keep { p } => dispatch_dtype!(dtype, T => {
            draw::<T>(out, |flat, _| uniform::bernoulli(g, p, flat))
        }),
        RandomOp::BernoulliEach { p, dtype: of_p } => dispatch_dtype!(dtype, T => {
            bernoulli_each::<T>(g, p, of_p, out)
        }),
        RandomOp::Permutation => {
            let order = g.randperm(out.layout.numel());
            dispatch_dtype!(dtype, T => {
                store(&Walk::new([out.layout]), out, &mut order.into_iter().map(T::from_i64))
            })
        }
    }
    Ok(())
}

/// Bounds of integers for a float dtype: where rounding would carry a draw out of them, they are
/// moved inwards by the dtype's step there, as PyTorch does.
pub(crate) fn representable(dtype: DType, lo: i64, hi: i64) -> (i64, i64) {
    let digits = match dtype {
        DType::F16 => 11,
        DType::BF16 => 8,
        DType::F32 => 24,
        DType::F64 => 53,
        _ => return (lo, hi),
    };
    let rounded = |v: i64| dispatch_dtype!(dtype, T => T::from_i64(v).to_i64());
    let step = |v: i64| 1i64 << (v.unsigned_abs().max(1).ilog2() as i64 - digits + 1).max(0);
    let (low, high) = (rounded(lo.wrapping_add(1)), rounded(hi.wrapping_sub(1)));
    (
        if low < lo { low.saturating_add(step(lo.wrapping_add(1))) } else { lo },
        if high >= hi { high.saturating_sub(step(hi.wrapping_sub(1))) } else { hi },
    )
}

/// True where PyTorch would see a contiguous tensor.
pub(crate) fn acts_contiguous(layout: &Layout) -> bool {
    layout.is_contiguous() || layout.shape().iter().zip(layout.strides()).any(|(&n, &s)| n > 1 && s < 0)
}

/// The order of draws.
fn order<const N: usize>(layouts: [&Layout; N]) -> Walk<N> {
    if acts_contiguous(layouts[0]) { Walk::new(layouts) } else { Walk::any_order(layouts) }
}

/// Calls `f` with the elements in drawing order, and whether they count as contiguous.
fn draw<T: Element>(mut out: ViewMut, f: impl FnOnce(&mut [T], bool)) {
    let (n, contiguous) = (out.layout.numel(), acts_contiguous(out.layout));
    if n == 0 {
        return;
    }
    let span = out.layout.span();
    let dense = out.layout.is_contiguous() || !contiguous && span.len() == n;
    if dense {
        f(&mut out.data()[span], contiguous);
    } else {
        let mut flat = vec![T::default(); n];
        f(&mut flat, contiguous);
        store(&order([out.layout]), out, &mut flat.into_iter());
    }
}

fn store<T: Element>(walk: &Walk<1>, mut out: ViewMut, values: &mut impl Iterator<Item = T>) {
    let data = out.data::<T>();
    let [step] = walk.inner_strides();
    walk.runs(0..walk.numel(), |[at], len| {
        for i in 0..len {
            data[(at as isize + i as isize * step) as usize] = values.next().expect("a value per element");
        }
    });
}

fn bernoulli_each<T: Element>(g: &mut Generator, p: &[f64], of_p: DType, mut out: ViewMut) {
    let row_major = Layout::contiguous(out.layout.shape());
    let walk = order([out.layout, &row_major]);
    let data = out.data::<T>();
    let steps = walk.inner_strides();
    walk.runs(0..walk.numel(), |at, len| {
        for i in 0..len {
            let [o, k] = std::array::from_fn(|j| (at[j] as isize + i as isize * steps[j]) as usize);
            let hit = match of_p {
                DType::F64 => g.unit_f64() < p[k],
                _ => g.unit_f32() < p[k] as f32,
            };
            data[o] = T::from_i64(hit as i64);
        }
    });
}
