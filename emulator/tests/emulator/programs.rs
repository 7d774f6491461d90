//! Divergence, barriers and whole kernels.

use crate::common::*;
use ptx_emulator::{Device, Dim, FaultKind, Options, Profile};

#[test]
fn loops_of_different_lengths() {
    // Collatz: each lane loops as often as it needs.
    let source = kernel(
        "mov.u32 %r9, %ctaid.x; mov.u32 %r8, %ntid.x; mad.lo.u32 %r1, %r9, %r8, %r1;
mul.wide.u32 %rd2, %r1, 4; add.s64 %rd3, %rd1, %rd2;
add.u32 %r2, %r1, 1; mov.u32 %r3, 0;
head: setp.eq.u32 %p1, %r2, 1; @%p1 bra done;
and.b32 %r4, %r2, 1; setp.eq.u32 %p2, %r4, 0; @%p2 bra even;
mad.lo.u32 %r2, %r2, 3, 1; bra next;
even: shr.u32 %r2, %r2, 1;
next: add.u32 %r3, %r3, 1; bra.uni head;
done: st.global.u32 [%rd3], %r3;",
    );
    let out = everywhere(&source, 30, 100, &vec![0; 3000]);
    for (k, &steps) in out.iter().enumerate() {
        let (mut x, mut n) = (k as u64 + 1, 0);
        while x != 1 {
            x = if x % 2 == 0 { x / 2 } else { 3 * x + 1 };
            n += 1;
        }
        assert_eq!(steps, n);
    }
}

#[test]
fn indirect_branches() {
    let source = kernel(
        "and.b32 %r2, %r1, 3;
table: .branchtargets a, b, c, b;
brx.idx %r2, table;
a: mov.u32 %r3, 10; bra end;
b: mov.u32 %r3, 20; bra end;
c: mov.u32 %r3, 30;
end: st.global.u32 [%rd3], %r3;",
    );
    let out = everywhere(&source, 1, 32, &[0; 32]);
    for (k, &o) in out.iter().enumerate() {
        assert_eq!(o, [10, 20, 30, 20][k % 4]);
    }
}

#[test]
fn block_reduction_through_shared_memory() {
    let source = kernel(
        "ld.global.u32 %r2, [%rd3]; mov.u32 %r3, sm; mad.lo.u32 %r4, %r1, 4, %r3; st.shared.u32 [%r4], %r2;
mov.u32 %r5, %ntid.x; bar.sync 0;
loop: shr.u32 %r5, %r5, 1; setp.eq.u32 %p1, %r5, 0; @%p1 bra end;
setp.ge.u32 %p2, %r1, %r5; @%p2 bra skip;
mad.lo.u32 %r6, %r5, 4, %r4; ld.shared.u32 %r7, [%r6]; ld.shared.u32 %r8, [%r4]; add.u32 %r8, %r8, %r7;
st.shared.u32 [%r4], %r8;
skip: bar.sync 0; bra.uni loop;
end: ld.shared.u32 %r9, [sm]; st.global.u32 [%rd3], %r9;",
    );
    let words: Vec<u32> = (1..=512).collect();
    assert_eq!(everywhere(&source, 1, 512, &words), vec![512 * 513 / 2; 512]);
}

#[test]
fn named_barriers_and_their_reductions() {
    // Warp 0 produces for warp 1 through barrier 1; warps 2 and 3 vote at barrier 2.
    let source = kernel(
        "mov.u32 %r2, %warpid; mov.u32 %r9, sm; mov.u32 %r3, %laneid; mad.lo.u32 %r4, %r3, 4, %r9;
setp.ge.u32 %p1, %r2, 2; @%p1 bra voters;
setp.eq.u32 %p2, %r2, 1; @%p2 bra consumer;
add.u32 %r5, %r3, 500; st.shared.u32 [%r4], %r5; bar.arrive 1, 64; mov.u32 %r6, 1; bra end;
consumer: bar.sync 1, 64; xor.b32 %r7, %r3, 5; mad.lo.u32 %r7, %r7, 4, %r9; ld.shared.u32 %r6, [%r7]; bra end;
voters: setp.lt.u32 %p3, %r1, 70; barrier.cta.red.popc.u32 %r6, 2, 64, %p3;
barrier.cta.red.or.pred %p4, 2, 64, %p3; barrier.cta.red.and.pred %p5, 2, 64, %p3;
@%p4 add.u32 %r6, %r6, 100; @%p5 add.u32 %r6, %r6, 1000;
end: st.global.u32 [%rd3], %r6;",
    );
    let out = everywhere(&source, 1, 128, &[0; 128]);
    for (k, &o) in out.iter().enumerate() {
        let expected = match k / 32 {
            0 => 1,
            1 => 500 + ((k as u32 % 32) ^ 5),
            _ => 106,
        };
        assert_eq!(o, expected, "thread {k}");
    }
}

