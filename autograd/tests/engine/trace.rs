//! The printable tape.

use taper_autograd::scalar::Scalar;
use taper_autograd::{BackwardOptions, Tape, Value, backward};

use crate::vector::Vector;

#[test]
fn table_and_graph() {
    let w = Vector::leaf(&[2.0]);
    let x = Vector::new(&[1.0, 2.0]);
    let loss = w.mul(&x).mul(&w).sum();
    let line = line!() - 3;
    let n = |v: &Vector| v.node().unwrap().seq();
    let trace = Tape::trace(&loss);
    let seqs: Vec<u64> = trace.entries.iter().map(|e| e.seq).collect();
    assert_eq!((seqs.len(), seqs[0], seqs[3]), (4, n(&w), n(&loss)));
    assert!(seqs.is_sorted());
    assert_eq!(trace.entries[2].inputs, [seqs[1], seqs[0]]);

    // Numbers and widths depend on what other tests did before: compare word by word.
    let words =
        |s: String| s.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
    let [a, b, c, d] = [seqs[0], seqs[1], seqs[2], seqs[3]];
    let at = |offset: u32| format!("{}:{}", file!(), line + offset);
    assert_eq!(
        words(trace.to_string()),
        [
            "seq op value inputs line".to_string(),
            format!("%{a} leaf [1] {}", at(0)),
            format!("%{b} mul [2] %{a} {}", at(2)),
            format!("%{c} mul [2] %{b} %{a} {}", at(2)),
            format!("%{d} sum [1] %{c} {}", at(2)),
        ]
    );
    let columns: Vec<_> = trace.to_string().lines().map(|l| l.find(file!())).skip(1).collect();
    assert!(columns.windows(2).all(|w| w[0] == w[1]), "the columns line up");

    let dot = trace.to_dot();
    assert!(dot.contains(&format!("n{a} [label=\"leaf\\n[1]\\n{}\", shape=box];", at(0))), "{dot}");
    assert!(dot.contains(&format!("n{b} -> n{c};")) && dot.contains(&format!("n{a} -> n{c};")));

    backward(&loss, None, BackwardOptions::default());
    assert!(Tape::trace(&loss).entries.iter().all(|e| e.freed != e.leaf));
    assert!(Tape::trace(&loss).to_string().contains("(freed)"));
}

#[test]
fn a_constant_has_no_tape() {
    assert_eq!(Tape::trace(&Scalar::new(1.0)).to_string(), "(not on the tape)");
}

#[test]
fn nodes_print_their_line() {
    let x = Scalar::leaf(1.0);
    let text = format!("{:?}", x.node().unwrap());
    assert_eq!(text, format!("%{} leaf f64 ({}:{}:13)", x.node().unwrap().seq(), file!(), line!() - 2));
}
