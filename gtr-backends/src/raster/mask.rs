//! Masks: images that select the tokens to generate.

use gtr_core::{Grid, TokenIndex, TokenSet};

use super::{Raster, converted};
use crate::BackendError;

/// Smallest grey value that counts as white, and smallest alpha value that counts as opaque.
const WHITE: u8 = 128;

/// The tokens selected by a mask, and how the mask was interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Tokens to generate: those with at least one selected pixel.
    pub tokens: TokenSet,
    /// Interpretation of the pixels.
    pub source: MaskSource,
    /// Highest grey value, 0 (black) to 255 (white).
    pub brightest: u8,
}

/// Interpretation of the pixels of a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskSource {
    /// By colour: white is generated, black is kept. The alpha channel is constant or missing.
    Colours,
    /// By colour, although the alpha channel also varies.
    ColoursNotOpacity,
    /// By alpha, with one bright colour: opaque pixels are generated, for example white paint on a transparent layer.
    Opaque,
    /// By alpha, with one dark colour: transparent pixels are generated, for example an erased hole.
    Transparent,
}

impl Raster {
    /// Interprets the image as a mask. A token is generated if at least one pixel of its cell is selected.
    ///
    /// White is generated, black is kept. If the image has only one colour, the opacity decides: opaque pixels of a
    /// bright colour are generated, or transparent pixels of a dark colour.
    ///
    /// # Errors
    /// [`BackendError::Image`] unless the sides of the image are multiples of the sides of the grid.
    pub fn mask(&self, grid: Grid) -> Result<Mask, BackendError> {
        let (rows, columns) = (grid.height() as usize, grid.width() as usize);
        if !self.height.is_multiple_of(rows) || !self.width.is_multiple_of(columns) {
            return Err(self.wrong(format!(
                "it has {}x{} pixels, expected a multiple of the token grid {grid}",
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
        Ok(Mask { tokens: TokenSet::from_tokens(grid, grid.iter().filter(is_any_generated)), source, brightest })
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

    /// Returns the brightness of a pixel by its row-major index.
    fn grey(&self, place: usize) -> u8 {
        let start = place * self.stride;
        let grey = converted(&self.bytes[start..start + self.colours], 1)[0];
        u8::try_from(grey).unwrap_or(u8::MAX)
    }

    /// Returns the alpha value of a pixel: 0 is transparent.
    fn opacity(&self, place: usize) -> u8 {
        if self.stride == self.colours { u8::MAX } else { self.bytes[place * self.stride + self.colours] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::raster;
    use super::*;

    fn tokens(mask: &Mask) -> Vec<usize> {
        mask.tokens.iter().map(TokenIndex::index).collect()
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
    fn opacity_decides_if_there_is_one_colour() {
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
        // Constant opacity is ignored.
        assert_eq!(mask([of(255, 0), of(0, 0)]), (vec![0], MaskSource::Colours));
    }

    #[test]
    fn a_size_that_is_not_a_multiple_of_the_grid_is_refused() {
        assert!(raster(4, 4, 1, &[0; 16]).mask(Grid::new(3, 2).unwrap()).is_err());
    }
}
