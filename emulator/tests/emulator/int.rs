//! Integer instructions.

use crate::common::*;

const T32: [&str; 4] = ["b32"; 4];
const T64: [&str; 4] = ["b64"; 4];

fn two(op: &str, f: impl Fn(u32, u32) -> u32) {
    verify(&format!("{op} $d, $a, $b;"), "b32", &T32[..2], &tuples(&EDGES, 2), |v| {
        f(v[0] as u32, v[1] as u32) as u64
    });
}

fn two64(op: &str, f: impl Fn(u64, u64) -> u64) {
    verify(&format!("{op} $d, $a, $b;"), "b64", &T64[..2], &tuples(&EDGES64, 2), |v| f(v[0], v[1]));
}

fn two16(op: &str, f: impl Fn(u16, u16) -> u16) {
    let values: Vec<u64> = [0u64, 1, 2, 15, 16, 17, 0x7fff, 0x8000, 0xffff, 0x1234].to_vec();
    verify(&format!("{op} $d, $a, $b;"), "b16", &["b16", "b16"], &tuples(&values, 2), |v| {
        f(v[0] as u16, v[1] as u16) as u64
    });
}

#[test]
fn sums_and_differences() {
    two("add.s32", u32::wrapping_add);
    two("add.u32", u32::wrapping_add);
    two("sub.s32", u32::wrapping_sub);
    two("add.sat.s32", |a, b| (a as i32).saturating_add(b as i32) as u32);
    two("sub.sat.s32", |a, b| (a as i32).saturating_sub(b as i32) as u32);
    two64("add.s64", u64::wrapping_add);
    two64("sub.u64", u64::wrapping_sub);
    two16("add.s16", u16::wrapping_add);
    two16("sub.u16", u16::wrapping_sub);
}

#[test]
fn products() {
    two("mul.lo.s32", u32::wrapping_mul);
    two("mul.hi.s32", |a, b| ((a as i32 as i64 * b as i32 as i64) >> 32) as u32);
    two("mul.hi.u32", |a, b| ((a as u64 * b as u64) >> 32) as u32);
    two64("mul.lo.u64", u64::wrapping_mul);
    two64("mul.hi.u64", |a, b| ((a as u128 * b as u128) >> 64) as u64);
    two64("mul.hi.s64", |a, b| ((a as i64 as i128 * b as i64 as i128) >> 64) as u64);
    two16("mul.lo.s16", u16::wrapping_mul);
    two16("mul.hi.u16", |a, b| ((a as u32 * b as u32) >> 16) as u16);
    two16("mul.hi.s16", |a, b| ((a as i16 as i32 * b as i16 as i32) >> 16) as u16);
    two("mul24.lo.u32", |a, b| ((a & 0xffffff) as u64 * (b & 0xffffff) as u64) as u32);
    let pairs = tuples(&EDGES, 2);
    verify("mul.wide.s32 $d, $a, $b;", "b64", &T32[..2], &pairs, |v| {
        (v[0] as u32 as i32 as i64 * v[1] as u32 as i32 as i64) as u64
    });
    verify("mul.wide.u32 $d, $a, $b;", "b64", &T32[..2], &pairs, |v| v[0] * v[1]);
    verify("mul.wide.s16 $d, $a, $b;", "b32", &["b16", "b16"], &pairs, |v| {
        (v[0] as i16 as i32 * v[1] as i16 as i32) as u32 as u64
    });
    let triples = tuples(&EDGES[8..], 3);
    verify("mad24.lo.u32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| {
        ((v[0] & 0xffffff) * (v[1] & 0xffffff) + v[2]) as u32 as u64
    });
    verify("mad24.hi.s32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| {
        let cut = |x: u64| ((x << 40) as i64) >> 40;
        (((cut(v[0]) * cut(v[1])) >> 16) as u64).wrapping_add(v[2]) & 0xffff_ffff
    });
    verify("mad.lo.s32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| {
        (v[0] as u32).wrapping_mul(v[1] as u32).wrapping_add(v[2] as u32) as u64
    });
    verify("mad.hi.u32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| {
        (((v[0] * v[1]) >> 32) as u32).wrapping_add(v[2] as u32) as u64
    });
    verify("mad.wide.s32 $d, $a, $b, $c;", "b64", &["b32", "b32", "b64"], &triples, |v| {
        ((v[0] as u32 as i32 as i64 * v[1] as u32 as i32 as i64) as u64).wrapping_add(v[2])
    });
    verify("dp4a.s32.u32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| {
        let (a, b) = ((v[0] as u32).to_le_bytes(), (v[1] as u32).to_le_bytes());
        (0..4).fold(v[2] as u32 as i32, |s, k| s.wrapping_add(a[k] as i8 as i32 * b[k] as i32)) as u32 as u64
    });
    verify("sad.s32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| {
        let difference = (v[0] as u32 as i32 as i64 - v[1] as u32 as i32 as i64).unsigned_abs() as u32;
        difference.wrapping_add(v[2] as u32) as u64
    });
}

