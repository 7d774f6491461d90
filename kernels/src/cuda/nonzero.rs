//! Positions of what is not zero (`kernels/cuda/index.cu`): counted by block, then written where each block's
//! begin. The host must know how many there are, so it waits, once.

use super::context::Context;
use super::copy::copy;
use super::elementwise;
use super::launch::{Divisor, Map, Operand, Order, Walk, arg, blocks, launch_limit, tag};
use super::temp::Fitting;
use crate::{BinaryOp, DType, Layout, Result, Scalar, Src, Storage, View, ViewMut};

/// Elements that a thread looks at.
const EACH: usize = 4;

pub(super) fn nonzero(cx: &'static Context, x: View) -> Result<(Storage, usize)> {
    let (shape, tag) = (x.layout.shape(), tag(x.dtype));
    if x.layout.numel() == 0 {
        return Ok((Storage::Cuda(cx.alloc(0)?), 0));
    }
    let from = Operand::At { address: cx.address(&x)?, layout: x.layout, size: x.dtype.size() };
    let walk =
        Walk::<1, 2>::new(Operand::At { address: 0, layout: x.layout, size: 1 }, [from], Order::RowMajor);
    let mut launches: Vec<Map<1, 2>> = Vec::new();
    walk.launches(1, |map, _| {
        launches.push(*map);
        Ok(())
    })?;
    // Places are numbered from the start of a launch.
    let [map] = launches[..] else {
        return match x.layout.numel() > launch_limit() {
            true => in_parts(cx, x),
            // More dimensions than a kernel walks.
            false => nonzero(cx, Fitting::new(cx, x, x.dtype, |_| false)?.view()),
        };
    };
    let parts = blocks(map.count, EACH);
    let counts = cx.alloc(4 * parts as usize)?;
    let starts = cx.alloc(4 * (parts as usize + 1))?;
    let (to_counts, to_starts) = (counts.address(), starts.address());
    // SAFETY: index.cu takes a Map<1> of a view of this device's memory and room for a count of each block;
    // starts.cu the counts and room for as many starts and the total.
    unsafe {
        cx.launch(("index", "count_nonzero", tag), parts, &[arg(&map), arg(&to_counts)])?;
        let all = [arg(&to_counts), arg(&to_starts), arg(&parts)];
        cx.launch(("starts", "starts_of_counts", ""), 1, &all)?;
    }
    let total = cx.download_at(&starts, 4 * parts as usize, 4)?;
    let total = u32::from_le_bytes(total.try_into().expect("4 bytes")) as usize;
    let columns = shape.len() as u32;
    let out = cx.alloc(total * shape.len() * 8)?;
    if total > 0 && columns > 0 {
        let sizes: Vec<u8> = shape.iter().flat_map(|&n| Divisor::new(n).bytes()).collect();
        let sizes = cx.upload(&sizes)?;
        // SAFETY: as above; there is room for a row of indices for each that was counted.
        unsafe {
            let (to_out, to_sizes) = (out.address(), sizes.address());
            let all = [arg(&map), arg(&to_starts), arg(&to_out), arg(&columns), arg(&to_sizes)];
            cx.launch(("index", "nonzero", tag), parts, &all)?;
        }
    }
    Ok((Storage::Cuda(out), total))
}

/// More elements than a launch takes: parts of the first dimension that can be cut, one after the other.
fn in_parts(cx: &'static Context, x: View) -> Result<(Storage, usize)> {
    let shape = x.layout.shape();
    let dims = shape.len();
    let d = shape.iter().position(|&n| n > 1).expect("many elements");
    let rows = (launch_limit() * shape[d] / x.layout.numel()).max(1);
    let (mut parts, mut total) = (Vec::new(), 0);
    for start in (0..shape[d]).step_by(rows) {
        let part = x.layout.slice(d, start, rows.min(shape[d] - start), 1);
        let (mut found, count) = nonzero(cx, View::new(x.storage, x.dtype, &part))?;
        if count > 0 && start > 0 {
            // Their indices in this dimension count from the part's first.
            let column = Layout::new(&[count][..], &[dims as isize][..], d);
            let column = ViewMut::new(&mut found, DType::I64, &column);
            let start = Src::Scalar(Scalar::Int(start as i64));
            elementwise::binary(cx, BinaryOp::Add, Src::Out, start, column)?;
        }
        parts.push((found, count));
        total += count;
    }
    let mut out = Storage::Cuda(cx.alloc(total * dims * 8)?);
    let mut done = 0;
    for (found, count) in &parts {
        let (from, to) =
            (Layout::contiguous(&[count * dims]), Layout::new(&[count * dims][..], &[1][..], done));
        copy(cx, View::new(found, DType::I64, &from), ViewMut::new(&mut out, DType::I64, &to))?;
        done += count * dims;
    }
    Ok((out, total))
}
