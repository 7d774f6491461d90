//! Asynchronous copies and loads of matrices.

use super::block::{Run, Worker};
use super::regs::{LANES, lanes, put};
use super::warp::{Pending, Warp};
use crate::check::Kind;
use crate::decode::op::{Access, Reg};
use crate::error::FaultKind;
use crate::memory::raw;
use crate::ptx::Space;

impl Worker<'_> {
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
            self.resolve(w, from, bytes, full, Kind::Read)?;
            let host = &self.targets.host;
            for lane in lanes(full) {
                for k in 0..bytes as usize / 4 {
                    // SAFETY: `resolve` checked bounds and alignment.
                    let word = unsafe { raw::load32(host[lane] + 4 * k) };
                    data[lane][4 * k..4 * k + 4].copy_from_slice(&word.to_le_bytes());
                }
            }
        }
        // A short source is filled up with zeros.
        for lane in lanes(m & !full).filter(|&lane| sizes[lane] > 0) {
            let n = sizes[lane];
            let one = Access { bytes: 1, ..from.clone() };
            self.resolve(w, &one, 1, 1 << lane, Kind::Read)?;
            let host = self.targets.host;
            let last = self.targets.at[lane].wrapping_add(n as u64 - 1);
            self.resolve_one(w, Space::Global, last, 1, lane, Kind::Read)?;
            for k in 0..n as usize {
                // SAFETY: the first and the last byte lie in one allocation.
                data[lane][k] = unsafe { raw::load8(host[lane] + k) };
            }
        }
        self.resolve(w, to, bytes, m, Kind::Write(false))?;
        let at = self.targets.at;
        for lane in lanes(m) {
            let (to, pc, group) = (at[lane], w.pc, w.copy_group);
            w.copies.push(Pending { group, to, bytes, data: data[lane], lane: lane as u32, pc });
            if self.check.is_some() {
                // From here on nobody may use the place until the copy has been waited for.
                self.inspect_lane(w, Space::Shared, to, None, bytes, lane, Kind::Write(false))?;
            }
            if let Some(check) = &mut self.check {
                check.pending(to, bytes);
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
                let result = self.inspect_lane(
                    w,
                    Space::Shared,
                    c.to,
                    None,
                    c.bytes,
                    c.lane as usize,
                    Kind::Write(false),
                );
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
        self.resolve(w, a, 16, used, Kind::Read)?;
        let host = &self.targets.host;
        for (k, &reg) in a.regs.iter().enumerate() {
            let mut rows = [[0u32; 8]; 8];
            for (row, values) in rows.iter_mut().enumerate() {
                for (column, value) in values.iter_mut().enumerate() {
                    // SAFETY: `resolve` checked them: 16 bytes a row.
                    *value = unsafe { raw::load16(host[8 * k + row] + 2 * column) } as u32;
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
