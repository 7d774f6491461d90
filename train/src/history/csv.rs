//! Histories as comma-separated values (RFC 4180).

use super::{History, Wrong};

const HEADER: [&str; 3] = ["series", "step", "value"];

pub(super) fn write(history: &History) -> String {
    let mut text = HEADER.join(",") + "\n";
    for (name, step, value) in history.iter() {
        if name.contains([',', '"', '\n', '\r']) {
            text.push_str(&format!("\"{}\"", name.replace('"', "\"\"")));
        } else {
            text.push_str(name);
        }
        text.push_str(&format!(",{},{}\n", number(step), number(value)));
    }
    text
}

/// The shortest text that is exactly this number, without an exponent where it is readable.
fn number(v: f64) -> String {
    let plain = v == 0.0 || !v.is_finite() || (1e-5..1e16).contains(&v.abs());
    if plain { v.to_string() } else { format!("{v:e}") }
}

pub(super) fn read(text: &str) -> Result<History, Wrong> {
    let mut history = History::new();
    let (mut rest, mut line) = (text, 1);
    let mut first = true;
    while !rest.is_empty() {
        let started = line;
        let fields = record(&mut rest, &mut line).map_err(|message| (started, message))?;
        if fields == [""] {
            continue;
        }
        if first && fields != HEADER {
            return Err((started, "the first line should be series,step,value".into()));
        }
        if !std::mem::take(&mut first) {
            let [name, step, value] = fields.as_slice() else {
                return Err((started, format!("expected 3 fields, found {}", fields.len())));
            };
            let parse = |v: &String| v.parse().map_err(|_| (started, format!("{v:?} is no number")));
            history.log(name, parse(step)?, parse(value)?);
        }
    }
    match first {
        true => Err((1, "the file is empty".into())),
        false => Ok(history),
    }
}

/// Takes the fields of one record, and the end of its line.
fn record(rest: &mut &str, line: &mut usize) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    loop {
        let mut field = String::new();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let end = quoted.find('"').ok_or("a quotation mark is not closed")?;
                field.push_str(&quoted[..end]);
                quoted = &quoted[end + 1..];
                match quoted.strip_prefix('"') {
                    Some(more) => (field, quoted) = (field + "\"", more),
                    None => break,
                }
            }
            *line += field.matches('\n').count();
            *rest = quoted;
        } else {
            let end = rest.find([',', '\n', '\r']).unwrap_or(rest.len());
            field.push_str(&rest[..end]);
            *rest = &rest[end..];
        }
        fields.push(field);
        if let Some(more) = rest.strip_prefix(',') {
            *rest = more;
            continue;
        }
        *line += 1;
        let ended = rest.strip_prefix("\r\n").or(rest.strip_prefix(['\n', '\r']));
        *rest = match ended {
            Some(more) => more,
            None if rest.is_empty() => "",
            None => return Err("text after a closing quotation mark".into()),
        };
        return Ok(fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_plain_csv() {
        let mut h = History::new();
        h.log("train/loss", 1.0, 0.25);
        h.log("a \"b\", c", 2.5, 1e-9);
        assert_eq!(write(&h), "series,step,value\ntrain/loss,1,0.25\n\"a \"\"b\"\", c\",2.5,1e-9\n");
    }

    /// What a spreadsheet makes of it: other ends of lines, quotes without need, an empty line.
    #[test]
    fn other_programs_files_are_read() {
        let h = read("series,step,value\r\n\"loss\",1.0,\"0.5\"\r\n\r\nloss,2,nan").unwrap();
        assert_eq!(h.len(), 2);
        assert_eq!(h.get("loss").next(), Some((1.0, 0.5)));
    }

    #[test]
    fn damage_is_named_by_its_line() {
        for (text, line, message) in [
            ("", 1, "the file is empty"),
            ("a,b\n", 1, "the first line should be series,step,value"),
            ("series,step,value\nloss,1\n", 2, "expected 3 fields, found 2"),
            ("series,step,value\nloss,1,2\nloss,1,x\n", 3, "\"x\" is no number"),
            ("series,step,value\n\"a\nb\",1,2\nloss,,2\n", 4, "\"\" is no number"),
            ("series,step,value\n\"loss,1,2\n", 2, "a quotation mark is not closed"),
            ("series,step,value\n\"loss\"x,1,2\n", 2, "text after a closing quotation mark"),
        ] {
            assert_eq!(read(text).unwrap_err(), (line, message.to_string()), "{text:?}");
        }
    }
}
