//! Joins four images in a 2x2 grid without gaps: top left, top right, bottom left, bottom right.

use gtr_backends::raster::Raster;

use crate::picture::Bitmap;

/// Joins four images. Returns `None` if their sizes differ.
pub(super) fn quad(pictures: &[Raster; 4]) -> Option<Bitmap> {
    let sides = |picture: &Raster| (picture.width(), picture.height(), picture.channels());
    let (width, height, channels) = sides(&pictures[0]);
    if pictures.iter().any(|picture| sides(picture) != (width, height, channels)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(4 * pictures[0].bytes().len());
    for [left, right] in [[&pictures[0], &pictures[1]], [&pictures[2], &pictures[3]]] {
        let row = width * channels;
        for (left, right) in left.bytes().chunks_exact(row).zip(right.bytes().chunks_exact(row)) {
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
        let picture = |width: usize, first: u8| {
            let bitmap = Bitmap::new(width, 1, 1, (first..).take(width).collect()).unwrap();
            Raster::from_png("x.png", &bitmap.png(&[]).unwrap()).unwrap()
        };
        let whole = quad(&[picture(2, 0), picture(2, 10), picture(2, 20), picture(2, 30)]).unwrap();
        assert_eq!((whole.width(), whole.height()), (4, 2));
        assert_eq!(whole.bytes(), [0, 1, 10, 11, 20, 21, 30, 31]);
        assert_eq!(quad(&[picture(2, 0), picture(2, 1), picture(2, 2), picture(1, 0)]), None);
    }
}
