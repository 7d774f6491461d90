//! Every form of an instruction that the workspace's PTX contains, against a reference that knows
//! only the form's name. A form without a row fails.

use crate::common::*;
use std::collections::BTreeSet;
use std::path::Path;

/// Instructions that other tests of this folder run in programs, because they need more than operands.
const PROGRAMS: [&str; 10] =
    ["atom", "bar", "bra", "cvta", "membar", "mma", "ret", "shfl", "vote", "ldmatrix"];

/// A value of some type.
#[derive(Clone, Copy, Debug)]
enum Value {
    Int(i128),
    Float(f64),
}

fn bits_of(ty: &str) -> u32 {
    if ty == "pred" { 1 } else { ty.trim_start_matches(|c: char| c.is_alphabetic()).parse().unwrap() }
}

fn is_float(ty: &str) -> bool {
    ty.starts_with('f')
}

/// What the lowest bits of `raw` are as that type.
fn read(raw: u64, ty: &str) -> Value {
    let bits = bits_of(ty);
    let low = if bits == 64 { raw } else { raw & ((1 << bits) - 1) };
    match (ty.as_bytes()[0], bits) {
        (b'f', 16) => Value::Float(from_half(low as u16)),
        (b'f', 32) => Value::Float(f32::from_bits(low as u32) as f64),
        (b'f', _) => Value::Float(f64::from_bits(low)),
        (b's', _) => Value::Int((low as i128) << (128 - bits) >> (128 - bits)),
        _ => Value::Int(low as i128),
    }
}

fn int(raw: u64, ty: &str) -> i128 {
    match read(raw, ty) {
        Value::Int(v) => v,
        Value::Float(_) => panic!("{ty} is no integer"),
    }
}

fn float(raw: u64, ty: &str) -> f64 {
    match read(raw, ty) {
        Value::Float(v) => v,
        Value::Int(_) => panic!("{ty} is no float"),
    }
}

fn from_half(h: u16) -> f64 {
    let sign = if h >> 15 != 0 { -1.0 } else { 1.0 };
    let (exponent, fraction) = ((h >> 10 & 31) as i32, (h & 1023) as f64);
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        e => (1.0 + fraction / 1024.0) * 2f64.powi(e - 15),
    }
}

fn to_half(x: f64) -> u64 {
    let sign = if x.is_sign_negative() { 0x8000 } else { 0 };
    let a = x.abs();
    if a.is_nan() {
        return 0x7fff;
    }
    if a >= 65520.0 {
        return sign | 0x7c00;
    }
    let exponent = if a < 2f64.powi(-14) { -14 } else { a.log2().floor() as i32 };
    let steps = (a / 2f64.powi(exponent - 10)).round_ties_even() as u64;
    // A carry into the next exponent adds up by itself.
    sign | if steps < 1024 { steps } else { (((exponent + 15) as u64) << 10) + (steps - 1024) }
}

/// The bits of a result, rounded to nearest.
fn write(v: Value, ty: &str) -> u64 {
    let bits = bits_of(ty);
    match (v, is_float(ty)) {
        (Value::Int(v), false) => v as u64 & if bits == 64 { !0 } else { (1 << bits) - 1 },
        (Value::Float(v), true) => match bits {
            16 => to_half(v),
            32 => (v as f32).to_bits() as u64,
            _ => v.to_bits(),
        },
        (Value::Int(v), true) => match bits {
            16 => to_half(v as f64),
            32 => (v as f32).to_bits() as u64,
            _ => (v as f64).to_bits(),
        },
        (Value::Float(_), false) => panic!("a float where {ty} is written"),
    }
}

/// Values of a type that are worth trying.
fn edges(ty: &str) -> Vec<u64> {
    match (is_float(ty), bits_of(ty)) {
        (true, 64) => DOUBLES.iter().map(|v| v.to_bits()).collect(),
        (true, 32) => SINGLES.iter().map(|v| v.to_bits() as u64).collect(),
        (true, _) => {
            vec![0, 0x8000, 1, 0x03ff, 0x3c00, 0xbc00, 0x3555, 0x4248, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00]
        }
        (false, 64) => EDGES64.to_vec(),
        _ => EDGES.iter().map(|&v| v as u64).collect(),
    }
}

fn inputs(types: &[&str]) -> Vec<Vec<u64>> {
    let mut out: Vec<Vec<u64>> = vec![vec![]];
    for ty in types {
        out = out.iter().flat_map(|t| edges(ty).into_iter().map(|v| [t.as_slice(), &[v]].concat())).collect();
    }
    out
}

