//! Addresses are checked and become host addresses.

use super::block::{Run, Worker};
use super::regs::{LANES, Regs, lanes};
use super::warp::Warp;
use crate::check::Kind;
use crate::decode::op::{Access, Reg};
use crate::error::FaultKind;
use crate::memory::{GENERIC_LOCAL, GENERIC_PARAM, GENERIC_SHARED, window_of};
use crate::ptx::Space;

/// The accesses of a warp, checked: each host address is good for the bytes asked for. Lanes
/// that take no part have the address of one that does.
pub(super) struct Targets {
    pub host: [usize; LANES],
    pub space: Space,
    /// Addresses in that space, or generic ones where lanes are in different spaces.
    pub at: [u64; LANES],
    /// The allocation that all lanes are in, by its number in the table.
    pub owner: Option<u32>,
}

impl Targets {
    pub fn new() -> Self {
        Targets { host: [0; LANES], space: Space::Generic, at: [0; LANES], owner: None }
    }
}

/// The space that a generic address lies in.
pub(super) fn space_of(address: u64) -> Space {
    match window_of(address) {
        GENERIC_SHARED => Space::Shared,
        GENERIC_LOCAL => Space::Local,
        GENERIC_PARAM => Space::Param,
        _ => Space::Global,
    }
}

/// Addresses of all lanes, of which those outside of the mask repeat the first active one.
#[inline(always)]
fn addresses(regs: &Regs, a: &Access, m: u32, at: &mut [u64; LANES]) {
    match a.base {
        Reg::D(p) => {
            let base = &regs.d[p as usize].0;
            for lane in 0..LANES {
                at[lane] = base[lane].wrapping_add(a.offset as u64);
            }
        }
        Reg::W(p, _) => {
            let base = &regs.w[p as usize].0;
            for lane in 0..LANES {
                at[lane] = (base[lane] as u64).wrapping_add(a.offset as u64);
            }
        }
        Reg::P(_) => {}
    }
    if m != !0 {
        let first = at[m.trailing_zeros() as usize & 31];
        for lane in 0..LANES {
            at[lane] = if m >> lane & 1 != 0 { at[lane] } else { first };
        }
    }
}

/// Host addresses of places in memory that starts at `start` and has `len` bytes (each lane of
/// its own where `stride` is not 0); whether all are inside and aligned.
#[inline(always)]
fn place(
    at: &[u64; LANES],
    out: &mut [usize; LANES],
    (start, len): (u64, u64),
    host: usize,
    stride: usize,
    bytes: u32,
) -> bool {
    if (bytes as u64) > len {
        return false;
    }
    let last = len - bytes as u64;
    let (mut outside, mut bits) = (false, 0u64);
    for lane in 0..LANES {
        let offset = at[lane].wrapping_sub(start);
        outside |= offset > last;
        bits |= at[lane];
        out[lane] = host.wrapping_add(offset as usize).wrapping_add(lane * stride);
    }
    !outside && bits & (bytes.next_power_of_two() as u64 - 1) == 0
}

