//! The syntax tree of a PTX module, as it is written: names are not resolved yet.

/// A state space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Memory of the device.
    Global,
    /// Memory of a block.
    Shared,
    /// Memory of a thread.
    Local,
    /// Arguments of a kernel or a call.
    Param,
    /// Constant memory.
    Const,
    /// Any of the others, told by the address.
    Generic,
}

/// A module: one PTX file.
#[derive(Clone, Debug, Default)]
pub struct Ast {
    /// The `.version` line, major and minor.
    pub version: (u32, u32),
    /// The number of `.target sm_NN`.
    pub target: u32,
    /// Names of source files, by `.file` number.
    pub files: std::collections::BTreeMap<u32, String>,
    /// Variables of the module.
    pub variables: Vec<Variable>,
    /// Kernels and functions.
    pub functions: Vec<Function>,
}

/// One value of an initialiser.
#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    /// A number, already in the element's bit pattern.
    Bits(u64),
    /// The address of another variable, plus an offset; of it the bits of the mask, shifted down.
    Address {
        /// The variable.
        name: String,
        /// Bytes from its start.
        offset: i64,
        /// All ones, or those of one byte: `0xff00(name)`.
        mask: u64,
    },
}

/// A variable in memory.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Where it lives.
    pub space: Space,
    /// Alignment in bytes.
    pub align: u64,
    /// Bytes of one element.
    pub element: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// Its name.
    pub name: String,
    /// Its first elements; the others are zero.
    pub init: Vec<Init>,
    /// `.extern`: an array without a size in shared memory, given at launch.
    pub external: bool,
    /// Its line.
    pub line: u32,
}

/// A declaration `.reg .b32 %r<8>`: `count` registers, or one where `count` is `None`.
#[derive(Clone, Debug)]
pub struct Registers {
    /// The type without its dot, for example `b32`.
    pub ty: String,
    /// The name, or the stem of the names.
    pub name: String,
    /// How many.
    pub count: Option<u32>,
}

/// A kernel (`.entry`) or a function (`.func`).
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Whether it can be launched.
    pub entry: bool,
    /// Parameters in order.
    pub params: Vec<Variable>,
    /// Results of a function.
    pub results: Vec<Variable>,
    /// `.maxntid` or `.reqntid`: the largest number of threads in a block.
    pub max_threads: Option<u32>,
    /// `.reqntid`: exactly this block.
    pub required: Option<[u32; 3]>,
    /// Registers.
    pub registers: Vec<Registers>,
    /// Variables: `.shared`, `.local`, and `.param` of calls.
    pub variables: Vec<Variable>,
    /// What it does.
    pub body: Vec<Statement>,
    /// Whether there is a body (a declaration has none).
    pub defined: bool,
    /// Its line.
    pub line: u32,
}

/// One statement of a function.
#[derive(Clone, Debug)]
pub enum Statement {
    /// A place to jump to.
    Label(String),
    /// `.loc file line column`: the source of what follows.
    Loc(u32, u32, u32),
    /// `.branchtargets` under a label.
    Targets(String, Vec<String>),
    /// An instruction.
    Instruction(Instruction),
}

/// An instruction.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// Its line.
    pub line: u32,
    /// `@p` or `@!p`: the predicate, and whether it is negated.
    pub guard: Option<(String, bool)>,
    /// The first part of the opcode: `ld` of `ld.global.u32`.
    pub base: String,
    /// The other parts, in order.
    pub modifiers: Vec<String>,
    /// Operands in order.
    pub operands: Vec<Operand>,
}

/// An operand.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A register, a special register, a variable or a label.
    Name(String),
    /// A variable and an offset.
    NameOffset(String, i64),
    /// `!p`.
    Not(String),
    /// An integer.
    Integer(i128),
    /// `0f…`, or a decimal fraction.
    Single(f32),
    /// `0d…`.
    Double(f64),
    /// `{a, b}`.
    Vector(Vec<Operand>),
    /// `[base + offset]`.
    Address(Box<Operand>, i64),
    /// `a|b`.
    Pair(Box<Operand>, Box<Operand>),
    /// `(a, b)` of a call.
    List(Vec<Operand>),
}
