//! Copies and fills of rectangles: rows that lie a pitch apart.

use super::memory::waiting;
use super::state::{State, healthy};
use super::{Code, Handle, give};
use std::ffi::c_void;

/// `CUDA_MEMCPY2D`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Copy2D {
    /// Where the rectangle begins in the source: bytes in the row, and the row.
    pub source_x: usize,
    /// See `source_x`.
    pub source_y: usize,
    /// 1 host, 2 device, 3 array, 4 any address.
    pub source_type: u32,
    /// The source on the host.
    pub source_host: usize,
    /// The source on the device.
    pub source_device: u64,
    /// Arrays are not supported.
    pub source_array: usize,
    /// Bytes from row to row; 0 where rows follow each other.
    pub source_pitch: usize,
    /// As of the source.
    pub target_x: usize,
    /// As of the source.
    pub target_y: usize,
    /// As of the source.
    pub target_type: u32,
    /// As of the source.
    pub target_host: usize,
    /// As of the source.
    pub target_device: u64,
    /// As of the source.
    pub target_array: usize,
    /// As of the source.
    pub target_pitch: usize,
    /// Bytes of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Where the first row begins and how far the next one is; `u32` is the memory's type.
fn side(
    kind: u32,
    host: usize,
    device: u64,
    x: usize,
    y: usize,
    pitch: usize,
    c: &Copy2D,
) -> Result<(u64, u64), Code> {
    let base = match kind {
        1 => host as u64,
        2 | 4 => device,
        3 => return Err(Code::NotSupported),
        _ => return Err(Code::InvalidValue),
    };
    let pitch = if pitch == 0 { c.width + x } else { pitch };
    if pitch < c.width.checked_add(x).ok_or(Code::InvalidValue)? {
        return Err(Code::InvalidValue);
    }
    let rows = (y as u64).checked_mul(pitch as u64).ok_or(Code::InvalidValue)?;
    Ok((base.wrapping_add(rows).wrapping_add(x as u64), pitch as u64))
}

fn copy(s: &mut State, c: *const Copy2D, stream: Handle) -> Result<(), Code> {
    if c.is_null() {
        return Err(Code::InvalidValue);
    }
    // SAFETY: the caller points to a description.
    let c = unsafe { c.read() };
    let (from, from_pitch) =
        side(c.source_type, c.source_host, c.source_device, c.source_x, c.source_y, c.source_pitch, &c)?;
    let (to, to_pitch) =
        side(c.target_type, c.target_host, c.target_device, c.target_x, c.target_y, c.target_pitch, &c)?;
    let before = s.counts;
    for row in 0..if c.width == 0 { 0 } else { c.height as u64 } {
        let (to, from) = (to.wrapping_add(row * to_pitch), from.wrapping_add(row * from_pitch));
        match (c.target_type, c.source_type) {
            (1, 1) => {
                // SAFETY: the caller vouches for both rectangles.
                unsafe { std::ptr::copy(from as *const u8, to as *mut u8, c.width) }
            }
            (2, 1) => s.copy_to_device(to, from as *const c_void, c.width, stream)?,
            (1, 2) => s.copy_to_host(to as *mut c_void, from, c.width, stream)?,
            (2, 2) => s.on_device(to, from, c.width, stream)?,
            _ => s.any(to, from, c.width, stream)?,
        }
    }
    // The program asked for one copy.
    s.counts.to_device = s.counts.to_device.min(before.to_device + 1);
    s.counts.to_host = s.counts.to_host.min(before.to_host + 1);
    s.counts.on_device = s.counts.on_device.min(before.on_device + 1);
    Ok(())
}

fn fill(
    to: u64,
    pitch: usize,
    pattern: &[u8],
    width: usize,
    height: usize,
    stream: Option<Handle>,
) -> Result<(), Code> {
    let mut s = healthy()?;
    let stream = stream.unwrap_or(s.default_stream());
    let bytes = width.checked_mul(pattern.len()).ok_or(Code::InvalidValue)?;
    if height > 1 && pitch < bytes || !pitch.is_multiple_of(pattern.len()) {
        return Err(Code::InvalidValue);
    }
    let fills = s.counts.fills + 1;
    for row in 0..height as u64 {
        s.fill(to.wrapping_add(row * pitch as u64), pattern, width, stream)?;
    }
    s.counts.fills = fills;
    Ok(())
}

/// Rows begin at multiples of this.
const PITCH: usize = 512;

super::export! {
    /// Memory for rows, each aligned for any access.
    fn cuMemAllocPitch_v2(address: *mut u64, pitch: *mut usize, width: usize, height: usize, element: u32) {
        if !matches!(element, 4 | 8 | 16) || width == 0 || height == 0 {
            return Err(Code::InvalidValue);
        }
        let each = width.checked_next_multiple_of(PITCH).ok_or(Code::OutOfMemory)?;
        let bytes = each.checked_mul(height).ok_or(Code::OutOfMemory)?;
        // SAFETY: the caller's pointer, handed on.
        match unsafe { super::cuMemAlloc_v2(address, bytes) } {
            0 => give(pitch, each),
            2 => Err(Code::OutOfMemory),
            _ => healthy().and(Err(Code::InvalidValue)),
        }
    }
    /// A rectangle, done when it returns.
    fn cuMemcpy2D_v2(copied: *const Copy2D) {
        waiting(|s| { let stream = s.default_stream(); copy(s, copied, stream) })
    }
    /// As `cuMemcpy2D_v2`; any pitch is right.
    fn cuMemcpy2DUnaligned_v2(copied: *const Copy2D) {
        waiting(|s| { let stream = s.default_stream(); copy(s, copied, stream) })
    }
    /// A rectangle, in a stream.
    fn cuMemcpy2DAsync_v2(copied: *const Copy2D, stream: Handle) {
        copy(&mut *healthy()?, copied, stream)
    }
    /// Fills a rectangle with a byte, in the default stream.
    fn cuMemsetD2D8_v2(to: u64, pitch: usize, value: u8, width: usize, height: usize) {
        fill(to, pitch, &[value], width, height, None)
    }
    /// Fills a rectangle with a 16-bit value, in the default stream.
    fn cuMemsetD2D16_v2(to: u64, pitch: usize, value: u16, width: usize, height: usize) {
        fill(to, pitch, &value.to_le_bytes(), width, height, None)
    }
    /// Fills a rectangle with a 32-bit value, in the default stream.
    fn cuMemsetD2D32_v2(to: u64, pitch: usize, value: u32, width: usize, height: usize) {
        fill(to, pitch, &value.to_le_bytes(), width, height, None)
    }
    /// Fills a rectangle with a byte, in a stream.
    fn cuMemsetD2D8Async(to: u64, pitch: usize, value: u8, width: usize, height: usize, stream: Handle) {
        fill(to, pitch, &[value], width, height, Some(stream))
    }
    /// Fills a rectangle with a 16-bit value, in a stream.
    fn cuMemsetD2D16Async(to: u64, pitch: usize, value: u16, width: usize, height: usize, stream: Handle) {
        fill(to, pitch, &value.to_le_bytes(), width, height, Some(stream))
    }
    /// Fills a rectangle with a 32-bit value, in a stream.
    fn cuMemsetD2D32Async(to: u64, pitch: usize, value: u32, width: usize, height: usize, stream: Handle) {
        fill(to, pitch, &value.to_le_bytes(), width, height, Some(stream))
    }
}
