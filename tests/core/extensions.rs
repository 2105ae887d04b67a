//! The optional abilities of a model: what it provides follows from its methods, and a plan that requires more is refused.

use std::convert::Infallible;

use gtr_core::sampler::{Job, SampleError, Settings};
use gtr_core::{
    AxisConfig, AxisName, Capability, Denoise, FeatureRows, Grid, Guidance, HeadKind, ImageIndex, MaskedGenerator,
    Plan, Registry, Sampler, Seed, StepContext, Targets, TimestepLimit, TokenIndex, TokenSet, preset,
};

use crate::toy::{Canvas, Toy};

const ALL: [Capability; 5] = [
    Capability::HostFeatures,
    Capability::Encoding,
    Capability::LearnedVariance,
    Capability::Confidence,
    Capability::Reuse,
];

fn grid() -> Grid {
    Grid::new(8, 8).unwrap()
}

/// Returns what a model provides, in the order of [`ALL`].
fn provided(model: &impl MaskedGenerator) -> Vec<Capability> {
    ALL.into_iter().filter(|capability| capability.is_provided_by(model)).collect()
}

/// Compares what the toy provides with its methods and with `expected`.
fn agree(toy: &Toy, learned: bool, expected: &[Capability]) {
    let of_methods = [
        (Capability::HostFeatures, toy.feature_reader().is_some()),
        (Capability::Encoding, toy.image_encoder().is_some()),
        (Capability::LearnedVariance, learned),
        (Capability::Confidence, toy.token_ranker().is_some()),
        (Capability::Reuse, toy.reuses()),
    ];
    for (capability, method) in of_methods {
        assert_eq!(capability.is_provided_by(toy), method, "{capability}");
    }
    assert_eq!(provided(toy), expected);
}

#[test]
fn what_a_model_provides_follows_from_its_methods() {
    let mut toy = Toy::new(grid());
    agree(&toy, true, &ALL);
    for missing in ALL {
        let rest: Vec<Capability> = ALL.into_iter().filter(|capability| *capability != missing).collect();
        toy.offers.clone_from(&rest);
        agree(&toy, missing != Capability::LearnedVariance, &rest);
        toy.offers = vec![missing];
        agree(&toy, missing == Capability::LearnedVariance, &[missing]);
    }
    toy.offers.clear();
    agree(&toy, false, &[]);
}

#[test]
fn only_a_diffusion_head_predicts_variances() {
    let mut toy = Toy::new(grid());
    let others = [Capability::HostFeatures, Capability::Encoding, Capability::Confidence, Capability::Reuse];
    for head in [HeadKind::Flow { timesteps: TimestepLimit::NONE }, HeadKind::Categorical { vocabulary: 7 }] {
        toy.head = Some(head);
        agree(&toy, false, &others);
    }
    toy.head = Some(HeadKind::DIFFUSION);
    agree(&toy, true, &ALL);
}

#[test]
fn a_preview_shows_the_known_tokens_of_unfinished_images() {
    let mut toy = Toy::new(grid());
    let mut canvas = toy.canvas(&[0.0], false).unwrap();
    let token = grid().token(9).unwrap();
    toy.commit(&mut canvas, &Targets::new([[token].as_slice()]), vec![3.0]).unwrap();
    let shown = toy.previewer().unwrap().preview(&canvas).unwrap();
    let expected = grid().iter().map(|other| if other == token { 3.0_f32 } else { 0.0 }.to_bits());
    assert_eq!(shown, [expected.collect::<Vec<_>>()]);
    toy.previews = false;
    assert!(toy.previewer().is_none());
}

/// A wrapper that forwards only the required methods.
struct Bare(Toy);

impl MaskedGenerator for Bare {
    type Prompt = f32;
    type Canvas = Canvas;
    type Features = FeatureRows;
    type Tokens = Vec<f32>;
    type Image = Vec<u32>;
    type Error = Infallible;

    fn grid(&self) -> Grid {
        self.0.grid()
    }

