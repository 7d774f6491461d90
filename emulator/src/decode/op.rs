//! Decoded instructions.

use crate::exec::lanes::Alu;
use crate::ptx::Space;

/// A register: its plane in one of the three files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reg {
    /// A value of that many bits, at most 32.
    W(u32, u32),
    /// A value of 64 bits.
    D(u32),
    /// A predicate.
    P(u32),
}

/// How an access is ordered with others; all that check mode wants to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sync {
    /// `relaxed`, `acquire`, `release`, or `volatile` of global memory.
    pub strong: bool,
    /// It is a fence as well (`release`).
    pub fence: bool,
    /// Other blocks see it.
    pub wide: bool,
}

/// A memory operand: `base + offset`, and the registers that go there or come from there.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub space: Space,
    pub base: Reg,
    pub offset: i64,
    /// Bytes of one element.
    pub bytes: u32,
    /// A load extends the sign.
    pub signed: bool,
    pub regs: Vec<Reg>,
    pub sync: Sync,
    /// A load whose value is only what a `cas` expects to find: it may be out of date.
    pub guess: bool,
}

impl Access {
    /// Bytes that a lane accesses.
    pub fn total(&self) -> u32 {
        self.bytes * self.regs.len().max(1) as u32
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShuffleMode {
    Up,
    Down,
    Butterfly,
    Index,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoteMode {
    All,
    Any,
    Uniform,
    Ballot,
}

/// What an atomic or a warp-wide reduction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtomicOp {
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
    Exchange,
    CompareSwap,
    Increment,
    Decrement,
}

/// The type an atomic works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtomicType {
    /// Bits or unsigned.
    U16,
    U32,
    U64,
    S32,
    S64,
    F32,
    F64,
    Half,
    Brain,
    HalfPair,
    BrainPair,
}

impl AtomicType {
    pub fn bytes(self) -> u32 {
        match self {
            AtomicType::U16 | AtomicType::Half | AtomicType::Brain => 2,
            AtomicType::U64 | AtomicType::S64 | AtomicType::F64 => 8,
            _ => 4,
        }
    }
}

/// What a barrier does beside waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BarrierKind {
    Sync,
    Arrive,
    /// Counts the threads whose predicate holds.
    Popc(Reg, u32, bool),
    /// Whether it holds for all.
    And(Reg, u32, bool),
    /// Whether it holds for any.
    Or(Reg, u32, bool),
}

/// Number formats of a tensor-core instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MmaType {
    Half,
    Brain,
    Tf32,
    Double,
    /// Signed or unsigned bytes of A and of B.
    Bytes(bool, bool),
}

/// `mma.sync.m{m}n8k{k}`.
#[derive(Clone, Debug)]
pub(crate) struct Mma {
    pub m: usize,
    pub k: usize,
    pub ty: MmaType,
    /// The accumulator holds half precision (else single, double or 32-bit integers).
    pub half_in: bool,
    pub half_out: bool,
    pub saturate: bool,
    pub d: Vec<Reg>,
    pub a: Vec<Reg>,
    pub b: Vec<Reg>,
    pub c: Vec<Reg>,
}

pub(crate) enum Op {
    Alu(Alu),
    Branch(u32),
    BranchIndex {
        index: u32,
        targets: Vec<u32>,
    },
    Exit,
    Barrier {
        id: u32,
        count: Option<u32>,
        kind: BarrierKind,
    },
    WarpBarrier {
        mask: u32,
    },
    Shuffle {
        mode: ShuffleMode,
        d: u32,
        ok: Option<u32>,
        a: u32,
        b: u32,
        c: u32,
        mask: u32,
    },
    Vote {
        mode: VoteMode,
        d: Reg,
        p: u32,
        negated: bool,
        mask: u32,
    },
    Match {
        all: bool,
        d: u32,
        ok: Option<u32>,
        a: Reg,
        mask: u32,
    },
    Reduce {
        op: AtomicOp,
        signed: bool,
        d: u32,
        a: u32,
        mask: u32,
    },
    ActiveMask {
        d: u32,
    },
    Load(Access),
    /// A load of an argument from that offset.
    Argument(Access, u32),
    Store(Access),
    Atomic {
        at: Access,
        op: AtomicOp,
        ty: AtomicType,
        d: Option<Reg>,
        b: Reg,
        c: Option<Reg>,
    },
    CopyAsync {
        to: Access,
        from: Access,
        bytes: u32,
        size: Option<u32>,
    },
    CopyCommit,
    CopyWait(Option<u32>),
    LoadMatrix {
        at: Access,
        transposed: bool,
    },
    Mma(Box<Mma>),
    Clock(Reg),
    Fence(Sync),
    Nop,
    Trap,
}

/// Classes that launches count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Integer,
    Single,
    Fma,
    Double,
    Half,
    Special,
    Convert,
    Move,
    Compare,
    Load,
    Store,
    Atomic,
    Shuffle,
    Barrier,
    Branch,
    Mma,
    Fence,
    Other,
}

impl Class {
    pub const ALL: [(Class, &'static str); 18] = [
        (Class::Integer, "integer"),
        (Class::Single, "f32"),
        (Class::Fma, "fma_f32"),
        (Class::Double, "f64"),
        (Class::Half, "f16"),
        (Class::Special, "special_function"),
        (Class::Convert, "convert"),
        (Class::Move, "move"),
        (Class::Compare, "compare_select"),
        (Class::Load, "load"),
        (Class::Store, "store"),
        (Class::Atomic, "atomic"),
        (Class::Shuffle, "shuffle_vote"),
        (Class::Barrier, "barrier"),
        (Class::Branch, "branch"),
        (Class::Mma, "mma"),
        (Class::Fence, "fence"),
        (Class::Other, "other"),
    ];
}

/// A decoded instruction.
pub(crate) struct Inst {
    pub op: Op,
    /// The predicate, and whether it is negated.
    pub guard: Option<(u32, bool)>,
    /// Divergent paths can meet here: a branch's target, or what follows a branch.
    pub leader: bool,
    pub class: Class,
    pub line: u32,
    /// Index into the kernel's source places; `u32::MAX` where there is none.
    pub place: u32,
}