/// The bits of a result, from those of the operands.
type Reference = Box<dyn Fn(&[u64]) -> u64>;

/// A row: what to run, the types of result and operands, and what is right.
struct Row {
    text: String,
    d: String,
    types: Vec<String>,
    right: Reference,
}

fn row(text: &str, d: &str, types: &[&str], right: impl Fn(&[u64]) -> u64 + 'static) -> Option<Row> {
    let types = types.iter().map(|t| t.to_string()).collect();
    Some(Row { text: text.to_string(), d: d.to_string(), types, right: Box::new(right) })
}

fn compare(relation: &str, a: Value, b: Value) -> bool {
    let order = match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(&b),
        _ => None,
    };
    use std::cmp::Ordering::*;
    let Some(order) = order else {
        // Not a number: only the unordered relations hold.
        return matches!(relation, "equ" | "neu" | "ltu" | "leu" | "gtu" | "geu" | "nan");
    };
    match relation.trim_end_matches('u') {
        "eq" => order == Equal,
        "ne" => order != Equal,
        "lt" => order == Less,
        "le" => order != Greater,
        "gt" => order == Greater,
        "ge" => order != Less,
        "num" => true,
        "nan" => false,
        other => panic!("no relation {other}"),
    }
}

fn convert(modifiers: &[&str], raw: u64) -> u64 {
    let (to, from) = (modifiers[modifiers.len() - 2], modifiers[modifiers.len() - 1]);
    let round = if modifiers.len() > 2 { modifiers[0] } else { "" };
    match read(raw, from) {
        Value::Int(v) => write(Value::Int(v), to),
        Value::Float(v) if is_float(to) => {
            let integral = match round {
                "rni" => v.round_ties_even(),
                "rzi" => v.trunc(),
                "rmi" => v.floor(),
                "rpi" => v.ceil(),
                _ => v,
            };
            if round == "rz" && to == "f32" && integral.is_finite() {
                let near = integral as f32;
                let beyond = (near as f64).abs() > integral.abs();
                return (near.to_bits() - beyond as u32) as u64;
            }
            write(Value::Float(integral), to)
        }
        Value::Float(v) => {
            assert_eq!(round, "rzi");
            let bits = bits_of(to);
            if v.is_nan() {
                // The manual's rule for conversions of NaN.
                return if from == "f64" || bits == 64 { 1 << (bits - 1) } else { 0 };
            }
            let (low, high) = match to.as_bytes()[0] {
                b's' => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
                _ => (0, (1i128 << bits) - 1),
            };
            write(Value::Int((v.trunc() as i128).clamp(low, high)), to)
        }
    }
}

