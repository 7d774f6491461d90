//! How the result of an elementwise operation lies in memory: as PyTorch's.
//!
//! The order of its dimensions is the first operand's, so that numbers next to each other stay so, and
//! what draws in the order of memory afterwards (dropout) draws what PyTorch draws.

use taper_kernels::{Layout, Strides};

/// The layout of the result of operands that were broadcast to one shape: without gaps, its dimensions in
/// the order of the operands' steps. Where the first operand's steps do not tell two dimensions apart, the
/// next one's do; row-major at last. A backward step counts as row-major, because PyTorch has none.
pub(crate) fn layout_for(shape: &[usize], operands: &[&Layout]) -> Layout {
    let row_major = Layout::contiguous(shape);
    if operands.iter().all(|l| l.is_contiguous()) || row_major.numel() == 0 {
        return row_major;
    }
    let backward = |l: &Layout| l.strides().iter().zip(shape).any(|(&s, &n)| s < 0 && n > 1);
    let steps: Vec<&[isize]> =
        operands.iter().map(|l| if backward(l) { row_major.strides() } else { l.strides() }).collect();
    // The fastest dimension first; sorted as PyTorch's iterator does it, ties included.
    let mut order: Vec<usize> = (0..shape.len()).rev().collect();
    for i in 1..order.len() {
        let mut at = i;
        for before in (0..i).rev() {
            match compare(order[before], order[at], shape, &steps) {
                Relation::Swap => {
                    order.swap(before, at);
                    at = before;
                }
                Relation::Keep => break,
                Relation::Open => {}
            }
        }
    }
    let (mut strides, mut step) = (Strides::from_elem(1, shape.len()), 1);
    for d in order {
        strides[d] = step;
        step *= shape[d] as isize;
    }
    let layout = Layout::new(shape, strides, 0);
    if layout.is_contiguous() { row_major } else { layout }
}

enum Relation {
    Keep,
    Swap,
    /// No operand tells them apart.
    Open,
}

/// Whether dimension `a`, which stands before `b`, should come after it.
fn compare(a: usize, b: usize, shape: &[usize], steps: &[&[isize]]) -> Relation {
    for steps in steps {
        match (steps[a], steps[b]) {
            // Broadcast: nothing to learn here.
            (0, _) | (_, 0) => {}
            (sa, sb) if sa < sb => return Relation::Keep,
            (sa, sb) if sa > sb => return Relation::Swap,
            _ if shape[a] > shape[b] => return Relation::Swap,
            _ => {}
        }
    }
    Relation::Open
}
