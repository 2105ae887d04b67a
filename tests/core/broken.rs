//! Implementations that violate the laws, and the violations that must be detected.

use std::convert::Infallible;

use gtr_core::detail::{Candidates, DetailShare};
use gtr_core::diffusion::StepShape;
use gtr_core::pace::StageSizes;
use gtr_core::sampler::{Job, Settings};
use gtr_core::{
    AxisConfig, Denoise, Detail, Diffusion, DiffusionSteps, Error, FeatureReader, FeatureRows, FitPolicy, Grid,
    Guidance, HeadKind, ImageIndex, MaskedGenerator, NonFinite, Order, Pace, Partition, Registry, Sampler, Seed,
    StageOrder, StepContext, Targets, TimestepLimit, TokenIndex, TokenRanker, laws, preset,
};

use crate::toy::{Canvas, Toy};

fn grid() -> Grid {
    Grid::new(4, 4).unwrap()
}

fn caught(law: laws::Law, says: &str) {
    assert!(!says.is_empty(), "the expected message is empty");
    let broken = law.expect_err("the law holds").to_string();
    assert!(broken.contains(says), "{broken}");
}

/// Lists tokens in descending order although their order depends on the seed.
#[derive(Debug)]
struct Backwards;

impl Order for Backwards {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        Partition::whole(grid, grid.iter().rev().collect())
    }

    fn within(&self) -> StageOrder {
        StageOrder::Random
    }
}

/// Omits the first token.
#[derive(Debug)]
struct Forgetful;

impl Order for Forgetful {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        Partition::whole(grid, grid.iter().skip(1).collect())
    }
}

#[test]
fn orders() {
    caught(laws::order(&Backwards, grid()), "do not ascend");
    caught(laws::order(&Forgetful, grid()), "token 0 is missing");
    let [a, b] = [0, 1].map(|token| grid().token(token).unwrap());
    assert!(
        Partition::new(grid(), vec![vec![a], vec![b, a]])
            .unwrap_err()
            .to_string()
            .contains("token 0 occurs more than once")
    );
    let elsewhere = Grid::new(9, 9).unwrap().token(80).unwrap();
    assert!(Partition::new(grid(), vec![vec![elsewhere]]).is_err());
}

/// Returns the same steps for all stages.
#[derive(Debug)]
struct Fixed(Vec<usize>);

impl Pace for Fixed {
    fn steps(&self, stages: &StageSizes, _fit: &mut FitPolicy) -> Result<Vec<Vec<usize>>, Error> {
        Ok(vec![self.0.clone(); stages.stages.len()])
    }
}

#[test]
fn paces() {
    caught(laws::pace(&Fixed(vec![]), &[4]), "has no step");
    caught(laws::pace(&Fixed(vec![4, 0]), &[4]), "an empty step");
    caught(laws::pace(&Fixed(vec![4]), &[5]), "steps of stage 0");
    laws::pace(&Fixed(vec![1, 3]), &[4]).unwrap();
}

/// Omits a step.
#[derive(Debug)]
struct Short;

impl Diffusion for Short {
    fn curve(&self, steps: &[StepShape]) -> Vec<DiffusionSteps> {
        vec![DiffusionSteps::new(9).unwrap(); steps.len() - 1]
    }

    fn limit(&self) -> TimestepLimit {
        TimestepLimit::NONE
    }
}

#[test]
fn curves() {
    assert!(laws::diffusion(&Short, 3, 1).is_err());
}

/// Picks fixed positions, so that the result depends on the order of the tokens.
#[derive(Debug)]
struct Positions(Vec<usize>);

impl Detail for Positions {
    fn share(&self, _tokens: usize) -> Option<DetailShare> {
        Some(DetailShare { tokens: 2, diffusion_steps: DiffusionSteps::new(9).unwrap() })
    }

    fn pick(&self, _candidates: Candidates<'_>, _count: usize) -> Vec<usize> {
        self.0.clone()
    }
}

/// Claims to rank by the token index, but always picks the tokens 1 and 2.
#[derive(Debug)]
struct Unranked(usize);

impl Detail for Unranked {
    fn share(&self, _tokens: usize) -> Option<DetailShare> {
        Some(DetailShare { tokens: 2, diffusion_steps: DiffusionSteps::new(9).unwrap() })
    }

    fn scores(&self, candidates: &Candidates<'_>) -> Option<Vec<f64>> {
        Some(candidates.tokens.iter().skip(self.0).map(|token| f64::from(token.get())).collect())
    }

