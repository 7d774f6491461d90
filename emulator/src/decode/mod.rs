//! Syntax tree to executable kernels.
//!
//! Names become planes and addresses, functions are inlined where they are called, and each
//! instruction becomes an [`Op`]. Everything that cannot be executed is refused here.

mod approx;
mod build;
mod convert;
mod eight;
mod float;
mod guess;
mod int;
mod kernel;
mod logic;
mod memory;
mod mods;
pub(crate) mod op;
mod small;
mod warp;

pub(crate) use build::Special;
pub(crate) use kernel::load;
pub use kernel::{Kernel, Module};

use crate::ptx::Instruction;
use build::{Builder, Res};
use mods::{Kind, Mods};
use op::{Class, Op};

/// The instructions that can be executed, by the first part of their names. Not every form of each
/// is there; what is not is refused when a module is loaded.
pub const OPCODES: [&str; 82] = [
    "abs",
    "activemask",
    "add",
    "addc",
    "and",
    "applypriority",
    "atom",
    "bar",
    "barrier",
    "bfe",
    "bfi",
    "bfind",
    "bmsk",
    "bra",
    "brev",
    "brkpt",
    "brx",
    "call",
    "clz",
    "cnot",
    "copysign",
    "cos",
    "cp",
    "cvt",
    "cvta",
    "discard",
    "div",
    "dp4a",
    "ex2",
    "exit",
    "fence",
    "fma",
    "isspacep",
    "ld",
    "ldmatrix",
    "ldu",
    "lg2",
    "lop3",
    "mad",
    "mad24",
    "madc",
    "match",
    "max",
    "membar",
    "min",
    "mma",
    "mov",
    "mul",
    "mul24",
    "nanosleep",
    "neg",
    "not",
    "or",
    "popc",
    "prefetch",
    "prefetchu",
    "prmt",
    "rcp",
    "red",
    "redux",
    "rem",
    "ret",
    "rsqrt",
    "sad",
    "selp",
    "set",
    "setp",
    "shf",
    "shfl",
    "shl",
    "shr",
    "sin",
    "slct",
    "sqrt",
    "st",
    "sub",
    "subc",
    "tanh",
    "testp",
    "trap",
    "vote",
    "xor",
];

/// Decodes everything but jumps and calls.
fn decode(b: &mut Builder, i: &Instruction) -> Res<(Op, Class)> {
    let mut mods = Mods::new(&i.modifiers);
    let m = &mut mods;
    let out = match i.base.as_str() {
        "ret" | "exit" => (Op::Exit, Class::Branch),
        "bar" | "barrier" => (warp::barrier(b, i, m)?, Class::Barrier),
        "cp" => (memory::copy_async(b, i, m)?, Class::Load),
        "mma" => (warp::mma(b, i, m)?, Class::Mma),
        "membar" | "fence" => {
            // Between proxies: all memory is coherent here.
            let sync = m.take_order();
            m.take("proxy");
            m.take("alias");
            m.take("async");
            for space in ["global", "shared::cta", "shared::cluster"] {
                m.take(&format!("async.{space}"));
                m.take(space);
            }
            (Op::Fence(op::Sync { fence: true, ..sync }), Class::Fence)
        }
        "nanosleep" | "prefetch" | "prefetchu" => return Ok((Op::Nop, Class::Other)),
        "trap" | "brkpt" => (Op::Trap, Class::Other),
        _ => {
            let ty = m.ty().map_err(|e| format!("`{}`: {e}", i.base))?;
            typed(b, i, m, ty)?
        }
    };
    mods.done()?;
    Ok(out)
}

fn typed(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: mods::Ty) -> Res<(Op, Class)> {
    let small = small::format(ty).is_some();
    let float = ty.kind == Kind::Float;
    Ok(match i.base.as_str() {
        "ld" | "ldu" => (memory::load_store(b, i, m, ty)?, Class::Load),
        "st" => (memory::load_store(b, i, m, ty)?, Class::Store),
        "atom" | "red" => (memory::atomic(b, i, m, ty)?, Class::Atomic),
        "ldmatrix" => (memory::load_matrix(b, i, m, ty)?, Class::Load),
        "cvta" => (memory::convert_address(b, i, m, ty)?, Class::Integer),
        "isspacep" => {
            // Its last modifier is a space and no type.
            return Err("`isspacep` is not supported".into());
        }
        "shfl" => (warp::shuffle(b, i, m, ty)?, Class::Shuffle),
        "vote" => (warp::vote(b, i, m, ty)?, Class::Shuffle),
        "match" => (warp::match_(b, i, m, ty)?, Class::Shuffle),
        "redux" => (warp::reduce(b, i, m, ty)?, Class::Shuffle),
        "activemask" => (Op::ActiveMask { d: b.dst_w(i, 0)? }, Class::Shuffle),
        "and" | "or" | "xor" | "not" | "cnot" => (logic::bitwise(b, i, ty)?, Class::Integer),
        "shl" | "shr" | "shf" => (logic::shift(b, i, m, ty)?, Class::Integer),
        "setp" => (logic::set_predicate(b, i, m, ty)?, Class::Compare),
        "set" => (logic::set(b, i, m, ty)?, Class::Compare),
        "selp" | "slct" => (logic::choose(b, i, m, ty)?, Class::Compare),
        "mov" => (logic::copy(b, i, ty)?, Class::Move),
        "testp" => (float::test_property(b, i, m, ty)?, Class::Compare),
        "cvt" => (convert::decode(b, i, m, ty)?, Class::Convert),
        "popc" | "clz" | "brev" | "bfind" | "bfe" | "bfi" | "bmsk" | "prmt" | "lop3" => {
            (int::bits(b, i, m, ty)?, Class::Integer)
        }
        "fma" | "mad" if float && ty.bits == 32 => (float::decode(b, i, m, ty)?, Class::Fma),
        "rcp" | "sqrt" | "rsqrt" | "ex2" | "lg2" | "sin" | "cos" | "tanh" if float => {
            (float::decode(b, i, m, ty)?, Class::Special)
        }
        _ if float => (float::decode(b, i, m, ty)?, if ty.wide() { Class::Double } else { Class::Single }),
        _ if small => (small::decode(b, i, m, ty)?, Class::Half),
        _ if ty.integer() => (int::decode(b, i, m, ty)?, Class::Integer),
        other => return Err(format!("the instruction `{other}` is not supported")),
    })
}