impl Worker<'_> {
    /// Where a space lies on the host: its first address and its bytes.
    fn region(&mut self, w: &Warp, space: Space) -> (usize, u64) {
        match space {
            Space::Shared => (self.shared.as_mut_ptr() as usize, self.l.shared as u64),
            Space::Param => (self.l.params.as_ptr() as usize, self.l.kernel.param_bytes as u64),
            _ => (w.local.as_ptr() as usize, self.l.kernel.local as u64),
        }
    }

    /// Fills `targets` with what an access refers to.
    #[inline(always)]
    pub(super) fn resolve(&mut self, w: &mut Warp, a: &Access, bytes: u32, m: u32, kind: Kind) -> Run<()> {
        let t = &mut self.targets;
        addresses(&w.regs, a, m, &mut t.at);
        t.space = a.space;
        if a.space == Space::Generic {
            let first = window_of(t.at[0]);
            if t.at.iter().any(|&x| window_of(x) != first) {
                return self.resolve_mixed(w, bytes, m, kind);
            }
            t.space = space_of(first);
            for x in &mut t.at {
                *x -= first;
            }
        }
        t.owner = None;
        let good = if matches!(t.space, Space::Global | Space::Const) {
            let hint = &mut self.hints[w.pc as usize];
            let table = self.l.table;
            let mut range = table.ranges.get(*hint as usize);
            if range.is_none_or(|r| t.at[0] < r.start || t.at[0] >= r.end) {
                range = table.find(t.at[0]).map(|k| {
                    *hint = k as u32;
                    &table.ranges[k]
                });
            }
            t.owner = Some(*hint);
            range.is_some_and(|r| place(&t.at, &mut t.host, (r.start, r.end - r.start), r.host, 0, bytes))
        } else {
            let space = t.space;
            let (start, len) = self.region(w, space);
            let stride = if space == Space::Local { len as usize } else { 0 };
            let t = &mut self.targets;
            place(&t.at, &mut t.host, (0, len), start, stride, bytes)
        };
        if !good {
            return self.resolve_lanes(w, bytes, m, kind);
        }
        self.noted(w, bytes, m, kind)
    }

    /// Counts an access that is inside its memory, and checks what it reads.
    #[inline(always)]
    fn noted(&mut self, w: &mut Warp, bytes: u32, m: u32, kind: Kind) -> Run<()> {
        if self.l.options.counts {
            self.count(bytes, m, kind);
        }
        if self.check.is_some() && !kind.writes() {
            self.inspect(w, bytes, m, kind)?;
        }
        Ok(())
    }

    /// One lane at a time: lanes in different allocations, or an error.
    #[cold]
    fn resolve_lanes(&mut self, w: &mut Warp, bytes: u32, m: u32, kind: Kind) -> Run<()> {
        self.targets.owner = None;
        let space = self.targets.space;
        for lane in lanes(m) {
            self.targets.host[lane] = self.resolve_one(w, space, self.targets.at[lane], bytes, lane, kind)?;
        }
        self.repeat_first(m);
        self.noted(w, bytes, m, kind)
    }

    fn repeat_first(&mut self, m: u32) {
        let host = &mut self.targets.host;
        let first = host[m.trailing_zeros() as usize & 31];
        for (lane, h) in host.iter_mut().enumerate() {
            if m >> lane & 1 == 0 {
                *h = first;
            }
        }
    }

    /// The host address of one lane's place.
    pub(super) fn resolve_one(
        &mut self,
        w: &Warp,
        space: Space,
        x: u64,
        bytes: u32,
        lane: usize,
        kind: Kind,
    ) -> Run<usize> {
        let verb = match kind {
            Kind::Read | Kind::Peek | Kind::Guess => "read",
            Kind::Write(_) | Kind::Post => "write",
            Kind::Atomic => "atomic",
        };
        if !x.is_multiple_of(bytes.next_power_of_two() as u64) {
            let what = format!("misaligned {verb} of {bytes} bytes at {x:#x} in {space:?} memory");
            return Err(self.fault(w, FaultKind::Misaligned, what, lane as u32));
        }
        let found = match space {
            Space::Global | Space::Const => {
                let table = self.l.table;
                let range = table.find(x).map(|k| table.ranges[k]);
                let range = range.filter(|r| x.checked_add(bytes as u64).is_some_and(|e| e <= r.end));
                range.map(|r| r.host + (x - r.start) as usize).ok_or_else(|| {
                    format!(
                        "out of bounds: {verb} of {bytes} bytes at {x:#x} in global memory: {}",
                        table.explain(x, bytes as u64)
                    )
                })
            }
            _ => {
                let (start, len) = self.region(w, space);
                let stride = if space == Space::Local { len as usize } else { 0 };
                if x.checked_add(bytes as u64).is_some_and(|e| e <= len) {
                    Ok(start + x as usize + lane * stride)
                } else {
                    Err(format!(
                        "out of bounds: {verb} of {bytes} bytes at byte {x} of {len} bytes of {space:?} memory"
                    ))
                }
            }
        };
        found.map_err(|what| self.fault(w, FaultKind::OutOfBounds, what, lane as u32))
    }

    /// Generic addresses of several spaces in one instruction. Each space is one request.
    #[cold]
    fn resolve_mixed(&mut self, w: &mut Warp, bytes: u32, m: u32, kind: Kind) -> Run<()> {
        let at = self.targets.at;
        for lane in lanes(m) {
            let (space, x) = (space_of(at[lane]), at[lane] - window_of(at[lane]));
            self.targets.host[lane] = self.resolve_one(w, space, x, bytes, lane, kind)?;
        }
        self.repeat_first(m);
        self.targets.owner = None;
        self.targets.space = Space::Generic;
        self.noted(w, bytes, m, kind)
    }
}
