//! Resizes images.

use gtr_run::picture::Bitmap;

/// Red, green and blue, 0 to 255.
pub(super) type Rgb = [u8; 3];

/// Returns the pixels of an image at another size, row by row. Shrinking averages pixels, enlarging repeats them.
pub(super) fn scaled(picture: &Bitmap, width: usize, height: usize) -> Vec<Rgb> {
    let mut pixels = Vec::with_capacity(width * height);
    for row in 0..height {
        let rows = span(row, height, picture.height());
        for column in 0..width {
            pixels.push(mean(picture, span(column, width, picture.width()), rows.clone()));
        }
    }
    pixels
}

/// Returns the positions of `from` that map to `position` of `to`, at least one.
fn span(position: usize, to: usize, from: usize) -> std::ops::Range<usize> {
    let start = position * from / to;
    start..((position + 1) * from / to).max(start + 1)
}

fn mean(picture: &Bitmap, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> Rgb {
    let count = columns.len() * rows.len();
    let mut sums = [0; 3];
    for row in rows {
        for column in columns.clone() {
            for (sum, level) in sums.iter_mut().zip(pixel(picture, column, row)) {
                *sum += usize::from(level);
            }
        }
    }
    // The mean of bytes fits in a byte.
    sums.map(|sum| u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX))
}

/// Returns a pixel of an image.
pub(super) fn pixel(picture: &Bitmap, column: usize, row: usize) -> Rgb {
    let position = row * picture.width() + column;
    let bytes = picture.bytes();
    if picture.is_grey() { [bytes[position]; 3] } else { [0, 1, 2].map(|channel| bytes[position * 3 + channel]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_shrink_to_means_and_grow_by_repetition() {
        let picture = Bitmap::new(2, 2, 1, vec![0, 100, 200, 101]).unwrap();
        assert_eq!(scaled(&picture, 1, 1), [[100; 3]]);
        assert_eq!(scaled(&picture, 2, 1), [[100; 3], [101; 3]]);
        assert_eq!(scaled(&picture, 4, 1), [[100; 3], [100; 3], [101; 3], [101; 3]]);
        let coloured = Bitmap::new(1, 1, 3, vec![1, 2, 3]).unwrap();
        assert_eq!(scaled(&coloured, 1, 2), [[1, 2, 3], [1, 2, 3]]);
    }
}
