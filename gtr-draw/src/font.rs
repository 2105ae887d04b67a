//! The letters of figures, which are built in: a machine may have none.

#[cfg(feature = "png")]
use std::sync::{Arc, LazyLock};

#[cfg(feature = "png")]
use resvg::usvg::fontdb;
use skrifa::MetadataProvider as _;
use skrifa::instance::{LocationRef, Size};

/// The family's name, by which figures call it.
pub(crate) const FAMILY: &str = "Roboto";

const REGULAR: &[u8] = include_bytes!("../fonts/Roboto-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../fonts/Roboto-Bold.ttf");

/// How heavy letters are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weight {
    /// As texts are set.
    #[default]
    Regular,
    /// As titles are set.
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

/// The width of a text in pixels, its letters `size` pixels high.
pub fn width(text: &str, size: f64, weight: Weight) -> f64 {
    // The files are built in, and a test opens them.
    let Ok(font) = skrifa::FontRef::new(weight.file()) else { return 0.0 };
    let letters = font.charmap();
    #[expect(clippy::cast_possible_truncation, reason = "pixels")]
    let metrics = font.glyph_metrics(Size::new(size as f32), LocationRef::default());
    let wide = |letter| metrics.advance_width(letters.map(letter).unwrap_or_default());
    text.chars().filter_map(wide).map(f64::from).sum()
}

/// The letters that drawing a figure may use: those built in, not those of the machine.
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
    fn letters_are_measured() {
        // A digit is a little wider than half its height.
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
