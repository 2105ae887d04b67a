//! Draws images with half blocks: a cell shows two pixels, one above the other.

use std::fmt::Write as _;

use super::Cells;
use super::scale::{Rgb, scaled};
use super::terminal::Colours;
use gtr_run::picture::Bitmap;

/// Returns the escape sequences of an image. The cursor ends on the line below it.
pub(super) fn draw(picture: &Bitmap, size: Cells, colours: Colours) -> String {
    let (width, lines) = (size.columns as usize, size.lines as usize);
    let pixels = scaled(picture, width, 2 * lines);
    let mut text = String::new();
    for rows in pixels.chunks_exact(2 * width) {
        let (upper, lower) = rows.split_at(width);
        for (&above, &below) in upper.iter().zip(lower) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\x1b[48;{}m\x1b[38;{}m\u{2584}", colours.code(above), colours.code(below));
        }
        text.push_str("\x1b[0m\r\n");
    }
    text
}

impl Colours {
    /// Returns the parameters of the escape sequence that selects a colour.
    fn code(self, [red, green, blue]: Rgb) -> String {
        match self {
            Self::True => format!("2;{red};{green};{blue}"),
            Self::Indexed => format!("5;{}", indexed([red, green, blue])),
        }
    }
}

/// Levels of the 6x6x6 colour cube, which begins at index 16.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Returns the nearest of the 256 colours of xterm, without the first 16, which users can redefine.
fn indexed(colour: Rgb) -> u8 {
    let nearest = |level: u8| (0..6).min_by_key(|&at| CUBE[usize::from(at)].abs_diff(level)).unwrap_or(0);
    let cube = colour.map(nearest);
    // Indices 232 to 255 are greys: 8, 18, .. 238.
    let mean = colour.iter().map(|&level| u16::from(level)).sum::<u16>() / 3;
    let grey = u8::try_from((mean.saturating_sub(3) / 10).min(23)).unwrap_or(23);
    let distance = |other: Rgb| -> u32 {
        colour.iter().zip(other).map(|(&one, other)| u32::from(one.abs_diff(other)).pow(2)).sum()
    };
    let by_grey = distance([8 + 10 * grey; 3]);
    let by_cube = distance(cube.map(|at| CUBE[usize::from(at)]));
    if by_grey < by_cube { 232 + grey } else { 16 + 36 * cube[0] + 6 * cube[1] + cube[2] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_shows_two_pixels() {
        let picture = Bitmap::new(1, 2, 3, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let drawn = draw(&picture, Cells { columns: 1, lines: 1 }, Colours::True);
        assert_eq!(drawn, "\x1b[48;2;1;2;3m\x1b[38;2;4;5;6m\u{2584}\x1b[0m\r\n");
    }

    #[test]
    fn colours_are_the_nearest() {
        assert_eq!([[0; 3], [255; 3], [255, 0, 0], [0, 95, 135]].map(indexed), [16, 231, 196, 24]);
        assert_eq!([[8; 3], [128; 3], [238; 3]].map(indexed), [232, 244, 255]);
    }
}
