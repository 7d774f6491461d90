//! Lines of sources for PTX that has no `.loc`.
//!
//! With `.loc` lines PTX is an eighth longer and changes whenever a line of a source moves, so PTX that is
//! committed, or carried by programs, does better without. A table of its own says the same. Only a report
//! reads it, where `PTX_EMULATOR_LINES` (or [`Options::lines`](crate::Options::lines)) names it. It is a text
//! of sections, one for each PTX text:
//!
//! ```text
//! ptx 8f0c6ab1d2e34579 softmax_f32
//! file kernels/cuda/softmax.cu
//! file kernels/cuda/include/team.cuh
//! 12a34 1+2 3b7 2a37
//! ```
//!
//! First the text's hash ([`hash`]; the name is for people), then its files, which are `a`, `b` and so on. The
//! other words are runs: so many PTX lines after the last run's begins a line of a source, either of a file
//! (`3b7`: line 7 of the second) or of the same one as before, so many lines further on or back (`1+2`).
//!
//! ```
//! let ptx = ".version 7.0\n.target sm_75\n.visible .entry k()\n{\nbar.sync 0;\nret;\n}\n";
//! let table = format!("ptx {:016x} k\nfile k.cu\n5a10 1+2\n", ptx_emulator::lines::hash(ptx));
//! assert_eq!(ptx_emulator::lines::find(&table, ptx, 6).unwrap(), "k.cu:12");
//! ```

use std::path::Path;

/// The hash of a PTX text: 64 bits of FNV-1a.
pub fn hash(ptx: &str) -> u64 {
    ptx.bytes().fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ byte as u64).wrapping_mul(0x0100_0000_01b3))
}

/// `file:line` of the source of a line of a PTX text, where the table knows it.
pub fn find(table: &str, ptx: &str, line: u32) -> Option<String> {
    let title = format!("ptx {:016x}", hash(ptx));
    let section = table.lines().skip_while(|l| !l.starts_with(&title)).skip(1);
    let mut files: Vec<&str> = Vec::new();
    let (mut at, mut file, mut source) = (0, 0, 0);
    let mut found = None;
    for text in section.take_while(|l| !l.starts_with("ptx ")) {
        if let Some(name) = text.strip_prefix("file ") {
            files.push(name);
            continue;
        }
        for run in text.split_whitespace() {
            let mark = run.find(|c: char| !c.is_ascii_digit())?;
            let (skip, number) =
                (run[..mark].parse::<u32>().ok()?, run.get(mark + 1..)?.parse::<u32>().ok()?);
            at = u32::checked_add(at, skip)?;
            if at > line {
                return found;
            }
            source = match run.as_bytes()[mark] {
                b'+' => u32::checked_add(source, number)?,
                b'-' => u32::checked_sub(source, number)?,
                letter @ b'a'..=b'z' => {
                    file = (letter - b'a') as usize;
                    number
                }
                _ => return None,
            };
            found = Some(format!("{}:{source}", files.get(file)?));
        }
    }
    found
}

/// As [`find`] with the table of a file; what is wrong with it is told in the line's place.
pub(crate) fn find_in(path: &Path, ptx: &str, line: u32) -> String {
    match std::fs::read_to_string(path) {
        Ok(table) => find(&table, ptx, line)
            .unwrap_or_else(|| format!("an unknown line: {} does not know this PTX", path.display())),
        Err(e) => format!("an unknown line: {}: {e}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTX: &str = ".version 7.0\n";

    fn at(line: u32, runs: &str) -> Option<String> {
        let other = format!("ptx {:016x} other\nfile other.cu\n1a9\n", hash("other"));
        let this = format!("ptx {:016x}\nfile a.cu\nfile b.cuh\n{runs}\n", hash(PTX));
        find(&format!("{other}{this}{other}"), PTX, line)
    }

    #[test]
    fn runs() {
        let runs = "3a10 1+2\n2b7 1-3";
        let expected =
            [None, None, Some("a.cu:10"), Some("a.cu:12"), Some("a.cu:12"), Some("b.cuh:7"), Some("b.cuh:4")];
        for (k, e) in expected.into_iter().enumerate() {
            assert_eq!(at(k as u32 + 1, runs).as_deref(), e, "line {}", k + 1);
        }
        assert_eq!(at(1000, runs).as_deref(), Some("b.cuh:4"));
        assert_eq!(find("", PTX, 3), None);
    }

    #[test]
    fn damaged_tables_say_nothing() {
        for runs in ["3", "a7", "1a", "1c7", "1a3 1-9", "1A3", "1a99999999999", "4294967295a1 9+1", "1é1"] {
            assert!(at(u32::MAX, runs).is_none(), "{runs}");
        }
        let missing = find_in(Path::new("/nowhere/lines.txt"), PTX, 1);
        assert!(missing.starts_with("an unknown line: /nowhere/lines.txt: "), "{missing}");
    }
}
