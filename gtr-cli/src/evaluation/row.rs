//! A row of a table: what was judged, what it costs, and how it scores.

use gtr_backends::judge::{Bootstrap, Frechet, Interval, Measured, Scores};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Evaluator, Images, Observation, Outcome, Outside, Subject};
use crate::error::{CliError, ExitStatus};

/// Something that was judged.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) scores: Scores,
    /// How the images were made, unless that was elsewhere.
    pub(crate) made: Option<Made>,
}

/// How images were made, and what one of them costs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Made {
    pub(crate) cfg: f64,
    pub(crate) temperature: f64,
    pub(crate) ar_steps: usize,
    /// Evaluations of a network that follow one another.
    pub(crate) network_evaluations: usize,
    /// Evaluations of the head, of all tokens.
    pub(crate) token_evaluations: usize,
    /// As `cost` counts them.
    pub(crate) operations: f64,
    /// What it took, where that is to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
}

/// What scores are measured against, and how sure they are.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) reference: Frechet,
    pub(crate) bootstrap: Bootstrap,
}

impl Scale {
    /// The scores of what was seen.
    pub(crate) fn scores(&self, observation: &Observation, images: &Images) -> Result<Scores, CliError> {
        Ok(Scores::of(&observation.verdicts, Some(&images.labels()), &self.reference, &self.bootstrap)?)
    }
}

impl Row {
    /// Makes, judges and scores images of each subject; or how the program is to end, if it was asked to.
    pub(crate) fn all(
        evaluator: &mut Evaluator,
        subjects: &[Subject],
        images: &Images,
        scale: &Scale,
    ) -> Result<Result<Vec<Self>, ExitStatus>, CliError> {
        let observations = match evaluator.observe(subjects, images)? {
            Outcome::Whole(observations) => observations,
            Outcome::Stopped(status) => return Ok(Err(status)),
        };
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
        subjects.iter().zip(&observations).map(row).collect::<Result<_, CliError>>().map(Ok)
    }

    /// Scores pictures that were made elsewhere.
    pub(crate) fn outside(outside: &Outside, scale: &Scale) -> Result<Self, CliError> {
        let scores = Scores::of(&outside.verdicts, outside.labels.as_deref(), &scale.reference, &scale.bootstrap);
        let scores = scores.map_err(|error| CliError::failure(&outside.name, &error))?;
        Ok(Self { name: outside.name.clone(), scores, made: None })
    }

    /// By how much its distance is larger than that of another row of as many images.
    pub(crate) fn beyond(&self, other: &Self) -> Option<Measured> {
        (self.scores.images == other.scores.images).then(|| self.scores.frechet.minus(&other.scores.frechet))
    }

    /// It, and by how much it differs from another row, to be processed.
    pub(crate) fn json(&self, other: Option<&Self>) -> Value {
        let mut row = json!({
            "name": self.name,
            "images": self.scores.images,
            "frechet": number(&self.scores.frechet),
            "class_accuracy": self.scores.accuracy.as_ref().map(|it| bounded(it.share, it.interval)),
            "inception_score": number(&self.scores.inception),
            "frechet_against_first": other.and_then(|other| self.beyond(other)).as_ref().map(number),
        });
        if let (Some(row), Ok(Value::Object(made))) = (row.as_object_mut(), serde_json::to_value(&self.made)) {
            row.extend(made);
        }
        row
    }
}

/// Whether a difference of distances says that something is better.
pub(crate) fn told(difference: &Measured) -> &'static str {
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
