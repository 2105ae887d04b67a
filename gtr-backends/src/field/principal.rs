//! Principal components: tokens with fewer channels.

use gtr_linalg::{Symmetric, add_outer_product};

use super::Samples;
use crate::BackendError;

impl Samples {
    /// Projects each token onto the leading principal components. Returns the projected samples, and the share (0 to 1)
    /// of the variance within classes that the components explain. A loss on the result ignores all other components.
    ///
    /// # Errors
    /// [`BackendError::Request`] if `components` is 0 or exceeds the number of channels, or if no class has two images.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::field::Samples;
    /// use gtr_core::Grid;
    /// let mut samples = Samples::new(Grid::new(1, 1)?, 2);
    /// for value in [0.0, 1.0, 3.0] {
    ///     samples.add(&[value, 2.0 * value], None)?;
    /// }
    /// // The channels are multiples of each other: one component explains everything.
    /// let (one, share) = samples.principal(1)?;
    /// assert_eq!(one.channels(), 1);
    /// assert!((share - 1.0).abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn principal(&self, components: usize) -> Result<(Self, f64), BackendError> {
        let channels = self.channels();
        if components == 0 || components > channels {
            return Err(BackendError::Request(format!(
                "expected 1 to {channels} components for tokens of {}, found {components}",
                gtr_core::count(channels, "channel")
            )));
        }
        let (values, _) = self.centred()?;
        let mut covariance = vec![0.0; channels * channels];
        for token in values.chunks_exact(channels) {
            add_outer_product(&mut covariance, token, token);
        }
        let eigen = Symmetric::from_fn(channels, |row, column| covariance[row * channels + column]).eigen();
        let mut order: Vec<usize> = (0..channels).collect();
        order.sort_by(|a, b| eigen.values[*b].total_cmp(&eigen.values[*a]));
        order.truncate(components);
        let held: f64 = order.iter().map(|&at| eigen.values[at]).sum();
        let mut reduced = Self::new(self.grid(), components);
        for (picture, label) in self.each() {
            let tokens = picture.chunks_exact(channels);
            #[expect(clippy::cast_possible_truncation, reason = "values are stored as f32")]
            let component = |token: &[f32], at: usize| -> f32 {
                token.iter().zip(&eigen.vectors[at]).map(|(value, part)| f64::from(*value) * part).sum::<f64>() as f32
            };
            let values: Vec<f32> = tokens.flat_map(|token| order.iter().map(move |&at| component(token, at))).collect();
            reduced.add(&values, label)?;
        }
        Ok((reduced, held / eigen.values.iter().sum::<f64>()))
    }
}