    fn head_kind(&self) -> HeadKind {
        self.0.head_kind()
    }

    fn canvas(&mut self, prompts: &[f32], guided: bool) -> Result<Canvas, Infallible> {
        self.0.canvas(prompts, guided)
    }

    fn features(
        &mut self,
        canvas: &mut Canvas,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<FeatureRows, Infallible> {
        self.0.features(canvas, targets, step)
    }

    fn denoise(&mut self, features: &FeatureRows, request: &Denoise<'_>) -> Result<Vec<f32>, Infallible> {
        self.0.denoise(features, request)
    }

    fn commit(&mut self, canvas: &mut Canvas, targets: &Targets, tokens: Vec<f32>) -> Result<(), Infallible> {
        self.0.commit(canvas, targets, tokens)
    }

    fn is_known(&self, canvas: &Canvas, slot: usize, token: TokenIndex) -> bool {
        self.0.is_known(canvas, slot, token)
    }

    fn decode(&mut self, canvas: Canvas) -> Result<Vec<Vec<u32>>, Infallible> {
        self.0.decode(canvas)
    }
}

/// Returns a plan of a preset, with one axis replaced. A solver that needs no variance is the default.
fn plan(preset: &str, known: &TokenSet, axis: Option<(AxisName, &str)>) -> Plan {
    let mut schedule = preset::find(preset).unwrap().schedule.clone();
    schedule.set_axis(AxisName::Solver, AxisConfig::new("ddim"));
    if let Some((axis, kind)) = axis {
        schedule.set_axis(axis, AxisConfig::new(kind));
    }
    schedule.plan_rest(known, &Registry::builtin()).unwrap().plan
}

fn run<G>(plan: &Plan, model: &mut G) -> Result<Vec<Vec<u32>>, SampleError<Infallible>>
where
    G: MaskedGenerator<Prompt = f32, Image = Vec<u32>, Error = Infallible>,
{
    let settings = Settings { seed: Seed(0), guidance: Guidance::NONE, temperature: 1.0 };
    let jobs = [Job::new(1.0, ImageIndex(0)).starting_from(vec![0; plan.grid().tokens()])];
    Sampler::new(plan, &Registry::builtin())?.batch(&jobs, &settings).run(model)
}

#[test]
fn a_wrapper_that_forwards_nothing_provides_nothing_and_is_refused() {
    let mut bare = Bare(Toy::new(grid()));
    assert_eq!(provided(&bare.0), ALL);
    // The head is required, and so is what it predicts.
    assert_eq!(provided(&bare), [Capability::LearnedVariance]);
    bare.0.offers.retain(|capability| *capability != Capability::LearnedVariance);
    assert_eq!(provided(&bare), []);
    assert!(bare.0.previewer().is_some() && bare.previewer().is_none());

    let whole = TokenSet::empty(grid());
    let known = TokenSet::from_tokens(grid(), grid().iter().take(32));
    let plans = [
        (Capability::HostFeatures, plan("gtr-8", &whole, None)),
        (Capability::Encoding, plan("mar-8", &known, None)),
        (Capability::LearnedVariance, plan("mar-8", &whole, Some((AxisName::Solver, "ddpm")))),
        (Capability::Confidence, plan("mar-8", &whole, Some((AxisName::Order, "ranked")))),
        (Capability::Reuse, plan("mar-8", &whole, Some((AxisName::Reuse, "lazymar")))),
    ];
    for (capability, plan) in plans {
        let mut toy = Toy::new(grid());
        toy.offers = vec![capability];
        assert!(run(&plan, &mut toy).is_ok(), "{capability}");
        let error = run(&plan, &mut bare).expect_err(&capability.to_string()).to_string();
        assert_eq!(error, format!("the plan requires {capability}, which this model does not provide"));
    }
    assert!(bare.0.calls.is_empty() && bare.0.steps.is_empty());
    // A plan that requires nothing runs.
    assert_eq!(run(&plan("mar-8", &whole, None), &mut bare).unwrap().len(), 1);
}
