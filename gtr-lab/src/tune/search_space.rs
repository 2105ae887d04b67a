//! Turns drafts into candidates within the budget of a model.

use std::convert::Infallible;

use gtr_core::cost::ArchSpec;
use gtr_core::loss::{self, Field};
use gtr_core::sampler::{Execution, SampleError, Settings};
use gtr_core::{
    Capability, Grid, HeadKind, ImageIndex, Plan, Registry, Sampler, Schedule, Seed, Stream, StreamPurpose, preset,
};

use super::candidate::{Cut, Draft};
use super::optional_axes::{Choices, OptionalAxes};
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
/// Drafts drawn per candidate that is measured; those with the least [`Candidate::rank`] are kept.
const DRAWN: usize = 3;

/// Plans schedules on a model, and computes their cost and loss.
#[derive(Clone, Debug)]
pub struct Space<'r> {
    /// Registry of schedule implementations.
    pub registry: &'r Registry,
    /// Token grid of the model.
    pub grid: Grid,
    /// Kind of head of the model, with the range of timesteps that it supports.
    pub head: HeadKind,
    /// Capabilities that the model provides.
    pub capabilities: Vec<Capability>,
    /// Architecture of the model.
    pub arch: ArchSpec,
    /// Settings of the images; their seed has no effect.
    pub settings: Settings,
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
    /// Loss by which drafts are selected, in nats: that of the draft without its optional axes, also within the budget. A loss does
    /// not see the error of these axes, so the AR steps that they pay for must not count.
    pub rank: f64,
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
        schedule.set_default_timestep_limit(self.head.timesteps())?;
        let plan = schedule.plan(self.grid, self.registry)?.plan;
        let (operations, loss) = (self.operations(&plan), self.loss(&plan)?);
        Ok(Candidate {
            name: preset.name.clone(),
            schedule: preset.schedule.clone(),
            plan,
            operations,
            loss,
            rank: loss,
        })
    }

    /// Returns at most `count` candidates within a budget: `gtr-16` with as many steps as the budget allows, other known schedules,
    /// and random ones. Three times as many are drawn as needed, and those with the least loss are kept. The model can run all of
    /// them, and no two do the same. The result depends only on the arguments.
    ///
    /// # Errors
    /// [`Error::Request`] if `gtr-16` exceeds the budget with any number of steps, or the model cannot run it.
    pub fn candidates(&self, budget: f64, seed: Seed, count: usize) -> Result<Sieved, Error> {
        let known = Draft::known();
        let mut candidates = vec![self.baseline(budget, known.first())?];
        let axes = OptionalAxes::of(self.registry);
        let mut executions = vec![self.execution(&candidates[0].plan)?];
        let mut add = |candidates: &mut Vec<Candidate>, draft: &Draft| {
            let Some(candidate) = self.spend(draft, budget) else { return false };
            let Ok(execution) = self.execution(&candidate.plan) else { return false };
            let new = !executions.contains(&execution);
            if new {
                executions.push(execution);
                candidates.push(candidate);
            }
            new
        };
        for draft in known.iter().skip(1).take(count.saturating_sub(1)) {
            add(&mut candidates, draft);
        }
        let known_ones = candidates.len();
        for number in 0..(DRAWN * (count - known_ones.min(count))) as u64 {
            for attempt in 0..ATTEMPTS {
                let mut stream = Stream::new(seed, SEARCH, ImageIndex(number), attempt);
                if add(&mut candidates, &Draft::draw(&mut stream, &known, &axes)) {
                    break;
                }
            }
        }
        let drawn = candidates.len();
        // The sort is stable: ties keep the order of drawing.
        candidates[known_ones..].sort_by(|a, b| a.rank.total_cmp(&b.rank));
        candidates.truncate(count.max(known_ones));
        Ok(Sieved { thrown_out: drawn - candidates.len(), candidates })
    }

    /// Returns `gtr-16` with as many steps as the budget allows.
    fn baseline(&self, budget: f64, draft: Option<&Draft>) -> Result<Candidate, Error> {
        let preset = self.preset(BASELINE)?;
        self.check(&preset.plan).map_err(|error| Error::request(format_args!("{BASELINE}: {error}")))?;
        // At its own cost, return the preset itself, even if it was adapted to the grid.
        #[expect(clippy::float_cmp, reason = "the same operations of the same plan")]
        if preset.operations == budget {
            return Ok(preset);
        }
        let steps = |candidate: &Candidate| candidate.plan.steps().len();
        match draft.and_then(|draft| self.spend(draft, budget)) {
            Some(spent) if spent.plan == preset.plan => Ok(preset),
            Some(spent) => {
                Ok(Candidate { name: format!("{BASELINE} in {}", gtr_core::count(steps(&spent), "step")), ..spent })
            }
            None => {
                let least = draft.and_then(|draft| self.cheapest(draft)).unwrap_or(preset);
                Err(Error::request(format_args!(
                    "--budget: {budget:.3e} operations per image are too few for the baseline: {BASELINE} in {}, its \
                     cheapest form, takes {:.3e} on this model",
                    gtr_core::count(steps(&least), "AR step"),
                    least.operations
                )))
            }
        }
    }

    /// Returns a draft with as many AR steps as the budget allows, or `None` if it exceeds the budget with any number, or the model
    /// cannot run it.
    fn spend(&self, draft: &Draft, budget: f64) -> Option<Candidate> {
        // More steps may cost less: with few steps, all of them have as many diffusion steps as the first.
        let within = self.each(draft).filter(|candidate| candidate.operations <= budget);
        let mut most = within.max_by_key(|candidate| candidate.plan.steps().len())?;
        self.check(&most.plan).ok()?;
        if let Some(same) = self.simpler(draft, &most) {
            return self.spend(&same, budget);
        }
        most.loss = self.loss(&most.plan).ok()?;
        // A draft that only its optional axes make affordable has its own loss.
        let plain = draft.axes.any().then(|| Draft { axes: Choices::default(), ..draft.clone() });
        most.rank = plain.and_then(|plain| self.spend(&plain, budget)).map_or(most.loss, |plain| plain.loss);
        Some(most)
    }

    /// Returns the draft without an optional axis that has no effect on a candidate, such as a guidance curve at scale 1; `None` if
    /// all of them have one.
    fn simpler(&self, draft: &Draft, candidate: &Candidate) -> Option<Draft> {
        let execution = self.execution(&candidate.plan).ok()?;
        let steps = candidate.plan.steps().len() as u64;
        let tokens = self.stages(draft.cut, draft.shares.len());
        let equal = |draft: &Draft| {
            let plan = draft.schedule(steps, &tokens).and_then(|schedule| self.plan(&schedule));
            plan.is_some_and(|plan| self.execution(&plan).is_ok_and(|it| it == execution))
        };
        draft.axes.with_one_less().map(|axes| Draft { axes, ..draft.clone() }).find(equal)
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
        // The losses are computed later, only for the candidate that is chosen.
        Some(Candidate { name: draft.name(&schedule), schedule, plan, operations, loss: 0.0, rank: 0.0 })
    }

    /// Returns the tokens of each of `stages` stages; empty if the grid does not have that many.
    fn stages(&self, cut: Cut, stages: usize) -> Vec<u64> {
        let axes = Choices::default();
        let one_each = Draft { cut, shares: vec![1; stages], t_max: 1, t_min: 1, t_rec: 1, beta: 0, axes };
        let least = one_each.schedule(stages as u64, &vec![1; stages]);
        let plan = least.and_then(|schedule| self.plan(&schedule));
        plan.map_or_else(Vec::new, |plan| plan.summary().stages.iter().map(|stage| stage.tokens as u64).collect())
    }

    /// Returns the plan, or `None` if the schedule would have to be adapted to the grid.
    fn plan(&self, schedule: &Schedule) -> Option<Plan> {
        let mut schedule = schedule.clone();
        schedule.set_default_timestep_limit(self.head.timesteps()).ok()?;
        let planned = schedule.plan(self.grid, self.registry).ok()?;
        planned.adaptations.is_empty().then_some(planned.plan)
    }

    fn loss(&self, plan: &Plan) -> Result<f64, Error> {
        Ok(loss::mean_loss(plan, Seed(0), IMAGES, &self.field)?.mean.total)
    }

    fn operations(&self, plan: &Plan) -> f64 {
        self.arch.cost(plan, self.settings.guidance.is_guided()).total()
    }

    /// Checks whether the model can run a plan with the settings.
    fn check(&self, plan: &Plan) -> Result<(), SampleError<Infallible>> {
        let provides = |capability| self.capabilities.contains(&capability);
        Sampler::new(plan, self.registry)?.check_model(self.head, provides, &self.settings)
    }

    fn execution(&self, plan: &Plan) -> Result<Execution, gtr_core::Error> {
        Ok(Sampler::new(plan, self.registry)?.execution(&self.settings))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::LazyLock;

    use gtr_core::{AnyEntry, AxisConfig, AxisName, Component, Fraction, Guidance, GuidanceCurve, PlanShape};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;

    fn digits() -> Space<'static> {
        static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::builtin);
        with(&REGISTRY)
    }

    fn with(registry: &Registry) -> Space<'_> {
        let spec = gtr_backends::spec("digits").unwrap();
        let guidance = Guidance::new(3.0, spec.guidance_schedule).unwrap();
        let settings = Settings { seed: Seed(0), guidance, temperature: 1.0 };
        let capabilities = Capability::ALL.to_vec();
        let (mut head, field) = (HeadKind::DIFFUSION, Field::default());
        if let HeadKind::Diffusion { timesteps, .. } = &mut head {
            *timesteps = spec.timestep_limit;
        }
        Space { registry, grid: spec.grid, head, capabilities, arch: spec.arch, settings, field }
    }

    /// Returns the candidates at the cost of `gtr-16`.
    fn drawn(space: &Space<'_>, count: usize) -> Vec<Candidate> {
        let budget = space.preset("gtr-16").unwrap().operations;
        space.candidates(budget, Seed(1), count).unwrap().candidates
    }

    /// Candidates on the digits model, at the cost of `gtr-16`.
    static DIGITS: LazyLock<Vec<Candidate>> = LazyLock::new(|| drawn(&digits(), 100));

    /// Returns the kinds of an optional axis among candidates, without the default.
    fn kinds(candidates: &[Candidate], axis: AxisName) -> BTreeSet<&str> {
        let set = candidates.iter().flat_map(|it| it.schedule.axes());
        set.filter(|(set, _)| *set == axis).map(|(_, config)| config.kind.as_str()).collect()
    }

    fn optional() -> impl Iterator<Item = (AxisName, &'static str)> {
        AxisName::ALL.into_iter().filter_map(|axis| Some((axis, axis.default_kind()?)))
    }

    #[test]
    fn candidates_are_within_the_budget_sound_and_distinct() {
        let space = digits();
        let budget = space.preset("gtr-16").unwrap().operations;
        let Sieved { candidates, thrown_out } = space.candidates(budget, Seed(1), 40).unwrap();
        assert_eq!(candidates.len(), 40);
        let mut executions = Vec::new();
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
            let text = serde_json::to_string(&candidate.schedule).unwrap();
            let read: Schedule = serde_json::from_str(&text).unwrap();
            assert_eq!(space.plan(&read).as_ref(), Some(&candidate.plan), "{}", candidate.name);
            let execution = space.execution(&candidate.plan).unwrap();
            assert!(!executions.contains(&execution), "{} twice", candidate.name);
            executions.push(execution);
        }
    }

    #[test]
    fn no_more_steps_are_affordable() {
        let space = digits();
        let budget = space.preset("gtr-16").unwrap().operations;
        // In one step, all tokens of the first stage have 65 diffusion steps: two AR steps cost more than three.
        let axes = Choices::default();
        let dear = Draft { cut: Cut::Diagonal, shares: vec![1, 1], t_max: 65, t_min: 20, t_rec: 15, beta: 10, axes };
        let axes = OptionalAxes::of(space.registry);
        let draws = (0..50).map(|number| {
            let mut stream = Stream::new(Seed(7), SEARCH, ImageIndex(number), 0);
            Draft::draw(&mut stream, &Draft::known(), &axes)
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
        assert!(drawn.is_sorted_by(|a, b| a.rank <= b.rank));
        // Among as many draws, some have a larger loss than every candidate that was kept.
        let worst = drawn.last().unwrap().rank;
        let axes = OptionalAxes::of(space.registry);
        let lost = (0..DRAWN as u64 * drawn.len() as u64).filter_map(|number| {
            let mut stream = Stream::new(Seed(1), SEARCH, ImageIndex(number), 0);
            space.spend(&Draft::draw(&mut stream, &Draft::known(), &axes), budget)
        });
        assert!(lost.filter(|it| it.rank > worst).count() > few.thrown_out / 2);
    }

    #[test]
    fn a_budget_below_the_baseline_is_refused() {
        let error = digits().candidates(1e6, Seed(1), 8).unwrap_err().to_string();
        assert!(
            error.contains("1.000e6") && error.contains("gtr-16 in 4 AR steps, its cheapest form, takes"),
            "{error}"
        );
    }

    #[test]
    fn candidates_cover_the_optional_axes() {
        let space = digits();
        let candidates = &*DIGITS;
        for (axis, default) in optional() {
            let entries = space.registry.entries(axis);
            // A kind that only repeats the default on this model cannot be measured a second time.
            let baseline = &candidates[0];
            let execution = |config: AxisConfig| {
                let mut schedule = baseline.schedule.clone();
                schedule.set_axis(axis, config);
                space.execution(&space.plan(&schedule).unwrap()).unwrap()
            };
            let differs = |kind: &str| execution(AxisConfig::new(kind)) != execution(AxisConfig::new(default));
            let expected: BTreeSet<&str> = entries.iter().map(AnyEntry::kind).filter(|kind| differs(kind)).collect();
            assert!(!expected.is_empty(), "{axis}");
            assert_eq!(kinds(candidates, axis), expected, "{axis}");
        }
        let plain = |it: &&Candidate| it.schedule.axes().all(|(axis, _)| axis.default_kind().is_none());
        assert!((20..80).contains(&candidates.iter().filter(plain).count()));
    }

    #[test]
    fn optional_axes_do_not_decide_the_sieve() {
        let candidates = &*DIGITS;
        let plain = |it: &&Candidate| it.schedule.axes().all(|(axis, _)| axis.default_kind().is_none());
        assert!(candidates.iter().filter(plain).all(|it| it.rank == it.loss));
        // Reuse pays for more AR steps, with which the loss is less. It would crowd out the others.
        let reuse: Vec<_> = candidates.iter().filter(|it| it.schedule.reuse.is_some()).collect();
        assert!(reuse.iter().filter(|it| it.loss < it.rank).count() > reuse.len() / 2);
        assert!((3..candidates.len() / 3).contains(&reuse.len()), "{}", reuse.len());
    }

    #[test]
    fn drafts_cover_every_example_of_every_kind() {
        let registry = Registry::builtin();
        let axes = OptionalAxes::of(&registry);
        let mut stream = Stream::new(Seed(1), SEARCH, ImageIndex(0), 0);
        let known = Draft::known();
        let drafts: Vec<Draft> = (0..2000).map(|_| Draft::draw(&mut stream, &known, &axes)).collect();
        let schedules: Vec<Schedule> = drafts
            .iter()
            .map(|draft| {
                let mut schedule = preset::find(BASELINE).unwrap().schedule.clone();
                draft.axes.set(&mut schedule);
                schedule
            })
            .collect();
        for (axis, default) in optional() {
            let has = |config: &AxisConfig| schedules.iter().filter(|it| it.axis(axis) == config).count();
            let defaults = has(&AxisConfig::new(default));
            assert!((1000..1700).contains(&defaults), "{axis}: {defaults}");
            for (name, config) in registry.entries(axis).iter().flat_map(AnyEntry::examples) {
                assert!(has(&config) > 0, "{axis} {} {name}", config.kind);
            }
        }
    }

    /// Full guidance in the first half of the image.
    #[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct FirstHalf {}

    impl Component for FirstHalf {
        const KIND: &'static str = "first-half";
        const SOURCE: &'static str = "this test";
    }

    impl GuidanceCurve for FirstHalf {
        fn steps(&self, plan: &PlanShape) -> Vec<Option<Fraction>> {
            let strength = |unknown: usize| if 2 * unknown > plan.tokens { 1.0 } else { 0.0 };
            plan.unknown_before().map(|unknown| Fraction::new(strength(unknown)).ok()).collect()
        }
    }

    #[test]
    fn a_kind_of_another_crate_is_drawn() {
        let registry = Registry::builtin().with_guidance::<FirstHalf>();
        let space = with(&registry);
        let candidates = drawn(&space, 40);
        let named = |it: &&Candidate| it.name.contains(", guidance first-half");
        let own: Vec<_> = candidates.iter().filter(named).collect();
        assert!(!own.is_empty());
        assert!(own.iter().all(|it| it.schedule.axis(AxisName::Guidance).kind == FirstHalf::KIND));
    }

    #[test]
    fn an_axis_without_effect_is_not_set() {
        let unguided = Space { settings: Settings { guidance: Guidance::NONE, ..digits().settings }, ..digits() };
        let candidates = drawn(&unguided, 40);
        assert_eq!(kinds(&candidates, AxisName::Guidance), BTreeSet::new());
        assert!(!kinds(&candidates, AxisName::Solver).is_empty());
        // Reuse of nothing, and the guidance that the model has anyway.
        let space = digits();
        let axes = OptionalAxes::of(space.registry);
        let plain = &Draft::known()[0];
        let budget = space.preset("gtr-16").unwrap().operations;
        let mut stream = Stream::new(Seed(1), SEARCH, ImageIndex(0), 0);
        let mut repeats = (0..500)
            .map(|_| Draft { axes: axes.draw(&mut stream), ..plain.clone() })
            .filter(|draft| draft.axes.to_string() == format!(", guidance {}", space.settings.guidance.schedule()));
        let spent = space.spend(&repeats.next().unwrap(), budget).unwrap();
        assert_eq!(
            (&*spent.name, spent.plan),
            ("12+3+1 steps, T 50..20/20, beta 0.10", space.preset("gtr-16").unwrap().plan)
        );
    }

    #[test]
    fn a_model_without_reuse_gets_no_reuse() {
        let capabilities = Capability::ALL.into_iter().filter(|it| *it != Capability::Reuse).collect();
        let space = Space { capabilities, ..digits() };
        let candidates = drawn(&space, 40);
        assert_eq!(kinds(&candidates, AxisName::Reuse), BTreeSet::new());
        assert!(!kinds(&candidates, AxisName::Guidance).is_empty());
        assert!(!kinds(&DIGITS, AxisName::Reuse).is_empty());
    }

    #[test]
    fn a_temperature_excludes_solvers_without_noise() {
        let settings = Settings { temperature: 0.9, ..digits().settings };
        let space = Space { settings, ..digits() };
        let silent =
            |it: &Candidate| !space.registry.build_solver(it.schedule.axis(AxisName::Solver)).unwrap().adds_noise();
        let candidates = drawn(&space, 60);
        assert!(!candidates.iter().any(silent));
        // Solvers that add noise are drawn still.
        assert!(!kinds(&candidates, AxisName::Solver).is_empty());
        assert!(DIGITS.iter().any(silent));
    }

    #[test]
    fn a_model_that_cannot_run_the_baseline_is_refused() {
        let space = Space { capabilities: Vec::new(), ..digits() };
        let error = space.candidates(1e12, Seed(1), 8).unwrap_err().to_string();
        assert!(error.starts_with("gtr-16: the plan requires "), "{error}");
    }

    #[test]
    fn candidates_depend_only_on_the_arguments() {
        let of = |seed| digits().candidates(2e10, Seed(seed), 12).unwrap().candidates;
        let names = |candidates: &[Candidate]| candidates.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&of(1)), names(&of(1)));
        assert_ne!(names(&of(1)), names(&of(2)));
    }
}
