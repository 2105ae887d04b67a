//! Reads images and masks from PNG files. Files are untrusted input.

mod mask;

use std::fs::File;
use std::io::{BufRead, Cursor, Read, Seek};
use std::path::Path;

pub use self::mask::{Mask, MaskSource};
use crate::{BackendError, Picture, placeholder};

/// Largest accepted number of pixels, checked before decompression.
const MOST_PIXELS: u64 = 1 << 26;

/// Largest accepted file, in bytes.
const MOST_BYTES: u64 = 1 << 29;

/// Pixels of a PNG file: grey or RGB, with or without alpha.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raster {
    /// Name for messages.
    name: String,
    width: usize,
    height: usize,
    /// Number of bytes per pixel: `colours` bytes of colour, then at most one byte of alpha.
    stride: usize,
    colours: usize,
    bytes: Vec<u8>,
}

impl Raster {
    /// Reads a file or a pipe, up to the end of the image.
    ///
    /// # Errors
    /// [`BackendError::Read`] if the file cannot be read, [`BackendError::Image`] if it is too large or not a PNG file.
    pub fn read(path: &Path) -> Result<Self, BackendError> {
        let wrong = |source| BackendError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(wrong)?;
        let name = path.display().to_string();
        if bytes.len() as u64 > MOST_BYTES {
            let reason = format!("it is larger than {} MiB", MOST_BYTES >> 20);
            return Err(BackendError::Image { file: name, reason });
        }
        Self::from_png(&name, &bytes)
    }

    /// Decodes a PNG file of any colour type and depth. `name` is used in messages.
    ///
    /// # Errors
    /// [`BackendError::Image`] if the bytes are not a complete PNG file, or if it has more than 2^26 pixels.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::raster::Raster;
    /// let error = Raster::from_png("cat.png", b"\xff\xd8\xff\xe0").unwrap_err();
    /// assert_eq!(error.to_string(), "cat.png: it is a JPEG image; if an image is expected, convert it to PNG");
    /// ```
    pub fn from_png(name: &str, bytes: &[u8]) -> Result<Self, BackendError> {
        let wrong = |reason: String| BackendError::Image { file: name.to_owned(), reason };
        if let Some(what) = placeholder(bytes) {
            return Err(wrong(what));
        }
        if let Some(kind) = other_kind(bytes) {
            return Err(wrong(format!("it cannot be read as PNG: it is {kind}")));
        }
        Self::decode(name, Cursor::new(bytes)).map_err(|error| match error {
            Undecoded::TooLarge(width, height) => {
                wrong(format!("it has {width}x{height} pixels, expected at most {MOST_PIXELS}"))
            }
            Undecoded::Png(error) => wrong(format!("it cannot be read as PNG: {error}")),
        })
    }

    fn decode(name: &str, file: impl BufRead + Seek) -> Result<Self, Undecoded> {
        let mut decoder = png::Decoder::new(file);
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        decoder.set_ignore_text_chunk(true);
        let mut reader = decoder.read_info()?;
        let (width, height) = reader.info().size();
        let size = reader.output_buffer_size().filter(|_| u64::from(width) * u64::from(height) <= MOST_PIXELS);
        let mut bytes = vec![0; size.ok_or(Undecoded::TooLarge(width, height))?];
        let frame = reader.next_frame(&mut bytes)?;
        bytes.truncate(frame.buffer_size());
        let stride = frame.color_type.samples();
        // Two samples are grey and alpha, four are RGB and alpha.
        let colours = if stride < 3 { 1 } else { 3 };
        let [width, height] = [frame.width, frame.height].map(|side| side as usize);
        Ok(Self { name: name.to_owned(), width, height, stride, colours, bytes })
    }

    /// Name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of samples of a pixel: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGB and alpha).
    pub fn channels(&self) -> usize {
        self.stride
    }

