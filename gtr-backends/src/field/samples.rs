//! Token values of many images.

use std::collections::BTreeMap;

use gtr_core::Grid;

use crate::BackendError;

/// Largest number of values in memory: 2 GiB.
const MOST: usize = 1 << 29;

/// Token values of images with their classes. Statistics are computed within classes: the mean of the class is
/// subtracted.
///
/// # Examples
/// ```
/// use gtr_backends::field::Samples;
/// use gtr_core::Grid;
/// let mut samples = Samples::new(Grid::new(1, 2)?, 1);
/// samples.add(&[1.0, 4.0], Some(0))?;
/// samples.add(&[3.0, 4.0], Some(0))?;
/// samples.add(&[9.0, 9.0], Some(1))?;
/// samples.add(&[9.0, 9.0], Some(1))?;
/// assert_eq!((samples.pictures(), samples.classes()), (4, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Samples {
    grid: Grid,
    channels: usize,
    values: Vec<f32>,
    labels: Vec<Option<u32>>,
}

impl Samples {
    /// Creates an empty set of samples for tokens with `channels` channels.
    pub fn new(grid: Grid, channels: usize) -> Self {
        Self { grid, channels, values: Vec::new(), labels: Vec::new() }
    }

    /// Adds the token values of an image, `[tokens, channels]`, and its class if it is known.
    ///
    /// # Errors
    /// [`BackendError::Request`] for a wrong number of values, a value that is not finite, or more than 2^29 values in
    /// all.
    pub fn add(&mut self, values: &[f32], label: Option<u32>) -> Result<(), BackendError> {
        let wrong = |reason: String| Err(BackendError::Request(reason));
        if values.len() != self.dimensions() {
            return wrong(format!(
                "expected {} per image, found {}",
                gtr_core::count(self.dimensions(), "token value"),
                values.len()
            ));
        }
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return wrong(format!("expected finite token values, found {value}"));
        }
        if self.values.len() + values.len() > MOST {
            return wrong(format!("too many images: at most {} fit", self.pictures()));
        }
        self.values.extend_from_slice(values);
        self.labels.push(label);
        Ok(())
    }

    /// Token grid.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Number of channels of a token.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of values of an image.
    pub fn dimensions(&self) -> usize {
        self.grid.tokens() * self.channels
    }

    /// Number of images.
    pub fn pictures(&self) -> usize {
        self.labels.len()
    }

    /// Values and class of each image.
    pub(super) fn each(&self) -> impl Iterator<Item = (&[f32], Option<u32>)> {
        self.values.chunks_exact(self.dimensions()).zip(self.labels.iter().copied())
    }

    /// Number of classes. Images without a class count as one class.
    pub fn classes(&self) -> usize {
        self.means().len()
    }

    /// Returns the values of all images minus the means of their classes, and the degrees of freedom.
    ///
    /// # Errors
    /// [`BackendError::Request`] if every class has only one image.
    pub(super) fn centred(&self) -> Result<(Vec<f32>, usize), BackendError> {
        let means = self.means();
        let freedom = self.pictures() - means.len();
        if freedom == 0 {
            let (pictures, classes) = (self.pictures(), means.len());
            return Err(BackendError::Request(format!(
                "expected at least one class with two images, found {} of {}",
                gtr_core::count(pictures, "image"),
                gtr_core::count(classes, "class")
            )));
        }
        let mut values = self.values.clone();
        for (values, label) in values.chunks_exact_mut(self.dimensions()).zip(&self.labels) {
            #[expect(clippy::cast_possible_truncation, reason = "values are stored as f32")]
            for (value, mean) in values.iter_mut().zip(&means[label]) {
                *value = (f64::from(*value) - mean) as f32;
            }
        }
        Ok((values, freedom))
    }

    fn means(&self) -> BTreeMap<Option<u32>, Vec<f64>> {
        let mut sums: BTreeMap<Option<u32>, (u32, Vec<f64>)> = BTreeMap::new();
        for (values, &label) in self.values.chunks_exact(self.dimensions()).zip(&self.labels) {
            let (count, sum) = sums.entry(label).or_insert_with(|| (0, vec![0.0; self.dimensions()]));
            *count += 1;
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let mean = |(count, sum): (u32, Vec<f64>)| sum.into_iter().map(|sum| sum / f64::from(count)).collect();
        sums.into_iter().map(|(label, sum)| (label, mean(sum))).collect()
    }
}
