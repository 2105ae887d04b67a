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
    /// The share and its resamples, to be compared with others.
    pub share: Measured,
    /// Where it lies: see [`wilson`].
    pub interval: Interval,
}

impl Scores {
    /// The scores of images that were asked for by these classes, if that is known.
    ///
    /// Images are drawn anew class by class where classes are known, since the number of each was chosen. Scores of as
    /// many images with the same classes, in the same order, can be compared draw by draw: see [`Measured::minus`].
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
        let right: Option<Vec<bool>> =
            classes.map(|classes| verdicts.iter().zip(classes).map(|(it, class)| it.class() == *class).collect());
        let measure = |times: &[u32]| {
            let frechet = reference.distance(&sample.moments(times));
            (frechet, sharpness.score(times), right.as_deref().map(|right| share(right, times)))
        };
        // An error, where the width is another.
        reference.to(&sample.moments(&vec![1; images]))?;
        let (frechet, inception, accuracy) = measure(&vec![1; images]);
        let drawn = bootstrap.draw(&groups(images, classes), images, measure);
        let accuracy = right.as_deref().zip(accuracy).map(|(right, share)| Accuracy {
            share: Measured::new(share, drawn.iter().filter_map(|it| it.2).collect()),
            interval: wilson(right.iter().filter(|right| **right).count() as u64, images as u64),
        });
        Ok(Self {
            images,
            frechet: Measured::new(frechet, drawn.iter().map(|it| it.0).collect()),
            inception: Measured::new(inception, drawn.iter().map(|it| it.1).collect()),
            accuracy,
        })
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

fn share(right: &[bool], times: &[u32]) -> f64 {
    let all: u64 = times.iter().map(|&times| u64::from(times)).sum();
    let hits: u64 = right.iter().zip(times).filter(|(right, _)| **right).map(|(_, &times)| u64::from(times)).sum();
    float(hits) / float(all)
}
