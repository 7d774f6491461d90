//! PTX text: tokens, grammar and syntax tree.

mod ast;
mod function;
mod lexer;
mod operand;
mod parser;
pub(crate) use lexer::line_of;
pub(crate) use parser::type_bytes;

pub use ast::*;
pub use parser::parse;
