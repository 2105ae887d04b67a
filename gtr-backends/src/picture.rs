//! Decoded images.

use std::sync::Arc;

use gtr_core::TokenSet;

use crate::BackendError;

/// A decoded image in host memory. Clones share the pixels.
///
/// # Units
/// Pixel values are 0 (black) to 1 (white), row-major, with interleaved channels.
///
/// # Examples
/// ```
/// use gtr_backends::Picture;
/// let picture = Picture::new(2, 1, 1, vec![0.0, 0.5])?;
/// assert_eq!(picture.to_u8(), [0, 128]);
/// # Ok::<(), gtr_backends::BackendError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    width: usize,
    height: usize,
    channels: usize,
    pixels: Arc<Vec<f32>>,
}

impl Picture {
    /// Creates an image with 1 (grey) or 3 (RGB) channels.
    ///
    /// # Errors
    /// [`BackendError::Request`] for another number of channels, or if the number of values is not width x height x
    /// channels.
    pub fn new(width: usize, height: usize, channels: usize, pixels: Vec<f32>) -> Result<Self, BackendError> {
        if !matches!(channels, 1 | 3) {
            return Err(BackendError::Request(format!("expected 1 or 3 channels of an image, found {channels}")));
        }
        let expected = width.checked_mul(height).and_then(|count| count.checked_mul(channels));
        if expected != Some(pixels.len()) {
            let found = pixels.len();
            return Err(BackendError::Request(format!(
                "{} cannot be an image of {width}x{height} pixels with {}",
                gtr_core::count(found, "value"),
                gtr_core::count(channels, "channel")
            )));
        }
        Ok(Self { width, height, channels, pixels: Arc::new(pixels) })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of channels: 1 (grey) or 3 (RGB).
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Pixel values, 0 to 1.
    ///
    /// # Shapes
    /// `[height, width, channels]`, row-major.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// Paints the cells of these tokens in neutral grey. All cells have the same size.
    pub(crate) fn without(mut self, tokens: &TokenSet) -> Self {
        let grid = tokens.grid();
        let (height, width) = (self.height / grid.height() as usize, self.width / grid.width() as usize);
        let pixels = Arc::make_mut(&mut self.pixels);
        for at in tokens.iter().map(|token| grid.position(token)) {
            let (top, left) = (at.row as usize * height, at.column as usize * width);
            for row in top..top + height {
                let start = (row * self.width + left) * self.channels;
                pixels[start..start + width * self.channels].fill(0.5);
            }
        }
        self
    }

    /// Converts the values to bytes, rounded to the nearest. Values are clamped to 0 to 1; NaN becomes black.
    ///
    /// # Shapes
    /// `[height, width, channels]`, row-major.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255 after the clamp")]
    pub fn to_u8(&self) -> Vec<u8> {
        self.pixels.iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_rounded_and_clamped() {
        let picture = Picture::new(5, 1, 1, vec![-1.0, 0.001, 0.999, 2.0, f32::NAN]).unwrap();
        assert_eq!(picture.to_u8(), [0, 0, 255, 255, 0]);
    }

    #[test]
    fn unknown_tokens_are_grey() {
        let picture = Picture::new(4, 2, 1, vec![1.0; 8]).unwrap();
        let grid = gtr_core::Grid::new(1, 2).unwrap();
        let hidden = picture.clone().without(&TokenSet::from_tokens(grid, grid.at(0, 1)));
        assert_eq!(hidden.pixels(), [1.0, 1.0, 0.5, 0.5, 1.0, 1.0, 0.5, 0.5]);
        assert_eq!(picture.pixels(), [1.0; 8]);
    }

    #[test]
    fn clones_share_the_pixels() {
        let picture = Picture::new(4, 2, 1, vec![1.0; 8]).unwrap();
        assert!(std::ptr::eq(picture.pixels(), picture.clone().pixels()));
    }

    #[test]
    fn invalid_images_are_refused() {
        assert!(Picture::new(1, 1, 2, vec![0.0; 2]).is_err());
        assert!(Picture::new(2, 2, 3, vec![0.0; 11]).is_err());
        assert!(Picture::new(usize::MAX, 2, 1, vec![]).is_err());
    }
}
