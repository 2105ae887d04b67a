//! What some images are worth.

use super::inception::Sharpness;
use super::moments::{Sample, float};
use super::{Bootstrap, CLASSES, FEATURES, Frechet, Interval, Measured, Verdict, wilson};
use crate::BackendError;

/// The scores of some images.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Scores {
    /// How many images there are.
    pub images: usize,
    /// The Fréchet distance of their features; lower is better. It is biased by the number of images.
    pub frechet: Measured,
    /// How surely and how evenly the judge reads classes; higher is better.
    pub inception: Measured,
    /// The share of images that the judge reads as what they were asked for, where that is known.
    pub accuracy: Option<Accuracy>,
}

/// A share of images.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Accuracy {
    /// The share.
    pub share: f64,
    /// Where it lies: see [`wilson`].
    pub interval: Interval,
}

impl Scores {
    /// The scores of images that were asked for by these classes, if that is known.
    ///
    /// Images are drawn anew class by class where classes are known, since the number of each was chosen. Scores of as
    /// many images with the same classes, in the same order, can be compared draw by draw: see [`Measured::minus`]. Where no
    /// class has two images, the draws say nothing, and the intervals of distance and inception score have no ends.
    ///
    /// # Errors
    /// [`BackendError::Request`] for fewer than two images, another number of classes than of images, or features that
    /// are not finite.
    pub fn of(
        verdicts: &[Verdict],
        classes: Option<&[u32]>,
        reference: &Frechet,
        bootstrap: &Bootstrap,
    ) -> Result<Self, BackendError> {
        let images = verdicts.len();
        if let Some(classes) = classes.filter(|classes| classes.len() != images) {
            let labels = classes.len();
            return Err(BackendError::Request(format!("{labels} classes do not belong to {images} images")));
        }
        let features: Vec<f64> = verdicts.iter().flat_map(|it| it.features.map(f64::from)).collect();
        let sample = Sample::new(&features, FEATURES)?;
        let logits: Vec<[f32; CLASSES]> = verdicts.iter().map(|verdict| verdict.logits).collect();
        if !logits.as_flattened().iter().all(|logit| logit.is_finite()) {
            return Err(BackendError::Request("a logit is not a finite number".to_owned()));
        }
        let sharpness = Sharpness::of(&logits);
        let measure = |times: &[u32]| (reference.distance(&sample.moments(times)), sharpness.score(times));
        // An error, where the width is another.
        reference.to(&sample.moments(&vec![1; images]))?;
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

/// Places of the images of each class, or all of them in one group.
fn groups(images: usize, classes: Option<&[u32]>) -> Vec<Vec<usize>> {
    let Some(classes) = classes else { return vec![(0..images).collect()] };
    let mut groups = std::collections::BTreeMap::<u32, Vec<usize>>::new();
    for (place, &class) in classes.iter().enumerate() {
        groups.entry(class).or_default().push(place);
    }
    groups.into_values().collect()
}

/// Draws as far from their mean as those of new images would be.
///
/// `n` images drawn from themselves vary less than new ones by the factor `(n - 1) / n` of the variance, since it is their own mean
/// that they vary around; drawn in groups, each of which has its own, by `(n - groups) / n`. With an image a group all draws are the
/// same, and none is kept.
fn stretched(drawn: Vec<f64>, images: usize, groups: usize) -> Vec<f64> {
    let free = images.saturating_sub(groups);
    if free == 0 {
        return Vec::new();
    }
    let factor = (float(images as u64) / float(free as u64)).sqrt();
    let mean = drawn.iter().sum::<f64>() / float(drawn.len() as u64);
    drawn.into_iter().map(|it| mean + factor * (it - mean)).collect()
}
