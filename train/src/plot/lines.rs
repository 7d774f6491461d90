//! Lines, points and regions over two axes.

use super::axis::Axis;
use super::{Anchor, Colour, Drawing, Image, Panel, Text, legend, title};
use taper_tensor::Tensor;

/// Lines of at most so many points show them.
const MARKED: usize = 30;
const TOP: f64 = 36.5;
const BOTTOM: f64 = 48.5;
const RIGHT: f64 = 18.5;

#[derive(Clone, Debug)]
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    line: bool,
}

#[derive(Clone, Debug)]
struct Regions {
    x: (f64, f64),
    y: (f64, f64),
    image: Image,
}

/// A chart over two axes: lines, points, and the regions of classes behind them.
///
/// Each `line` and `points` takes the next colour. Axes cover all that is drawn; a legend stands where
/// it hides least.
///
/// ```
/// use taper_train::plot::{Plot, figure};
/// let loss = Plot::new("loss", "epoch", "cross-entropy")
///     .line("train", (1..=5).map(|e| (e as f64, 1.0 / e as f64)))
///     .line("validation", (1..=5).map(|e| (e as f64, 1.2 / e as f64)));
/// let svg = figure(&[loss]).to_svg();
/// assert!(svg.starts_with("<svg") && svg.contains("validation"));
/// ```
#[derive(Clone, Debug)]
pub struct Plot {
    title: String,
    x_label: String,
    y_label: String,
    size: (f64, f64),
    series: Vec<Series>,
    regions: Option<Regions>,
}

impl Plot {
    /// An empty chart with its labels; 460 by 320 units.
    pub fn new(title: impl Into<String>, x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        let (title, x_label, y_label) = (title.into(), x_label.into(), y_label.into());
        Plot { title, x_label, y_label, size: (460.0, 320.0), series: Vec::new(), regions: None }
    }

    /// Of another size.
    pub fn size(mut self, width: f64, height: f64) -> Self {
        self.size = (width.max(160.0), height.max(140.0));
        self
    }

    fn series(mut self, name: String, points: impl Iterator<Item = (f64, f64)>, line: bool) -> Self {
        let points = points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        self.series.push(Series { name, points, line });
        self
    }

    /// Adds a named line. Points that are not finite are left out. An empty name is not in the legend.
    pub fn line(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.series(name.into(), points.into_iter(), true)
    }

    /// Adds named points. Those that are not finite are left out. An empty name is not in the legend.
    pub fn points(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.series(name.into(), points.into_iter(), false)
    }

    /// Shows behind everything which class a model sees where: the decision boundary. The model is given
    /// the points of a fine grid over the two ranges as `[N, 2]` (f32) and returns probabilities `[N, C]`.
    /// A place has the colours of its classes, mixed by probability; class `i` that of the `i`-th series.
    ///
    /// # Panics
    /// If the result is not `[N, C]`.
    #[track_caller]
    pub fn regions(
        mut self,
        x: (f64, f64),
        y: (f64, f64),
        probabilities: impl FnOnce(&Tensor) -> Tensor,
    ) -> Self {
        const SIDE: usize = 160;
        let place = |i: usize, (low, high): (f64, f64)| low + (i as f64 + 0.5) / SIDE as f64 * (high - low);
        // Rows from the top.
        let grid = (0..SIDE * SIDE).flat_map(|i| [place(i % SIDE, x), place(SIDE - 1 - i / SIDE, y)]);
        let grid = Tensor::from_vec(grid.map(|v| v as f32).collect::<Vec<_>>(), [SIDE * SIDE, 2]);
        let p = probabilities(&grid);
        assert!(
            p.ndim() == 2 && p.size(0) == SIDE * SIDE,
            "Plot::regions: expected probabilities [{}, C], got {:?}",
            SIDE * SIDE,
            p.shape()
        );
        let classes = p.size(1);
        let pixel = |p: &[f32]| {
            let mut sum = [0.0; 3];
            for (c, &share) in p.iter().enumerate() {
                let Colour(r, g, b) = Colour::nth(c).mix(Colour::WHITE, 0.55);
                for (s, v) in sum.iter_mut().zip([r, g, b]) {
                    *s += share as f64 * v as f64;
                }
            }
            sum.map(|v| v.round() as u8)
        };
        let rgb = p.to_vec::<f32>().chunks(classes.max(1)).flat_map(pixel).collect();
        self.regions = Some(Regions { x, y, image: Image::from_rgb(SIDE, SIDE, rgb).smooth() });
        self
    }

    fn axes(&self) -> (Axis, Axis) {
        if let Some(r) = &self.regions {
            return (
                Axis::new([r.x.0, r.x.1].into_iter(), false),
                Axis::new([r.y.0, r.y.1].into_iter(), false),
            );
        }
        let all = self.series.iter().flat_map(|s| &s.points);
        let scattered = self.series.iter().any(|s| !s.line);
        let x = all.clone().map(|p| p.0);
        let x = if scattered { Axis::padded(x, 0.03) } else { Axis::counting(x) };
        (x, Axis::new(all.map(|p| p.1), true))
    }
}

impl Panel for Plot {
    fn size(&self) -> (f64, f64) {
        self.size
    }

