//! Encodes animations as GIF or animated PNG.

use std::path::Path;

use crate::Error;
use crate::path::ending;
use crate::picture::Bitmap;

/// Total duration of all frames except the last, in hundredths of a second.
const LENGTH: usize = 300;

/// Duration of the last frame, in hundredths of a second.
const LAST: u16 = 150;

/// A file format of animations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// GIF: 256 colours per frame, supported everywhere.
    Gif,
    /// Animated PNG: all colours.
    Png,
}

impl Format {
    /// Returns the format for the extension of a file, or `None` if it is not an animation format.
    pub fn of(path: &Path) -> Option<Self> {
        match ending(path).as_deref() {
            Some("gif") => Some(Self::Gif),
            Some("png" | "apng") => Some(Self::Png),
            _ => None,
        }
    }

    /// Encodes frames of equal size. There must be at least one frame.
    ///
    /// # Errors
    /// [`Error::Failure`] for frames that are too large for the format.
    pub fn encode(self, frames: &[Bitmap]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Gif => gif(frames).map_err(|error| Error::failure("cannot encode the animation", &error)),
            Self::Png => apng(frames).map_err(|error| Error::failure("cannot encode the animation", &error)),
        }
    }
}

/// Returns the duration of a frame in hundredths of a second.
fn delay(frame: usize, frames: usize) -> u16 {
    if frame + 1 == frames {
        return LAST;
    }
    // Browsers slow down shorter frames.
    u16::try_from((LENGTH / frames).clamp(4, 40)).unwrap_or(4)
}

fn gif(frames: &[Bitmap]) -> Result<Vec<u8>, gif::EncodingError> {
    let too_large = |_| gif::EncodingError::from(std::io::Error::other("it is too large for a GIF"));
    let mut file = Vec::new();
    let Some(first) = frames.first() else { return Ok(file) };
    let (width, height) =
        (u16::try_from(first.width()).map_err(too_large)?, u16::try_from(first.height()).map_err(too_large)?);
    let greys: Vec<u8> = if first.is_grey() { (0..=255).flat_map(|grey| [grey; 3]).collect() } else { Vec::new() };
    let mut encoder = gif::Encoder::new(&mut file, width, height, &greys)?;
    encoder.set_repeat(gif::Repeat::Infinite)?;
    for (number, bitmap) in frames.iter().enumerate() {
        let mut frame = if bitmap.is_grey() {
            gif::Frame { width, height, buffer: bitmap.bytes().into(), ..gif::Frame::default() }
        } else {
            gif::Frame::from_rgb_speed(width, height, bitmap.bytes(), 10)
        };
        frame.delay = delay(number, frames.len());
        encoder.write_frame(&frame)?;
    }
    drop(encoder);
    Ok(file)
}

fn apng(frames: &[Bitmap]) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let Some(first) = frames.first() else { return Ok(file) };
    let number = |number: usize| u32::try_from(number).map_err(|_| png::EncodingError::LimitsExceeded);
    let mut encoder = png::Encoder::new(&mut file, number(first.width())?, number(first.height())?);
    encoder.set_color(if first.is_grey() { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(number(frames.len())?, 0)?;
    encoder.add_text_chunk("Software".to_owned(), concat!("gtr-cli ", env!("CARGO_PKG_VERSION")).to_owned())?;
    let mut writer = encoder.write_header()?;
    for (number, bitmap) in frames.iter().enumerate() {
        writer.set_frame_delay(delay(number, frames.len()), 100)?;
        writer.write_image_data(bitmap.bytes())?;
    }
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use gtr_backends::Picture;

    use super::*;

    fn frames(channels: usize) -> Vec<Bitmap> {
        let picture = |level: f32| Picture::new(3, 2, channels, vec![level; 6 * channels]).unwrap();
        [0.0, 0.5, 1.0].map(|level| Bitmap::of(&picture(level), 2)).to_vec()
    }

    #[test]
    fn grey_frames_of_a_gif_keep_every_level() {
        let file = Format::Gif.encode(&frames(1)).unwrap();
        let mut decoder = gif::DecodeOptions::new();
        decoder.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = decoder.read_info(file.as_slice()).unwrap();
        let mut shown = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            shown.push((frame.buffer[0], frame.delay));
        }
        assert_eq!(shown, [(0, 40), (128, 40), (255, LAST)]);
    }

    #[test]
    fn frames_of_a_png_are_in_order() {
        for channels in [1, 3] {
            let file = Format::Png.encode(&frames(channels)).unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
            assert_eq!(reader.info().animation_control().unwrap().num_frames, 3);
            for level in [0, 128, 255] {
                let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
                reader.next_frame(&mut bytes).unwrap();
                assert!(bytes.iter().all(|&byte| byte == level));
            }
        }
    }

    #[test]
    fn colours_fit_into_a_gif() {
        let colours = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let frame = |colour: &[f32; 3]| Bitmap::of(&Picture::new(3, 2, 3, colour.repeat(6)).unwrap(), 2);
        let file = Format::Gif.encode(&colours.iter().map(frame).collect::<Vec<_>>()).unwrap();
        let mut decoder = gif::DecodeOptions::new();
        decoder.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = decoder.read_info(file.as_slice()).unwrap();
        for colour in colours {
            let frame = decoder.read_next_frame().unwrap().unwrap();
            let expected = colour.map(|channel| if channel > 0.0 { 255 } else { 0 });
            assert!(frame.buffer.chunks_exact(4).all(|pixel| pixel[..3] == expected), "{colour:?}");
        }
    }

    #[test]
    fn the_extension_determines_the_format() {
        assert_eq!(Format::of(Path::new("a.GIF")), Some(Format::Gif));
        assert_eq!(Format::of(Path::new("a.png")), Some(Format::Png));
        assert_eq!(Format::of(Path::new("a.mp4")), None);
        assert_eq!(Format::of(Path::new("gif")), None);
    }
}