#[test]
fn quotients() {
    two("div.s32", |a, b| if b == 0 { !0 } else { (a as i32).wrapping_div(b as i32) as u32 });
    two("div.u32", |a, b| a.checked_div(b).unwrap_or(!0));
    two("rem.s32", |a, b| if b == 0 { a } else { (a as i32).wrapping_rem(b as i32) as u32 });
    two("rem.u32", |a, b| a.checked_rem(b).unwrap_or(a));
    two64("div.s64", |a, b| if b == 0 { !0 } else { (a as i64).wrapping_div(b as i64) as u64 });
    two64("rem.u64", |a, b| a.checked_rem(b).unwrap_or(a));
    two16("div.u16", |a, b| a.checked_div(b).unwrap_or(!0));
}

#[test]
fn extremes_and_signs() {
    two("min.s32", |a, b| (a as i32).min(b as i32) as u32);
    two("max.u32", u32::max);
    two64("min.u64", u64::min);
    two64("max.s64", |a, b| (a as i64).max(b as i64) as u64);
    two16("min.s16", |a, b| (a as i16).min(b as i16) as u16);
    let one = tuples(&EDGES, 1);
    verify("neg.s32 $d, $a;", "b32", &T32[..1], &one, |v| (v[0] as u32).wrapping_neg() as u64);
    verify("abs.s32 $d, $a;", "b32", &T32[..1], &one, |v| (v[0] as i32).wrapping_abs() as u32 as u64);
    verify("neg.s16 $d, $a;", "b16", &["b16"], &one, |v| (v[0] as u16).wrapping_neg() as u64);
    verify("abs.s64 $d, $a;", "b64", &T64[..1], &tuples(&EDGES64, 1), |v| {
        (v[0] as i64).wrapping_abs() as u64
    });
}

#[test]
fn logic() {
    two("and.b32", |a, b| a & b);
    two("or.b32", |a, b| a | b);
    two("xor.b32", |a, b| a ^ b);
    two64("and.b64", |a, b| a & b);
    two16("xor.b16", |a, b| a ^ b);
    let one = tuples(&EDGES, 1);
    verify("not.b32 $d, $a;", "b32", &T32[..1], &one, |v| !(v[0] as u32) as u64);
    verify("not.b16 $d, $a;", "b16", &["b16"], &one, |v| !(v[0] as u16) as u64);
    verify("cnot.b32 $d, $a;", "b32", &T32[..1], &one, |v| (v[0] as u32 == 0) as u64);
    for table in [0u32, 0x96, 0xe8, 0xca, 0x1f, 0xff, 0x80] {
        verify(
            &format!("lop3.b32 $d, $a, $b, $c, {table};"),
            "b32",
            &T32[..3],
            &tuples(&EDGES[8..], 3),
            |v| {
                (0..32).fold(0u64, |out, bit| {
                    let row = (v[0] >> bit & 1) << 2 | (v[1] >> bit & 1) << 1 | v[2] >> bit & 1;
                    out | ((table >> row & 1) as u64) << bit
                })
            },
        );
    }
    verify(
        "{ .reg .pred p, q, r; setp.ne.s32 p, $a, 0; setp.lt.s32 q, $b, 0; xor.pred r, p, q; not.pred r, r; \
         and.pred q, !p, q; or.pred r, r, q; mov.pred $d, r; }",
        "pred",
        &T32[..2],
        &tuples(&EDGES, 2),
        |v| {
            let (p, q) = (v[0] != 0, (v[1] as u32 as i32) < 0);
            (p == q || !p && q) as u64
        },
    );
}

