//! Pixels from SVG.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;

use super::font;
use crate::error::CliError;

/// Pixels that a pixel of a figure becomes, in both directions: letters stay sharp in print.
const TIMES: f32 = 2.0;

/// More pixels than this are not painted.
const MOST: f32 = 67_108_864.0;

/// The PNG file of a figure.
///
/// # Errors
/// Of a figure that is no SVG or too large.
pub(crate) fn render(svg: &str) -> Result<Vec<u8>, CliError> {
    let options =
        usvg::Options { fontdb: font::database(), font_family: font::FAMILY.to_owned(), ..usvg::Options::default() };
    let tree =
        usvg::Tree::from_str(svg, &options).map_err(|error| CliError::failure("cannot paint the figure", &error))?;
    let size = tree.size();
    let (width, height) = ((size.width() * TIMES).ceil(), (size.height() * TIMES).ceil());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and at most 2^26")]
    let pixels = if width * height <= MOST { Pixmap::new(width as u32, height as u32) } else { None };
    let Some(mut pixels) = pixels else {
        return Err(CliError::Failure(format!("cannot paint the figure: {width}x{height} pixels are too many")));
    };
    resvg::render(&tree, Transform::from_scale(TIMES, TIMES), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| CliError::failure("cannot encode the figure", &error))
}

#[cfg(test)]
mod tests {
    use super::super::svg::{Svg, Type};
    use super::*;
    use crate::picture::decode;

    fn dark(svg: Svg) -> usize {
        let pixels = decode(&render(&svg.finish(50.0, 20.0)).unwrap()).unwrap();
        assert_eq!((pixels.width, pixels.height), (100, 40));
        pixels.bytes.chunks_exact(pixels.channels).filter(|pixel| pixel[..3].iter().all(|&level| level < 128)).count()
    }

    #[test]
    fn letters_leave_ink_on_a_machine_without_fonts() {
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
    fn what_is_too_large_is_refused() {
        assert!(render(&Svg::new("large").finish(9000.0, 9000.0)).is_err());
        assert!(render("no figure").is_err());
    }
}