    fn pick(&self, candidates: Candidates<'_>, _count: usize) -> Vec<usize> {
        let chosen = |token: &TokenIndex| [1, 2].contains(&token.index());
        (0..candidates.tokens.len()).filter(|&position| chosen(&candidates.tokens[position])).collect()
    }
}

#[test]
fn detail_rules() {
    let tokens: Vec<TokenIndex> = grid().iter().take(5).collect();
    let law = |rule: &Positions| laws::detail(rule, &tokens, &[0.0; 10], 2, Seed(0));
    caught(law(&Positions(vec![0])), "picks 1 of 5 tokens, but its share is 2");
    caught(law(&Positions(vec![1, 1])), "do not ascend");
    caught(law(&Positions(vec![0, 1])), "depends on the order");
    caught(laws::detail(&Positions(vec![0, 1]), &tokens[..1], &[0.0; 2], 2, Seed(0)), "picks 2 of 1");
    caught(laws::detail(&Unranked(0), &tokens, &[0.0; 10], 2, Seed(0)), "not at one end of the scores");
    caught(laws::detail(&Unranked(1), &tokens, &[0.0; 10], 2, Seed(0)), "expected one score per token");
}

/// The fault of a model.
#[derive(Clone, Copy)]
enum Fault {
    /// Adds the number of rows to every value, so that values depend on the batch.
    Crowded,
    /// Commits only its first target.
    Forgetful,
    /// Commits other tokens than the targets.
    Elsewhere,
    /// Returns host features with a number of values too many or, if negative, too few.
    Rows(isize),
    /// Reports a non-finite value in an image that does not exist.
    Slot,
    /// Returns a confidence too many or too few.
    Confidences(isize),
    /// Keeps the first rows instead of the chosen ones.
    First,
    /// Keeps every row.
    All,
}

struct Faulty(Toy, Fault);

impl MaskedGenerator for Faulty {
    type Prompt = f32;
    type Canvas = Canvas;
    type Features = FeatureRows;
    type Tokens = Vec<f32>;
    type Image = Vec<u32>;
    type Error = Infallible;

    fn grid(&self) -> Grid {
        self.0.grid
    }

    fn head_kind(&self) -> HeadKind {
        self.0.head_kind()
    }

    fn canvas(&mut self, prompts: &[f32], guided: bool) -> Result<Canvas, Self::Error> {
        self.0.canvas(prompts, guided)
    }

    fn features(
        &mut self,
        canvas: &mut Canvas,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<FeatureRows, Self::Error> {
        self.0.features(canvas, targets, step)
    }

    fn denoise(&mut self, features: &FeatureRows, request: &Denoise<'_>) -> Result<Vec<f32>, Self::Error> {
        let mut values = self.0.denoise(features, request)?;
        if let Fault::Crowded = self.1 {
            for value in &mut values {
                *value += request.rows.len() as f32;
            }
        }
        Ok(values)
    }

    fn commit(&mut self, canvas: &mut Canvas, targets: &Targets, tokens: Vec<f32>) -> Result<(), Self::Error> {
        let toy = &self.0;
        // The last unknown tokens.
        let last = |slot: usize| {
            let unknown = toy.grid.iter().filter(|&token| !toy.is_known(canvas, slot, token));
            let mut unknown: Vec<TokenIndex> = unknown.collect();
            unknown.split_off(unknown.len() - targets.per_image())
        };
        let chosen: Vec<Vec<TokenIndex>> = match self.1 {
            Fault::Forgetful => targets.by_image().map(|tokens| vec![tokens[0]]).collect(),
            Fault::Elsewhere => (0..targets.images()).map(last).collect(),
            _ => return self.0.commit(canvas, targets, tokens),
        };
        self.0.commit(canvas, &Targets::new(chosen.iter().map(Vec::as_slice)), tokens)
    }

    fn is_known(&self, canvas: &Canvas, slot: usize, token: TokenIndex) -> bool {
        self.0.is_known(canvas, slot, token)
    }

    fn find_non_finite(&self, canvas: &Canvas) -> Result<Option<NonFinite>, Self::Error> {
        let Fault::Slot = self.1 else { return self.0.find_non_finite(canvas) };
        Ok(Some(NonFinite { slot: 9, token: self.0.grid.token(0).unwrap() }))
    }

    fn decode(&mut self, canvas: Canvas) -> Result<Vec<Vec<u32>>, Self::Error> {
        self.0.decode(canvas)
    }

    fn feature_reader(&self) -> Option<&dyn FeatureReader<Features = FeatureRows, Error = Self::Error>> {
        Some(self)
    }

    fn token_ranker(&self) -> Option<&dyn TokenRanker<Tokens = Vec<f32>, Error = Self::Error>> {
        Some(self)
    }
}

impl FeatureReader for Faulty {
    type Features = FeatureRows;
    type Error = Infallible;

