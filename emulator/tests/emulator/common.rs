//! Small kernels around one instruction, and kernels of their own.

use ptx_emulator::counts::Counts;
use ptx_emulator::{Device, Dim, Fault, Options, Profile};

/// Edge values of 32 bits.
pub const EDGES: [u32; 16] = [
    0,
    1,
    2,
    3,
    31,
    32,
    33,
    0x7f,
    0x80,
    0xffff,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_ffff,
    0x1234_5678,
];

/// Edge values of 64 bits.
pub const EDGES64: [u64; 14] = [
    0,
    1,
    3,
    63,
    64,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
    0x0123_4567_89ab_cdef,
];

/// Edge values of single precision.
pub const SINGLES: [f32; 20] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1.5,
    2.5,
    -2.5,
    3.0,
    0.1,
    16777217.0,
    -1e10,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    1e-40,
    -1e-45,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

/// Edge values of double precision.
pub const DOUBLES: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    1e300,
    -1e300,
    1e-310,
    4e9,
    -3e9,
    9.3e18,
    f64::MAX,
    f64::MIN_POSITIVE,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

pub fn device() -> Device {
    Device::new(Profile::sm_90(), Options { threads: 1, ..Options::default() })
}

pub fn ptx(body: &str) -> String {
    format!(".version 7.8\n.target sm_90\n.address_size 64\n{body}")
}

/// All combinations of a list with itself.
pub fn tuples<T: Copy + Into<u64>>(values: &[T], n: usize) -> Vec<Vec<u64>> {
    let mut out: Vec<Vec<u64>> = vec![vec![]];
    for _ in 0..n {
        out = out.iter().flat_map(|t| values.iter().map(|&v| [t.as_slice(), &[v.into()]].concat())).collect();
    }
    out
}

/// What a register of this type is declared as, and the width of its values.
fn register(ty: &str) -> (&'static str, u32) {
    match ty.trim_start_matches(|c: char| c.is_alphabetic()) {
        "8" => ("b16", 8),
        "16" => ("b16", 16),
        "64" => ("b64", 64),
        _ => ("b32", 32),
    }
}

/// Runs `instruction` on each tuple: `$d` is the result, `$a` … `$e` are the operands, of the
/// given types. A result of type `pred` comes back as 0 or 1.
pub fn results(instruction: &str, d: &str, types: &[&str], inputs: &[Vec<u64>]) -> Vec<u64> {
    let names = ["$a", "$b", "$c", "$e"];
    let mut body = String::new();
    let mut text = instruction.to_string();
    for (k, ty) in types.iter().enumerate() {
        let (reg, bits) = register(ty);
        body += &format!(".reg .{reg} %v{k};\nld.global.b{bits} %v{k}, [%rd4+{}];\n", 8 * k);
        text = text.replace(names[k], &format!("%v{k}"));
    }
    let store = if d == "pred" {
        body += ".reg .pred %pd; .reg .b32 %out;\n";
        text = text.replace("$d", "%pd");
        "selp.u32 %out, 1, 0, %pd; st.global.b32 [%rd5], %out;".to_string()
    } else {
        let (reg, bits) = register(d);
        body += &format!(".reg .{reg} %out;\n");
        text = text.replace("$d", "%out");
        format!("st.global.b{bits} [%rd5], %out;")
    };
    let stride = 8 * types.len().max(1);
    let source = ptx(&format!(
        ".visible .entry k(.param .u64 in, .param .u64 out, .param .u32 n) {{
.reg .pred %p1; .reg .b32 %r<8>; .reg .b64 %rd<8>;
ld.param.u64 %rd1, [in]; ld.param.u64 %rd2, [out]; ld.param.u32 %r1, [n];
mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mov.u32 %r4, %tid.x; mad.lo.s32 %r5, %r2, %r3, %r4;
setp.ge.u32 %p1, %r5, %r1;
@%p1 bra done;
mul.wide.u32 %rd3, %r5, {stride}; add.s64 %rd4, %rd1, %rd3;
mul.wide.u32 %rd3, %r5, 8; add.s64 %rd5, %rd2, %rd3;
{body}{text}
{store}
done: ret;
}}"
    ));
    let device = device();
    let module = device.load(&source).unwrap_or_else(|e| panic!("{e}"));
    let n = inputs.len();
    let a = device.alloc((n * stride) as u64).unwrap();
    let b = device.alloc(n as u64 * 8).unwrap();
    let bytes: Vec<u8> = inputs.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    device.write(a, &bytes).unwrap();
    device.write(b, &vec![0; n * 8]).unwrap();
    let params = [&a.to_le_bytes()[..], &b.to_le_bytes(), &(n as u32).to_le_bytes()].concat();
    device
        .launch(module.kernel("k").unwrap(), Dim::x(n.div_ceil(64) as u32), Dim::x(64), 0, &params)
        .unwrap_or_else(|e| panic!("{instruction}: {e}"));
    let out = device.read(b, n * 8).unwrap();
    out.chunks(8).map(|c| u64::from_le_bytes(c.try_into().unwrap())).collect()
}

