//! The report that people read.

use super::{Findings, Found};
use crate::output::Style;
use crate::table::{Align, Table};
use crate::text::{self, plural, printable};
use std::path::Path;

pub fn text(path: &Path, findings: &Findings, filtered: bool, style: Style) -> String {
    let contents = &findings.contents;
    let all = contents.tensors.len() as u64;
    let mut out = format!(
        "{}: {}, {}, {}\n",
        style.bold(&printable(&path.display().to_string())),
        printable(&contents.description),
        plural(all, "tensor"),
        text::size(contents.bytes)
    );
    section(&mut out, "", &tensors(findings), style);
    let mut values = Table::new(vec![("", Align::Left), ("", Align::Left)]);
    for (key, value) in findings.values() {
        values.row(vec![printable(key).into(), text::value(value)]);
    }
    section(&mut out, "Values", &values, style);
    let mut metadata = Table::new(vec![("", Align::Left), ("", Align::Left)]);
    if !filtered {
        for (name, value) in &contents.metadata {
            metadata.row(vec![printable(name).into(), text::value(value)]);
        }
    }
    section(&mut out, "Metadata", &metadata, style);
    let mut unsupported = Table::new(vec![("", Align::Left), ("", Align::Left)]);
    for (key, what) in &contents.unsupported {
        unsupported.row(vec![printable(key).into(), printable(what).into()]);
    }
    section(&mut out, "Unsupported", &unsupported, style);
    out.push_str(&format!("\n{}\n", totals(findings, filtered)));
    for refused in &findings.refused {
        out.push_str(&format!("No statistics of {}\n", printable(refused)));
    }
    out
}

fn section(out: &mut String, title: &str, table: &Table, style: Style) {
    if table.is_empty() {
        return;
    }
    out.push('\n');
    if !title.is_empty() {
        out.push_str(&format!("{}\n", style.bold(title)));
    }
    let (head, rows) = table.lines();
    if let Some(head) = head {
        out.push_str(&format!("{}\n", style.dim(&head)));
    }
    for row in rows {
        out.push_str(&row);
        out.push('\n');
    }
}

fn tensors(findings: &Findings) -> Table {
    use Align::{Left, Right};
    let mut titles =
        vec![("key", Left), ("dtype", Left), ("shape", Left), ("strides", Left), ("bytes", Right)];
    if findings.stats {
        titles.extend(["min", "max", "mean", "std", "nan", "inf"].map(|title| (title, Right)));
    }
    titles.extend([("device", Left), ("memory", Left)]);
    let mut table = Table::new(titles);
    for found in &findings.tensors {
        let entry = findings.entry(found);
        let mut row = vec![
            printable(&entry.key).into(),
            printable(&entry.dtype).into(),
            text::list(&entry.shape),
            if entry.contiguous { String::new() } else { text::list(&entry.strides) },
            text::count(entry.bytes),
        ];
        if findings.stats {
            row.extend(statistics(found));
        }
        row.push(if entry.device == "cpu" { String::new() } else { printable(&entry.device).into() });
        row.push(match (found.shares, found.within) {
            (Some(i), _) => {
                let other = &findings.contents.tensors[i];
                let how = if entry.is(other) { "=" } else { "shared with" };
                format!("{how} {}", printable(&other.key))
            }
            (_, Some(bytes)) => format!("part of {}", text::count(bytes)),
            _ => String::new(),
        });
        table.row(row);
    }
    table
}

fn statistics(found: &Found) -> [String; 6] {
    let none = || "-".to_string();
    let Some(stats) = &found.stats else { return [(); 6].map(|()| none()) };
    [
        stats.min.map_or_else(none, |x| x.show()),
        stats.max.map_or_else(none, |x| x.show()),
        stats.mean.map_or_else(none, text::number),
        stats.std.map_or_else(none, text::number),
        text::count(stats.nan),
        text::count(stats.inf),
    ]
}

fn totals(findings: &Findings, filtered: bool) -> String {
    let totals = &findings.totals;
    let mut line = plural(findings.contents.tensors.len() as u64, "tensor");
    if filtered {
        line = format!("{} of {line}", text::count(totals.tensors));
        let (shown, all) = (findings.values.len(), findings.contents.values.len());
        if all > 0 {
            line.push_str(&format!(" and {shown} of {}", plural(all as u64, "value")));
        }
    }
    line.push_str(&format!(", {}, {}", plural(totals.elements, "element"), text::size(totals.bytes)));
    if totals.storage_bytes != totals.bytes {
        line.push_str(&format!(" in {} of memory", text::size(totals.storage_bytes)));
    }
    line
}
