//! Streams: queues that run when something waits for them.

use super::state::{Event, LaunchWork, State, append, healthy, in_context};
use super::{Code, Handle, give};
use crate::error::FaultKind;
use crate::exec::Dim;
use std::collections::VecDeque;
use std::ffi::{c_int, c_void};

/// Entries a stream keeps before older ones are run, as a real queue would.
const DEEPEST: usize = 1024;
/// Bytes of host data that wait in streams before older work is run.
const STAGED: usize = 256 << 20;

/// A host address that outlives its use by the caller's word.
#[derive(Clone, Copy)]
pub(super) struct HostPtr(pub usize);

/// Something a stream will do.
pub(super) enum Work {
    Launch(Box<LaunchWork>),
    /// Data that was in pageable memory, read when the copy was asked for.
    ToDevice(u64, Vec<u8>),
    /// Pinned memory, read now.
    FromPinned(u64, HostPtr, usize),
    ToHost(HostPtr, u64, usize),
    OnDevice(u64, u64, u64),
    Fill(u64, Vec<u8>, u64),
    Alloc(u64, u64),
    Free(u64),
    /// Passes an event.
    Record(Handle),
    /// Waits for a ticket of another stream.
    Wait(Handle, u64),
    Call(extern "C" fn(*mut c_void), HostPtr),
}

/// A queue of work. Each entry has a ticket, counted from 1.
pub(super) struct Stream {
    queue: VecDeque<Work>,
    done: u64,
    issued: u64,
    /// It waits for the default stream, and that for it.
    blocking: bool,
    staged: usize,
    pub device: usize,
}

impl Stream {
    pub fn new(blocking: bool, device: usize) -> Self {
        Stream { queue: VecDeque::new(), done: 0, issued: 0, blocking, staged: 0, device }
    }
}

impl State {
    /// The stream of a handle; 0, 1 and 2 are names of the current device's default stream.
    pub fn stream(&self, handle: Handle) -> Result<Handle, Code> {
        let handle = if handle <= 2 { self.default_stream() } else { handle };
        if self.streams.contains_key(&handle) { Ok(handle) } else { Err(Code::InvalidHandle) }
    }

    /// Puts work at a stream's end and returns its ticket.
    pub fn push(&mut self, stream: Handle, work: Work) -> Result<u64, Code> {
        let stream = self.stream(stream)?;
        // The default stream and the blocking ones of its device wait for each other.
        let Stream { device, blocking, .. } = self.streams[&stream];
        if blocking {
            let default = self.on(device, |s| s.default_stream());
            let others: Vec<(Handle, u64)> = self
                .streams
                .iter()
                .filter(|(h, s)| {
                    let apart = **h != stream && s.device == device && (stream == default || **h == default);
                    apart && s.blocking && s.done < s.issued
                })
                .map(|(&h, s)| (h, s.issued))
                .collect();
            for (other, ticket) in others {
                self.append(stream, Work::Wait(other, ticket));
            }
        }
        let ticket = self.append(stream, work);
        let (deep, staged) =
            (self.streams[&stream].queue.len() > DEEPEST, self.streams[&stream].staged > STAGED);
        if deep || staged {
            self.run_until(stream, ticket - if staged { 0 } else { DEEPEST as u64 / 2 });
        }
        Ok(ticket)
    }

    fn append(&mut self, stream: Handle, work: Work) -> u64 {
        let s = self.streams.get_mut(&stream).expect("the caller has checked it");
        if let Work::ToDevice(_, data) = &work {
            s.staged += data.len();
        }
        s.queue.push_back(work);
        s.issued += 1;
        s.issued
    }

    /// Whether a ticket has been reached; that of a destroyed stream has.
    pub fn reached(&self, stream: Handle, ticket: u64) -> bool {
        self.streams.get(&stream).is_none_or(|s| s.done >= ticket)
    }

    /// Runs a stream up to a ticket, and what it waits for.
    pub fn run_until(&mut self, stream: Handle, ticket: u64) {
        while !self.reached(stream, ticket) {
            self.step(stream);
        }
    }

    /// Runs one entry.
    pub fn step(&mut self, stream: Handle) {
        let Some(s) = self.streams.get_mut(&stream) else { return };
        let device = s.device;
        let Some(work) = s.queue.pop_front() else { return };
        if let Work::ToDevice(_, data) = &work {
            s.staged -= data.len();
        }
        if let Work::Wait(other, ticket) = work {
            self.run_until(other, ticket);
        } else {
            self.on(device, |s| s.perform(work));
        }
        if let Some(s) = self.streams.get_mut(&stream) {
            s.done += 1;
        }
    }

    /// Runs everything on this device, the youngest stream first: nobody may rely on another order.
    pub fn run_all(&mut self) {
        let here = self.here;
        let handles = self.streams.iter().rev().filter(|s| s.1.device == here).map(|s| *s.0);
        let handles: Vec<Handle> = handles.collect();
        for handle in handles {
            let issued = self.streams.get(&handle).map_or(0, |s| s.issued);
            self.run_until(handle, issued);
        }
    }

