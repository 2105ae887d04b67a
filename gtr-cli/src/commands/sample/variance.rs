//! Variance between the reconstructions of the same generation.

use gtr_backends::Picture;

/// Variance of each pixel over the reconstructions of an image, averaged over pixels and images. Pixels have values from 0 to 1.
#[derive(Debug, Default)]
pub(super) struct Variance {
    sum: f64,
    pixels: u64,
}

impl Variance {
    /// Adds the reconstructions of an image.
    #[expect(clippy::cast_precision_loss, reason = "at most 64 reconstructions")]
    pub(super) fn add(&mut self, reconstructions: &[&Picture]) {
        let count = reconstructions.len() as f64;
        let Some(first) = reconstructions.first() else { return };
        for pixel in 0..first.pixels().len() {
            let values = || reconstructions.iter().map(|picture| f64::from(picture.pixels()[pixel]));
            let mean = values().sum::<f64>() / count;
            self.sum += values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            self.pixels += 1;
        }
    }

    /// Returns the mean over all added pixels, 0 if there are none.
    #[expect(clippy::cast_precision_loss, reason = "a number of pixels")]
    pub(super) fn mean(&self) -> f64 {
        if self.pixels == 0 { 0.0 } else { self.sum / self.pixels as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_of_pixels_are_averaged() {
        let picture = |pixels: &[f32]| Picture::new(2, 1, 1, pixels.to_vec()).unwrap();
        let (a, b) = (picture(&[0.0, 0.5]), picture(&[1.0, 0.5]));
        let mut variance = Variance::default();
        assert_eq!(variance.mean(), 0.0);
        variance.add(&[&a, &b]);
        assert_eq!(variance.mean(), 0.125);
        variance.add(&[&a, &a]);
        assert_eq!(variance.mean(), 0.0625);
    }
}
