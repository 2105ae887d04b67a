//! Joins four images in a 2x2 grid without gaps: top left, top right, bottom left, bottom right.

use crate::picture::{Bitmap, Pixels};

/// Joins four images. Returns `None` if their sizes differ.
pub(super) fn quad(pictures: &[Pixels; 4]) -> Option<Bitmap> {
    let Pixels { width, height, channels, .. } = pictures[0];
    if pictures.iter().any(|picture| (picture.width, picture.height, picture.channels) != (width, height, channels)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(4 * pictures[0].bytes.len());
    for [left, right] in [[&pictures[0], &pictures[1]], [&pictures[2], &pictures[3]]] {
        let row = width * channels;
        for (left, right) in left.bytes.chunks_exact(row).zip(right.bytes.chunks_exact(row)) {
            bytes.extend_from_slice(left);
            bytes.extend_from_slice(right);
        }
    }
    Bitmap::new(2 * width, 2 * height, channels, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_images_fill_a_square() {
        let picture = |first: u8| Pixels { width: 2, height: 1, channels: 1, bytes: vec![first, first + 1] };
        let whole = quad(&[picture(0), picture(10), picture(20), picture(30)]).unwrap();
        assert_eq!((whole.width(), whole.height()), (4, 2));
        assert_eq!(whole.bytes(), [0, 1, 10, 11, 20, 21, 30, 31]);
        let other = Pixels { width: 1, height: 1, channels: 1, bytes: vec![0] };
        assert_eq!(quad(&[picture(0), picture(1), picture(2), other]), None);
    }
}
