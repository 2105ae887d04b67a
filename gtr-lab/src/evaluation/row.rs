//! A row of a table: what was judged, what it costs, and how it scores.

use gtr_backends::judge::{Bootstrap, Frechet, Interval, Measured, Scores};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Evaluator, ExternalImages, ImageSet, Observation, Subject};
use crate::Error;

/// Something that was judged.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// How it scores.
    pub scores: Scores,
    /// How the images were made, unless that was elsewhere.
    pub made: Option<Made>,
}

/// How images were made, and what one of them costs.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// Scale of guidance.
    pub cfg: f64,
    /// Factor of the noise that is added while denoising.
    pub temperature: f64,
    /// AR steps of an image.
    pub ar_steps: usize,
    /// Evaluations of a network that follow one another.
    pub network_evaluations: usize,
    /// Evaluations of the head, of all tokens.
    pub token_evaluations: usize,
    /// As `cost` counts them.
    pub operations: f64,
    /// What it took, where that is to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// What scores are measured against, and how sure they are.
#[derive(Clone, Debug)]
pub struct Scale {
    /// The features of the real pictures.
    pub reference: Frechet,
    /// How often images are drawn anew for the intervals.
    pub bootstrap: Bootstrap,
}

impl Scale {
    /// The scores of what was seen.
    ///
    /// # Errors
    /// [`Error::Backend`] for fewer images than a distance takes.
    pub fn scores(&self, observation: &Observation, images: &ImageSet) -> Result<Scores, Error> {
        Ok(Scores::of(&observation.verdicts, Some(&images.labels()), &self.reference, &self.bootstrap)?)
    }
}

impl Row {
    /// Makes, judges and scores images of each subject.
    ///
    /// # Errors
    /// Those of [`Evaluator::observe`], and of scoring fewer images than a distance takes.
    pub fn all(
        evaluator: &mut Evaluator<'_>,
        subjects: &[Subject],
        images: &ImageSet,
        scale: &Scale,
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

    /// Leaves out what took time, so that the same rows are the same bytes.
    pub fn untimed(rows: &mut [Self]) {
        rows.iter_mut().filter_map(|row| row.made.as_mut()).for_each(|made| made.seconds = None);
    }

    /// Scores pictures that were made elsewhere.
    ///
    /// # Errors
    /// [`Error::Failure`] for fewer than a distance takes.
    pub fn external(images: &ExternalImages, scale: &Scale) -> Result<Self, Error> {
        let scores = Scores::of(&images.verdicts, images.labels.as_deref(), &scale.reference, &scale.bootstrap);
        let scores = scores.map_err(|error| Error::failure(&images.name, &error))?;
        Ok(Self { name: images.name.clone(), scores, made: None })
    }

    /// By how much its distance is larger than that of another row of as many images.
    pub fn difference_from(&self, other: &Self) -> Option<Measured> {
        (self.scores.images == other.scores.images).then(|| self.scores.frechet.minus(&other.scores.frechet))
    }

    /// It, and by how much it differs from another row, to be processed.
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

/// Whether a difference of distances says that something is better.
pub fn told(difference: &Measured) -> &'static str {
    let Interval { low, high } = difference.interval();
    match (low > 0.0, high < 0.0) {
        (true, _) => "worse",
        (_, true) => "better",
        _ => "not told apart",
    }
}

fn number(measured: &Measured) -> Value {
    bounded(measured.value(), measured.interval())
}

fn bounded(value: f64, Interval { low, high }: Interval) -> Value {
    json!({ "value": value, "low": low, "high": high })
}
