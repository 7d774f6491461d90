//! A drawing as SVG.

use super::drawing::{Anchor, Colour, Drawing, Shape, Text};
use super::png;
use std::fmt::{self, Write as _};

struct Hex(Colour);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0.0, self.0.1, self.0.2)
    }
}

pub(super) fn write(drawing: &Drawing) -> String {
    let (w, h) = (drawing.width, drawing.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
         font-family=\"DejaVu Sans, Verdana, sans-serif\">\n<rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>\n"
    );
    for shape in &drawing.shapes {
        // Writing to a string does not fail.
        let _ = shape_to(&mut svg, shape);
    }
    svg + "</svg>\n"
}

fn shape_to(svg: &mut String, shape: &Shape) -> fmt::Result {
    match shape {
        Shape::Rect { x, y, width, height, fill } => {
            let fill = Hex(*fill);
            writeln!(
                svg,
                r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"/>"#
            )
        }
        Shape::Line { points, width, colour } => {
            let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
            writeln!(
                svg,
                r#"<path d="M{}" fill="none" stroke="{}" stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round"/>"#,
                points.join("L"),
                Hex(*colour)
            )
        }
        Shape::Circle { x, y, radius, fill } => {
            writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{}"/>"#, Hex(*fill))
        }
        Shape::Text(text) => text_to(svg, text),
        Shape::Image { x, y, width, height, image } => {
            // Browsers know the first, other programs the name of SVG 1.1.
            let how = match image.smooth {
                true => "",
                false => r#" style="image-rendering:pixelated" image-rendering="optimizeSpeed""#,
            };
            let data = base64(&png::encode(image.width, image.height, &image.rgb));
            writeln!(
                svg,
                r#"<image x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" preserveAspectRatio="none"{how} href="data:image/png;base64,{data}"/>"#
            )
        }
    }
}

fn text_to(svg: &mut String, text: &Text) -> fmt::Result {
    let Text { x, y, size, colour, .. } = text;
    write!(svg, r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" fill="{}""#, Hex(*colour))?;
    match text.anchor {
        Anchor::Start => {}
        Anchor::Middle => svg.push_str(r#" text-anchor="middle""#),
        Anchor::End => svg.push_str(r#" text-anchor="end""#),
    }
    if text.bold {
        svg.push_str(r#" font-weight="bold""#);
    }
    if text.turned != 0.0 {
        write!(svg, r#" transform="rotate({} {x:.1} {y:.1})""#, text.turned)?;
    }
    // Whatever font the viewer has, the text takes the room that the layout gave it.
    if text.content.chars().nth(1).is_some() {
        write!(svg, r#" textLength="{:.1}" lengthAdjust="spacingAndGlyphs""#, text.width())?;
    }
    svg.push('>');
    for c in text.content.chars() {
        match c {
            '&' => svg.push_str("&amp;"),
            '<' => svg.push_str("&lt;"),
            '>' => svg.push_str("&gt;"),
            // XML has no place for control characters, not even escaped.
            c if c.is_control() => svg.push(' '),
            c => svg.push(c),
        }
    }
    svg.push_str("</text>\n");
    Ok(())
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0u32, |w, &b| w << 8 | b as u32) << (8 * (3 - three.len()));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i)) as usize & 63] as char;
            text.push(if i <= three.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4648.
    #[test]
    fn base64_is_rfc_4648() {
        let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (n, e) in expected.iter().enumerate() {
            assert_eq!(base64(&b"foobar"[..n]), *e);
        }
    }

    #[test]
    fn text_is_escaped() {
        let mut d = Drawing::new(10.0, 10.0);
        d.text(Text::new(0.0, 5.0, "a<b>&\u{7}"));
        assert!(d.to_svg().contains(">a&lt;b&gt;&amp; </text>"));
    }
}