    /// Samples of 8 bits, row-major, with interleaved channels.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn wrong(&self, reason: String) -> BackendError {
        BackendError::Image { file: self.name.clone(), reason }
    }

    /// Returns the colour bytes of a pixel.
    fn pixel(&self, row: usize, column: usize) -> &[u8] {
        let start = (row * self.width + column) * self.stride;
        &self.bytes[start..start + self.colours]
    }

    /// Scales the image down to a model's size: each square of pixels becomes its mean. Alpha is ignored.
    ///
    /// # Shapes
    /// `[height, width, channels]`, as for [`Picture::new`].
    ///
    /// # Errors
    /// [`BackendError::Image`] unless the image has that size or a whole multiple of it; [`BackendError::Request`] if
    /// the number of channels is not 1 or 3.
    pub fn picture(&self, [height, width, channels]: [usize; 3]) -> Result<Picture, BackendError> {
        let times = self.height.checked_div(height).unwrap_or(0);
        if times == 0 || (self.height, self.width) != (times * height, times * width) {
            return Err(self.wrong(format!(
                "it has {}x{} pixels, expected {width}x{height} (the size of the model) or a whole multiple of it",
                self.width, self.height
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
        Picture::new(width, height, channels, pixels)
    }

    /// Converts an image that must have exactly this size.
    ///
    /// # Shapes
    /// `[height, width, channels]`.
    ///
    /// # Errors
    /// Those of [`Raster::picture`]. A multiple of the size is also an error.
    pub fn exactly(&self, shape: [usize; 3]) -> Result<Picture, BackendError> {
        let [height, width, _] = shape;
        if (self.height, self.width) != (height, width) {
            return Err(self.wrong(format!("it has {}x{} pixels, expected {width}x{height}", self.width, self.height)));
        }
        self.picture(shape)
    }

    /// Checks that the image has the same size as another.
    ///
    /// # Errors
    /// [`BackendError::Image`] if the sizes differ.
    pub fn like(self, other: &Self) -> Result<Self, BackendError> {
        if (self.width, self.height) == (other.width, other.height) {
            return Ok(self);
        }
        Err(self.wrong(format!(
            "it has {}x{} pixels, {} has {}x{}: expected the same size",
            self.width, self.height, other.name, other.width, other.height
        )))
    }
}

/// Reason why a file is not decoded.
#[derive(Debug)]
enum Undecoded {
    /// Too many pixels: width and height.
    TooLarge(u32, u32),
    Png(png::DecodingError),
}

impl From<png::DecodingError> for Undecoded {
    fn from(error: png::DecodingError) -> Self {
        Self::Png(error)
    }
}

/// Identifies other image formats by their first bytes. [`placeholder()`] handles the remaining kinds of files.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'G', b'I', b'F', b'8', ..] => Some("a GIF image"),
        [b'B', b'M', ..] => Some("a BMP image"),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some("a TIFF image"),
        _ if !bytes.starts_with(b"\x89PNG") => Some("not a PNG file"),
        _ => None,
    }
}

/// Converts a pixel to grey (one channel) or RGB (three channels), 0 to 255.
fn converted(pixel: &[u8], channels: usize) -> [u32; 3] {
    match (pixel, channels) {
        (&[red, green, blue], 1) => [brightness([red, green, blue]).into(), 0, 0],
        (&[red, green, blue], _) => [red, green, blue].map(u32::from),
        (&[grey], 1) => [grey.into(), 0, 0],
        (other, _) => [other.first().copied().unwrap_or(0).into(); 3],
    }
}

/// Brightness of an RGB colour: luma of ITU-R BT.601, rounded to the nearest integer.
pub fn brightness(colour: [u8; 3]) -> u8 {
    let [red, green, blue] = colour.map(u32::from);
    // At most 255, since the weights sum to 1000.
    u8::try_from((299 * red + 587 * green + 114 * blue + 500) / 1000).unwrap_or(u8::MAX)
}

/// Mean of the bytes of a square, scaled to 0 to 1.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "at most 2^34, and f32 is the result")]
fn share(sum: u64, times: usize) -> f32 {
    (sum as f64 / (255 * times * times) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn raster(width: usize, height: usize, stride: usize, bytes: &[u8]) -> Raster {
        let colours = if stride < 3 { 1 } else { 3 };
        Raster { name: "x.png".to_owned(), width, height, stride, colours, bytes: bytes.to_vec() }
    }

    #[test]
    fn enlarged_images_are_restored_exactly() {
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
    fn colours_convert_to_grey_and_back() {
        let red = raster(1, 1, 3, &[255, 0, 0]);
        assert_eq!(red.picture([1, 1, 1]).unwrap().to_u8(), [76]);
        assert_eq!(red.picture([1, 1, 3]).unwrap().to_u8(), [255, 0, 0]);
        assert_eq!(raster(1, 1, 1, &[7]).picture([1, 1, 3]).unwrap().to_u8(), [7, 7, 7]);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let small = raster(4, 4, 1, &[0; 16]);
        for shape in [[8, 8, 1], [4, 2, 1], [3, 3, 1]] {
            assert!(small.picture(shape).is_err(), "{shape:?}");
        }
        assert!(raster(2, 2, 1, &[0; 4]).like(&small).is_err());
    }
}
