//! Writes SVG. Shapes that are added later are drawn on top.
//!
//! All text and attribute values are escaped, including quotes and ampersands. Existing crates leave some of this to their
//! callers.

use std::fmt::Write as _;

use crate::area::Area;
use crate::font::{FAMILY, Weight};
use crate::palette::{Colour, INK, PAPER};

/// A figure under construction. Coordinates are pixels from its upper left corner.
///
/// # Examples
/// ```
/// use gtr_draw::area::Area;
/// use gtr_draw::palette::category;
/// use gtr_draw::svg::{Look, Svg, Type};
///
/// let mut svg = Svg::new("a square");
/// svg.rect(Area::new(10.0, 10.0, 20.0, 20.0), Look::fill(category(0)));
/// svg.text((10.0, 45.0), "a <square>", Type::new(10.0));
/// assert!(svg.finish(80.0, 50.0).contains("a &lt;square&gt;"));
/// ```
#[derive(Debug)]
pub struct Svg {
    title: String,
    text: String,
}

/// Fill and stroke of a shape. A value of `None` is inherited from the enclosing group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    fill: Option<Colour>,
    stroke: Option<(Colour, f64)>,
    dashed: bool,
}

impl Look {
    /// Filled, without a stroke.
    pub fn fill(colour: Colour) -> Self {
        Self { fill: Some(colour), ..Self::default() }
    }

    /// A stroke of this width in pixels, without a fill.
    pub fn stroke(colour: Colour, width: f64) -> Self {
        Self { stroke: Some((colour, width)), ..Self::default() }
    }

    /// Adds a stroke.
    #[must_use]
    pub fn outlined(self, colour: Colour, width: f64) -> Self {
        Self { stroke: Some((colour, width)), ..self }
    }

    /// Makes the stroke dashed.
    #[must_use]
    pub fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }
}

/// Horizontal alignment of a text at its point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// The text starts at the point.
    #[default]
    Start,
    /// The text is centered at the point.
    Middle,
    /// The text ends at the point.
    End,
}

/// Type style of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Type {
    /// Font size in pixels.
    pub size: f64,
    /// Font weight.
    pub weight: Weight,
    /// Alignment at the point.
    pub anchor: Anchor,
    /// Colour of the text.
    pub colour: Colour,
}

impl Type {
    /// Regular, left-aligned text of this font size.
    pub fn new(size: f64) -> Self {
        Self { size, weight: Weight::Regular, anchor: Anchor::Start, colour: INK }
    }

    /// Sets bold weight.
    #[must_use]
    pub fn bold(self) -> Self {
        Self { weight: Weight::Bold, ..self }
    }

    /// Sets the alignment.
    #[must_use]
    pub fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    /// Sets the colour.
    #[must_use]
    pub fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// Distance from the middle of a line of digits and capitals to its baseline, in pixels.
    pub fn drop(self) -> f64 {
        0.356 * self.size
    }

    /// Returns the width of a text in pixels.
    pub fn width(self, text: &str) -> f64 {
        crate::font::width(text, self.size, self.weight)
    }

    /// Truncates a text with an ellipsis if it is wider than `width` pixels.
    pub fn cut(self, text: &str, width: f64) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let mut short = String::new();
        let mut room = width - self.width("\u{2026}");
        for letter in text.chars() {
            room -= self.width(letter.encode_utf8(&mut [0; 4]));
            if room < 0.0 {
                break;
            }
            short.push(letter);
        }
        short + "\u{2026}"
    }

    /// Joins texts with the separator `by` to lines of at most `width` pixels. A single text may be wider.
    pub fn joined(self, texts: impl IntoIterator<Item = String>, by: &str, width: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for text in texts {
            match lines.last_mut() {
                Some(line) if self.width(line) + self.width(by) + self.width(&text) <= width => {
                    line.push_str(by);
                    line.push_str(&text);
                }
                _ => lines.push(text),
            }
        }
        lines
    }
}

/// Data of an SVG path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// Returns an open polyline through points.
    pub fn through(points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut path = String::new();
        for (position, (x, y)) in points.into_iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(path, "{}{} {}", if position == 0 { 'M' } else { 'L' }, Number(x), Number(y));
        }
        Self(path)
    }

    /// Adds a rectangle.
    pub fn rect(&mut self, area: Area) {
        let Area { left, top, width, height } = area;
        let _ = write!(
            self.0,
            "M{} {}h{}v{}h{}z",
            Number(left),
            Number(top),
            Number(width),
            Number(height),
            Number(-width)
        );
    }
}

