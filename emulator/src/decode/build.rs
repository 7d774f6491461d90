//! The decoder's state: register planes, constants, symbols; and operands resolved against them.

use super::mods::Ty;
use super::op::{Access, Inst, Reg, Sync};
use crate::exec::regs::{Plane, Regs};
use crate::ptx::{Instruction, Operand, Space};
use std::collections::HashMap;

/// Special registers that are the same during a whole block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Special {
    Tid(usize),
    Ntid(usize),
    Ctaid(usize),
    Nctaid(usize),
    Lane,
    Warp,
    Nwarp,
    /// A mask of lanes relative to this one: eq, le, lt, ge, gt.
    LaneMask(u8),
    SharedTotal,
    SharedDynamic,
    Zero,
}

/// Names of one function, or of one inlined call of it.
#[derive(Default)]
pub(super) struct Frame {
    pub registers: HashMap<String, (String, u32, Option<u32>)>,
    pub variables: HashMap<String, (Space, u64)>,
    pub labels: HashMap<String, u32>,
    pub targets: HashMap<String, Vec<String>>,
    pub branches: Vec<(usize, String, u32)>,
    pub tables: Vec<(usize, String, u32)>,
    /// Jumps to the end of an inlined function.
    pub returns: Vec<usize>,
    pub inlined: bool,
}

pub(super) struct Builder<'a> {
    /// Addresses of the module's variables.
    pub symbols: &'a HashMap<String, (Space, u64)>,
    pub init: Regs,
    constants: HashMap<(bool, u64), u32>,
    pub specials: Vec<(Special, u32)>,
    pub frames: Vec<Frame>,
    pub code: Vec<Inst>,
    pub local: u64,
    pub capability: u32,
    /// Approximate instructions are bent by this seed.
    pub approximate: Option<u64>,
}

pub(super) type Res<T> = Result<T, String>;

impl<'a> Builder<'a> {
    pub fn new(
        symbols: &'a HashMap<String, (Space, u64)>,
        capability: u32,
        approximate: Option<u64>,
    ) -> Self {
        Builder {
            symbols,
            init: Regs::default(),
            constants: HashMap::new(),
            specials: Vec::new(),
            frames: Vec::new(),
            code: Vec::new(),
            local: 0,
            capability,
            approximate,
        }
    }

