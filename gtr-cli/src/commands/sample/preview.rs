//! Preview of unfinished images in the terminal.

mod blocks;
mod inline;
mod scale;
mod sixel;
mod terminal;

use std::io::{self, IsTerminal, Write};

use gtr_run::picture::Bitmap;

use self::terminal::Graphics;

/// Lines of the terminal that are reserved for the progress bar and the prompt.
const OTHER_LINES: u32 = 3;

/// Maximum width of a preview, in columns.
const COLUMNS: u32 = 96;

/// Assumed size of a terminal that does not report its size.
const TERMINAL: Cells = Cells { columns: 80, lines: 24 };

/// A size in terminal cells. A cell is twice as high as it is wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cells {
    columns: u32,
    lines: u32,
}

/// Draws images on standard output, each over the previous one. Uses a graphics protocol of the terminal (kitty, iTerm, sixel) if
/// there is one, otherwise half blocks.
#[derive(Debug)]
pub(super) struct Preview {
    /// Number of lines of the image on screen.
    lines: u32,
    graphics: Graphics,
}

impl Preview {
    /// Creates a preview, or returns `None` if standard output is not a terminal.
    pub(super) fn new() -> Option<Self> {
        io::stdout().is_terminal().then(|| Self { lines: 0, graphics: Graphics::of_terminal() })
    }

    /// Shows an image below the cursor. Errors are ignored, so that they do not end the run.
    pub(super) fn show(&mut self, picture: &Bitmap) {
        let size = size_for(picture, terminal_size());
        let Some(drawn) = self.graphics.draw(picture, size) else { return };
        let mut stdout = io::stdout().lock();
        if self.lines > 0 {
            let _ = write!(stdout, "\x1b[{}A\r", self.lines);
        }
        self.lines = size.lines;
        let _ = stdout.write_all(drawn.as_bytes()).and_then(|()| stdout.flush());
    }
}

impl Graphics {
    /// Returns the escape sequences that draw an image in cells of this size and leave the cursor below it.
    fn draw(self, picture: &Bitmap, size: Cells) -> Option<String> {
        match self {
            Self::Kitty => Some(inline::kitty(picture, size)),
            Self::Iterm => inline::iterm(picture, size),
            Self::Sixel => Some(sixel::draw(picture, size)),
            Self::Blocks(colours) => Some(blocks::draw(picture, size, colours)),
        }
    }
}

fn terminal_size() -> Cells {
    let found = terminal_size::terminal_size();
    found.map_or(TERMINAL, |(columns, lines)| Cells { columns: columns.0.into(), lines: lines.0.into() })
}

/// Returns the size of the preview of an image in a terminal.
fn size_for(picture: &Bitmap, terminal: Cells) -> Cells {
    let (width, height) = (picture.width().max(1), picture.height().max(1));
    let by_lines = terminal.lines.saturating_sub(OTHER_LINES) as usize * 2 * width / height;
    let most = terminal.columns.clamp(1, COLUMNS);
    let columns = u32::try_from(by_lines).unwrap_or(most).clamp(1, most);
    let lines = (columns as usize * height).div_ceil(2 * width).max(1);
    Cells { columns, lines: u32::try_from(lines).unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_fits_the_terminal() {
        let size = |width: usize, height: usize, columns: u32, lines: u32| {
            let picture = Bitmap::new(width, height, 1, vec![0; width * height]).unwrap();
            let size = size_for(&picture, Cells { columns, lines });
            (size.columns, size.lines)
        };
        assert_eq!(size(32, 32, 80, 24), (42, 21));
        assert_eq!(size(320, 32, 80, 24), (80, 4));
        assert_eq!(size(320, 32, 200, 60), (COLUMNS, 5));
        assert_eq!(size(32, 320, 80, 24), (4, 20));
        assert_eq!(size(32, 32, 0, 0), (1, 1));
    }
}