/// The row of an arithmetic form.
fn arithmetic(form: &str) -> Option<Row> {
    let parts: Vec<&str> = form.split('.').collect();
    let (base, modifiers) = (parts[0], parts[1..].to_vec());
    let ty = modifiers.last()?.to_string();
    let t = ty.as_str();
    let own = ty.clone();
    let bits = bits_of(t);
    let ints = move |f: fn(i128, i128, u32) -> i128, text: &str| {
        let ty = own.clone();
        row(text, &own, &[&own, &own], move |v| {
            write(Value::Int(f(int(v[0], &ty), int(v[1], &ty), bits)), &ty)
        })
    };
    let binary = format!("{form} $d, $a, $b;");
    let unary = format!("{form} $d, $a;");
    let owned = ty.clone();
    if t == "pred" {
        let set = ".reg .pred %q<4>; setp.ne.u32 %q1, $a, 0; setp.ne.u32 %q2, $b, 0;";
        let text = match base {
            "mov" | "not" => format!("{set} {form} $d, %q1;"),
            _ => format!("{set} {form} $d, %q1, %q2;"),
        };
        let base = base.to_string();
        return row(&text, "pred", &["b32", "b32"], move |v| {
            let (a, b) = (v[0] as u32 != 0, v[1] as u32 != 0);
            (match base.as_str() {
                "mov" => a,
                "not" => !a,
                "and" => a && b,
                "or" => a || b,
                _ => a != b,
            }) as u64
        });
    }
    match (base, is_float(t)) {
        ("add" | "sub" | "mul" | "div", true) => {
            assert_eq!(modifiers[0], "rn", "{form}");
            let base = base.to_string();
            // In double precision nothing is rounded twice: it has more than twice the bits.
            row(&binary, t, &[t, t], move |v| {
                let (a, b) = (float(v[0], &owned), float(v[1], &owned));
                let r = match base.as_str() {
                    "add" => a + b,
                    "sub" => a - b,
                    "mul" => a * b,
                    _ => a / b,
                };
                write(Value::Float(r), &owned)
            })
        }
        ("fma", true) => row(&format!("{form} $d, $a, $b, $c;"), t, &[t, t, t], move |v| {
            if owned == "f32" {
                let [a, b, c] = [v[0], v[1], v[2]].map(|x| f32::from_bits(x as u32));
                return a.mul_add(b, c).to_bits() as u64;
            }
            let [a, b, c] = [v[0], v[1], v[2]].map(f64::from_bits);
            a.mul_add(b, c).to_bits()
        }),
        ("rcp" | "sqrt" | "neg" | "abs", true) => {
            let base = base.to_string();
            row(&unary, t, &[t], move |v| {
                let a = float(v[0], &owned);
                let r = match base.as_str() {
                    "rcp" => 1.0 / a,
                    "sqrt" => a.sqrt(),
                    "neg" => -a,
                    _ => a.abs(),
                };
                write(Value::Float(r), &owned)
            })
        }
        ("add", false) => ints(|a, b, _| a + b, &binary),
        ("sub", false) => ints(|a, b, _| a - b, &binary),
        ("min", false) => ints(|a, b, _| a.min(b), &binary),
        ("max", false) => ints(|a, b, _| a.max(b), &binary),
        // Of a division by zero the manual says nothing: not tried here.
        ("div", false) => ints(|a, b, _| if b == 0 { -1 } else { a / b }, &binary),
        ("rem", false) => ints(|a, b, _| if b == 0 { a } else { a % b }, &binary),
        ("and", false) => ints(|a, b, _| a & b, &binary),
        ("or", false) => ints(|a, b, _| a | b, &binary),
        ("xor", false) => ints(|a, b, _| a ^ b, &binary),
        ("mul", false) if modifiers[0] == "lo" => ints(|a, b, _| a.wrapping_mul(b), &binary),
        ("mul", false) if modifiers[0] == "hi" => row(&binary, t, &[t, t], move |v| {
            let product = int(v[0], &owned).wrapping_mul(int(v[1], &owned)) as u128;
            let sign = owned.starts_with('s');
            let high = if sign { (product as i128 >> bits) as u128 } else { product >> bits };
            write(Value::Int(high as i128), &owned)
        }),
        ("mul", false) => {
            let wide = format!("{}{}", &t[..1], 2 * bits);
            let to = wide.clone();
            row(&binary, &wide, &[t, t], move |v| {
                write(Value::Int(int(v[0], &owned) * int(v[1], &owned)), &to)
            })
        }
        ("mad", false) if modifiers[0] == "lo" => {
            row(&format!("{form} $d, $a, $b, $c;"), t, &[t, t, t], move |v| {
                let [a, b, c] = [v[0], v[1], v[2]].map(|x| int(x, &owned));
                write(Value::Int(a.wrapping_mul(b).wrapping_add(c)), &owned)
            })
        }
        ("neg", false) => row(&unary, t, &[t], move |v| write(Value::Int(-int(v[0], &owned)), &owned)),
        ("abs", false) => row(&unary, t, &[t], move |v| write(Value::Int(int(v[0], &owned).abs()), &owned)),
        ("not", false) => row(&unary, t, &[t], move |v| write(Value::Int(!int(v[0], &owned)), &owned)),
        ("mov", _) => row(&unary, t, &[t], move |v| read_raw(v[0], &owned)),
        ("popc", false) => row(&unary, "u32", &[t], move |v| read_raw(v[0], &owned).count_ones() as u64),
        ("clz", false) => {
            row(&unary, "u32", &[t], move |v| u64::from(read_raw(v[0], &owned).leading_zeros() - (64 - bits)))
        }
        ("shl", false) => row(&binary, t, &[t, "u32"], move |v| {
            let by = (v[1] as u32).min(100);
            write(Value::Int(if by >= bits { 0 } else { int(v[0], &owned) << by }), &owned)
        }),
        ("shr", false) => row(&binary, t, &[t, "u32"], move |v| {
            write(Value::Int(int(v[0], &owned) >> (v[1] as u32).min(100)), &owned)
        }),
        ("bfe", false) => row(&format!("{form} $d, $a, $b, $c;"), t, &[t, "u32", "u32"], move |v| {
            let (at, len) = (v[1] as u32 & 255, v[2] as u32 & 255);
            let bit = |k: u32| v[0] >> k & 1;
            // What the field has no bits for repeats its last one, or the number's where that comes first.
            let signed = owned.starts_with('s') && len > 0;
            let rest = if signed { bit((at + len - 1).min(bits - 1)) } else { 0 };
            (0..bits).fold(0, |all, k| all | (if k < len && at + k < bits { bit(at + k) } else { rest }) << k)
        }),
        ("selp", _) => {
            let text = format!(".reg .pred %q1; setp.ne.u32 %q1, $c, 0; {form} $d, $a, $b, %q1;");
            row(&text, t, &[t, t, "u32"], move |v| read_raw(v[if v[2] as u32 != 0 { 0 } else { 1 }], &owned))
        }
        ("setp", _) if modifiers.len() == 2 => {
            let relation = modifiers[0].to_string();
            row(&binary, "pred", &[t, t], move |v| {
                compare(&relation, read(v[0], &owned), read(v[1], &owned)) as u64
            })
        }
        ("cvt", _) => {
            let to = modifiers[modifiers.len() - 2].to_string();
            let all: Vec<String> = modifiers.iter().map(|m| m.to_string()).collect();
            // Registers have 16 bits at least.
            let from = if bits == 8 { "b16".to_string() } else { owned };
            row(&unary, &to, &[&from], move |v| {
                convert(&all.iter().map(String::as_str).collect::<Vec<_>>(), v[0])
            })
        }
        _ => None,
    }
}

