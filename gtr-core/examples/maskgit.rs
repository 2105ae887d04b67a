//! A model that is not a diffusion model: it draws codes from distributions, in the order of their probability, as `MaskGIT`
//! (arXiv 2202.04200) does. The model is checked against the laws and sampled with the order `ranked`.
//!
//! ```sh
//! cargo run -p gtr-core --example maskgit
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::ops::ControlFlow;

use gtr_core::sampler::{Job, Observer, Settings, StepEvent};
use gtr_core::{
    Denoise, Grid, Guidance, GuidanceSchedule, HeadKind, ImageIndex, MaskedGenerator, Registry, Sampler, Schedule,
    Seed, StepContext, Targets, TokenIndex, TokenRanker, laws,
};

const CODES: usize = 5;

type Logits = [f32; CODES];

/// Logits of the codes for each prompt, 0 and 1.
const TABLE: [Logits; 2] = [[1.0, 0.7, 0.0, -0.7, -1.0], [-1.0, -0.7, 0.0, 0.7, 1.0]];

/// Logits of the unconditional half, for any prompt.
const UNCONDITIONAL: Logits = [0.0; CODES];

/// Increase of the logit of a code for each known neighbour that has the code.
const VOTE: f32 = 1.2;

/// Codes of a grid: the logits of a token are those of the prompt plus the votes of its known neighbours.
struct Model {
    grid: Grid,
}

struct Canvas {
    prompts: Vec<usize>,
    /// The code of each token of each image, `None` while it is unknown.
    codes: Vec<Vec<Option<usize>>>,
}

/// Logits of a target with the prompt and without it.
struct Halves {
    conditional: Logits,
    unconditional: Logits,
}

struct Drawn {
    code: usize,
    /// Logarithm of the probability of the code.
    confidence: f32,
}

impl Model {
    /// Returns the number of known neighbours that have each code.
    fn votes(&self, codes: &[Option<usize>], token: TokenIndex) -> Logits {
        let at = self.grid.position(token);
        let (row, column) = (at.row, at.column);
        let neighbours =
            [(row.wrapping_sub(1), column), (row + 1, column), (row, column.wrapping_sub(1)), (row, column + 1)];
        let mut votes = [0.0; CODES];
        for token in neighbours.into_iter().filter_map(|(row, column)| self.grid.at(row, column)) {
            if let Some(code) = codes[token.index()] {
                votes[code] += VOTE;
            }
        }
        votes
    }
}

fn sum(a: &Logits, b: &Logits) -> Logits {
    std::array::from_fn(|code| a[code] + b[code])
}

/// Applies guidance to the logits.
#[expect(clippy::cast_possible_truncation, reason = "logits are f32")]
fn guided(halves: &Halves, scale: f64) -> Logits {
    std::array::from_fn(|code| {
        let (conditional, unconditional) = (f64::from(halves.conditional[code]), f64::from(halves.unconditional[code]));
        (unconditional + scale * (conditional - unconditional)) as f32
    })
}

/// Draws a code by adding Gumbel noise to the logits and taking the greatest.
#[expect(clippy::cast_possible_truncation, reason = "confidences are f32")]
fn draw(logits: &Logits, uniform: &[f32; CODES], temperature: f64) -> Drawn {
    let noise = |code: usize| -(-f64::from(uniform[code].max(f32::MIN_POSITIVE)).ln()).ln();
    let score = |code: usize| f64::from(logits[code]) + temperature * noise(code);
    let code = (0..CODES).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap_or(0);
    let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
    Drawn { code, confidence: (f64::from(logits[code]) - total.ln()) as f32 }
}

impl MaskedGenerator for Model {
    type Prompt = usize;
    type Canvas = Canvas;
    type Features = Vec<Halves>;
    type Tokens = Vec<Drawn>;
    type Image = Vec<usize>;
    type Error = Infallible;

    fn grid(&self) -> Grid {
        self.grid
    }

    fn head_kind(&self) -> HeadKind {
        HeadKind::Categorical { vocabulary: CODES }
    }

    fn canvas(&mut self, prompts: &[usize], _guided: bool) -> Result<Canvas, Infallible> {
        let codes = vec![vec![None; self.grid.tokens()]; prompts.len()];
        Ok(Canvas { prompts: prompts.to_vec(), codes })
    }

    fn features(
        &mut self,
        canvas: &mut Canvas,
        targets: &Targets,
        _step: &StepContext,
    ) -> Result<Vec<Halves>, Infallible> {
        let mut halves = Vec::with_capacity(targets.rows().len());
        for (slot, tokens) in targets.by_image().enumerate() {
            let table = &TABLE[canvas.prompts[slot] % TABLE.len()];
            halves.extend(tokens.iter().map(|&token| {
                let votes = self.votes(&canvas.codes[slot], token);
                Halves { conditional: sum(table, &votes), unconditional: sum(&UNCONDITIONAL, &votes) }
            }));
        }
        Ok(halves)
    }

