//! A row of a report: name, scores and cost.

use gtr_backends::judge::{Bootstrap, Frechet, Interval, Measured, Scores};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Evaluator, ExternalImages, ImageSet, Observation, Subject};
use crate::Error;

/// Scores of a subject or of existing images.
#[derive(Clone, Debug)]
pub struct EvaluationRow {
    /// Name in tables.
    pub name: String,
    /// Scores with their intervals.
    pub scores: Scores,
    /// Settings and cost of generation; `None` for existing images.
    pub made: Option<Made>,
}

/// Settings of generation, and the cost of one image.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// Guidance scale.
    pub cfg: f64,
    /// Temperature: factor of the noise that denoising adds.
    pub temperature: f64,
    /// Number of AR steps.
    pub ar_steps: usize,
    /// Number of sequential network evaluations.
    pub network_evaluations: usize,
    /// Number of evaluations of the diffusion head, summed over all tokens.
    pub token_evaluations: usize,
    /// Number of operations, as `gtr-cli cost` counts them.
    pub operations: f64,
    /// Generation time of an image in seconds; `None` in untimed reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// Reference of the scores, and the bootstrap of their intervals.
#[derive(Clone, Debug)]
pub struct Scorer {
    /// Feature statistics of the real images.
    pub reference: Frechet,
    /// Resampling for the intervals.
    pub bootstrap: Bootstrap,
}

impl Scorer {
    /// Computes the scores of an observation.
    ///
    /// # Errors
    /// [`Error::Backend`] if there are too few images for a distance.
    pub fn scores(&self, observation: &Observation, images: &ImageSet) -> Result<Scores, Error> {
        Ok(Scores::of(&observation.verdicts, Some(&images.labels()), &self.reference, &self.bootstrap)?)
    }
}

impl EvaluationRow {
    /// Generates and scores images of each subject.
    ///
    /// # Errors
    /// Errors of [`Evaluator::observe`] and [`Scorer::scores`].
    pub fn all(
        evaluator: &mut Evaluator<'_>,
        subjects: &[Subject],
        images: &ImageSet,
        scale: &Scorer,
    ) -> Result<Vec<Self>, Error> {
        let observations = evaluator.observe(subjects, images)?;
        let row = |(subject, observation): (&Subject, &Observation)| {
            let summary = subject.plan.summary();
            Ok(Self {
                name: subject.name.clone(),
                scores: scale.scores(observation, images)?,
                made: Some(Made {
                    cfg: subject.guidance.scale(),
                    temperature: subject.temperature,
                    ar_steps: summary.ar_steps,
                    network_evaluations: summary.network_evaluations(),
                    token_evaluations: summary.token_evaluations,
                    operations: evaluator.cost(subject).total(),
                    seconds: Some(observation.seconds),
                }),
            })
        };
        subjects.iter().zip(&observations).map(row).collect()
    }

    /// Removes the seconds, which differ from run to run.
    pub fn untimed(rows: &mut [Self]) {
        rows.iter_mut().filter_map(|row| row.made.as_mut()).for_each(|made| made.seconds = None);
    }

    /// Scores existing images.
    ///
    /// # Errors
    /// [`Error::Failure`] if there are too few images for a distance.
    pub fn external(images: &ExternalImages, scale: &Scorer) -> Result<Self, Error> {
        let scores = Scores::of(&images.verdicts, images.labels.as_deref(), &scale.reference, &scale.bootstrap);
        let scores = scores.map_err(|error| Error::failure(&images.name, &error))?;
        Ok(Self { name: images.name.clone(), scores, made: None })
    }

    /// Returns the distance of this row minus that of `other`, paired by resample; `None` if their numbers of images differ.
    pub fn difference_from(&self, other: &Self) -> Option<Measured> {
        (self.scores.images == other.scores.images).then(|| self.scores.frechet.minus(&other.scores.frechet))
    }

    /// Returns the row as JSON, with its difference from `other`.
    pub fn json(&self, other: Option<&Self>) -> Value {
        let mut row = json!({
            "name": self.name,
            "images": self.scores.images,
            "frechet": number(&self.scores.frechet),
            "class_accuracy": self.scores.accuracy.as_ref().map(|it| bounded(it.share, it.interval)),
            "inception_score": number(&self.scores.inception),
            "frechet_against_first": other.and_then(|other| self.difference_from(other)).as_ref().map(number),
        });
        if let (Some(row), Ok(Value::Object(made))) = (row.as_object_mut(), serde_json::to_value(&self.made)) {
            row.extend(made);
        }
        row
    }
}

/// Classifies a difference of distances: `better` or `worse` if its 95 % interval excludes 0, else `not significantly different`.
pub fn significance(difference: &Measured) -> &'static str {
    let Interval { low, high } = difference.interval();
    match (low > 0.0, high < 0.0) {
        (true, _) => "worse",
        (_, true) => "better",
        _ => "not significantly different",
    }
}

fn number(measured: &Measured) -> Value {
    bounded(measured.value(), measured.interval())
}

fn bounded(value: f64, Interval { low, high }: Interval) -> Value {
    json!({ "value": value, "low": low, "high": high })
}
