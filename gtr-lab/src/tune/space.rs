//! From drafts to candidates that spend the budget on a model.

use std::collections::BTreeSet;

use gtr_core::cost::ArchSpec;
use gtr_core::loss::{self, Field};
use gtr_core::{Grid, ImageIndex, Plan, Purpose, Registry, Schedule, Seed, Stream, TimestepLimit, preset};

use super::draft::{Cut, Draft};
use crate::Error;

/// Images that a loss is averaged over.
const IMAGES: u64 = 4;
/// What others are compared with.
pub const BASELINE: &str = "gtr-16";
/// No candidate has more AR steps.
const MOST_STEPS: u64 = 64;
/// As often a draft is drawn in the place of one that is too dear or there already.
const ATTEMPTS: u64 = 20;
/// So many times as many candidates are drawn as are measured; those that lose least are.
const DRAWN: usize = 3;

/// Where schedules are planned, and what their plans cost.
#[derive(Clone, Debug)]
pub struct Space<'r> {
    /// Where implementations of schedules come from.
    pub registry: &'r Registry,
    /// The model's grid.
    pub grid: Grid,
    /// The timesteps that the model is good for.
    pub limit: TimestepLimit,
    /// What the model is made of.
    pub arch: ArchSpec,
    /// Whether images are guided, which doubles what they cost.
    pub guided: bool,
    /// The field that losses are computed on.
    pub field: Field,
}

/// A schedule within the budget.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What it is, in short.
    pub name: String,
    /// The schedule.
    pub schedule: Schedule,
    /// Its plan on the model.
    pub plan: Plan,
    /// Of an image.
    pub operations: f64,
    /// What the plan loses, in nats.
    pub loss: f64,
}

/// Candidates to be measured, and how many lost too much for that.
#[derive(Clone, Debug)]
pub struct Sieved {
    /// The first is the baseline.
    pub candidates: Vec<Candidate>,
    /// How many were thrown out by their loss, before any image is made.
    pub thrown_out: usize,
}

impl Space<'_> {
    /// A preset on this grid.
    ///
    /// # Errors
    /// [`Error::Core`] for a name that is not known, or a preset that does not fit.
    pub fn preset(&self, name: &str) -> Result<Candidate, Error> {
        let preset = preset::find(name)?;
        let mut schedule = preset.schedule.clone();
        schedule.set_default_timestep_limit(self.limit)?;
        let plan = schedule.plan(self.grid, self.registry)?.plan;
        let (operations, loss) = (self.operations(&plan), self.loss(&plan)?);
        Ok(Candidate { name: preset.name.clone(), schedule: preset.schedule.clone(), plan, operations, loss })
    }

    /// As many candidates within a budget, fewer where there are not as many: `gtr-16` in as many steps as the budget
    /// affords, other known schedules, and of three times as many drawn ones those that lose least. Which they are depends on the
    /// arguments alone.
    ///
    /// # Errors
    /// [`Error::Request`] for a budget that `gtr-16` exceeds in any number of steps.
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
                let mut stream = Stream::new(seed, Purpose::Search, ImageIndex(number), attempt);
                if add(&mut candidates, &Draft::draw(&mut stream, &known)) {
                    break;
                }
            }
        }
        let drawn = candidates.len();
        // Stable: of those that lose as much, the first drawn.
        candidates[known_ones..].sort_by(|a, b| a.loss.total_cmp(&b.loss));
        candidates.truncate(count.max(known_ones));
        Ok(Sieved { thrown_out: drawn - candidates.len(), candidates })
    }

    /// `gtr-16`, with as many steps as the budget affords.
    fn baseline(&self, budget: f64, draft: Option<&Draft>) -> Result<Candidate, Error> {
        let preset = self.preset(BASELINE)?;
        // At its own cost it is the preset itself, also on a grid to which it adapts.
        #[expect(clippy::float_cmp, reason = "the same count of the same plan")]
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
                    "--budget: {budget:.3e} operations an image are too few: {BASELINE} at its cheapest, in {} AR steps, takes \
                     {:.3e} on this model, and it is what others are compared with",
                    steps(&least),
                    least.operations
                )))
            }
        }
    }

    /// A draft with as many AR steps as the budget affords.
    fn spend(&self, draft: &Draft, budget: f64) -> Option<Candidate> {
        // More steps may cost less: with few, all have as many diffusion steps as the first.
        let within = self.each(draft).filter(|candidate| candidate.operations <= budget);
        let mut most = within.max_by_key(|candidate| candidate.plan.steps().len())?;
        most.loss = self.loss(&most.plan).ok()?;
        Some(most)
    }

    fn cheapest(&self, draft: &Draft) -> Option<Candidate> {
        self.each(draft).min_by(|a, b| a.operations.total_cmp(&b.operations))
    }

    /// A draft with any number of AR steps.
    fn each(&self, draft: &Draft) -> impl Iterator<Item = Candidate> {
        let tokens = self.stages(draft.cut, draft.shares.len());
        let steps = tokens.iter().sum::<u64>().min(MOST_STEPS);
        (0..=steps).filter_map(move |steps| self.candidate(draft, draft.schedule(steps, &tokens)?))
    }

    fn candidate(&self, draft: &Draft, schedule: Schedule) -> Option<Candidate> {
        let plan = self.plan(&schedule)?;
        let operations = self.operations(&plan);
        // Known of the one that is chosen.
        Some(Candidate { name: draft.name(&schedule), schedule, plan, operations, loss: 0.0 })
    }

    /// Tokens of as many stages; none, where the grid has not as many.
    fn stages(&self, cut: Cut, stages: usize) -> Vec<u64> {
        let one_each = Draft { cut, shares: vec![1; stages], t_max: 1, t_min: 1, t_rec: 1, beta: 0 };
        let least = one_each.schedule(stages as u64, &vec![1; stages]);
        let plan = least.and_then(|schedule| self.plan(&schedule));
        plan.map_or_else(Vec::new, |plan| plan.summary().stages.iter().map(|stage| stage.tokens as u64).collect())
    }

    /// The plan, if the grid meets the schedule as it is.
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
    fn candidates_are_within_the_budget_sound_and_no_two_the_same() {
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
            let mut stream = Stream::new(Seed(7), Purpose::Search, ImageIndex(number), 0);
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
    fn what_is_drawn_and_loses_most_is_thrown_out() {
        let space = digits();
        let budget = space.preset("gtr-16").unwrap().operations;
        let few = space.candidates(budget, Seed(1), 12).unwrap();
        let known = Draft::known().len();
        let drawn = &few.candidates[known..];
        assert!(drawn.is_sorted_by(|a, b| a.loss <= b.loss));
        // Of other draws, as many as the sieve would see, some lose more than all that it kept.
        let worst = drawn.last().unwrap().loss;
        let lost = (0..DRAWN as u64 * drawn.len() as u64).filter_map(|number| {
            let mut stream = Stream::new(Seed(1), Purpose::Search, ImageIndex(number), 0);
            space.spend(&Draft::draw(&mut stream, &Draft::known()), budget)
        });
        assert!(lost.filter(|it| it.loss > worst).count() > few.thrown_out / 2);
    }

    #[test]
    fn a_budget_that_nothing_meets_is_refused() {
        let error = digits().candidates(1e6, Seed(1), 8).unwrap_err().to_string();
        assert!(error.contains("1.000e6") && error.contains("gtr-16 at its cheapest, in 4 AR steps, takes"), "{error}");
    }
}
