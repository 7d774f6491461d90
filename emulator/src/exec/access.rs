//! Memory: addresses are checked and become host addresses, then lanes load, store or update.

use super::block::{Run, Worker};
use super::num::*;
use super::regs::{LANES, Regs, lanes, put};
use super::warp::{Pending, Warp};
use crate::check::{Kind, Who};
use crate::counts::{sectors, wavefronts};
use crate::decode::op::{Access, AtomicOp, AtomicType, Reg};
use crate::error::FaultKind;
use crate::memory::{GENERIC_LOCAL, GENERIC_PARAM, GENERIC_SHARED, raw, window_of};
use crate::ptx::Space;

/// The accesses of a warp, checked: each host address is good for the bytes asked for. Lanes
/// that take no part have the address of one that does.
struct Resolved {
    host: [usize; LANES],
    space: Space,
    /// Addresses in that space.
    at: [u64; LANES],
}

impl Worker<'_> {
    /// Addresses of all lanes, of which those outside of the mask repeat the first active one.
    #[inline(always)]
    fn addresses(regs: &Regs, a: &Access, m: u32) -> [u64; LANES] {
        let mut at = [0u64; LANES];
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
        at
    }

    /// Where a space lies on the host: its first address and its bytes.
    fn region(&mut self, w: &Warp, space: Space) -> (usize, u64) {
        match space {
            Space::Shared => (self.shared.as_mut_ptr() as usize, self.l.shared as u64),
            Space::Param => (self.l.params.as_ptr() as usize, self.l.kernel.param_bytes as u64),
            _ => (w.local.as_ptr() as usize, self.l.kernel.local as u64),
        }
    }

    #[inline(always)]
    fn resolve(&mut self, w: &mut Warp, a: &Access, bytes: u32, m: u32, kind: Kind) -> Run<Resolved> {
        let mut at = Self::addresses(&w.regs, a, m);
        let mut space = a.space;
        if space == Space::Generic {
            let first = window_of(at[0]);
            if at.iter().any(|&x| window_of(x) != first) {
                return self.resolve_mixed(w, at, bytes, m, kind);
            }
            space = match first {
                GENERIC_SHARED => Space::Shared,
                GENERIC_LOCAL => Space::Local,
                GENERIC_PARAM => Space::Param,
                _ => Space::Global,
            };
            for x in &mut at {
                *x -= first;
            }
        }
        let (mut least, mut greatest, mut bits) = (u64::MAX, 0u64, 0u64);
        for lane in 0..LANES {
            least = least.min(at[lane]);
            greatest = greatest.max(at[lane]);
            bits |= at[lane];
        }
        let align = bytes.next_power_of_two() as u64;
        let end = greatest.checked_add(bytes as u64);
        let mut host = [0usize; LANES];
        let inside = match space {
            Space::Global | Space::Const => {
                let hint = &mut self.hints[w.pc as usize];
                let table = self.l.table;
                let mut range = table.ranges.get(*hint as usize);
                if range.is_none_or(|r| least < r.start || least >= r.end) {
                    range = table.find(least).map(|k| {
                        *hint = k as u32;
                        &table.ranges[k]
                    });
                }
                match range {
                    Some(r) if end.is_some_and(|e| e <= r.end) => {
                        let shift = r.host.wrapping_sub(r.start as usize);
                        for lane in 0..LANES {
                            host[lane] = (at[lane] as usize).wrapping_add(shift);
                        }
                        true
                    }
                    _ => false,
                }
            }
            _ => {
                let (start, len) = self.region(w, space);
                let stride = if space == Space::Local { len as usize } else { 0 };
                for lane in 0..LANES {
                    host[lane] = start.wrapping_add(at[lane] as usize).wrapping_add(lane * stride);
                }
                end.is_some_and(|e| e <= len)
            }
        };
        if !inside || bits & (align - 1) != 0 {
            return self.resolve_lanes(w, space, at, bytes, m, kind);
        }
        self.noted(w, Resolved { host, space, at }, bytes, m, kind)
    }

    /// Counts an access that is inside its memory, and checks what it reads.
    #[inline(always)]
    fn noted(&mut self, w: &Warp, resolved: Resolved, bytes: u32, m: u32, kind: Kind) -> Run<Resolved> {
        if self.l.options.counts {
            self.count(resolved.space, &resolved.at, bytes, m, kind);
        }
        if self.check.is_some() && !matches!(kind, Kind::Write(_)) {
            self.inspect(w, &resolved, bytes, m, kind)?;
        }
        Ok(resolved)
    }

    /// One lane at a time: lanes in different allocations, or an error.
    #[cold]
    fn resolve_lanes(
        &mut self,
        w: &Warp,
        space: Space,
        at: [u64; LANES],
        bytes: u32,
        m: u32,
        kind: Kind,
    ) -> Run<Resolved> {
        let mut host = [0usize; LANES];
        let verb = match kind {
            Kind::Read => "read",
            Kind::Write(_) => "write",
            Kind::Atomic => "atomic",
        };
        for lane in lanes(m) {
            let x = at[lane];
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
            match found {
                Ok(address) => host[lane] = address,
                Err(what) => return Err(self.fault(w, FaultKind::OutOfBounds, what, lane as u32)),
            }
        }
        let first = host[m.trailing_zeros() as usize & 31];
        for (lane, h) in host.iter_mut().enumerate() {
            if m >> lane & 1 == 0 {
                *h = first;
            }
        }
        self.noted(w, Resolved { host, space, at }, bytes, m, kind)
    }

    /// Generic addresses of several spaces in one instruction.
    #[cold]
    fn resolve_mixed(
        &mut self,
        w: &mut Warp,
        at: [u64; LANES],
        bytes: u32,
        m: u32,
        kind: Kind,
    ) -> Run<Resolved> {
        let mut host = [0usize; LANES];
        for lane in lanes(m) {
            let window = window_of(at[lane]);
            let space = match window {
                GENERIC_SHARED => Space::Shared,
                GENERIC_LOCAL => Space::Local,
                GENERIC_PARAM => Space::Param,
                _ => Space::Global,
            };
            let one = [at[lane] - window; LANES];
            let r = self.resolve_lanes(w, space, one, bytes, 1 << lane, kind)?;
            // A write is checked when it happens, which a mixed one leaves out of check mode.
            host[lane] = r.host[lane];
        }
        let first = host[m.trailing_zeros() as usize & 31];
        for (lane, h) in host.iter_mut().enumerate() {
            if m >> lane & 1 == 0 {
                *h = first;
            }
        }
        Ok(Resolved { host, space: Space::Generic, at })
    }

    #[cold]
    fn count(&mut self, space: Space, at: &[u64; LANES], bytes: u32, m: u32, kind: Kind) {
        let active: Vec<u64> = lanes(m).map(|lane| at[lane]).collect();
        match space {
            Space::Shared => {
                let (passes, ideal) = wavefronts(&active, bytes);
                self.counts.shared_requests += 1;
                self.counts.shared_wavefronts += passes;
                self.counts.shared_ideal += ideal;
            }
            Space::Global => {
                let r = if kind == Kind::Read {
                    &mut self.counts.global_loads
                } else {
                    &mut self.counts.global_stores
                };
                r.requests += 1;
                r.sectors += sectors(&active, bytes);
                r.bytes += active.len() as u64 * bytes as u64;
            }
            _ => {}
        }
    }

    /// Check mode's look at an access of all lanes.
    #[cold]
    fn inspect(&mut self, w: &Warp, r: &Resolved, bytes: u32, m: u32, kind: Kind) -> Run<()> {
        lanes(m).try_for_each(|lane| self.inspect_lane(w, r.space, r.at[lane], bytes, lane, kind))
    }

    #[cold]
    fn inspect_lane(
        &mut self,
        w: &Warp,
        space: Space,
        at: u64,
        bytes: u32,
        lane: usize,
        kind: Kind,
    ) -> Run<()> {
        let Some(check) = &mut self.check else { return Ok(()) };
        let who = Who {
            block: self.block_index,
            thread: w.index * 32 + lane as u32,
            time: self.time,
            warp_time: w.warp_time,
        };
        let result = match space {
            Space::Shared => check.shared(at, bytes, kind, who, &w.clock),
            Space::Global => {
                let table = self.l.table;
                let owner = table.find(at).map(|k| &table.owners[k]);
                match (owner, kind) {
                    (Some(a), Kind::Write(_)) if a.read_only => {
                        Err((FaultKind::Trap, "a write to read-only memory".to_string()))
                    }
                    (Some(a), Kind::Write(_)) => {
                        a.mark(at - a.start, bytes as u64);
                        Ok(())
                    }
                    (Some(a), _) if !a.is_written(at - a.start, bytes as u64) => {
                        let offset = at - a.start;
                        let what = format!(
                            "uninitialised read of global memory: {bytes} bytes at byte {offset} of the {}-byte allocation at {:#x}",
                            a.len, a.start
                        );
                        Err((FaultKind::Uninitialised, what))
                    }
                    _ => Ok(()),
                }
                .and_then(|()| check.global(at, bytes, kind, who, &w.clock))
            }
            _ => Ok(()),
        };
        result.map_err(|(kind, what)| self.fault(w, kind, what, lane as u32))
    }

    #[inline(always)]
    pub(super) fn load(&mut self, w: &mut Warp, a: &Access, m: u32) -> Run<()> {
        let r = self.resolve(w, a, a.total(), m, Kind::Read)?;
        for (k, &reg) in a.regs.iter().enumerate() {
            let offset = k * a.bytes as usize;
            // SAFETY: `resolve` checked bounds and alignment of every address in `host`.
            unsafe {
                match (reg, a.bytes) {
                    (Reg::W(d, _), 4) => {
                        let mut out = [0u32; LANES];
                        for lane in 0..LANES {
                            out[lane] = raw::load32(r.host[lane] + offset);
                        }
                        put(&mut w.regs, d, &out, m);
                    }
                    (Reg::W(d, bits), _) => {
                        let keep = if bits >= 32 { !0u32 } else { (1 << bits) - 1 };
                        let mut out = [0u32; LANES];
                        for lane in 0..LANES {
                            let at = r.host[lane] + offset;
                            out[lane] = keep
                                & match (a.bytes, a.signed) {
                                    (1, true) => raw::load8(at) as i8 as u32,
                                    (1, false) => raw::load8(at) as u32,
                                    (_, true) => raw::load16(at) as i16 as u32,
                                    (_, false) => raw::load16(at) as u32,
                                };
                        }
                        put(&mut w.regs, d, &out, m);
                    }
                    (Reg::D(d), bytes) => {
                        let mut out = [0u64; LANES];
                        for lane in 0..LANES {
                            let at = r.host[lane] + offset;
                            out[lane] = match (bytes, a.signed) {
                                (8, _) => raw::load64(at),
                                (4, true) => raw::load32(at) as i32 as u64,
                                (4, false) => raw::load32(at) as u64,
                                (2, true) => raw::load16(at) as i16 as u64,
                                (2, false) => raw::load16(at) as u64,
                                (_, true) => raw::load8(at) as i8 as u64,
                                (_, false) => raw::load8(at) as u64,
                            };
                        }
                        put(&mut w.regs, d, &out, m);
                    }
                    (Reg::P(_), _) => {}
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn store(&mut self, w: &mut Warp, a: &Access, m: u32) -> Run<()> {
        let r = self.resolve(w, a, a.total(), m, Kind::Write(false))?;
        if self.check.is_some() {
            return self.store_checked(w, a, &r, m);
        }
        for (k, &reg) in a.regs.iter().enumerate() {
            let offset = k * a.bytes as usize;
            match (reg, a.bytes) {
                (Reg::W(s, _), 4) => {
                    let s = &w.regs.w[s as usize].0;
                    if m == !0 {
                        for lane in 0..LANES {
                            // SAFETY: as in `load`.
                            unsafe { raw::store32(r.host[lane] + offset, s[lane]) }
                        }
                    } else {
                        for lane in lanes(m) {
                            // SAFETY: as in `load`.
                            unsafe { raw::store32(r.host[lane] + offset, s[lane]) }
                        }
                    }
                }
                _ => {
                    for lane in lanes(m) {
                        // SAFETY: as in `load`.
                        unsafe { store_one(r.host[lane] + offset, a.bytes, source(&w.regs, reg, lane)) }
                    }
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn store_checked(&mut self, w: &mut Warp, a: &Access, r: &Resolved, m: u32) -> Run<()> {
        for lane in lanes(m) {
            let mut same = true;
            for (k, &reg) in a.regs.iter().enumerate() {
                let at = r.host[lane] + k * a.bytes as usize;
                let keep = if a.bytes == 8 { !0 } else { (1u64 << (8 * a.bytes)) - 1 };
                // SAFETY: as in `load`.
                same &= unsafe { load_one(at, a.bytes) } == source(&w.regs, reg, lane) & keep;
            }
            self.inspect_lane(w, r.space, r.at[lane], a.total(), lane, Kind::Write(same))?;
            for (k, &reg) in a.regs.iter().enumerate() {
                let at = r.host[lane] + k * a.bytes as usize;
                // SAFETY: as in `load`.
                unsafe { store_one(at, a.bytes, source(&w.regs, reg, lane)) }
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)] // The operands of the instruction.
    pub(super) fn atomic(
        &mut self,
        w: &mut Warp,
        a: &Access,
        op: AtomicOp,
        ty: AtomicType,
        d: Option<Reg>,
        (b, c): (Reg, Option<Reg>),
        m: u32,
    ) -> Run<()> {
        self.counts.atomics += m.count_ones() as u64;
        let r = self.resolve(w, a, a.bytes, m, Kind::Atomic)?;
        for lane in lanes(m) {
            let operand = source(&w.regs, b, lane);
            let other = c.map_or(0, |c| source(&w.regs, c, lane));
            // SAFETY: as in `load`.
            let old = unsafe { raw::update(r.host[lane], a.bytes, |x| combine(op, ty, x, operand, other)) };
            match d {
                Some(Reg::W(d, _)) => w.regs.w[d as usize].0[lane] = old as u32,
                Some(Reg::D(d)) => w.regs.d[d as usize].0[lane] = old,
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn copy_async(
        &mut self,
        w: &mut Warp,
        to: &Access,
        from: &Access,
        bytes: u32,
        size: Option<u32>,
        m: u32,
    ) -> Run<()> {
        let sizes = size.map_or([bytes; LANES], |p| w.regs.w[p as usize].0);
        let full = lanes(m).filter(|&lane| sizes[lane] >= bytes).fold(0u32, |mask, lane| mask | 1 << lane);
        let mut data = [[0u8; 16]; LANES];
        if full != 0 {
            let r = self.resolve(w, from, bytes, full, Kind::Read)?;
            for lane in lanes(full) {
                for k in 0..bytes as usize / 4 {
                    // SAFETY: as in `load`.
                    let word = unsafe { raw::load32(r.host[lane] + 4 * k) };
                    data[lane][4 * k..4 * k + 4].copy_from_slice(&word.to_le_bytes());
                }
            }
        }
        // A short source is filled up with zeros.
        for lane in lanes(m & !full).filter(|&lane| sizes[lane] > 0) {
            let n = sizes[lane];
            let one = Access { bytes: 1, ..from.clone() };
            let r = self.resolve(w, &one, 1, 1 << lane, Kind::Read)?;
            self.resolve_lanes(w, Space::Global, r.at.map(|a| a + n as u64 - 1), 1, 1 << lane, Kind::Read)?;
            for k in 0..n as usize {
                // SAFETY: the first and the last byte lie in one allocation.
                data[lane][k] = unsafe { raw::load8(r.host[lane] + k) };
            }
        }
        let r = self.resolve(w, to, bytes, m, Kind::Write(false))?;
        for lane in lanes(m) {
            let (to, pc, group) = (r.at[lane], w.pc, w.copy_group);
            w.copies.push(Pending { group, to, bytes, data: data[lane], lane: lane as u32, pc });
            if self.check.is_some() {
                // From here on nobody may use the place until the copy has been waited for.
                self.inspect_lane(w, Space::Shared, to, bytes, lane, Kind::Write(false))?;
            }
        }
        Ok(())
    }

    /// Data arrives only when it is waited for, so a forgotten wait shows.
    pub(super) fn copy_wait(&mut self, w: &mut Warp, n: Option<u32>) -> Run<()> {
        let below = n.map_or(u32::MAX, |n| w.copy_group.saturating_sub(n));
        let copies = std::mem::take(&mut w.copies);
        let start = self.shared.as_mut_ptr() as usize;
        for c in copies {
            if c.group >= below {
                w.copies.push(c);
                continue;
            }
            for k in 0..c.bytes as usize / 4 {
                let word = u32::from_le_bytes([
                    c.data[4 * k],
                    c.data[4 * k + 1],
                    c.data[4 * k + 2],
                    c.data[4 * k + 3],
                ]);
                // SAFETY: `copy_async` checked that the place lies in shared memory.
                unsafe { raw::store32(start + c.to as usize + 4 * k, word) }
            }
            if self.check.is_some() {
                let pc = std::mem::replace(&mut w.pc, c.pc);
                let result =
                    self.inspect_lane(w, Space::Shared, c.to, c.bytes, c.lane as usize, Kind::Write(false));
                w.pc = pc;
                result?;
            }
        }
        Ok(())
    }

    pub(super) fn load_matrix(&mut self, w: &mut Warp, a: &Access, transposed: bool, m: u32) -> Run<()> {
        if m != !0 {
            return Err(self.fault(w, FaultKind::Divergence, "`ldmatrix` needs all 32 threads".into(), 0));
        }
        let matrices = a.regs.len();
        // Lanes 8k to 8k + 7 hold the rows' addresses of matrix k; the others' are not used.
        let used = if matrices == 4 { !0 } else { (1u32 << (8 * matrices)) - 1 };
        let r = self.resolve(w, a, 16, used, Kind::Read)?;
        for (k, &reg) in a.regs.iter().enumerate() {
            let mut rows = [[0u32; 8]; 8];
            for (row, values) in rows.iter_mut().enumerate() {
                for (column, value) in values.iter_mut().enumerate() {
                    // SAFETY: as in `load`: 16 bytes a row.
                    *value = unsafe { raw::load16(r.host[8 * k + row] + 2 * column) } as u32;
                }
            }
            let mut out = [0u32; LANES];
            for (lane, value) in out.iter_mut().enumerate() {
                let (row, column) = (lane / 4, lane % 4 * 2);
                *value = if transposed {
                    rows[column][row] | rows[column + 1][row] << 16
                } else {
                    rows[row][column] | rows[row][column + 1] << 16
                };
            }
            if let Reg::W(d, _) = reg {
                put(&mut w.regs, d, &out, m);
            }
        }
        Ok(())
    }
}

#[inline(always)]
fn source(regs: &Regs, reg: Reg, lane: usize) -> u64 {
    match reg {
        Reg::W(p, _) => regs.w[p as usize].0[lane] as u64,
        Reg::D(p) => regs.d[p as usize].0[lane],
        Reg::P(_) => 0,
    }
}

/// # Safety
/// As [`raw`].
unsafe fn load_one(at: usize, bytes: u32) -> u64 {
    // SAFETY: the caller's.
    unsafe {
        match bytes {
            1 => raw::load8(at) as u64,
            2 => raw::load16(at) as u64,
            4 => raw::load32(at) as u64,
            _ => raw::load64(at),
        }
    }
}

/// # Safety
/// As [`raw`].
#[inline(always)]
unsafe fn store_one(at: usize, bytes: u32, value: u64) {
    // SAFETY: the caller's.
    unsafe {
        match bytes {
            1 => raw::store8(at, value as u8),
            2 => raw::store16(at, value as u16),
            4 => raw::store32(at, value as u32),
            _ => raw::store64(at, value),
        }
    }
}

/// What an atomic leaves in memory.
pub(super) fn combine(op: AtomicOp, ty: AtomicType, x: u64, b: u64, c: u64) -> u64 {
    let (x32, b32) = (x as u32, b as u32);
    let small = |small: Small| small.store(small.load(x32) + small.load(b32)) as u64;
    let pair = |small: Small| {
        let low = small.store(small.load(x32) + small.load(b32));
        let high = small.store(small.load(x32 >> 16) + small.load(b32 >> 16));
        (high << 16 | low) as u64
    };
    match (op, ty) {
        (AtomicOp::Exchange, _) => b,
        (AtomicOp::CompareSwap, _) => {
            let keep = if ty.bytes() == 8 { !0 } else { (1u64 << (8 * ty.bytes())) - 1 };
            if x == b & keep { c } else { x }
        }
        (AtomicOp::Add, AtomicType::F32) => bits32(f32_of(x32) + f32_of(b32), false) as u64,
        (AtomicOp::Add, AtomicType::F64) => (f64_of(x) + f64_of(b)).to_bits(),
        (AtomicOp::Add, AtomicType::Half) => small(Small::Half),
        (AtomicOp::Add, AtomicType::Brain) => small(Small::Brain),
        (AtomicOp::Add, AtomicType::HalfPair) => pair(Small::Half),
        (AtomicOp::Add, AtomicType::BrainPair) => pair(Small::Brain),
        (AtomicOp::Add, _) => x.wrapping_add(b),
        (AtomicOp::Min, AtomicType::S32) => (x32 as i32).min(b32 as i32) as u32 as u64,
        (AtomicOp::Max, AtomicType::S32) => (x32 as i32).max(b32 as i32) as u32 as u64,
        (AtomicOp::Min, AtomicType::S64) => (x as i64).min(b as i64) as u64,
        (AtomicOp::Max, AtomicType::S64) => (x as i64).max(b as i64) as u64,
        (AtomicOp::Min, _) => x.min(b),
        (AtomicOp::Max, _) => x.max(b),
        (AtomicOp::And, _) => x & b,
        (AtomicOp::Or, _) => x | b,
        (AtomicOp::Xor, _) => x ^ b,
        (AtomicOp::Increment, _) => {
            if x32 >= b32 {
                0
            } else {
                x + 1
            }
        }
        (AtomicOp::Decrement, _) => {
            if x32 == 0 || x32 > b32 {
                b
            } else {
                x - 1
            }
        }
    }
}
