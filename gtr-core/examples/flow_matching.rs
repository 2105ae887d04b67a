//! A model with a flow-matching head: it predicts a velocity, and any solver that needs no variance integrates it. The
//! velocity is known in closed form, so the error of each solver is known, too. The error of the first-order
//! solver falls with the number of diffusion steps, that of the second-order one faster.
//!
//! ```sh
//! cargo run -p gtr-core --example flow_matching
//! ```

use std::error::Error;

use gtr_core::sampler::{Job, Settings};
use gtr_core::solver::{NoiseLevel, Update};
use gtr_core::{
    AxisConfig, AxisName, Denoise, Grid, Guidance, HeadKind, HeadRow, ImageIndex, MaskedGenerator, Plan, Registry,
    Sampler, Schedule, Seed, StepContext, Targets, TimestepLimit, Timesteps, TokenIndex, laws,
};

/// Standard deviation of a token, given its known neighbours.
const DEVIATION: f64 = 0.4;

/// The head cannot sample the posterior of a noise process, because it predicts no variance.
#[derive(Debug, thiserror::Error)]
#[error("a velocity has no variance: choose a solver with linear updates")]
struct NoVariance;

/// Draws each token from a normal distribution whose mean depends on the known neighbours.
struct Model {
    grid: Grid,
    /// If true, tokens are the exact solution of the flow; otherwise the solver of the plan integrates it.
    exact: bool,
}

struct Canvas {
    prompts: Vec<f64>,
    /// The value of each token of each image, `None` while it is unknown.
    values: Vec<Vec<Option<f64>>>,
}

impl Model {
    /// Returns the mean of a token: that of its known neighbours, moved towards the prompt.
    fn mean(&self, prompt: f64, values: &[Option<f64>], token: TokenIndex) -> f64 {
        let at = self.grid.position(token);
        let (row, column) = (at.row, at.column);
        let neighbours =
            [(row.wrapping_sub(1), column), (row + 1, column), (row, column.wrapping_sub(1)), (row, column + 1)];
        let known = neighbours.into_iter().filter_map(|(row, column)| values[self.grid.at(row, column)?.index()]);
        let (sum, count) = known.fold((prompt, 1.0), |(sum, count), value| (sum + value, count + 1.0));
        sum / count
    }
}

/// Returns the velocity of x at time t, the expected noise minus the expected clean value: x = (1 - t) x0 + t n, where x0
/// is normal with this mean and n is standard normal.
fn velocity(mean: f64, x: f64, t: f64) -> f64 {
    let (signal, variance) = (1.0 - t, DEVIATION.powi(2));
    let surprise = (x - signal * mean) / (signal.powi(2) * variance + t.powi(2));
    t * surprise - (mean + signal * variance * surprise)
}

/// Returns the noise levels of the evaluations, from noise to clean: timestep T is the time (T + 1) / 1000.
fn levels(timesteps: &Timesteps) -> Vec<NoiseLevel> {
    let level = |timestep: &u32| {
        let t = f64::from(timestep + 1) / 1000.0;
        NoiseLevel { signal: 1.0 - t, noise: t }
    };
    timesteps.values().iter().rev().map(level).chain([NoiseLevel::CLEAN]).collect()
}

/// Integrates the velocity from noise to a clean value with the solver of the plan.
fn integrate(mean: f64, row: &HeadRow, levels: &[NoiseLevel], request: &Denoise<'_>) -> Result<f64, NoVariance> {
    let normal = |draw: usize| {
        let mut normal = [0.0];
        let draw = u32::try_from(draw).unwrap_or(u32::MAX);
        request.noise.fill_normal(row.image, row.token, draw, &mut normal);
        f64::from(normal[0])
    };
    let (mut x, mut previous) = (normal(0), 0.0);
    for (evaluation, level) in levels[..levels.len() - 1].iter().enumerate() {
        let x0 = x - level.noise * velocity(mean, x, level.noise);
        let Update::Linear(factors) = request.solver.update(levels, evaluation) else { return Err(NoVariance) };
        x = factors.x * x + factors.x0 * x0 + factors.previous_x0 * previous;
        if factors.noise > 0.0 {
            x += factors.noise * request.step.temperature * normal(evaluation + 1);
        }
        previous = x0;
    }
    Ok(x)
}

impl MaskedGenerator for Model {
    type Prompt = f64;
    type Canvas = Canvas;
    type Features = Vec<f64>;
    type Tokens = Vec<f64>;
    type Image = Vec<f64>;
    type Error = NoVariance;

    fn grid(&self) -> Grid {
        self.grid
    }

