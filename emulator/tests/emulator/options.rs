//! Approximate results within their documented errors, and kernels with one instruction changed.

use crate::common::*;
use ptx_emulator::{Device, Dim, FaultKind, Mutation, Options, Profile, PtxError};

/// Results of `op` for each pair of arguments.
fn approximate(seed: Option<u64>, op: &str, pairs: &[(f32, f32)]) -> Vec<f32> {
    let body = format!(
        "mul.wide.u32 %rd4, %r1, 8; add.s64 %rd4, %rd1, %rd4; ld.global.v2.b32 {{%r2, %r3}}, [%rd4]; {}\n\
         st.global.b32 [%rd4], %r4;",
        if op.starts_with("div") { format!("{op} %r4, %r2, %r3;") } else { format!("{op} %r4, %r2;") }
    );
    let words: Vec<u32> = pairs.iter().flat_map(|p| [p.0.to_bits(), p.1.to_bits()]).collect();
    let options = Options { approximate: seed, ..Options::default() };
    let (out, _) =
        run(options, &kernel(&body), 1, pairs.len() as u32, &words).unwrap_or_else(|e| panic!("{e}"));
    out.chunks(2).map(|c| f32::from_bits(c[0])).collect()
}

#[test]
fn approximate_results_stay_within_their_bounds() {
    type Row = (&'static str, fn(f64, f64) -> f64, fn(f64, f64) -> f64);
    fn ulps(v: f64, n: f64) -> f64 {
        let v = (v as f32).abs();
        n * (f32::from_bits(v.to_bits() + 1) as f64 - v as f64)
    }
    // The exact value, and the error that the manual allows at an argument with that value.
    let rows: [Row; 9] = [
        ("div.approx.f32", |x, y| x / y, |_, v| ulps(v, 2.0)),
        ("div.full.f32", |x, y| x / y, |_, v| ulps(v, 2.0)),
        ("rcp.approx.f32", |x, _| 1.0 / x, |_, v| ulps(v, 1.0)),
        ("sqrt.approx.f32", |x, _| x.sqrt(), |_, v| v.abs() * 2f64.powi(-23)),
        ("rsqrt.approx.f32", |x, _| 1.0 / x.sqrt(), |_, v| v.abs() * 2f64.powf(-22.9)),
        ("ex2.approx.f32", |x, _| x.exp2(), |_, v| ulps(v, 2.0)),
        (
            "lg2.approx.f32",
            |x, _| x.log2(),
            |x, v| 2f64.powi(-22) * if x > 0.5 && x < 2.0 { 1.0 } else { v.abs() },
        ),
        ("sin.approx.f32", |x, _| x.sin(), |_, _| 2f64.powf(-20.5)),
        ("tanh.approx.f32", |x, _| x.tanh(), |_, v| v.abs() * 2f64.powi(-11)),
    ];
    let pairs: Vec<(f32, f32)> = (1..=512).map(|k| (k as f32 * 0.0117, 3.0 + k as f32 * 0.37)).collect();
    for (op, exact, allowed) in rows {
        let straight = approximate(None, op, &pairs);
        let (one, two) = (approximate(Some(1), op, &pairs), approximate(Some(2), op, &pairs));
        assert_eq!(one.len(), pairs.len());
        assert_ne!(one, straight, "{op} is bent");
        assert_ne!(one, two, "{op} depends on the seed");
        assert_eq!(one, approximate(Some(1), op, &pairs), "{op} is the same again");
        let mut most = 0f64;
        for (&(x, y), v) in pairs.iter().zip(&one) {
            let e = exact(x as f64, y as f64);
            let share = (*v as f64 - e).abs() / allowed(x as f64, e);
            assert!(share <= 1.0, "{op} of {x}, {y}: {v} is {share} of the allowed error away from {e}");
            most = most.max(share);
        }
        assert!(most > 0.5, "{op} uses what is allowed: {most}");
    }
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN].map(|x| (x, 1.0));
    for op in ["rcp.approx.f32", "rsqrt.approx.f32", "ex2.approx.f32", "lg2.approx.f32", "cos.approx.f32"] {
        let bits = |v: Vec<f32>| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(
            bits(approximate(Some(3), op, &special[..2])),
            bits(approximate(None, op, &special[..2])),
            "{op}"
        );
        let infinite = |seed| bits(approximate(seed, op, &special[2..]));
        assert_eq!(infinite(Some(3)), infinite(None), "{op}");
    }
    // Divisors whose reciprocals are subnormal: exactly 0 and NaN, and only for `.approx`.
    let large = [(3.0, 1e38), (-3.0, 1e38), (f32::INFINITY, -1e38), (3e38, f32::from_bits(253 << 23))];
    for seed in [None, Some(1)] {
        let found = approximate(seed, "div.approx.f32", &large);
        assert_eq!([found[0].to_bits(), found[1].to_bits()], [0, 1 << 31]);
        assert!(found[2].is_nan() && (found[3] - 3.5265).abs() < 1e-3, "{found:?}");
        let found = approximate(seed, "div.full.f32", &large);
        assert!((found[0] - 3e-38).abs() < 1e-44 && found[2] == f32::NEG_INFINITY, "{found:?}");
    }
    // Exact instructions are left alone.
    assert_eq!(approximate(Some(1), "div.rn.f32", &pairs), approximate(None, "div.rn.f32", &pairs));
}

#[test]
fn a_mutation_changes_one_instruction() {
    let source = kernel(
        "setp.ne.u32 %p1, %r1, 0; @!%p1 st.shared.u32 [sm], 5;
bar.sync 0;
ld.shared.u32 %r3, [sm];
shfl.sync.bfly.b32 %r2, %r3, 1, 31, -1;
st.global.u32 [%rd3], %r2;",
    )
    .replace("sm_90", "sm_80");
    let line = |text: &str| source.lines().position(|l| l.starts_with(text)).unwrap() as u32 + 1;
    let change = |text: &str| {
        let mutation = Mutation::parse(text);
        assert!(mutation.is_some(), "{text}");
        let device = Device::new(Profile::sm_80(), Options { mutation, check: true, ..Options::default() });
        let module = device.load(&source)?;
        let (kernel, p) = (module.kernel("k").unwrap(), device.alloc(256).unwrap());
        assert!(!kernel.reached_mutant());
        let result = device.launch(kernel.clone(), Dim::x(1), Dim::x(64), 0, &p.to_le_bytes());
        Ok::<_, PtxError>((result, kernel.reached_mutant()))
    };
    let (result, reached) = change("other:7").unwrap();
    assert!(!reached && result.is_ok_and(|c| c.barriers == 1));
    let (result, reached) = change(&format!("k:{}", line("bar.sync"))).unwrap();
    assert!(reached && result.is_err_and(|e| e.kind == FaultKind::Race));
    let (result, reached) = change(&format!("k:{}:mask", line("shfl"))).unwrap();
    assert!(reached && result.is_err_and(|e| e.kind == FaultKind::Mask));
    for nothing in ["k:1".to_string(), format!("k:{}:mask", line("ld.shared"))] {
        let e = change(&nothing).map(|_| ()).unwrap_err();
        assert!(e.reason.contains("no instruction of this kernel"), "{e}");
    }
    for text in ["k", "k:x", ":3", "k:3:4", "k:3:mask:1", ""] {
        assert_eq!(Mutation::parse(text), None, "{text}");
    }
}
