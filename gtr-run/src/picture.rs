//! 8-bit images: enlargement, sheets of images, PNG encoding.

use gtr_backends::Picture;

use crate::Error;

/// Gap between the images of a sheet, in pixels.
const GAP: usize = 2;

/// Grey value of the gap.
const GREY: u8 = 64;

/// Largest size of a sheet, in bytes.
const MOST: usize = 1 << 28;

/// An 8-bit image: rows of pixels with 1 (grey) or 3 (red, green, blue) bytes each.
///
/// # Examples
/// ```
/// use gtr_backends::Picture;
/// use gtr_run::picture::Bitmap;
///
/// let picture = Picture::new(2, 1, 1, vec![0.0, 1.0])?;
/// let bitmap = Bitmap::of(&picture, 2);
/// assert_eq!((bitmap.width(), bitmap.height()), (4, 2));
/// assert_eq!(bitmap.bytes(), [0, 0, 255, 255, 0, 0, 255, 255]);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    width: usize,
    height: usize,
    channels: usize,
    bytes: Vec<u8>,
}

impl Bitmap {
    /// Converts a picture to bytes and repeats each pixel `scale` times in both directions.
    pub fn of(picture: &Picture, scale: usize) -> Self {
        let (channels, bytes) = (picture.channels(), picture.to_u8());
        let mut large = Vec::with_capacity(bytes.len() * scale * scale);
        for row in bytes.chunks_exact(picture.width() * channels) {
            let wide: Vec<u8> = row.chunks_exact(channels).flat_map(|pixel| pixel.repeat(scale)).collect();
            for _ in 0..scale {
                large.extend_from_slice(&wide);
            }
        }
        Self { width: picture.width() * scale, height: picture.height() * scale, channels, bytes: large }
    }

    /// Creates an image from `[height, width, channels]` bytes. Returns `None` if `channels` is not 1 or 3, or if the number of bytes
    /// does not match.
    pub fn new(width: usize, height: usize, channels: usize, bytes: Vec<u8>) -> Option<Self> {
        let size = width.checked_mul(height)?.checked_mul(channels)?;
        (matches!(channels, 1 | 3) && size == bytes.len()).then_some(Self { width, height, channels, bytes })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns true for an image with one channel.
    pub fn is_grey(&self) -> bool {
        self.channels == 1
    }

    /// Pixel bytes, `[height, width, channels]`.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Encodes the image as PNG with text chunks.
    ///
    /// # Errors
    /// [`Error::Failure`] for an image without pixels, or with more pixels than the format allows.
    pub fn png(&self, texts: &[Text]) -> Result<Vec<u8>, Error> {
        let encode = || {
            let side = |side: usize| u32::try_from(side).map_err(|_| png::EncodingError::LimitsExceeded);
            let mut file = Vec::new();
            let mut encoder = png::Encoder::new(&mut file, side(self.width)?, side(self.height)?);
            encoder.set_color(if self.channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
            encoder.set_depth(png::BitDepth::Eight);
            for Text { keyword, says, compressed } in texts {
                if *compressed {
                    encoder.add_ztxt_chunk((*keyword).to_owned(), says.clone())?;
                } else {
                    encoder.add_text_chunk((*keyword).to_owned(), says.clone())?;
                }
            }
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&self.bytes)?;
            writer.finish()?;
            Ok(file)
        };
        encode().map_err(|error: png::EncodingError| Error::failure("cannot encode the image", &error))
    }
}

/// A text chunk of a PNG file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    keyword: &'static str,
    says: String,
    compressed: bool,
}

impl Text {
    /// Returns an uncompressed text.
    pub fn plain(keyword: &'static str, text: &str) -> Self {
        Self { keyword, says: ascii(text), compressed: false }
    }

    /// Returns a text to be compressed, for long texts.
    pub fn compressed(keyword: &'static str, text: &str) -> Self {
        Self { keyword, says: ascii(text), compressed: true }
    }
}

/// Escapes non-ASCII characters as JSON does, because PNG text is Latin-1. They occur only in strings of JSON texts.
pub(crate) fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            ascii.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
}

/// A sheet of images, all of the size of the first.
#[derive(Debug, Default)]
pub struct Sheet(Option<Bitmap>);

impl Sheet {
    /// Copies an image to a cell of a sheet with `columns` columns and `rows` rows.
    ///
    /// # Errors
    /// [`Error::Request`] for a sheet of more than 256 MiB.
    pub fn place(
        &mut self,
        picture: &Bitmap,
        (column, row): (usize, usize),
        (columns, rows): (usize, usize),
    ) -> Result<(), Error> {
        let Bitmap { width, height, channels, .. } = *picture;
        let sheet = match self.0.take() {
            Some(sheet) => sheet,
            None => blank(picture, columns, rows)?,
        };
        let sheet = self.0.insert(sheet);
        let (left, top) = (column * (width + GAP), row * (height + GAP));
        for (line, pixels) in picture.bytes.chunks_exact(width * channels).enumerate() {
            let start = ((top + line) * sheet.width + left) * channels;
            sheet.bytes[start..start + pixels.len()].copy_from_slice(pixels);
        }
        Ok(())
    }

    /// Returns the sheet, or `None` if no image was placed.
    pub fn finish(self) -> Option<Bitmap> {
        self.0
    }
}

/// Creates an empty sheet for images of the size of `first`.
fn blank(first: &Bitmap, columns: usize, rows: usize) -> Result<Bitmap, Error> {
    let length = |count: usize, side: usize| count.checked_mul(side + GAP).map(|sum| sum - GAP);
    let sides = length(columns, first.width).zip(length(rows, first.height));
    let size = sides.and_then(|(width, height)| width.checked_mul(height)?.checked_mul(first.channels));
    match (sides, size) {
        (Some((width, height)), Some(size)) if size <= MOST => {
            Ok(Bitmap { width, height, channels: first.channels, bytes: vec![GREY; size] })
        }
        _ => Err(Error::request(format_args!(
            "a sheet of {columns} columns and {rows} rows is too large: use a folder as --out, or lower --count or --scale"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_repeated_and_images_are_separated() {
        let picture = Picture::new(2, 1, 1, vec![0.0, 1.0]).unwrap();
        let bitmap = Bitmap::of(&picture, 2);
        assert_eq!((bitmap.width, bitmap.height), (4, 2));
        assert_eq!(bitmap.bytes, [0, 0, 255, 255, 0, 0, 255, 255]);
        let mut sheet = Sheet::default();
        let small = Bitmap::of(&picture, 1);
        sheet.place(&small, (0, 0), (1, 2)).unwrap();
        sheet.place(&small, (0, 1), (1, 2)).unwrap();
        assert_eq!(sheet.finish().unwrap().bytes, [0, 255, GREY, GREY, GREY, GREY, 0, 255]);
    }

    #[test]
    fn sheets_that_are_too_large_are_refused() {
        let picture = Bitmap::of(&Picture::new(32, 32, 1, vec![0.0; 1024]).unwrap(), 1);
        assert!(Sheet::default().place(&picture, (0, 0), (usize::MAX / 2, 1)).is_err());
        assert!(Sheet::default().place(&picture, (0, 0), (1 << 10, 1 << 10)).is_err());
    }

    #[test]
    fn texts_are_ascii() {
        assert_eq!(ascii("\"é😀\""), "\"\\u00e9\\ud83d\\ude00\"");
    }
}
