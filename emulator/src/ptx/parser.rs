//! Tokens to the syntax tree.

use super::ast::*;
use super::lexer::{Token, lex, line_of};
use crate::PtxError;
use std::collections::HashMap;

type Result<T> = std::result::Result<T, PtxError>;

/// The syntax tree of a PTX text.
pub fn parse(source: &str) -> Result<Ast> {
    let mut parser = Parser { source, tokens: lex(source)?, at: 0, scopes: Vec::new(), renamed: 0 };
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

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<(Token<'a>, u32)>,
    at: usize,
    /// Names declared inside braces, and what they are called outside of them.
    scopes: Vec<HashMap<String, String>>,
    renamed: u32,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens[self.at].0
    }

    fn line(&self) -> u32 {
        self.tokens[self.at].1
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        if token != Token::End {
            self.at += 1;
        }
        token
    }

    fn fail<T>(&self, reason: impl Into<String>) -> Result<T> {
        let line = self.line();
        Err(PtxError { line, text: line_of(self.source, line), reason: reason.into() })
    }

    fn accept(&mut self, mark: char) -> bool {
        let yes = self.peek() == Token::Mark(mark);
        self.at += yes as usize;
        yes
    }

    fn expect(&mut self, mark: char) -> Result<()> {
        if self.accept(mark) {
            Ok(())
        } else {
            self.fail(format!("expected `{mark}`, found {:?}", self.peek()))
        }
    }

    fn word(&mut self) -> Result<&'a str> {
        match self.peek() {
            Token::Word(w) => {
                self.at += 1;
                Ok(w)
            }
            other => self.fail(format!("expected a name, found {other:?}")),
        }
    }

    fn unsigned(&mut self) -> Result<u64> {
        match self.operand()? {
            Operand::Integer(v) if (0..=u64::MAX as i128).contains(&v) => Ok(v as u64),
            other => self.fail(format!("expected a number, found {other:?}")),
        }
    }

    fn module(&mut self) -> Result<Ast> {
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

    fn file(&mut self, ast: &mut Ast) -> Result<()> {
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

    fn loc(&mut self) -> Result<(u32, u32, u32)> {
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

    fn skip_section(&mut self) -> Result<()> {
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

    fn skip_statement(&mut self) -> Result<()> {
        loop {
            match self.next() {
                Token::Mark(';') => return Ok(()),
                Token::End => return self.fail("a statement without `;`"),
                _ => {}
            }
        }
    }

    /// A variable or a function of the module, from its first directive.
    fn declaration(&mut self, ast: &mut Ast, line: u32) -> Result<()> {
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
    fn variables(&mut self, external: bool) -> Result<Vec<Variable>> {
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

    fn variable(&mut self, space: Space, external: bool) -> Result<Variable> {
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

    fn variable_name(
        &mut self,
        space: Space,
        external: bool,
        align: u64,
        element: u64,
        ty: &str,
    ) -> Result<Variable> {
        let line = self.line();
        if !align.is_power_of_two() {
            return self.fail("an alignment that is no power of two");
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
                Some(c) if c <= 1 << 40 => c,
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

    fn initialiser(&mut self, ty: &str, out: &mut Vec<Init>) -> Result<()> {
        if self.accept('{') {
            if self.accept('}') {
                return Ok(());
            }
            loop {
                self.initialiser(ty, out)?;
                if !self.accept(',') {
                    break;
                }
            }
            return self.expect('}');
        }
        let value = match self.operand()? {
            Operand::Integer(v) => Init::Bits(v as u64),
            Operand::Single(v) if ty == "f64" => Init::Bits((v as f64).to_bits()),
            Operand::Single(v) => Init::Bits(v.to_bits() as u64),
            Operand::Double(v) if ty == "f32" => Init::Bits((v as f32).to_bits() as u64),
            Operand::Double(v) => Init::Bits(v.to_bits()),
            Operand::Name(n) => Init::Address(n, 0),
            Operand::NameOffset(n, o) => Init::Address(n, o),
            other => return self.fail(format!("an initialiser that is not supported: {other:?}")),
        };
        out.push(value);
        Ok(())
    }

    fn function(&mut self, line: u32) -> Result<Function> {
        let entry = self.next() == Token::Directive("entry");
        let results = if self.peek() == Token::Mark('(') { self.params()? } else { Vec::new() };
        let name = self.word()?.to_string();
        let params = if self.peek() == Token::Mark('(') { self.params()? } else { Vec::new() };
        let mut f = Function {
            name,
            entry,
            params,
            results,
            max_threads: None,
            required: None,
            registers: Vec::new(),
            variables: Vec::new(),
            body: Vec::new(),
            defined: false,
            line,
        };
        loop {
            match self.peek() {
                Token::Directive(which @ ("maxntid" | "reqntid")) => {
                    self.at += 1;
                    let mut dims = [1u32; 3];
                    for (i, d) in dims.iter_mut().enumerate() {
                        if i > 0 && !self.accept(',') {
                            break;
                        }
                        *d = self.unsigned()?.min(1 << 20) as u32;
                    }
                    let threads = dims.iter().fold(1u32, |a, &d| a.saturating_mul(d));
                    f.max_threads = Some(threads);
                    if which == "reqntid" {
                        f.required = Some(dims);
                    }
                }
                Token::Directive("minnctapersm" | "maxnreg" | "maxnctapersm") => {
                    self.at += 1;
                    self.unsigned()?;
                }
                Token::Directive("noreturn") => self.at += 1,
                Token::Directive("pragma") => self.skip_statement()?,
                Token::Mark(';') => {
                    self.at += 1;
                    return Ok(f);
                }
                Token::Mark('{') => {
                    f.defined = true;
                    self.body(&mut f)?;
                    return Ok(f);
                }
                other => return self.fail(format!("in the head of a function: {other:?} is not supported")),
            }
        }
    }

    fn params(&mut self) -> Result<Vec<Variable>> {
        self.expect('(')?;
        let mut out = Vec::new();
        if self.accept(')') {
            return Ok(out);
        }
        loop {
            if self.next() != Token::Directive("param") {
                return self.fail("a parameter that is no `.param`");
            }
            out.push(self.variable(Space::Param, false)?);
            if !self.accept(',') {
                break;
            }
        }
        self.expect(')')?;
        Ok(out)
    }

    fn body(&mut self, f: &mut Function) -> Result<()> {
        self.expect('{')?;
        let mut depth = 1;
        while depth > 0 {
            match self.peek() {
                Token::Mark('{') => {
                    self.at += 1;
                    depth += 1;
                    self.scopes.push(HashMap::new());
                }
                Token::Mark('}') => {
                    self.at += 1;
                    depth -= 1;
                    self.scopes.pop();
                }
                Token::Mark(';') => self.at += 1,
                Token::Directive("reg") => self.registers(f)?,
                Token::Directive("shared" | "local" | "param") => {
                    for mut v in self.variables(false)? {
                        v.name = self.declare(&v.name);
                        f.variables.push(v);
                    }
                }
                Token::Directive("loc") => {
                    let (file, line, column) = self.loc()?;
                    f.body.push(Statement::Loc(file, line, column));
                }
                Token::Directive("pragma") => self.skip_statement()?,
                Token::Directive("section") => self.skip_section()?,
                Token::Directive(other) => return self.fail(format!("`.{other}` is not supported")),
                Token::Word(name) if self.tokens[self.at + 1].0 == Token::Mark(':') => {
                    self.at += 2;
                    if self.peek() == Token::Directive("branchtargets") {
                        self.at += 1;
                        let mut targets = vec![self.word()?.to_string()];
                        while self.accept(',') {
                            targets.push(self.word()?.to_string());
                        }
                        self.expect(';')?;
                        f.body.push(Statement::Targets(name.to_string(), targets));
                    } else {
                        f.body.push(Statement::Label(name.to_string()));
                    }
                }
                Token::End => return self.fail("a function without an end"),
                _ => {
                    let instruction = self.instruction()?;
                    f.body.push(Statement::Instruction(instruction));
                }
            }
        }
        Ok(())
    }

    /// The unique name of what is declared here; inner scopes may hide outer ones.
    fn declare(&mut self, name: &str) -> String {
        let Some(scope) = self.scopes.last_mut() else { return name.to_string() };
        self.renamed += 1;
        // `#` cannot occur in a name; digits at its end would look like a register's number.
        let unique = format!("{name}#{}#", self.renamed);
        scope.insert(name.to_string(), unique.clone());
        unique
    }

    fn resolve(&self, name: &str) -> String {
        for scope in self.scopes.iter().rev() {
            if let Some(unique) = scope.get(name) {
                return unique.clone();
            }
            let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
            if let (true, Some(unique)) = (stem.len() < name.len(), scope.get(&format!("{stem}<"))) {
                return format!("{unique}{}", &name[stem.len()..]);
            }
        }
        name.to_string()
    }

    fn registers(&mut self, f: &mut Function) -> Result<()> {
        self.at += 1;
        let ty = match self.next() {
            Token::Directive(ty) if ty == "pred" || type_bytes(ty) > 0 => ty.to_string(),
            other => return self.fail(format!("registers of type {other:?} are not supported")),
        };
        loop {
            let name = self.word()?;
            let count = if self.accept('<') {
                let n = self.unsigned()?.min(1 << 20) as u32;
                self.expect('>')?;
                Some(n)
            } else {
                None
            };
            let unique = if count.is_some() && !self.scopes.is_empty() {
                let unique = self.declare(&format!("{name}<"));
                unique.replace('<', "")
            } else {
                self.declare(name)
            };
            if let (Some(_), Some(scope)) = (count, self.scopes.last_mut()) {
                scope.insert(format!("{name}<"), unique.clone());
            }
            f.registers.push(Registers { ty: ty.clone(), name: unique, count });
            if !self.accept(',') {
                break;
            }
        }
        self.expect(';')
    }

    fn instruction(&mut self) -> Result<Instruction> {
        let line = self.line();
        let mut guard = None;
        if self.accept('@') {
            let negated = self.accept('!');
            let name = self.word()?;
            guard = Some((self.resolve(name), negated));
        }
        let opcode = self.word()?;
        let mut parts = opcode.split('.');
        let base = parts.next().unwrap_or("").to_string();
        let modifiers = parts.map(str::to_string).collect();
        let mut operands = Vec::new();
        if !self.accept(';') {
            loop {
                operands.push(self.operand()?);
                if !self.accept(',') {
                    break;
                }
            }
            self.expect(';')?;
        }
        Ok(Instruction { line, guard, base, modifiers, operands })
    }

    fn list(&mut self, close: char) -> Result<Vec<Operand>> {
        let mut out = Vec::new();
        if self.accept(close) {
            return Ok(out);
        }
        loop {
            out.push(self.operand()?);
            if !self.accept(',') {
                break;
            }
        }
        self.expect(close)?;
        Ok(out)
    }

    fn operand(&mut self) -> Result<Operand> {
        let first = match self.peek() {
            Token::Mark('{') => {
                self.at += 1;
                Operand::Vector(self.list('}')?)
            }
            Token::Mark('(') => {
                self.at += 1;
                Operand::List(self.list(')')?)
            }
            Token::Mark('[') => {
                self.at += 1;
                let inner = self.operand()?;
                let offset = self.offset()?;
                self.expect(']')?;
                match inner {
                    Operand::NameOffset(n, o) => Operand::Address(Box::new(Operand::Name(n)), o),
                    other => Operand::Address(Box::new(other), offset),
                }
            }
            Token::Mark('!') => {
                self.at += 1;
                let name = self.word()?;
                Operand::Not(self.resolve(name))
            }
            Token::Mark('-') => {
                self.at += 1;
                match self.number()? {
                    Operand::Integer(v) => Operand::Integer(-v),
                    Operand::Single(v) => Operand::Single(-v),
                    Operand::Double(v) => Operand::Double(-v),
                    other => other,
                }
            }
            Token::Number(_) => self.number()?,
            Token::Word(name) => {
                self.at += 1;
                let name = self.resolve(name);
                match self.offset()? {
                    0 => Operand::Name(name),
                    offset => Operand::NameOffset(name, offset),
                }
            }
            other => return self.fail(format!("expected an operand, found {other:?}")),
        };
        if self.accept('|') {
            let second = self.operand()?;
            return Ok(Operand::Pair(Box::new(first), Box::new(second)));
        }
        Ok(first)
    }

    /// `+4`, `+-4` or nothing.
    fn offset(&mut self) -> Result<i64> {
        let sign = match self.peek() {
            Token::Mark('+') => {
                self.at += 1;
                if self.accept('-') { -1 } else { 1 }
            }
            Token::Mark('-') => {
                self.at += 1;
                -1
            }
            _ => return Ok(0),
        };
        match self.number()? {
            Operand::Integer(v) if v <= i64::MAX as i128 => Ok(sign * v as i64),
            _ => self.fail("expected an offset"),
        }
    }

    fn number(&mut self) -> Result<Operand> {
        let Token::Number(text) = self.peek() else {
            return self.fail(format!("expected a number, found {:?}", self.peek()));
        };
        let bad = || format!("`{text}` is no number");
        let lower = text.to_ascii_lowercase();
        let value = if let Some(h) = lower.strip_prefix("0f") {
            u32::from_str_radix(h, 16).map(|b| Operand::Single(f32::from_bits(b))).ok()
        } else if let Some(h) = lower.strip_prefix("0d") {
            u64::from_str_radix(h, 16).map(|b| Operand::Double(f64::from_bits(b))).ok()
        } else if lower.contains('.') {
            lower.parse().map(Operand::Double).ok()
        } else {
            let digits = lower.trim_end_matches('u');
            let parsed = if let Some(h) = digits.strip_prefix("0x") {
                u64::from_str_radix(h, 16)
            } else if let Some(b) = digits.strip_prefix("0b") {
                u64::from_str_radix(b, 2)
            } else if digits.len() > 1 && digits.starts_with('0') {
                u64::from_str_radix(digits, 8)
            } else {
                digits.parse()
            };
            parsed.map(|v| Operand::Integer(v as i128)).ok()
        };
        match value {
            Some(v) => {
                self.at += 1;
                Ok(v)
            }
            None => self.fail(bad()),
        }
    }
}