    /// Runs a stream to its end.
    pub fn drain(&mut self, stream: Handle) {
        let stream = self.stream(stream).unwrap_or(stream);
        if stream == self.default_stream() {
            let here = self.here;
            let blocking = self.streams.iter().filter(|s| s.1.blocking && s.1.device == here).map(|s| *s.0);
            let blocking: Vec<Handle> = blocking.collect();
            for other in blocking {
                let issued = self.streams[&other].issued;
                self.run_until(other, issued);
            }
        } else {
            let issued = self.streams.get(&stream).map_or(0, |s| s.issued);
            self.run_until(stream, issued);
        }
    }

    fn perform(&mut self, work: Work) {
        // A device that failed does nothing any more; memory is still given back.
        if self.sticky.is_some() && !matches!(work, Work::Free(_)) {
            return;
        }
        let result = match work {
            Work::Launch(launch) => {
                self.run_kernel(&launch);
                Ok(())
            }
            Work::ToDevice(to, data) => self.device_at(to).write(to, &data),
            Work::FromPinned(to, from, len) => {
                // SAFETY: pinned memory lies in the table; the caller of the copy keeps it.
                let data = unsafe { std::slice::from_raw_parts(from.0 as *const u8, len) };
                if self.pinned_range(from.0, len) {
                    self.device_at(to).write(to, data)
                } else {
                    Err(format!(
                        "a copy reads {len} bytes of pinned memory at {:#x} that was freed before it ran",
                        from.0
                    ))
                }
            }
            Work::ToHost(to, from, len) => match self.device_at(from).read(from, len) {
                Ok(data) => {
                    // SAFETY: the caller of the copy gave `len` bytes; pinned ones are checked.
                    unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), to.0 as *mut u8, len) }
                    Ok(())
                }
                Err(e) => Err(e),
            },
            Work::OnDevice(to, from, len) => self.copy(to, from, len),
            Work::Fill(to, pattern, count) => self.device_at(to).memory().fill(to, &pattern, count),
            Work::Alloc(start, len) => {
                let owner = self.owner(start);
                let unit = &mut self.units[owner];
                unit.promised -= len;
                unit.device.memory().commit(start, len).ok_or_else(|| "out of memory in a stream".to_string())
            }
            Work::Free(start) => {
                self.device_at(start).free(start);
                Ok(())
            }
            Work::Record(event) => {
                let now = self.instructions;
                if let Some(Event { passed, .. }) = self.events.get_mut(&event) {
                    *passed = Some(now);
                }
                Ok(())
            }
            Work::Wait(..) => Ok(()),
            Work::Call(f, data) => {
                super::state::in_callback(|| f(data.0 as *mut c_void));
                Ok(())
            }
        };
        if let Err(words) = result {
            self.fail(Code::IllegalAddress, &words);
        }
    }

    /// Copies inside a device, or between two.
    fn copy(&mut self, to: u64, from: u64, len: u64) -> Result<(), String> {
        if self.owner(to) == self.owner(from) {
            return self.device_at(to).memory().copy(to, from, len);
        }
        let mut memory = self.device_at(from).memory();
        let (source, s) = memory.find(from, len).ok_or_else(|| memory.reason(from, len as usize))?;
        drop(memory);
        self.device_at(to).memory().copy_in(to, &source, s, len)
    }

    fn run_kernel(&mut self, l: &LaunchWork) {
        let table = self.device.memory().table();
        let result =
            self.device.launch_with(&l.kernel, l.grid, l.block, l.dynamic, &l.params, &table, l.limit);
        if l.kernel.reached_mutant() && !std::mem::replace(&mut self.mutant_seen, true) {
            self.tell(&format!("the mutated instruction of {} was reached", l.kernel.name()));
        }
        match result {
            Ok(counts) => {
                self.instructions += counts.warp_instructions;
                append("COUNTS", &(counts.json() + "\n"));
            }
            Err(fault) => {
                let code = match fault.kind {
                    FaultKind::OutOfBounds => Code::IllegalAddress,
                    FaultKind::Misaligned => Code::Misaligned,
                    FaultKind::Hang => Code::Timeout,
                    FaultKind::Trap => Code::IllegalInstruction,
                    _ => Code::LaunchFailed,
                };
                let Dim { x, y, z } = l.grid;
                let shape =
                    format!("\n  grid ({x}, {y}, {z}), block ({}, {}, {})", l.block.x, l.block.y, l.block.z);
                self.fail(code, &format!("{fault}{shape}"));
            }
        }
    }

    /// The result of a call that has waited.
    pub fn verdict(&self) -> Result<(), Code> {
        self.sticky.map_or(Ok(()), Err)
    }
}

