//! Positions of what is not zero (`kernels/cuda/index.cu`): counted by block, then written where each block's
//! begin. The host must know how many there are, so it waits, once.

use super::context::Context;
use super::launch::{Divisor, Map, Operand, Order, Walk, arg, blocks, tag};
use crate::{Result, Storage, View};

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
        return Err(
            cx.unsupported("nonzero of 2^30 or more elements, or of more than 8 dimensions,", x.dtype)
        );
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
