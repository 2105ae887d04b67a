//! Laws of implementations and models, for property tests in this crate and in others.
//!
//! Register an implementation, generate cases with the strategies of this module, and pass them to the laws. See
//! `examples/custom_order.rs`. No law depends on the name of an implementation.

mod arbitrary;
pub mod loss;

pub use arbitrary::configs;

use std::ops::ControlFlow;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::detail::Candidates;
use crate::diffusion::StepShape;
use crate::pace::{StageSize, StageSizes};
use crate::sampler::{JobOf, Observer, SampleError, Settings, StepEvent};
use crate::{
    AnyEntry, AxisConfig, AxisName, Detail, Diffusion, Error, FitPolicy, Grid, ImageIndex, MaskedGenerator, Order,
    Pace, Plan, Registry, Role, Sampler, Schedule, Seed, StageOrder, Stream, StreamPurpose, TokenIndex, TokenSet,
    preset, verify,
};

/// Result of checking a law.
pub type Law = Result<(), TestCaseError>;

/// Strategy for grids: single tokens, lines, squares, and sides of any parity.
pub fn grids() -> BoxedStrategy<Grid> {
    let grid = |(height, width)| Grid::new(height, width).unwrap_or_else(|_| unreachable!("small sides above 0"));
    prop_oneof![
        1 => (Just(1), 1..40u32),
        1 => (1..40u32, Just(1)),
        2 => (1..8u32, 1..8u32),
        4 => (1..24u32, 1..24u32),
        1 => prop::sample::select(vec![(8, 8), (16, 16), (32, 32)]),
    ]
    .prop_map(grid)
    .boxed()
}

/// Strategy for schedules of all combinations of registered implementations; half of them set no optional axis. All axes may
/// adapt.
pub fn schedules(registry: &Registry) -> BoxedStrategy<Schedule> {
    let of_axis = |axis: AxisName| proptest::strategy::Union::new(registry.entries(axis).into_iter().map(configs));
    let axes: Vec<_> = AxisName::ALL.into_iter().map(of_axis).collect();
    let choose = |(configs, plain): (Vec<AxisConfig>, bool)| {
        // Every required axis is replaced.
        let mut schedule = preset::all()[0].schedule.clone();
        for (axis, config) in AxisName::ALL.into_iter().zip(configs) {
            if axis.default_kind().is_none() || !plain {
                schedule.set_axis(axis, config);
            }
        }
        schedule.adapt = AxisName::ALL.to_vec();
        schedule
    };
    (axes, any::<bool>()).prop_map(choose).boxed()
}

/// Like [`schedules`], with the configurations of one axis from `configs`.
pub fn schedules_with(
    registry: &Registry,
    axis: AxisName,
    configs: impl Strategy<Value = AxisConfig> + 'static,
) -> BoxedStrategy<Schedule> {
    let set = move |(mut schedule, config): (Schedule, AxisConfig)| {
        schedule.set_axis(axis, config);
        schedule
    };
    (schedules(registry), configs).prop_map(set).boxed()
}

/// Strategy for plans of all combinations. Skips schedules that cannot be planned; use [`schedules`] to find those.
pub fn plans(registry: &Registry) -> BoxedStrategy<Plan> {
    let registry = registry.clone();
    (grids(), schedules(&registry))
        .prop_filter_map("can be planned", move |(grid, schedule)| schedule.plan(grid, &registry).ok())
        .prop_map(|planned| planned.plan)
        .boxed()
}

/// Strategy for plans of all combinations with known tokens, from one token to all but one.
pub fn plans_of_a_rest(registry: &Registry) -> BoxedStrategy<Plan> {
    let registry = registry.clone();
    (grids(), schedules(&registry), any::<u64>(), 0.0..1.0f64)
        .prop_filter_map("can be planned", move |(grid, schedule, seed, share)| {
            schedule.plan_rest(&some_known(grid, Seed(seed), share)?, &registry).ok()
        })
        .prop_map(|planned| planned.plan)
        .boxed()
}

