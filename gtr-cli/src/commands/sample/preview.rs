//! Preview of unfinished images in the terminal.

use std::io::{self, IsTerminal, Write};

use image::{DynamicImage, GrayImage, RgbImage};

use gtr_run::picture::Bitmap;

/// Lines of the terminal that are reserved for the progress bar and the prompt.
const OTHER_LINES: u32 = 3;

/// Largest width of a preview, in columns.
const COLUMNS: u32 = 96;

/// Draws images on standard output, each over the previous one. Uses a graphics protocol of the terminal (kitty, iTerm, sixel) if
/// there is one, otherwise half blocks.
#[derive(Debug)]
pub(super) struct Preview {
    /// Number of lines of the image on screen.
    lines: u32,
    /// True if the terminal answers queries, so that its graphics protocol can be detected.
    answers: bool,
}

impl Preview {
    /// Returns `None` if standard output is not a terminal.
    pub(super) fn new() -> Option<Self> {
        io::stdout().is_terminal().then(|| Self { lines: 0, answers: answers() })
    }

    /// Shows an image below the cursor. Errors are ignored, because they must not end the run.
    pub(super) fn show(&mut self, picture: &Bitmap) {
        let Some(image) = image(picture) else { return };
        let (columns, lines) = viuer::terminal_size();
        let width = columns_for(picture, (columns.into(), lines.into()));
        let mut stdout = io::stdout();
        if self.lines > 0 {
            let _ = write!(stdout, "\x1b[{}A\r", self.lines);
        }
        let config = viuer::Config {
            absolute_offset: false,
            width: Some(width),
            use_kitty: self.answers,
            use_iterm: self.answers,
            use_sixel: self.answers,
            ..viuer::Config::default()
        };
        if let Ok((_, lines)) = viuer::print(&image, &config) {
            self.lines = lines;
        }
        let _ = stdout.flush();
    }
}

/// Returns true if the terminal answers queries. The drawing library would wait for an answer forever, but session recorders and
/// containers may not answer. This query has a timeout of two seconds.
#[cfg(unix)]
fn answers() -> bool {
    io::stdin().is_terminal() && crossterm::terminal::supports_keyboard_enhancement().is_ok()
}

/// Returns false: on Windows only half blocks are used.
#[cfg(not(unix))]
fn answers() -> bool {
    false
}

/// Converts an image to the type of the drawing library.
fn image(picture: &Bitmap) -> Option<DynamicImage> {
    let (width, height) = (u32::try_from(picture.width()).ok()?, u32::try_from(picture.height()).ok()?);
    let bytes = picture.bytes().to_vec();
    if picture.is_grey() {
        GrayImage::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8)
    }
}

/// Returns the width of an image in columns, for a terminal of this size. A cell is twice as high as it is wide.
fn columns_for(picture: &Bitmap, (columns, lines): (u32, u32)) -> u32 {
    let (width, height) = (picture.width().max(1), picture.height().max(1));
    let by_lines = lines.saturating_sub(OTHER_LINES) as usize * 2 * width / height;
    let most = columns.min(COLUMNS);
    u32::try_from(by_lines).unwrap_or(most).clamp(1, most.max(1))
}

#[cfg(test)]
mod tests {
    use gtr_backends::Picture;

    use super::*;

    #[test]
    fn an_image_fits_the_terminal() {
        let picture = |width: usize, height: usize, channels: usize| {
            Bitmap::of(&Picture::new(width, height, channels, vec![0.0; width * height * channels]).unwrap(), 1)
        };
        assert_eq!(columns_for(&picture(32, 32, 1), (80, 24)), 42);
        assert_eq!(columns_for(&picture(320, 32, 1), (80, 24)), 80);
        assert_eq!(columns_for(&picture(320, 32, 1), (200, 60)), COLUMNS);
        assert_eq!(columns_for(&picture(32, 320, 1), (80, 24)), 4);
        assert_eq!(columns_for(&picture(32, 32, 1), (0, 0)), 1);
        assert_eq!(image(&picture(3, 2, 3)).unwrap().width(), 3);
    }
}
