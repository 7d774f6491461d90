//! Copies between images, where a channel is a plane, and memory in which the channels of a pixel lie
//! side by side: there a tile's transform is the same arithmetic on every lane, whatever the image's width.

use crate::cpu::conv::correlate::Lay;
use crate::cpu::gemm::pack::turn;
use crate::cpu::gemm::real::{MAX_LANES, lanes, load, splat, store};
use crate::cpu::simd::{Simd, SimdBase};

/// Images with all their channels.
#[derive(Clone, Copy)]
pub struct Images<'a> {
    pub data: &'a [f32],
    pub lay: Lay,
    pub channels: usize,
    pub size: [usize; 2],
}

/// Which part of an image lies in a frame: rows and columns from `start` on, zeros outside the image.
#[derive(Clone, Copy)]
pub struct Window {
    pub start: [isize; 2],
    pub size: [usize; 2],
}

/// Elements `at`, `at + step`, .. as a vector; those from `count` on, and those outside, may be anything.
#[inline(always)]
fn run<S: Simd>(s: S, data: &[f32], at: usize, step: isize, count: usize) -> S::f32s {
    let lanes = lanes::<S, f32>();
    if step == 1 && at + lanes <= data.len() {
        // SAFETY: inside the slice.
        return unsafe { load::<S, f32>(s, data.as_ptr().add(at)) };
    }
    let mut some = [0.0; MAX_LANES];
    for (i, v) in some[..count.min(lanes)].iter_mut().enumerate() {
        *v = data[at.wrapping_add_signed(i as isize * step)];
    }
    // SAFETY: the array holds the longest vector.
    unsafe { load::<S, f32>(s, some.as_ptr()) }
}

/// Copies channels `first..first + channels` of a window of image `n`: pixel after pixel, `pitch`
/// elements apart (the channels, zeros up to whole vectors).
#[inline(always)]
pub fn gather<S: Simd>(
    s: S,
    from: &Images,
    n: usize,
    [first, channels]: [usize; 2],
    window: Window,
    pitch: usize,
    to: &mut [f32],
) {
    let lanes = lanes::<S, f32>();
    let [rows, width] = window.size;
    // The columns of the window that are inside.
    let begin = (-window.start[1]).max(0) as usize;
    let end = (from.size[1] as isize - window.start[1]).clamp(begin as isize, width as isize) as usize;
    let [_, of_channel, _, of_column] = from.lay.steps;
    // A vector of channels after the other: memory is read in few streams, each in order.
    for c0 in (0..channels).step_by(lanes) {
        for (r, to) in to.chunks_exact_mut(width * pitch).take(rows).enumerate() {
            let h = window.start[0] + r as isize;
            let inside = if h < 0 || h >= from.size[0] as isize { 0..0 } else { begin..end };
            let mut clear = |range: std::ops::Range<usize>| {
                for x in range {
                    to[x * pitch + c0..x * pitch + c0 + lanes].fill(0.0);
                }
            };
            clear(0..inside.start);
            clear(inside.end..width);
            if inside.is_empty() {
                continue;
            }
            let column = (begin as isize + window.start[1]) as usize;
            let start = from.lay.at([n, first + c0, h as usize, column]);
            for x in inside.clone().step_by(lanes) {
                let count = lanes.min(end - x);
                let start = start.wrapping_add_signed((x - begin) as isize * of_column);
                let mut t = [splat::<S, f32>(s, 0.0); MAX_LANES];
                for j in 0..lanes.min(channels - c0) {
                    let at = start.wrapping_add_signed(j as isize * of_channel);
                    t[j] = run(s, from.data, at, of_column, count);
                }
                turn::<S, f32>(&mut t);
                let to = &mut to[x * pitch + c0..(x + count - 1) * pitch + c0 + lanes];
                for (i, v) in t[..count].iter().enumerate() {
                    // SAFETY: the slice ends with the last of the vectors.
                    unsafe { store::<S, f32>(*v, to.as_mut_ptr().add(i * pitch)) };
                }
            }
        }
    }
}

/// Where the results of a job go: some rows of all channels of an image.
#[derive(Clone, Copy)]
pub struct Rows {
    /// Element (channel 0, row 0, column 0) of the image.
    pub start: *mut f32,
    /// Steps of channel, row and column.
    pub steps: [isize; 3],
    pub channels: usize,
    pub first: usize,
    pub end: usize,
    pub width: usize,
}

/// Copies rows of pixels, `pitch` elements apart and `wide` to a row, to where they belong.
///
/// # Safety
/// `from` has all rows and a vector's worth of pixels after the last; no one else uses the rows of `to`.
#[inline(always)]
pub unsafe fn spread<S: Simd>(s: S, from: &[f32], wide: usize, pitch: usize, to: Rows) {
    let lanes = lanes::<S, f32>();
    let [of_channel, of_row, of_column] = to.steps;
    // A whole vector may be stored where what it spoils is stored later: in rows that follow each other.
    let dense = of_column == 1 && of_row == to.width as isize;
    for c0 in (0..to.channels).step_by(lanes) {
        for h in to.first..to.end {
            for x in (0..to.width).step_by(lanes) {
                let pixels = &from[((h - to.first) * wide + x) * pitch + c0..];
                let pixels = &pixels[..(lanes - 1) * pitch + lanes];
                let mut t = [splat::<S, f32>(s, 0.0); MAX_LANES];
                for (i, t) in t[..lanes].iter_mut().enumerate() {
                    // SAFETY: inside the slice.
                    *t = unsafe { load::<S, f32>(s, pixels.as_ptr().add(i * pitch)) };
                }
                turn::<S, f32>(&mut t);
                let count = lanes.min(to.width - x);
                let left = (to.end - h) * to.width - x;
                let place = to.start.wrapping_offset(h as isize * of_row + x as isize * of_column);
                for (j, v) in t[..lanes.min(to.channels - c0)].iter().enumerate() {
                    let place = place.wrapping_offset((c0 + j) as isize * of_channel);
                    // SAFETY: rows of this job; a whole vector ends inside them.
                    unsafe {
                        if (count == lanes && of_column == 1) || (dense && left >= lanes) {
                            store::<S, f32>(*v, place);
                        } else {
                            for (i, &v) in v.as_slice()[..count].iter().enumerate() {
                                *place.wrapping_offset(i as isize * of_column) = v;
                            }
                        }
                    }
                }
            }
        }
    }
}
