//! Which tokens a mask has generated.

use gtr_core::{Grid, TokenIndex, TokenSet};

use super::{Raster, converted};
use crate::BackendError;

/// From here on a pixel of a mask is white, or opaque.
const WHITE: u8 = 128;

/// The tokens that a mask has generated, and what of the file says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The tokens in whose cells a pixel is to be generated.
    pub tokens: TokenSet,
    /// What was read.
    pub source: MaskSource,
    /// The highest grey value, 0 (black) to 255 (white).
    pub brightest: u8,
}

/// What of a mask's pixels says what is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskSource {
    /// The colours: white is generated, black is kept. Opacity is everywhere the same.
    Colours,
    /// The colours, although opacity varies as well.
    ColoursNotOpacity,
    /// The opacity of one bright colour: what is opaque is generated, as where white was painted on nothing.
    Opaque,
    /// The opacity of one dark colour: what is transparent is generated, as where a hole was erased.
    Transparent,
}

impl Raster {
    /// Reads the picture as a mask. The cell of a token is generated whole if one of its pixels is.
    ///
    /// White is generated, black is kept. A file that has one colour only says so by its opacity: of a bright colour the
    /// opaque pixels are generated, of a dark one the transparent pixels.
    ///
    /// # Errors
    /// [`BackendError::Image`] unless the sides are whole multiples of the grid's.
    pub fn mask(&self, grid: Grid) -> Result<Mask, BackendError> {
        let (rows, columns) = (grid.height() as usize, grid.width() as usize);
        if !self.height.is_multiple_of(rows) || !self.width.is_multiple_of(columns) {
            return Err(self.wrong(format!(
                "it has {}x{} pixels, which are not a whole number for each token of a grid of {grid}",
                self.width, self.height
            )));
        }
        let (source, brightest) = (self.mask_source(), self.greys().max().unwrap_or(0));
        let (high, wide) = (self.height / rows, self.width / columns);
        let is_generated = |row: usize, column: usize| {
            let place = row * self.width + column;
            match source {
                MaskSource::Colours | MaskSource::ColoursNotOpacity => self.grey(place) >= WHITE,
                MaskSource::Opaque => self.opacity(place) >= WHITE,
                MaskSource::Transparent => self.opacity(place) < WHITE,
            }
        };
        let is_any_generated = |token: &TokenIndex| {
            let at = grid.position(*token);
            let (top, left) = (at.row as usize * high, at.column as usize * wide);
            (top..top + high).any(|row| (left..left + wide).any(|column| is_generated(row, column)))
        };
        Ok(Mask { tokens: TokenSet::of(grid, grid.iter().filter(is_any_generated)), source, brightest })
    }

    fn mask_source(&self) -> MaskSource {
        let mut opacities = (0..self.width * self.height).map(|place| self.opacity(place));
        let first = opacities.next().unwrap_or(u8::MAX);
        if opacities.all(|opacity| opacity == first) {
            return MaskSource::Colours;
        }
        let mut pixels = self.bytes.chunks_exact(self.stride).map(|pixel| &pixel[..self.colours]);
        let colour = pixels.next().unwrap_or_default();
        if pixels.any(|other| other != colour) {
            MaskSource::ColoursNotOpacity
        } else if self.grey(0) >= WHITE {
            MaskSource::Opaque
        } else {
            MaskSource::Transparent
        }
    }

    fn greys(&self) -> impl Iterator<Item = u8> {
        (0..self.width * self.height).map(|place| self.grey(place))
    }

    /// The brightness of a pixel, which are counted row by row.
    fn grey(&self, place: usize) -> u8 {
        let start = place * self.stride;
        let grey = converted(&self.bytes[start..start + self.colours], 1)[0];
        u8::try_from(grey).unwrap_or(u8::MAX)
    }

    /// How opaque a pixel is: 0 is transparent.
    fn opacity(&self, place: usize) -> u8 {
        if self.stride == self.colours { u8::MAX } else { self.bytes[place * self.stride + self.colours] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::raster;
    use super::*;

    fn tokens(mask: &Mask) -> Vec<usize> {
        mask.tokens.iter().map(TokenIndex::get).collect()
    }

    #[test]
    fn a_token_that_is_partly_white_is_generated() {
        let mut bytes = [0; 16];
        bytes[5] = 128;
        bytes[10] = 127;
        let mask = raster(4, 4, 1, &bytes).mask(Grid::new(2, 2).unwrap()).unwrap();
        assert_eq!((tokens(&mask), mask.source, mask.brightest), (vec![0], MaskSource::Colours, 128));
    }

    #[test]
    fn opacity_counts_where_there_is_one_colour() {
        let grid = Grid::new(1, 2).unwrap();
        let mask = |pixels: [[u8; 4]; 2]| {
            let mask = raster(2, 1, 4, pixels.as_flattened()).mask(grid).unwrap();
            (tokens(&mask), mask.source)
        };
        let of = |colour: u8, opacity: u8| [colour, colour, colour, opacity];
        assert_eq!(mask([of(255, 0), of(255, 255)]), (vec![1], MaskSource::Opaque));
        assert_eq!(mask([of(0, 255), of(0, 0)]), (vec![1], MaskSource::Transparent));
        assert_eq!(mask([of(0, 0), of(255, 255)]), (vec![1], MaskSource::ColoursNotOpacity));
        assert_eq!(mask([of(255, 255), of(0, 0)]), (vec![0], MaskSource::ColoursNotOpacity));
        // The same everywhere, it says nothing.
        assert_eq!(mask([of(255, 0), of(0, 0)]), (vec![0], MaskSource::Colours));
    }

    #[test]
    fn a_size_that_no_grid_divides_is_refused() {
        assert!(raster(4, 4, 1, &[0; 16]).mask(Grid::new(3, 2).unwrap()).is_err());
    }
}