#[test]
fn shifts() {
    two("shl.b32", |a, n| if n > 31 { 0 } else { a << n });
    two("shr.u32", |a, n| if n > 31 { 0 } else { a >> n });
    two("shr.s32", |a, n| (a as i32 >> n.min(31)) as u32);
    two16("shl.b16", |a, n| if n > 15 { 0 } else { a << n });
    let mixed: Vec<Vec<u64>> = EDGES64.iter().flat_map(|&a| EDGES.map(|n| vec![a, n as u64])).collect();
    let types = ["b64", "b32"];
    verify("shl.b64 $d, $a, $b;", "b64", &types, &mixed, |v| if v[1] > 63 { 0 } else { v[0] << v[1] });
    verify("shr.u64 $d, $a, $b;", "b64", &types, &mixed, |v| if v[1] > 63 { 0 } else { v[0] >> v[1] });
    verify("shr.s64 $d, $a, $b;", "b64", &types, &mixed, |v| (v[0] as i64 >> v[1].min(63)) as u64);
    verify("shr.s16 $d, $a, $b;", "b16", &["b16", "b32"], &tuples(&EDGES, 2), |v| {
        (v[0] as i16 >> v[1].min(15)) as u16 as u64
    });
    let triples = tuples(&EDGES, 3);
    let all = |v: &[u64]| v[0] | v[1] << 32;
    verify("shf.l.wrap.b32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| (all(v) << (v[2] & 31)) >> 32);
    verify("shf.r.wrap.b32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| {
        (all(v) >> (v[2] & 31)) & 0xffff_ffff
    });
    verify("shf.l.clamp.b32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| (all(v) << v[2].min(32)) >> 32);
    verify("shf.r.clamp.b32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| {
        (all(v) >> v[2].min(32)) & 0xffff_ffff
    });
}

#[test]
fn counting_bits() {
    let (one, wide) = (tuples(&EDGES, 1), tuples(&EDGES64, 1));
    verify("popc.b32 $d, $a;", "b32", &T32[..1], &one, |v| v[0].count_ones() as u64);
    verify("popc.b64 $d, $a;", "b32", &T64[..1], &wide, |v| v[0].count_ones() as u64);
    verify("clz.b32 $d, $a;", "b32", &T32[..1], &one, |v| (v[0] as u32).leading_zeros() as u64);
    verify("clz.b64 $d, $a;", "b32", &T64[..1], &wide, |v| v[0].leading_zeros() as u64);
    verify("brev.b32 $d, $a;", "b32", &T32[..1], &one, |v| (v[0] as u32).reverse_bits() as u64);
    verify("brev.b64 $d, $a;", "b64", &T64[..1], &wide, |v| v[0].reverse_bits());
    let find = |x: u32| if x == 0 { !0 } else { 31 - x.leading_zeros() };
    verify("bfind.u32 $d, $a;", "b32", &T32[..1], &one, |v| find(v[0] as u32) as u64);
    verify("bfind.s32 $d, $a;", "b32", &T32[..1], &one, |v| {
        let x = v[0] as u32;
        find(if x >> 31 != 0 { !x } else { x }) as u64
    });
    verify("bfind.shiftamt.u32 $d, $a;", "b32", &T32[..1], &one, |v| match find(v[0] as u32) {
        u32::MAX => u32::MAX as u64,
        n => 31 - n as u64,
    });
    verify("bfind.u64 $d, $a;", "b32", &T64[..1], &wide, |v| match v[0] {
        0 => u32::MAX as u64,
        x => 63 - x.leading_zeros() as u64,
    });
}

