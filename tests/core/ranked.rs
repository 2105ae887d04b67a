//! Orders that are decided while sampling.

use std::convert::Infallible;
use std::ops::ControlFlow;

use gtr_core::cost::{ArchSpec, HeadSpec, StackSpec};
use gtr_core::loss::{Field, loss, mean_loss};
use gtr_core::sampler::{Job, JobOf, Observer, SampleError, Settings, StepEvent};
use gtr_core::{
    AxisConfig, AxisName, Capability, Component, Error, Grid, Guidance, ImageIndex, NoiseSource, Order, Partition,
    Plan, PlanDocument, Registry, Rule, Sampler, Schedule, Seed, StageOrder, Targets, TokenIndex, TokenSet, laws,
    verify,
};
use proptest::prelude::*;
use rand_chacha::rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sampling::words;
use crate::toy::Toy;

fn schedule(temperature: f64, steps: u32) -> Schedule {
    let mut schedule = Schedule::from_configs(
        AxisConfig::new("ranked").with("choice_temperature", temperature),
        AxisConfig::new("cosine").with("steps", steps),
        AxisConfig::new("constant").with("t", 3),
        AxisConfig::new("none"),
    );
    schedule.adapt = vec![AxisName::Pace];
    schedule
}

fn plan(temperature: f64, steps: u32) -> Plan {
    schedule(temperature, steps).plan(Grid::new(4, 4).unwrap(), &Registry::builtin()).unwrap().plan
}

fn settings(seed: u64) -> Settings {
    Settings { seed: Seed(seed), guidance: Guidance::NONE, temperature: 1.0 }
}

fn jobs(images: &[u64]) -> Vec<JobOf<Toy>> {
    let picture = vec![1_f32.to_bits(); 1600];
    images.iter().map(|&image| Job::new(image as f32 * 0.5, ImageIndex(image)).starting_from(picture.clone())).collect()
}

/// Records candidates and targets of each step.
#[derive(Default)]
struct Record(Vec<(Targets, Targets)>);

impl Observer<Toy> for Record {
    type Error = Infallible;

    fn step(&mut self, event: &StepEvent<'_, Toy>) -> Result<ControlFlow<()>, Infallible> {
        let tokens: Vec<TokenIndex> = event.rows.iter().map(|row| row.token).collect();
        assert_eq!(tokens, event.targets.rows());
        assert!(event.picked.iter().all(Vec::is_empty));
        assert_eq!(event.features.values.len(), event.features.width * event.candidates.rows().len());
        self.0.push((event.candidates.clone(), event.targets.clone()));
        Ok(ControlFlow::Continue(()))
    }
}

