//! Images in the terminal while they grow.

use std::io::{self, IsTerminal, Write};

use image::{DynamicImage, GrayImage, RgbImage};

use gtr_run::picture::Bitmap;

/// Lines of a terminal that are left to the progress bar and the prompt.
const OTHER_LINES: u32 = 3;

/// More columns than this show nothing more.
const COLUMNS: u32 = 96;

/// Draws on standard output, each picture over the one before: by the graphics of the terminal where it has any (kitty, iTerm,
/// sixel), otherwise in half blocks.
#[derive(Debug)]
pub(super) struct Preview {
    /// Lines of the picture that is shown.
    lines: u32,
    /// Whether the terminal can be asked for its graphics.
    answers: bool,
}

impl Preview {
    /// `None` where there is no terminal.
    pub(super) fn new() -> Option<Self> {
        io::stdout().is_terminal().then(|| Self { lines: 0, answers: answers() })
    }

    /// Shows a picture below the cursor. What a terminal cannot show, or nobody sees, is no failure of the run.
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

/// Whether the terminal answers a question: the library that draws would wait for an answer without end, but a recorder of
/// sessions or a container may have nobody who gives one. This question is given up after two seconds.
#[cfg(unix)]
fn answers() -> bool {
    io::stdin().is_terminal() && crossterm::terminal::supports_keyboard_enhancement().is_ok()
}

/// Whether the terminal answers a question: on Windows half blocks do.
#[cfg(not(unix))]
fn answers() -> bool {
    false
}

/// The picture as the library that draws it has it.
fn image(picture: &Bitmap) -> Option<DynamicImage> {
    let (width, height) = (u32::try_from(picture.width()).ok()?, u32::try_from(picture.height()).ok()?);
    let bytes = picture.bytes().to_vec();
    if picture.is_grey() {
        GrayImage::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8)
    }
}

/// How many columns a picture gets in a terminal of so many columns and lines; a cell is twice as high as wide.
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
    fn a_picture_fits_the_terminal() {
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
