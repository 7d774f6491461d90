//! The names of a plot's lines, where they hide least.

use super::{Colour, Drawing, Text};

const LINE: f64 = 17.0;
const PAD: f64 = 7.0;
const MARK: f64 = 18.0;

/// A name, its colour, and whether it is of a line (or of points).
pub(super) type Entry<'a> = (&'a str, Colour, bool);

/// Draws names into the corner of a box (left, top, right, bottom) that covers the fewest of the places drawn.
pub(super) fn draw(drawing: &mut Drawing, inside: [f64; 4], entries: &[Entry], places: &[(f64, f64)]) {
    let [left, top, right, bottom] = inside;
    let widest = entries.iter().fold(0.0, |w: f64, e| w.max(Text::new(0.0, 0.0, e.0).width()));
    let (width, height) = (widest + MARK + 6.0 + 2.0 * PAD, LINE * entries.len() as f64 + PAD);
    let (near, far) = ((left + 6.0, top + 6.0), (right - 6.0 - width, bottom - 6.0 - height));
    let corners = [(far.0, near.1), (far.0, far.1), (near.0, near.1), (near.0, far.1)];
    let hidden = |&(x, y): &(f64, f64)| {
        let covers = |p: &&(f64, f64)| {
            p.0 > x - 4.0 && p.0 < x + width + 4.0 && p.1 > y - 4.0 && p.1 < y + height + 4.0
        };
        places.iter().filter(covers).count()
    };
    let (x, y) = corners.into_iter().min_by_key(hidden).expect("four corners");
    drawing.rect(x, y, width, height, Colour::WHITE);
    drawing.frame(x, y, width, height, Colour::GRID);
    for (i, &(name, colour, line)) in entries.iter().enumerate() {
        let (x, y) = (x + PAD, y + PAD / 2.0 + LINE * (i as f64 + 0.5));
        if line {
            drawing.line(&[(x, y), (x + MARK, y)], 3.0, colour);
        } else {
            drawing.circle(x + MARK / 2.0, y, 4.0, colour);
        }
        drawing.text(Text::new(x + MARK + 6.0, y + 4.3, name));
    }
}
