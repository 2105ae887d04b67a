//! The search on a model.

use gtr_backends::BackendError;
use gtr_backends::judge::{Bootstrap, FEATURES, Frechet, Moments};
use gtr_core::Guidance;
use gtr_core::loss::Field;

use super::budget::{Allowance, Budget};
use super::halving::{Halving, Round};
use super::space::{BASELINE, Candidate, Space};
use super::unseen::{Sight, Unseen};
use crate::error::{CliError, ExitStatus};
use crate::evaluation::{Evaluator, Images, Observation, Outcome, Row, Scale, Subject};
use crate::output;
use crate::table::count;

/// Classes share the images.
const CLASSES: u32 = 10;

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It was asked to stop.
    Stopped(ExitStatus),
    /// It cannot be done.
    Failed(CliError),
}

impl From<CliError> for Halt {
    fn from(error: CliError) -> Self {
        Self::Failed(error)
    }
}

impl From<BackendError> for Halt {
    fn from(error: BackendError) -> Self {
        Self::Failed(error.into())
    }
}

/// A model, how its images are made, and what the search sees of them.
pub(crate) struct Search<'a> {
    pub(crate) evaluator: &'a mut Evaluator,
    pub(crate) guidance: Guidance,
    pub(crate) temperature: f64,
    pub(crate) sight: Sight,
    /// The field that candidates lose on.
    pub(crate) field: Field,
}

impl Search<'_> {
    /// Where schedules are planned.
    pub(crate) fn space(&self) -> Space {
        Space {
            grid: self.evaluator.grid(),
            limit: self.evaluator.timestep_limit(),
            arch: self.evaluator.arch(),
            guided: self.guidance.is_guided(),
            field: self.field.clone(),
        }
    }

    /// A budget in numbers. One of seconds becomes operations at the rate at which this run makes images of `gtr-16`, or the
    /// run that it goes on from.
    pub(crate) fn allowance(&mut self, budget: &Budget, images: u64) -> Result<Allowance, Halt> {
        Ok(match budget {
            Budget::Operations(operations) => Allowance::from(*operations),
            Budget::Preset(name) => Allowance::from(self.space().preset(name)?.operations),
            Budget::Seconds(limit) => {
                let preset = self.space().preset(BASELINE)?;
                let observed = self.observe(&[&preset], images)?;
                let yardstick = observed.first().map_or(f64::NAN, |it| it.seconds);
                Allowance::of_seconds(*limit, yardstick, preset.operations)
            }
        })
    }

    /// Measures candidates, each round the better half of the one before. After that, as many images are still to be made.
    pub(crate) fn halve(
        &mut self,
        candidates: &[Candidate],
        allowance: &Allowance,
        halving: Halving,
        later: u64,
    ) -> Result<Vec<Round>, Halt> {
        let reference = self.evaluator.reference(self.sight.reference);
        let rounds = halving.rounds().count();
        let mut round = 0;
        halving.run(|numbers, images, after| -> Result<_, Halt> {
            round += 1;
            let some: Vec<&Candidate> = numbers.iter().filter_map(|&number| candidates.get(number)).collect();
            output::note(format_args!(
                "round {round} of {rounds}: {}, {} each",
                count(some.len(), "candidate"),
                count(images, "image")
            ));
            #[expect(clippy::cast_precision_loss, reason = "an estimate of the time left")]
            self.evaluator.expect((after + later) as f64 * allowance.operations);
            // What takes too long is no candidate.
            let score = |it: &Observation| {
                if allowance.allows(it.seconds) { distance(&reference, it) } else { Ok(f64::INFINITY) }
            };
            let scores: Vec<f64> = self.observe(&some, images)?.iter().map(score).collect::<Result<_, _>>()?;
            if scores.iter().all(|score| score.is_infinite()) {
                return Err(CliError::Failure(format!(
                    "--budget: {} took longer than that to make an image: give more seconds",
                    if some.len() == 1 { "the candidate" } else { "all candidates" }
                ))
                .into());
            }
            Ok(scores)
        })
    }

    /// The final figures, a row each, on what the search never saw.
    pub(crate) fn measure(
        &mut self,
        some: &[&Candidate],
        unseen: &Unseen,
        count: u64,
        bootstrap: Bootstrap,
    ) -> Result<Vec<Row>, Halt> {
        let Sight { seeds, reference } = unseen.sight();
        let scale = Scale { reference: self.evaluator.reference(*reference), bootstrap };
        let images = Images::new(count, seeds, CLASSES)?;
        output::note(format_args!("final figure: {} each", crate::table::count(count, "image")));
        self.evaluator.expect(0.0);
        let subjects: Vec<Subject> = some.iter().map(|it| self.subject(it)).collect();
        Row::all(self.evaluator, &subjects, &images, &scale)?.map_err(Halt::Stopped)
    }

    fn observe(&mut self, some: &[&Candidate], images: u64) -> Result<Vec<Observation>, Halt> {
        let images = Images::new(images, &self.sight.seeds, CLASSES)?;
        let subjects: Vec<Subject> = some.iter().map(|it| self.subject(it)).collect();
        match self.evaluator.observe(&subjects, &images)? {
            Outcome::Whole(observations) => Ok(observations),
            Outcome::Stopped(status) => Err(Halt::Stopped(status)),
        }
    }

    fn subject(&self, candidate: &Candidate) -> Subject {
        let Candidate { name, plan, .. } = candidate;
        Subject { name: name.clone(), plan: plan.clone(), guidance: self.guidance, temperature: self.temperature }
    }
}

/// What the search looks at: the Fréchet distance, without an interval.
fn distance(reference: &Frechet, observation: &Observation) -> Result<f64, CliError> {
    let features: Vec<f64> = observation.verdicts.iter().flat_map(|it| it.features.map(f64::from)).collect();
    Ok(reference.to(&Moments::of(&features, FEATURES)?)?)
}
