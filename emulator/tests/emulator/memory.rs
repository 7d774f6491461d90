//! Loads, stores, atomics, asynchronous copies.

use crate::common::*;

#[test]
fn widths_and_signs() {
    let inputs = tuples(&EDGES64, 1);
    for (ty, d, f) in [
        ("u8", "b32", (|x| x as u8 as u64) as fn(u64) -> u64),
        ("s8", "b32", |x| x as i8 as u32 as u64),
        ("s8", "b16", |x| x as i8 as u16 as u64),
        ("s8", "b64", |x| x as i8 as u64),
        ("u16", "b32", |x| x as u16 as u64),
        ("s16", "b32", |x| x as i16 as u32 as u64),
        ("s16", "b64", |x| x as i16 as u64),
        ("b16", "b16", |x| x as u16 as u64),
        ("s32", "b64", |x| x as i32 as u64),
        ("f32", "b32", |x| x as u32 as u64),
        ("f64", "b64", |x| x),
    ] {
        verify(&format!("ld.global.{ty} $d, [%rd4];"), d, &["b64"], &inputs, |v| f(v[0]));
    }
    // Stores cut; what is beside stays.
    verify(
        "st.global.u64 [%rd5], -1; st.global.u8 [%rd5+1], $a; ld.global.u64 $d, [%rd5];",
        "b64",
        &["b32"],
        &inputs,
        |v| !0xff00 | (v[0] & 0xff) << 8,
    );
    verify(
        "st.global.u64 [%rd5], -1; st.u16 [%rd5+2], $a; ld.volatile.global.u64 $d, [%rd5];",
        "b64",
        &["b64"],
        &inputs,
        |v| !0xffff_0000 | (v[0] & 0xffff) << 16,
    );
}

#[test]
fn vectors() {
    let source = kernel(
        "mul.wide.u32 %rd2, %r1, 16; add.s64 %rd3, %rd1, %rd2;
ld.global.nc.L1::no_allocate.v4.u32 {%r2, %r3, %r4, %r5}, [%rd3];
mov.u32 %r6, sm; mad.lo.u32 %r6, %r1, 16, %r6;
st.shared.v2.u32 [%r6+8], {%r2, %r3}; st.shared.v2.b32 [%r6], {%r4, %r5};
ld.shared.v2.u64 {%rd4, %rd5}, [%r6];
st.global.v2.u64 [%rd3], {%rd5, %rd4};
ld.global.v4.u8 {%h1, %h2, %h3, %h4}, [%rd3]; st.global.v4.u8 [%rd3], {%h4, %h3, %h2, %h1};",
    );
    let words: Vec<u32> = (0..256u32).map(|k| k.wrapping_mul(0x0101_0203)).collect();
    let out = everywhere(&source, 1, 64, &words);
    for (k, (&o, &w)) in out.iter().zip(&words).enumerate() {
        assert_eq!(o, if k % 4 == 0 { w.swap_bytes() } else { w });
    }
}

