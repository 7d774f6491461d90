//! Check mode: every report, provoked; and silence about programs that are right.

use crate::common::*;
use ptx_emulator::{Device, Dim, Fault, FaultKind, Options, Profile};

fn check() -> Options {
    Options { check: true, ..Options::default() }
}

/// The fault of a kernel of `block` threads; the line to blame ends with `// here`.
fn fault(body: &str, grid: u32, block: u32, kind: FaultKind, words: &str) -> Fault {
    let source = kernel(body);
    let e = run(check(), &source, grid, block, &[1; 64]).expect_err("no fault");
    assert_eq!(e.kind, kind, "{e}");
    assert!(e.what.contains(words), "{e}");
    if let Some(line) = source.lines().position(|l| l.ends_with("// here")) {
        assert_eq!(e.line as usize, line + 1, "{e}");
    }
    assert_eq!(e.kernel, "k");
    e
}

#[test]
fn out_of_bounds() {
    let e = fault(
        "ld.global.u32 %r2, [%rd3+128]; // here",
        1,
        64,
        FaultKind::OutOfBounds,
        "4 bytes past the end of the 256-byte",
    );
    assert_eq!(e.thread, [32, 0, 0]);
    let e = fault(
        "@%p1 bra 0x; ".replace("@%p1 bra 0x; ", "st.global.u32 [%rd1+-4], %r1; // here").as_str(),
        2,
        32,
        FaultKind::OutOfBounds,
        "4 bytes before",
    );
    assert!(e.to_string().contains("block (0, 0, 0), thread (0, 0, 0)"), "{e}");
    fault("st.shared.u32 [sm+4096], %r1; // here", 1, 1, FaultKind::OutOfBounds, "4096 bytes of Shared");
    fault(
        "mov.u64 %rd4, 64; ld.global.u32 %r2, [%rd4]; // here",
        1,
        1,
        FaultKind::OutOfBounds,
        "no allocation",
    );
    fault("atom.global.add.u32 %r2, [%rd1+256], 1; // here", 1, 1, FaultKind::OutOfBounds, "atomic");
    fault("cp.async.ca.shared.global [sm], [%rd1+256], 4; // here", 1, 1, FaultKind::OutOfBounds, "read");
    // Bounds are checked in every mode.
    let e = run(Options::default(), &kernel("ld.global.u64 %rd4, [%rd1+252];"), 1, 1, &[0; 64]).unwrap_err();
    assert_eq!(e.kind, FaultKind::Misaligned);
    let e = run(Options::default(), &kernel("ld.global.u64 %rd4, [%rd1+256];"), 1, 1, &[0; 64]).unwrap_err();
    assert_eq!(e.kind, FaultKind::OutOfBounds);
}

#[test]
fn misaligned() {
    fault("ld.global.u32 %r2, [%rd1+2]; // here", 1, 1, FaultKind::Misaligned, "misaligned read of 4 bytes");
    fault("st.shared.v4.u32 [sm+8], {%r1, %r1, %r1, %r1}; // here", 1, 1, FaultKind::Misaligned, "16 bytes");
}

#[test]
fn races_in_shared_memory() {
    let store = "mov.u32 %r9, sm; mad.lo.u32 %r3, %r1, 4, %r9; st.shared.u32 [%r3], %r1;\n";
    let read = "xor.b32 %r4, %r1, 33; mad.lo.u32 %r4, %r4, 4, %r9;\nld.shared.u32 %r5, [%r4]; // here";
    let between = "mov.u32 %r20, 0;\n";
    // Between warps: the second warp reads what the first wrote; the first one fails already,
    // because the second has not written.
    fault(&format!("{store}{between}{read}"), 1, 64, FaultKind::Uninitialised, "uninitialised");
    let fill = format!("{store}bar.sync 0;\nadd.u32 %r2, %r1, 7; st.shared.u32 [%r3], %r2;\n");
    fault(&format!("{fill}{}", read.replace("// here", "")), 1, 64, FaultKind::Race, "unordered read");
    everywhere(&kernel(&format!("{fill}bar.sync 0;\n{}", read.replace("// here", ""))), 1, 64, &[0; 64]);
    // Between lanes of one warp.
    let near = "xor.b32 %r4, %r1, 1; mad.lo.u32 %r4, %r4, 4, %r9;\nld.shared.u32 %r5, [%r4]; // here";
    fault(&format!("{store}{near}"), 1, 32, FaultKind::Race, "thread 1 of the block");
    everywhere(
        &kernel(&format!("{store}bar.warp.sync -1;\n{}", near.replace("// here", ""))),
        1,
        32,
        &[0; 64],
    );
    // A write after reads, and two writes.
    let body = format!(
        "{store}bar.sync 0; xor.b32 %r4, %r1, 33; mad.lo.u32 %r4, %r4, 4, %r9; ld.shared.u32 %r5, [%r4];\n\
                        add.u32 %r5, %r5, 99; st.shared.u32 [%r3], %r5;"
    );
    // The first warp is through before the second reads.
    fault(&body, 1, 64, FaultKind::Race, "a read, and an unordered write");
    fault("st.shared.u32 [sm], %r1; // here", 1, 64, FaultKind::Race, "unordered write");
    everywhere(&kernel("st.shared.u32 [sm], 5;"), 1, 64, &[0; 64]);
    // An atomic and a read.
    let body = "st.shared.u32 [sm], 5; bar.sync 0; atom.shared.add.u32 %r2, [sm], 1;\nld.shared.u32 %r3, [sm]; // here";
    fault(body, 1, 64, FaultKind::Race, "unordered write");
    // Bytes beside each other are no race.
    everywhere(
        &kernel("mov.u32 %r9, sm; add.u32 %r9, %r9, %r1; st.shared.u8 [%r9], %r1; ld.shared.u8 %r2, [%r9];"),
        1,
        64,
        &[0; 64],
    );
}