fn read_raw(raw: u64, ty: &str) -> u64 {
    let bits = bits_of(ty);
    if bits == 64 { raw } else { raw & ((1 << bits) - 1) }
}

/// Rows of a load or a store: one for each element of a vector.
fn memory(form: &str) -> Vec<Row> {
    let parts: Vec<&str> = form.split('.').collect();
    let ty = *parts.last().unwrap();
    let bits = bits_of(ty);
    let n = parts.iter().find_map(|p| p.strip_prefix('v')?.parse::<usize>().ok()).unwrap_or(1);
    let space = ["global", "shared", "param", "const"].into_iter().find(|s| parts.contains(s)).unwrap_or("");
    let register = if bits == 8 { "b16".to_string() } else { format!("b{bits}") };
    let names: Vec<String> = (0..n).map(|k| format!("%x{k}")).collect();
    let list = if n == 1 { names[0].clone() } else { format!("{{{}}}", names.join(", ")) };
    let declare = format!(".reg .{register} %x<{n}>; .reg .b64 %y<{n}>;");
    // A place of its own for each of 64 threads.
    let own = ".shared .align 16 .b8 sh[4096]; .reg .b32 %own; mov.u32 %own, %tid.x; mad.lo.u32 %own, %own, 64, sh;";
    let mut out = Vec::new();
    for k in 0..n {
        let own_type = ty.to_string();
        let bytes = bits as usize / 8;
        // Element k lies in these operands of 64 bits.
        let element = move |v: &[u64]| {
            let bytes_of: Vec<u8> = v.iter().flat_map(|x| x.to_le_bytes()).collect();
            let mut raw = [0u8; 8];
            raw[..bytes].copy_from_slice(&bytes_of[k * bytes..(k + 1) * bytes]);
            u64::from_le_bytes(raw)
        };
        let words = (n * bytes).div_ceil(8);
        let types = vec!["b64"; words];
        let right = move |v: &[u64]| match (read(element(v), &own_type), is_float(&own_type)) {
            (Value::Int(x), false) => {
                write(Value::Int(x), if bits == 8 { "u16" } else { "u64" }) & mask(bits.max(16))
            }
            _ => element(v),
        };
        let pick = format!("mov.b{} $d, %x{k};", bits.max(16));
        let text = match (parts[0], space) {
            ("ld", "param" | "const") => continue,
            ("ld", "shared") => {
                let fill: String = (0..words)
                    .map(|w| {
                        format!("ld.global.b64 %z, [%rd4+{}]; st.shared.b64 [%own+{}], %z;", 8 * w, 8 * w)
                    })
                    .collect();
                format!("{declare} .reg .b64 %z; {own} {fill} {form} {list}, [%own]; {pick}")
            }
            ("ld", _) => format!("{declare} {form} {list}, [%rd4]; {pick}"),
            _ => {
                let load: String =
                    (0..n).map(|e| format!("ld.global.b{bits} %x{e}, [%rd4+{}];", e * bytes)).collect();
                let (to, shared) = if space == "shared" { ("%own", own) } else { ("%rd4", "") };
                let space = if space == "shared" { "shared" } else { "global" };
                format!(
                    "{declare} {shared} {load} {form} [{to}], {list}; ld.{space}.b{bits} %x0, [{to}+{}]; mov.b{} $d, %x0;",
                    k * bytes,
                    bits.max(16)
                )
            }
        };
        let right: Reference = if parts[0] == "st" { Box::new(element) } else { Box::new(right) };
        out.push(Row {
            text,
            d: format!("b{}", bits.max(16)),
            types: types.iter().map(|t| t.to_string()).collect(),
            right,
        });
    }
    out
}