fn create(stream: *mut Handle, flags: u32) -> Result<(), Code> {
    let mut s = healthy()?;
    if flags > 1 {
        return Err(Code::InvalidValue);
    }
    let (handle, device) = (s.handle(), s.here);
    s.streams.insert(handle, Stream::new(flags & 1 == 0, device));
    give(stream, handle)
}

/// `CUstreamCallback`.
pub type Callback = extern "C" fn(Handle, u32, *mut c_void);

extern "C" fn call_back(data: *mut c_void) {
    // SAFETY: `cuStreamAddCallback` boxed it, for one call.
    let called = unsafe { Box::from_raw(data as *mut (Callback, Handle, usize)) };
    (called.0)(called.1, 0, called.2 as *mut c_void)
}

super::export! {
    /// A new stream; flag 1 makes it independent of the default stream.
    fn cuStreamCreate(stream: *mut Handle, flags: u32) {
        create(stream, flags)
    }
    /// A new stream; priorities have no effect.
    fn cuStreamCreateWithPriority(stream: *mut Handle, flags: u32, _priority: c_int) {
        create(stream, flags)
    }
    /// Ends a stream; its work is still done.
    fn cuStreamDestroy_v2(stream: Handle) {
        let mut s = in_context()?;
        let handle = s.stream(stream)?;
        if stream <= 2 {
            return Err(Code::InvalidHandle);
        }
        s.drain(handle);
        s.streams.remove(&handle);
        Ok(())
    }
    /// Waits for a stream.
    fn cuStreamSynchronize(stream: Handle) {
        let mut s = healthy()?;
        let handle = s.stream(stream)?;
        s.counts.synchronisations += 1;
        s.drain(handle);
        s.verdict()
    }
    /// Whether a stream has done all its work. Asking makes it do a little.
    fn cuStreamQuery(stream: Handle) {
        let mut s = healthy()?;
        let handle = s.stream(stream)?;
        let done = |s: &State| s.streams.get(&handle).is_none_or(|s| s.done == s.issued);
        if done(&s) {
            return Ok(());
        }
        s.step(handle);
        s.verdict()?;
        Err(Code::NotReady)
    }
    /// A stream waits for an event of another one.
    fn cuStreamWaitEvent(stream: Handle, event: Handle, _flags: u32) {
        let mut s = healthy()?;
        let handle = s.stream(stream)?;
        let recorded = s.events.get(&event).ok_or(Code::InvalidHandle)?.recorded;
        if let Some((other, ticket)) = recorded
            && other != handle
        {
            s.push(handle, Work::Wait(other, ticket))?;
        }
        Ok(())
    }
    /// Calls a function of the host in a stream's order.
    fn cuLaunchHostFunc(stream: Handle, f: Option<extern "C" fn(*mut c_void)>, data: *mut c_void) {
        let mut s = healthy()?;
        let f = f.ok_or(Code::InvalidValue)?;
        s.push(stream, Work::Call(f, HostPtr(data as usize))).map(|_| ())
    }
    /// Calls a function of the host in a stream's order, with the stream and what has happened to it.
    fn cuStreamAddCallback(stream: Handle, f: Option<Callback>, data: *mut c_void, _flags: u32) {
        let mut s = healthy()?;
        let called = Box::new((f.ok_or(Code::InvalidValue)?, stream, data as usize));
        s.stream(stream)?;
        s.push(stream, Work::Call(call_back, HostPtr(Box::into_raw(called) as usize))).map(|_| ())
    }
    /// There is one priority.
    fn cuStreamGetPriority(stream: Handle, priority: *mut c_int) {
        healthy()?.stream(stream)?;
        give(priority, 0)
    }
    /// The context of a stream.
    fn cuStreamGetCtx(stream: Handle, context: *mut Handle) {
        healthy()?.stream(stream)?;
        give(context, super::state::current(|c| c.last().copied().unwrap_or(0)))
    }
    /// A number that no other stream has.
    fn cuStreamGetId(stream: Handle, id: *mut u64) {
        let s = healthy()?;
        give(id, s.stream(stream)? as u64)
    }
    /// The flags of a stream.
    fn cuStreamGetFlags(stream: Handle, flags: *mut u32) {
        let s = healthy()?;
        let handle = s.stream(stream)?;
        give(flags, !s.streams[&handle].blocking as u32)
    }
    /// Streams are never being captured: graphs are not supported.
    fn cuStreamIsCapturing(stream: Handle, status: *mut u32) {
        let s = healthy()?;
        s.stream(stream)?;
        give(status, 0)
    }
    /// Graphs are not supported.
    fn cuStreamBeginCapture_v2(_stream: Handle, _mode: u32) {
        Err(Code::NotSupported)
    }
    /// Graphs are not supported.
    fn cuStreamEndCapture(_stream: Handle, _graph: *mut Handle) {
        Err(Code::NotSupported)
    }
    /// Managed memory is everywhere already.
    fn cuStreamAttachMemAsync(stream: Handle, _address: u64, _bytes: usize, _flags: u32) {
        healthy()?.stream(stream).map(|_| ())
    }
}