/// Gumbel noise, as S1 and S2 define it.
fn gumbel(seed: u64, image: u64, token: usize, step: usize) -> f64 {
    let uniform = ((words(seed, image, 259, token, step as u32).next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64;
    -(-uniform.ln()).ln()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Each step draws all unknown tokens and keeps those with the highest confidence plus noise.
    #[test]
    fn s1_ranked_order(
        grid in laws::grids(),
        temperature in prop_oneof![Just(0.0), 0.0..5.0f64],
        steps in 1..9u32,
        begun in 0.0..0.9f64,
        images in prop::collection::vec(any::<u64>(), 1..3),
        seed: u64,
    ) {
        let begun = (begun * grid.tokens() as f64) as usize;
        let known = TokenSet::from_tokens(grid, grid.iter().step_by(2).take(begun));
        let planned = schedule(temperature, steps).plan_rest(&known, &Registry::builtin());
        prop_assume!(planned.is_ok());
        let plan = planned.unwrap().plan;
        let (mut toy, mut record, registry) = (Toy::new(grid), Record::default(), Registry::builtin());
        let sampler = Sampler::new(&plan, &registry).unwrap();
        sampler.batch(&jobs(&images), &settings(seed)).observe(&mut record).run(&mut toy).unwrap();
        let mut unknown: Vec<Vec<TokenIndex>> = vec![known.complement().iter().collect(); images.len()];
        let count = plan.steps().len();
        for (index, (candidates, targets)) in record.0.iter().enumerate() {
            prop_assert_eq!(candidates, &Targets::new(unknown.iter().map(Vec::as_slice)));
            let per_image = candidates.per_image();
            for (slot, image) in images.iter().enumerate() {
                let drawn = &toy.drawn[index][slot * per_image..(slot + 1) * per_image];
                let factor = temperature * (1.0 - (index + 1) as f64 / count as f64);
                let mut scores: Vec<(f64, TokenIndex)> = drawn.iter().map(|(row, value)| {
                    (f64::from(*value) + factor * gumbel(seed, *image, row.token.index(), index), row.token)
                }).collect();
                scores.sort_by(|a, b| b.partial_cmp(a).unwrap());
                let mut best: Vec<TokenIndex> = scores.iter().take(targets.per_image()).map(|it| it.1).collect();
                best.sort_unstable();
                prop_assert_eq!(targets.by_image().nth(slot).unwrap(), best.as_slice());
                unknown[slot].retain(|token| !best.contains(token));
            }
        }
        prop_assert!(unknown.iter().all(Vec::is_empty));
    }
}

#[test]
fn tokens_that_are_drawn_again_get_new_noise() {
    struct Draws(std::sync::Mutex<Vec<(TokenIndex, u32)>>);
    impl NoiseSource for Draws {
        fn fill_normal(&self, _image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
            self.0.lock().unwrap().push((token, draw));
            out.fill(0.0);
        }
    }
    let (plan, draws) = (plan(0.0, 3), Draws(std::sync::Mutex::default()));
    let sampler = Sampler::new(&plan, &Registry::builtin()).unwrap();
    sampler.batch(&jobs(&[0]), &settings(0)).noise(&draws).run(&mut Toy::new(plan.grid())).unwrap();
    let mut draws = draws.0.into_inner().unwrap();
    let count = draws.len();
    draws.sort_unstable();
    draws.dedup();
    assert_eq!(draws.len(), count);
    // The toy asks for the first and the last draw of each token.
    let expected: usize = plan.steps().iter().map(|step| 2 * step.candidates()).sum();
    assert_eq!(count, expected);
    let mut numbers: Vec<u32> = draws.into_iter().map(|(_, draw)| draw).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, [0, 2, 1024, 1026, 2048, 2050]);
}

#[test]
fn a_ranked_plan_has_no_order_and_no_loss() {
    let (plan, field) = (plan(4.5, 4), Field::default());
    assert!(plan.is_ranked());
    let order = plan.order(Seed(0), ImageIndex(0));
    assert_eq!(order, Err(Error::Ranked));
    let line = "the order of a ranked stage is decided while sampling, so it is not known from the plan";
    assert_eq!(order.unwrap_err().to_string(), line);
    assert_eq!(loss(&plan, Seed(0), ImageIndex(0), &field).unwrap_err(), Error::Ranked);
    assert_eq!(mean_loss(&plan, Seed(0), 4, &field).unwrap_err(), Error::Ranked);
}

#[test]
fn counts_are_those_of_the_candidates() {
    // 16 tokens in 4 steps of the cosine.
    let plan = plan(4.5, 4);
    let steps: Vec<(usize, usize)> = plan.steps().iter().map(|step| (step.tokens(), step.candidates())).collect();
    assert_eq!(steps, [(2, 16), (3, 14), (5, 11), (6, 6)]);
    let summary = plan.summary();
    assert_eq!((summary.head_evaluations, summary.token_evaluations), (4 * 3, 3 * (16 + 14 + 11 + 6)));
    assert_eq!(plan.token_evaluations(&plan.steps()[1]), [(14, 3), (0, 0)]);

    let stack = StackSpec { width: 4, depth: 1, hidden: 8 };
    let head = HeadSpec { width: 6, depth: 1 };
    let arch = ArchSpec { token_channels: 3, buffer: 2, encoder: stack, decoder: stack, text: None, head };
    let mut listed = plan.schedule().clone();
    listed.order = AxisConfig::new("raster");
    let listed = listed.plan(plan.grid(), &Registry::builtin()).unwrap().plan;
    let (ranked, listed) = (arch.cost(&plan, true), arch.cost(&listed, true));
    assert_eq!(ranked.head * 16.0, listed.head * (16.0 + 14.0 + 11.0 + 6.0));
    assert_eq!((ranked.encoder, ranked.decoder, ranked.attention), (listed.encoder, listed.decoder, listed.attention));
}

#[test]
fn what_a_step_with_reuse_computes_contains_the_candidates() {
    let mut ranked = schedule(4.5, 4);
    let lazymar = AxisConfig::new("lazymar").with("complete_steps", 1).with("decoder_keep", "stretched");
    ranked.set_axis(AxisName::Reuse, lazymar);
    let plan = ranked.plan(Grid::new(4, 4).unwrap(), &Registry::builtin()).unwrap().plan;
    let work = gtr_core::cost::StepWork::of(&plan, false);
    assert_eq!(work.iter().map(|step| step.tokens).collect::<Vec<_>>(), [16, 14, 11, 6]);
    assert_eq!(work.iter().map(|step| step.previous).collect::<Vec<_>>(), [0, 2, 3, 5]);
}

fn error(plan: &Plan, toy: &mut Toy) -> SampleError<Infallible> {
    Sampler::new(plan, &Registry::builtin()).unwrap().batch(&jobs(&[5]), &settings(0)).run(toy).unwrap_err()
}

#[test]
fn a_model_needs_confidences() {
    let plan = plan(4.5, 4);
    let mut toy = Toy::new(plan.grid());
    toy.offers.retain(|offer| *offer != Capability::Confidence);
    let message = "the plan requires the confidence of drawn tokens, which this model does not provide";
    assert_eq!(error(&plan, &mut toy).to_string(), message);
    assert!(toy.calls.is_empty());
}

#[test]
fn a_confidence_that_is_not_a_number_is_an_error() {
    let plan = plan(4.5, 4);
    let mut toy = Toy::new(plan.grid());
    toy.poison = plan.grid().token(9).ok();
    let error = error(&plan, &mut toy);
    assert!(matches!(error, SampleError::Confidence { image: ImageIndex(5), step: 1, steps: 4, .. }), "{error}");
    let start = "the confidence of token 9 of image 5 is not a number in AR step 1 of 4; ";
    assert!(error.to_string().starts_with(start), "{error}");
}

/// Two stages; the last is a reconstruction unless `plain`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Rows {
    /// Order within the stages, for readers that do not know the order.
    within: String,
    /// No reconstruction.
    plain: bool,
}

