//! A table of numbers as colours: confusion matrices.

use super::{Anchor, Colour, Drawing, Panel, Text, title};

const TOP: f64 = 36.5;
const BLUE: Colour = Colour(0x08, 0x30, 0x6b);

/// A square table, each value in its cell and the cell the darker the greater the value's share of its row.
///
/// Rows and columns have the same names; zeros are left blank.
///
/// ```
/// use taper_train::plot::{Heatmap, figure};
/// let counts = vec![vec![9.0, 1.0], vec![0.0, 12.0]];
/// let matrix = Heatmap::new("Confusion", "predicted", "true", ["cat", "dog"], counts);
/// assert!(figure(&[matrix]).to_svg().contains(">12<"));
/// ```
#[derive(Clone, Debug)]
pub struct Heatmap {
    title: String,
    x_label: String,
    y_label: String,
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
}

impl Heatmap {
    /// A table with its labels and the names of its rows and columns.
    ///
    /// # Panics
    /// If there are not as many rows, and values in each, as names.
    #[track_caller]
    pub fn new(
        title: impl Into<String>,
        x_label: impl Into<String>,
        y_label: impl Into<String>,
        names: impl IntoIterator<Item = impl Into<String>>,
        rows: Vec<Vec<f64>>,
    ) -> Heatmap {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let n = names.len();
        assert!(
            rows.len() == n && rows.iter().all(|r| r.len() == n),
            "Heatmap: {n} names need {n} rows of {n} values, got {} rows",
            rows.len()
        );
        Heatmap { title: title.into(), x_label: x_label.into(), y_label: y_label.into(), names, rows }
    }

    fn layout(&self) -> Layout {
        let values: Vec<Vec<String>> =
            self.rows.iter().map(|r| r.iter().map(|&v| number(v)).collect()).collect();
        let width = |t: &String| Text::new(0.0, 0.0, t).width();
        let widest = values.iter().flatten().map(width).fold(0.0, f64::max);
        let cell = (widest + 10.0).max(30.0).round();
        let name = self.names.iter().map(width).fold(0.0, f64::max);
        let inside = cell * self.names.len() as f64;
        // Names of columns stand upright where they do not fit, or lean.
        let leaning = name > cell - 4.0;
        let below = if leaning { name * LEAN.to_radians().sin() + 14.0 } else { 18.0 };
        let heading = Text::new(0.0, 0.0, &self.title).size(15.0).bold().width();
        let left = (30.0 + name).max(if leaning { name * LEAN.to_radians().cos() - cell / 2.0 } else { 0.0 });
        let left = left.max((heading.max(width(&self.x_label)) - inside) / 2.0 + 4.0).round() + 0.5;
        let right = ((heading.max(width(&self.x_label)) - inside) / 2.0 + 4.0).max(16.5);
        // The axis' name may be longer than the table is high.
        let high = inside.max(width(&self.y_label) - 20.0);
        let size = ((left + inside + right).ceil(), (TOP + high + below + 28.0).ceil());
        Layout { values, cell, leaning, left, size }
    }
}

/// Degrees by which long names lean.
const LEAN: f64 = 45.0;

struct Layout {
    values: Vec<Vec<String>>,
    cell: f64,
    leaning: bool,
    left: f64,
    size: (f64, f64),
}

impl Panel for Heatmap {
    fn size(&self) -> (f64, f64) {
        self.layout().size
    }

    fn draw(&self, drawing: &mut Drawing) {
        let Layout { values, cell, leaning, left, size } = self.layout();
        let inside = cell * self.names.len() as f64;
        let bottom = TOP + inside;
        title(drawing, left + inside / 2.0, &self.title);
        drawing.text(Text::new(left + inside / 2.0, size.1 - 10.0, &self.x_label).anchor(Anchor::Middle));
        let y = (TOP + inside / 2.0).max(Text::new(0.0, 0.0, &self.y_label).width() / 2.0 + 1.0);
        drawing.text(Text::new(16.0, y, &self.y_label).turned(-90.0).anchor(Anchor::Middle));
        for (r, row) in self.rows.iter().enumerate() {
            let y = TOP + cell * r as f64;
            let total: f64 = row.iter().map(|v| v.abs()).sum();
            drawing.text(Text::new(left - 7.0, y + cell / 2.0 + 4.0, &self.names[r]).anchor(Anchor::End));
            for (c, &value) in row.iter().enumerate().filter(|(_, v)| **v != 0.0) {
                let x = left + cell * c as f64;
                let share = if total > 0.0 { value.abs() / total } else { 0.0 };
                // The root shows the rare mistakes, too.
                let colour = Colour::WHITE.mix(BLUE, share.sqrt() * 0.9);
                drawing.rect(x, y, cell, cell, colour);
                let ink = if share > 0.25 { Colour::WHITE } else { Colour::INK };
                let text = Text::new(x + cell / 2.0, y + cell / 2.0 + 4.0, &values[r][c]);
                drawing.text(text.anchor(Anchor::Middle).colour(ink));
            }
        }
        for (c, name) in self.names.iter().enumerate() {
            let x = left + cell * (c as f64 + 0.5);
            let text = match leaning {
                true => Text::new(x + 4.0, bottom + 12.0, name).turned(-LEAN).anchor(Anchor::End),
                false => Text::new(x, bottom + 16.0, name).anchor(Anchor::Middle),
            };
            drawing.text(text);
        }
        for i in 1..self.names.len() {
            let at = cell * i as f64;
            drawing.line(&[(left + at, TOP), (left + at, bottom)], 1.0, Colour::GRID);
            drawing.line(&[(left, TOP + at), (left + inside, TOP + at)], 1.0, Colour::GRID);
        }
        drawing.frame(left, TOP, inside, inside, Colour::FRAME);
    }
}

/// Counts as they are, other numbers with two decimals.
fn number(v: f64) -> String {
    if v == v.trunc() { format!("{v:.0}") } else { format!("{v:.2}") }.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::super::figure;
    use super::*;

    #[test]
    fn values_stand_in_their_cells() {
        let svg = figure(&[Heatmap::new("t", "x", "y", ["a", "b"], vec![vec![7.0, 0.0], vec![0.25, 3.0]])])
            .to_svg();
        for text in [">7<", ">0.25<", ">3<"] {
            assert_eq!(svg.matches(text).count(), 1, "{text}");
        }
        assert!(!svg.contains(">0<"), "zeros are blank");
        assert_eq!(svg.matches(">a<").count(), 2, "a row and a column");
    }

    #[test]
    #[should_panic(expected = "2 names need 2 rows of 2 values, got 1 rows")]
    fn rows_must_fit_the_names() {
        Heatmap::new("t", "x", "y", ["a", "b"], vec![vec![7.0, 0.0]]);
    }
}
