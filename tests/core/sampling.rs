//! The sampling loop on the toy model.

use std::cell::RefCell;
use std::convert::Infallible;
use std::ops::ControlFlow;

use gtr_core::sampler::{Job, JobOf, Observer, SampleError, Settings, StepEvent};
use gtr_core::{
    AxisConfig, AxisName, Grid, Guidance, GuidanceSchedule, ImageIndex, Noise, NoiseSource, Plan, Registry, Role,
    Sampler, Seed, StageOrder, Stream, StreamPurpose, Timestep, TimestepLimit, TokenIndex, TokenSet, laws, preset,
};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::toy::Toy;

fn settings(seed: u64) -> Settings {
    Settings { seed: Seed(seed), guidance: Guidance::new(3.0, GuidanceSchedule::Linear).unwrap(), temperature: 1.0 }
}

fn plan(name: &str, side: u32) -> Plan {
    preset::find(name).unwrap().schedule.plan(Grid::new(side, side).unwrap(), &Registry::builtin()).unwrap().plan
}

fn jobs(images: &[u64]) -> Vec<JobOf<Toy>> {
    images.iter().map(|&image| Job::new(image as f32 * 0.5, ImageIndex(image))).collect()
}

/// Plans of whole grids and of grids with known tokens.
fn any_plans() -> impl Strategy<Value = Plan> {
    prop_oneof![laws::plans(&Registry::builtin()), laws::plans_of_a_rest(&Registry::builtin())]
}

/// A picture with values that the toy model never generates.
fn picture(plan: &Plan, number: usize) -> Vec<u32> {
    plan.grid().iter().map(|token| ((token.index() + number) as f32 + 100.0).to_bits()).collect()
}

/// Runs a plan.
fn run<O: Observer<Toy>>(
    plan: &Plan,
    toy: &mut Toy,
    jobs: &[JobOf<Toy>],
    settings: &Settings,
    observer: O,
) -> Result<Vec<Vec<u32>>, SampleError<Infallible, O::Error>> {
    Sampler::new(plan, &Registry::builtin())?.batch(jobs, settings).observe(observer).run(toy)
}

/// The jobs, each of them from its picture.
fn from(jobs: &[JobOf<Toy>], pictures: &[Vec<u32>]) -> Vec<JobOf<Toy>> {
    assert_eq!(jobs.len(), pictures.len());
    jobs.iter().zip(pictures).map(|(job, picture)| job.clone().starting_from(picture.clone())).collect()
}

/// Runs a plan that starts from pictures; a plan without known tokens ignores them.
fn go_on(plan: &Plan, toy: &mut Toy, jobs: &[JobOf<Toy>], settings: &Settings) -> Vec<Vec<u32>> {
    let pictures: Vec<_> = (0..jobs.len()).map(|number| picture(plan, number)).collect();
    run(plan, toy, &from(jobs, &pictures), settings, ()).unwrap()
}

/// Returns the tokens that level `level` of the quincunx keeps, then those that it cuts off, each ordered by the following levels.
fn halves(grid: Grid, tokens: Vec<TokenIndex>, level: u32) -> Vec<TokenIndex> {
    if tokens.len() < 2 {
        return tokens;
    }
    let size = 1 << (level / 2);
    let kept = |token: &TokenIndex| {
        let at = grid.position(*token);
        let (row, column) = (at.row / size, at.column / size);
        if level.is_multiple_of(2) { (row + column) % 2 == 0 } else { row % 2 == 0 }
    };
    let (first, second) = tokens.into_iter().partition(kept);
    [halves(grid, first, level + 1), halves(grid, second, level + 1)].concat()
}

/// Returns the random words of a token, as S2 defines them.
pub(crate) fn words(seed: u64, image: u64, purpose: u16, token: usize, draw: u32) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&image.to_le_bytes());
    key[16..18].copy_from_slice(&purpose.to_le_bytes());
    let mut words = ChaCha8Rng::from_seed(key);
    words.set_stream(token as u64);
    words.set_word_pos(u128::from(draw) << 32);
    words
}

