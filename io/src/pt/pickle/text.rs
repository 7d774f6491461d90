//! The values that the oldest protocols write as text.

use super::Value;

type Result<T> = std::result::Result<T, String>;

/// `I`: an integer, or 00 and 01 for false and true.
pub(super) fn int(line: &str) -> Result<Value> {
    match line {
        "00" => Ok(Value::Bool(false)),
        "01" => Ok(Value::Bool(true)),
        _ => long(line),
    }
}

/// `L`: an integer with an L.
pub(super) fn long(line: &str) -> Result<Value> {
    let digits = line.strip_suffix('L').unwrap_or(line);
    digits.parse().map(Value::Int).map_err(|_| format!("{line:.40?} is not an integer of 64 bits"))
}

/// `F`: a float as Python's `repr` has it.
pub(super) fn float(line: &str) -> Result<Value> {
    line.parse().map(Value::Float).map_err(|_| format!("{line:.40?} is not a number"))
}

/// `V`: characters, with `\u1234` and `\U00012345`.
pub(super) fn unicode(line: &str) -> Result<String> {
    let (mut text, mut rest) = (String::with_capacity(line.len()), line);
    while let Some((plain, code)) = rest.split_once('\\') {
        text.push_str(plain);
        let digits = match code.bytes().next() {
            Some(b'u') => 4,
            Some(b'U') => 8,
            _ => {
                text.push('\\');
                rest = code;
                continue;
            }
        };
        let number = code.get(1..1 + digits).and_then(|d| u32::from_str_radix(d, 16).ok());
        let c = number.and_then(char::from_u32).ok_or("text with a wrong \\u")?;
        text.push(c);
        rest = &code[1 + digits..];
    }
    text.push_str(rest);
    Ok(text)
}

/// `S`: text in quotes, as Python 2's `repr` has it.
pub(super) fn quoted(line: &str) -> Result<String> {
    let inner = ['\'', '"'].iter().find_map(|&q| line.strip_prefix(q)?.strip_suffix(q));
    let inner = inner.ok_or("text without quotes")?;
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        text.push(match characters.next() {
            Some(c @ ('\\' | '\'' | '"')) => c,
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            _ => return Err("text with an escape that is not known".into()),
        });
    }
    Ok(text)
}
