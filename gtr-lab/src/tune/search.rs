//! The search on a model.

use gtr_backends::judge::{Bootstrap, FEATURES, Frechet, Moments};
use gtr_core::loss::Field;
use gtr_core::sampler::Settings;
use gtr_core::{Guidance, Seed, count};

use super::budget::{Allowance, Budget};
use super::halving::{Halving, Round};
use super::held_out::{DataSplit, HeldOut};
use super::search_space::{BASELINE, Candidate, Space};
use crate::Error;
use crate::evaluation::{EvaluationRow, Evaluator, ImageSet, Observation, Scorer, Subject};

/// Number of classes.
const CLASSES: u32 = 10;

/// A model, the settings of its images, and the data of the search.
#[derive(Debug)]
pub struct Search<'a, 'r> {
    /// Evaluator of the model.
    pub evaluator: &'a mut Evaluator<'r>,
    /// Classifier-free guidance.
    pub guidance: Guidance,
    /// Temperature: factor of the noise that denoising adds.
    pub temperature: f64,
    /// Data that the search measures on.
    pub split: DataSplit,
    /// Field on which losses are computed.
    pub field: Field,
}

impl<'r> Search<'_, 'r> {
    /// Returns the space of candidates on the model.
    pub fn space(&self) -> Space<'r> {
        Space {
            registry: self.evaluator.registry(),
            grid: self.evaluator.grid(),
            head: self.evaluator.head_kind(),
            capabilities: self.evaluator.capabilities(),
            arch: self.evaluator.arch(),
            settings: Settings { seed: Seed(0), guidance: self.guidance, temperature: self.temperature },
            field: self.field.clone(),
        }
    }

    /// Converts a budget to operations. Seconds are converted at the rate of `gtr-16`, measured on `images` images in this run or
    /// taken from the store.
    ///
    /// # Errors
    /// Errors of [`Space::preset`] and [`Evaluator::observe`].
    pub fn allowance(&mut self, budget: &Budget, images: u64) -> Result<Allowance, Error> {
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

    /// Measures candidates by successive halving. `later` is the number of images that will be generated afterwards; it only affects
    /// the reported remaining time.
    ///
    /// # Errors
    /// Errors of [`Evaluator::observe`]; [`Error::Failure`] if all candidates are too slow.
    pub fn halve(
        &mut self,
        candidates: &[Candidate],
        allowance: &Allowance,
        halving: Halving,
        later: u64,
    ) -> Result<Vec<Round>, Error> {
        let reference = self.evaluator.reference(self.split.reference);
        let rounds = halving.rounds().count();
        let mut round = 0;
        halving.run(|numbers, images, after| -> Result<_, Error> {
            round += 1;
            let some: Vec<&Candidate> = numbers.iter().filter_map(|&number| candidates.get(number)).collect();
            self.evaluator.notes().say(format_args!(
                "round {round} of {rounds}: {}, {} each",
                count(some.len(), "candidate"),
                count(images, "image")
            ));
            #[expect(clippy::cast_precision_loss, reason = "an estimate of the time left")]
            self.evaluator.expect((after + later) as f64 * allowance.operations);
            // Candidates that are too slow drop out.
            let score = |it: &Observation| {
                if allowance.allows(it.seconds) { distance(&reference, it) } else { Ok(f64::INFINITY) }
            };
            let scores: Vec<f64> = self.observe(&some, images)?.iter().map(score).collect::<Result<_, _>>()?;
            if scores.iter().all(|score| score.is_infinite()) {
                return Err(Error::Failure(format!(
                    "--budget: {} took longer per image: give more seconds",
                    if some.len() == 1 { "the candidate" } else { "all candidates" }
                )));
            }
            Ok(scores)
        })
    }

    /// Measures the final figures on held-out data, one row per candidate.
    ///
    /// # Errors
    /// Errors of [`EvaluationRow::all`].
    pub fn measure(
        &mut self,
        some: &[&Candidate],
        held_out: &HeldOut,
        count: u64,
        bootstrap: Bootstrap,
    ) -> Result<Vec<EvaluationRow>, Error> {
        let DataSplit { seeds, reference } = held_out.split();
        let scale = Scorer { reference: self.evaluator.reference(*reference), bootstrap };
        let images = ImageSet::new(count, seeds, CLASSES)?;
        self.evaluator.notes().say(format_args!("final figure: {} each", gtr_core::count(count, "image")));
        self.evaluator.expect(0.0);
        let subjects: Vec<Subject> = some.iter().map(|it| self.subject(it)).collect();
        EvaluationRow::all(self.evaluator, &subjects, &images, &scale)
    }

    fn observe(&mut self, some: &[&Candidate], images: u64) -> Result<Vec<Observation>, Error> {
        let images = ImageSet::new(images, &self.split.seeds, CLASSES)?;
        let subjects: Vec<Subject> = some.iter().map(|it| self.subject(it)).collect();
        self.evaluator.observe(&subjects, &images)
    }

    fn subject(&self, candidate: &Candidate) -> Subject {
        let Candidate { name, plan, .. } = candidate;
        Subject { name: name.clone(), plan: plan.clone(), guidance: self.guidance, temperature: self.temperature }
    }
}

/// Returns the score of the search: the Fréchet distance.
fn distance(reference: &Frechet, observation: &Observation) -> Result<f64, Error> {
    let features: Vec<f64> = observation.verdicts.iter().flat_map(|it| it.features.map(f64::from)).collect();
    Ok(reference.to(&Moments::of(&features, FEATURES)?)?)
}