/// The manual's pseudo-code, bit by bit.
fn extract(x: u64, at: u64, len: u64, bits: u64, signed: bool) -> u64 {
    let (at, len, top) = (at & 0xff, len & 0xff, bits - 1);
    let sign = if !signed || len == 0 { 0 } else { x >> (at + len - 1).min(top) & 1 };
    (0..bits).fold(0, |out, k| {
        let bit = if k < len && at + k <= top { x >> (at + k) & 1 } else { sign };
        out | bit << k
    })
}

#[test]
fn bit_fields() {
    let triples = tuples(&EDGES, 3);
    verify("bfe.u32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| extract(v[0], v[1], v[2], 32, false));
    verify("bfe.s32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| extract(v[0], v[1], v[2], 32, true));
    let wide: Vec<Vec<u64>> = EDGES64
        .iter()
        .flat_map(|&x| tuples(&EDGES, 2).into_iter().map(move |t| vec![x, t[0], t[1]]))
        .collect();
    let types = ["b64", "b32", "b32"];
    verify("bfe.u64 $d, $a, $b, $c;", "b64", &types, &wide, |v| extract(v[0], v[1], v[2], 64, false));
    verify("bfe.s64 $d, $a, $b, $c;", "b64", &types, &wide, |v| extract(v[0], v[1], v[2], 64, true));
    let insert = |x: u64, into: u64, at: u64, len: u64, bits: u64| {
        let (at, len) = (at & 0xff, len & 0xff);
        (0..len)
            .filter(|k| at + k < bits)
            .fold(into, |out, k| out & !(1 << (at + k)) | (x >> k & 1) << (at + k))
    };
    let four: Vec<Vec<u64>> = tuples(&EDGES, 2)
        .into_iter()
        .flat_map(|t| [0x1234_5678u64, 0xffff_ffff].map(|x| vec![x, 0x8765_4321, t[0], t[1]]))
        .collect();
    verify("bfi.b32 $d, $a, $b, $c, $e;", "b32", &T32, &four, |v| insert(v[0], v[1], v[2], v[3], 32));
    verify("bfi.b64 $d, $a, $b, $c, $e;", "b64", &["b64", "b64", "b32", "b32"], &four, |v| {
        insert(v[0], v[1], v[2], v[3], 64)
    });
    two("bmsk.clamp.b32", |at, len| {
        let (at, len) = (at.min(32), len.min(32));
        (at..(at + len).min(32)).fold(0, |m, k| m | 1 << k)
    });
}

#[test]
fn byte_permutations() {
    let triples =
        tuples(&[0x0011_2233u32, 0x8899_aabb, 0x7fee_dd80, 0x3210, 0x7654, 0xfedc, 0x0123, 5, 2, 3], 3);
    let bytes =
        |v: &[u64]| -> Vec<u32> { (0..8).map(|k| ((v[0] | v[1] << 32) >> (8 * k)) as u32 & 0xff).collect() };
    let join = |picked: [u32; 4]| picked.iter().rev().fold(0u64, |out, &b| out << 8 | b as u64);
    verify("prmt.b32 $d, $a, $b, $c;", "b32", &T32[..3], &triples, |v| {
        join(std::array::from_fn(|k| {
            let s = (v[2] >> (4 * k)) as usize & 15;
            let b = bytes(v)[s & 7];
            if s & 8 == 0 {
                b
            } else if b & 0x80 != 0 {
                0xff
            } else {
                0
            }
        }))
    });
    let tables: [(&str, [[usize; 4]; 4]); 6] = [
        ("f4e", [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]]),
        ("b4e", [[0, 7, 6, 5], [1, 0, 7, 6], [2, 1, 0, 7], [3, 2, 1, 0]]),
        ("rc8", [[0; 4], [1; 4], [2; 4], [3; 4]]),
        ("ecl", [[0, 1, 2, 3], [1, 1, 2, 3], [2, 2, 2, 3], [3, 3, 3, 3]]),
        ("ecr", [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 2, 2], [0, 1, 2, 3]]),
        ("rc16", [[0, 1, 0, 1], [2, 3, 2, 3], [0, 1, 0, 1], [2, 3, 2, 3]]),
    ];
    for (mode, table) in tables {
        verify(
            &format!("prmt.b32.{mode} $d, $a, $b, $c;")
                .replace(&format!("b32.{mode}"), &format!("{mode}.b32")),
            "b32",
            &T32[..3],
            &triples,
            |v| join(table[v[2] as usize & 3].map(|s| bytes(v)[s])),
        );
    }
}

