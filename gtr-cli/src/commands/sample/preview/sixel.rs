//! Draws images in sixels, columns of six pixels of one colour: <https://vt100.net/docs/vt3xx-gp/chapter14.html>.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Cells;
use super::scale::{Rgb, scaled};
use gtr_run::picture::Bitmap;

/// Pixels of a cell: 10x20 on a VT340; most terminals have at least as many.
const CELL: (usize, usize) = (6, 12);

/// Maximum width that xterm shows, in pixels.
const WIDEST: usize = 1000;

/// Levels per channel: six give 216 colours, and terminals have 256.
const LEVELS: u32 = 6;

/// Levels of grey. Sixel colours are given in percent.
const GREYS: u32 = 101;

/// Ordered dithering matrix: offsets before rounding to a level, in sixteenths of a level.
const DITHER: [[u32; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];

/// Returns the escape sequences of an image. The cursor ends on the line below it.
pub(super) fn draw(picture: &Bitmap, size: Cells) -> String {
    let width = (CELL.0 * size.columns as usize).min(WIDEST);
    let height = CELL.1 * size.lines as usize;
    let pixels = scaled(picture, width, height);
    let colour = if picture.is_grey() { grey } else { cube };
    let numbers: Vec<u32> =
        pixels.iter().enumerate().map(|(at, &pixel)| colour(pixel, DITHER[at / width % 4][at % width % 4])).collect();
    // Writing to a String cannot fail.
    let mut text = format!("\x1bPq\"1;1;{width};{height}");
    for number in numbers.iter().collect::<BTreeSet<_>>() {
        let [red, green, blue] = if picture.is_grey() { [*number; 3] } else { percent(*number) };
        let _ = write!(text, "#{number};2;{red};{green};{blue}");
    }
    for band in numbers.chunks(6 * width) {
        for number in band.iter().collect::<BTreeSet<_>>() {
            let _ = write!(text, "#{number}{}$", runs(band, width, *number));
        }
        text.push('-');
    }
    text + "\x1b\\"
}

/// Returns the colour index of a grey.
fn grey([level, ..]: Rgb, _: u32) -> u32 {
    u32::from(level) * (GREYS - 1) / 255
}

/// Returns the index of a colour in the cube, dithered.
fn cube(pixel: Rgb, dither: u32) -> u32 {
    pixel
        .iter()
        .fold(0, |number, &level| number * LEVELS + (u32::from(level) * (LEVELS - 1) * 16 + dither * 255) / (16 * 255))
}

/// Returns a colour of the cube in percent.
fn percent(number: u32) -> [u32; 3] {
    [LEVELS * LEVELS, LEVELS, 1].map(|step| number / step % LEVELS * 100 / (LEVELS - 1))
}

/// Encodes the pixels of one colour in a band of six rows. Repeated sixels are run-length encoded.
fn runs(band: &[u32], width: usize, number: u32) -> String {
    let sixel = |column: usize| -> u8 {
        let rows = band.chunks_exact(width).enumerate();
        rows.filter(|(_, row)| row[column] == number).map(|(at, _)| 1 << at).sum()
    };
    let sixels: Vec<u8> = (0..width).map(sixel).collect();
    let mut text = String::new();
    for run in sixels.chunk_by(|one, other| one == other) {
        let character = char::from(b'?' + run[0]);
        if run.len() > 3 {
            let _ = write!(text, "!{}{character}", run.len());
        } else {
            text.extend(run.iter().map(|_| character));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_two_bands() {
        let drawn = draw(&Bitmap::new(1, 1, 1, vec![255]).unwrap(), Cells { columns: 1, lines: 1 });
        assert_eq!(drawn, "\x1bPq\"1;1;6;12#100;2;100;100;100#100!6~$-#100!6~$-\x1b\\");
    }

    #[test]
    fn colours_keep_their_means() {
        assert_eq!(
            [[0; 3], [255; 3], [255, 0, 0]].map(|pixel| percent(cube(pixel, 15))),
            [[0; 3], [100; 3], [100, 0, 0]]
        );
        let level = |dither: &u32| percent(cube([77, 0, 0], *dither))[0];
        let mean = DITHER.iter().flatten().map(level).sum::<u32>() / 16;
        assert!(mean.abs_diff(30) <= 2, "{mean}");
    }

    #[test]
    fn runs_are_counted() {
        assert_eq!(runs(&[1, 0, 0, 0, 0, 1], 6, 0), "?!4@?");
        assert_eq!(runs(&[1, 0, 1, 1], 2, 1), "BA");
    }
}
