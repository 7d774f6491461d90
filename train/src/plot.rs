//! Line charts as SVG, drawn by hand: no fonts or libraries are needed to make them.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Colours of the lines, in order; told apart by people who do not see all colours.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 320.0;
/// Left, right, top, bottom of the chart's inside.
const MARGIN: [f64; 4] = [62.0, 16.0, 40.0, 48.0];

/// A chart of lines over a common axis.
///
/// ```
/// use taper_train::{Plot, figure};
/// let loss = Plot::new("loss", "epoch", "cross-entropy")
///     .line("train", (1..=5).map(|e| (e as f64, 1.0 / e as f64)))
///     .line("validation", (1..=5).map(|e| (e as f64, 1.2 / e as f64)));
/// let svg = figure(&[loss]);
/// assert!(svg.starts_with("<svg") && svg.contains("validation"));
/// ```
#[derive(Clone, Debug)]
pub struct Plot {
    title: String,
    x_label: String,
    y_label: String,
    lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl Plot {
    /// An empty chart with its labels.
    pub fn new(title: impl Into<String>, x_label: impl Into<String>, y_label: impl Into<String>) -> Self {
        Plot { title: title.into(), x_label: x_label.into(), y_label: y_label.into(), lines: Vec::new() }
    }

    /// Adds a named line. Points that are not finite are left out.
    pub fn line(mut self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        self.lines.push((name.into(), points));
        self
    }

    /// Smallest and largest of one coordinate, widened where they are equal.
    fn range(&self, coordinate: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let values = self.lines.iter().flat_map(|(_, p)| p.iter().map(&coordinate));
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            (0.0, 1.0)
        } else if low == high {
            (low - 0.5, high + 0.5)
        } else {
            (low, high)
        }
    }