#[test]
fn races_between_blocks() {
    fault(
        "mov.u32 %r2, %ctaid.x; st.global.u32 [%rd1], %r2; // here",
        3,
        1,
        FaultKind::Race,
        "unordered write by block 0",
    );
    fault(
        "mov.u32 %r2, %ctaid.x; setp.eq.u32 %p1, %r2, 0; @%p1 st.global.u32 [%rd1], 77;\nld.global.u32 %r3, [%rd1]; // here",
        2,
        1,
        FaultKind::Race,
        "read",
    );
    fault(
        "mov.u32 %r2, %ctaid.x; ld.global.u32 %r3, [%rd1]; setp.eq.u32 %p1, %r2, 1;\n@%p1 st.global.u32 [%rd1], 77; // here",
        2,
        1,
        FaultKind::Race,
        "unordered read by",
    );
    everywhere(&kernel("red.global.add.u32 [%rd1], 1;"), 4, 64, &[0; 64]);
}

#[test]
fn uninitialised_reads() {
    fault(
        "ld.shared.u32 %r2, [sm+8]; // here",
        1,
        1,
        FaultKind::Uninitialised,
        "shared memory: 4 bytes at byte 8",
    );
    let device = Device::new(Profile::sm_80(), check());
    let source = kernel("ld.global.u32 %r2, [%rd3];").replace("sm_90", "sm_80");
    let module = device.load(&source).unwrap();
    let p = device.alloc(64).unwrap();
    device.write(p, &[0; 32]).unwrap();
    let launch = |n| device.launch(module.kernel("k").unwrap(), Dim::x(1), Dim::x(n), 0, &p.to_le_bytes());
    launch(8).unwrap();
    let e = launch(9).unwrap_err();
    assert_eq!((e.kind, e.thread), (FaultKind::Uninitialised, [8, 0, 0]));
    assert!(e.what.contains("at byte 32 of the 64-byte allocation"), "{e}");
    // A forgotten wait for a copy shows as data that has not arrived.
    let body = "cp.async.ca.shared.global [sm], [%rd1], 4; cp.async.commit_group;\nld.shared.u32 %r2, [sm];";
    let out = run(Options::default(), &kernel(&format!("{body} st.global.u32 [%rd1], %r2;")), 1, 1, &[7])
        .unwrap()
        .0;
    assert_eq!(out, [!0]);
}

#[test]
fn divergent_barriers() {
    fault("setp.lt.u32 %p1, %r1, 16;\n@%p1 bar.sync 0; // here", 1, 32, FaultKind::Divergence, "exited");
    fault("setp.lt.u32 %p1, %r1, 16; @%p1 ret;\nbar.sync 0; // here", 1, 32, FaultKind::Divergence, "exited");
    fault(
        "setp.lt.u32 %p1, %r1, 32; @%p1 ret;\nbar.sync 0; // here",
        1,
        64,
        FaultKind::Divergence,
        "1 of 2 warps",
    );
    fault(
        "setp.lt.u32 %p1, %r1, 32; @%p1 bra a; bar.sync 0; bra b;\na: bar.sync 0;\nb:",
        1,
        64,
        FaultKind::Divergence,
        "other warps",
    );
    fault("bar.sync 1, 96; // here", 1, 64, FaultKind::Divergence, "never complete: 2 of 2");
    fault(
        "setp.lt.u32 %p1, %r1, 16; @%p1 bra a; bar.warp.sync -1; bra b;\na: shfl.sync.idx.b32 %r2, %r1, 0, 31, -1;\nb:",
        1,
        32,
        FaultKind::Divergence,
        "lanes 0x",
    );
}

