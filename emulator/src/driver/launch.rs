//! Launches and occupancy.

use super::state::{LaunchWork, Locked, healthy};
use super::{Code, Handle, give};
use crate::exec::Dim;
use crate::profile::Profile;
use std::ffi::{c_int, c_void};

/// The arguments of a launch, copied from the caller's pointers.
fn arguments(
    params: &[(u32, u32)],
    bytes: u32,
    pointers: *const *const c_void,
    extra: *const *const c_void,
) -> Result<Vec<u8>, Code> {
    let mut out = vec![0u8; bytes as usize];
    if params.is_empty() {
        return Ok(out);
    }
    if !pointers.is_null() {
        for (k, &(at, len)) in params.iter().enumerate() {
            // SAFETY: the caller gives a pointer to each parameter, of the parameter's size.
            unsafe {
                let from = *pointers.add(k) as *const u8;
                if from.is_null() {
                    return Err(Code::InvalidValue);
                }
                std::ptr::copy_nonoverlapping(from, out[at as usize..].as_mut_ptr(), len as usize);
            }
        }
        return Ok(out);
    }
    if extra.is_null() {
        return Err(Code::InvalidValue);
    }
    // A list of names and values: 1 is a buffer, 2 points to its size, 0 ends it.
    let (mut buffer, mut size) = (std::ptr::null::<u8>(), 0usize);
    for k in 0..8 {
        // SAFETY: the caller ends the list with 0.
        let (name, value) = unsafe {
            (
                *extra.add(2 * k) as usize,
                if *extra.add(2 * k) as usize == 0 { std::ptr::null() } else { *extra.add(2 * k + 1) },
            )
        };
        match name {
            0 => break,
            1 => buffer = value as *const u8,
            // SAFETY: the caller points to a size.
            2 => size = unsafe { *(value as *const usize) },
            _ => return Err(Code::InvalidValue),
        }
    }
    if buffer.is_null() || size < bytes as usize {
        return Err(Code::InvalidValue);
    }
    // SAFETY: the caller vouches for `size` bytes, of which no more than that are read.
    out.copy_from_slice(unsafe { std::slice::from_raw_parts(buffer, bytes as usize) });
    Ok(out)
}

/// Blocks of a function that one multiprocessor holds.
fn occupancy(s: &Locked, function: Handle, block: c_int, dynamic: usize) -> Result<u32, Code> {
    let f = s.functions.get(&function).ok_or(Code::InvalidHandle)?;
    if block <= 0 {
        return Err(Code::InvalidValue);
    }
    if block as u32 > f.kernel.max_threads() {
        return Ok(0);
    }
    let shared = (f.kernel.shared_bytes() as usize).saturating_add(dynamic).min(u32::MAX as usize) as u32;
    Ok(s.device.profile().occupancy(block as u32, shared))
}

type SharedOfBlock = Option<extern "C" fn(c_int) -> usize>;

fn best_block(
    grid: *mut c_int,
    block: *mut c_int,
    function: Handle,
    shared: SharedOfBlock,
    dynamic: usize,
    limit: c_int,
) -> Result<(), Code> {
    let s = healthy()?;
    let most = s.functions.get(&function).ok_or(Code::InvalidHandle)?.kernel.max_threads();
    let most = if limit > 0 { most.min(limit as u32) } else { most };
    let (mut best, mut held) = ((0, 0), 0);
    for threads in (1..=most / 32).rev().map(|w| w * 32) {
        let bytes = shared.map_or(dynamic, |f| f(threads as c_int));
        let blocks = occupancy(&s, function, threads as c_int, bytes)?;
        if blocks * threads > held {
            held = blocks * threads;
            best = (blocks, threads);
        }
    }
    give(grid, (best.0 * s.device.profile().multiprocessors) as c_int)?;
    give(block, best.1 as c_int)
}

/// `CUlaunchConfig`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct LaunchConfig {
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Dynamic shared memory.
    pub shared: u32,
    /// The stream.
    pub stream: Handle,
    /// What else is asked for.
    pub attributes: *const LaunchAttribute,
    /// How many attributes.
    pub count: u32,
}

/// `CUlaunchAttribute`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct LaunchAttribute {
    /// Its number.
    pub which: u32,
    /// Nothing.
    pub padding: u32,
    /// Its value.
    pub value: [u32; 16],
}

const COOPERATIVE: u32 = 2;
const CLUSTER: u32 = 4;
/// Events that a launch records.
const EVENT: u32 = 7;
const COMPLETION: u32 = 12;

type Pointers = *const *const c_void;

