//! Renders SVG as PNG.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;

use crate::{Error, font};

/// Scale from pixels of the figure to pixels of the PNG, so that text stays sharp in print.
const TIMES: f32 = 2.0;

/// Largest number of pixels.
const MOST: f32 = 67_108_864.0;

/// Renders a figure as a PNG file, at twice the size of the figure in both directions.
///
/// # Errors
/// [`Error::Svg`] for invalid SVG, [`Error::TooManyPixels`] for more than 2^26 pixels, [`Error::Encode`] if encoding fails.
///
/// # Examples
/// ```
/// use gtr_draw::svg::Svg;
/// let file = gtr_draw::png::render(&Svg::new("blank").finish(50.0, 20.0))?;
/// assert!(file.starts_with(b"\x89PNG"));
/// # Ok::<(), gtr_draw::Error>(())
/// ```
pub fn render(svg: &str) -> Result<Vec<u8>, Error> {
    let options =
        usvg::Options { fontdb: font::database(), font_family: font::FAMILY.to_owned(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| Error::Svg(error.into()))?;
    let size = tree.size();
    let (width, height) = ((size.width() * TIMES).ceil(), (size.height() * TIMES).ceil());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and at most 2^26")]
    let pixels = if width * height <= MOST { Pixmap::new(width as u32, height as u32) } else { None };
    let Some(mut pixels) = pixels else {
        return Err(Error::TooManyPixels { width, height });
    };
    resvg::render(&tree, Transform::from_scale(TIMES, TIMES), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| Error::Encode(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg::{Svg, Type};

    fn dark(svg: Svg) -> usize {
        let pixels = Pixmap::decode_png(&render(&svg.finish(50.0, 20.0)).unwrap()).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (100, 40));
        let is_dark = |levels: [u8; 3]| levels.iter().all(|&level| level < 128);
        pixels.pixels().iter().filter(|it| is_dark([it.red(), it.green(), it.blue()])).count()
    }

    #[test]
    fn text_is_rendered_without_system_fonts() {
        assert_eq!(dark(Svg::new("blank")), 0);
        let written = |set: Type| {
            let mut svg = Svg::new("written");
            svg.text((5.0, 15.0), "32", set);
            dark(svg)
        };
        let (regular, bold) = (written(Type::new(12.0)), written(Type::new(12.0).bold()));
        assert!(regular > 50 && bold > regular, "{regular} {bold}");
    }

    #[test]
    fn figures_that_are_too_large_are_refused() {
        assert!(render(&Svg::new("large").finish(9000.0, 9000.0)).is_err());
        assert!(render("no figure").is_err());
    }
}