impl Svg {
    /// Creates an empty figure. The title is the accessible name of the figure.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), text: String::new() }
    }

    /// Draws a rectangle.
    pub fn rect(&mut self, area: Area, look: Look) {
        self.open("rect");
        self.place(area);
        self.look(look);
        self.text.push_str("/>\n");
    }

    /// Draws rectangles of the same look in a group of class `class`. `radius` is the radius of their corners.
    pub fn rects(&mut self, class: &str, areas: impl IntoIterator<Item = Area>, look: Look, radius: f64) {
        self.group(class, look, |svg| {
            for area in areas {
                svg.open("rect");
                svg.place(area);
                if radius > 0.0 {
                    svg.number("rx", radius);
                }
                svg.text.push_str("/>\n");
            }
        });
    }

    /// Draws a circle.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, look: Look) {
        self.open("circle");
        self.number("cx", x);
        self.number("cy", y);
        self.number("r", radius);
        self.look(look);
        self.text.push_str("/>\n");
    }

    /// Draws a straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), look: Look) {
        self.path(&Path::through([from, to]), look);
    }

    /// Draws a path. An empty path is skipped.
    pub fn path(&mut self, path: &Path, look: Look) {
        if path.0.is_empty() {
            return;
        }
        self.open("path");
        self.attribute("d", &path.0);
        self.look(look);
        self.text.push_str("/>\n");
    }

    /// Draws a text with its baseline at a point.
    pub fn text(&mut self, (x, y): (f64, f64), text: &str, set: Type) {
        self.open("text");
        self.number("x", x);
        self.number("y", y);
        self.set(set);
        self.words(text);
    }

    /// Draws a text rotated by 90 degrees, to be read upwards.
    pub fn upright(&mut self, (x, y): (f64, f64), text: &str, set: Type) {
        self.open("text");
        let turn = format!("translate({} {}) rotate(-90)", Number(x), Number(y));
        self.attribute("transform", &turn);
        self.set(set);
        self.words(text);
    }

    /// Draws texts of the same type style in a group of class `class`.
    pub fn texts(&mut self, class: &str, texts: impl IntoIterator<Item = ((f64, f64), String)>, set: Type) {
        self.open("g");
        self.attribute("class", class);
        self.set(set);
        self.text.push_str(">\n");
        for ((x, y), text) in texts {
            self.open("text");
            self.number("x", x);
            self.number("y", y);
            self.words(&text);
        }
        self.text.push_str("</g>\n");
    }

    /// Draws a group of class `class` with the content that `draw` adds.
    pub fn group(&mut self, class: &str, look: Look, draw: impl FnOnce(&mut Self)) {
        self.open("g");
        self.attribute("class", class);
        self.look(look);
        self.text.push_str(">\n");
        draw(self);
        self.text.push_str("</g>\n");
    }

    /// Returns the SVG file, with a size in pixels. Content outside of it is clipped.
    pub fn finish(self, width: f64, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\" \
             font-family=\"{FAMILY}, 'Helvetica Neue', Arial, sans-serif\">\n<title>{2}</title>\n\
             <rect width=\"{0}\" height=\"{1}\" fill=\"{PAPER}\"/>\n{3}</svg>\n",
            Number(width.ceil()),
            Number(height.ceil()),
            Escaped(&self.title),
            self.text
        )
    }

    fn open(&mut self, name: &'static str) {
        self.text.push('<');
        self.text.push_str(name);
    }

    fn attribute(&mut self, name: &'static str, value: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, " {name}=\"{}\"", Escaped(value));
    }

    fn number(&mut self, name: &'static str, value: f64) {
        let _ = write!(self.text, " {name}=\"{}\"", Number(value));
    }

    fn place(&mut self, area: Area) {
        self.number("x", area.left);
        self.number("y", area.top);
        self.number("width", area.width);
        self.number("height", area.height);
    }

    fn look(&mut self, look: Look) {
        match (look.fill, look.stroke) {
            (Some(fill), _) => self.attribute("fill", &fill.to_string()),
            (None, Some(_)) => self.attribute("fill", "none"),
            (None, None) => {}
        }
        if let Some((colour, width)) = look.stroke {
            self.attribute("stroke", &colour.to_string());
            self.number("stroke-width", width);
            self.attribute("stroke-linejoin", "round");
        }
        if look.dashed {
            self.attribute("stroke-dasharray", "4 3");
        }
    }

    fn set(&mut self, set: Type) {
        self.number("font-size", set.size);
        if set.weight == Weight::Bold {
            self.attribute("font-weight", "700");
        }
        match set.anchor {
            Anchor::Start => {}
            Anchor::Middle => self.attribute("text-anchor", "middle"),
            Anchor::End => self.attribute("text-anchor", "end"),
        }
        self.attribute("fill", &set.colour.to_string());
    }

    fn words(&mut self, text: &str) {
        let _ = writeln!(self.text, ">{}</text>", Escaped(text));
    }
}

/// Formats a number with at most two decimals.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No coordinate is larger, and values that are not finite are invalid in SVG.
        let value = if self.0.is_finite() { self.0.clamp(-1e6, 1e6) } else { 0.0 };
        let text = format!("{value:.2}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        formatter.write_str(if text == "-0" { "0" } else { text })
    }
}

/// Escapes a text for XML.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&apos;")?,
                // Not allowed in XML, not even escaped.
                '\u{fffe}' | '\u{ffff}' => formatter.write_str("\u{fffd}")?,
                it if it.is_control() => formatter.write_str(" ")?,
                it => formatter.write_char(it)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_finite() {
        let written = |number: f64| Number(number).to_string();
        assert_eq!([1.0, 0.5, 1.0 / 3.0, -0.001, 100.0].map(written), ["1", "0.5", "0.33", "0", "100"]);
        assert_eq!([f64::NAN, f64::INFINITY, 1e300].map(written), ["0", "0", "1000000"]);
    }

    #[test]
    fn texts_are_escaped() {
        let text = "</text><script>\"'&\u{0}\u{ffff}\n";
        let mut svg = Svg::new(text);
        svg.text((0.0, 0.0), text, Type::new(5.0));
        svg.group(text, Look::default(), |_| {});
        let file = svg.finish(10.0, 10.0);
        let escaped = "&lt;/text&gt;&lt;script&gt;&quot;&apos;&amp; \u{fffd} ";
        assert_eq!(file.matches(escaped).count(), 3, "{file}");
        #[cfg(feature = "png")]
        assert!(resvg::usvg::Tree::from_str(&file, &resvg::usvg::Options::default()).is_ok(), "{file}");
    }
}
