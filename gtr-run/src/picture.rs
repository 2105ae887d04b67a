//! Pictures in bytes: enlarged, laid out as sheets, written as PNG.

use gtr_backends::Picture;

use crate::Error;

/// Pixels between the pictures of a sheet.
const GAP: usize = 2;

/// Brightness of the gap.
const GREY: u8 = 64;

/// A sheet of more bytes than this is refused.
const MOST: usize = 1 << 28;

/// A picture in bytes: rows of pixels, each of 1 (grey) or 3 (red, green, blue) bytes.
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
    /// A picture, each pixel repeated `scale` times in both directions.
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

    /// Rows of pixels of 1 or 3 bytes each; nothing if there are not as many.
    pub fn new(width: usize, height: usize, channels: usize, bytes: Vec<u8>) -> Option<Self> {
        let size = width.checked_mul(height)?.checked_mul(channels)?;
        (matches!(channels, 1 | 3) && size == bytes.len()).then_some(Self { width, height, channels, bytes })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Whether a pixel is one byte, not three.
    pub fn is_grey(&self) -> bool {
        self.channels == 1
    }

    /// The pixels, row by row.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The picture as a PNG file that holds `texts`.
    ///
    /// # Errors
    /// [`Error::Failure`] for a picture without pixels or with more than a PNG file can have.
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
        encode().map_err(|error: png::EncodingError| Error::failure("cannot encode the picture", &error))
    }
}

/// A text that a PNG file carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    keyword: &'static str,
    says: String,
    compressed: bool,
}

impl Text {
    /// A short text.
    pub fn plain(keyword: &'static str, text: &str) -> Self {
        Self { keyword, says: ascii(text), compressed: false }
    }

    /// A long text.
    pub fn compressed(keyword: &'static str, text: &str) -> Self {
        Self { keyword, says: ascii(text), compressed: true }
    }
}

/// Escapes what is not ASCII as JSON does; only texts in JSON hold such characters, and only within strings.
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

/// Pictures side by side, all of the size of the first.
#[derive(Debug, Default)]
pub struct Sheet(Option<Bitmap>);

impl Sheet {
    /// Puts a picture at a column and a row of a sheet of so many columns and rows.
    ///
    /// # Errors
    /// [`Error::Request`] for a sheet of more than 256 MB.
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

    /// The whole sheet, `None` if no picture was placed.
    pub fn finish(self) -> Option<Bitmap> {
        self.0
    }
}

/// A sheet without pictures.
fn blank(first: &Bitmap, columns: usize, rows: usize) -> Result<Bitmap, Error> {
    let length = |count: usize, side: usize| count.checked_mul(side + GAP).map(|sum| sum - GAP);
    let sides = length(columns, first.width).zip(length(rows, first.height));
    let size = sides.and_then(|(width, height)| width.checked_mul(height)?.checked_mul(first.channels));
    match (sides, size) {
        (Some((width, height)), Some(size)) if size <= MOST => {
            Ok(Bitmap { width, height, channels: first.channels, bytes: vec![GREY; size] })
        }
        _ => Err(Error::request(format_args!(
            "a sheet of {columns} columns and {rows} rows is too large: name a folder as --out, or lower --count or --scale"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_repeated_and_pictures_set_apart() {
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
    fn a_sheet_beyond_all_measure_is_refused() {
        let picture = Bitmap::of(&Picture::new(32, 32, 1, vec![0.0; 1024]).unwrap(), 1);
        assert!(Sheet::default().place(&picture, (0, 0), (usize::MAX / 2, 1)).is_err());
        assert!(Sheet::default().place(&picture, (0, 0), (1 << 10, 1 << 10)).is_err());
    }

    #[test]
    fn texts_are_ascii() {
        assert_eq!(ascii("\"é😀\""), "\"\\u00e9\\ud83d\\ude00\"");
    }
}
