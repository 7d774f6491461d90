//! Numbers and texts as people read them, and nothing that a terminal would obey.

use std::borrow::Cow;
use taper_tensor::{Key, State};

/// Whether a terminal shows the character and does nothing else.
pub fn is_harmless(c: char) -> bool {
    // Rust's `Debug` escapes what cannot be seen: controls, marks of direction, spaces without width.
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

/// A text from anywhere with escapes for what is not harmless; on one line.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmless(c) {
            out.push(c);
        } else {
            out.extend(c.escape_debug());
        }
    }
    out.into()
}

/// At most so many characters of a text, and how many it has.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => text.into(),
        Some((end, _)) => {
            let all = text.chars().count();
            format!("{}… ({} characters)", &text[..end], count(all as u64)).into()
        }
    }
}

/// `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 tensor`, `12 tensors`.
pub fn plural(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `1.2 MB`.
pub fn size(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if value < 999.95 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// Six digits, as C's `%g`.
pub fn number(x: f64) -> String {
    if !x.is_finite() {
        return if x.is_nan() {
            "nan".into()
        } else if x > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    let text = format!("{x:.5e}");
    let (digits, exponent) = text.split_once('e').expect("of an `e` format");
    let exponent: i32 = exponent.parse().expect("of an `e` format");
    let short = |s: &str| s.trim_end_matches('0').trim_end_matches('.').to_string();
    match exponent {
        -4..6 => {
            let fixed = format!("{x:.*}", (5 - exponent) as usize);
            if fixed.contains('.') { short(&fixed) } else { fixed }
        }
        _ => format!("{}e{exponent}", short(digits)),
    }
}

/// `[2, 3]`.
pub fn list<T: ToString>(items: &[T]) -> String {
    format!("[{}]", items.iter().map(T::to_string).collect::<Vec<_>>().join(", "))
}

/// A value without tensors in Python's spelling, cut where it is long.
pub fn value(state: &State) -> String {
    match state {
        State::Tensor(t) => format!("{} {}", t.dtype(), list(t.shape())),
        State::Map(map) => {
            let entry = |(key, v): (&Key, &State)| match key {
                Key::Str(s) => format!("{}: {}", quoted(s), value(v)),
                Key::Int(i) => format!("{i}: {}", value(v)),
            };
            format!("{{{}}}", some(map.iter().map(entry), 4))
        }
        State::List(items) => format!("[{}]", some(items.iter().map(value), 12)),
        State::Tuple(items) if items.len() == 1 => format!("({},)", value(&items[0])),
        State::Tuple(items) => format!("({})", some(items.iter().map(value), 12)),
        State::Int(i) => i.to_string(),
        State::Float(f) if f.is_finite() => format!("{f:?}"),
        State::Float(f) => number(*f),
        State::Bool(b) => if *b { "True" } else { "False" }.into(),
        State::Str(s) => quoted(s),
        State::None => "None".into(),
    }
}

/// A text in quotes, cut where it is long.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(&cut(text, 100)))
}

/// The first of many, and how many there are more.
fn some(mut items: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let mut shown: Vec<String> = items.by_ref().take(most).collect();
    if items.len() > 0 {
        shown.push(format!("… {} more", count(items.len() as u64)));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_c_prints_them() {
        for (x, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (100_000.0, "100000"),
            (999_999.6, "1e6"),
            (123_456_789.0, "1.23457e8"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3.0, "0.333333"),
            (0.00001234567, "1.23457e-5"),
            (1e-7, "1e-7"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(number(x), text);
        }
    }

    #[test]
    fn sizes_and_counts() {
        for (n, text) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB")]
        {
            assert_eq!(size(n), text);
        }
        assert_eq!(size(u64::MAX), "18.4 EB");
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn what_a_terminal_would_obey() {
        assert_eq!(printable("größe.\"a\".'b'\\c 重み"), "größe.\"a\".'b'\\c 重み");
        assert_eq!(printable("\x1b[2J\n\r\t\u{9b}31m\u{7f}"), r"\u{1b}[2J\n\r\t\u{9b}31m\u{7f}");
        // Right to left override, zero width space, line separator, byte order mark.
        assert_eq!(printable("\u{202e}\u{200b}\u{2028}\u{feff}"), r"\u{202e}\u{200b}\u{2028}\u{feff}");
    }
}