/// Returns at least one token of a grid, but not all; `None` if the grid has only one token.
fn some_known(grid: Grid, seed: Seed, share: f64) -> Option<TokenSet> {
    let mut tokens: Vec<TokenIndex> = grid.iter().collect();
    Stream::new(seed, StreamPurpose::TokenOrder, ImageIndex(0), 0).shuffle(&mut tokens);
    let most = tokens.len().checked_sub(2)?;
    let count = 1 + crate::Fraction::new(share).ok()?.of(most);
    Some(TokenSet::from_tokens(grid, tokens.into_iter().take(count)))
}

/// An implementation has a kebab-case name, a source, documentation, and examples that use documented parameters.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn is_documented(entry: impl Into<AnyEntry>) -> Law {
    let entry = entry.into();
    let description = entry.describe();
    let kind = entry.kind();
    // A plus is part of published names, for example DPM-Solver++.
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'+';
    let kebab = kind.split('-').all(|word| !word.is_empty() && word.bytes().all(letter));
    prop_assert!(kebab, "`{kind}` is not kebab-case");
    prop_assert!(!description.summary.is_empty(), "`{kind}` has no documentation");
    prop_assert!(!description.source.is_empty(), "`{kind}` has no source");
    for parameter in &description.parameters {
        prop_assert!(!parameter.description.is_empty(), "`{kind}`: `{}` has no documentation", parameter.name);
    }
    let examples = entry.examples();
    prop_assert!(!examples.is_empty(), "`{kind}` has no example");
    for (name, example) in examples {
        for parameter in example.params.keys() {
            let known = description.parameters.iter().any(|it| it.name == *parameter);
            prop_assert!(known, "`{kind}`, example `{name}`: `{parameter}` is not a documented parameter");
        }
    }
    Ok(())
}

/// The stages are a partition of the grid. They are as many as the order states, are listed as the order within stages
/// requires, and are the same in every call.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn order(order: &dyn Order, grid: Grid) -> Law {
    let partition = order.partition(grid).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let again = order.partition(grid);
    prop_assert_eq!(Ok(&partition), again.as_ref(), "the partition differs between calls");
    prop_assert_eq!(partition.subsets().len(), order.stage_count(), "the number of stages is not the stated one");
    let mut all: Vec<TokenIndex> = partition.subsets().iter().flatten().copied().collect();
    all.sort_unstable();
    prop_assert!(all.iter().copied().eq(grid.iter()), "the stages do not contain every token once");
    if order.within() != StageOrder::Listed {
        for subset in partition.subsets() {
            prop_assert!(subset.is_sorted(), "tokens do not ascend although the list does not determine their order");
        }
    }
    let temperature = order.choice_temperature();
    prop_assert!((0.0..=100.0).contains(&temperature), "the choice temperature is {temperature}, not 0 to 100");
    Ok(())
}

/// Every stage has a step, every step has a token, and the steps of a stage add up to its tokens.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn pace(pace: &dyn Pace, tokens: &[usize]) -> Law {
    let stages = tokens.iter().enumerate().filter(|(_, tokens)| **tokens > 0);
    let stages = stages.map(|(number, &tokens)| StageSize { number, tokens }).collect();
    let sizes = StageSizes { asked: tokens.len(), stages };
    let steps = pace.steps(&sizes, &mut FitPolicy::lenient(AxisName::Pace));
    let steps = steps.map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(steps.len(), sizes.stages.len());
    for (stage, steps) in sizes.stages.iter().zip(&steps) {
        prop_assert!(!steps.is_empty(), "stage {} has no step", stage.number);
        prop_assert!(steps.iter().all(|&tokens| tokens > 0), "stage {} has an empty step", stage.number);
        prop_assert_eq!(steps.iter().sum::<usize>(), stage.tokens, "steps of stage {}", stage.number);
    }
    // If the pace fits without adaptation, allowing adaptation does not change it.
    if let Ok(strict) = pace.steps(&sizes, &mut FitPolicy::strict(AxisName::Pace)) {
        prop_assert_eq!(strict, steps);
    }
    Ok(())
}

