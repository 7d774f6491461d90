//! Functions of two integers: every pair of telling ones, of every dtype.

use crate::bits::{self, digits, numbers};
use crate::{FIXTURE, Report};
use std::panic::{AssertUnwindSafe, catch_unwind};
use taper::{Operand, Tensor};

type Function = fn(&Tensor, Operand) -> Tensor;

fn function(name: &str) -> Function {
    macro_rules! method {
        ($($f:ident)*) => {
            match name {
                $(stringify!($f) => |a, b| a.$f(b),)*
                other => panic!("no function {other}"),
            }
        };
    }
    method! {
        add sub mul floor_divide trunc_divide remainder fmod pow maximum minimum bitwise_and bitwise_or bitwise_xor
        bitwise_left_shift bitwise_right_shift
    }
}

pub fn check(report: &mut Report) {
    for line in FIXTURE["integer"].as_array().expect("a table") {
        let name = line["op"].as_str().expect("a name");
        for text in ["u8", "i8", "i16", "i32", "i64"] {
            let dtype = bits::dtype(text);
            let width = digits(dtype);
            let x = numbers(&FIXTURE["integers"][text], width);
            let want = line[text].as_str().expect("digits");
            let tensor = |b: &[u64]| bits::tensor(b, &[b.len()], dtype);
            // A row of pairs at once where PyTorch takes all of them, and each pair alone.
            for (i, &a) in x.iter().enumerate() {
                for (j, &b) in x.iter().enumerate() {
                    let cell = &want[(i * x.len() + j) * width..][..width];
                    // PyTorch may die of the least integer divided by -1; here it wraps.
                    let cell = match (cell.starts_with('?'), name) {
                        (false, _) => cell.to_string(),
                        (true, "remainder" | "fmod") => "0".repeat(width),
                        (true, _) => format!("{a:0width$x}"),
                    };
                    let y = catch_unwind(AssertUnwindSafe(|| {
                        function(name)(&tensor(&[a; 9]), tensor(&[b; 9]).into())
                    }));
                    let got = match y {
                        Ok(y) => bits::bits(&y).iter().map(|b| format!("{b:0width$x}")).collect(),
                        Err(_) => vec!["x".repeat(width); 9],
                    };
                    let wrong = got.iter().find(|g| **g != cell);
                    let message = wrong.map(|g| {
                        format!("{name} of {text}({a:x}, {b:x}): {g}, PyTorch's is {cell} (hexadecimal; x: refused)")
                    });
                    report.note(9, message);
                }
            }
            // All pairs that PyTorch takes, in one vector.
            let fine: Vec<usize> =
                (0..x.len() * x.len()).filter(|i| !want[i * width..].starts_with(['x', '?'])).collect();
            let left: Vec<u64> = fine.iter().map(|i| x[i / x.len()]).collect();
            let right: Vec<u64> = fine.iter().map(|i| x[i % x.len()]).collect();
            let got = bits::bits(&function(name)(&tensor(&left), tensor(&right).into()));
            let wrong =
                (0..fine.len()).find(|&k| format!("{:0width$x}", got[k]) != want[fine[k] * width..][..width]);
            let message =
                wrong.map(|k| format!("{name} of {text}({:x}, {:x}) in a vector", left[k], right[k]));
            report.note(fine.len(), message);
        }
    }
}
