//! Functions: heads, declarations, statements.

use super::ast::*;
use super::lexer::Token;
use super::parser::{Parser, Result, type_bytes};
use std::collections::HashMap;

impl Parser<'_> {
    pub(super) fn function(&mut self, line: u32) -> Result<Function> {
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

    pub(super) fn params(&mut self) -> Result<Vec<Variable>> {
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

    pub(super) fn body(&mut self, f: &mut Function) -> Result<()> {
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
    pub(super) fn declare(&mut self, name: &str) -> String {
        let Some(scope) = self.scopes.last_mut() else { return name.to_string() };
        self.renamed += 1;
        // `#` cannot occur in a name; digits at its end would look like a register's number.
        let unique = format!("{name}#{}#", self.renamed);
        scope.insert(name.to_string(), unique.clone());
        unique
    }

    pub(super) fn resolve(&self, name: &str) -> String {
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

    pub(super) fn registers(&mut self, f: &mut Function) -> Result<()> {
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
}