impl Default for Rows {
    fn default() -> Self {
        Self { within: "ranked".to_owned(), plain: false }
    }
}

impl Component for Rows {
    const KIND: &'static str = "rows";
    const SOURCE: &'static str = "tests/core/ranked.rs";
}

impl Order for Rows {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        let (upper, lower) = grid.iter().partition(|token| token.index() < grid.tokens() / 2);
        Partition::new(grid, vec![upper, lower])
    }

    fn stage_count(&self) -> usize {
        2
    }

    fn reconstructs(&self) -> bool {
        !self.plain
    }

    fn within(&self) -> StageOrder {
        StageOrder::Ranked
    }
}

#[test]
fn an_order_from_outside_can_rank_several_stages() {
    let registry = Registry::builtin().with_order::<Rows>();
    let (grid, mut rows) = (Grid::new(4, 4).unwrap(), schedule(0.0, 4));
    rows.order = Rows::default().into();
    laws::order(&Rows::default(), grid).unwrap();
    let plan = rows.plan(grid, &registry).unwrap().plan;
    laws::plan(&plan, &registry, Seed(0)).unwrap();
    let steps: Vec<(usize, usize)> = plan.steps().iter().map(|step| (step.tokens(), step.candidates())).collect();
    assert_eq!(steps, [(3, 8), (5, 5), (3, 8), (5, 5)]);
    laws::generator(&mut Toy::new(grid), &plan, &registry, &jobs(&[1, 4]), &settings(0)).unwrap();

    // A reader that does not know the order can read the plan, but not sample it.
    let read = Plan::from_document(&plan.to_document(), &Registry::builtin()).unwrap();
    assert_eq!((read.unchecked, read.plan.is_ranked()), (vec![AxisName::Order], true));
    let error = Sampler::new(&read.plan, &Registry::builtin()).unwrap_err().to_string();
    assert!(error.starts_with("unknown order `rows`; expected one of "), "{error}");
}

#[test]
fn a_detail_rule_cannot_pick_from_a_ranked_stage() {
    let registry = Registry::builtin().with_order::<Rows>();
    let (grid, mut rows) = (Grid::new(4, 4).unwrap(), schedule(0.0, 4));
    rows.order = Rows::default().into();
    rows.detail = AxisConfig::new("fts").with("beta", 0.5);
    let message = "detail: `fts` cannot pick tokens of a step whose tokens are decided while sampling";
    assert_eq!(rows.plan(grid, &registry).unwrap_err().to_string(), message);
    // An adapting schedule drops a rule that picks nothing, but not this one.
    rows.adapt = AxisName::ALL.to_vec();
    assert_eq!(rows.plan(grid, &registry).unwrap_err().to_string(), message);
    rows.order = AxisConfig::new("ranked");
    assert!(rows.plan(grid, &registry).unwrap().plan.steps().iter().all(|step| step.detail().is_none()));
    rows.adapt.clear();
    let error = rows.plan(grid, &registry).unwrap_err().to_string();
    assert_eq!(error, "detail: `fts` picks tokens of a reconstruction stage, but the plan has none");
}

#[test]
fn documents_of_ranked_plans_have_version_3() {
    let registry = Registry::builtin();
    let document = plan(4.5, 4).to_document();
    assert_eq!(document.format_version, 3);
    let broken = |change: fn(&mut PlanDocument)| {
        let mut document = document.clone();
        change(&mut document);
        verify(&document, &registry).violations.iter().map(|it| it.rule).collect::<Vec<_>>()
    };
    assert_eq!(broken(|document| document.format_version = 1), [Rule::Version]);
    assert_eq!(broken(|document| document.stages[0].tokens.swap(0, 1)), [Rule::Listing, Rule::OrderProduced]);
    assert_eq!(broken(|document| document.schedule.order.params["choice_temperature"] = (-1).into()), [Rule::Schedule]);
    assert_eq!(broken(|document| document.schedule.order.kind = "raster".into()), [Rule::Version]);
}

#[test]
fn a_parameter_out_of_range_is_refused() {
    let mut wrong = schedule(4.5, 4);
    wrong.order = AxisConfig::new("ranked").with("choice_temperature", 101);
    let error = wrong.plan(Grid::new(4, 4).unwrap(), &Registry::builtin()).unwrap_err().to_string();
    assert_eq!(error, "order `ranked`: `choice_temperature` must be 0 to 100, not 101");
    // Within another order, ranking is not possible.
    wrong.order = AxisConfig::new("bisection").with("within", "ranked");
    let error = wrong.plan(Grid::new(4, 4).unwrap(), &Registry::builtin()).unwrap_err().to_string();
    assert!(error.contains("unknown variant `ranked`"), "{error}");
}