#[test]
fn atomics() {
    // Each of 64 threads updates word 0 to 9 once; the order does not matter to these.
    let source = kernel(
        "add.s32 %r2, %r1, 1;
atom.global.add.u32 %r3, [%rd1], %r2;
red.global.max.s32 [%rd1+4], %r2;
red.global.min.u32 [%rd1+8], %r2;
red.global.or.b32 [%rd1+12], %r2;
red.global.and.b32 [%rd1+16], %r2;
atom.xor.b32 %r3, [%rd1+20], %r2;
cvt.rn.f32.u32 %r4, %r2;
red.global.add.f32 [%rd1+24], %r4;
atom.global.inc.u32 %r3, [%rd1+28], 9;
atom.global.dec.u32 %r3, [%rd1+32], 9;
cvt.rn.f64.u32 %rd4, %r2; red.relaxed.gpu.global.add.f64 [%rd1+40], %rd4;
cvt.u64.u32 %rd5, %r2; atom.global.add.u64 %rd6, [%rd1+48], %rd5;
mov.b32 %r5, 0x3c003c00; atom.global.add.noftz.f16x2 %r6, [%rd1+56], %r5;",
    );
    let mut words = vec![0u32; 16];
    words[2] = 77;
    words[4] = 0xffff;
    let out = everywhere(&source, 1, 64, &words);
    assert_eq!(out[..6], [2080, 64, 1, 127, 0, (1..=64).fold(0, |x, k| x ^ k)]);
    assert_eq!(f32::from_bits(out[6]), 2080.0);
    assert_eq!((out[7], out[8]), (4, 6));
    assert_eq!(f64::from_bits(out[10] as u64 | (out[11] as u64) << 32), 2080.0);
    assert_eq!((out[12], out[14]), (2080, 0x5400_5400));
    // Old values: a ticket each, in any order; and a lock-free maximum by compare and swap.
    let source = kernel(
        "mov.u32 %r9, sm;
setp.ne.u32 %p1, %r1, 0; @!%p1 st.shared.u32 [%r9], 0; bar.sync 0;
atom.shared.add.u32 %r2, [%r9], 1;
mul.wide.u32 %rd4, %r2, 4; add.s64 %rd5, %rd1, %rd4;
st.global.u32 [%rd5], %r2;
again: atom.or.b32 %r3, [%rd1+1024], 0;
max.u32 %r4, %r3, %r1;
atom.global.cas.b32 %r5, [%rd1+1024], %r3, %r4;
setp.ne.u32 %p2, %r5, %r3; @%p2 bra again;
atom.exch.b32 %r6, [%rd1+1028], 7;",
    );
    let out = everywhere(&source, 1, 256, &[0; 258]);
    assert_eq!(out[..256], (0..256).collect::<Vec<u32>>());
    assert_eq!(out[256..], [255, 7]);
    verify(
        "st.global.u64 [%rd5], $a; atom.global.cas.b64 $d, [%rd5], $b, $c; ld.global.u64 $d, [%rd5];",
        "b64",
        &["b64"; 3],
        &tuples(&EDGES64[..5], 3),
        |v| if v[0] == v[1] { v[2] } else { v[0] },
    );
    verify(
        "st.global.u64 [%rd5], $a; atom.global.min.s64 $d, [%rd5], $b; ld.global.u64 $d, [%rd5];",
        "b64",
        &["b64"; 2],
        &tuples(&EDGES64, 2),
        |v| (v[0] as i64).min(v[1] as i64) as u64,
    );
    verify(
        "st.global.u32 [%rd5], $a; atom.global.cas.b16 $d, [%rd5], $b, 0x1234;",
        "b16",
        &["b16"; 2],
        &tuples(&EDGES[..4], 2),
        |v| v[0],
    );
}

#[test]
fn generic_addresses() {
    // Odd lanes write to shared memory, even ones to global memory, by one instruction.
    let source = kernel(
        "mov.u64 %rd4, sm; cvta.shared.u64 %rd5, %rd4; add.s64 %rd5, %rd5, %rd2;
and.b32 %r2, %r1, 1; setp.eq.u32 %p1, %r2, 1; selp.b64 %rd6, %rd5, %rd3, %p1;
add.s32 %r3, %r1, 100;
st.u32 [%rd6], %r3; ld.u32 %r4, [%rd6];
isspacep.shared %p2, %rd6; selp.u32 %r5, 1000, 0, %p2; add.s32 %r4, %r4, %r5;
st.global.u32 [%rd3], %r4;",
    );
    let out = plain(&source, 64, &[0; 64]);
    for (k, &o) in out.iter().enumerate() {
        assert_eq!(o as usize, 100 + k + if k % 2 == 1 { 1000 } else { 0 });
    }
}

