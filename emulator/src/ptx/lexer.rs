//! Characters to tokens.

use crate::PtxError;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// `.reg`, without the dot.
    Directive(&'a str),
    /// A name or an opcode with its modifiers.
    Word(&'a str),
    /// A number as it is written.
    Number(&'a str),
    Text(&'a str),
    Mark(char),
    End,
}

/// A line of a text, counted from 1, without what is around it.
pub(crate) fn line_of(source: &str, line: u32) -> String {
    source.lines().nth(line.saturating_sub(1) as usize).unwrap_or("").trim().to_string()
}

/// Tokens with their lines.
pub(super) fn lex(source: &str) -> Result<Vec<(Token<'_>, u32)>, PtxError> {
    let bytes = source.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() / 4);
    let (mut i, mut line) = (0, 1u32);
    let fail =
        |line: u32, reason: &str| PtxError { line, text: line_of(source, line), reason: reason.to_string() };
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b == b'%';
    while i < bytes.len() {
        let start = i;
        match bytes[i] {
            b'\n' => {
                line += 1;
                i += 1;
            }
            b if b.is_ascii_whitespace() => i += 1,
            b'/' if bytes.get(i + 1) == Some(&b'/') => {
                while i < bytes.len() && bytes[i] != b'\n' {
                    i += 1;
                }
            }
            b'/' if bytes.get(i + 1) == Some(&b'*') => {
                let end = source[i + 2..].find("*/").ok_or_else(|| fail(line, "a comment has no end"))?;
                line += source[i..i + 2 + end].matches('\n').count() as u32;
                i += end + 4;
            }
            b'"' => {
                let end = source[i + 1..].find('"').ok_or_else(|| fail(line, "a string has no end"))?;
                out.push((Token::Text(&source[i + 1..i + 1 + end]), line));
                line += source[i..i + 1 + end].matches('\n').count() as u32;
                i += end + 2;
            }
            b'.' => {
                i += 1;
                while i < bytes.len() && word(bytes[i]) {
                    i += 1;
                }
                out.push((Token::Directive(&source[start + 1..i]), line));
            }
            b if b.is_ascii_digit() => {
                while i < bytes.len() && (bytes[i].is_ascii_alphanumeric() || bytes[i] == b'.') {
                    i += 1;
                    let exponent = matches!(bytes[i - 1], b'e' | b'E') && source[start..i].contains('.');
                    if exponent && matches!(bytes.get(i), Some(b'+' | b'-')) {
                        i += 1;
                    }
                }
                out.push((Token::Number(&source[start..i]), line));
            }
            b if word(b) => {
                loop {
                    match bytes.get(i) {
                        Some(&b) if word(b) || b == b'.' => i += 1,
                        Some(b':') if bytes.get(i + 1) == Some(&b':') => i += 2,
                        _ => break,
                    }
                }
                out.push((Token::Word(&source[start..i]), line));
            }
            b if b.is_ascii() => {
                out.push((Token::Mark(b as char), line));
                i += 1;
            }
            _ => return Err(fail(line, "a character that PTX does not have")),
        }
    }
    out.push((Token::End, line));
    Ok(out)
}
