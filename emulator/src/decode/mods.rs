//! Types and modifiers of an opcode. A modifier that nobody took is an error, never ignored.

use super::op::Sync;
use crate::exec::num::Round;

/// The kind of number a type holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pred,
    Bits,
    Unsigned,
    Signed,
    Float,
    Half,
    Brain,
    HalfPair,
    BrainPair,
    Tf32,
    E4m3Pair,
    E5m2Pair,
}

/// A type of PTX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ty {
    pub kind: Kind,
    pub bits: u32,
}

impl Ty {
    pub fn parse(name: &str) -> Option<Ty> {
        let ty = |kind, bits| Some(Ty { kind, bits });
        match name {
            "pred" => ty(Kind::Pred, 1),
            "b8" => ty(Kind::Bits, 8),
            "b16" => ty(Kind::Bits, 16),
            "b32" => ty(Kind::Bits, 32),
            "b64" => ty(Kind::Bits, 64),
            "b128" => ty(Kind::Bits, 128),
            "u8" => ty(Kind::Unsigned, 8),
            "u16" => ty(Kind::Unsigned, 16),
            "u32" => ty(Kind::Unsigned, 32),
            "u64" => ty(Kind::Unsigned, 64),
            "s8" => ty(Kind::Signed, 8),
            "s16" => ty(Kind::Signed, 16),
            "s32" => ty(Kind::Signed, 32),
            "s64" => ty(Kind::Signed, 64),
            "f32" => ty(Kind::Float, 32),
            "f64" => ty(Kind::Float, 64),
            "f16" => ty(Kind::Half, 16),
            "bf16" => ty(Kind::Brain, 16),
            "f16x2" => ty(Kind::HalfPair, 32),
            "bf16x2" => ty(Kind::BrainPair, 32),
            "e4m3x2" => ty(Kind::E4m3Pair, 16),
            "e5m2x2" => ty(Kind::E5m2Pair, 16),
            "tf32" => ty(Kind::Tf32, 32),
            _ => None,
        }
    }

    pub fn wide(self) -> bool {
        self.bits == 64
    }

    pub fn signed(self) -> bool {
        self.kind == Kind::Signed
    }

    /// Bits, unsigned or signed.
    pub fn integer(self) -> bool {
        matches!(self.kind, Kind::Bits | Kind::Unsigned | Kind::Signed)
    }

    pub fn is(self, kind: Kind, bits: u32) -> bool {
        self.kind == kind && self.bits == bits
    }
}

/// The modifiers of one instruction that nobody has taken yet.
pub(super) struct Mods<'a> {
    left: Vec<&'a str>,
}

impl<'a> Mods<'a> {
    pub fn new(all: &'a [String]) -> Self {
        Mods { left: all.iter().map(String::as_str).collect() }
    }

    /// Takes the modifier, says whether it was there.
    pub fn take(&mut self, name: &str) -> bool {
        match self.left.iter().position(|m| *m == name) {
            Some(at) => {
                self.left.remove(at);
                true
            }
            None => false,
        }
    }

    /// Takes the first of these that is there.
    pub fn one_of<T: Copy>(&mut self, names: &[(&str, T)]) -> Option<T> {
        names.iter().find(|(name, _)| self.take(name)).map(|&(_, value)| value)
    }

    /// Takes the last modifier, which is the type.
    pub fn ty(&mut self) -> Result<Ty, String> {
        let name = self.left.pop().ok_or("no type")?;
        Ty::parse(name).ok_or_else(|| format!("`.{name}` is no type that is supported"))
    }

    /// Takes the first modifier.
    pub fn first(&mut self) -> Option<&'a str> {
        if self.left.is_empty() { None } else { Some(self.left.remove(0)) }
    }

    pub fn round(&mut self) -> Option<Round> {
        self.one_of(&[("rn", Round::Near), ("rz", Round::Zero), ("rm", Round::Down), ("rp", Round::Up)])
    }

    pub fn round_integral(&mut self) -> Option<Round> {
        self.one_of(&[("rni", Round::Near), ("rzi", Round::Zero), ("rmi", Round::Down), ("rpi", Round::Up)])
    }

    /// Takes what says how memory is cached and ordered; the emulator is always coherent, so the
    /// order matters to check mode alone.
    pub fn take_order(&mut self) -> Sync {
        let has = |names: &[&str]| self.left.iter().any(|m| names.contains(m));
        let sync = Sync {
            strong: has(&["relaxed", "acquire", "release", "acq_rel", "sc", "volatile"]),
            fence: has(&["release", "acq_rel", "sc"]),
            wide: has(&["volatile"]) || !has(&["cta"]),
        };
        self.drop_cache_and_order();
        sync
    }

    /// Takes what only says how memory is cached or ordered.
    fn drop_cache_and_order(&mut self) {
        self.left.retain(|m| {
            !matches!(
                *m,
                "ca" | "cg"
                    | "cs"
                    | "lu"
                    | "cv"
                    | "wb"
                    | "wt"
                    | "nc"
                    | "weak"
                    | "volatile"
                    | "relaxed"
                    | "acquire"
                    | "release"
                    | "acq_rel"
                    | "sc"
                    | "cta"
                    | "cluster"
                    | "gpu"
                    | "sys"
                    | "gl"
                    | "unified"
            ) && !m.starts_with("L1::")
                && !m.starts_with("L2::")
        });
    }

    /// An error where something is left.
    pub fn done(&self) -> Result<(), String> {
        match self.left.first() {
            None => Ok(()),
            Some(m) => Err(format!("the modifier `.{m}` is not supported here")),
        }
    }
}
