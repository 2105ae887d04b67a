//! All metrics of a set of images.

use super::inception::Sharpness;
use super::moments::sample;
use super::{Bootstrap, CLASSES, Classification, FEATURES, Frechet, Interval, Measured, Moments, float, wilson};
use crate::BackendError;

/// Quality metrics of a set of images.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Scores {
    /// Number of images.
    pub images: usize,
    /// Fréchet distance of the features; lower is better. It is biased by the number of images.
    pub frechet: Measured,
    /// Inception score (see [`inception_score`](super::inception_score)); higher is better.
    pub inception: Measured,
    /// Share of images that are classified as the requested class; `None` if the requested classes are unknown.
    pub accuracy: Option<Accuracy>,
}

/// A share of images with its confidence interval.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Accuracy {
    /// Share, 0 to 1.
    pub share: f64,
    /// 95 % confidence interval: see [`wilson`].
    pub interval: Interval,
}

impl Scores {
    /// Computes the metrics of images with their requested classes, if known.
    ///
    /// If the classes are known, the bootstrap is stratified by class, because the number of images per class is fixed.
    /// Scores of the same number of images with the same classes in the same order are paired: see [`Measured::minus`].
    /// If no class has two images, the intervals of distance and inception score are infinite.
    ///
    /// # Errors
    /// [`BackendError::Request`] for fewer than two images, if the number of classes is not the number of images, or
    /// for features that are not finite.
    pub fn of(
        verdicts: &[Classification],
        classes: Option<&[u32]>,
        reference: &Frechet,
        bootstrap: &Bootstrap,
    ) -> Result<Self, BackendError> {
        let images = verdicts.len();
        if let Some(classes) = classes.filter(|classes| classes.len() != images) {
            let labels = classes.len();
            return Err(BackendError::Request(format!(
                "expected one class per image, found {} for {}",
                gtr_core::count(labels, "class"),
                gtr_core::count(images, "image")
            )));
        }
        let features: Vec<f64> = verdicts.iter().flat_map(|it| it.features.map(f64::from)).collect();
        let sample = sample(&features, FEATURES)?;
        let logits: Vec<[f32; CLASSES]> = verdicts.iter().map(|verdict| verdict.logits).collect();
        if !logits.as_flattened().iter().all(|logit| logit.is_finite()) {
            return Err(BackendError::Request("a logit is not finite".to_owned()));
        }
        let sharpness = Sharpness::of(&logits);
        let moments = |times: &[u32]| Moments::weighted(&sample, times);
        let measure = |times: &[u32]| (reference.distance(&moments(times)), sharpness.score(times));
        // Returns an error if the widths differ.
        reference.to(&moments(&vec![1; images]))?;
        let (frechet, inception) = measure(&vec![1; images]);
        let groups = groups(images, classes);
        let (frechets, inceptions) = bootstrap.draw(&groups, images, measure).into_iter().unzip();
        let measured = |value, drawn| Measured::new(value, stretched(drawn, images, groups.len()));
        let accuracy = classes.map(|classes| {
            let right =
                verdicts.iter().zip(classes).filter(|(verdict, class)| verdict.class() == **class).count() as u64;
            Accuracy { share: float(right) / float(images as u64), interval: wilson(right, images as u64) }
        });
        Ok(Self { images, frechet: measured(frechet, frechets), inception: measured(inception, inceptions), accuracy })
    }
}

/// Indices of the images of each class, or of all images in one group.
fn groups(images: usize, classes: Option<&[u32]>) -> Vec<Vec<usize>> {
    let Some(classes) = classes else { return vec![(0..images).collect()] };
    let mut groups = std::collections::BTreeMap::<u32, Vec<usize>>::new();
    for (place, &class) in classes.iter().enumerate() {
        groups.entry(class).or_default().push(place);
    }
    groups.into_values().collect()
}

/// Corrects the variance of bootstrap resamples for the finite sample size.
///
/// The variance of resamples of `n` images is too small by the factor `(n - 1) / n`, because they vary around the
/// sample mean. For stratified resamples the factor is `(n - groups) / n`. With one image per group all resamples are
/// equal, and none is kept.
fn stretched(drawn: Vec<f64>, images: usize, groups: usize) -> Vec<f64> {
    let free = images.saturating_sub(groups);
    if free == 0 {
        return Vec::new();
    }
    let factor = (float(images as u64) / float(free as u64)).sqrt();
    let mean = drawn.iter().sum::<f64>() / float(drawn.len() as u64);
    drawn.into_iter().map(|it| mean + factor * (it - mean)).collect()
}
