//! Shapes as pixels, with smooth edges: each pixel takes a colour by the share of it that is covered.

use super::drawing::Colour;
use super::image::Image;
use std::ops::Range;

type Point = (f64, f64);

/// Pixels that shapes are painted on. Coordinates are pixels; the first one's centre is (0.5, 0.5).
pub(super) struct Canvas {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Canvas {
    /// White.
    pub fn new(width: usize, height: usize) -> Canvas {
        Canvas { width, height, rgb: vec![255; 3 * width * height] }
    }

    fn blend(&mut self, x: usize, y: usize, colour: [f64; 3], share: f64) {
        let at = 3 * (y * self.width + x);
        for (old, new) in self.rgb[at..at + 3].iter_mut().zip(colour) {
            *old = (*old as f64 + (new - *old as f64) * share).round() as u8;
        }
    }

    /// Pixels that a box touches, as far as they are on the canvas.
    fn touched(&self, from: Point, to: Point) -> (Range<usize>, Range<usize>) {
        let range = |a: f64, b: f64, n: usize| {
            (a.floor().max(0.0) as usize).min(n)..(b.ceil().max(0.0) as usize).min(n)
        };
        (range(from.0, to.0, self.width), range(from.1, to.1, self.height))
    }

    /// Paints a colour where `share` (of a pixel, by its corner) says.
    fn paint(&mut self, from: Point, to: Point, colour: Colour, share: impl Fn(f64, f64) -> f64) {
        let (columns, rows) = self.touched(from, to);
        for y in rows {
            for x in columns.clone() {
                let share = share(x as f64, y as f64);
                if share > 0.0 {
                    self.blend(x, y, parts(colour), share.min(1.0));
                }
            }
        }
    }

    /// A filled rectangle.
    pub fn rect(&mut self, from: Point, to: Point, colour: Colour) {
        let overlap = |at: f64, a: f64, b: f64| (b.min(at + 1.0) - a.max(at)).max(0.0);
        self.paint(from, to, colour, |x, y| overlap(x, from.0, to.0) * overlap(y, from.1, to.1));
    }

    /// A disc.
    pub fn disc(&mut self, centre: Point, radius: f64, colour: Colour) {
        let reach = radius + 1.0;
        let (from, to) = ((centre.0 - reach, centre.1 - reach), (centre.0 + reach, centre.1 + reach));
        self.paint(from, to, colour, |x, y| {
            radius + 0.5 - f64::hypot(x + 0.5 - centre.0, y + 0.5 - centre.1)
        });
    }

    /// A line through points, with round corners and ends. Where it crosses itself it is painted once.
    pub fn stroke(&mut self, points: &[Point], width: f64, colour: Colour) {
        let reach = width / 2.0 + 1.0;
        let (low, high) = bounds(points);
        let (columns, rows) = self.touched((low.0 - reach, low.1 - reach), (high.0 + reach, high.1 + reach));
        let mut mask = vec![0f64; columns.len() * rows.len()];
        for pair in points.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let length = (dx * dx + dy * dy).max(1e-12);
            let (low, high) = bounds(pair);
            let (xs, ys) = self.touched((low.0 - reach, low.1 - reach), (high.0 + reach, high.1 + reach));
            for y in ys {
                for x in xs.clone() {
                    let (px, py) = (x as f64 + 0.5 - a.0, y as f64 + 0.5 - a.1);
                    let t = ((px * dx + py * dy) / length).clamp(0.0, 1.0);
                    let distance = f64::hypot(px - t * dx, py - t * dy);
                    let cell = &mut mask[(y - rows.start) * columns.len() + x - columns.start];
                    *cell = cell.max((width / 2.0 + 0.5 - distance).min(1.0));
                }
            }
        }
        for (i, share) in mask.into_iter().enumerate().filter(|(_, share)| *share > 0.0) {
            self.blend(
                columns.start + i % columns.len(),
                rows.start + i / columns.len(),
                parts(colour),
                share,
            );
        }
    }

