//! What a figure is before it has a format: a list of shapes on a white sheet.

use super::{font, image::Image, png, svg};

/// A colour: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    pub(super) const INK: Colour = Colour(0x22, 0x22, 0x22);
    pub(super) const FRAME: Colour = Colour(0x88, 0x88, 0x88);
    pub(super) const GRID: Colour = Colour(0xdd, 0xdd, 0xdd);
    pub(super) const WHITE: Colour = Colour(0xff, 0xff, 0xff);

    /// The colour of the `i`-th line or class; told apart by people who do not see all colours
    /// (Okabe and Ito's). After eight they repeat.
    pub fn nth(i: usize) -> Colour {
        const COLOURS: [u32; 8] =
            [0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9, 0x6b6b6b, 0xbfae00];
        let c = COLOURS[i % COLOURS.len()];
        Colour((c >> 16) as u8, (c >> 8) as u8, c as u8)
    }

    /// From this colour (0) to another (1).
    pub fn mix(self, other: Colour, share: f64) -> Colour {
        let part = |a: u8, b: u8| (a as f64 + (b as f64 - a as f64) * share.clamp(0.0, 1.0)).round() as u8;
        Colour(part(self.0, other.0), part(self.1, other.1), part(self.2, other.2))
    }
}

/// Which end of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The text begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// Text on one line, in an embedded font (DejaVu Sans).
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// Where the anchor is.
    pub x: f64,
    /// Where the baseline is.
    pub y: f64,
    /// What is written.
    pub content: String,
    /// Height of the font in units.
    pub size: f64,
    /// Whether the letters are bold.
    pub bold: bool,
    /// Which end stands at `x`.
    pub anchor: Anchor,
    /// Degrees that it is turned about its place, clockwise.
    pub turned: f64,
    /// Colour of the letters.
    pub colour: Colour,
}

impl Text {
    /// Dark text of size 12 that begins at a place.
    pub fn new(x: f64, y: f64, content: impl Into<String>) -> Text {
        let (content, anchor) = (content.into(), Anchor::Start);
        Text { x, y, content, size: 12.0, bold: false, anchor, turned: 0.0, colour: Colour::INK }
    }
    /// With another end at its place.
    pub fn anchor(mut self, anchor: Anchor) -> Text {
        self.anchor = anchor;
        self
    }
    /// Of another size.
    pub fn size(mut self, size: f64) -> Text {
        self.size = size;
        self
    }
    /// In bold letters.
    pub fn bold(mut self) -> Text {
        self.bold = true;
        self
    }
    /// Turned clockwise by degrees.
    pub fn turned(mut self, degrees: f64) -> Text {
        self.turned = degrees;
        self
    }
    /// In another colour.
    pub fn colour(mut self, colour: Colour) -> Text {
        self.colour = colour;
        self
    }
    /// How wide it is.
    pub fn width(&self) -> f64 {
        font::width(&self.content, self.size, self.bold)
    }
    /// Where it begins, from its place, before it is turned.
    pub(super) fn shift(&self) -> f64 {
        match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -0.5 * self.width(),
            Anchor::End => -self.width(),
        }
    }
    /// A point of the text lying at the origin, where it stands.
    pub(super) fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let (sin, cos) = self.turned.to_radians().sin_cos();
        let x = x + self.shift();
        (self.x + x * cos - y * sin, self.y + x * sin + y * cos)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Rect { x: f64, y: f64, width: f64, height: f64, fill: Colour },
    Line { points: Vec<(f64, f64)>, width: f64, colour: Colour },
    Circle { x: f64, y: f64, radius: f64, fill: Colour },
    Text(Text),
    Image { x: f64, y: f64, width: f64, height: f64, image: Image },
}

/// A white sheet that shapes are put on, one over the other. Coordinates grow right and down.
///
/// ```
/// use taper_train::plot::{Colour, Drawing, Text};
/// let mut drawing = Drawing::new(200.0, 100.0);
/// drawing.rect(10.0, 10.0, 180.0, 50.0, Colour::nth(0));
/// drawing.text(Text::new(10.0, 85.0, "a blue box"));
/// assert!(drawing.to_svg().contains("a blue box"));
/// assert!(drawing.to_png().starts_with(b"\x89PNG"));
/// ```
#[derive(Clone, Debug)]
pub struct Drawing {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) shapes: Vec<Shape>,
    /// Added to every coordinate: where the panel that is being drawn begins.
    pub(super) origin: (f64, f64),
}

impl Drawing {
    /// An empty sheet.
    pub fn new(width: f64, height: f64) -> Drawing {
        Drawing { width: width.ceil(), height: height.ceil(), shapes: Vec::new(), origin: (0.0, 0.0) }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (x + self.origin.0, y + self.origin.1)
    }

    /// A filled rectangle.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Colour) {
        let (x, y) = self.at(x, y);
        self.shapes.push(Shape::Rect { x, y, width, height, fill });
    }

    /// A line through points, with round corners.
    pub fn line(&mut self, points: &[(f64, f64)], width: f64, colour: Colour) {
        let points: Vec<_> = points.iter().map(|&(x, y)| self.at(x, y)).collect();
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, width, colour });
        }
    }

    /// The outline of a rectangle, one unit wide.
    pub fn frame(&mut self, x: f64, y: f64, width: f64, height: f64, colour: Colour) {
        let (r, b) = (x + width, y + height);
        self.line(&[(x, y), (r, y), (r, b), (x, b), (x, y)], 1.0, colour);
    }

    /// A disc.
    pub fn circle(&mut self, x: f64, y: f64, radius: f64, fill: Colour) {
        let (x, y) = self.at(x, y);
        self.shapes.push(Shape::Circle { x, y, radius, fill });
    }

    /// A text.
    pub fn text(&mut self, mut text: Text) {
        (text.x, text.y) = self.at(text.x, text.y);
        if !text.content.is_empty() {
            self.shapes.push(Shape::Text(text));
        }
    }

    /// A picture, stretched to a rectangle.
    pub fn image(&mut self, x: f64, y: f64, width: f64, height: f64, image: Image) {
        let (x, y) = self.at(x, y);
        self.shapes.push(Shape::Image { x, y, width, height, image });
    }

    /// The sheet as SVG: text stays text, pictures are embedded.
    pub fn to_svg(&self) -> String {
        svg::write(self)
    }

    /// The sheet as PNG, two pixels to the unit.
    pub fn to_png(&self) -> Vec<u8> {
        png::write(self)
    }
}
