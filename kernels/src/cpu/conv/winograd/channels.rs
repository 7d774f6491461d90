//! Copies between images, where a channel is a plane, and memory in which the channels of a pixel lie
//! side by side: there a tile's transform is the same arithmetic on every lane, whatever the image's width.

use crate::cpu::conv::correlate::Lay;
use crate::cpu::gemm::pack::turn;
use crate::cpu::gemm::real::{MAX_LANES, lanes, load, splat, store};
use crate::cpu::simd::Simd;

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

/// A square of vectors, where a copy of what there is of it is turned.
type Square = [[f32; MAX_LANES]; MAX_LANES];

/// Vectors `step` elements apart, turned: lane `i` of each in vector `i`.
///
/// # Safety
/// As many vectors as they have lanes are readable.
#[inline(always)]
pub unsafe fn turned<S: Simd>(s: S, from: *const f32, step: isize) -> [S::f32s; MAX_LANES] {
    let mut t = [splat::<S, f32>(s, 0.0); MAX_LANES];
    for j in 0..lanes::<S, f32>() {
        // SAFETY: the caller's promise.
        t[j] = unsafe { load::<S, f32>(s, from.wrapping_offset(j as isize * step)) };
    }
    turn::<S, f32>(&mut t);
    t
}

/// Whether `count` vectors, `step` elements apart from `start` on, lie in `data`.
#[inline(always)]
pub fn inside(data: &[f32], start: usize, count: usize, lanes: usize, step: isize) -> bool {
    let last = start as isize + (count - 1) as isize * step;
    last.min(start as isize) >= 0 && last.max(start as isize) as usize + lanes <= data.len()
}

/// Copies channels `first..first + channels` of a window of image `n`: pixel after pixel, `pitch`
/// elements apart; up to whole vectors, anything may follow the channels. A vector's worth of pixels
/// after the window is overwritten too.
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
    let mut some: Square = [[0.0; MAX_LANES]; MAX_LANES];
    assert!(to.len() >= (rows * width + lanes) * pitch);
    // A vector of channels after the other: memory is read in few streams, each in order.
    for c0 in (0..channels).step_by(lanes) {
        let count = lanes.min(channels - c0);
        for r in 0..rows {
            let to = &mut to[r * width * pitch + c0..];
            let h = window.start[0] + r as isize;
            let outside = h < 0 || h >= from.size[0] as isize;
            let range = if outside { 0..0 } else { begin..end };
            if !range.is_empty() {
                let column = (begin as isize + window.start[1]) as usize;
                let start = from.lay.at([n, first + c0, h as usize, column]);
                for x in range.clone().step_by(lanes) {
                    let at = start.wrapping_add_signed((x - begin) as isize * of_column);
                    let whole =
                        count == lanes && of_column == 1 && inside(from.data, at, lanes, lanes, of_channel);
                    let (place, step) = if whole {
                        (from.data.as_ptr().wrapping_add(at), of_channel)
                    } else {
                        for (j, some) in some[..count].iter_mut().enumerate() {
                            let at = at.wrapping_add_signed(j as isize * of_channel);
                            for (i, v) in some[..lanes.min(end - x)].iter_mut().enumerate() {
                                *v = from.data[at.wrapping_add_signed(i as isize * of_column)];
                            }
                        }
                        (some.as_ptr().cast(), MAX_LANES as isize)
                    };
                    // SAFETY: vectors inside the source, or the square.
                    let t = unsafe { turned(s, place, step) };
                    // What is stored beyond the row is overwritten by what follows.
                    let to = &mut to[x * pitch..][..(lanes - 1) * pitch + lanes];
                    for i in 0..lanes {
                        // SAFETY: inside the slice.
                        unsafe { store::<S, f32>(t[i], to.as_mut_ptr().add(i * pitch)) };
                    }
                }
            }
            for x in (0..range.start).chain(range.end..width) {
                to[x * pitch..][..lanes].fill(0.0);
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
    let mut some: Square = [[0.0; MAX_LANES]; MAX_LANES];
    for c0 in (0..to.channels).step_by(lanes) {
        let channels = lanes.min(to.channels - c0);
        for h in to.first..to.end {
            for x in (0..to.width).step_by(lanes) {
                let pixels = &from[((h - to.first) * wide + x) * pitch + c0..];
                let pixels = &pixels[..(lanes - 1) * pitch + lanes];
                // SAFETY: inside the slice.
                let t = unsafe { turned(s, pixels.as_ptr(), pitch as isize) };
                let count = lanes.min(to.width - x);
                let left = (to.end - h) * to.width - x;
                let place = to.start.wrapping_offset(h as isize * of_row + x as isize * of_column);
                let place = place.wrapping_offset(c0 as isize * of_channel);
                if channels == lanes && ((count == lanes && of_column == 1) || (dense && left >= lanes)) {
                    for j in 0..lanes {
                        // SAFETY: rows of this job; a whole vector ends inside them.
                        unsafe { store::<S, f32>(t[j], place.wrapping_offset(j as isize * of_channel)) };
                    }
                    continue;
                }
                for j in 0..lanes {
                    // SAFETY: the square has room for the longest vectors.
                    unsafe { store::<S, f32>(t[j], some[j].as_mut_ptr()) };
                }
                for (j, some) in some[..channels].iter().enumerate() {
                    for (i, &v) in some[..count].iter().enumerate() {
                        let by = j as isize * of_channel + i as isize * of_column;
                        // SAFETY: an element of this job's rows.
                        unsafe { *place.wrapping_offset(by) = v };
                    }
                }
            }
        }
    }
}