#[test]
fn bad_masks() {
    fault(
        "shfl.sync.idx.b32 %r2, %r1, 0, 31, 1; // here",
        1,
        32,
        FaultKind::Mask,
        "does not name the thread itself",
    );
    fault(
        "setp.lt.u32 %p1, %r1, 16; @%p1 ret;\nvote.sync.any.pred %p2, %p1, -1; // here",
        1,
        32,
        FaultKind::Mask,
        "exited",
    );
    fault(
        "setp.lt.u32 %p1, %r1, 16;\n@%p1 shfl.sync.bfly.b32 %r2, %r1, 16, 31, 0xffff; // here",
        1,
        32,
        FaultKind::Mask,
        "lane 16",
    );
}

#[test]
fn use_after_free() {
    let device = Device::new(Profile::sm_80(), Options::default());
    let module = device.load(&kernel("st.global.u32 [%rd3], 1;").replace("sm_90", "sm_80")).unwrap();
    let (p, q) = (device.alloc(64).unwrap(), device.alloc(64).unwrap());
    assert!(device.free(p));
    assert!(!device.free(p));
    let other = device.alloc(64).unwrap();
    assert!(other > q, "addresses are used once");
    let e =
        device.launch(module.kernel("k").unwrap(), Dim::x(1), Dim::x(1), 0, &p.to_le_bytes()).unwrap_err();
    assert!(e.what.contains("use after free: the 64-byte allocation"), "{e}");
}

#[test]
fn reports_name_the_source_line() {
    let source = kernel(".loc 2 17 5\nld.global.u32 %r2, [%rd1+2];").replace("sm_90", "sm_80")
        + "\n.file 2 \"dir/softmax.cu\"";
    let e = run(check(), &source, 1, 1, &[0; 4]).unwrap_err();
    assert_eq!(e.source.as_deref(), Some("dir/softmax.cu:17:5"));
    let text = e.to_string();
    assert!(text.contains("kernel k, block (0, 0, 0), thread (0, 0, 0)"), "{text}");
    assert!(text.contains(&format!("PTX line {}: ld.global.u32 %r2, [%rd1+2];", e.line)), "{text}");
    for stop in ["trap;", "brkpt;"] {
        assert!(run(check(), &kernel(stop), 1, 1, &[0]).is_err_and(|e| e.kind == FaultKind::Trap));
    }
}

#[test]
fn counts() {
    let options = Options { counts: true, ..Options::default() };
    let count = |body: &str, block| run(options.clone(), &kernel(body), 1, block, &[0; 2048]).unwrap().1;
    // Neighbouring words: 4 sectors a warp. Words 64 bytes apart: one sector a lane.
    let c = count("ld.global.u32 %r2, [%rd3];", 64);
    assert_eq!((c.global_loads.requests, c.global_loads.sectors, c.global_loads.bytes), (2, 8, 256));
    let c = count("mul.wide.u32 %rd4, %r1, 64; add.s64 %rd4, %rd4, %rd1; st.global.u32 [%rd4], %r1;", 32);
    assert_eq!((c.global_stores.requests, c.global_stores.sectors), (1, 32));
    // Shared memory: no conflict, a 32-fold one, a broadcast, and 16 bytes a lane.
    for (stride, ty, passes, ideal) in
        [(4, "u32", 1, 1), (128, "u32", 32, 1), (0, "u32", 1, 1), (132, "u32", 1, 1)]
    {
        let c = count(
            &format!("mov.u32 %r9, sm; mad.lo.u32 %r3, %r1, {stride}, %r9; ld.shared.{ty} %r2, [%r3];"),
            31,
        );
        assert_eq!(
            (c.shared_wavefronts, c.shared_ideal),
            (if stride == 128 { 31 } else { passes }, ideal),
            "{stride}"
        );
    }
    let c = count(
        "mov.u32 %r9, sm; mad.lo.u32 %r3, %r1, 16, %r9; ld.shared.v4.u32 {%r2, %r4, %r5, %r6}, [%r3];",
        32,
    );
    assert_eq!((c.shared_requests, c.shared_wavefronts, c.shared_ideal), (1, 4, 4));
    let c = count(
        "setp.lt.u32 %p1, %r1, 7; @%p1 bra a; fma.rn.f32 %r2, %r1, %r1, %r1;\na: bar.sync 0; red.global.add.u32 [%rd1], 1;",
        64,
    );
    assert_eq!((c.divergent_branches, c.divergent_instructions), (1, 1));
    assert_eq!((c.barriers, c.atomics, c.class("fma_f32"), c.class("barrier")), (1, 64, 2, 2));
    assert_eq!(c.warp_instructions, 2 * 9 + 2);
    assert_eq!(c.thread_instructions, 64 * 4 + 64 + 7 + 57 + 64 * 3);
    let json = c.json();
    assert!(
        json.starts_with("{\"kernel\":\"k\",\"grid\":[1,1,1],\"block\":[64,1,1],\"shared_bytes\":4096,"),
        "{json}"
    );
    assert!(json.contains("\"fma_f32\":2") && json.ends_with("\"barriers\":1,\"atomics\":64}"), "{json}");
}