/// The curve has one number of diffusion steps per AR step and is the same in every call.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn diffusion(diffusion: &dyn Diffusion, generation: usize, reconstruction: usize) -> Law {
    let shape = |stage, role| StepShape { stage, role, tokens: 1 };
    let mut shapes = vec![shape(0, Role::Generation); generation];
    shapes.extend(vec![shape(1, Role::Reconstruction); reconstruction]);
    let curve = diffusion.curve(&shapes);
    prop_assert_eq!(curve.len(), shapes.len());
    prop_assert_eq!(curve, diffusion.curve(&shapes), "the curve differs between calls");
    Ok(())
}

/// A detail rule picks as many tokens as its share states, each once, independently of their order. If it has scores,
/// the picks are the tokens at one end of the scores.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn detail(detail: &dyn Detail, tokens: &[TokenIndex], features: &[f32], width: usize, seed: Seed) -> Law {
    let Some(share) = detail.share(tokens.len()) else { return Ok(()) };
    prop_assert!(detail.picks(), "a rule that never picks tokens has a share");
    prop_assert!((1..=tokens.len()).contains(&share.tokens), "picks {} of {} tokens", share.tokens, tokens.len());
    let stream = || Stream::new(seed, StreamPurpose::Detail, ImageIndex(0), 0);
    let pick = |tokens: &[TokenIndex], features: &[f32]| {
        let candidates = Candidates { tokens, width, features, stream: stream() };
        let picked = detail.pick(candidates, share.tokens);
        (picked.iter().map(|&position| tokens[position]).collect::<Vec<_>>(), picked)
    };
    let (mut chosen, picked) = pick(tokens, features);
    let (found, said) = (picked.len(), share.tokens);
    prop_assert_eq!(found, said, "picks {} of {} tokens, but its share is {}", found, tokens.len(), said);
    prop_assert!(picked.is_sorted_by(|a, b| a < b), "positions do not ascend: {picked:?}");
    let reversed: Vec<TokenIndex> = tokens.iter().rev().copied().collect();
    let mirrored: Vec<f32> = features.chunks_exact(width).rev().flatten().copied().collect();
    let (mut again, _) = pick(&reversed, &mirrored);
    chosen.sort_unstable();
    again.sort_unstable();
    prop_assert_eq!(chosen, again, "the choice depends on the order of the tokens");
    if let Some(scores) = detail.scores(&Candidates { tokens, width, features, stream: stream() }) {
        prop_assert_eq!(scores.len(), tokens.len(), "expected one score per token");
        let (inside, outside): (Vec<_>, Vec<_>) = (0..tokens.len()).partition(|position| picked.contains(position));
        let one_side = |compare: fn(&f64, &f64) -> bool| {
            inside.iter().all(|&position| outside.iter().all(|&other| compare(&scores[position], &scores[other])))
        };
        prop_assert!(one_side(f64::ge) || one_side(f64::le), "the picks are not at one end of the scores {scores:?}");
    }
    Ok(())
}

/// A plan is valid, is unchanged by conversion to JSON and back, and equals the output of the schedule that it records.
/// The order of each image contains every token once, stage by stage, and is the same in every call; a ranked plan has no
/// order.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn plan(plan: &Plan, registry: &Registry, seed: Seed) -> Law {
    let document = plan.to_document();
    let verification = verify(&document, registry);
    prop_assert!(verification.is_sound(), "{:?}", verification.violations);
    prop_assert!(verification.notes.is_empty(), "{:?}", verification.notes);
    let read = crate::PlanDocument::parse(&document.to_json());
    prop_assert_eq!(read.as_ref(), Ok(&document), "conversion to JSON and back changes the plan");
    let accepted = Plan::from_document(&document, registry).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&accepted.plan, plan);
    prop_assert_eq!(accepted.unchecked, []);
    let known = TokenSet::from_tokens(plan.grid(), plan.known().iter().copied());
    let again = plan.schedule().plan_rest(&known, registry).map(|planned| planned.plan);
    prop_assert_eq!(again.as_ref(), Ok(plan), "the recorded schedule gives another plan");
    for image in [0, 1, u64::MAX].map(ImageIndex) {
        let order = plan.order(seed, image);
        prop_assert_eq!(&order, &plan.order(seed, image), "the order differs between calls");
        let expected_error = plan.is_ranked().then_some(Error::Ranked);
        prop_assert_eq!(order.as_ref().err(), expected_error.as_ref());
        let Ok(order) = order else { continue };
        let mut rest = order.as_slice();
        for stage in plan.stages() {
            let (tokens, later) = rest.split_at(stage.tokens().len());
            let set = |tokens: &[TokenIndex]| TokenSet::from_tokens(plan.grid(), tokens.iter().copied());
            prop_assert_eq!(set(tokens), set(stage.tokens()), "a token is not in its stage");
            rest = later;
        }
        prop_assert!(rest.is_empty());
    }
    Ok(())
}

