//! Shuffles, votes, matches, reductions and tensor-core products.

use crate::common::*;

fn per_lane(body: &str, words: &[u32]) -> Vec<u32> {
    everywhere(
        &kernel(&format!("ld.global.u32 %r2, [%rd3];\n{body}\nst.global.u32 [%rd3], %r2;")),
        1,
        32,
        words,
    )
}

#[test]
fn shuffles() {
    let words: Vec<u32> = (0..32).map(|k| 100 + k).collect();
    for (mode, n, control, source) in [
        ("up", 3, 0, (|l: u32| l.checked_sub(3)) as fn(u32) -> Option<u32>),
        ("down", 5, 31, |l| (l + 5 < 32).then_some(l + 5)),
        ("bfly", 16, 31, |l| Some(l ^ 16)),
        ("idx", 7, 31, |_| Some(7)),
        // Segments of 8 lanes.
        ("down", 2, 0x1807, |l| (l % 8 < 6).then_some(l + 2)),
        ("up", 2, 0x1800, |l| (l % 8 >= 2).then(|| l - 2)),
        ("idx", 3, 0x1807, |l| Some(l / 8 * 8 + 3)),
        ("bfly", 8, 0x1807, |l| if l ^ 8 <= l | 7 { Some(l ^ 8) } else { None }),
    ] {
        let out = per_lane(
            &format!(
                "shfl.sync.{mode}.b32 %r3|%p1, %r2, {n}, {control}, -1; selp.u32 %r4, 1000, 0, %p1; add.s32 %r2, %r3, %r4;"
            ),
            &words,
        );
        for lane in 0..32 {
            let expected = source(lane).map_or(100 + lane, |s| 1100 + s);
            assert_eq!(out[lane as usize], expected, "{mode} {n} {control:#x}, lane {lane}");
        }
    }
}

#[test]
fn votes_and_matches() {
    let words: Vec<u32> = (0..32).map(|k| k % 5).collect();
    let mask = |f: fn(u32) -> bool| (0..32).filter(|&k| f(k)).fold(0u32, |m, k| m | 1 << k);
    let threes = mask(|k| k % 5 == 3);
    assert_eq!(per_lane("setp.eq.u32 %p1, %r2, 3; vote.sync.ballot.b32 %r2, %p1, -1;", &words), [threes; 32]);
    assert_eq!(
        per_lane("setp.eq.u32 %p1, %r2, 3; vote.sync.ballot.b32 %r2, !%p1, -1;", &words),
        [!threes; 32]
    );
    for (mode, expected) in [("any", 1), ("all", 0), ("uni", 0)] {
        let body =
            format!("setp.eq.u32 %p1, %r2, 3; vote.sync.{mode}.pred %p2, %p1, -1; selp.u32 %r2, 1, 0, %p2;");
        assert_eq!(per_lane(&body, &words), [expected; 32], "{mode}");
    }
    let out = per_lane("match.any.sync.b32 %r2, %r2, -1;", &words);
    for lane in 0..32 {
        let expected = (0..32).filter(|k| k % 5 == lane % 5).fold(0u32, |m, k| m | 1 << k);
        assert_eq!(out[lane], expected);
    }
    let all = "match.all.sync.b32 %r3|%p1, %r2, -1; selp.u32 %r4, 1, 0, %p1; add.u32 %r2, %r3, %r4;";
    assert_eq!(per_lane(all, &words), [0; 32]);
    assert_eq!(per_lane(all, &[9; 32]), [0; 32]); // all ones plus one
    assert_eq!(per_lane("activemask.b32 %r2;", &words), [!0; 32]);
}

#[test]
fn reductions() {
    let words: Vec<u32> = (0..32u32).map(|k| k.wrapping_mul(0x9e37_79b9)).collect();
    let fold = |f: fn(u32, u32) -> u32| words.iter().copied().reduce(f).unwrap();
    for (op, expected) in [
        ("add.s32", fold(u32::wrapping_add)),
        ("min.u32", fold(u32::min)),
        ("max.u32", fold(u32::max)),
        ("min.s32", fold(|x, y| (x as i32).min(y as i32) as u32)),
        ("max.s32", fold(|x, y| (x as i32).max(y as i32) as u32)),
        ("and.b32", fold(|x, y| x & y)),
        ("or.b32", fold(|x, y| x | y)),
        ("xor.b32", fold(|x, y| x ^ y)),
    ] {
        assert_eq!(per_lane(&format!("redux.sync.{op} %r2, %r2, -1;"), &words), [expected; 32], "{op}");
    }
}

#[test]
fn divergent_groups_shuffle_among_themselves() {
    // The two halves of the warp go different ways and reduce with their own masks.
    let source = kernel(
        "ld.global.u32 %r2, [%rd3]; setp.lt.u32 %p1, %r1, 16; @%p1 bra low;
shfl.sync.bfly.b32 %r3, %r2, 8, 31, 0xffff0000; add.s32 %r2, %r2, %r3; add.s32 %r2, %r2, 1000; bra join;
low: shfl.sync.bfly.b32 %r3, %r2, 1, 31, 0xffff; sub.s32 %r2, %r2, %r3;
join: bar.warp.sync -1; st.global.u32 [%rd3], %r2;",
    );
    let words: Vec<u32> = (0..32).map(|k| k * k).collect();
    let out = everywhere(&source, 1, 32, &words);
    for lane in 0..32usize {
        let expected = if lane < 16 {
            words[lane].wrapping_sub(words[lane ^ 1])
        } else {
            words[lane] + words[lane ^ 8] + 1000
        };
        assert_eq!(out[lane], expected);
    }
}

