//! Instructions, operands and numbers.

use super::ast::*;
use super::lexer::Token;
use super::parser::{Parser, Result};

impl Parser<'_> {
    pub(super) fn instruction(&mut self) -> Result<Instruction> {
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

    pub(super) fn list(&mut self, close: char) -> Result<Vec<Operand>> {
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

    pub(super) fn operand(&mut self) -> Result<Operand> {
        self.nested(Self::operand_here)
    }

    pub(super) fn operand_here(&mut self) -> Result<Operand> {
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
    pub(super) fn offset(&mut self) -> Result<i64> {
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

    pub(super) fn number(&mut self) -> Result<Operand> {
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