/// Each step commits exactly its targets, in a ranked stage those of its candidates that it keeps, and the conditioning
/// vectors in host memory have one row per candidate. An image
/// in a batch equals the same image generated alone, and a repeated run gives the same images.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn generator<G: MaskedGenerator>(
    generator: &mut G,
    plan: &Plan,
    registry: &Registry,
    jobs: &[JobOf<G>],
    settings: &Settings,
) -> Law
where
    G::Image: PartialEq,
{
    let failed = |error: &dyn std::fmt::Display| TestCaseError::fail(error.to_string());
    let sampler = Sampler::new(plan, registry).map_err(|error| failed(&error))?;
    match sampler.batch(jobs, settings).observe(Commits { known: Vec::new() }).run(generator) {
        Err(SampleError::Observer(law)) => return Err(law),
        watched => watched.map_err(|error| failed(&error))?,
    };
    let mut run = |jobs: &[JobOf<G>]| sampler.batch(jobs, settings).run(generator).map_err(|error| failed(&error));
    let batch = run(jobs)?;
    prop_assert!(batch == run(jobs)?, "a repeated run gives different images");
    prop_assert_eq!(batch.len(), jobs.len());
    for (slot, job) in jobs.iter().enumerate() {
        let alone = run(std::slice::from_ref(job))?;
        prop_assert!(alone[0] == batch[slot], "image {} differs between a batch and alone", job.image);
    }
    Ok(())
}

/// Observer that compares the known tokens with the targets of all steps so far.
struct Commits {
    known: Vec<TokenSet>,
}

impl Commits {
    fn compare<G: MaskedGenerator>(&self, generator: &G, canvas: &G::Canvas, step: usize) -> Law {
        for (slot, known) in self.known.iter().enumerate() {
            for token in generator.grid().iter() {
                let (found, expected) = (generator.is_known(canvas, slot, token), known.contains(token));
                let state = if found { "known" } else { "unknown" };
                prop_assert_eq!(
                    found,
                    expected,
                    "token {} in slot {} is {} after AR step {}",
                    token,
                    slot,
                    state,
                    step
                );
            }
        }
        Ok(())
    }

    fn follow<G: MaskedGenerator>(&mut self, event: &StepEvent<'_, G>) -> Law {
        let grid = event.generator.grid();
        self.known.resize(event.targets.images(), TokenSet::empty(grid));
        for (known, targets) in self.known.iter_mut().zip(event.targets.by_image()) {
            *known = known.union(&TokenSet::from_tokens(grid, targets.iter().copied()));
        }
        self.compare(event.generator, event.canvas, event.index + 1)?;
        if let Some(reader) = event.generator.feature_reader() {
            let rows = reader.host_features(event.features);
            let rows = rows.map_err(|error| TestCaseError::fail(error.to_string()))?;
            let (found, targets) = (rows.values.len(), event.candidates.rows().len());
            prop_assert_eq!(found, rows.width * targets, "host_features: {} values for {} targets", found, targets);
        }
        Ok(())
    }
}

impl<G: MaskedGenerator> Observer<G> for Commits {
    type Error = TestCaseError;

    fn step(&mut self, event: &StepEvent<'_, G>) -> Result<ControlFlow<()>, TestCaseError> {
        self.follow(event).map(ControlFlow::Continue)
    }
}
