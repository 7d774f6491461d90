//! Columns that align.

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
        let shown: Vec<usize> =
            (0..self.titles.len()).filter(|&c| self.rows.iter().any(|r| !r[c].is_empty())).collect();
        let wide = |text: &str| text.chars().count();
        let widths: Vec<usize> = shown
            .iter()
            .map(|&c| {
                let cells = self.rows.iter().map(|r| wide(&r[c]));
                cells.chain([wide(self.titles[c].0)]).max().unwrap_or(0)
            })
            .collect();
        let line = |cell: &dyn Fn(usize) -> String| {
            let mut out = String::new();
            for (&c, &width) in shown.iter().zip(&widths) {
                let text = cell(c);
                match self.titles[c].1 {
                    Align::Left => out.push_str(&format!("  {text:<width$}")),
                    Align::Right => out.push_str(&format!("  {text:>width$}")),
                }
            }
            out.truncate(out.trim_end().len());
            out
        };
        let titled = self.titles.iter().any(|(title, _)| !title.is_empty());
        let head = titled.then(|| line(&|c| self.titles[c].0.to_string()));
        (head, self.rows.iter().map(|r| line(&|c| r[c].clone())).collect())
    }
}