#[test]
fn special_registers() {
    let source = ptx(".visible .entry k(.param .u64 p) { .reg .b32 %r<20>; .reg .b64 %rd<4>;
ld.param.u64 %rd1, [p];
mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %tid.z; mov.u32 %r4, %ntid.x; mov.u32 %r5, %ntid.y;
mad.lo.u32 %r6, %r3, %r5, %r2; mad.lo.u32 %r6, %r6, %r4, %r1;
mov.u32 %r7, %ctaid.z; mov.u32 %r8, %nctaid.y; mov.u32 %r9, %ctaid.y; mad.lo.u32 %r7, %r7, %r8, %r9;
mov.u32 %r8, %nctaid.x; mov.u32 %r9, %ctaid.x; mad.lo.u32 %r7, %r7, %r8, %r9;
mov.u32 %r8, %ntid.z; mul.lo.u32 %r8, %r8, %r5; mul.lo.u32 %r8, %r8, %r4; mad.lo.u32 %r9, %r7, %r8, %r6;
mov.u32 %r10, %laneid; mov.u32 %r11, %lanemask_lt; popc.b32 %r11, %r11; sub.u32 %r10, %r10, %r11;
mov.u32 %r12, %warpid; mov.u32 %r13, %nwarpid; shl.b32 %r12, %r12, 16; shl.b32 %r13, %r13, 24;
add.u32 %r10, %r10, %r9; add.u32 %r10, %r10, %r12; add.u32 %r10, %r10, %r13;
mul.wide.u32 %rd2, %r9, 4; add.s64 %rd3, %rd1, %rd2; st.global.u32 [%rd3], %r10; ret; }");
    let device = Device::new(Profile::sm_90(), Options::default());
    let module = device.load(&source).unwrap();
    let (grid, block) = (Dim { x: 3, y: 2, z: 2 }, Dim { x: 5, y: 4, z: 3 });
    let n = (grid.count() * block.count()) as usize;
    let p = device.alloc(n as u64 * 4).unwrap();
    device.launch(module.kernel("k").unwrap(), grid, block, 0, &p.to_le_bytes()).unwrap();
    for (k, c) in device.read(p, n * 4).unwrap().chunks(4).enumerate() {
        let expected = k as u32 + ((k as u32 % 60 / 32) << 16) + (2 << 24);
        assert_eq!(u32::from_le_bytes(c.try_into().unwrap()), expected);
    }
}

#[test]
fn limits_of_the_device() {
    let device = Device::new(Profile::sm_75(), Options::default());
    let source =
        kernel("").replace("sm_90", "sm_75").replace("{\n.reg .pred", ".maxntid 256, 1, 1 {\n.reg .pred");
    let module = device.load(&source).unwrap();
    let k = module.kernel("k").unwrap();
    let p = [0u8; 8];
    for (grid, block, shared) in [
        (Dim::x(1), Dim::x(257), 0),
        (Dim::x(0), Dim::x(1), 0),
        (Dim::xy(1, 65536), Dim::x(1), 0),
        (Dim::x(1), Dim { x: 1, y: 1, z: 65 }, 0),
        (Dim::x(1), Dim::x(1), 64 << 10),
    ] {
        let e = device.launch(k.clone(), grid, block, shared, &p).unwrap_err();
        assert_eq!(e.kind, FaultKind::Launch, "{e}");
    }
    assert!(device.launch(k.clone(), Dim::x(1), Dim::x(1), 0, &[]).is_err());
    assert!(device.launch(k, Dim::x(1), Dim::x(256), 60 << 10, &p).is_ok());
    assert_eq!(Profile::sm_80().occupancy(256, 0), 8);
    assert_eq!(Profile::sm_75().occupancy(1024, 33 << 10), 1);
    assert_eq!(Profile::sm_90().occupancy(32, 228 << 10), 0);
}

#[test]
fn endless_loops_end() {
    let options = Options { limit: 100_000, ..Options::default() };
    let e = run(options, &kernel("again: bra again;"), 1, 32, &[0]).unwrap_err();
    assert_eq!(e.kind, FaultKind::Hang, "{e}");
    // A warp that waits in a loop for another one is not endless.
    let source = kernel(
        "setp.ne.u32 %p1, %r1, 32; setp.ne.u32 %p2, %r1, 0;
mov.u32 %r9, sm; @!%p2 st.shared.u32 [%r9], 0; bar.sync 0;
@!%p1 st.volatile.shared.u32 [%r9], 1;
wait: ld.volatile.shared.u32 %r2, [%r9]; setp.eq.u32 %p3, %r2, 0; @%p3 bra wait;
st.global.u32 [%rd3], %r2;",
    );
    assert_eq!(plain(&source, 64, &[0; 64]), [1; 64]);
}

/// A lane that holds a lock comes to run although the others of its warp spin in front of it.
#[test]
fn lanes_that_wait_for_a_lane() {
    let source = kernel(
        "bra enter;
check: @%p2 bra end;
enter: atom.global.cas.b32 %r2, [%rd1], 0, 1; setp.ne.s32 %p1, %r2, 0; @%p1 bra check;
membar.gl; ld.volatile.global.u32 %r3, [%rd1+4]; add.u32 %r3, %r3, 1; st.volatile.global.u32 [%rd1+4], %r3; membar.gl;
atom.global.exch.b32 %r4, [%rd1], 0; setp.eq.s32 %p2, %r4, %r4; bra check;
end:",
    )
    .replace("bra enter;", "setp.ne.s32 %p2, %r1, %r1; bra enter;");
    assert_eq!(everywhere(&source, 2, 64, &[0; 2]), [0, 128]);
}