/// C = A·B + C with small integers, which every format holds exactly; fragments are laid out by
/// the formulas of the PTX manual, written down here once more.
#[allow(clippy::too_many_arguments)]
fn product(
    shape: &str,
    k: usize,
    types: &str,
    per: usize,
    a_regs: usize,
    b_regs: usize,
    encode: fn(i32) -> u32,
    half: bool,
) {
    let a = |r: usize, c: usize| (r * 3 + c * 5) as i32 % 7 - 3;
    let b = |r: usize, c: usize| (r * 2 + c * 3) as i32 % 5 - 2;
    let bits = 32 / per;
    let mut words = vec![0u32; 32 * 8];
    for lane in 0..32 {
        let (group, member) = (lane / 4, lane % 4);
        for e in 0..a_regs * per {
            let (i, j) = (e / per, e % per);
            let row = group + if i % 2 == 1 { 8 } else { 0 };
            let column = member * per + j + if i >= 2 { 4 * per } else { 0 };
            words[lane * 8 + i] |= encode(a(row, column)) << (bits * j);
        }
        for e in 0..b_regs * per {
            let (i, j) = (e / per, e % per);
            words[lane * 8 + 4 + i] |= encode(b(member * per + j + i * 4 * per, group)) << (bits * j);
        }
    }
    let names =
        |first: usize, n: usize| (0..n).map(|k| format!("%r{}", first + k)).collect::<Vec<_>>().join(", ");
    let n = if half { 2 } else { 4 };
    let loads: String = (0..8).map(|k| format!("ld.global.u32 %r{}, [%rd5+{}];\n", 10 + k, 4 * k)).collect();
    let stores: String = (0..n).map(|k| format!("st.global.u32 [%rd5+{}], %r{};\n", 4 * k, 20 + k)).collect();
    let source = kernel(&format!(
        "mul.wide.u32 %rd4, %r1, 32; add.s64 %rd5, %rd1, %rd4;\n{loads}
mov.b32 %r20, 0; mov.b32 %r21, 0; mov.b32 %r22, 0; mov.b32 %r23, 0;
mma.sync.aligned.{shape}.row.col.{types} {{{}}}, {{{}}}, {{{}}}, {{{}}};\n{stores}",
        names(20, n),
        names(10, a_regs),
        names(14, b_regs),
        names(20, n)
    ));
    let out = everywhere(&source, 1, 32, &words);
    for lane in 0..32 {
        for e in 0..4 {
            let (row, column) = (lane / 4 + 8 * (e / 2), lane % 4 * 2 + e % 2);
            let expected: i32 = (0..k).map(|i| a(row, i) * b(i, column)).sum();
            let found = if half {
                let h = out[lane * 8 + e / 2] >> (16 * (e % 2)) & 0xffff;
                (0..200).map(|k| k - 100).find(|&x| half_bits(x) == h).unwrap_or(i32::MAX)
            } else if types.starts_with("s32") {
                out[lane * 8 + e] as i32
            } else {
                f32::from_bits(out[lane * 8 + e]) as i32
            };
            assert_eq!(found, expected, "{shape}.{types} lane {lane} element {e}");
        }
    }
}

fn half_bits(x: i32) -> u32 {
    let f = (x as f32).to_bits();
    if x == 0 { 0 } else { (f >> 31) << 15 | ((f >> 23 & 0xff) - 112) << 10 | f >> 13 & 0x3ff }
}

#[test]
fn tensor_core_products() {
    let brain = |x: i32| (x as f32).to_bits() >> 16;
    product("m16n8k16", 16, "f32.f16.f16.f32", 2, 4, 2, half_bits, false);
    product("m16n8k16", 16, "f16.f16.f16.f16", 2, 4, 2, half_bits, true);
    product("m16n8k8", 8, "f32.f16.f16.f32", 2, 2, 1, half_bits, false);
    product("m16n8k16", 16, "f32.bf16.bf16.f32", 2, 4, 2, brain, false);
    product("m16n8k8", 8, "f32.bf16.bf16.f32", 2, 2, 1, brain, false);
    product("m16n8k8", 8, "f32.tf32.tf32.f32", 1, 4, 2, |x| (x as f32).to_bits(), false);
    product("m16n8k4", 4, "f32.tf32.tf32.f32", 1, 2, 1, |x| (x as f32).to_bits(), false);
    product("m16n8k32", 32, "s32.s8.s8.s32", 4, 4, 2, |x| x as u8 as u32, false);
    product("m16n8k16", 16, "s32.s8.s8.s32", 4, 2, 1, |x| x as u8 as u32, false);
}
