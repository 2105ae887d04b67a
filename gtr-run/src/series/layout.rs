//! Arrangement of images on a sheet.

use gtr_backends::Picture;

use super::numbering::Numbering;

/// Size of a sheet, and the cell of each image.
#[derive(Clone, Copy, Debug)]
pub struct SheetLayout {
    columns: u64,
    rows: u64,
    order: Order,
}

/// Arrangement of the images.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// Row by row.
    Rows,
    /// One column per class or prompt, with this number of images.
    Columns(u64),
    /// One row per image, with its reconstructions.
    Reconstructions,
}

impl SheetLayout {
    /// Arranges all images of a run and their reconstructions.
    pub fn new(numbering: Numbering, reconstructions: u32) -> Self {
        let images = numbering.images();
        let (order, columns) = match (reconstructions, numbering.subjects()) {
            (1, 1) => (Order::Rows, near_root(images)),
            (1, subjects) => (Order::Columns(numbering.count()), subjects as u64),
            (reconstructions, _) => (Order::Reconstructions, reconstructions.into()),
        };
        Self { columns, rows: images.saturating_mul(reconstructions.into()).div_ceil(columns), order }
    }

    /// Arranges the images of a batch. If the batch has all images, the arrangement is that of the sheet.
    pub fn of_batch(numbering: Numbering, reconstructions: u32, batch: u64) -> Self {
        let images = numbering.images();
        if images <= batch && reconstructions == 1 {
            return Self::new(numbering, 1);
        }
        let columns = near_root(images.min(batch));
        Self { columns, rows: images.min(batch).div_ceil(columns), order: Order::Rows }
    }

    /// Returns the number of columns and rows.
    #[expect(clippy::cast_possible_truncation, reason = "a sheet has at most 10^4 images")]
    pub fn size(self) -> (usize, usize) {
        (self.columns as usize, self.rows as usize)
    }

    /// Returns column and row of a reconstruction of an image.
    #[expect(clippy::cast_possible_truncation, reason = "a sheet has at most 10^4 images")]
    pub fn cell(self, position: u64, reconstruction: u64) -> (usize, usize) {
        let (column, row) = match self.order {
            Order::Rows => (position % self.columns, position / self.columns),
            Order::Columns(count) => (position / count, position % count),
            Order::Reconstructions => (reconstruction, position),
        };
        (column as usize, row as usize)
    }

    /// Returns the scale: a single image fills about 256 pixels, an image of a sheet about 96.
    pub fn scale(self, picture: &Picture) -> usize {
        let side = picture.width().max(picture.height()).max(1);
        if self.columns * self.rows == 1 { (256 / side).max(1) } else { (96 / side).max(1) }
    }
}

/// Returns the square root of `images`, rounded up.
fn near_root(images: u64) -> u64 {
    let root = images.isqrt();
    if root * root == images { root } else { root + 1 }
}

#[cfg(test)]
mod tests {
    use gtr_core::ImageIndex;

    use super::*;

    fn cells(subjects: usize, count: u64, reconstructions: u32) -> ((usize, usize), Vec<(usize, usize)>) {
        let layout = SheetLayout::new(Numbering::new(subjects, count, ImageIndex(0), false).unwrap(), reconstructions);
        let images = subjects as u64 * count;
        let all = (0..images).flat_map(|image| (0..reconstructions).map(move |number| (image, number)));
        (layout.size(), all.map(|(image, number)| layout.cell(image, number.into())).collect())
    }

    #[test]
    fn every_image_has_a_cell_of_its_own() {
        assert_eq!(cells(1, 3, 1), ((2, 2), vec![(0, 0), (1, 0), (0, 1)]));
        assert_eq!(cells(2, 2, 1), ((2, 2), vec![(0, 0), (0, 1), (1, 0), (1, 1)]));
        assert_eq!(cells(2, 1, 3), ((3, 2), vec![(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]));
    }

    #[test]
    fn sheets_of_one_class_are_nearly_square() {
        assert_eq!([1, 2, 4, 5, 9, 10].map(near_root), [1, 2, 2, 3, 3, 4]);
    }
}