/// Puts a kernel into a stream. What the device cannot run is refused at once.
fn launch(
    function: Handle,
    grid: [u32; 3],
    block: [u32; 3],
    shared: u32,
    stream: Handle,
    (params, extra): (Pointers, Pointers),
) -> Result<(), Code> {
    let mut s = healthy()?;
    let stream = s.stream(stream)?;
    // Kernels and streams of other devices are none here.
    let here = s.here;
    let f = s.functions.get(&function).filter(|f| f.device == here).ok_or(Code::InvalidHandle)?;
    if s.streams[&stream].device != here {
        return Err(Code::InvalidHandle);
    }
    let (kernel, limit) = (f.kernel.clone(), f.dynamic_limit.saturating_add(f.kernel.shared_bytes()));
    let dim = |[x, y, z]: [u32; 3]| Dim { x, y, z };
    let (grid, block) = (dim(grid), dim(block));
    let total = kernel.shared_bytes().saturating_add(shared);
    if let Some(words) = s.device.refuse(&kernel, grid, block, total, limit) {
        s.tell(&format!("the launch of {} is refused: {words}", kernel.name()));
        return Err(Code::InvalidValue);
    }
    let params = arguments(kernel.params(), kernel.param_bytes, params, extra)?;
    s.counts.launches += 1;
    s.push(stream, LaunchWork { kernel, grid, block, dynamic: shared, limit, params }.into()).map(|_| ())
}

super::export! {
    /// Puts a kernel into a stream. What the device cannot run is refused at once.
    fn cuLaunchKernel(
        function: Handle, gx: u32, gy: u32, gz: u32, bx: u32, by: u32, bz: u32, shared: u32, stream: Handle,
        params: *const *const c_void, extra: *const *const c_void
    ) {
        launch(function, [gx, gy, gz], [bx, by, bz], shared, stream, (params, extra))
    }
    /// As `cuLaunchKernel`, described by a structure. Clusters and cooperation are not supported; other attributes have no effect.
    fn cuLaunchKernelEx(config: *const LaunchConfig, function: Handle, params: *const *const c_void, extra: *const *const c_void) {
        if config.is_null() {
            return Err(Code::InvalidValue);
        }
        // SAFETY: the caller points to a description.
        let c = unsafe { config.read() };
        if c.attributes.is_null() && c.count > 0 {
            return Err(Code::InvalidValue);
        }
        for k in 0..c.count as usize {
            // SAFETY: the caller gives so many attributes.
            let a = unsafe { c.attributes.add(k).read() };
            match a.which {
                COOPERATIVE if a.value[0] != 0 => return Err(Code::NotSupported),
                CLUSTER if a.value[..3] != [1, 1, 1] => return Err(Code::NotSupported),
                EVENT | COMPLETION => return Err(Code::NotSupported),
                _ => {}
            }
        }
        launch(function, c.grid, c.block, c.shared, c.stream, (params, extra))
    }
    /// Blocks run one after another here, so they cannot wait for each other.
    fn cuLaunchCooperativeKernel(
        _function: Handle, _gx: u32, _gy: u32, _gz: u32, _bx: u32, _by: u32, _bz: u32, _shared: u32, _stream: Handle,
        _params: *const *const c_void
    ) {
        Err(Code::NotSupported)
    }
    /// Blocks of a kernel that one multiprocessor holds, as far as threads and shared memory say.
    fn cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks: *mut c_int, function: Handle, block: c_int, dynamic: usize) {
        let s = healthy()?;
        give(blocks, occupancy(&s, function, block, dynamic)? as c_int)
    }
    /// As above; flags have no effect.
    fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks: *mut c_int, function: Handle, block: c_int, dynamic: usize, _flags: u32) {
        let s = healthy()?;
        give(blocks, occupancy(&s, function, block, dynamic)? as c_int)
    }
    /// The block that holds the most threads, and the grid that fills the device.
    fn cuOccupancyMaxPotentialBlockSize(grid: *mut c_int, block: *mut c_int, function: Handle, shared: SharedOfBlock, dynamic: usize, limit: c_int) {
        best_block(grid, block, function, shared, dynamic, limit)
    }
    /// As above; flags have no effect.
    fn cuOccupancyMaxPotentialBlockSizeWithFlags(grid: *mut c_int, block: *mut c_int, function: Handle, shared: SharedOfBlock, dynamic: usize, limit: c_int, _flags: u32) {
        best_block(grid, block, function, shared, dynamic, limit)
    }
    /// Dynamic shared memory a block may use when `blocks` of them share a multiprocessor.
    fn cuOccupancyAvailableDynamicSMemPerBlock(bytes: *mut usize, function: Handle, blocks: c_int, _block: c_int) {
        let s = healthy()?;
        let f = s.functions.get(&function).ok_or(Code::InvalidHandle)?;
        if blocks <= 0 {
            return Err(Code::InvalidValue);
        }
        let p = s.device.profile();
        let reserved = if p.capability.0 >= 8 { 1024 } else { 0 };
        let each = (p.shared_per_multiprocessor / blocks as u32).saturating_sub(reserved);
        let each = each.min(p.shared_per_block_opt_in).saturating_sub(f.kernel.shared_bytes());
        give(bytes, each.min(Profile::SHARED_PER_BLOCK.max(f.dynamic_limit)) as usize)
    }
}