    /// Closed outlines, filled; holes run the other way around than what they are in.
    ///
    /// The area to the right of each edge is summed, with its sign, in the pixels that the edge passes;
    /// the running sum along a row is then the share of each pixel inside.
    pub fn fill(&mut self, outlines: &[Vec<Point>], colour: Colour) {
        let all: Vec<Point> = outlines.concat();
        let (low, high) = bounds(&all);
        let (columns, rows) = self.touched(low, high);
        // One column more for what lies to the right of the last pixel.
        let stride = columns.len() + 1;
        let mut area = vec![0f64; stride * rows.len()];
        let limit = columns.len() as f64;
        for outline in outlines {
            for (i, &a) in outline.iter().enumerate() {
                let b = outline[(i + 1) % outline.len()];
                let (sign, a, b) = if a.1 < b.1 { (1.0, a, b) } else { (-1.0, b, a) };
                let (_, crossed) = self.touched(a, b);
                for y in crossed {
                    let (top, bottom) = (a.1.max(y as f64), b.1.min(y as f64 + 1.0));
                    if bottom <= top {
                        continue;
                    }
                    let x_at = |at: f64| {
                        (a.0 + (b.0 - a.0) * (at - a.1) / (b.1 - a.1) - columns.start as f64)
                            .clamp(0.0, limit)
                    };
                    let row = &mut area[(y - rows.start) * stride..][..stride];
                    edge(row, x_at(top), x_at(bottom), sign * (bottom - top));
                }
            }
        }
        for y in rows.clone() {
            let mut sum = 0.0;
            for x in columns.clone() {
                sum += area[(y - rows.start) * stride + x - columns.start];
                let share = f64::abs(sum).min(1.0);
                if share > 1e-6 {
                    self.blend(x, y, parts(colour), share);
                }
            }
        }
    }

    /// A picture stretched to a rectangle, whose corners go to the next whole pixel.
    pub fn image(&mut self, from: Point, to: Point, image: &Image) {
        let round = |p: Point| (p.0.round(), p.1.round());
        let (from, to) = (round(from), round(to));
        if image.width * image.height == 0 {
            return;
        }
        let (columns, rows) = self.touched(from, to);
        let (sx, sy) = (image.width as f64 / (to.0 - from.0), image.height as f64 / (to.1 - from.1));
        for y in rows {
            for x in columns.clone() {
                let colour = image.sample((x as f64 + 0.5 - from.0) * sx, (y as f64 + 0.5 - from.1) * sy);
                self.blend(x, y, colour, 1.0);
            }
        }
    }
}

/// Adds an edge that goes from x0 to x1 within a row, over `height` of it: each pixel's step of the running sum.
fn edge(row: &mut [f64], x0: f64, x1: f64, height: f64) {
    let (low, high) = (x0.min(x1), x0.max(x1));
    // Share of the row's height that the edge has done at x, and its integral: the area to its right.
    let integral = |x: f64| {
        if high - low < 1e-9 {
            (x - low).max(0.0)
        } else {
            let t = x.clamp(low, high) - low;
            t * t / (2.0 * (high - low)) + (x - high).max(0.0)
        }
    };
    let (first, last) = (low as usize, (high as usize + 2).min(row.len()));
    let mut before = 0.0;
    for x in first..last {
        let covered = integral(x as f64 + 1.0) - integral(x as f64);
        row[x] += height * (covered - before);
        before = covered;
    }
}

fn bounds(points: &[Point]) -> (Point, Point) {
    let start = ((f64::INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::NEG_INFINITY));
    points.iter().fold(start, |(l, h), p| ((l.0.min(p.0), l.1.min(p.1)), (h.0.max(p.0), h.1.max(p.1))))
}

