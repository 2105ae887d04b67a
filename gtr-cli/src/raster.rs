//! Pictures from PNG files, of which nothing is trusted.

use std::path::Path;

use gtr_backends::Picture;
use gtr_core::{Grid, TokenSet};

use crate::error::CliError;
use crate::input;
use crate::reading;

/// A picture of more pixels than this is refused before it is unpacked.
const MOST_PIXELS: u64 = 1 << 26;

/// From here on a pixel of a mask is white.
const WHITE: u32 = 128;

/// Pixels of a file: grey, or red, green and blue. What is transparent counts by its colour.
#[derive(Debug)]
pub(crate) struct Raster {
    /// What it is called in messages.
    name: String,
    width: usize,
    height: usize,
    /// Bytes of a pixel, of which the colours are `colours`.
    stride: usize,
    colours: usize,
    bytes: Vec<u8>,
}

impl Raster {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let shown = path.display();
        let file = input::seekable(path)?;
        let wrong = |error: png::DecodingError| reading::not_a("PNG", path, &error);
        let mut decoder = png::Decoder::new(file);
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        decoder.set_ignore_text_chunk(true);
        let mut reader = decoder.read_info().map_err(wrong)?;
        let (width, height) = reader.info().size();
        let size = reader.output_buffer_size().filter(|_| u64::from(width) * u64::from(height) <= MOST_PIXELS);
        let Some(size) = size else {
            let what = format!("{shown}: {width}x{height} pixels are too many: at most {MOST_PIXELS} are read");
            return Err(CliError::Failure(what));
        };
        let mut bytes = vec![0; size];
        let frame = reader.next_frame(&mut bytes).map_err(wrong)?;
        bytes.truncate(frame.buffer_size());
        let stride = frame.color_type.samples();
        // Two samples are grey and transparency, four are colours and transparency.
        let colours = if stride < 3 { 1 } else { 3 };
        let [width, height] = [frame.width, frame.height].map(|side| side as usize);
        Ok(Self { name: shown.to_string(), width, height, stride, colours, bytes })
    }

    /// The colours of a pixel.
    fn pixel(&self, row: usize, column: usize) -> &[u8] {
        let start = (row * self.width + column) * self.stride;
        &self.bytes[start..start + self.colours]
    }

    /// The picture at a model's size, `[height, width, channels]`: squares of pixels become their mean.
    pub(crate) fn picture(&self, [height, width, channels]: [usize; 3]) -> Result<Picture, CliError> {
        let times = self.height / height;
        if times == 0 || (self.height, self.width) != (times * height, times * width) {
            return Err(CliError::Failure(format!(
                "{} has {}x{} pixels, the model makes {width}x{height}: give it that size or a whole multiple of it",
                self.name, self.width, self.height
            )));
        }
        let mut pixels = Vec::with_capacity(height * width * channels);
        for row in 0..height {
            for column in 0..width {
                let square = (row * times..(row + 1) * times)
                    .flat_map(|row| (column * times..(column + 1) * times).map(move |column| self.pixel(row, column)));
                let mut sums = [0; 3];
                for pixel in square {
                    sums.iter_mut().zip(converted(pixel, channels)).for_each(|(sum, value)| *sum += u64::from(value));
                }
                pixels.extend(sums[..channels].iter().map(|&sum| share(sum, times)));
            }
        }
        Ok(Picture::new(width, height, channels, pixels)?)
    }

    /// The picture, which must have this size as it is, `[height, width, channels]`.
    pub(crate) fn exactly(&self, shape: [usize; 3]) -> Result<Picture, CliError> {
        let [height, width, _] = shape;
        if (self.height, self.width) != (height, width) {
            let (name, ours) = (&self.name, format_args!("{}x{}", self.width, self.height));
            return Err(CliError::Failure(format!("{name} has {ours} pixels, not {width}x{height}")));
        }
        self.picture(shape)
    }

    /// The tokens of a grid in whose cells a pixel is white.
    pub(crate) fn white(&self, grid: Grid) -> Result<TokenSet, CliError> {
        let (rows, columns) = (grid.height() as usize, grid.width() as usize);
        if !self.height.is_multiple_of(rows) || !self.width.is_multiple_of(columns) {
            return Err(CliError::Failure(format!(
                "{} has {}x{} pixels, which are no whole number for each token of a grid of {grid}",
                self.name, self.width, self.height
            )));
        }
        let (high, wide) = (self.height / rows, self.width / columns);
        let is_white = |row, column| converted(self.pixel(row, column), 1)[0] >= WHITE;
        let is_any_white = |token: &gtr_core::TokenIndex| {
            let at = grid.position(*token);
            let (top, left) = (at.row as usize * high, at.column as usize * wide);
            (top..top + high).any(|row| (left..left + wide).any(|column| is_white(row, column)))
        };
        Ok(TokenSet::of(grid, grid.iter().filter(is_any_white)))
    }

    /// Refuses a picture that is not of the size of another.
    pub(crate) fn like(self, other: &Self) -> Result<Self, CliError> {
        if (self.width, self.height) == (other.width, other.height) {
            return Ok(self);
        }
        Err(CliError::Failure(format!(
            "{} has {}x{} pixels, {} has {}x{}: give both the same size",
            self.name, self.width, self.height, other.name, other.width, other.height
        )))
    }
}