#[test]
fn asynchronous_copies() {
    let source = kernel(
        "mov.u32 %r2, sm; mad.lo.u32 %r3, %r1, 16, %r2;
mul.wide.u32 %rd4, %r1, 16; add.s64 %rd5, %rd1, %rd4;
cp.async.cg.shared.global [%r3], [%rd5], 16;
cp.async.commit_group;
add.s32 %r4, %r3, 1024; and.b32 %r5, %r1, 1; shl.b32 %r5, %r5, 2;
cp.async.ca.shared.global [%r4], [%rd5], 4, %r5;
cp.async.commit_group;
cp.async.wait_group 1;
bar.sync 0;
xor.b32 %r6, %r1, 1; mad.lo.u32 %r6, %r6, 16, %r2; ld.shared.u32 %r7, [%r6+4];
cp.async.wait_all;
ld.shared.u32 %r8, [%r4];
add.s32 %r7, %r7, %r8; bar.sync 0;
st.global.u32 [%rd5+12], %r7;",
    );
    let words: Vec<u32> = (0..256).collect();
    let out = everywhere(&source, 1, 64, &words);
    for lane in 0..64u32 {
        let first = 4 * (lane ^ 1) + 1;
        let second = if lane & 1 == 1 { 4 * lane } else { 0 };
        assert_eq!(out[4 * lane as usize + 3], first + second, "lane {lane}");
    }
}

#[test]
fn matrices_from_shared_memory() {
    for (form, n) in [("x1", 1), ("x2", 2), ("x4", 4)] {
        for trans in ["", ".trans"] {
            let regs = ["%r10", "%r11", "%r12", "%r13"][..n].join(", ");
            let stores: String =
                (0..n).map(|k| format!("st.global.u32 [%rd5+{}], %r1{k};\n", 4 * k)).collect();
            // Shared memory holds halfword k at byte 2k, in 32 rows of 8.
            let source = kernel(&format!(
                "mov.u32 %r2, sm; mad.lo.u32 %r3, %r1, 16, %r2; shl.b32 %r4, %r1, 3;
add.u32 %r5, %r4, 1; prmt.b32 %r6, %r4, %r5, 0x5410; st.shared.u32 [%r3], %r6;
add.u32 %r6, %r6, 0x20002; st.shared.u32 [%r3+4], %r6; add.u32 %r6, %r6, 0x20002; st.shared.u32 [%r3+8], %r6;
add.u32 %r6, %r6, 0x20002; st.shared.u32 [%r3+12], %r6;
bar.sync 0;
ldmatrix.sync.aligned.m8n8.{form}{trans}.shared.b16 {{{regs}}}, [%r3];
mul.wide.u32 %rd4, %r1, 16; add.s64 %rd5, %rd1, %rd4;
{stores}"
            ));
            let out = everywhere(&source, 1, 32, &[0; 128]);
            for lane in 0..32 {
                for k in 0..n {
                    let (row, column) = (lane / 4, lane % 4 * 2);
                    let at = |r: usize, c: usize| (k * 64 + r * 8 + c) as u32;
                    let expected = if trans.is_empty() {
                        at(row, column) | at(row, column + 1) << 16
                    } else {
                        at(column, row) | at(column + 1, row) << 16
                    };
                    assert_eq!(out[lane * 4 + k], expected, "{form}{trans} lane {lane} matrix {k}");
                }
            }
        }
    }
}

#[test]
fn hints_have_no_effect() {
    let source = kernel(
        "ldu.global.u32 %r2, [%rd3]; prefetch.global.L2 [%rd3]; prefetchu.L1 [%rd3]; nanosleep.u32 100;
applypriority.global.L2::evict_normal [%rd1], 128; add.u32 %r2, %r2, 1; st.global.u32 [%rd3], %r2;
setp.ne.u32 %p1, %r1, %r1; @%p1 discard.global.L2 [%rd1], 128;",
    );
    assert_eq!(everywhere(&source, 1, 32, &[7; 32]), [8; 32]);
}