    fn host_features(&self, features: &FeatureRows) -> Result<FeatureRows, Infallible> {
        let mut rows = self.0.host_features(features)?;
        if let Fault::Rows(more) = self.1 {
            rows.values.resize(rows.values.len().saturating_add_signed(more), 0.0);
        }
        Ok(rows)
    }
}

impl TokenRanker for Faulty {
    type Tokens = Vec<f32>;
    type Error = Infallible;

    fn confidence(&self, tokens: &Vec<f32>) -> Result<Vec<f32>, Infallible> {
        let mut confidence = tokens.clone();
        if let Fault::Confidences(more) = self.1 {
            confidence.resize(confidence.len().saturating_add_signed(more), 0.0);
        }
        Ok(confidence)
    }

    fn keep(&self, mut tokens: Vec<f32>, rows: &[usize]) -> Result<Vec<f32>, Infallible> {
        match self.1 {
            Fault::First => tokens.truncate(rows.len()),
            Fault::All => {}
            _ => return self.0.keep(tokens, rows),
        }
        Ok(tokens)
    }
}

#[test]
fn models() {
    let registry = Registry::builtin();
    let plan = |name| preset::find(name).unwrap().schedule.plan(grid(), &registry).unwrap().plan;
    let settings = Settings { seed: Seed(0), guidance: Guidance::NONE, temperature: 1.0 };
    let jobs = [0, 1].map(|image| Job::new(1.0, ImageIndex(image)));
    let law =
        |fault, name| laws::generator(&mut Faulty(Toy::new(grid()), fault), &plan(name), &registry, &jobs, &settings);
    caught(law(Fault::Crowded, "gtr-8"), "image 0 differs between a batch and alone");
    caught(law(Fault::Forgetful, "gtr-8"), " is unknown after AR step ");
    caught(law(Fault::Elsewhere, "gtr-8"), " after AR step ");
    caught(law(Fault::Slot, "gtr-8"), "the model returned 10 images, expected 2");
    // With and without a detail rule that needs the vectors.
    for name in ["gtr-8", "mar-8"] {
        for more in [-6, -1, 1, 6] {
            caught(law(Fault::Rows(more), name), "host_features: ");
        }
    }
}

#[test]
fn models_in_ranked_stages() {
    let registry = Registry::builtin();
    let mut schedule = preset::find("mar-8").unwrap().schedule.clone();
    schedule.order = AxisConfig::new("ranked");
    let plan = schedule.plan(grid(), &registry).unwrap().plan;
    let settings = Settings { seed: Seed(0), guidance: Guidance::NONE, temperature: 1.0 };
    let jobs = [0, 1].map(|image| Job::new(1.0, ImageIndex(image)));
    let law = |fault| laws::generator(&mut Faulty(Toy::new(grid()), fault), &plan, &registry, &jobs, &settings);
    laws::generator(&mut Toy::new(grid()), &plan, &registry, &jobs, &settings).unwrap();
    caught(law(Fault::Elsewhere), " after AR step ");
    caught(law(Fault::Forgetful), " is unknown after AR step ");
    caught(law(Fault::Crowded), "image 0 differs between a batch and alone");
    caught(law(Fault::Rows(6)), "host_features: ");
    caught(law(Fault::Confidences(-1)), "the model returned 31 confidences, expected 32");
    caught(law(Fault::Confidences(1)), "the model returned 33 confidences, expected 32");
    caught(law(Fault::First), "the model kept another row than that of token ");
    caught(law(Fault::All), "the model returned 32 confidences, expected 2");
}

#[test]
fn the_loop_checks_the_number_of_returned_rows() {
    let registry = Registry::builtin();
    let plan = preset::find("gtr-8").unwrap().schedule.plan(grid(), &registry).unwrap().plan;
    let settings = Settings { seed: Seed(0), guidance: Guidance::NONE, temperature: 1.0 };
    let jobs = [Job::new(1.0, ImageIndex(0))];
    for more in [-1, 1] {
        let mut model = Faulty(Toy::new(grid()), Fault::Rows(more));
        let error = Sampler::new(&plan, &registry).unwrap().batch(&jobs, &settings).run(&mut model).unwrap_err();
        assert!(error.to_string().contains(" values of conditioning vectors, expected "), "{error}");
    }
}