    fn draw(&self, drawing: &mut Drawing) {
        let (width, height) = self.size;
        let (x_axis, y_axis) = self.axes();
        let label = |t: &str| Text::new(0.0, 0.0, t).width();
        let widest = y_axis.ticks.iter().fold(0.0, |w: f64, t| w.max(label(&t.1)));
        let name = if self.y_label.is_empty() { 6.0 } else { 26.0 };
        let left = (name + widest + 8.0).round() + 0.5;
        let (right, top, bottom) = (width - RIGHT, TOP, height - BOTTOM);
        let x_at = |v: f64| x_axis.at(v, left, right);
        let y_at = |v: f64| y_axis.at(v, bottom, top);
        let middle = (left + right) / 2.0;

        title(drawing, middle, &self.title);
        drawing.text(Text::new(middle, height - 12.0, &self.x_label).anchor(Anchor::Middle));
        let turned = Text::new(16.0, (top + bottom) / 2.0, &self.y_label).turned(-90.0);
        drawing.text(turned.anchor(Anchor::Middle));

        if let Some(r) = &self.regions {
            drawing.image(left, top, right - left, bottom - top, r.image.clone());
        }
        // A line is sharp where its middle is that of a pixel.
        let sharp = |v: f64| v.floor() + 0.5;
        for (v, label) in &y_axis.ticks {
            let y = sharp(y_at(*v));
            if self.regions.is_none() {
                drawing.line(&[(left, y), (right, y)], 1.0, Colour::GRID);
            }
            drawing.text(Text::new(left - 7.0, y + 4.0, label).anchor(Anchor::End));
        }
        for (v, text) in &x_axis.ticks {
            let x = sharp(x_at(*v));
            drawing.line(&[(x, bottom), (x, bottom + 4.0)], 1.0, Colour::FRAME);
            // The last label may be wider than what is left beside the axis.
            let x = x.min(width - 1.0 - label(text) / 2.0);
            drawing.text(Text::new(x, bottom + 17.0, text).anchor(Anchor::Middle));
        }
        drawing.frame(left, top, right - left, bottom - top, Colour::FRAME);

        let mut places = Vec::new();
        for (i, series) in self.series.iter().enumerate() {
            let colour = Colour::nth(i);
            let inside = |p: &&(f64, f64)| {
                self.regions.is_none()
                    || (x_axis.low..=x_axis.high).contains(&p.0) && (y_axis.low..=y_axis.high).contains(&p.1)
            };
            let points: Vec<(f64, f64)> =
                series.points.iter().filter(inside).map(|p| (x_at(p.0), y_at(p.1))).collect();
            places.extend_from_slice(&points);
            if series.line {
                drawing.line(&points, 2.0, colour);
                for pair in points.windows(2) {
                    let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
                    let steps = (f64::hypot(bx - ax, by - ay) / 5.0) as usize;
                    let share = |k: usize| k as f64 / (steps + 1) as f64;
                    places
                        .extend((1..=steps).map(|k| (ax + (bx - ax) * share(k), ay + (by - ay) * share(k))));
                }
            }
            if !series.line || points.len() <= MARKED {
                for &(x, y) in &points {
                    if self.regions.is_some() {
                        drawing.circle(x, y, 3.8, Colour::WHITE);
                    }
                    drawing.circle(x, y, 3.0, colour);
                }
            }
        }
        let named = self.series.iter().enumerate().filter(|(_, s)| !s.name.is_empty());
        let entries: Vec<_> = named.map(|(i, s)| (s.name.as_str(), Colour::nth(i), s.line)).collect();
        if !entries.is_empty() {
            legend::draw(drawing, [left, top, right, bottom], &entries, &places);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure;
    use super::*;

    #[test]
    fn every_finite_point_is_drawn() {
        let plot = Plot::new("a < b", "x", "y").line("", [(0.0, 5.0), (1.0, f64::NAN), (2.0, -1.0)]);
        let svg = figure(&[plot]).to_svg();
        assert!(svg.contains("a &lt; b"));
        assert_eq!(svg.matches("<circle").count(), 2, "the point that is not finite is left out");
        assert!(!figure(&[Plot::new("", "", "").line("none", [])]).to_svg().contains("NaN"));
        assert!(!figure(&[Plot::new("", "", "").line("one", [(1.0, 1.0)])]).to_svg().contains("NaN"));
    }

    #[test]
    fn regions_have_the_colours_of_their_classes() {
        // Class 0 above the diagonal, class 1 below.
        let plot = Plot::new("", "", "").regions((-1.0, 1.0), (-2.0, 2.0), |p| {
            let above = p.select(1, 1).gt(&(p.select(1, 0) * 2.0)).to_dtype(taper_tensor::DType::F32);
            Tensor::stack(&[above.clone(), 1.0 - above], 1)
        });
        let image = plot.regions.unwrap().image;
        let at = |x: usize, y: usize| &image.rgb[3 * (y * image.width + x)..][..3];
        let light = |i: usize| Colour::nth(i).mix(Colour::WHITE, 0.55);
        let colour = |c: Colour| [c.0, c.1, c.2];
        assert_eq!(at(0, 0), colour(light(0)), "top left");
        assert_eq!(at(159, 159), colour(light(1)), "bottom right");
        assert_eq!(at(100, 100), colour(light(1)));
        assert_eq!(at(40, 100), colour(light(0)));
    }

    #[test]
    #[should_panic(expected = "expected probabilities [25600, C], got [25600]")]
    fn regions_want_a_column_for_each_class() {
        let _ = Plot::new("", "", "").regions((0.0, 1.0), (0.0, 1.0), |p| p.select(1, 0));
    }
}
