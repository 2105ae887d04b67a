//! Turns drafts into candidates within the budget of a model.

use std::collections::BTreeSet;

use gtr_core::cost::ArchSpec;
use gtr_core::loss::{self, Field};
use gtr_core::{Grid, ImageIndex, Plan, Registry, Schedule, Seed, Stream, StreamPurpose, TimestepLimit, preset};

use super::candidate::{Cut, Draft};
use crate::Error;

/// Purpose of the random numbers of a search: `image` is the index of the candidate, `place` the index of the attempt. The judge uses
/// `Other(0)`.
pub(super) const SEARCH: StreamPurpose = StreamPurpose::Other(1);
/// Number of images that a loss is averaged over.
const IMAGES: u64 = 4;
/// Name of the preset that is the baseline.
pub const BASELINE: &str = "gtr-16";
/// Maximum number of AR steps of a candidate.
const MOST_STEPS: u64 = 64;
/// Attempts to draw a draft that is within the budget and new.
const ATTEMPTS: u64 = 20;
/// Drafts drawn per candidate that is measured; those with the least loss are kept.
const DRAWN: usize = 3;

/// Plans schedules on a model, and computes their cost and loss.
#[derive(Clone, Debug)]
pub struct Space<'r> {
    /// Registry of schedule implementations.
    pub registry: &'r Registry,
    /// Token grid of the model.
    pub grid: Grid,
    /// Range of timesteps that the model supports.
    pub limit: TimestepLimit,
    /// Architecture of the model.
    pub arch: ArchSpec,
    /// True with classifier-free guidance, which doubles the network evaluations.
    pub guided: bool,
    /// Field on which losses are computed.
    pub field: Field,
}

/// A schedule within the budget.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Short name.
    pub name: String,
    /// The schedule.
    pub schedule: Schedule,
    /// Plan on the grid of the model.
    pub plan: Plan,
    /// Operations per image.
    pub operations: f64,
    /// Loss of the plan, in nats.
    pub loss: f64,
}

/// Candidates that were selected by loss.
#[derive(Clone, Debug)]
pub struct Sieved {
    /// The candidates; the first is the baseline.
    pub candidates: Vec<Candidate>,
    /// Number of candidates that were dropped for their loss.
    pub thrown_out: usize,
}

