//! Token values of many pictures.

use std::collections::BTreeMap;

use gtr_core::Grid;

use crate::BackendError;

/// More values than this are not held in memory: 2 GiB of them.
const MOST: usize = 1 << 29;

/// Token values of pictures, from which the mean of the pictures of the same class is taken.
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
    /// No pictures yet, of tokens of so many channels.
    pub fn new(grid: Grid, channels: usize) -> Self {
        Self { grid, channels, values: Vec::new(), labels: Vec::new() }
    }

    /// Adds the token values of a picture, token by token, and its class if that is known.
    ///
    /// # Errors
    /// [`BackendError::Request`] for a wrong number of values, one that is not finite, or more pictures than are held.
    pub fn add(&mut self, values: &[f32], label: Option<u32>) -> Result<(), BackendError> {
        let wrong = |reason: String| Err(BackendError::Request(reason));
        if values.len() != self.dimensions() {
            return wrong(format!("{} values are not the {} of a picture's tokens", values.len(), self.dimensions()));
        }
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return wrong(format!("a token value is {value}"));
        }
        if self.values.len() + values.len() > MOST {
            return wrong(format!("{} pictures are as many as are measured at once", self.pictures()));
        }
        self.values.extend_from_slice(values);
        self.labels.push(label);
        Ok(())
    }

    /// The token grid.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Channels of a token.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Values of a picture.
    pub fn dimensions(&self) -> usize {
        self.grid.tokens() * self.channels
    }

    /// How many pictures there are.
    pub fn pictures(&self) -> usize {
        self.labels.len()
    }

    /// The values of each picture and its class.
    pub(super) fn each(&self) -> impl Iterator<Item = (&[f32], Option<u32>)> {
        self.values.chunks_exact(self.dimensions()).zip(self.labels.iter().copied())
    }

    /// How many means are taken away: the classes, and one for the pictures of unknown class.
    pub fn classes(&self) -> usize {
        self.means().len()
    }

    /// The values less the mean of the picture's class, picture by picture, and how many degrees of freedom are left.
    ///
    /// # Errors
    /// [`BackendError::Request`] if each class has one picture only.
    pub(super) fn centred(&self) -> Result<(Vec<f32>, usize), BackendError> {
        let means = self.means();
        let freedom = self.pictures() - means.len();
        if freedom == 0 {
            let (pictures, classes) = (self.pictures(), means.len());
            return Err(BackendError::Request(format!(
                "{pictures} pictures of {classes} classes show no spread within a class: give two of a class at least"
            )));
        }
        let mut values = self.values.clone();
        for (values, label) in values.chunks_exact_mut(self.dimensions()).zip(&self.labels) {
            #[expect(clippy::cast_possible_truncation, reason = "back to the type of the values")]
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
