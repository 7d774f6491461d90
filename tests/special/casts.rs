//! Conversions between all dtypes: edges of each, what does not fit, halves between neighbours.

use crate::bits::{self, digits, near, numbers, show};
use crate::{FIXTURE, Report};
use taper::DType;

pub fn check(report: &mut Report) {
    for line in FIXTURE["casts"].as_array().expect("a table") {
        let from = line["from"].as_str().expect("a dtype");
        for to in DType::ALL {
            let x = numbers(&FIXTURE["numbers"][from], digits(bits::dtype(from)));
            let want = numbers(&line[bits::short(to)], digits(to));
            one(report, bits::dtype(from), &x, to, &want);
        }
    }
}

/// In vectors' bodies and tails, contiguous and strided.
fn one(report: &mut Report, from: DType, x: &[u64], to: DType, want: &[u64]) {
    let count = x.len();
    for (n, step) in [(33 * count + 5, 1), (2 * count, 2), (7, 1), (9, 1), (17, 1), (1, 1)] {
        for at in if n < count { (0..count).step_by(n) } else { (0..1).step_by(1) } {
            let place = |i: usize| (at + i) % count;
            let some: Vec<u64> = (0..n * step).map(|i| x[place(i / step)]).collect();
            let y = bits::tensor(&some, &[n, step], from).select(1, 0).to_dtype(to);
            let got = bits::bits(&y);
            let wrong = (0..n).find(|&i| !near(got[i], want[place(i)], to, 0));
            let message = wrong.map(|i| {
                let [x, got, want] =
                    [(x[place(i)], from), (got[i], to), (want[place(i)], to)].map(|(b, d)| show(b, d));
                format!("{x} of {from} is {got} as {to}, PyTorch's is {want} ({i} of {n}, step {step})")
            });
            let failed = message.is_some();
            report.note(n, message);
            if failed {
                return;
            }
        }
    }
}