#[test]
fn a_plan_without_a_limit_uses_the_limit_of_the_model() {
    let registry = Registry::builtin();
    let model = TimestepLimit::Max(Timestep::new(949).unwrap());
    let highest = |plan: &Plan| {
        let mut toy = Toy { limit: model, ..Toy::new(plan.grid()) };
        run(plan, &mut toy, &jobs(&[0]), &settings(0), ()).unwrap();
        toy.calls.iter().map(|call| call.highest).max().unwrap()
    };
    let open = plan("gtr-8", 4);
    assert_eq!(highest(&open), 949);
    // The limit of the plan takes precedence, also if it says that there is no limit.
    for limit in [900, 999] {
        let mut schedule = open.schedule().clone();
        schedule.set_default_timestep_limit(TimestepLimit::Max(Timestep::new(limit).unwrap())).unwrap();
        assert_eq!(highest(&schedule.plan(open.grid(), &registry).unwrap().plan), limit);
    }
    assert_eq!(highest(&plan("disa-16", 4)), 950);
    let resolved = open.clone().with_default_timestep_limit(model).unwrap();
    assert_eq!(highest(&resolved), 949);
    let mut schedule = open.schedule().clone();
    schedule.set_default_timestep_limit(model).unwrap();
    assert_eq!(schedule.plan(open.grid(), &registry).unwrap().plan, resolved);
    // A limit with fewer timesteps than diffusion steps is an error and does not change the number of steps.
    let low = TimestepLimit::Max(Timestep::new(10).unwrap());
    let mut toy = Toy { limit: low, ..Toy::new(open.grid()) };
    let error = run(&open, &mut toy, &jobs(&[0]), &settings(0), ()).unwrap_err();
    assert!(matches!(error, SampleError::Plan(gtr_core::Error::TooManyDiffusionSteps(_))), "{error}");
    assert!(open.with_default_timestep_limit(low).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Stages are generated one after the other, each shuffled with its own random stream.
    #[test]
    fn s1_order(plan in any_plans(), seed: u64, image: u64) {
        let mut expected = Vec::new();
        for (position, stage) in plan.stages().iter().enumerate() {
            let mut tokens = stage.tokens().to_vec();
            if plan.within() == StageOrder::Lattice {
                tokens = halves(plan.grid(), tokens, 0);
            } else if plan.within() != StageOrder::Listed {
                let mut stream = Stream::new(Seed(seed), StreamPurpose::TokenOrder, ImageIndex(image), position as u64);
                for last in (1..tokens.len()).rev() {
                    tokens.swap(last, stream.below(last as u64 + 1) as usize);
                }
            }
            expected.push(tokens);
        }
        let order = plan.order(Seed(seed), ImageIndex(image));
        if plan.within() == StageOrder::Ranked {
            prop_assert_eq!(order, Err(gtr_core::Error::Ranked));
            return Ok(());
        }
        let order = order.unwrap();
        if plan.within() == StageOrder::Farthest {
            // `properties::farthest_order_is_greedy` checks the order itself; check here that stages stay together.
            let mut rest = order.as_slice();
            for mut stage in expected {
                let mut found = rest[..stage.len()].to_vec();
                rest = &rest[stage.len()..];
                found.sort_unstable();
                stage.sort_unstable();
                prop_assert_eq!(found, stage);
            }
        } else {
            prop_assert_eq!(order, expected.concat());
        }
    }

    /// The noise, computed again from the random words of the generator.
    #[test]
    fn s2_noise(seed: u64, image: u64, token in 0..4096usize, draw: u32) {
        let mut words = words(seed, image, 0, token, draw);
        let mut unit = || (words.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let mut expected = Vec::new();
        for _ in 0..4 {
            let (radius, angle) = ((-2.0 * (unit() + 1.0 / (1u64 << 53) as f64).ln()).sqrt(), std::f64::consts::TAU * unit());
            expected.extend([radius * angle.cos(), radius * angle.sin()]);
        }
        let mut found = [0.0; 8];
        let token = Grid::new(64, 64).unwrap().token(token).unwrap();
        Noise::new(Seed(seed)).fill_normal(ImageIndex(image), token, draw, &mut found);
        for (found, expected) in found.iter().zip(expected) {
            prop_assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} and {expected}");
        }
    }

    /// The uniform values, computed again from the random words of the generator.
    #[test]
    fn s2_uniform(seed: u64, image: u64, token in 0..4096usize, draw: u32) {
        let mut words = words(seed, image, 260, token, draw);
        let expected: Vec<f32> = (0..8).map(|_| (words.next_u64() >> 40) as f32 / (1u32 << 24) as f32).collect();
        let mut found = [9.0; 8];
        let token = Grid::new(64, 64).unwrap().token(token).unwrap();
        Noise::new(Seed(seed)).fill_uniform(ImageIndex(image), token, draw, &mut found);
        prop_assert_eq!(found.as_slice(), expected);
    }

    #[test]
    fn s4_guidance(plan in any_plans(), scale in 0.0..10.0f64, constant: bool) {
        let schedule = if constant { GuidanceSchedule::Constant } else { GuidanceSchedule::Linear };
        let settings = Settings { guidance: Guidance::new(scale, schedule).unwrap(), ..settings(0) };
        let mut toy = Toy::new(plan.grid());
        go_on(&plan, &mut toy, &jobs(&[0]), &settings);
        let (tokens, mut known) = (plan.grid().tokens(), plan.known().len());
        prop_assert_eq!(toy.calls.len(), plan.steps().len());
        for (call, step) in toy.calls.iter().zip(plan.steps()) {
            known += step.tokens();
            let counted = tokens - (tokens - known).max(1);
            let ramp = 1.0 + (scale - 1.0) * counted as f64 / tokens as f64;
            let model = if constant { scale } else { ramp };
            let expected = step.axes().guidance.map_or(model, |strength| 1.0 + (scale - 1.0) * strength.get());
            let unguided = (expected - 1.0).abs() <= Guidance::EPSILON;
            prop_assert_eq!(call.guidance, if unguided { 1.0 } else { expected });
        }
    }

    #[test]
    fn s7_solver(plan in any_plans()) {
        let mut toy = Toy::new(plan.grid());
        go_on(&plan, &mut toy, &jobs(&[0]), &settings(0));
        let solver = Registry::builtin().build_solver(plan.schedule().axis(AxisName::Solver)).unwrap();
        let expected = format!("{solver:?}");
        prop_assert!(toy.calls.iter().all(|call| call.solver == expected));
        let warm = Settings { temperature: 0.5, ..settings(0) };
        let sampler = Sampler::new(&plan, &Registry::builtin()).unwrap();
        let begun = from(&jobs(&[0]), &[picture(&plan, 0)]);
        let run = sampler.batch(&begun, &warm).run(&mut Toy::new(plan.grid()));
        prop_assert_eq!(run.is_ok(), solver.adds_noise());
    }

    /// A step takes only what an earlier step has computed.
    #[test]
    fn s8_reuse(plan in any_plans(), scale in 0.0..3.0f64) {
        let settings = Settings { guidance: Guidance::new(scale, GuidanceSchedule::Linear).unwrap(), ..settings(0) };
        let mut toy = Toy::new(plan.grid());
        go_on(&plan, &mut toy, &jobs(&[0]), &settings);
        // Of the last complete step, whether it was guided, and whether all steps since were.
        let mut complete: Option<(bool, bool)> = None;
        for (index, (step, planned)) in toy.steps.iter().zip(plan.steps()).enumerate() {
            let next = toy.steps.get(index + 1).and_then(|next| next.reuse);
            prop_assert_eq!(step.keeps, next.is_some_and(|next| next.cached.is_some()));
            let planned = planned.axes().reuse;
            prop_assert_eq!(step.reuse.is_some(), planned.is_some());
            let Some(reuse) = step.reuse else { continue };
            prop_assert_eq!(reuse.head, planned.unwrap().head);
            let guided = step.is_guided();
            if let Some(parts) = reuse.cached {
                prop_assert_eq!(Some(parts), planned.unwrap().cached);
                let (first, all) = complete.expect("a complete step before");
                let exists = if parts.guidance { first } else { all };
                prop_assert!(!guided || exists);
            }
            complete = match (reuse.cached, complete) {
                (Some(_), Some((first, all))) => Some((first, all && guided)),
                _ => Some((guided, guided)),
            };
        }
    }

    #[test]
    fn s9_cooling(plan in any_plans(), temperature in 0.0..2.0f64) {
        let settings = Settings { temperature, ..settings(0) };
        let mut toy = Toy::new(plan.grid());
        let begun = from(&jobs(&[0]), &[picture(&plan, 0)]);
        let sampler = Sampler::new(&plan, &Registry::builtin()).unwrap();
        prop_assume!(sampler.batch(&begun, &settings).run(&mut toy).is_ok());
        prop_assert_eq!(toy.steps.len(), plan.steps().len());
        for (context, step) in toy.steps.iter().zip(plan.steps()) {
            let expected = step.axes().cooling.map_or(temperature, |fraction| temperature * fraction.get());
            prop_assert_eq!(context.temperature, expected);
        }
    }

    #[test]
    fn s3_batch(plan in laws::plans(&Registry::builtin()), images in prop::collection::vec(any::<u64>(), 1..4), seed: u64) {
        laws::generator(&mut Toy::new(plan.grid()), &plan, &Registry::builtin(), &jobs(&images), &settings(seed))?;
    }

    /// Known tokens keep their bits, unknown tokens are generated, and nothing else of the picture matters.
    #[test]
    fn s5_known(plan in laws::plans_of_a_rest(&Registry::builtin()), images in prop::collection::vec(any::<u64>(), 1..3), seed: u64) {
        let (registry, settings, jobs) = (Registry::builtin(), settings(seed), jobs(&images));
        let sampler = Sampler::new(&plan, &registry).unwrap();
        let mut pictures: Vec<Vec<u32>> = (0..jobs.len()).map(|image| picture(&plan, image)).collect();
        let run = |jobs: &[JobOf<Toy>]| sampler.batch(jobs, &settings).run(&mut Toy::new(plan.grid())).unwrap();
        let begun = from(&jobs, &pictures);
        let made = run(&begun);
        for (made, from) in made.iter().zip(&pictures) {
            for token in plan.grid().iter() {
                prop_assert_eq!(made[token.index()] == from[token.index()], plan.known().contains(&token), "{}", token);
            }
        }
        for (slot, job) in begun.iter().enumerate() {
            prop_assert_eq!(&run(std::slice::from_ref(job))[0], &made[slot]);
        }
        for from in &mut pictures {
            plan.stages().iter().flat_map(gtr_core::Stage::tokens).for_each(|token| from[token.index()] = 0);
        }
        prop_assert_eq!(run(&from(&jobs, &pictures)), made);
    }

    /// Reconstructions with different seeds have the same generation and differ in the other tokens.
    #[test]
    fn s6_reseeding(plan in laws::plans(&Registry::builtin()), image: u64, seed: u64, other: u64) {
        prop_assume!(seed != other);
        let (registry, settings) = (Registry::builtin(), settings(seed));
        let (sampler, jobs) = (Sampler::new(&plan, &registry).unwrap(), jobs(&[image]));
        let batch = || sampler.batch(&jobs, &settings);
        let reseeded = |seed| batch().reconstruction_seed(Seed(seed)).run(&mut Toy::new(plan.grid())).unwrap();
        let plain = batch().run(&mut Toy::new(plan.grid())).unwrap();
        prop_assert_eq!(&reseeded(seed), &plain);
        let again = reseeded(other);
        for stage in plan.stages() {
            for token in stage.tokens() {
                let same = again[0][token.index()] == plain[0][token.index()];
                prop_assert_eq!(same, stage.role() == Role::Generation, "token {}", token);
            }
        }
    }
}

#[test]
fn the_head_is_called_as_planned() {
    let plan = plan("gtr-paper", 16);
    let mut toy = Toy::new(plan.grid());
    run(&plan, &mut toy, &jobs(&[0, 1]), &settings(0), ()).unwrap();
    assert_eq!(toy.calls.len(), 32);
    let mut known = 0;
    for (call, step) in toy.calls.iter().zip(plan.steps()) {
        known += step.tokens();
        assert_eq!(call.rows, 2 * step.tokens());
        assert_eq!(call.detail_rows, 2 * step.detail().map_or(0, |detail| detail.tokens));
        assert_eq!(call.evaluations[0], step.diffusion_steps().get() as usize);
        let masked = (256 - known).max(1);
        assert_eq!(call.guidance, 1.0 + 2.0 * (256 - masked) as f64 / 256.0);
    }
    assert_eq!(toy.calls.last().unwrap().evaluations, [20, 50]);
    assert_eq!(toy.calls.last().unwrap().detail_rows, 2 * 6);
}

thread_local! {
    /// Draws of noise as (image, token, draw), and readings of features as `None`.
    static EVENTS: RefCell<Vec<Option<(u64, usize, u32)>>> = const { RefCell::new(Vec::new()) };
}

/// Noise whose draws are events.
struct Watched(Noise);

impl NoiseSource for Watched {
    fn fill_normal(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        EVENTS.with_borrow_mut(|events| events.push(Some((image.0, token.index(), draw))));
        self.0.fill_normal(image, token, draw, out);
    }
}

/// A device computes features while the host draws noise, so noise is drawn before features are read.
#[test]
fn noise_is_drawn_before_features_are_read() {
    let (plan, jobs, registry) = (plan("gtr-8", 8), jobs(&[3, 9]), Registry::builtin());
    let sampler = Sampler::new(&plan, &registry).unwrap();
    let run = |draws| {
        EVENTS.take();
        let note: fn() = || EVENTS.with_borrow_mut(|events| events.push(None));
        let mut toy = Toy { draws, when_read: Some(note), ..Toy::new(plan.grid()) };
        let images = sampler.batch(&jobs, &settings(3)).noise(&Watched(Noise::new(Seed(3)))).run(&mut toy).unwrap();
        (images, EVENTS.take(), toy.calls)
    };
    let (expected, after, _) = run(None);
    let (images, before, calls) = run(Some(1));
    assert_eq!(images, expected);
    // The toy takes the first and the last draw of each token; the latter is only drawn before if no group has less.
    let reading = |events: &[_]| events.iter().position(Option::is_none).unwrap();
    let detailed = calls.iter().position(|call| call.detail_rows > 0).unwrap();
    let (call, place) = (&calls[detailed], reading(&before));
    let least = *call.evaluations.iter().min().unwrap();
    let ahead = place - reading(&after);
    assert_eq!(ahead, call.rows * least, "draws before the features of step {detailed} are read");
    let again = before[place - ahead..place].iter().filter(|event| before[place..].contains(event)).count();
    assert_eq!(again, 0, "values are drawn twice");
    // Each token and draw of the plain run is drawn in the other one, too.
    assert!(after.iter().all(|event| before.contains(event)));
}

/// A model that does not compute while the host draws is asked for nothing in advance.
#[test]
fn other_models_draw_no_noise_in_advance() {
    let (plan, registry) = (plan("gtr-8", 8), Registry::builtin());
    EVENTS.take();
    let mut toy = Toy::new(plan.grid());
    let sampler = Sampler::new(&plan, &registry).unwrap();
    sampler.batch(&jobs(&[3]), &settings(3)).noise(&Watched(Noise::new(Seed(3)))).run(&mut toy).unwrap();
    assert_eq!(EVENTS.take().len(), 2 * plan.grid().tokens());
}

#[test]
fn other_seeds_and_images_differ() {
    let plan = plan("gtr-16", 8);
    let image = |seed, image| run(&plan, &mut Toy::new(plan.grid()), &jobs(&[image]), &settings(seed), ()).unwrap();
    assert_eq!(image(1, 1), image(1, 1));
    assert_ne!(image(1, 1), image(2, 1));
    assert_ne!(image(1, 1), image(1, 2));
}

struct Stopper(usize, Vec<usize>);

/// Counts the known tokens before the first step and after each step.
#[derive(Default)]
struct Onlooker(Vec<usize>);

impl Observer<Toy> for Onlooker {
    type Error = Infallible;

    fn start(&mut self, generator: &Toy, canvas: &crate::toy::Canvas) -> Result<(), Infallible> {
        assert_eq!(generator.grid.tokens(), 64);
        self.0.push(canvas.known());
        Ok(())
    }

    fn step(&mut self, event: &StepEvent<'_, Toy>) -> Result<ControlFlow<()>, Infallible> {
        self.0.push(event.canvas.known());
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn an_observer_gets_the_initially_known_tokens() {
    let (plan, mut onlooker) = (lower_half(), Onlooker::default());
    let jobs = from(&jobs(&[0]), &[picture(&plan, 0)]);
    run(&plan, &mut Toy::new(plan.grid()), &jobs, &settings(0), &mut onlooker).unwrap();
    let mut expected = vec![32];
    plan.steps().iter().for_each(|step| expected.push(expected.last().unwrap() + step.tokens()));
    assert_eq!((onlooker.0.last(), &onlooker.0), (Some(&64), &expected));
}

impl Observer<Toy> for Stopper {
    type Error = Infallible;

    fn step(&mut self, event: &StepEvent<'_, Toy>) -> Result<ControlFlow<()>, Infallible> {
        self.1.push(event.index);
        Ok(if event.index == self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

/// Fails before the first step, or after some step.
struct Failing(Option<usize>);

impl Observer<Toy> for Failing {
    type Error = String;

    fn start(&mut self, _generator: &Toy, _canvas: &crate::toy::Canvas) -> Result<(), String> {
        if self.0.is_none() { Err("no place for it".to_owned()) } else { Ok(()) }
    }

    fn step(&mut self, event: &StepEvent<'_, Toy>) -> Result<ControlFlow<()>, String> {
        if self.0 == Some(event.index) {
            Err(format!("no place after {}", event.index))
        } else {
            Ok(ControlFlow::Continue(()))
        }
    }
}

#[test]
fn an_observer_that_fails_ends_the_run_and_says_why() {
    let plan = plan("gtr-8", 8);
    let last = plan.steps().len() - 1;
    for (fails, why) in [(None, "no place for it"), (Some(2), "no place after 2"), (Some(last), "no place after 7")] {
        let mut toy = Toy::new(plan.grid());
        let error = run(&plan, &mut toy, &jobs(&[0]), &settings(0), Failing(fails)).unwrap_err();
        assert!(matches!(&error, SampleError::Observer(_)), "{error}");
        assert_eq!((error.to_string().as_str(), toy.calls.len()), (why, fails.map_or(0, |step| step + 1)));
    }
}

/// Compares the rows that it is told of with the targets.
struct Rows(Vec<usize>);

impl Observer<Toy> for Rows {
    type Error = String;

    fn step(&mut self, event: &StepEvent<'_, Toy>) -> Result<ControlFlow<()>, String> {
        let tokens: Vec<TokenIndex> = event.rows.iter().map(|row| row.token).collect();
        let images: Vec<u64> = event.rows.chunks(event.targets.per_image()).map(|rows| rows[0].image.0).collect();
        if tokens != event.targets.rows() || images != [4, 9] {
            return Err(format!("{tokens:?} of {images:?}"));
        }
        for (picked, rows) in event.picked.iter().zip(event.rows.chunks(event.targets.per_image())) {
            let grouped: Vec<usize> = (0..rows.len()).filter(|&position| rows[position].group == 1).collect();
            if grouped != *picked {
                return Err(format!("{grouped:?} are not {picked:?}"));
            }
        }
        self.0.push(event.rows.iter().filter(|row| row.group == 1).count());
        Ok(ControlFlow::Continue(()))
    }
}

#[test]
fn an_observer_is_told_the_rows() {
    let (plan, mut rows) = (plan("gtr-paper", 16), Rows(Vec::new()));
    run(&plan, &mut Toy::new(plan.grid()), &jobs(&[4, 9]), &settings(0), &mut rows).unwrap();
    let details = plan.steps().iter().map(|step| 2 * step.detail().map_or(0, |detail| detail.tokens));
    assert_eq!(rows.0, details.collect::<Vec<_>>());
}

#[test]
fn an_observer_is_called_at_every_step_and_can_stop() {
    let plan = plan("gtr-8", 8);
    let mut observer = Stopper(99, Vec::new());
    run(&plan, &mut Toy::new(plan.grid()), &jobs(&[0]), &settings(0), &mut observer).unwrap();
    assert_eq!(observer.1, (0..plan.steps().len()).collect::<Vec<_>>());
    let stopped = run(&plan, &mut Toy::new(plan.grid()), &jobs(&[0]), &settings(0), Stopper(2, Vec::new()));
    assert_eq!(stopped.unwrap_err().to_string(), "stopped after AR step 3 of 8");
    // Stopping after the last step has no effect.
    let last = plan.steps().len() - 1;
    assert!(run(&plan, &mut Toy::new(plan.grid()), &jobs(&[0]), &settings(0), Stopper(last, Vec::new())).is_ok());
}

#[test]
fn non_finite_values_are_reported_with_image_token_and_step() {
    let plan = plan("gtr-8", 8);
    let mut toy = Toy::new(plan.grid());
    toy.poison = plan.stages()[0].tokens().first().copied();
    let error = run(&plan, &mut toy, &jobs(&[5]), &settings(0), ()).unwrap_err();
    assert!(matches!(error, SampleError::NonFinite { image: ImageIndex(5), .. }), "{error}");
    assert!(error.to_string().starts_with("token 0 of image 5 is not finite after AR step "), "{error}");
}

#[test]
fn unsuitable_plans_are_refused() {
    let plan = plan("gtr-8", 8);
    let error = run(&plan, &mut Toy::new(Grid::new(8, 9).unwrap()), &jobs(&[0]), &settings(0), ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plan is for a grid of 8x8, but the model has a grid of 8x9; plan with --grid 8x9"
    );
    let mut toy = Toy::new(plan.grid());
    toy.offers.clear();
    let error = run(&plan, &mut toy, &jobs(&[0]), &settings(0), ()).unwrap_err();
    assert!(matches!(error, SampleError::Unsupported(_)), "{error}");
    let hot = Settings { temperature: f64::NAN, ..settings(0) };
    let error = run(&plan, &mut Toy::new(plan.grid()), &jobs(&[0]), &hot, ()).unwrap_err();
    assert_eq!(error.to_string(), "a temperature must be 0 to 100, not NaN");
    assert_eq!(run(&plan, &mut Toy::new(plan.grid()), &[], &settings(0), ()).unwrap(), Vec::<Vec<u32>>::new());
}

/// Returns a plan for the lower half of a grid.
fn lower_half() -> Plan {
    let grid = Grid::new(8, 8).unwrap();
    let known = TokenSet::from_tokens(grid, grid.iter().take(32));
    preset::find("gtr-8").unwrap().schedule.plan_rest(&known, &Registry::builtin()).unwrap().plan
}

#[test]
fn known_tokens_need_a_picture_and_a_model_that_can_encode() {
    let plan = lower_half();
    let error = run(&plan, &mut Toy::new(plan.grid()), &jobs(&[0]), &settings(0), ()).unwrap_err().to_string();
    assert_eq!(error, "the plan has 32 known tokens; expected an image for the known part, found none");
    let mut some = jobs(&[0, 1]);
    some[0].init = Some(picture(&plan, 0));
    let error = run(&plan, &mut Toy::new(plan.grid()), &some, &settings(0), ()).unwrap_err();
    assert!(matches!(error, SampleError::MissingInitImage { known: 32 }), "{error}");
    let mut toy = Toy::new(plan.grid());
    toy.offers.retain(|offer| *offer != gtr_core::Capability::Encoding);
    let begun = from(&jobs(&[0]), &[picture(&plan, 0)]);
    let error = run(&plan, &mut toy, &begun, &settings(0), ()).unwrap_err();
    assert_eq!(error.to_string(), "the plan requires encoding of images, which this model does not provide");
}

#[test]
fn all_tokens_known_is_an_error() {
    let grid = Grid::new(8, 8).unwrap();
    let schedule = &preset::find("gtr-8").unwrap().schedule;
    let error = schedule.plan_rest(&TokenSet::full(grid), &Registry::builtin()).unwrap_err().to_string();
    assert_eq!(error, "every token of the grid of 8x8 is known: nothing is left to generate");
}

/// The comparison of `s5_known` detects a model that loses known tokens.
#[test]
fn steps_depend_on_known_tokens() {
    let plan = lower_half();
    let made = |picture: Vec<u32>| {
        let begun = from(&jobs(&[0]), &[picture]);
        run(&plan, &mut Toy::new(plan.grid()), &begun, &settings(0), ()).unwrap().remove(0)
    };
    let (a, mut other) = (made(picture(&plan, 0)), picture(&plan, 0));
    other[0] = 3.0_f32.to_bits();
    assert_ne!(a[32..], made(other)[32..]);
}

#[test]
fn an_unregistered_detail_rule_cannot_be_sampled() {
    let mut document = plan("gtr-8", 8).to_document();
    document.schedule.detail = AxisConfig::new("by-eye");
    let plan = Plan::from_document(&document, &Registry::builtin()).unwrap().plan;
    let error = Sampler::new(&plan, &Registry::builtin()).unwrap_err().to_string();
    assert!(error.starts_with("unknown detail `by-eye`; expected one of `fts`, "), "{error}");
}
