//! Estimates the covariance of samples.

use std::collections::BTreeMap;
use std::fmt;

use gtr_core::OutOfRange;
use gtr_linalg::{OuterProducts, add_outer_product};
use rayon::prelude::*;

use super::file::Numbers;
use super::{FieldFile, Samples, oas};
use crate::BackendError;

/// Largest number of values of an image for a full covariance, which then takes 2 GiB.
const MOST: usize = 1 << 14;

/// Form of a covariance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One value for each pair of token values, shrunk by [`oas`].
    Full,
    /// The average over all pairs of tokens with the same displacement. It has far fewer values, for few images or a
    /// small file. The sum over the pairs is divided by the number of all tokens, so a displacement (r, c) has weight
    /// (1 - r/height)(1 - c/width). This taper keeps the covariance positive definite, as for time series.
    Averaged,
}

impl Form {
    /// Both forms.
    pub const ALL: [Self; 2] = [Self::Full, Self::Averaged];

    /// Name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Averaged => "averaged",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Samples {
    /// Estimates the field of the samples from their covariance within classes, and records its provenance. `nugget` (0
    /// to 1) is the share of the mean variance that is independent noise of each value.
    ///
    /// # Errors
    /// [`BackendError::Request`] if no class has two images or if there are too many values for a full covariance,
    /// [`BackendError::OutOfRange`] for a nugget outside 0 to 1.
    pub fn field(&self, form: Form, nugget: f64) -> Result<FieldFile, BackendError> {
        if !(0.0..=1.0).contains(&nugget) {
            let found = nugget.to_string();
            return Err(OutOfRange { what: "the nugget", expected: "0 to 1", found }.into());
        }
        let (values, freedom) = self.centred()?;
        let (dimensions, pictures) = (self.dimensions(), self.pictures());
        let mut provenance: BTreeMap<String, String> = [
            ("pictures", pictures.to_string()),
            ("means", self.classes().to_string()),
            ("degrees_of_freedom", freedom.to_string()),
            ("nugget", nugget.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let numbers = match form {
            Form::Full if dimensions > MOST => {
                return Err(BackendError::Request(format!(
                    "a full covariance has at most {MOST} values per image, found {dimensions}: average it over \
                     displacements"
                )));
            }
            Form::Full => {
                let mut covariance = full(&values, dimensions, freedom);
                let share = shrink(&mut covariance, dimensions, freedom);
                provenance.insert("shrinkage".to_owned(), "OAS (arXiv 0907.4698)".to_owned());
                provenance.insert("shrinkage_share".to_owned(), share.to_string());
                mix(&mut covariance, dimensions, nugget);
                Numbers::Full(covariance)
            }
            Form::Averaged => {
                let mut averaged = self.averaged(&values, freedom);
                // The block of displacement 0 is in the middle.
                let block = self.channels() * self.channels();
                let middle = averaged.len() / block / 2 * block;
                let trace: f64 = (0..self.channels()).map(|at| averaged[middle + at * (self.channels() + 1)]).sum();
                for number in &mut averaged {
                    *number *= 1.0 - nugget;
                }
                for at in 0..self.channels() {
                    averaged[middle + at * (self.channels() + 1)] += nugget * trace / gtr_core::float(self.channels());
                }
                Numbers::Averaged(averaged)
            }
        };
        FieldFile::new(self.grid(), self.channels(), numbers, provenance)
    }

    /// Returns `[2 height - 1, 2 width - 1, channels, channels]`, indexed by displacement plus (height - 1, width - 1).
    fn averaged(&self, values: &[f32], freedom: usize) -> Vec<f64> {
        let (height, width, channels) = (self.grid().height() as usize, self.grid().width() as usize, self.channels());
        let (rows, columns) = (2 * height - 1, 2 * width - 1);
        let block = channels * channels;
        let scale = 1.0 / gtr_core::float(freedom * self.grid().tokens());
        // The other half is the mirror image.
        let half = rows * columns / 2;
        let later: Vec<Vec<f64>> = (half..rows * columns)
            .into_par_iter()
            .map(|place| {
                let (down, right) = (place / columns + 1 - height, place % columns);
                let mut sums = vec![0.0; block];
                for picture in values.chunks_exact(self.dimensions()) {
                    let token = |row: usize, column: usize| &picture[(row * width + column) * channels..][..channels];
                    for row in 0..height - down {
                        for column in 0..width {
                            // A displacement may point left.
                            let Some(to) = (column + right).checked_sub(width - 1).filter(|to| *to < width) else {
                                continue;
                            };
                            add_outer_product(&mut sums, token(row, column), token(row + down, to));
                        }
                    }
                }
                for sum in &mut sums {
                    *sum *= scale;
                }
                sums
            })
            .collect();
        let mirrored = later.iter().skip(1).rev().map(|sums| transposed(sums, channels));
        mirrored
            .chain(std::iter::once(symmetric(&later[0], channels)))
            .chain(later.iter().skip(1).cloned())
            .flatten()
            .collect()
    }
}

fn transposed(block: &[f64], channels: usize) -> Vec<f64> {
    (0..block.len()).map(|at| block[at % channels * channels + at / channels]).collect()
}

/// Symmetrises the block of displacement 0, which is symmetric up to rounding.
fn symmetric(block: &[f64], channels: usize) -> Vec<f64> {
    block.iter().zip(transposed(block, channels)).map(|(a, b)| f64::midpoint(*a, b)).collect()
}

/// Covariance of centred values, `[dimensions, dimensions]`.
fn full(values: &[f32], dimensions: usize, freedom: usize) -> Vec<f64> {
    let mut sum = OuterProducts::new(dimensions);
    sum.add(values);
    sum.divided_by(gtr_core::float(freedom)).as_slice().to_vec()
}

/// Mixes a covariance with a multiple of the identity, using the share of [`oas`]. Returns the share.
fn shrink(covariance: &mut [f64], dimensions: usize, samples: usize) -> f64 {
    let trace: f64 = (0..dimensions).map(|at| covariance[at * dimensions + at]).sum();
    let squares = covariance.iter().map(|number| number * number).sum();
    let share = oas(trace, squares, dimensions, samples);
    mix(covariance, dimensions, share);
    share
}

/// Mixes a covariance with the multiple of the identity that has the same trace; `share` is the weight of the identity.
fn mix(covariance: &mut [f64], dimensions: usize, share: f64) {
    let trace: f64 = (0..dimensions).map(|at| covariance[at * dimensions + at]).sum();
    for number in covariance.iter_mut() {
        *number *= 1.0 - share;
    }
    for at in 0..dimensions {
        covariance[at * dimensions + at] += share * trace / gtr_core::float(dimensions);
    }
}

#[cfg(test)]
mod tests {
    use gtr_core::Grid;

    use super::*;

    /// Images of two channels, generated by a simple rule.
    fn samples(grid: (u32, u32), pictures: u32) -> Samples {
        let mut samples = Samples::new(Grid::new(grid.0, grid.1).unwrap(), 2);
        let count = u32::try_from(samples.dimensions()).unwrap();
        for picture in 0..pictures {
            let value = |at: u32| f64::from((picture * 7919 + at * 104_729 + picture * at * 31) % 1009) / 1009.0;
            #[expect(clippy::cast_possible_truncation, reason = "small test values")]
            let values: Vec<f32> = (0..count).map(|at| value(at) as f32).collect();
            samples.add(&values, Some(picture % 2)).unwrap();
        }
        samples
    }

    #[test]
    fn full_is_the_covariance_within_classes() {
        let samples = samples((2, 2), 40);
        let (values, freedom) = samples.centred().unwrap();
        assert_eq!(freedom, 38);
        let ours = full(&values, 8, freedom);
        for (row, column) in [(0, 0), (1, 5), (7, 2)] {
            let by_hand: f64 = values.chunks_exact(8).map(|it| f64::from(it[row]) * f64::from(it[column])).sum();
            assert!((ours[row * 8 + column] - by_hand / 38.0).abs() < 1e-12);
        }
        assert!((0..64).all(|at| ours[at] == ours[at % 8 * 8 + at / 8]));
    }

    #[test]
    fn averaged_is_the_tapered_mean_over_displacements() {
        let samples = samples((3, 4), 30);
        let (values, freedom) = samples.centred().unwrap();
        let (all, averaged) = (full(&values, 24, freedom), samples.averaged(&values, freedom));
        assert_eq!(averaged.len(), 5 * 7 * 4);
        for (down, right) in [(0_i32, 0_i32), (1, -2), (-2, 3), (2, 0), (0, -1)] {
            for (k, l) in [(0, 0), (0, 1), (1, 0)] {
                let mut sum = 0.0;
                for a in 0..12_i32 {
                    let (row, column) = (a / 4 + down, a % 4 + right);
                    if (0..3).contains(&row) && (0..4).contains(&column) {
                        let at = (a * 2 + k) * 24 + (row * 4 + column) * 2 + l;
                        sum += all[usize::try_from(at).unwrap()];
                    }
                }
                let at = usize::try_from(((down + 2) * 7 + right + 3) * 4 + k * 2 + l).unwrap();
                assert!((averaged[at] - sum / 12.0).abs() < 1e-12, "{down} {right} {k} {l}");
            }
        }
    }

    #[test]
    fn one_image_per_class_is_refused() {
        let error = samples((2, 2), 2).field(Form::Averaged, 0.0).unwrap_err().to_string();
        assert!(error.contains("found 2 images of 2 classes"), "{error}");
    }

    #[test]
    fn shrinkage_makes_few_images_positive_definite() {
        let field = samples((2, 3), 8).field(Form::Full, 0.0).unwrap();
        assert!(field.provenance()["shrinkage_share"].parse::<f64>().unwrap() > 0.05);
        field.check().unwrap();
    }

    #[test]
    fn a_nugget_keeps_the_variance_and_is_the_same_in_both_forms() {
        // With one token the forms differ only by the shrinkage.
        let samples = samples((1, 1), 5000);
        let [plain, mixed] = [0.0, 0.25].map(|nugget| {
            let field = samples.field(Form::Averaged, nugget).unwrap().measured("x").unwrap();
            field.classes()[0].clone()
        });
        assert!((plain[0] + plain[3] - mixed[0] - mixed[3]).abs() < 1e-6);
        assert!((0.75 * plain[1] - mixed[1]).abs() < 1e-6);
        let full = samples.field(Form::Full, 0.25).unwrap().measured("x").unwrap();
        assert!(full.classes()[0].iter().zip(&mixed).all(|(a, b)| (a - b).abs() < 1e-3));
        assert!(samples.field(Form::Full, 1.5).is_err());
    }
}
