//! Events: places in streams.

use super::state::{Event, healthy, in_context};
use super::stream::Work;
use super::{Code, Handle, give};

super::export! {
    /// A new event; flag 2 makes it one without timing.
    fn cuEventCreate(event: *mut Handle, flags: u32) {
        let mut s = healthy()?;
        let handle = s.handle();
        let device = s.here;
        s.events.insert(handle, Event { device, recorded: None, timing: flags & 2 == 0, passed: None });
        give(event, handle)
    }
    /// Ends an event.
    fn cuEventDestroy_v2(event: Handle) {
        let mut s = in_context()?;
        s.events.remove(&event).map(|_| ()).ok_or(Code::InvalidHandle)
    }
    /// Puts an event into a stream.
    fn cuEventRecord(event: Handle, stream: Handle) {
        let mut s = healthy()?;
        let handle = s.stream(stream)?;
        // An event is passed on its own device; any may wait for it.
        if s.events.get(&event).is_none_or(|e| e.device != s.streams[&handle].device) {
            return Err(Code::InvalidHandle);
        }
        s.counts.events += 1;
        let ticket = s.push(handle, Work::Record(event))?;
        if let Some(e) = s.events.get_mut(&event) {
            e.recorded = Some((handle, ticket));
            e.passed = None;
        }
        Ok(())
    }
    /// As `cuEventRecord`; no flag has an effect.
    fn cuEventRecordWithFlags(event: Handle, stream: Handle, _flags: u32) {
        // SAFETY: it takes no pointers.
        match unsafe { cuEventRecord(event, stream) } {
            0 => Ok(()),
            code if code == Code::InvalidHandle as u32 => Err(Code::InvalidHandle),
            _ => healthy().map(|_| ()),
        }
    }
    /// Waits for an event.
    fn cuEventSynchronize(event: Handle) {
        let mut s = healthy()?;
        let recorded = s.events.get(&event).ok_or(Code::InvalidHandle)?.recorded;
        s.counts.synchronisations += 1;
        if let Some((stream, ticket)) = recorded {
            s.run_until(stream, ticket);
        }
        s.verdict()
    }
    /// Whether an event has been passed. Asking makes its stream do a little.
    fn cuEventQuery(event: Handle) {
        let mut s = healthy()?;
        let recorded = s.events.get(&event).ok_or(Code::InvalidHandle)?.recorded;
        match recorded {
            Some((stream, ticket)) if !s.reached(stream, ticket) => {
                s.step(stream);
                s.verdict()?;
                Err(Code::NotReady)
            }
            _ => Ok(()),
        }
    }
    /// No time: millions of warp instructions executed between two events, so that it is
    /// positive and grows. Nothing may be concluded from it.
    fn cuEventElapsedTime(milliseconds: *mut f32, start: Handle, end: Handle) {
        let s = healthy()?;
        let passed = |handle: Handle| {
            let e = s.events.get(&handle).filter(|e| e.timing).ok_or(Code::InvalidHandle)?;
            e.recorded.ok_or(Code::InvalidHandle)?;
            e.passed.ok_or(Code::NotReady)
        };
        let (a, b) = (passed(start)?, passed(end)?);
        give(milliseconds, ((b as f64 - a as f64) / 1e6).max(1e-6) as f32)
    }
    /// As `cuEventElapsedTime`.
    fn cuEventElapsedTime_v2(milliseconds: *mut f32, start: Handle, end: Handle) {
        // SAFETY: the same pointer, for which the caller vouches.
        match unsafe { cuEventElapsedTime(milliseconds, start, end) } {
            0 => Ok(()),
            600 => Err(Code::NotReady),
            _ => Err(Code::InvalidHandle),
        }
    }
}