/// A pixel in grey (one channel) or in colours (three), 0 to 255.
fn converted(pixel: &[u8], channels: usize) -> [u32; 3] {
    match (pixel, channels) {
        // Luma as television had it, rounded.
        (&[red, green, blue], 1) => {
            [(299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue) + 500) / 1000, 0, 0]
        }
        (&[red, green, blue], _) => [red, green, blue].map(u32::from),
        (&[grey], 1) => [grey.into(), 0, 0],
        (other, _) => [other.first().copied().unwrap_or(0).into(); 3],
    }
}

/// The mean of the bytes of a square, 0 to 1.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "at most 2^34, and f32 is the result")]
fn share(sum: u64, times: usize) -> f32 {
    (sum as f64 / (255 * times * times) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raster(width: usize, height: usize, colours: usize, bytes: &[u8]) -> Raster {
        Raster { name: "x.png".to_owned(), width, height, stride: colours, colours, bytes: bytes.to_vec() }
    }

    #[test]
    fn enlarged_pictures_come_back_to_the_byte() {
        let bytes: Vec<u8> = (0..=255).collect();
        let small = Picture::new(16, 16, 1, bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()).unwrap();
        for times in [1, 3, 8] {
            let large =
                (0..16 * times).flat_map(|row| (0..16 * times).map(move |column| (row / times, column / times)));
            let large: Vec<u8> = large.map(|(row, column)| bytes[row * 16 + column]).collect();
            assert_eq!(raster(16 * times, 16 * times, 1, &large).picture([16, 16, 1]).unwrap(), small);
        }
    }

    #[test]
    fn colours_become_grey_and_back() {
        let red = raster(1, 1, 3, &[255, 0, 0]);
        assert_eq!(red.picture([1, 1, 1]).unwrap().to_u8(), [76]);
        assert_eq!(red.picture([1, 1, 3]).unwrap().to_u8(), [255, 0, 0]);
        assert_eq!(raster(1, 1, 1, &[7]).picture([1, 1, 3]).unwrap().to_u8(), [7, 7, 7]);
    }

    #[test]
    fn a_token_that_is_partly_white_is_white() {
        let mut bytes = [0; 16];
        bytes[5] = 128;
        bytes[10] = 127;
        let white = raster(4, 4, 1, &bytes).white(Grid::new(2, 2).unwrap()).unwrap();
        assert_eq!(white.iter().map(gtr_core::TokenIndex::get).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let small = raster(4, 4, 1, &[0; 16]);
        for shape in [[8, 8, 1], [4, 2, 1], [3, 3, 1]] {
            assert!(small.picture(shape).is_err(), "{shape:?}");
        }
        assert!(small.white(Grid::new(3, 2).unwrap()).is_err());
        assert!(raster(2, 2, 1, &[0; 4]).like(&small).is_err());
    }
}
