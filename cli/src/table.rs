//! Columns that align.

use crate::text::cut;
use std::borrow::Cow;

/// A cell's most characters: a file may hold keys of any length, and sizes of any number.
const WIDEST: usize = 200;

/// Rows of cells under titles. Columns without any text vanish.
pub struct Table {
    titles: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

/// The side a column's texts stand at.
#[derive(Clone, Copy, PartialEq)]
pub enum Align {
    Left,
    Right,
}

impl Table {
    pub fn new(titles: Vec<(&'static str, Align)>) -> Table {
        Table { titles, rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are titles.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.titles.len());
        self.rows.push(cells);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The titles, if there are any, and the rows, each with two spaces before it.
    pub fn lines(&self) -> (Option<String>, Vec<String>) {
        let titles: Vec<Cow<str>> = self.titles.iter().map(|(title, _)| (*title).into()).collect();
        let rows: Vec<Vec<Cow<str>>> =
            self.rows.iter().map(|r| r.iter().map(|cell| cut(cell, WIDEST)).collect()).collect();
        let shown = (0..titles.len()).filter(|&c| rows.iter().any(|r| !r[c].is_empty()));
        let widths: Vec<(usize, usize)> = shown
            .map(|c| (c, rows.iter().chain([&titles]).map(|r| wide(&r[c])).max().unwrap_or(0)))
            .collect();
        let line = |cells: &Vec<Cow<str>>| {
            let mut out = String::new();
            for &(c, width) in &widths {
                let gap = " ".repeat(width - wide(&cells[c]));
                match self.titles[c].1 {
                    Align::Left => out.extend(["  ", &cells[c], &gap]),
                    Align::Right => out.extend(["  ", &gap, &cells[c]]),
                }
            }
            out.truncate(out.trim_end().len());
            out
        };
        let titled = titles.iter().any(|title| !title.is_empty());
        (titled.then(|| line(&titles)), rows.iter().map(line).collect())
    }
}

fn wide(text: &str) -> usize {
    text.chars().count()
}
