//! PTX and the lines of its sources, apart: `kernels/cuda/lines.txt` is a table that reports of the emulator
//! read. Its format is that of `emulator/src/lines.rs`.

use std::fmt::Write;

/// What a compiler adds to PTX for the lines of its sources.
fn is_extra(line: &str) -> bool {
    let label = |stem: &str| {
        let number = line.strip_prefix(stem).and_then(|rest| rest.strip_suffix(':'));
        number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    };
    [".loc ", ".file ", ".section "].iter().any(|word| line.starts_with(word))
        || ["$L__tmp", "$L__func_begin", "$L__func_end"].iter().any(|stem| label(stem))
}

/// The names of `.file` lines by their numbers.
fn files(ptx: &str) -> Vec<(&str, String)> {
    let named = ptx.lines().filter_map(|l| l.strip_prefix(".file ")?.split_once(' '));
    named.map(|(number, name)| (number, name.trim_matches('"').replace("/./", "/"))).collect()
}

/// Compact PTX with lines to the PTX without, and its section of the table.
pub fn split(ptx: &str, name: &str) -> (String, String) {
    let names = files(ptx);
    let (mut text, mut runs) = (String::with_capacity(ptx.len()), String::new());
    // Where the last run began; the place of what comes next, and whether that has been said.
    let (mut at, mut count) = (0, 0);
    let (mut said, mut next): ((&str, i64), Option<(&str, i64)>) = (("", 0), None);
    for line in ptx.lines() {
        if let Some(place) = line.strip_prefix(".loc ") {
            let mut words = place.split(' ');
            let file = words.next().unwrap_or("");
            // Line 0: the compiler's own; it belongs to what is around it.
            next = words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0).map(|n| (file, n)).or(next);
        }
        if is_extra(line) {
            continue;
        }
        count += 1;
        text.push_str(line);
        text.push('\n');
        if line.starts_with(".visible .entry ") && !runs.is_empty() {
            runs.push('\n');
        }
        let Some(place) = next.take_if(|place| *place != said && line.ends_with(';')) else { continue };
        if !runs.is_empty() && !runs.ends_with('\n') {
            runs.push(' ');
        }
        let skip = count - at;
        let written = if place.0 == said.0 {
            write!(runs, "{skip}{:+}", place.1 - said.1)
        } else {
            let index = names.iter().position(|(number, _)| *number == place.0).unwrap_or(25);
            write!(runs, "{skip}{}{}", (b'a' + index.min(25) as u8) as char, place.1)
        };
        written.expect("writing to a string");
        (at, said) = (count, place);
    }
    let mut section = format!("ptx {:016x} {name}\n", hash(&text));
    for (_, file) in &names {
        section += &format!("file {file}\n");
    }
    (text, section + &runs + "\n")
}

/// 64 bits of FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ byte as u64).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_into_a_table() {
        let ptx = ".version 7.0\n.visible .entry a()\n{\n.loc 1 5 0\n$L__func_begin0:\n.loc 1 6 1\nmov.u32 %r1,1;\n\
                   .loc 1 6 9\nmov.u32 %r2,1;\n$L__tmp0:\n.loc 2 20 1\nadd.u32 %r1,%r1,%r2;\n.loc 2 0 1\nsub.u32 %r1,%r1,%r2;\n\
                   .loc 1 4 1\n$L__BB0_1:\nbar.sync 0;\n$L__func_end0:\n}\n.visible .entry b()\n{\n.loc 1 9 0\nret;\n}\n\
                   .section .debug_loc { }\n.file 1 \"kernels/cuda/a.cu\"\n.file 2 \"kernels/cuda/./include/b.cuh\"\n";
        let (text, table) = split(ptx, "a_f32");
        let plain = ".version 7.0\n.visible .entry a()\n{\nmov.u32 %r1,1;\nmov.u32 %r2,1;\nadd.u32 %r1,%r1,%r2;\n\
                     sub.u32 %r1,%r1,%r2;\n$L__BB0_1:\nbar.sync 0;\n}\n.visible .entry b()\n{\nret;\n}\n";
        assert_eq!(text, plain);
        let runs = "4a6 2b20 3a4\n4+5\n";
        let files = "file kernels/cuda/a.cu\nfile kernels/cuda/include/b.cuh\n";
        assert_eq!(table, format!("ptx {:016x} a_f32\n{files}{runs}", hash(plain)));
    }

    /// The published test vectors: the emulator must find what is written here.
    #[test]
    fn the_hash_is_fnv() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
