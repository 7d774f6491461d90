//! Tokens to the syntax tree.

use super::ast::*;
use super::lexer::{Token, lex, line_of};
use crate::PtxError;
use std::collections::HashMap;

pub(super) type Result<T> = std::result::Result<T, PtxError>;

/// The syntax tree of a PTX text.
///
/// ```
/// let ast = ptx_emulator::ptx::parse(".version 7.0 .target sm_80 .visible .entry k(.param .u64 p) { ret; }").unwrap();
/// assert_eq!((ast.target, ast.functions[0].name.as_str(), ast.functions[0].params[0].bytes), (80, "k", 8));
/// ```
pub fn parse(source: &str) -> Result<Ast> {
    let mut parser = Parser { source, tokens: lex(source)?, at: 0, depth: 0, scopes: Vec::new(), renamed: 0 };
    parser.module()
}

/// Bytes of a fundamental type; 0 where the name is none (`pred` has no size in memory).
pub(crate) fn type_bytes(ty: &str) -> u64 {
    match ty {
        "b8" | "u8" | "s8" => 1,
        "b16" | "u16" | "s16" | "f16" | "bf16" => 2,
        "b32" | "u32" | "s32" | "f32" | "f16x2" | "bf16x2" | "tf32" => 4,
        "b64" | "u64" | "s64" | "f64" => 8,
        "b128" => 16,
        _ => 0,
    }
}

/// Brackets inside each other.
const DEEPEST: u32 = 32;
/// The largest alignment and the largest variable, in bytes.
const ALIGNMENT: u64 = 1 << 16;
const LARGEST: u64 = 1 << 30;

