//! The report that people read: `-` only in A, `+` only in B, `!` different.

use super::{Difference, Findings, What};
use crate::args::Diff;
use crate::output::Style;
use crate::table::{Align, Table};
use crate::text::{self, count, number, plural, printable};
use taper_tensor::State;

pub fn text(args: &Diff, found: &Findings, style: Style) -> String {
    let mut out = String::new();
    if !found.equal() {
        out.push_str(&style.red(&printable(&format!("--- {}", args.a.display()))));
        out.push('\n');
        out.push_str(&style.green(&printable(&format!("+++ {}", args.b.display()))));
        out.push('\n');
        let mut table = Table::new(vec![("", Align::Left), ("", Align::Left)]);
        let mut marks = Vec::new();
        for (mark, leaves) in [('-', &found.only_in_a), ('+', &found.only_in_b)] {
            for (key, leaf) in leaves {
                marks.push(mark);
                table.row(vec![printable(key).into(), text::value(leaf)]);
            }
        }
        for difference in &found.different {
            marks.push('!');
            table.row(vec![printable(&difference.key).into(), what(difference)]);
        }
        for (mark, row) in marks.into_iter().zip(table.lines().1) {
            // The mark stands where the row's first space was.
            let line = format!("{mark}{}", &row[1..]);
            out.push_str(&match mark {
                '-' => style.red(&line),
                '+' => style.green(&line),
                _ => line,
            });
            out.push('\n');
        }
    }
    out.push_str(&summary(args, found));
    out
}

fn what(difference: &Difference) -> String {
    let both = |show: &dyn Fn(&State) -> String| format!("{} -> {}", show(difference.a), show(difference.b));
    match &difference.what {
        What::Kind | What::Value => both(&text::value),
        What::DType => {
            "dtype ".to_string()
                + &both(&|s| s.as_tensor().map_or_else(String::new, |t| t.dtype().to_string()))
        }
        What::Shape => {
            "shape ".to_string()
                + &both(&|s| s.as_tensor().map_or_else(String::new, |t| text::list(t.shape())))
        }
        What::Elements(e) => {
            let mut line = format!("{} of {} elements differ", count(e.count), count(e.of));
            if e.nan > 0 {
                line.push_str(&format!(", {} NaN on one side", count(e.nan)));
            }
            if e.count > e.nan && e.max_abs == 0.0 {
                line.push_str(", as 0 and -0");
            } else if e.count > e.nan {
                line.push_str(&format!(
                    ", by at most {} at {}",
                    number(e.max_abs),
                    text::list(&e.max_abs_at)
                ));
                line.push_str(&format!(", relative {}", number(e.max_rel)));
                if let Some(ulp) = e.max_ulp {
                    line.push_str(&format!(", {} ulp", count(ulp)));
                }
            }
            line
        }
    }
}

fn summary(args: &Diff, found: &Findings) -> String {
    let mut same = plural(found.same_tensors, "tensor");
    if found.same_values > 0 {
        same.push_str(&format!(" and {}", plural(found.same_values, "value")));
    }
    if found.equal() {
        let how = if args.rtol > 0.0 || args.atol > 0.0 { "equal within the tolerance" } else { "equal" };
        return format!("{how}: {same}\n");
    }
    format!(
        "{} different, {} only in A, {} only in B; equal: {same}\n",
        count(found.different.len() as u64),
        count(found.only_in_a.len() as u64),
        count(found.only_in_b.len() as u64)
    )
}