fn mask(bits: u32) -> u64 {
    if bits >= 64 { !0 } else { (1 << bits) - 1 }
}

/// The forms in the PTX files below a folder.
fn forms(folder: &Path, out: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|e| e.unwrap().path()) {
        if path.is_dir() {
            forms(&path, out);
        } else if path.extension().is_some_and(|e| e == "ptx") {
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let line = line.trim_start();
                let line = if line.starts_with('@') {
                    line.split_once(char::is_whitespace).map_or("", |p| p.1)
                } else {
                    line
                };
                let form = line.trim_start().split([' ', '\t', ';']).next().unwrap_or("");
                if form.starts_with(|c: char| c.is_ascii_lowercase()) {
                    out.insert(form.to_string());
                }
            }
        }
    }
}

/// Forms that are tested even where no PTX file is there.
const ALWAYS: [&str; 24] = [
    "add.s32",
    "sub.u64",
    "mul.hi.s32",
    "mul.wide.s16",
    "mad.lo.u64",
    "div.s32",
    "rem.u16",
    "min.s64",
    "shr.s64",
    "setp.lt.u32",
    "selp.f64",
    "cvt.rzi.u32.f32",
    "cvt.rn.f16.f32",
    "cvt.u16.u64",
    "fma.rn.f32",
    "fma.rn.f64",
    "div.rn.f32",
    "sqrt.rn.f64",
    "setp.neu.f64",
    "xor.pred",
    "ld.global.v4.u16",
    "ld.shared.v2.f64",
    "st.shared.v4.f32",
    "popc.b64",
];

#[test]
fn every_form_in_the_workspace() {
    let mut all: BTreeSet<String> = ALWAYS.iter().map(|s| s.to_string()).collect();
    forms(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels/cuda/ptx"), &mut all);
    let mut missing = Vec::new();
    for form in &all {
        let base = form.split('.').next().unwrap();
        if PROGRAMS.contains(&base) || form.contains("warp.sync") {
            continue;
        }
        let rows =
            if matches!(base, "ld" | "st") { memory(form) } else { arithmetic(form).into_iter().collect() };
        if rows.is_empty() && !form.starts_with("ld.param") && !form.starts_with("ld.const") {
            missing.push(form.as_str());
        }
        for row in rows {
            let types: Vec<&str> = row.types.iter().map(String::as_str).collect();
            let mut tried = inputs(&types);
            if matches!(base, "div" | "rem") && !is_float(&row.d) {
                tried.retain(|v| read_raw(v[1], &row.d) != 0);
            }
            let found = results(&row.text, &row.d, &types, &tried);
            for (v, found) in tried.iter().zip(found) {
                let right = (row.right)(v);
                let nan = is_float(&row.d) && float(found, &row.d).is_nan() && float(right, &row.d).is_nan();
                assert!(nan || found == right, "{form} of {v:x?}: {found:#x} where {right:#x} is right");
            }
        }
    }
    assert!(missing.is_empty(), "forms without a row: {missing:?}");
}

/// Every instruction that can be decoded at all occurs in some test of this folder.
#[test]
fn every_instruction_is_in_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator");
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Not this list.
        if path.extension().is_some_and(|e| e == "rs") && path.file_name().is_some_and(|n| n != "forms.rs") {
            text += &std::fs::read_to_string(path).unwrap();
        }
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '%';
    let mentioned = |name: &str| {
        text.match_indices(name).any(|(at, _)| {
            let before = text[..at].chars().next_back().unwrap_or(' ');
            let after = text[at + name.len()..].chars().next().unwrap_or(' ');
            !word(before) && before != '.' && matches!(after, '.' | '"' | ' ' | ';')
        })
    };
    let missing: Vec<&str> = ptx_emulator::OPCODES.iter().copied().filter(|n| !mentioned(n)).collect();
    assert!(missing.is_empty(), "no test mentions {missing:?}");
}