    fn denoise(&mut self, features: &Vec<Halves>, request: &Denoise<'_>) -> Result<Vec<Drawn>, Infallible> {
        let rows = request.rows.iter().zip(features).map(|(row, halves)| {
            let mut uniform = [0.0; CODES];
            request.noise.fill_uniform(row.image, row.token, 0, &mut uniform);
            draw(&guided(halves, request.step.guidance), &uniform, request.step.temperature)
        });
        Ok(rows.collect())
    }

    fn commit(&mut self, canvas: &mut Canvas, targets: &Targets, tokens: Vec<Drawn>) -> Result<(), Infallible> {
        let mut values = tokens.into_iter();
        for (codes, tokens) in canvas.codes.iter_mut().zip(targets.by_image()) {
            for (token, drawn) in tokens.iter().zip(values.by_ref()) {
                codes[token.index()] = Some(drawn.code);
            }
        }
        Ok(())
    }

    fn is_known(&self, canvas: &Canvas, slot: usize, token: TokenIndex) -> bool {
        canvas.codes[slot][token.index()].is_some()
    }

    fn decode(&mut self, canvas: Canvas) -> Result<Vec<Vec<usize>>, Infallible> {
        Ok(canvas.codes.into_iter().map(|codes| codes.into_iter().flatten().collect()).collect())
    }

    fn token_ranker(&self) -> Option<&dyn TokenRanker<Tokens = Vec<Drawn>, Error = Infallible>> {
        Some(self)
    }
}

impl TokenRanker for Model {
    type Tokens = Vec<Drawn>;
    type Error = Infallible;

    fn confidence(&self, tokens: &Vec<Drawn>) -> Result<Vec<f32>, Infallible> {
        Ok(tokens.iter().map(|drawn| drawn.confidence).collect())
    }

    fn keep(&self, tokens: Vec<Drawn>, rows: &[usize]) -> Result<Vec<Drawn>, Infallible> {
        let mut kept = rows.iter().peekable();
        let tokens = tokens.into_iter().enumerate().filter(|(row, _)| kept.next_if_eq(&row).is_some());
        Ok(tokens.map(|(_, drawn)| drawn).collect())
    }
}

/// The AR step, from 1, in which each token of the first image was kept.
struct KeptIn(Vec<usize>);

impl Observer<Model> for KeptIn {
    type Error = Infallible;

    fn step(&mut self, event: &StepEvent<'_, Model>) -> Result<ControlFlow<()>, Infallible> {
        for token in event.targets.by_image().next().into_iter().flatten() {
            self.0[token.index()] = event.index + 1;
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[expect(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let registry = Registry::builtin();
    let schedule: Schedule = serde_json::from_str(
        r#"{
            "order": { "kind": "ranked", "choice_temperature": 1.0 },
            "pace": { "kind": "cosine", "steps": 8 },
            "diffusion": { "kind": "constant", "t": 1 },
            "detail": { "kind": "none" }
        }"#,
    )?;
    let plan = schedule.plan(Grid::new(8, 16)?, &registry)?.plan;
    let mut model = Model { grid: plan.grid() };
    let settings =
        Settings { seed: Seed(0), guidance: Guidance::new(2.0, GuidanceSchedule::Linear)?, temperature: 1.0 };
    let jobs = [0, 1, 0].into_iter().zip(0..).map(|(prompt, image)| Job::new(prompt, ImageIndex(image)));
    let jobs: Vec<_> = jobs.collect();
    laws::generator(&mut model, &plan, &registry, &jobs, &settings).map_err(|broken| broken.to_string())?;

    let mut kept_in = KeptIn(vec![0; plan.grid().tokens()]);
    let images = Sampler::new(&plan, &registry)?.batch(&jobs, &settings).observe(&mut kept_in).run(&mut model)?;
    for (index, step) in (1..).zip(plan.steps()) {
        println!("AR step {index}: {:3} of {:3} drawn tokens are kept", step.tokens(), step.candidates());
    }
    println!("\nAR step in which each token of image 0 was kept, and the codes of images 0 and 1:");
    let width = plan.grid().width() as usize;
    let digits = |row: &[usize]| row.iter().map(usize::to_string).collect::<String>();
    let symbols = |row: &[usize]| row.iter().map(|&code| [' ', '.', ':', 'o', '#'][code % CODES]).collect::<String>();
    for ((steps, first), second) in kept_in.0.chunks(width).zip(images[0].chunks(width)).zip(images[1].chunks(width)) {
        println!("{}   |{}|   |{}|", digits(steps), symbols(first), symbols(second));
    }
    Ok(())
}