pub(super) struct Parser<'a> {
    source: &'a str,
    pub tokens: Vec<(Token<'a>, u32)>,
    pub at: usize,
    /// Brackets that are open in an operand or an initialiser.
    depth: u32,
    /// Names declared inside braces, and what they are called outside of them.
    pub scopes: Vec<HashMap<String, String>>,
    pub renamed: u32,
}

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Token<'a> {
        self.tokens[self.at].0
    }

    pub(super) fn line(&self) -> u32 {
        self.tokens[self.at].1
    }

    pub(super) fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    pub(super) fn fail<T>(&self, reason: impl Into<String>) -> Result<T> {
        let line = self.line();
        Err(PtxError { line, text: line_of(self.source, line), reason: reason.into() })
    }

    /// Runs `f` one level deeper; no text may nest so deeply that the stack ends.
    pub(super) fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= DEEPEST {
            return self.fail("brackets nested too deeply");
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    pub(super) fn accept(&mut self, mark: char) -> bool {
        let yes = self.peek() == Token::Mark(mark);
        self.at += yes as usize;
        yes
    }

    pub(super) fn expect(&mut self, mark: char) -> Result<()> {
        if self.accept(mark) {
            Ok(())
        } else {
            self.fail(format!("expected `{mark}`, found {:?}", self.peek()))
        }
    }

    pub(super) fn word(&mut self) -> Result<&'a str> {
        match self.peek() {
            Token::Word(w) => {
                self.at += 1;
                Ok(w)
            }
            other => self.fail(format!("expected a name, found {other:?}")),
        }
    }

    pub(super) fn unsigned(&mut self) -> Result<u64> {
        match self.operand()? {
            Operand::Integer(v) if (0..=u64::MAX as i128).contains(&v) => Ok(v as u64),
            other => self.fail(format!("expected a number, found {other:?}")),
        }
    }

    pub(super) fn module(&mut self) -> Result<Ast> {
        let mut ast = Ast::default();
        loop {
            let line = self.line();
            match self.peek() {
                Token::End => break,
                Token::Directive("version") => {
                    self.at += 1;
                    let Token::Number(text) = self.next() else { return self.fail("expected a version") };
                    let mut parts = text.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
                    ast.version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
                }
                Token::Directive("target") => {
                    self.at += 1;
                    loop {
                        let name = self.word()?;
                        if let Some(number) = name.strip_prefix("sm_") {
                            let digits = number.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                            match digits.parse() {
                                Ok(n) => ast.target = n,
                                Err(_) => return self.fail("a target that is no sm_NN"),
                            }
                        }
                        if !self.accept(',') {
                            break;
                        }
                    }
                }
                Token::Directive("address_size") => {
                    self.at += 1;
                    if self.unsigned()? != 64 {
                        return self.fail("only 64-bit addresses are supported");
                    }
                }
                Token::Directive("file") => self.file(&mut ast)?,
                Token::Directive("section") => self.skip_section()?,
                Token::Directive("loc") => {
                    self.loc()?;
                }
                Token::Directive("pragma") => self.skip_statement()?,
                Token::Directive(_) => self.declaration(&mut ast, line)?,
                Token::Mark(';') => self.at += 1,
                other => return self.fail(format!("expected a directive, found {other:?}")),
            }
        }
        if ast.version == (0, 0) {
            return self.fail("no `.version` line: this is no PTX");
        }
        Ok(ast)
    }

    pub(super) fn file(&mut self, ast: &mut Ast) -> Result<()> {
        self.at += 1;
        let number = self.unsigned()? as u32;
        let Token::Text(mut name) = self.next() else { return self.fail("expected a file name") };
        // DWARF 5 writes directory and file apart.
        let mut directory = None;
        if let Token::Text(second) = self.peek() {
            directory = Some(name);
            name = second;
            self.at += 1;
        }
        while self.accept(',') {
            self.unsigned()?;
        }
        ast.files.insert(number, directory.map_or(name.to_string(), |d| format!("{d}/{name}")));
        Ok(())
    }

    pub(super) fn loc(&mut self) -> Result<(u32, u32, u32)> {
        let line = self.line();
        self.at += 1;
        let place = (self.unsigned()? as u32, self.unsigned()? as u32, self.unsigned()? as u32);
        if self.peek() == Token::Mark(',') {
            while self.line() == line && self.peek() != Token::End {
                self.at += 1;
            }
        }
        Ok(place)
    }

    pub(super) fn skip_section(&mut self) -> Result<()> {
        while self.peek() != Token::Mark('{') {
            if self.next() == Token::End {
                return self.fail("a section without a body");
            }
        }
        let mut depth = 0;
        loop {
            match self.next() {
                Token::Mark('{') => depth += 1,
                Token::Mark('}') => depth -= 1,
                Token::End => return self.fail("a section without an end"),
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    pub(super) fn skip_statement(&mut self) -> Result<()> {
        loop {
            match self.next() {
                Token::Mark(';') => return Ok(()),
                Token::End => return self.fail("a statement without `;`"),
                _ => {}
            }
        }
    }

    /// A variable or a function of the module, from its first directive.
    pub(super) fn declaration(&mut self, ast: &mut Ast, line: u32) -> Result<()> {
        let mut external = false;
        loop {
            match self.peek() {
                Token::Directive("visible" | "weak" | "common") => self.at += 1,
                Token::Directive("extern") => {
                    external = true;
                    self.at += 1;
                }
                Token::Directive("entry" | "func") => {
                    let function = self.function(line)?;
                    if function.defined {
                        ast.functions.push(function);
                    }
                    return Ok(());
                }
                Token::Directive("global" | "const" | "shared") => {
                    let mut variables = self.variables(external)?;
                    ast.variables.append(&mut variables);
                    return Ok(());
                }
                Token::Directive(other) => return self.fail(format!("`.{other}` is not supported")),
                other => return self.fail(format!("expected a declaration, found {other:?}")),
            }
        }
    }

    /// `.shared .align 4 .b8 name[128] = {…}, …;` with its space first.
    pub(super) fn variables(&mut self, external: bool) -> Result<Vec<Variable>> {
        let Token::Directive(space) = self.next() else { return self.fail("expected a state space") };
        let space = match space {
            "global" => Space::Global,
            "const" => Space::Const,
            "shared" => Space::Shared,
            "local" => Space::Local,
            "param" => Space::Param,
            other => return self.fail(format!("state space `.{other}` is not supported")),
        };
        let mut out = vec![self.variable(space, external)?];
        while self.accept(',') {
            let (align, element) = (out[0].align, out[0].element);
            let next = self.variable_name(space, external, align, element, "")?;
            out.push(next);
        }
        self.expect(';')?;
        Ok(out)
    }

    pub(super) fn variable(&mut self, space: Space, external: bool) -> Result<Variable> {
        let (mut align, mut ty, mut vector) = (0, "", 1);
        while let Token::Directive(d) = self.peek() {
            self.at += 1;
            match d {
                "align" => align = self.unsigned()?,
                "v2" => vector = 2,
                "v4" => vector = 4,
                "ptr" | "global" | "shared" | "local" | "const" => {}
                _ if type_bytes(d) > 0 => ty = d,
                _ => return self.fail(format!("`.{d}` is not supported here")),
            }
        }
        let element = type_bytes(ty) * vector;
        if element == 0 {
            return self.fail("a variable without a type");
        }
        self.variable_name(space, external, if align == 0 { element } else { align }, element, ty)
    }

    pub(super) fn variable_name(
        &mut self,
        space: Space,
        external: bool,
        align: u64,
        element: u64,
        ty: &str,
    ) -> Result<Variable> {
        let line = self.line();
        if !align.is_power_of_two() || align > ALIGNMENT {
            return self.fail("an alignment that is no power of two up to 65536");
        }
        let name = self.word()?.to_string();
        let (mut count, mut sized) = (1u64, true);
        while self.accept('[') {
            if self.accept(']') {
                sized = false;
                continue;
            }
            let n = self.unsigned()?;
            count = match count.checked_mul(n) {
                Some(c) if c <= LARGEST / element => c,
                _ => return self.fail("an array too large"),
            };
            self.expect(']')?;
        }
        let mut init = Vec::new();
        if self.accept('=') {
            self.initialiser(ty, &mut init)?;
        }
        if !sized {
            count = init.len() as u64;
        }
        Ok(Variable { space, align, element, bytes: element * count, name, init, external, line })
    }

    pub(super) fn initialiser(&mut self, ty: &str, out: &mut Vec<Init>) -> Result<()> {
        if self.accept('{') {
            if self.accept('}') {
                return Ok(());
            }
            loop {
                self.nested(|p| p.initialiser(ty, out))?;
                if !self.accept(',') {
                    break;
                }
            }
            return self.expect('}');
        }
        let value = match self.peek() {
            Token::Number(_) => {
                let number = self.number()?;
                // `0xff00(name)`: some bytes of an address.
                match (&number, self.peek()) {
                    (Operand::Integer(mask), Token::Mark('(')) => {
                        let mask = *mask as u64;
                        self.at += 1;
                        let (name, offset) = self.address()?;
                        self.expect(')')?;
                        Init::Address { name, offset, mask }
                    }
                    _ => self.bits(number, ty)?,
                }
            }
            Token::Word(_) => {
                let (name, offset) = self.address()?;
                Init::Address { name, offset, mask: !0 }
            }
            _ => {
                let number = self.operand()?;
                self.bits(number, ty)?
            }
        };
        out.push(value);
        Ok(())
    }

    /// A number of an initialiser as the element's bit pattern.
    fn bits(&self, number: Operand, ty: &str) -> Result<Init> {
        Ok(match number {
            Operand::Integer(v) => Init::Bits(v as u64),
            Operand::Single(v) if ty == "f64" => Init::Bits((v as f64).to_bits()),
            Operand::Single(v) => Init::Bits(v.to_bits() as u64),
            Operand::Double(v) if ty == "f32" => Init::Bits((v as f32).to_bits() as u64),
            Operand::Double(v) => Init::Bits(v.to_bits()),
            other => return self.fail(format!("an initialiser that is not supported: {other:?}")),
        })
    }

    /// `name`, `name+4`, `generic(name)`, `generic(name)+4` or `generic(name+4)`.
    fn address(&mut self) -> Result<(String, i64)> {
        let mut name = self.word()?;
        let mut offset = 0i64;
        if name == "generic" && self.accept('(') {
            name = self.word()?;
            offset = self.offset()?;
            self.expect(')')?;
        }
        offset = offset.wrapping_add(self.offset()?);
        Ok((name.to_string(), offset))
    }
}
