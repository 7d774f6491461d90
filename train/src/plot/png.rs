//! A drawing as PNG.

use super::drawing::{Drawing, Shape, Text};
use super::font;
use super::raster::Canvas;

/// Pixels of a unit, so that small letters are sharp.
const SCALE: f64 = 2.0;

pub(super) fn write(drawing: &Drawing) -> Vec<u8> {
    let canvas = paint(drawing);
    encode(canvas.width, canvas.height, &canvas.rgb)
}

fn paint(drawing: &Drawing) -> Canvas {
    let at = |x: f64, y: f64| (x * SCALE, y * SCALE);
    let mut canvas = Canvas::new((drawing.width * SCALE) as usize, (drawing.height * SCALE) as usize);
    for shape in &drawing.shapes {
        match shape {
            Shape::Rect { x, y, width, height, fill } => {
                canvas.rect(at(*x, *y), at(x + width, y + height), *fill);
            }
            Shape::Line { points, width, colour } => {
                let points: Vec<_> = points.iter().map(|p| at(p.0, p.1)).collect();
                canvas.stroke(&points, width * SCALE, *colour);
            }
            Shape::Circle { x, y, radius, fill } => canvas.disc(at(*x, *y), radius * SCALE, *fill),
            Shape::Text(text) => canvas.fill(&letters(text), text.colour),
            Shape::Image { x, y, width, height, image } => {
                canvas.image(at(*x, *y), at(x + width, y + height), image);
            }
        }
    }
    canvas
}

/// Outlines of a text where it stands, in pixels.
fn letters(text: &Text) -> Vec<Vec<(f64, f64)>> {
    let mut outlines = font::outlines(&text.content, text.size, text.bold);
    for point in outlines.iter_mut().flatten() {
        let (x, y) = text.place(point.0, point.1);
        *point = (x * SCALE, y * SCALE);
    }
    outlines
}

/// The file of a picture of three bytes for each pixel.
pub(super) fn encode(width: usize, height: usize, rgb: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, width.max(1) as u32, height.max(1) as u32);
    encoder.set_color(::png::ColorType::Rgb);
    encoder.set_compression(::png::Compression::High);
    // Flat colours repeat as they are; filters would hide that.
    encoder.set_filter(::png::Filter::NoFilter);
    let one = [255; 3];
    let rgb = if rgb.is_empty() { &one[..] } else { rgb };
    let mut writer = encoder.write_header().expect("a vector takes everything");
    writer.write_image_data(rgb).expect("three bytes for each pixel");
    writer.finish().expect("a vector takes everything");
    file
}

#[cfg(test)]
mod tests {
    use super::super::{Anchor, Colour, Image};
    use super::*;

    #[test]
    fn png_holds_the_pixels() {
        let mut drawing = Drawing::new(20.0, 10.0);
        drawing.rect(5.0, 2.0, 10.0, 4.0, Colour(10, 20, 30));
        drawing.image(16.0, 0.0, 2.0, 2.0, Image::from_rgb(1, 1, vec![1, 2, 3]));
        let file = drawing.to_png();
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (40, 20));
        let at = |x: usize, y: usize| &pixels[3 * (y * 40 + x)..][..3];
        assert_eq!(at(10, 4), [10, 20, 30]);
        assert_eq!(at(29, 11), [10, 20, 30]);
        assert_eq!(at(30, 11), [255; 3]);
        assert_eq!(at(9, 4), [255; 3]);
        assert_eq!(at(33, 3), [1, 2, 3]);
    }

    /// Turned by a right angle, ink lies where it should.
    #[test]
    fn text_is_turned_about_its_place() {
        let box_of = |text: Text| {
            let all: Vec<(f64, f64)> = letters(&text).concat();
            let min = |f: fn(&(f64, f64)) -> f64| all.iter().map(f).fold(f64::INFINITY, f64::min) / SCALE;
            let max = |f: fn(&(f64, f64)) -> f64| all.iter().map(f).fold(f64::NEG_INFINITY, f64::max) / SCALE;
            [min(|p| p.0), min(|p| p.1), max(|p| p.0), max(|p| p.1)]
        };
        let [l, t, r, b] = box_of(Text::new(50.0, 50.0, "HH").anchor(Anchor::End));
        assert!(l < 40.0 && r <= 50.0 && t < 45.0 && b <= 50.0);
        let [l, t, r, b] = box_of(Text::new(50.0, 50.0, "HH").turned(-90.0));
        assert!(l < 45.0 && r <= 50.0 && t < 40.0 && b <= 50.0);
    }
}
