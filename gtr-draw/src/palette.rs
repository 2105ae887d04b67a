//! Colours that can be distinguished with any colour vision.

use std::fmt;

/// An sRGB colour: red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Text and axes.
pub const INK: Colour = Colour(0x1b, 0x1f, 0x24);

/// Secondary text.
pub const SOFT: Colour = Colour(0x5b, 0x63, 0x6d);

/// Grid lines.
pub const RULE: Colour = Colour(0xe2, 0xe5, 0xe9);

/// Tokens that are not known yet.
pub const BLANK: Colour = Colour(0xee, 0xf0, 0xf2);

/// Tokens that are known before the first step.
pub const GIVEN: Colour = Colour(0xb4, 0xba, 0xc2);

/// Background.
pub const PAPER: Colour = Colour(0xff, 0xff, 0xff);

/// The colours of Okabe and Ito (Color Universal Design, 2008), without black, most distinguishable first.
const CATEGORIES: [Colour; 7] = [
    Colour(0x00, 0x72, 0xb2),
    Colour(0xe6, 0x9f, 0x00),
    Colour(0x00, 0x9e, 0x73),
    Colour(0xcc, 0x79, 0xa7),
    Colour(0x56, 0xb4, 0xe9),
    Colour(0xd5, 0x5e, 0x00),
    Colour(0xf0, 0xe4, 0x42),
];

/// Returns the colour of a category by its index. The colours repeat after seven.
pub fn category(position: usize) -> Colour {
    CATEGORIES[position % CATEGORIES.len()]
}

/// Nine evenly spaced samples of the cividis colour map (Nuñez, Anderton and Renslow, 2018).
const CIVIDIS: [Colour; 9] = [
    Colour(0x00, 0x22, 0x4e),
    Colour(0x1a, 0x38, 0x6f),
    Colour(0x43, 0x4e, 0x6c),
    Colour(0x61, 0x65, 0x6f),
    Colour(0x7d, 0x7c, 0x78),
    Colour(0x9b, 0x94, 0x76),
    Colour(0xbc, 0xae, 0x6c),
    Colour(0xde, 0xc9, 0x58),
    Colour(0xfe, 0xe8, 0x38),
];

/// Returns a colour of a perceptually uniform colour map: 0 is dark, 1 is light.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 8")]
pub fn ramp(share: f64) -> Colour {
    let place = if share.is_finite() { share.clamp(0.0, 1.0) * 8.0 } else { 0.0 };
    let below = (place.floor() as usize).min(7);
    CIVIDIS[below].mixed(CIVIDIS[below + 1], place - place.floor().min(7.0))
}

impl Colour {
    /// Mixes the colour with another: 0 returns this colour, 1 the other.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
    #[must_use]
    pub fn mixed(self, other: Self, share: f64) -> Self {
        let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// Mixes the colour with the background: 0 returns this colour, 1 the background.
    #[must_use]
    pub fn pale(self, share: f64) -> Self {
        self.mixed(PAPER, share)
    }

    /// Returns the text colour with the higher contrast on this colour: [`INK`] or [`PAPER`].
    #[must_use]
    pub fn ink(self) -> Self {
        if self.contrast(INK) >= self.contrast(PAPER) { INK } else { PAPER }
    }

    /// Returns the contrast ratio of two colours as defined by WCAG 2, from 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn luminance(self) -> f64 {
        let linear = |byte: u8| {
            let level = f64::from(byte) / 255.0;
            if level <= 0.04045 { level / 12.92 } else { libm::pow((level + 0.055) / 1.055, 2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_written_in_css_notation() {
        assert_eq!(Colour(0, 171, 7).to_string(), "#00ab07");
    }

    #[test]
    fn the_ramp_is_monotonic_in_luminance() {
        let steps = (0..=100).map(|step| ramp(f64::from(step) / 100.0).luminance());
        assert!(steps.collect::<Vec<_>>().windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((ramp(-1.0), ramp(2.0), ramp(f64::NAN)), (CIVIDIS[0], CIVIDIS[8], CIVIDIS[0]));
    }

    #[test]
    fn text_is_legible_on_every_colour() {
        for colour in (0..CATEGORIES.len()).map(category).chain((0..=8).map(|it| ramp(f64::from(it) / 8.0))) {
            // The minimum of WCAG 2 for large text.
            assert!(colour.contrast(colour.ink()) > 3.0, "{colour}");
        }
        assert_eq!((Colour(0, 0, 0).ink(), Colour(255, 255, 0).ink()), (PAPER, INK));
    }
}