/// Compares an instruction with a reference on each tuple.
pub fn verify(
    instruction: &str,
    d: &str,
    types: &[&str],
    inputs: &[Vec<u64>],
    reference: impl Fn(&[u64]) -> u64,
) {
    let found = results(instruction, d, types, inputs);
    for (input, found) in inputs.iter().zip(found) {
        let expected = reference(input);
        assert_eq!(found, expected, "{instruction} of {input:x?}: {found:#x} where {expected:#x} is right");
    }
}

/// A kernel `k(.param .u64 p)` with usual registers around `body`.
pub fn kernel(body: &str) -> String {
    ptx(&format!(
        ".visible .entry k(.param .u64 p) {{
.reg .pred %p<8>; .reg .b16 %h<8>; .reg .b32 %r<32>; .reg .b64 %rd<16>;
.shared .align 16 .b8 sm[4096];
ld.param.u64 %rd1, [p];
mov.u32 %r1, %tid.x;
mul.wide.u32 %rd2, %r1, 4;
add.s64 %rd3, %rd1, %rd2;
{body}
ret;
}}"
    ))
}

/// Runs such a kernel on `words` 32-bit words, returns them and the counts.
pub fn run(
    options: Options,
    source: &str,
    grid: u32,
    block: u32,
    words: &[u32],
) -> Result<(Vec<u32>, Counts), Fault> {
    let device = Device::new(Profile::sm_80(), options);
    let source = source.replace("sm_90", "sm_80");
    let module = device.load(&source).unwrap_or_else(|e| panic!("{e}"));
    let p = device.alloc(words.len() as u64 * 4).unwrap();
    device.write(p, &words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>()).unwrap();
    let counts =
        device.launch(module.kernel("k").unwrap(), Dim::x(grid), Dim::x(block), 0, &p.to_le_bytes())?;
    let out = device.read(p, words.len() * 4).unwrap();
    Ok((out.chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect(), counts))
}

/// Plain mode.
pub fn plain(source: &str, block: u32, words: &[u32]) -> Vec<u32> {
    run(Options { threads: 1, ..Options::default() }, source, 1, block, words)
        .unwrap_or_else(|e| panic!("{e}"))
        .0
}

/// Plain, check mode and a few shuffles must agree.
pub fn everywhere(source: &str, grid: u32, block: u32, words: &[u32]) -> Vec<u32> {
    let first = run(Options::default(), source, grid, block, words).unwrap_or_else(|e| panic!("{e}")).0;
    let mut modes = vec![Options { check: true, counts: true, ..Options::default() }];
    modes.extend((1..4).map(|seed| Options { shuffle: Some(seed), ..Options::default() }));
    for options in modes {
        let other =
            run(options.clone(), source, grid, block, words).unwrap_or_else(|e| panic!("{options:?}: {e}")).0;
        assert_eq!(first, other, "{options:?}");
    }
    first
}
