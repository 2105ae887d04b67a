//! Pictures and masks from PNG files, which are untrusted.

mod mask;

use std::fs::File;
use std::io::{BufRead, Cursor, Read, Seek};
use std::path::Path;

pub use self::mask::{Mask, MaskSource};
use crate::{BackendError, Picture, stand_in};

/// A picture of more pixels than this is refused before it is unpacked.
const MOST_PIXELS: u64 = 1 << 26;

/// A file of more bytes than this is refused.
const MOST_BYTES: u64 = 1 << 29;

/// The pixels of a PNG file: grey, or red, green and blue, with or without transparency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raster {
    /// What it is called in messages.
    name: String,
    width: usize,
    height: usize,
    /// Bytes of a pixel, of which the first `colours` are colours and one that is left is opacity.
    stride: usize,
    colours: usize,
    bytes: Vec<u8>,
}

impl Raster {
    /// Reads a file; also a pipe, as far as the picture goes.
    ///
    /// # Errors
    /// [`BackendError::Read`] if the file cannot be read, [`BackendError::Image`] if it is too large or no PNG file.
    pub fn read(path: &Path) -> Result<Self, BackendError> {
        let wrong = |source| BackendError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(wrong)?;
        let name = path.display().to_string();
        if bytes.len() as u64 > MOST_BYTES {
            let reason = format!("it has more than {} MB, which no picture needs", MOST_BYTES >> 20);
            return Err(BackendError::Image { file: name, reason });
        }
        Self::from_png(&name, &bytes)
    }

    /// Decodes the bytes of a PNG file of any colour type and depth; `name` is what messages call it.
    ///
    /// # Errors
    /// [`BackendError::Image`] if these are not a whole PNG file, or if it has more than 2^26 pixels.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::raster::Raster;
    /// let error = Raster::from_png("cat.png", b"\xff\xd8\xff\xe0").unwrap_err();
    /// assert_eq!(error.to_string(), "cat.png: it is a JPEG picture; convert it to PNG where a picture is wanted");
    /// ```
    pub fn from_png(name: &str, bytes: &[u8]) -> Result<Self, BackendError> {
        let wrong = |reason: String| BackendError::Image { file: name.to_owned(), reason };
        if let Some(what) = stand_in(bytes) {
            return Err(wrong(what));
        }
        if let Some(kind) = other_kind(bytes) {
            return Err(wrong(format!("it cannot be read as PNG: it is {kind}")));
        }
        Self::decode(name, Cursor::new(bytes)).map_err(|error| match error {
            Undecoded::TooLarge(width, height) => {
                wrong(format!("it has {width}x{height} pixels: at most {MOST_PIXELS} are read"))
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
        // Two samples are grey and opacity, four are colours and opacity.
        let colours = if stride < 3 { 1 } else { 3 };
        let [width, height] = [frame.width, frame.height].map(|side| side as usize);
        Ok(Self { name: name.to_owned(), width, height, stride, colours, bytes })
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Samples of a pixel: 1 (grey), 2 (grey, opacity), 3 (red, green, blue) or 4 (with opacity).
    pub fn channels(&self) -> usize {
        self.stride
    }

    /// The samples, 8 bits each: row by row, those of a pixel side by side.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn wrong(&self, reason: String) -> BackendError {
        BackendError::Image { file: self.name.clone(), reason }
    }

    /// The colours of a pixel.
    fn pixel(&self, row: usize, column: usize) -> &[u8] {
        let start = (row * self.width + column) * self.stride;
        &self.bytes[start..start + self.colours]
    }

    /// The picture at a model's size: squares of pixels become their mean. Opacity does not count.
    ///
    /// # Shapes
    /// `[height, width, channels]`, as for [`Picture::new`].
    ///
    /// # Errors
    /// [`BackendError::Image`] unless the file has that size or a whole multiple of it, [`BackendError::Request`] for another
    /// number of channels than 1 or 3.
    pub fn picture(&self, [height, width, channels]: [usize; 3]) -> Result<Picture, BackendError> {
        let times = self.height.checked_div(height).unwrap_or(0);
        if times == 0 || (self.height, self.width) != (times * height, times * width) {
            return Err(self.wrong(format!(
                "it has {}x{} pixels, the model makes {width}x{height}: give it that size or a whole multiple of it",
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

    /// The picture, which must have this size as it is.
    ///
    /// # Shapes
    /// `[height, width, channels]`.
    ///
    /// # Errors
    /// Those of [`Raster::picture`]; a multiple of the size is refused, too.
    pub fn exactly(&self, shape: [usize; 3]) -> Result<Picture, BackendError> {
        let [height, width, _] = shape;
        if (self.height, self.width) != (height, width) {
            return Err(self.wrong(format!("it has {}x{} pixels, not {width}x{height}", self.width, self.height)));
        }
        self.picture(shape)
    }

    /// Refuses a picture that is not of the size of another.
    ///
    /// # Errors
    /// [`BackendError::Image`] if the sizes differ.
    pub fn like(self, other: &Self) -> Result<Self, BackendError> {
        if (self.width, self.height) == (other.width, other.height) {
            return Ok(self);
        }
        Err(self.wrong(format!(
            "it has {}x{} pixels, {} has {}x{}: give both the same size",
            self.width, self.height, other.name, other.width, other.height
        )))
    }
}

/// Why a file is not decoded.
#[derive(Debug)]
enum Undecoded {
    /// Too many pixels: columns and rows.
    TooLarge(u32, u32),
    Png(png::DecodingError),
}

impl From<png::DecodingError> for Undecoded {
    fn from(error: png::DecodingError) -> Self {
        Self::Png(error)
    }
}

/// What a file is that is no PNG file, by how it begins, as far as [`stand_in()`] does not know it.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'G', b'I', b'F', b'8', ..] => Some("a GIF picture"),
        [b'B', b'M', ..] => Some("a BMP picture"),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some("a TIFF picture"),
        _ if !bytes.starts_with(b"\x89PNG") => Some("no PNG file"),
        _ => None,
    }
}

/// A pixel in grey (one channel) or in colours (three), 0 to 255.
fn converted(pixel: &[u8], channels: usize) -> [u32; 3] {
    match (pixel, channels) {
        (&[red, green, blue], 1) => [brightness([red, green, blue]).into(), 0, 0],
        (&[red, green, blue], _) => [red, green, blue].map(u32::from),
        (&[grey], 1) => [grey.into(), 0, 0],
        (other, _) => [other.first().copied().unwrap_or(0).into(); 3],
    }
}

/// The brightness of a colour, red, green and blue: luma of ITU-R BT.601, rounded.
pub fn brightness(colour: [u8; 3]) -> u8 {
    let [red, green, blue] = colour.map(u32::from);
    // At most 255, as the weights add up to 1000.
    u8::try_from((299 * red + 587 * green + 114 * blue + 500) / 1000).unwrap_or(u8::MAX)
}

/// The mean of the bytes of a square, 0 to 1.
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
    fn sizes_that_do_not_fit_are_refused() {
        let small = raster(4, 4, 1, &[0; 16]);
        for shape in [[8, 8, 1], [4, 2, 1], [3, 3, 1]] {
            assert!(small.picture(shape).is_err(), "{shape:?}");
        }
        assert!(raster(2, 2, 1, &[0; 4]).like(&small).is_err());
    }
}