    /// Draws the chart with its left edge at `left`.
    fn draw(&self, svg: &mut String, left: f64) {
        let (x_range, y_range) = (self.range(|p| p.0), self.range(|p| p.1));
        let (x_ticks, y_ticks) = (ticks(x_range), ticks(y_range));
        let y_range = (y_range.0.min(y_ticks[0]), y_range.1.max(*y_ticks.last().expect("ticks")));
        let [l, r, t, b] = MARGIN;
        let at = |v: f64, (low, high): (f64, f64), from: f64, to: f64| {
            from + (v - low) / (high - low) * (to - from)
        };
        let x_at = |v: f64| at(v, x_range, left + l, left + WIDTH - r);
        let y_at = |v: f64| at(v, y_range, HEIGHT - b, t);
        let mut text = |x: f64, y: f64, extra: &str, content: &str| {
            let content = content.replace('&', "&amp;").replace('<', "&lt;");
            let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" {extra}>{content}</text>"#);
        };
        let middle = left + (l + WIDTH - r) / 2.0;
        text(middle, 22.0, r#"text-anchor="middle" font-size="15" font-weight="bold""#, &self.title);
        text(middle, HEIGHT - 10.0, r#"text-anchor="middle""#, &self.x_label);
        let (tx, ty) = (left + 15.0, (t + HEIGHT - b) / 2.0);
        let turned = format!(r#"text-anchor="middle" transform="rotate(-90 {tx:.1} {ty:.1})""#);
        text(tx, ty, &turned, &self.y_label);
        for &v in x_ticks.iter().filter(|v| (x_range.0..=x_range.1).contains(*v)) {
            text(x_at(v), HEIGHT - b + 18.0, r#"text-anchor="middle""#, &number(v));
        }
        for &v in &y_ticks {
            text(left + l - 7.0, y_at(v) + 4.0, r#"text-anchor="end""#, &number(v));
        }
        for &v in &y_ticks {
            let (y, from, to) = (y_at(v), left + l, left + WIDTH - r);
            let _ = writeln!(svg, r##"<path d="M{from:.1} {y:.1}H{to:.1}" stroke="#ddd"/>"##);
        }
        // The legend stands at the right, above or below, where fewer points are.
        let height = 17.0 * self.lines.len() as f64;
        let (above, below) = (t + 16.0, HEIGHT - b - height + 7.0);
        let points =
            || self.lines.iter().flat_map(|(_, p)| p).filter(|p| x_at(p.0) > left + WIDTH - r - 110.0);
        let high = points().filter(|p| y_at(p.1) < above + height).count();
        let low = points().filter(|p| y_at(p.1) > below - 20.0).count();
        let legend = if high <= low { above } else { below };
        for (i, (name, points)) in self.lines.iter().enumerate() {
            let colour = COLOURS[i % COLOURS.len()];
            let path: Vec<String> =
                points.iter().map(|&(x, y)| format!("{:.1} {:.1}", x_at(x), y_at(y))).collect();
            let d = path.join("L");
            if !path.is_empty() {
                let _ = writeln!(
                    svg,
                    r#"<path d="M{d}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>"#
                );
            }
            if points.len() <= 30 {
                for &(x, y) in points {
                    let _ = writeln!(
                        svg,
                        r#"<circle cx="{:.1}" cy="{:.1}" r="3" fill="{colour}"/>"#,
                        x_at(x),
                        y_at(y)
                    );
                }
            }
            let (x, y) = (left + WIDTH - r - 100.0, legend + 17.0 * i as f64);
            let _ =
                writeln!(svg, r#"<path d="M{x:.1} {:.1}h18" stroke="{colour}" stroke-width="3"/>"#, y - 4.0);
            let name = name.replace('&', "&amp;").replace('<', "&lt;");
            let _ = writeln!(svg, r#"<text x="{:.1}" y="{y:.1}">{name}</text>"#, x + 24.0);
        }
        let (x, y, w, h) = (left + l, t, WIDTH - l - r, HEIGHT - t - b);
        let _ = writeln!(
            svg,
            r##"<rect x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}" fill="none" stroke="#888"/>"##
        );
    }
}

/// Round numbers that cover a range, at most seven.
fn ticks((low, high): (f64, f64)) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough).unwrap_or(rough);
    let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// A tick's number without noise in its last digits.
fn number(v: f64) -> String {
    let text = format!("{v:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Charts side by side in one SVG.
pub fn figure(plots: &[Plot]) -> String {
    let width = WIDTH * plots.len().max(1) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n<rect width=\"{width}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    for (i, plot) in plots.iter().enumerate() {
        plot.draw(&mut svg, i as f64 * WIDTH);
    }
    svg + "</svg>\n"
}

/// Writes charts side by side to an SVG file.
///
/// # Errors
/// Where the file cannot be written.
pub fn save_figure(plots: &[Plot], path: impl AsRef<Path>) -> io::Result<()> {
    std::fs::write(path, figure(plots))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover() {
        for (low, high) in [(0.0, 1.0), (0.31, 0.97), (-3.0, 7.0), (1200.0, 98_000.0), (0.0001, 0.0007)] {
            let t = ticks((low, high));
            assert!(t[0] <= low && *t.last().unwrap() >= high && (3..=8).contains(&t.len()), "{t:?}");
        }
        assert_eq!(ticks((0.0, 1.0)), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(number(0.6000000000000001), "0.6");
        assert_eq!((number(100.0), number(0.0)), ("100".to_string(), "0".to_string()));
    }

    #[test]
    fn points_lie_inside_the_frame() {
        let svg =
            figure(&[Plot::new("a < b", "x", "y").line("l", [(0.0, 5.0), (1.0, f64::NAN), (2.0, -1.0)])]);
        assert!(svg.contains("a &lt; b"));
        let circles: Vec<&str> = svg.lines().filter(|l| l.starts_with("<circle")).collect();
        assert_eq!(circles.len(), 2, "the point that is not finite is left out");
        // An empty chart and one of a single point are charts, too.
        assert!(!figure(&[Plot::new("", "", "").line("none", [])]).contains("NaN"));
        assert!(!figure(&[Plot::new("", "", "").line("one", [(1.0, 1.0)])]).contains("NaN"));
    }
}
