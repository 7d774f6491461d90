//! Contexts: the devices' primary ones, others, and each thread's current one.

use super::state::{Context, State, current, healthy, in_context, initialised, of_device};
use super::{Code, Handle, give};
use std::ffi::{c_int, c_void};

fn release(device: c_int) -> Result<(), Code> {
    let mut s = of_device(device)?;
    let primary = s.primary();
    let context = s.contexts.get_mut(&primary).ok_or(Code::InvalidContext)?;
    context.users -= 1;
    if context.users == 0 { forget(&mut s, primary) } else { Ok(()) }
}

/// A context ends, and its device with the last one.
fn forget(s: &mut State, context: Handle) -> Result<(), Code> {
    let device = s.contexts.remove(&context).ok_or(Code::InvalidContext)?.device;
    if s.contexts.values().all(|c| c.device != device) {
        s.on(device, State::end);
    }
    Ok(())
}

fn create(context: *mut Handle, device: c_int) -> Result<(), Code> {
    let mut s = of_device(device)?;
    let (handle, device) = (s.handle(), s.here);
    s.contexts.insert(handle, Context { users: 1, device });
    current(|c| c.push(handle));
    give(context, handle)
}

super::export! {
    /// The primary context of the device, retained once more.
    fn cuDevicePrimaryCtxRetain(context: *mut Handle, device: c_int) {
        let mut s = of_device(device)?;
        let (primary, device) = (s.primary(), s.here);
        s.contexts.entry(primary).or_insert(Context { users: 0, device }).users += 1;
        give(context, primary)
    }
    /// Released as often as retained, the primary context ends; check mode then reports leaks.
    fn cuDevicePrimaryCtxRelease_v2(device: c_int) {
        release(device)
    }
    /// As `cuDevicePrimaryCtxRelease_v2`.
    fn cuDevicePrimaryCtxRelease(device: c_int) {
        release(device)
    }
    /// Ends the primary context at once.
    fn cuDevicePrimaryCtxReset_v2(device: c_int) {
        of_device(device)?.end();
        Ok(())
    }
    /// Whether the primary context is alive.
    fn cuDevicePrimaryCtxGetState(device: c_int, flags: *mut u32, active: *mut c_int) {
        let s = of_device(device)?;
        give(flags, 0)?;
        give(active, s.contexts.contains_key(&s.primary()) as c_int)
    }
    /// Flags of the primary context have no effect.
    fn cuDevicePrimaryCtxSetFlags_v2(device: c_int, _flags: u32) {
        of_device(device).map(|_| ())
    }
    /// A new context, which becomes current. All contexts of a device share its state.
    fn cuCtxCreate_v2(context: *mut Handle, _flags: u32, device: c_int) {
        create(context, device)
    }
    /// As `cuCtxCreate_v2`; affinities have no effect.
    fn cuCtxCreate_v3(context: *mut Handle, _affinity: *mut c_void, _n: c_int, _flags: u32, device: c_int) {
        create(context, device)
    }
    /// As `cuCtxCreate_v2`; parameters have no effect.
    fn cuCtxCreate_v4(context: *mut Handle, _parameters: *mut c_void, _flags: u32, device: c_int) {
        create(context, device)
    }
    /// Ends a context.
    fn cuCtxDestroy_v2(context: Handle) {
        let mut s = initialised()?;
        if (0..s.units.len()).any(|d| s.on(d, |s| s.primary()) == context) {
            return Err(Code::InvalidContext);
        }
        forget(&mut s, context)?;
        current(|c| {
            if c.last() == Some(&context) {
                c.pop();
            }
        });
        Ok(())
    }
    /// Makes a context current in this thread; 0 makes none current.
    fn cuCtxSetCurrent(context: Handle) {
        let s = initialised()?;
        if context != 0 && !s.contexts.contains_key(&context) {
            return Err(Code::InvalidContext);
        }
        current(|c| {
            c.pop();
            if context != 0 {
                c.push(context);
            }
        });
        Ok(())
    }
    /// The thread's current context, or 0.
    fn cuCtxGetCurrent(context: *mut Handle) {
        initialised()?;
        give(context, current(|c| c.last().copied().unwrap_or(0)))
    }
    /// Puts a context on the thread's stack.
    fn cuCtxPushCurrent_v2(context: Handle) {
        if !initialised()?.contexts.contains_key(&context) {
            return Err(Code::InvalidContext);
        }
        current(|c| c.push(context));
        Ok(())
    }
    /// Takes the top of the thread's stack.
    fn cuCtxPopCurrent_v2(context: *mut Handle) {
        initialised()?;
        let top = current(Vec::pop).ok_or(Code::InvalidContext)?;
        if context.is_null() { Ok(()) } else { give(context, top) }
    }
    /// The device of the current context.
    fn cuCtxGetDevice(device: *mut c_int) {
        give(device, in_context()?.here as c_int)
    }
    /// Kernels cannot use another device's memory here; copies can.
    fn cuCtxEnablePeerAccess(peer: Handle, _flags: u32) {
        if !in_context()?.contexts.contains_key(&peer) {
            return Err(Code::InvalidContext);
        }
        Err(Code::PeerAccessUnsupported)
    }
    /// It was never enabled.
    fn cuCtxDisablePeerAccess(_peer: Handle) {
        in_context()?;
        Err(Code::PeerAccessNotEnabled)
    }
    /// Waits for all streams of the device.
    fn cuCtxSynchronize() {
        let mut s = healthy()?;
        s.counts.synchronisations += 1;
        s.run_all();
        s.verdict()
    }
    /// Flags have no effect.
    fn cuCtxSetFlags(_flags: u32) {
        in_context().map(|_| ())
    }
    /// Flags have no effect.
    fn cuCtxGetFlags(flags: *mut u32) {
        in_context()?;
        give(flags, 0)
    }
    /// Limits have no effect.
    fn cuCtxSetLimit(_limit: u32, _value: usize) {
        in_context().map(|_| ())
    }
    /// The device's usual limits: stack, printf buffer, heap.
    fn cuCtxGetLimit(value: *mut usize, limit: u32) {
        in_context()?;
        give(value, match limit {
            0 => 1024,
            1 => 1 << 20,
            2 => 8 << 20,
            _ => return Err(Code::NotSupported),
        })
    }
    /// Cache preferences have no effect.
    fn cuCtxSetCacheConfig(_config: u32) {
        in_context().map(|_| ())
    }
    /// No preference.
    fn cuCtxGetCacheConfig(config: *mut u32) {
        in_context()?;
        give(config, 0)
    }
    /// One priority.
    fn cuCtxGetStreamPriorityRange(least: *mut c_int, greatest: *mut c_int) {
        in_context()?;
        give(least, 0)?;
        give(greatest, 0)
    }
    /// The driver's interface version.
    fn cuCtxGetApiVersion(_context: Handle, version: *mut u32) {
        initialised()?;
        give(version, 3020)
    }
    /// Profilers see nothing here.
    fn cuProfilerStart() {
        in_context().map(|_| ())
    }
    /// Profilers see nothing here.
    fn cuProfilerStop() {
        in_context().map(|_| ())
    }
}