fn parts(c: Colour) -> [f64; 3] {
    [c.0 as f64, c.1 as f64, c.2 as f64]
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: Colour = Colour(0, 0, 0);

    /// How much of the canvas is black, in pixels.
    fn ink(canvas: &Canvas) -> f64 {
        canvas.rgb.chunks(3).map(|p| (255 - p[0]) as f64 / 255.0).sum()
    }

    fn near(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() < tolerance, "{a} instead of {b}");
    }

    #[test]
    fn areas_are_geometry() {
        let mut c = Canvas::new(40, 40);
        c.rect((3.25, 5.5), (10.75, 9.0), BLACK);
        near(ink(&c), 7.5 * 3.5, 0.1);
        let mut c = Canvas::new(40, 40);
        c.disc((20.3, 19.6), 10.0, BLACK);
        near(ink(&c), std::f64::consts::PI * 100.0, 2.0);
        let mut c = Canvas::new(40, 40);
        c.stroke(&[(10.0, 10.0), (30.0, 20.0)], 4.0, BLACK);
        near(ink(&c), 500f64.sqrt() * 4.0 + std::f64::consts::PI * 4.0, 2.0);
        let mut c = Canvas::new(40, 40);
        let square = |a: f64, b: f64| vec![(a, a), (b, a), (b, b), (a, b)];
        let hole: Vec<Point> = square(12.2, 18.4).into_iter().rev().collect();
        c.fill(&[square(5.3, 30.7), hole], BLACK);
        near(ink(&c), 25.4 * 25.4 - 6.2 * 6.2, 0.5);
        let mut c = Canvas::new(40, 40);
        c.fill(&[vec![(1.5, 2.0), (37.2, 11.3), (8.0, 39.0)]], BLACK);
        let area = 0.5 * ((37.2 - 1.5) * (39.0 - 2.0) - (8.0 - 1.5) * (11.3 - 2.0));
        near(ink(&c), area, 0.6);
    }

    /// A polygon's share of every pixel is that of many points in it.
    #[test]
    fn edges_are_smooth_where_they_should_be() {
        let star: Vec<Point> = (0..7)
            .map(|i| (i as f64 * 3.0 * std::f64::consts::TAU / 7.0).sin_cos())
            .enumerate()
            .map(|(i, (s, c))| (20.0 + (6.0 + i as f64) * s, 20.0 + (6.0 + i as f64) * c))
            .collect();
        let triangle = [star[0], star[1], star[2]];
        let mut canvas = Canvas::new(40, 40);
        canvas.fill(&[triangle.to_vec()], BLACK);
        let side = |a: Point, b: Point, p: Point| (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0) > 0.0;
        for y in 0..40 {
            for x in 0..40 {
                let mut inside = 0;
                for k in 0..256 {
                    let p =
                        (x as f64 + (k % 16) as f64 / 16.0 + 0.03, y as f64 + (k / 16) as f64 / 16.0 + 0.03);
                    let sides = [0, 1, 2].map(|i| side(triangle[i], triangle[(i + 1) % 3], p));
                    inside += (sides[0] == sides[1] && sides[1] == sides[2]) as usize;
                }
                let got = (255 - canvas.rgb[3 * (y * 40 + x)]) as f64 / 255.0;
                near(got, inside as f64 / 256.0, 0.06);
            }
        }
    }

    /// What lies outside the canvas is left out, and nothing panics.
    #[test]
    fn shapes_may_stick_out() {
        let mut c = Canvas::new(10, 10);
        c.stroke(&[(-50.0, 5.0), (50.0, 5.0)], 2.0, BLACK);
        near(ink(&c), 20.0, 1e-9);
        c.disc((-30.0, 400.0), 5.0, BLACK);
        c.rect((-5.0, -5.0), (-1.0, -1.0), BLACK);
        c.fill(&[vec![(-5.0, -5.0), (20.0, -5.0), (20.0, 20.0), (-5.0, 20.0)]], BLACK);
        near(ink(&c), 100.0, 1e-9);
        c.image((-3.0, 8.0), (30.0, 12.0), &Image::from_rgb(1, 1, vec![255; 3]));
        near(ink(&c), 80.0, 1e-9);
    }
}