impl Space<'_> {
    /// Returns a preset on this grid.
    ///
    /// # Errors
    /// [`Error::Core`] for an unknown name, or a preset that does not fit the grid.
    pub fn preset(&self, name: &str) -> Result<Candidate, Error> {
        let preset = preset::find(name)?;
        let mut schedule = preset.schedule.clone();
        schedule.set_default_timestep_limit(self.limit)?;
        let plan = schedule.plan(self.grid, self.registry)?.plan;
        let (operations, loss) = (self.operations(&plan), self.loss(&plan)?);
        Ok(Candidate { name: preset.name.clone(), schedule: preset.schedule.clone(), plan, operations, loss })
    }

    /// Returns at most `count` candidates within a budget: `gtr-16` with as many steps as the budget allows, other known schedules,
    /// and random ones. Three times as many are drawn as needed, and those with the least loss are kept. The result depends only
    /// on the arguments.
    ///
    /// # Errors
    /// [`Error::Request`] if `gtr-16` exceeds the budget with any number of steps.
    pub fn candidates(&self, budget: f64, seed: Seed, count: usize) -> Result<Sieved, Error> {
        let known = Draft::known();
        let mut candidates = vec![self.baseline(budget, known.first())?];
        let mut plans = BTreeSet::from([candidates[0].plan.to_document().to_json()]);
        let mut add = |candidates: &mut Vec<Candidate>, draft: &Draft| {
            let candidate = self.spend(draft, budget);
            let new = candidate.filter(|it| plans.insert(it.plan.to_document().to_json()));
            new.map(|candidate| candidates.push(candidate)).is_some()
        };
        for draft in known.iter().skip(1).take(count.saturating_sub(1)) {
            add(&mut candidates, draft);
        }
        let known_ones = candidates.len();
        for number in 0..(DRAWN * (count - known_ones.min(count))) as u64 {
            for attempt in 0..ATTEMPTS {
                let mut stream = Stream::new(seed, SEARCH, ImageIndex(number), attempt);
                if add(&mut candidates, &Draft::draw(&mut stream, &known)) {
                    break;
                }
            }
        }
        let drawn = candidates.len();
        // The sort is stable: ties keep the order of drawing.
        candidates[known_ones..].sort_by(|a, b| a.loss.total_cmp(&b.loss));
        candidates.truncate(count.max(known_ones));
        Ok(Sieved { thrown_out: drawn - candidates.len(), candidates })
    }

    /// Returns `gtr-16` with as many steps as the budget allows.
    fn baseline(&self, budget: f64, draft: Option<&Draft>) -> Result<Candidate, Error> {
        let preset = self.preset(BASELINE)?;
        // At its own cost, return the preset itself, even if it was adapted to the grid.
        #[expect(clippy::float_cmp, reason = "the same operations of the same plan")]
        if preset.operations == budget {
            return Ok(preset);
        }
        let steps = |candidate: &Candidate| candidate.plan.steps().len();
        match draft.and_then(|draft| self.spend(draft, budget)) {
            Some(spent) if spent.plan == preset.plan => Ok(preset),
            Some(spent) => Ok(Candidate { name: format!("{BASELINE} in {} steps", steps(&spent)), ..spent }),
            None => {
                let least = draft.and_then(|draft| self.cheapest(draft)).unwrap_or(preset);
                Err(Error::request(format_args!(
                    "--budget: {budget:.3e} operations per image are too few for the baseline: {BASELINE} in {} AR steps, its \
                     cheapest form, takes {:.3e} on this model",
                    steps(&least),
                    least.operations
                )))
            }
        }
    }

    /// Returns a draft with as many AR steps as the budget allows, or `None` if it exceeds the budget with any number.
    fn spend(&self, draft: &Draft, budget: f64) -> Option<Candidate> {
        // More steps may cost less: with few steps, all of them have as many diffusion steps as the first.
        let within = self.each(draft).filter(|candidate| candidate.operations <= budget);
        let mut most = within.max_by_key(|candidate| candidate.plan.steps().len())?;
        most.loss = self.loss(&most.plan).ok()?;
        Some(most)
    }

    /// Returns a draft with the number of AR steps that costs least.
    fn cheapest(&self, draft: &Draft) -> Option<Candidate> {
        self.each(draft).min_by(|a, b| a.operations.total_cmp(&b.operations))
    }

    /// Returns a draft with each possible number of AR steps.
    fn each(&self, draft: &Draft) -> impl Iterator<Item = Candidate> {
        let tokens = self.stages(draft.cut, draft.shares.len());
        let steps = tokens.iter().sum::<u64>().min(MOST_STEPS);
        (0..=steps).filter_map(move |steps| self.candidate(draft, draft.schedule(steps, &tokens)?))
    }

    fn candidate(&self, draft: &Draft, schedule: Schedule) -> Option<Candidate> {
        let plan = self.plan(&schedule)?;
        let operations = self.operations(&plan);
        // The loss is computed later, only for the candidate that is chosen.
        Some(Candidate { name: draft.name(&schedule), schedule, plan, operations, loss: 0.0 })
    }

    /// Returns the tokens of each of `stages` stages; empty if the grid does not have that many.
    fn stages(&self, cut: Cut, stages: usize) -> Vec<u64> {
        let one_each = Draft { cut, shares: vec![1; stages], t_max: 1, t_min: 1, t_rec: 1, beta: 0 };
        let least = one_each.schedule(stages as u64, &vec![1; stages]);
        let plan = least.and_then(|schedule| self.plan(&schedule));
        plan.map_or_else(Vec::new, |plan| plan.summary().stages.iter().map(|stage| stage.tokens as u64).collect())
    }

    /// Returns the plan, or `None` if the schedule would have to be adapted to the grid.
    fn plan(&self, schedule: &Schedule) -> Option<Plan> {
        let mut schedule = schedule.clone();
        schedule.set_default_timestep_limit(self.limit).ok()?;
        let planned = schedule.plan(self.grid, self.registry).ok()?;
        planned.adaptations.is_empty().then_some(planned.plan)
    }

    fn loss(&self, plan: &Plan) -> Result<f64, Error> {
        Ok(loss::mean_loss(plan, Seed(0), IMAGES, &self.field)?.mean.total)
    }

    fn operations(&self, plan: &Plan) -> f64 {
        self.arch.cost(plan, self.guided).total()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    fn digits() -> Space<'static> {
        static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::builtin);
        let spec = gtr_backends::spec("digits").unwrap();
        let field = Field::default();
        Space { registry: &REGISTRY, grid: spec.grid, limit: spec.timestep_limit, arch: spec.arch, guided: true, field }
    }

    #[test]
    fn candidates_are_within_the_budget_sound_and_distinct() {
        let space = digits();
        let budget = space.preset("gtr-16").unwrap().operations;
        let Sieved { candidates, thrown_out } = space.candidates(budget, Seed(1), 40).unwrap();
        assert_eq!(candidates.len(), 40);
        assert!(thrown_out > 20, "{thrown_out}");
        let cascades = candidates.iter().filter(|it| it.name.starts_with("quincunx")).count();
        assert!((3..38).contains(&cascades), "{cascades}");
        assert_eq!(candidates[0].plan, space.preset("gtr-16").unwrap().plan);
        assert_eq!(candidates[0].name, "gtr-16");
        let mut seen = BTreeSet::new();
        for candidate in &candidates {
            assert!(candidate.operations <= budget, "{}", candidate.name);
            assert_eq!(candidate.operations, space.arch.cost(&candidate.plan, true).total());
            let document = candidate.plan.to_document();
            assert!(gtr_core::verify(&document, space.registry).is_sound(), "{}", candidate.name);
            assert!(seen.insert(document.to_json()), "{} twice", candidate.name);
        }
    }

    #[test]
    fn no_more_steps_are_affordable() {
        let space = digits();
        let budget = space.preset("gtr-16").unwrap().operations;
        // In one step, all tokens of the first stage have 65 diffusion steps: two AR steps cost more than three.
        let dear = Draft { cut: Cut::Diagonal, shares: vec![1, 1], t_max: 65, t_min: 20, t_rec: 15, beta: 10 };
        let draws = (0..50).map(|number| {
            let mut stream = Stream::new(Seed(7), SEARCH, ImageIndex(number), 0);
            Draft::draw(&mut stream, &Draft::known())
        });
        for draft in [dear].into_iter().chain(draws) {
            let Some(spent) = space.spend(&draft, budget) else { continue };
            let steps = spent.plan.steps().len();
            assert!(spent.operations <= budget, "{}", spent.name);
            let more = space.each(&draft).filter(|it| it.plan.steps().len() > steps);
            assert!(more.into_iter().all(|it| it.operations > budget), "{}", spent.name);
        }
    }

    #[test]
    fn other_budgets_have_the_baseline_in_other_steps() {
        let space = digits();
        let of = |name: &str| space.preset(name).unwrap();
        let less = space.candidates(0.8 * of("gtr-16").operations, Seed(1), 1).unwrap().candidates;
        assert_eq!(less.len(), 1);
        assert!(less[0].name.starts_with("gtr-16 in ") && less[0].plan.steps().len() < 16, "{}", less[0].name);
        let more = space.candidates(of("mar-64").operations, Seed(1), 1).unwrap().candidates;
        assert!(more[0].plan.steps().len() > 16, "{}", more[0].name);
    }

    #[test]
    fn drafts_with_the_largest_loss_are_dropped() {
        let space = digits();
        let budget = space.preset("gtr-16").unwrap().operations;
        let few = space.candidates(budget, Seed(1), 12).unwrap();
        let known = Draft::known().len();
        let drawn = &few.candidates[known..];
        assert!(drawn.is_sorted_by(|a, b| a.loss <= b.loss));
        // Among as many draws, some have a larger loss than every candidate that was kept.
        let worst = drawn.last().unwrap().loss;
        let lost = (0..DRAWN as u64 * drawn.len() as u64).filter_map(|number| {
            let mut stream = Stream::new(Seed(1), SEARCH, ImageIndex(number), 0);
            space.spend(&Draft::draw(&mut stream, &Draft::known()), budget)
        });
        assert!(lost.filter(|it| it.loss > worst).count() > few.thrown_out / 2);
    }

    #[test]
    fn a_budget_below_the_baseline_is_refused() {
        let error = digits().candidates(1e6, Seed(1), 8).unwrap_err().to_string();
        assert!(
            error.contains("1.000e6") && error.contains("gtr-16 in 4 AR steps, its cheapest form, takes"),
            "{error}"
        );
    }
}
