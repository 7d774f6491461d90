//! Standard output and standard error.

use crate::fail::{Fail, Result};
use crate::text;
use std::io::{ErrorKind, IsTerminal, Write};

/// Writes a whole report.
pub fn print(report: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(report.as_bytes()).and_then(|()| out.flush()).map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => Fail::Closed,
        _ => Fail::Message(format!("cannot write the output: {e}")),
    })
}

/// Writes a value as one line of JSON. What a terminal would obey is written as `\u…`.
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let json = serde_json::to_string(value).expect("keys are texts");
    let mut line = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if text::is_harmless(c) {
            line.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|u| line.push_str(&format!("\\u{u:04x}")));
        }
    }
    line.push('\n');
    print(&line)
}

/// Writes one line of trouble to standard error. It may have keys of any length in it.
pub fn complain(message: &str) {
    let message = text::cut(message, 1000);
    // Nothing is left to be done where even this fails.
    let _ = writeln!(std::io::stderr(), "taper: {}", text::printable(&message));
}

/// Writes a line beside the result to standard error.
pub fn note(message: &str) {
    complain(&format!("note: {message}"));
}

/// Colours, where a person reads.
#[derive(Clone, Copy)]
pub struct Style(bool);

impl Style {
    /// Of standard output: colours on a terminal, unless `NO_COLOR` is set.
    pub fn stdout() -> Style {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Style(std::io::stdout().is_terminal() && !refused)
    }
    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }
}