    fn head_kind(&self) -> HeadKind {
        HeadKind::Flow { timesteps: TimestepLimit::NONE }
    }

    fn canvas(&mut self, prompts: &[f64], _guided: bool) -> Result<Canvas, NoVariance> {
        let values = vec![vec![None; self.grid.tokens()]; prompts.len()];
        Ok(Canvas { prompts: prompts.to_vec(), values })
    }

    fn features(
        &mut self,
        canvas: &mut Canvas,
        targets: &Targets,
        _step: &StepContext,
    ) -> Result<Vec<f64>, NoVariance> {
        let images = canvas.prompts.iter().zip(&canvas.values).zip(targets.by_image());
        let means =
            images.flat_map(|((&prompt, values), tokens)| tokens.iter().map(move |&token| (prompt, values, token)));
        Ok(means.map(|(prompt, values, token)| self.mean(prompt, values, token)).collect())
    }

    fn denoise(&mut self, features: &Vec<f64>, request: &Denoise<'_>) -> Result<Vec<f64>, NoVariance> {
        let levels: Vec<Vec<NoiseLevel>> = request.timesteps.iter().map(levels).collect();
        let rows = request.rows.iter().zip(features);
        if self.exact {
            let exact = |(row, mean): (&HeadRow, &f64)| {
                let mut start = [0.0];
                request.noise.fill_normal(row.image, row.token, 0, &mut start);
                // The flow of normal distributions keeps the number of deviations from the mean.
                Ok(mean + DEVIATION * f64::from(start[0]))
            };
            return rows.map(exact).collect();
        }
        rows.map(|(row, &mean)| integrate(mean, row, &levels[row.group], request)).collect()
    }

    fn commit(&mut self, canvas: &mut Canvas, targets: &Targets, tokens: Vec<f64>) -> Result<(), NoVariance> {
        let mut drawn = tokens.into_iter();
        for (values, tokens) in canvas.values.iter_mut().zip(targets.by_image()) {
            for (token, value) in tokens.iter().zip(drawn.by_ref()) {
                values[token.index()] = Some(value);
            }
        }
        Ok(())
    }

    fn is_known(&self, canvas: &Canvas, slot: usize, token: TokenIndex) -> bool {
        canvas.values[slot][token.index()].is_some()
    }

    fn decode(&mut self, canvas: Canvas) -> Result<Vec<Vec<f64>>, NoVariance> {
        Ok(canvas.values.into_iter().map(|values| values.into_iter().flatten().collect()).collect())
    }
}

fn plan(solver: &str, diffusion_steps: u32, registry: &Registry) -> Result<Plan, gtr_core::Error> {
    let mut schedule = Schedule::from_configs(
        AxisConfig::new("halton"),
        AxisConfig::new("uniform").with("steps", 8),
        AxisConfig::new("constant").with("t", diffusion_steps),
        AxisConfig::new("none"),
    );
    schedule.set_axis(AxisName::Solver, AxisConfig::new(solver));
    Ok(schedule.plan(Grid::new(8, 8)?, registry)?.plan)
}

/// Returns the root of the mean squared difference of two batches.
#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn difference(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let squares: Vec<f64> = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).powi(2)).collect();
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}

#[expect(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let registry = Registry::builtin();
    let settings = Settings { seed: Seed(0), guidance: Guidance::NONE, temperature: 1.0 };
    let jobs: Vec<_> =
        [1.0, -1.0, 0.5, 2.0].into_iter().zip(0..).map(|(prompt, image)| Job::new(prompt, ImageIndex(image))).collect();
    let run = |plan: &Plan, exact: bool| -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
        let sampler = Sampler::new(plan, &registry)?;
        Ok(sampler.batch(&jobs, &settings).run(&mut Model { grid: plan.grid(), exact })?)
    };

    let refused = run(&plan("ddpm", 10, &registry)?, false).err().ok_or("ddpm was not refused")?;
    println!("ddpm: {refused}\n");

    println!("error of token values (root of the mean square)\n\ndiffusion steps    ddim  dpm-solver++");
    for steps in [5, 10, 20, 40, 80] {
        let mut errors = Vec::new();
        for solver in ["ddim", "dpm-solver++"] {
            let plan = plan(solver, steps, &registry)?;
            let mut model = Model { grid: plan.grid(), exact: false };
            laws::generator(&mut model, &plan, &registry, &jobs, &settings).map_err(|broken| broken.to_string())?;
            errors.push(difference(&run(&plan, false)?, &run(&plan, true)?));
        }
        println!("{steps:15} {:7.4} {:13.4}", errors[0], errors[1]);
    }
    Ok(())
}
