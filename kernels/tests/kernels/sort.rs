//! Sort and top-k against the standard library's stable sort.

use crate::operand::*;
use proptest::prelude::*;
use std::cmp::Ordering;
use taper_kernels::{Backend, DType, cpu::Cpu};

/// NaN is the largest, and zeros are equal.
fn compare(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(&b).unwrap(),
        (x, y) => x.cmp(&y),
    }
}

fn check(x: &Operand, axis: usize, k: Option<usize>, descending: bool, rng: &mut Numbers) {
    let mut shape = x.layout.shape().to_vec();
    shape[axis] = k.unwrap_or(shape[axis]);
    let mut values = Operand::random(rng, &shape, x.dtype, false);
    let mut places = Operand::random(rng, &shape, DType::I64, false);
    let (mut want_values, mut want_places) = (values.clone(), places.clone());
    let mut lines = shape.clone();
    lines[axis] = 1;
    for line in indices(&lines) {
        let get = |i: usize| {
            let mut at = line.clone();
            at[axis] = i;
            x.get(&at)
        };
        let mut order: Vec<usize> = (0..x.layout.shape()[axis]).collect();
        order.sort_by(|&a, &b| {
            let c = compare(get(a), get(b));
            if descending { c.reverse() } else { c }
        });
        for (rank, &from) in order.iter().enumerate().take(shape[axis]) {
            let mut at = line.clone();
            at[axis] = rank;
            want_values.set(&at, get(from));
            want_places.set(&at, from as f64);
        }
    }
    match k {
        None => Cpu.sort(x.view(), axis, descending, values.view_mut(), places.view_mut()),
        Some(_) => Cpu.topk(x.view(), axis, descending, values.view_mut(), places.view_mut()),
    }
    .unwrap();
    assert_eq!(places.bytes(), want_places.bytes(), "{:?}", x.values());
    assert_eq!(values.bytes(), want_values.bytes());
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn any_lines(seed: u64, dtype in prop::sample::select(DType::ALL.to_vec()), descending: bool, top: bool) {
        let rng = &mut Numbers(seed);
        let shape: Vec<usize> = (0..1 + rng.below(3)).map(|_| rng.below(12)).collect();
        let axis = rng.below(shape.len());
        let mut x = Operand::random(rng, &shape, dtype, true);
        for i in indices(&shape) {
            if rng.chance(2) {
                let special = [0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
                x.set(&i, special[rng.below(6)]);
            }
        }
        let k = top.then(|| rng.below(shape[axis] + 1));
        check(&x, axis, k, descending, rng);
    }
}

#[test]
fn extremes_of_every_integer() {
    for (dtype, lo, hi) in [
        (DType::U8, 0.0, 255.0),
        (DType::I8, -128.0, 127.0),
        (DType::I16, -32768.0, 32767.0),
        (DType::I32, i32::MIN as f64, i32::MAX as f64),
        (DType::I64, i64::MIN as f64, i64::MAX as f64),
    ] {
        let mut v = [3.0, lo, 0.0, hi, 5.0, lo, hi].into_iter();
        let x = Operand::dense(&[7], dtype, || v.next().unwrap());
        check(&x, 0, None, false, &mut Numbers(1));
        check(&x, 0, Some(3), true, &mut Numbers(1));
    }
}

#[test]
fn long_lines_on_threads() {
    let n = if cfg!(miri) { 50 } else { 70_000 };
    let rng = &mut Numbers(9);
    let x = Operand::dense(&[2, n], DType::F32, || (rng.value() * 1000.0).round());
    check(&x, 1, None, true, rng);
    let sorted = [1, 2, 5].map(|threads| {
        on_threads(threads, || {
            let mut values = x.clone();
            let mut places = Operand::dense(&[2, n], DType::I64, || 0.0);
            Cpu.sort(x.view(), 1, false, values.view_mut(), places.view_mut()).unwrap();
            (values.bytes().to_vec(), places.bytes().to_vec())
        })
    });
    assert!(sorted[0] == sorted[1] && sorted[1] == sorted[2]);
}
