//! Tensor-core products. Fragment layouts are those of the PTX manual ("Matrix Fragments for
//! mma.m16n8k…"): a group of four lanes holds a row of A and C and a column of B.
//!
//! Products are exact and sums are single precision in the order of k; real tensor cores
//! truncate, so tests that use them need the tolerances of the formats.

use super::num::*;
use super::regs::{LANES, Regs, put};
use crate::decode::op::{Mma, MmaType, Reg};

fn word(regs: &Regs, reg: Reg, lane: usize) -> u32 {
    match reg {
        Reg::W(p, _) => regs.w[p as usize].0[lane],
        _ => 0,
    }
}

fn wide(regs: &Regs, reg: Reg, lane: usize) -> f64 {
    match reg {
        Reg::D(p) => f64_of(regs.d[p as usize].0[lane]),
        _ => 0.0,
    }
}

/// Where element `e` of a lane's fragment of A lies: row and column.
pub(super) fn place_a(ty: MmaType, e: usize, lane: usize) -> (usize, usize) {
    let (group, member) = (lane / 4, lane % 4);
    match ty {
        MmaType::Double => (group, member),
        MmaType::Tf32 => (group + 8 * (e % 2), member + 4 * (e / 2)),
        // Two halves a register; registers go down, then right.
        MmaType::Half | MmaType::Brain => {
            let register = e / 2;
            (group + 8 * (register % 2), member * 2 + e % 2 + 8 * (register / 2))
        }
        MmaType::Bytes(..) => {
            let register = e / 4;
            (group + 8 * (register % 2), member * 4 + e % 4 + 16 * (register / 2))
        }
    }
}

/// Where element `e` of a lane's fragment of B lies: row and column.
pub(super) fn place_b(ty: MmaType, e: usize, lane: usize) -> (usize, usize) {
    let (group, member) = (lane / 4, lane % 4);
    match ty {
        MmaType::Double => (member, group),
        MmaType::Tf32 => (member + 4 * e, group),
        MmaType::Half | MmaType::Brain => (member * 2 + e % 2 + 8 * (e / 2), group),
        MmaType::Bytes(..) => (member * 4 + e % 4 + 16 * (e / 4), group),
    }
}

/// Where element `e` of a lane's fragment of C and D lies: row and column.
pub(super) fn place_c(e: usize, lane: usize) -> (usize, usize) {
    (lane / 4 + 8 * (e / 2), lane % 4 * 2 + e % 2)
}

fn element(ty: MmaType, second: bool, bits: u32, e: usize) -> f64 {
    match ty {
        MmaType::Half => half_in(bits >> (16 * (e % 2)) & 0xffff) as f64,
        MmaType::Brain => brain_in(bits >> (16 * (e % 2)) & 0xffff) as f64,
        // The tensor core reads 19 of the 32 bits.
        MmaType::Tf32 => f32_of(bits & !0x1fff) as f64,
        MmaType::Double => 0.0,
        MmaType::Bytes(a, b) => {
            let byte = (bits >> (8 * (e % 4))) as u8;
            if if second { b } else { a } { byte as i8 as f64 } else { byte as f64 }
        }
    }
}

/// `D = A·B + C`.
pub(super) fn multiply(regs: &mut Regs, mma: &Mma) {
    let ty = mma.ty;
    let per = match ty {
        MmaType::Half | MmaType::Brain => 2,
        MmaType::Tf32 | MmaType::Double => 1,
        MmaType::Bytes(..) => 4,
    };
    let mut a = [[0f64; 32]; 16];
    let mut b = [[0f64; 8]; 32];
    let mut c = [[0f64; 8]; 16];
    for lane in 0..LANES {
        for e in 0..mma.a.len() * per {
            let (row, column) = place_a(ty, e, lane);
            let reg = mma.a[e / per];
            a[row][column] = if ty == MmaType::Double {
                wide(regs, reg, lane)
            } else {
                element(ty, false, word(regs, reg, lane), e)
            };
        }
        for e in 0..mma.b.len() * per {
            let (row, column) = place_b(ty, e, lane);
            let reg = mma.b[e / per];
            b[row][column] = if ty == MmaType::Double {
                wide(regs, reg, lane)
            } else {
                element(ty, true, word(regs, reg, lane), e)
            };
        }
        for e in 0..mma.m / 4 {
            let (row, column) = place_c(e, lane);
            c[row][column] = match ty {
                MmaType::Double => wide(regs, mma.c[e], lane),
                MmaType::Bytes(..) => word(regs, mma.c[e], lane) as i32 as f64,
                _ if mma.half_in => half_in(word(regs, mma.c[e / 2], lane) >> (16 * (e % 2)) & 0xffff) as f64,
                _ => f32_of(word(regs, mma.c[e], lane)) as f64,
            };
        }
    }
    for row in 0..mma.m {
        for column in 0..8 {
            let mut sum = c[row][column];
            for k in 0..mma.k {
                let product = a[row][k] * b[k][column];
                sum = match ty {
                    MmaType::Double => a[row][k].mul_add(b[k][column], sum),
                    MmaType::Bytes(..) => sum + product,
                    _ => (sum + product) as f32 as f64,
                };
            }
            c[row][column] = sum;
        }
    }
    for register in 0..mma.d.len() {
        let (mut narrow, mut double) = ([0u32; LANES], [0u64; LANES]);
        for lane in 0..LANES {
            let at = |e: usize| {
                let (row, column) = place_c(e, lane);
                c[row][column]
            };
            match ty {
                MmaType::Double => double[lane] = at(register).to_bits(),
                MmaType::Bytes(..) => {
                    let sum = at(register);
                    narrow[lane] = if mma.saturate { sum as i32 as u32 } else { sum as i64 as u32 };
                }
                _ if mma.half_out => {
                    narrow[lane] =
                        half_out(at(2 * register) as f32) | half_out(at(2 * register + 1) as f32) << 16;
                }
                _ => narrow[lane] = bits32(at(register) as f32, false),
            }
        }
        match mma.d[register] {
            Reg::W(d, _) => put(regs, d, &narrow, !0),
            Reg::D(d) => put(regs, d, &double, !0),
            Reg::P(_) => {}
        }
    }
}