#[test]
fn carries() {
    let values: Vec<u64> = [0u64, 1, 0xffff_ffff, 0x8000_0000].to_vec();
    let text = "{ .reg .b32 lo, hi; add.cc.u32 lo, $a, $b; addc.u32 hi, $c, $e; mov.b64 $d, {lo, hi}; }";
    verify(text, "b64", &T32, &tuples(&values, 4), |v| (v[0] | v[2] << 32).wrapping_add(v[1] | v[3] << 32));
    let text = "{ .reg .b32 lo, hi; sub.cc.u32 lo, $a, $b; subc.u32 hi, $c, $e; mov.b64 $d, {lo, hi}; }";
    verify(text, "b64", &T32, &tuples(&values, 4), |v| (v[0] | v[2] << 32).wrapping_sub(v[1] | v[3] << 32));
    let text = "{ .reg .b64 lo; add.cc.s64 lo, $a, $b; addc.cc.s64 $d, $c, $e; }";
    verify(text, "b64", &T64, &tuples(&[0u64, 1, !0, 1 << 63], 4), |v| {
        (((v[0] as u128 + v[1] as u128) >> 64) as u64).wrapping_add(v[2]).wrapping_add(v[3])
    });
}

#[test]
fn products_with_carries() {
    let values = [0u64, 1, 3, 0xffff_ffff, 0x8000_0000, 0x1234_5678];
    for ty in ["u32", "s32"] {
        // A product of 64 bits and a sum of 64 bits, in halves.
        let text = format!(
            "{{ .reg .b32 lo, hi; mad.lo.cc.{ty} lo, $a, $b, $c; madc.hi.{ty} hi, $a, $b, $e; mov.b64 $d, {{lo, hi}}; }}"
        );
        verify(&text, "b64", &T32, &tuples(&values, 4), |v| {
            let product = if ty == "u32" {
                v[0].wrapping_mul(v[1])
            } else {
                (v[0] as i32 as i64 * v[1] as i32 as i64) as u64
            };
            product.wrapping_add(v[2] | v[3] << 32)
        });
    }
    let wide = [0u64, 1, !0, 1 << 63, 0x0123_4567_89ab_cdef];
    let text =
        "{ .reg .b64 lo; mad.lo.cc.u64 lo, $a, $b, $c; madc.hi.cc.u64 lo, $a, $b, $e; addc.u64 $d, $e, 0; }";
    verify(text, "b64", &T64, &tuples(&wide, 4), |v| {
        let low = v[0].wrapping_mul(v[1]).overflowing_add(v[2]).1 as u128;
        let high = ((v[0] as u128 * v[1] as u128) >> 64) + v[3] as u128 + low;
        v[3].wrapping_add((high >> 64) as u64)
    });
    // Without `.cc` the flag stays.
    let text = "{ .reg .b32 x; add.cc.u32 x, $a, $b; addc.u32 x, -1, 1; addc.u32 $d, $c, $e; }";
    verify(text, "b32", &T32, &tuples(&values, 4), |v| {
        let carry = (v[0] + v[1]) >> 32;
        (v[2] + v[3] + carry) & 0xffff_ffff
    });
}

