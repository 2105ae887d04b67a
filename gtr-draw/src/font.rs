//! Embedded fonts of figures, so that rendering does not depend on installed fonts.

#[cfg(feature = "png")]
use std::sync::{Arc, LazyLock};

#[cfg(feature = "png")]
use resvg::usvg::fontdb;
use skrifa::MetadataProvider as _;
use skrifa::instance::{LocationRef, Size};

/// Name of the font family.
pub(crate) const FAMILY: &str = "Roboto";

const REGULAR: &[u8] = include_bytes!("../fonts/Roboto-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../fonts/Roboto-Bold.ttf");

/// Font weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weight {
    /// Regular weight, for body text.
    #[default]
    Regular,
    /// Bold weight, for titles.
    Bold,
}

impl Weight {
    fn file(self) -> &'static [u8] {
        match self {
            Self::Regular => REGULAR,
            Self::Bold => BOLD,
        }
    }
}

/// Returns the width of a text in pixels, at a font size of `size` pixels.
pub fn width(text: &str, size: f64, weight: Weight) -> f64 {
    // The fonts are embedded, and a test parses them.
    let Ok(font) = skrifa::FontRef::new(weight.file()) else { return 0.0 };
    let letters = font.charmap();
    #[expect(clippy::cast_possible_truncation, reason = "pixels")]
    let metrics = font.glyph_metrics(Size::new(size as f32), LocationRef::default());
    let wide = |letter| metrics.advance_width(letters.map(letter).unwrap_or_default());
    text.chars().filter_map(wide).map(f64::from).sum()
}

/// Returns the font database for rendering. It has only the embedded fonts, not those of the system.
#[cfg(feature = "png")]
pub(crate) fn database() -> Arc<fontdb::Database> {
    static DATABASE: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
        let mut database = fontdb::Database::new();
        for weight in [Weight::Regular, Weight::Bold] {
            database.load_font_data(weight.file().to_vec());
        }
        database.set_sans_serif_family(FAMILY);
        Arc::new(database)
    });
    Arc::clone(&DATABASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_widths_are_measured() {
        // A digit is slightly wider than half the font size.
        assert!((0.5..0.6).contains(&(width("0", 100.0, Weight::Regular) / 100.0)));
        assert!((width("00", 10.0, Weight::Regular) - 2.0 * width("7", 10.0, Weight::Regular)).abs() < 1e-6);
        assert!(width("gtr", 12.0, Weight::Bold) > width("gtr", 12.0, Weight::Regular));
        assert_eq!(width("", 12.0, Weight::Bold), 0.0);
    }

    #[cfg(feature = "png")]
    #[test]
    fn both_weights_are_found() {
        let mut weights: Vec<u16> = database().faces().map(|face| face.weight.0).collect();
        weights.sort_unstable();
        assert_eq!(weights, [400, 700]);
        assert!(database().faces().all(|face| face.families.iter().any(|(name, _)| name == FAMILY)));
    }
}