/// A function's argument whose place is computed, as compilers leave an index into a structure.
#[test]
fn arguments_by_computed_address() {
    let source = ptx(".func (.param .b32 out) pick(.param .align 8 .b8 s[16], .param .b32 k) {
.reg .b32 %r<4>; .reg .b64 %rd<4>;
ld.param.u32 %r1, [k]; mul.wide.u32 %rd1, %r1, 4; mov.b64 %rd2, s; add.s64 %rd3, %rd2, %rd1;
ld.param.u32 %r2, [%rd3+0]; st.param.b32 [out+0], %r2; ret; }
.visible .entry k(.param .u64 p) { .reg .b32 %r<4>; .reg .b64 %rd<6>;
ld.param.u64 %rd1, [p]; mov.u32 %r1, %tid.x; and.b32 %r2, %r1, 3; cvt.u64.u32 %rd2, %r1;
{ .param .align 8 .b8 a[16]; .param .b32 b; .param .b32 c;
st.param.v2.b32 [a], {%r1, 7}; st.param.b64 [a+8], %rd2; st.param.b32 [b], %r2;
call.uni (c), pick, (a, b); ld.param.b32 %r3, [c]; }
mul.wide.u32 %rd3, %r1, 4; add.s64 %rd4, %rd1, %rd3; st.global.u32 [%rd4], %r3; ret; }");
    let out = everywhere(&source, 1, 32, &[0; 32]);
    for (k, &o) in out.iter().enumerate() {
        assert_eq!(o, [k as u32, 7, k as u32, 0][k % 4]);
    }
}

/// Variables that hold addresses of others, whole and by bytes.
#[test]
fn addresses_in_initialisers() {
    let source = ptx(".global .u32 words[4] = {5, 6, 7, 8};
.global .u64 first = generic(words)+4;
.global .u64 second[2] = {words+8, generic(words+12)};
.global .align 8 .b8 third[8] = {0xff(words), 0xFF00(words), 0xFF0000(words), 0xFF000000(words), 0xFF00000000(words), 0xFF0000000000(words), 0xFF000000000000(words), 0xFF00000000000000(words)};
.visible .entry k(.param .u64 p) { .reg .b32 %r<6>; .reg .b64 %rd<8>;
ld.param.u64 %rd1, [p]; ld.global.u64 %rd2, [first]; ld.global.u64 %rd3, [second]; ld.global.u64 %rd4, [second+8]; ld.global.u64 %rd5, [third];
ld.u32 %r1, [%rd2]; ld.u32 %r2, [%rd3]; ld.u32 %r3, [%rd4]; ld.u32 %r4, [%rd5];
st.global.v4.u32 [%rd1], {%r1, %r2, %r3, %r4}; ret; }");
    assert_eq!(plain(&source, 1, &[0; 4]), [6, 7, 8, 5]);
}

/// Halves of a warp shuffle at one place as often as each needs; neither is taken along by the other.
#[test]
fn parts_of_a_warp_that_loop_on_their_own() {
    let source = kernel(
        "and.b32 %r2, %r1, 3; mov.u32 %r3, 0x11111111; shl.b32 %r3, %r3, %r2;
xor.b32 %r13, %r1, 8; and.b32 %r13, %r13, 12; or.b32 %r13, %r13, %r2;
mul.lo.u32 %r4, %r2, 3; add.u32 %r4, %r4, 1; mov.u32 %r5, %r1; mov.u32 %r6, 0;
loop: and.b32 %r7, %r1, 16; setp.eq.u32 %p1, %r7, 0; @%p1 bra other; add.u32 %r6, %r6, 2; bra both;
other: add.u32 %r6, %r6, 1;
both: shfl.sync.bfly.b32 %r8, %r5, 16, 31, %r3; add.u32 %r5, %r8, %r6;
sub.u32 %r4, %r4, 1; setp.ne.u32 %p2, %r4, 0; @%p2 bra loop;
shfl.sync.idx.b32 %r9, %r5, %r13, 31, %r3; st.global.u32 [%rd3], %r9;",
    );
    let mut expected = [0u32; 32];
    for class in 0..4usize {
        let mut value: Vec<u32> = (0..32).collect();
        let step = |lane: usize| if lane & 16 == 0 { 1 } else { 2 };
        for k in 1..=class * 3 + 1 {
            value = (0..32).map(|lane| value[lane ^ 16] + (step(lane) * k) as u32).collect();
        }
        for lane in (class..32).step_by(4) {
            expected[lane] = value[(lane ^ 8) & 12 | class];
        }
    }
    assert_eq!(everywhere(&source, 1, 32, &[0; 32]), expected);
    for seed in 10..60 {
        let options = Options { shuffle: Some(seed), ..Options::default() };
        assert_eq!(run(options, &source, 1, 32, &[0; 32]).unwrap().0, expected, "{seed}");
    }
}