#[test]
fn comparisons_and_selection() {
    for (name, signed, unsigned) in [
        ("eq", (|o| o == 0) as fn(i8) -> bool, true),
        ("ne", |o| o != 0, true),
        ("lt", |o| o < 0, true),
        ("le", |o| o <= 0, true),
        ("gt", |o| o > 0, true),
        ("ge", |o| o >= 0, true),
    ] {
        let of = |o: std::cmp::Ordering| o as i8;
        verify(&format!("setp.{name}.s32 $d, $a, $b;"), "pred", &T32[..2], &tuples(&EDGES, 2), |v| {
            signed(of((v[0] as i32).cmp(&(v[1] as i32)))) as u64
        });
        verify(&format!("setp.{name}.s64 $d, $a, $b;"), "pred", &T64[..2], &tuples(&EDGES64, 2), |v| {
            signed(of((v[0] as i64).cmp(&(v[1] as i64)))) as u64
        });
        verify(&format!("setp.{name}.s16 $d, $a, $b;"), "pred", &["b16", "b16"], &tuples(&EDGES, 2), |v| {
            signed(of((v[0] as i16).cmp(&(v[1] as i16)))) as u64
        });
        assert!(unsigned);
        verify(&format!("setp.{name}.u32 $d, $a, $b;"), "pred", &T32[..2], &tuples(&EDGES, 2), |v| {
            signed(of(v[0].cmp(&v[1]))) as u64
        });
    }
    verify("setp.lo.u64 $d, $a, $b;", "pred", &T64[..2], &tuples(&EDGES64, 2), |v| (v[0] < v[1]) as u64);
    verify("setp.hs.u32 $d, $a, $b;", "pred", &T32[..2], &tuples(&EDGES, 2), |v| (v[0] >= v[1]) as u64);
    let text = "{ .reg .pred p, q; setp.ne.s32 p, $c, 0; setp.lt.and.s32 $d|q, $a, $b, !p; @q mov.b32 $a, 5; \
                setp.eq.or.s32 $d, $a, 5, $d; }";
    verify(text, "pred", &T32[..3], &tuples(&EDGES[..8], 3), |v| {
        let (less, p) = (v[0] < v[1], v[2] != 0);
        let (d, q) = (less && !p, !less && !p);
        (d || q || v[0] == 5) as u64
    });
    verify("set.lt.u32.s32 $d, $a, $b;", "b32", &T32[..2], &tuples(&EDGES, 2), |v| {
        if (v[0] as i32) < v[1] as i32 { 0xffff_ffff } else { 0 }
    });
    verify("set.gt.f32.u32 $d, $a, $b;", "b32", &T32[..2], &tuples(&EDGES, 2), |v| {
        if v[0] > v[1] { 0x3f80_0000 } else { 0 }
    });
    verify("slct.b64.s32 $d, $a, $b, $c;", "b64", &["b64", "b64", "b32"], &tuples(&EDGES, 3), |v| {
        if v[2] as i32 >= 0 { v[0] } else { v[1] }
    });
    let text = "{ .reg .pred p; setp.ne.s32 p, $c, 0; selp.b64 $d, $a, $b, p; }";
    verify(text, "b64", &["b64", "b64", "b32"], &tuples(&EDGES, 3), |v| if v[2] != 0 { v[0] } else { v[1] });
}

#[test]
fn packing() {
    let pairs = tuples(&EDGES, 2);
    verify("mov.b64 $d, {$a, $b};", "b64", &T32[..2], &pairs, |v| v[0] | v[1] << 32);
    verify(
        "{ .reg .b32 x, y; mov.b64 {x, y}, $a; add.s32 $d, x, y; }",
        "b32",
        &T64[..1],
        &tuples(&EDGES64, 1),
        |v| (v[0] as u32).wrapping_add((v[0] >> 32) as u32) as u64,
    );
    verify(
        "{ .reg .b16 x, y; mov.b32 {x, y}, $a; mov.b32 $d, {y, x}; }",
        "b32",
        &T32[..1],
        &tuples(&EDGES, 1),
        |v| (v[0] as u32).rotate_left(16) as u64,
    );
    verify(
        "{ .reg .b16 x, y, z, w; mov.b64 {x, y, z, w}, $a; mov.b64 $d, {w, z, y, x}; }",
        "b64",
        &T64[..1],
        &tuples(&EDGES64, 1),
        |v| v[0] >> 48 | (v[0] >> 32 & 0xffff) << 16 | (v[0] >> 16 & 0xffff) << 32 | v[0] << 48,
    );
}
