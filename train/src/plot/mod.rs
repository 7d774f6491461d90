//! Charts and pictures, as SVG and as PNG from one description. No font or library of the system is needed.
//!
//! A figure is a row of panels: [`Plot`] (lines, points, regions), [`Heatmap`], [`ImageGrid`], or any other
//! [`Panel`]. [`save_figure`] writes it in the format of the file's extension.
//!
//! Panels of different types stand in one figure as `&dyn Panel`:
//!
//! ```
//! use taper_train::plot::{Heatmap, Panel, Plot, figure};
//! let plot = Plot::new("Loss", "epoch", "cross-entropy").line("training", [(1.0, 0.9), (2.0, 0.4)]);
//! let matrix = Heatmap::new("Confusion", "predicted", "true", ["cat", "dog"], vec![vec![8.0, 2.0], vec![1.0, 9.0]]);
//! let drawing = figure(&[&plot as &dyn Panel, &matrix]);
//! assert!(drawing.to_svg().contains("dog"));
//! ```

mod axis;
mod drawing;
mod font;
mod heatmap;
mod image;
mod image_grid;
mod legend;
mod lines;
mod png;
mod raster;
mod svg;

pub use drawing::{Anchor, Colour, Drawing, Text};
pub use heatmap::Heatmap;
pub use image::Image;
pub use image_grid::ImageGrid;
pub use lines::Plot;

use std::io::Write;
use std::path::Path;
use taper_io::{Error, Result, write_atomic};

/// A part of a figure, drawn on a sheet with its corner at (0, 0).
pub trait Panel {
    /// Width and height.
    fn size(&self) -> (f64, f64);

    /// Draws it. Nothing may lie outside its size.
    fn draw(&self, drawing: &mut Drawing);
}

impl<P: Panel + ?Sized> Panel for &P {
    fn size(&self) -> (f64, f64) {
        (**self).size()
    }
    fn draw(&self, drawing: &mut Drawing) {
        (**self).draw(drawing);
    }
}

impl<P: Panel + ?Sized> Panel for Box<P> {
    fn size(&self) -> (f64, f64) {
        (**self).size()
    }
    fn draw(&self, drawing: &mut Drawing) {
        (**self).draw(drawing);
    }
}

/// Panels side by side on one sheet.
pub fn figure(panels: &[impl Panel]) -> Drawing {
    let sizes: Vec<(f64, f64)> = panels.iter().map(Panel::size).collect();
    let height = sizes.iter().fold(1.0, |h: f64, s| h.max(s.1));
    let mut drawing = Drawing::new(sizes.iter().map(|s| s.0).sum::<f64>().max(1.0), height);
    let mut left = 0.0;
    for (panel, size) in panels.iter().zip(&sizes) {
        drawing.origin = (left, 0.0);
        panel.draw(&mut drawing);
        left += size.0;
    }
    drawing.origin = (0.0, 0.0);
    drawing
}

/// Writes panels side by side to a file, atomically; the format follows the extension (`.svg` or `.png`).
///
/// # Errors
/// For another extension, and where the file cannot be written; what was there before stays.
pub fn save_figure(panels: &[impl Panel], path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let bytes = match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => figure(panels).to_svg().into_bytes(),
        Some("png") => figure(panels).to_png(),
        _ => {
            let message = "unknown file extension; figures are written as .svg and .png".into();
            return Err(Error::Format { path: path.into(), message });
        }
    };
    write_atomic(path, |out| out.write_all(&bytes))
}

/// A panel's title, above its inside.
fn title(drawing: &mut Drawing, middle: f64, title: &str) {
    drawing.text(Text::new(middle, 22.0, title).size(15.0).bold().anchor(Anchor::Middle));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panels() -> [Plot; 2] {
        let line = [(0.0, 5.0), (1.0, f64::NAN), (2.0, -1.0)];
        [Plot::new("a < b", "x", "y").line("l", line), Plot::new("", "", "").line("none", [])]
    }

    #[test]
    fn the_extension_chooses_the_format() {
        let dir = tempfile::tempdir().unwrap();
        for (name, start) in [("a.svg", &b"<svg"[..]), ("a.png", b"\x89PNG\r\n\x1a\n")] {
            save_figure(&panels(), dir.path().join(name)).unwrap();
            assert!(std::fs::read(dir.path().join(name)).unwrap().starts_with(start));
        }
        let error = save_figure(&panels(), dir.path().join("a.jpg")).unwrap_err().to_string();
        assert!(
            error.ends_with("a.jpg: unknown file extension; figures are written as .svg and .png"),
            "{error}"
        );
        let error = save_figure(&panels(), dir.path().join("no/a.png")).unwrap_err().to_string();
        assert!(error.contains("no/a.png: cannot create a file in its folder"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    /// Every panel keeps inside its place, in every number that the drawing has.
    #[test]
    fn panels_stay_in_their_place() {
        let long = "a rather long name of a class";
        let plots = panels();
        let matrix = Heatmap::new(long, long, long, [long, "b"], vec![vec![1.0, 20_000.0], vec![0.0, 3.5]]);
        let grid =
            ImageGrid::new(long).columns(2).image(Image::from_rgb(1, 2, vec![7; 6]), format!("{long}\n2"));
        let one = Plot::new("one", "", "").points("p", [(1e-9, 1e12)]);
        let all: [&dyn Panel; 5] = [&plots[0], &plots[1], &matrix, &grid, &one];
        for panel in all {
            let drawing = figure(&[panel]);
            let (w, h) = panel.size();
            assert_eq!((drawing.width, drawing.height), (w.ceil(), h.ceil()));
            for shape in &drawing.shapes {
                use drawing::Shape;
                let (from, to) = match shape {
                    Shape::Rect { x, y, width, height, .. } | Shape::Image { x, y, width, height, .. } => {
                        ((*x, *y), (x + width, y + height))
                    }
                    Shape::Circle { x, y, radius, .. } => {
                        ((x - radius, y - radius), (x + radius, y + radius))
                    }
                    Shape::Line { points, .. } => points.iter().fold(((w, h), (0.0, 0.0)), |(l, t), p| {
                        ((f64::min(l.0, p.0), f64::min(l.1, p.1)), (f64::max(t.0, p.0), f64::max(t.1, p.1)))
                    }),
                    Shape::Text(t) => {
                        let corners =
                            [(0.0, 0.0), (t.width(), 0.0), (0.0, -0.76 * t.size), (t.width(), 0.24 * t.size)]
                                .map(|(x, y)| t.place(x, y));
                        let [xs, ys] = [corners.map(|c| c.0), corners.map(|c| c.1)];
                        let low = |v: [f64; 4]| v.into_iter().fold(f64::INFINITY, f64::min);
                        let high = |v: [f64; 4]| v.into_iter().fold(f64::NEG_INFINITY, f64::max);
                        ((low(xs), low(ys)), (high(xs), high(ys)))
                    }
                };
                let inside = from.0 >= 0.0 && from.1 >= 0.0 && to.0 <= w + 1e-9 && to.1 <= h + 1e-9;
                assert!(inside, "{shape:?} is outside of {w} x {h}");
            }
        }
    }
}
