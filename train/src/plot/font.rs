//! The embedded font: widths for the layout, outlines for pixels.

use std::sync::OnceLock;
use ttf_parser::{Face, GlyphId, OutlineBuilder};

type Point = (f64, f64);

fn face(bold: bool) -> &'static Face<'static> {
    static FACES: OnceLock<[Face<'static>; 2]> = OnceLock::new();
    let faces = FACES.get_or_init(|| {
        [
            &include_bytes!("../../assets/font/DejaVuSans-subset.ttf")[..],
            &include_bytes!("../../assets/font/DejaVuSans-Bold-subset.ttf")[..],
        ]
        .map(|bytes| Face::parse(bytes, 0).expect("the embedded font"))
    });
    &faces[bold as usize]
}

/// The glyph of a character; the empty box for those the font lacks.
fn glyph(face: &Face, c: char) -> GlyphId {
    face.glyph_index(c).unwrap_or(GlyphId(0))
}

/// Width of a text of a size.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let face = face(bold);
    let units: u32 = text.chars().map(|c| face.glyph_hor_advance(glyph(face, c)).unwrap_or(0) as u32).sum();
    units as f64 * size / face.units_per_em() as f64
}

/// Closed outlines of a text whose baseline begins at the origin, as polygons; y grows down.
pub(super) fn outlines(text: &str, size: f64, bold: bool) -> Vec<Vec<Point>> {
    let face = face(bold);
    let scale = size / face.units_per_em() as f64;
    let mut pen = Pen { scale, ..Pen::default() };
    for c in text.chars() {
        let id = glyph(face, c);
        face.outline_glyph(id, &mut pen);
        pen.x += face.glyph_hor_advance(id).unwrap_or(0) as f64;
    }
    pen.outlines
}

#[derive(Default)]
struct Pen {
    scale: f64,
    /// Where the glyph begins, in font units.
    x: f64,
    outlines: Vec<Vec<Point>>,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> Point {
        ((self.x + x as f64) * self.scale, -y as f64 * self.scale)
    }
    fn push(&mut self, p: Point) {
        self.outlines.last_mut().expect("an outline begins with move_to").push(p);
    }
    /// Points of a curve, from where the pen is; `at(t)` for t in 0 ..= 1.
    fn curve(&mut self, at: impl Fn(f64, Point) -> Point) {
        const PIECES: usize = 8;
        let from = *self.outlines.last().and_then(|o| o.last()).expect("an outline begins with move_to");
        for i in 1..=PIECES {
            self.push(at(i as f64 / PIECES as f64, from));
        }
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let p = self.at(x, y);
        self.outlines.push(vec![p]);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        let p = self.at(x, y);
        self.push(p);
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (b, c) = (self.at(x1, y1), self.at(x, y));
        let mix = |t: f64, a: f64, b: f64, c: f64| (1.0 - t) * ((1.0 - t) * a + 2.0 * t * b) + t * t * c;
        self.curve(|t, a| (mix(t, a.0, b.0, c.0), mix(t, a.1, b.1, c.1)));
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (b, c, d) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        let mix = |t: f64, p: [f64; 4]| {
            let s = 1.0 - t;
            s * s * s * p[0] + 3.0 * s * t * (s * p[1] + t * p[2]) + t * t * t * p[3]
        };
        self.curve(|t, a| (mix(t, [a.0, b.0, c.0, d.0]), mix(t, [a.1, b.1, c.1, d.1])));
    }
    fn close(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_the_fonts() {
        // DejaVu Sans: 2048 units, "0" is 1303 wide, "i" 569, a space 651.
        assert_eq!(width("0 i", 2048.0, false), (1303 + 651 + 569) as f64);
        assert!(width("title", 12.0, true) > width("title", 12.0, false));
    }

    #[test]
    fn outlines_stand_on_the_baseline() {
        let o = outlines("Lo", 100.0, false);
        assert_eq!(o.len(), 3, "an L, an outer and an inner o");
        let (low, high) = o[0].iter().fold((0f64, 0f64), |(l, h), p| (l.max(p.1), h.min(p.1)));
        assert_eq!(low, 0.0);
        assert!((high + 72.9).abs() < 0.1, "capitals are 0.729 high, got {high}");
    }
}
