//! Sorting of long lines by the digits of their keys: time that grows with the length alone.

use crate::cpu::gemm::scratch::Scratch;

/// Shorter lines are compared: digits need tables.
pub const FROM: usize = if cfg!(miri) { 1 << 6 } else { 1 << 12 };

/// Bits of a digit, at most: the lines that are written to in turn are then in the first-level cache, or nearly.
const DIGIT: u32 = 9;

/// Fills `sorted` with the numbers `0..n`, those of smaller keys first, and of equal keys smaller numbers first.
/// `false`, and nothing done, where the bits in which keys differ and those of `n` are more than 64 in all.
pub fn sort(n: usize, key: impl Fn(usize) -> u64, sorted: &mut Vec<u64>) -> bool {
    let (least, most) = (0..n).map(&key).fold((u64::MAX, 0), |(a, b), k| (a.min(k), b.max(k)));
    let (of_key, of_place) = (bits(most.saturating_sub(least)), bits(n as u64));
    if of_key + of_place > u64::BITS {
        return false;
    }
    // Buffers have large pages and are there from the last time.
    let mut both = [Scratch::new::<i64>(n), Scratch::new::<i64>(n)];
    let [mut from, mut to] = both.each_mut().map(|s| &mut s.as_mut_slice::<i64>()[..n]);
    for (i, v) in from.iter_mut().enumerate() {
        *v = ((key(i) - least).unbounded_shl(of_place) | i as u64) as i64;
    }
    let passes = of_key.div_ceil(DIGIT);
    let width = if passes > 0 { of_key.div_ceil(passes) } else { 0 };
    let digit = |v: i64, pass: u32| (v as u64 >> (of_place + pass * width)) as usize & ((1 << width) - 1);
    let mut counts = vec![0u32; (passes as usize) << width];
    for &v in from.iter() {
        for pass in 0..passes {
            counts[(pass as usize) << width | digit(v, pass)] += 1;
        }
    }
    for (pass, starts) in (0..passes).zip(counts.chunks_exact_mut(1 << width)) {
        let mut start = 0;
        for s in starts.iter_mut() {
            start += std::mem::replace(s, start);
        }
        for &v in from.iter() {
            let place = &mut starts[digit(v, pass)];
            to[*place as usize] = v;
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
    }
    let places = (1 << of_place) - 1;
    sorted.clear();
    sorted.extend(from.iter().map(|&v| v as u64 & places));
    true
}

fn bits(v: u64) -> u32 {
    u64::BITS - v.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::test_support::Rng;

    #[test]
    fn as_a_stable_sort_by_comparison() {
        let rng = &mut Rng(7);
        for (n, range) in
            [(0, 1), (1, 9), (2, 1), (300, 1), (300, 2), (5000, 40), (5000, 1 << 23), (700, 1 << 52)]
        {
            let top = u64::MAX - range;
            let keys: Vec<u64> = (0..n).map(|_| top + rng.below(range as usize) as u64).collect();
            let mut want: Vec<u64> = (0..n as u64).collect();
            want.sort_by_key(|&i| keys[i as usize]);
            let mut got = Vec::new();
            assert!(sort(n, |i| keys[i], &mut got));
            assert_eq!(got, want, "{n} keys in {range}");
        }
        assert!(!sort(4, |i| [0, u64::MAX, 1, 2][i], &mut Vec::new()));
    }
}
