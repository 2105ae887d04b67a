//! Draws images with protocols in which the terminal scales them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Cells;
use super::scale::pixel;
use gtr_run::picture::Bitmap;

/// Size of a chunk in the kitty protocol, in bytes.
const PART: usize = 4096;

/// ID of the image, so that a later one replaces it.
const NUMBER: u32 = 0x0067_7472;

/// Returns the escape sequences of an image in the kitty graphics protocol: <https://sw.kovidgoyal.net/kitty/graphics-protocol>.
pub(super) fn kitty(picture: &Bitmap, Cells { columns, lines }: Cells) -> String {
    let (width, height) = (picture.width(), picture.height());
    let pixels = (0..height).flat_map(|row| (0..width).map(move |column| (column, row)));
    let bytes: Vec<u8> = pixels.flat_map(|(column, row)| pixel(picture, column, row)).collect();
    let encoded = STANDARD.encode(bytes);
    // Scroll first, because the image does not scroll the screen; then draw without moving the cursor, and move it below.
    let mut text = "\n".repeat(lines as usize);
    let _ = write!(
        text,
        "\x1b[{lines}A\x1b_Ga=T,q=2,C=1,f=24,i={NUMBER},s={width},v={height},c={columns},r={lines},m=1;\x1b\\"
    );
    for part in encoded.as_bytes().chunks(PART) {
        // Base64 is ASCII.
        let _ = write!(text, "\x1b_Gm=1;{}\x1b\\", String::from_utf8_lossy(part));
    }
    let _ = write!(text, "\x1b_Gm=0;\x1b\\\x1b[{lines}B\r");
    text
}

/// Returns the escape sequence of an inline image of iTerm2: <https://iterm2.com/documentation-images.html>.
pub(super) fn iterm(picture: &Bitmap, Cells { columns, lines }: Cells) -> Option<String> {
    let file = picture.png(&[]).ok()?;
    let (size, encoded) = (file.len(), STANDARD.encode(&file));
    Some(format!(
        "\x1b]1337;File=inline=1;preserveAspectRatio=1;size={size};width={columns};height={lines}:{encoded}\x07\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Cells = Cells { columns: 2, lines: 1 };

    #[test]
    fn kitty_gets_pixels_in_parts() {
        let drawn = kitty(&Bitmap::new(1, 1, 1, vec![255]).unwrap(), SIZE);
        let expected = "\n\x1b[1A\x1b_Ga=T,q=2,C=1,f=24,i=6780018,s=1,v=1,c=2,r=1,m=1;\x1b\\\x1b_Gm=1;////\x1b\\\x1b_Gm=0;\x1b\\\x1b[1B\r";
        assert_eq!(drawn, expected);
        let large = kitty(&Bitmap::new(64, 64, 3, vec![7; 3 * 64 * 64]).unwrap(), SIZE);
        assert_eq!(large.matches("\x1b_Gm=1;").count(), 4);
        assert!(large.split("\x1b\\").all(|part| part.len() < PART + 80));
    }

    #[test]
    fn iterm_gets_a_file() {
        let drawn = iterm(&Bitmap::new(1, 1, 1, vec![255]).unwrap(), SIZE).unwrap();
        assert!(
            drawn.starts_with("\x1b]1337;File=inline=1;") && drawn.contains(";width=2;height=1:iVBORw0KGgo"),
            "{drawn}"
        );
    }
}