    pub fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("a function is being decoded")
    }

    pub fn new_w(&mut self) -> u32 {
        self.init.w.push(Plane([0; 32]));
        self.init.w.len() as u32 - 1
    }

    pub fn new_d(&mut self) -> u32 {
        self.init.d.push(Plane([0; 32]));
        self.init.d.len() as u32 - 1
    }

    pub fn new_p(&mut self) -> u32 {
        self.init.p.push(0);
        self.init.p.len() as u32 - 1
    }

    pub fn declare(&mut self, ty: &str, name: &str, count: Option<u32>) -> Res<()> {
        let n = count.unwrap_or(1);
        let base = match ty {
            "pred" => self.init.p.len() as u32,
            "b64" | "u64" | "s64" | "f64" => self.init.d.len() as u32,
            _ => self.init.w.len() as u32,
        };
        let planes = self.init.w.len() + self.init.d.len() + self.init.p.len();
        if planes + n as usize > 1 << 16 {
            return Err("more than 65536 registers".into());
        }
        for _ in 0..n {
            match ty {
                "pred" => self.new_p(),
                "b64" | "u64" | "s64" | "f64" => self.new_d(),
                "b128" => return Err("128-bit registers are not supported".into()),
                _ => self.new_w(),
            };
        }
        self.frame().registers.insert(name.to_string(), (ty.to_string(), base, count));
        Ok(())
    }

    pub fn constant_w(&mut self, value: u32) -> u32 {
        if let Some(&plane) = self.constants.get(&(false, value as u64)) {
            return plane;
        }
        self.init.w.push(Plane([value; 32]));
        let plane = self.init.w.len() as u32 - 1;
        self.constants.insert((false, value as u64), plane);
        plane
    }

    pub fn constant_d(&mut self, value: u64) -> u32 {
        if let Some(&plane) = self.constants.get(&(true, value)) {
            return plane;
        }
        self.init.d.push(Plane([value; 32]));
        let plane = self.init.d.len() as u32 - 1;
        self.constants.insert((true, value), plane);
        plane
    }

    pub fn register(&self, name: &str) -> Option<Reg> {
        let frame = self.frames.last()?;
        let found = match frame.registers.get(name) {
            Some((ty, base, None)) => Some((ty, *base)),
            _ => {
                let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
                let number = name[stem.len()..].parse::<u32>().ok();
                match (frame.registers.get(stem), number) {
                    (Some((ty, base, Some(count))), Some(k)) if k < *count => Some((ty, base + k)),
                    _ => None,
                }
            }
        };
        let (ty, plane) = found?;
        Some(match ty.as_str() {
            "pred" => Reg::P(plane),
            "b64" | "u64" | "s64" | "f64" => Reg::D(plane),
            _ => Reg::W(plane, crate::ptx::type_bytes(ty) as u32 * 8),
        })
    }

    /// The space and address of a variable that can be seen here.
    pub fn variable(&self, name: &str) -> Option<(Space, u64)> {
        let frame = self.frames.last()?;
        frame.variables.get(name).or_else(|| self.symbols.get(name)).copied()
    }

    fn special(&mut self, name: &str) -> Res<u32> {
        let axis = |s: &str| ["x", "y", "z"].iter().position(|a| *a == s);
        let special = match name.trim_start_matches('%').split_once('.') {
            Some(("tid", a)) => axis(a).map(Special::Tid),
            Some(("ntid", a)) => axis(a).map(Special::Ntid),
            Some(("ctaid", a)) => axis(a).map(Special::Ctaid),
            Some(("nctaid", a)) => axis(a).map(Special::Nctaid),
            _ => match name {
                "%laneid" => Some(Special::Lane),
                "%warpid" => Some(Special::Warp),
                "%nwarpid" => Some(Special::Nwarp),
                "%lanemask_eq" => Some(Special::LaneMask(0)),
                "%lanemask_le" => Some(Special::LaneMask(1)),
                "%lanemask_lt" => Some(Special::LaneMask(2)),
                "%lanemask_ge" => Some(Special::LaneMask(3)),
                "%lanemask_gt" => Some(Special::LaneMask(4)),
                "%total_smem_size" => Some(Special::SharedTotal),
                "%dynamic_smem_size" => Some(Special::SharedDynamic),
                "%smid" | "%gridid" => Some(Special::Zero),
                _ => None,
            },
        };
        let special =
            special.ok_or_else(|| format!("`{name}` is no register, variable or special register"))?;
        if let Some(&(_, plane)) = self.specials.iter().find(|(s, _)| *s == special) {
            return Ok(plane);
        }
        let plane = self.new_w();
        self.specials.push((special, plane));
        Ok(plane)
    }

    /// An operand as a register or a constant of `bits` bits.
    pub fn value(&mut self, operand: &Operand, bits: u32) -> Res<Reg> {
        let wide = bits == 64;
        let constant = |b: &mut Self, v: u64| {
            if wide {
                Reg::D(b.constant_d(v))
            } else {
                let mask = if bits >= 32 { u32::MAX } else { (1 << bits) - 1 };
                Reg::W(b.constant_w(v as u32 & mask), bits)
            }
        };
        match operand {
            Operand::Integer(v) => Ok(constant(self, *v as u64)),
            Operand::Single(v) if wide => Ok(constant(self, (*v as f64).to_bits())),
            Operand::Single(v) => Ok(constant(self, v.to_bits() as u64)),
            Operand::Double(v) if wide => Ok(constant(self, v.to_bits())),
            Operand::Double(v) => Ok(constant(self, (*v as f32).to_bits() as u64)),
            Operand::Name(name) => {
                if let Some(reg) = self.register(name) {
                    return Ok(reg);
                }
                if name == "WARP_SZ" {
                    return Ok(constant(self, 32));
                }
                if let Some((_, address)) = self.variable(name) {
                    return Ok(constant(self, address));
                }
                let plane = self.special(name)?;
                Ok(Reg::W(plane, 32))
            }
            Operand::NameOffset(name, offset) => match self.variable(name) {
                Some((_, address)) => Ok(constant(self, address.wrapping_add(*offset as u64))),
                None => Err(format!("`{name}` is no variable")),
            },
            other => Err(format!("operand {other:?} is not supported here")),
        }
    }

    /// A source of at most 32 bits.
    pub fn w(&mut self, i: &Instruction, at: usize, bits: u32) -> Res<u32> {
        match self.value(operand(i, at)?, bits)? {
            Reg::W(plane, _) => Ok(plane),
            other => Err(format!("operand {} is {other:?} where {bits} bits are needed", at + 1)),
        }
    }

    /// A source of 64 bits.
    pub fn d(&mut self, i: &Instruction, at: usize) -> Res<u32> {
        match self.value(operand(i, at)?, 64)? {
            Reg::D(plane) => Ok(plane),
            other => Err(format!("operand {} is {other:?} where 64 bits are needed", at + 1)),
        }
    }

    /// A predicate, and whether it is negated.
    pub fn p(&mut self, i: &Instruction, at: usize) -> Res<(u32, bool)> {
        self.p_of(operand(i, at)?)
    }

    pub fn p_of(&mut self, operand: &Operand) -> Res<(u32, bool)> {
        match operand {
            Operand::Name(name) | Operand::Not(name) => match self.register(name) {
                Some(Reg::P(plane)) => Ok((plane, matches!(operand, Operand::Not(_)))),
                _ => Err(format!("`{name}` is no predicate")),
            },
            Operand::Integer(v) => {
                let plane = self.new_p();
                self.init.p[plane as usize] = if *v != 0 { !0 } else { 0 };
                Ok((plane, false))
            }
            other => Err(format!("{other:?} is no predicate")),
        }
    }

    /// A destination; `_` is a plane that nobody reads.
    pub fn dst_of(&mut self, operand: &Operand, bits: u32) -> Res<Reg> {
        match operand {
            Operand::Name(name) if name == "_" => Ok(match bits {
                1 => Reg::P(self.new_p()),
                64 => Reg::D(self.new_d()),
                _ => Reg::W(self.new_w(), bits),
            }),
            Operand::Name(name) => self.register(name).ok_or_else(|| format!("`{name}` is no register")),
            other => Err(format!("{other:?} is no register")),
        }
    }

    pub fn dst_w(&mut self, i: &Instruction, at: usize) -> Res<u32> {
        match self.dst_of(operand(i, at)?, 32)? {
            Reg::W(plane, _) => Ok(plane),
            other => Err(format!("operand {} is {other:?} where a 32-bit register is needed", at + 1)),
        }
    }

    pub fn dst_d(&mut self, i: &Instruction, at: usize) -> Res<u32> {
        match self.dst_of(operand(i, at)?, 64)? {
            Reg::D(plane) => Ok(plane),
            other => Err(format!("operand {} is {other:?} where a 64-bit register is needed", at + 1)),
        }
    }

    pub fn dst_p_of(&mut self, operand: &Operand) -> Res<u32> {
        match self.dst_of(operand, 1)? {
            Reg::P(plane) => Ok(plane),
            other => Err(format!("{other:?} is no predicate")),
        }
    }

    /// `[base + offset]`.
    pub fn access(
        &mut self,
        operand: &Operand,
        space: Space,
        bytes: u32,
        signed: bool,
        regs: Vec<Reg>,
    ) -> Res<Access> {
        let Operand::Address(base, offset) = operand else {
            return Err(format!("{operand:?} is no address"));
        };
        let mut space = space;
        let base = match &**base {
            Operand::Name(name) => match self.register(name) {
                Some(reg @ (Reg::D(_) | Reg::W(_, 32))) => {
                    // Likewise where the address has been computed.
                    if space == Space::Param && self.frames.last().is_some_and(|f| f.inlined) {
                        space = Space::Local;
                    }
                    reg
                }
                Some(_) => return Err(format!("`{name}` cannot hold an address")),
                None => {
                    let (home, address) =
                        self.variable(name).ok_or_else(|| format!("`{name}` is no variable"))?;
                    // Arguments of inlined calls live in local memory.
                    if space == Space::Param {
                        space = home;
                    } else if home != space
                        && space != Space::Generic
                        && (home, space) != (Space::Const, Space::Global)
                    {
                        return Err(format!("`{name}` is in {home:?} memory, not in {space:?}"));
                    }
                    if space == Space::Generic {
                        space = home;
                    }
                    Reg::D(self.constant_d(address))
                }
            },
            Operand::Integer(v) => Reg::D(self.constant_d(*v as u64)),
            other => return Err(format!("{other:?} is no address")),
        };
        Ok(Access { space, base, offset: *offset, bytes, signed, regs, sync: Sync::default(), guess: false })
    }

    /// A new piece of every thread's local memory.
    pub fn local_slot(&mut self, bytes: u64, align: u64) -> u64 {
        let at = self.local.next_multiple_of(align.max(1));
        self.local = at + bytes;
        at
    }
}

/// Operand `at`, or an error.
pub(super) fn operand(i: &Instruction, at: usize) -> Res<&Operand> {
    i.operands.get(at).ok_or_else(|| format!("operand {} is missing", at + 1))
}

/// An error where the number of operands is not `n`.
pub(super) fn count(i: &Instruction, n: usize) -> Res<()> {
    if i.operands.len() == n {
        Ok(())
    } else {
        Err(format!("{} operands where {n} are needed", i.operands.len()))
    }
}

/// A constant operand.
pub(super) fn immediate(i: &Instruction, at: usize) -> Res<i128> {
    match operand(i, at)? {
        Operand::Integer(v) => Ok(*v),
        other => Err(format!("{other:?} where a constant is needed")),
    }
}

/// The registers of a vector operand, or the one register.
pub(super) fn elements(operand: &Operand) -> Vec<&Operand> {
    match operand {
        Operand::Vector(list) => list.iter().collect(),
        one => vec![one],
    }
}

pub(super) fn unsupported_type(ty: Ty) -> String {
    format!("not supported for {:?} of {} bits", ty.kind, ty.bits)
}
