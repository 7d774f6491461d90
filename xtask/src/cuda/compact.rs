//! PTX as it is committed, and carried by every program with the feature `cuda`: without what only its
//! writer needs. A fifth of clang's text is spaces, comments, and names of parameters that repeat the kernel's.

/// The same instructions in fewer bytes.
pub fn compact(ptx: &str) -> String {
    let mut out = String::with_capacity(ptx.len());
    let mut parameters = String::new();
    for line in ptx.lines() {
        // File names may hold two slashes; nothing else does but a comment.
        let code =
            if line.trim_start().starts_with(".file") { line } else { line.split("//").next().unwrap_or("") };
        let words: Vec<&str> = code.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let line = words.join(" ").replace(", ", ",");
        if let Some(rest) = line.strip_prefix(".visible .entry ") {
            let name = rest.split('(').next().unwrap_or(rest);
            parameters = format!("{name}_param_");
        }
        if parameters.is_empty() {
            out.push_str(&line);
        } else {
            out.push_str(&line.replace(&parameters, "p"));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_counts() {
        let ptx = "//\n// Generated\n\n.version 7.0\n\t// .globl\tadd_f32  // -- Begin\n.visible .entry add_f32(\n\
                   \t.param .u64 add_f32_param_0\n)\n.maxntid 256, 1, 1\n{\n\t.reg .pred \t%p<3>;\n// %bb.0:\n\
                   \tld.param.u64 \t%rd1, [add_f32_param_0];\n$L__BB0_1:\n\t.file\t1 \"a//b.cu\"\n\tret;  // end\n}\n";
        assert_eq!(
            compact(ptx),
            ".version 7.0\n.visible .entry add_f32(\n.param .u64 p0\n)\n.maxntid 256,1,1\n{\n.reg .pred %p<3>;\n\
             ld.param.u64 %rd1,[p0];\n$L__BB0_1:\n.file 1 \"a//b.cu\"\nret;\n}\n"
        );
    }
}
