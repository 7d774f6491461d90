//! Damaged PTX: an error with a line, or a kernel that runs or fails; never a panic.

use crate::common::kernel;
use proptest::prelude::*;
use ptx_emulator::{Device, Dim, Options, Profile};

/// PTX as a compiler writes it.
const COMPILED: &str = include_str!("../../examples/speed/kernels.ptx");

/// PTX with everything that compilers seldom write.
fn odd() -> String {
    kernel(
        ".shared .align 8 .b8 more[64]; .local .align 4 .b32 stack[4]; .reg .b32 %v; .reg .f32 %f<4>;
.pragma \"nounroll\"; .loc 1 2 3
mov.u32 %v, sm; st.local.u32 [stack+4], %r1; { .reg .b32 %v; mov.b32 %v, -0x7; }
ld.global.v4.u32 {%r2, %r3, _, %r5}, [%rd1+-0]; @!%p1 bra $L_1;
shfl.sync.bfly.b32 %r2|%p2, %r1, 1, 31, -1; vote.sync.ballot.b32 %r3, %p2, -1;
$L_1: setp.lt.and.f32 %p1|%p3, 0f3F800000, 1.5, !%p2; fma.rn.f32 %f1, %f2, 0F00000000, 0d3FF0000000000000;
brx.idx %r4, ts; ts: .branchtargets $L_1, $L_2;
$L_2: atom.shared.cas.b32 %r1, [sm], 1, 2; bar.sync 0, 32; membar.gl; cp.async.ca.shared.global [sm], [%rd1], 16;",
    ) + "\n.global .align 4 .u32 table[4] = {1, 2, 0x3, 04};\n.const .f64 k = 0d4000000000000000;"
}

/// One thing that goes wrong with a text.
#[derive(Clone, Debug)]
enum Damage {
    Delete(usize, usize),
    Insert(usize, String),
    Swap(usize, usize),
    Repeat(usize, usize),
    Cut(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let piece = prop_oneof![
        "[ -~]{1,6}",
        prop::sample::select(vec![
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            ";",
            ",",
            "@",
            "@!%p1 ",
            "|",
            "\"",
            "/*",
            ".reg .b32 %x<4000000000>;",
            "999999999999999999999",
            "-",
            "+",
            ".align 3",
            ".b8 z[0xffffffffffff];",
            "0x",
            "0f",
            "%r99999",
            "ü",
            "\0",
            "bar.sync 99;",
            "bra $L_1;",
            "{{{{{{{{{{{{",
            ".v4",
            ".f64",
            ".pred",
            "%tid.w",
            "[-9223372036854775808]",
            "18446744073709551615",
            "exit;",
            "call (a), f, (b);",
        ])
        .prop_map(str::to_string),
    ];
    prop_oneof![
        (any::<usize>(), 0..40usize).prop_map(|(a, n)| Damage::Delete(a, n)),
        (any::<usize>(), piece).prop_map(|(a, s)| Damage::Insert(a, s)),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Damage::Swap(a, b)),
        (any::<usize>(), 0..200usize).prop_map(|(a, n)| Damage::Repeat(a, n)),
        any::<usize>().prop_map(Damage::Cut),
    ]
}

fn damaged(mut text: Vec<char>, all: &[Damage]) -> String {
    for d in all {
        let n = text.len().max(1);
        match d {
            Damage::Delete(at, len) => {
                let at = at % n;
                text.drain(at.min(text.len())..(at + len).min(text.len()));
            }
            Damage::Insert(at, s) => {
                let at = (at % n).min(text.len());
                text.splice(at..at, s.chars());
            }
            Damage::Swap(a, b) if !text.is_empty() => text.swap(a % n, b % n),
            Damage::Swap(..) => {}
            Damage::Repeat(at, len) => {
                let at = (at % n).min(text.len());
                let piece: Vec<char> = text[at..(at + len).min(text.len())].to_vec();
                text.splice(at..at, piece);
            }
            Damage::Cut(at) => text.truncate(at % n),
        }
    }
    text.into_iter().collect()
}

/// Loads and, where that works, runs each kernel with arguments that point to little memory.
fn endure(text: &str) {
    let options = Options { check: true, limit: 2000, threads: 1, ..Options::default() };
    let device = Device::new(Profile { memory: 64 << 20, ..Profile::sm_90() }, options);
    let module = match device.load(text) {
        Ok(module) => module,
        Err(e) => {
            let lines = text.lines().count() as u32;
            assert!(e.line <= lines + 1, "line {} of {lines}: {e}", e.line);
            assert!(!e.reason.is_empty());
            return;
        }
    };
    let p = device.alloc(256).unwrap();
    for name in module.names() {
        let kernel = module.kernel(name).unwrap();
        let size = kernel.params().iter().map(|(at, n)| at + n).max().unwrap_or(0) as usize;
        let params: Vec<u8> = p.to_le_bytes().into_iter().cycle().take(size).collect();
        let _ = device.launch(kernel, Dim::x(1), Dim::x(33), 0, &params);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_texts_do_no_harm(all in prop::collection::vec(damage(), 1..5), which in 0..3) {
        let text = match which {
            0 => COMPILED.to_string(),
            1 => odd(),
            // Only one kernel: the damage is more likely to hit something.
            _ => COMPILED.split(".visible").take(2).collect::<Vec<_>>().join(".visible"),
        };
        endure(&damaged(text.chars().collect(), &all));
    }

    #[test]
    fn any_text_does_no_harm(text in "\\PC{0,200}") {
        endure(&text);
        endure(&format!(".version 7.0\n.target sm_80\n.address_size 64\n{text}"));
    }
}

#[test]
fn undamaged_texts_load() {
    endure(COMPILED);
    let device = Device::new(Profile::sm_90(), Options::default());
    device.load(COMPILED).unwrap();
    device.load(&odd()).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn no_text_asks_for_too_much() {
    let device = Device::new(Profile::sm_90(), Options::default());
    let deep = format!(".global .b32 x[2] = {}1{};", "{".repeat(100_000), "}".repeat(100_000));
    let nested = format!("mov.b32 %r1, {}1{};", "[".repeat(100_000), "]".repeat(100_000));
    let calls: String =
        (0..40).map(|k| format!(".func f{}() {{ call f{k}, (); call f{k}, (); ret; }}\n", k + 1)).collect();
    for (text, words) in [
        (crate::common::ptx(&deep), "nested too deeply"),
        (kernel(&nested), "nested too deeply"),
        (crate::common::ptx(".global .align 4 .b8 x[0xffffffffff];"), "too large"),
        (crate::common::ptx(".global .align 0x80000000 .b8 x[4];"), "alignment"),
        (kernel(".shared .b8 huge[0x20000000];"), "shared memory"),
        (kernel(".local .b8 huge[0x1000000];"), "local memory"),
        (kernel(".reg .b64 %big<65000>; .reg .b64 %more<65000>;"), "registers"),
        (
            crate::common::ptx(&format!(
                ".func f0() {{ ret; }}\n{calls}.visible .entry k() {{ call f40, (); ret; }}"
            )),
            "too long",
        ),
    ] {
        let e = device.load(&text).map(|_| ()).unwrap_err();
        assert!(e.reason.contains(words), "{e}");
    }
}
