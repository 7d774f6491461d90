//! Loads and stores.

use super::block::{Run, Worker};
use super::regs::{LANES, Regs, lanes, put};
use super::warp::Warp;
use crate::check::Kind;
use crate::decode::op::{Access, Reg};
use crate::memory::raw;

impl Worker<'_> {
    #[inline(always)]
    pub(super) fn load(&mut self, w: &mut Warp, a: &Access, m: u32) -> Run<()> {
        let kind = match (a.sync.strong, a.guess) {
            (true, _) => Kind::Peek,
            (false, true) => Kind::Guess,
            (false, false) => Kind::Read,
        };
        self.resolve(w, a, a.total(), m, kind)?;
        let host = &self.targets.host;
        for (k, &reg) in a.regs.iter().enumerate() {
            let offset = k * a.bytes as usize;
            // SAFETY: `resolve` checked bounds and alignment of every address in `host`.
            unsafe {
                match (reg, a.bytes) {
                    (Reg::W(d, _), 4) => {
                        let mut out = [0u32; LANES];
                        for lane in 0..LANES {
                            out[lane] = raw::load32(host[lane] + offset);
                        }
                        put(&mut w.regs, d, &out, m);
                    }
                    (Reg::W(d, bits), _) => {
                        let keep = if bits >= 32 { !0u32 } else { (1 << bits) - 1 };
                        let mut out = [0u32; LANES];
                        for lane in 0..LANES {
                            let at = host[lane] + offset;
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
                            let at = host[lane] + offset;
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

    /// A load of an argument: one place for all lanes.
    #[inline(always)]
    pub(super) fn load_argument(&mut self, w: &mut Warp, a: &Access, at: u32, m: u32) -> Run<()> {
        if at as u64 + a.total() as u64 > self.l.kernel.param_bytes as u64 || !at.is_multiple_of(a.bytes) {
            return self.load(w, a, m);
        }
        let start = self.l.params.as_ptr() as usize + at as usize;
        for (k, &reg) in a.regs.iter().enumerate() {
            // SAFETY: inside the arguments and aligned, as was just checked.
            let value = unsafe { load_one(start + k * a.bytes as usize, a.bytes) };
            let value = match (a.signed, a.bytes) {
                (true, 1) => value as i8 as u64,
                (true, 2) => value as i16 as u64,
                (true, 4) => value as i32 as u64,
                _ => value,
            };
            match reg {
                Reg::W(d, bits) => {
                    let keep = if bits >= 32 { !0u32 } else { (1 << bits) - 1 };
                    put(&mut w.regs, d, &[value as u32 & keep; LANES], m);
                }
                Reg::D(d) => put(&mut w.regs, d, &[value; LANES], m),
                Reg::P(_) => {}
            }
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn store(&mut self, w: &mut Warp, a: &Access, m: u32) -> Run<()> {
        self.resolve(w, a, a.total(), m, Kind::Write(false))?;
        if self.check.is_some() {
            return self.store_checked(w, a, m);
        }
        let host = &self.targets.host;
        for (k, &reg) in a.regs.iter().enumerate() {
            let offset = k * a.bytes as usize;
            match (reg, a.bytes) {
                (Reg::W(s, _), 4) => {
                    let s = &w.regs.w[s as usize].0;
                    if m == !0 {
                        for lane in 0..LANES {
                            // SAFETY: as in `load`.
                            unsafe { raw::store32(host[lane] + offset, s[lane]) }
                        }
                    } else {
                        for lane in lanes(m) {
                            // SAFETY: as in `load`.
                            unsafe { raw::store32(host[lane] + offset, s[lane]) }
                        }
                    }
                }
                _ => {
                    for lane in lanes(m) {
                        // SAFETY: as in `load`.
                        unsafe { store_one(host[lane] + offset, a.bytes, source(&w.regs, reg, lane)) }
                    }
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn store_checked(&mut self, w: &mut Warp, a: &Access, m: u32) -> Run<()> {
        self.fence(w, m, a.sync);
        let (host, at, space, owner) =
            (self.targets.host, self.targets.at, self.targets.space, self.targets.owner);
        for lane in lanes(m) {
            let mut same = true;
            for (k, &reg) in a.regs.iter().enumerate() {
                let keep = if a.bytes == 8 { !0 } else { (1u64 << (8 * a.bytes)) - 1 };
                // SAFETY: as in `load`.
                let old = unsafe { load_one(host[lane] + k * a.bytes as usize, a.bytes) };
                same &= old == source(&w.regs, reg, lane) & keep;
            }
            let kind = if a.sync.strong { Kind::Post } else { Kind::Write(same) };
            self.inspect_lane(w, space, at[lane], owner, a.total(), lane, kind)?;
            for (k, &reg) in a.regs.iter().enumerate() {
                let value = source(&w.regs, reg, lane);
                // SAFETY: as in `load`.
                unsafe { store_one(host[lane] + k * a.bytes as usize, a.bytes, value) }
            }
        }
        Ok(())
    }
}

#[inline(always)]
pub(super) fn source(regs: &Regs, reg: Reg, lane: usize) -> u64 {
    match reg {
        Reg::W(p, _) => regs.w[p as usize].0[lane] as u64,
        Reg::D(p) => regs.d[p as usize].0[lane],
        Reg::P(_) => 0,
    }
}

/// # Safety
/// As [`raw`].
#[inline(always)]
pub(super) unsafe fn load_one(at: usize, bytes: u32) -> u64 {
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
