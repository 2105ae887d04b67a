//! Solvers: comparison with recordings, orders of convergence, marginal variances, and special cases.

use gtr_core::solver::{Ddim, Dpm, DpmOrder, LinearUpdate, NoiseLevel, Update};
use gtr_core::{AxisConfig, Fraction, Registry, Solver};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A mixture of normal distributions of clean values.
#[derive(Deserialize)]
struct Mixture {
    weights: Vec<f64>,
    means: Vec<f64>,
    variances: Vec<f64>,
}

impl Mixture {
    /// Returns weight, mean and variance of the parts of the noisy values at a level.
    fn noisy(&self, level: NoiseLevel) -> impl Iterator<Item = (f64, f64, f64)> {
        let parts = self.weights.iter().zip(&self.means).zip(&self.variances);
        parts.map(move |((weight, mean), variance)| {
            (*weight, level.signal * mean, level.signal.powi(2) * variance + level.noise.powi(2))
        })
    }

    /// Returns the expected clean value of a noisy value, from its expected noise.
    fn clean(&self, x: f64, level: NoiseLevel) -> f64 {
        let density = |mean: f64, variance: f64| (-(x - mean).powi(2) / (2.0 * variance)).exp() / variance.sqrt();
        let (mut sum, mut noise) = (0.0, 0.0);
        for (weight, mean, variance) in self.noisy(level) {
            sum += weight * density(mean, variance);
            noise += weight * density(mean, variance) * level.noise * (x - mean) / variance;
        }
        (x - level.noise * noise / sum) / level.signal
    }

    /// Returns the probability that a noisy value is below `x`.
    fn below(&self, x: f64, level: NoiseLevel) -> f64 {
        let part =
            |(weight, mean, variance): (f64, f64, f64)| weight * libm::erfc((mean - x) / (2.0 * variance).sqrt());
        0.5 * self.noisy(level).map(part).sum::<f64>()
    }

    /// Returns the value that the probability flow carries from `x` at level `from` to the level `to`: the flow of a
    /// one-dimensional distribution keeps the order of values, and so their quantiles.
    fn flow(&self, x: f64, from: NoiseLevel, to: NoiseLevel) -> f64 {
        let quantile = self.below(x, from);
        let (mut low, mut high) = (-20.0, 20.0);
        while high - low > 1e-14 {
            let middle = f64::midpoint(low, high);
            if middle == low || middle == high {
                break;
            }
            if self.below(middle, to) < quantile { low = middle } else { high = middle }
        }
        f64::midpoint(low, high)
    }
}

fn update(solver: &dyn Solver, levels: &[NoiseLevel], evaluation: usize) -> LinearUpdate {
    match solver.update(levels, evaluation) {
        Update::Linear(update) => update,
        Update::Posterior => panic!("{solver:?} has no linear update"),
    }
}

/// Takes the first `steps` steps and returns the values before the first and after each.
fn run(
    solver: &dyn Solver,
    levels: &[NoiseLevel],
    steps: usize,
    data: &Mixture,
    start: f64,
    noise: impl Fn(usize) -> f64,
) -> Vec<f64> {
    let (mut values, mut previous) = (vec![start], 0.0);
    for evaluation in 0..steps {
        let (x, update) = (values[evaluation], update(solver, levels, evaluation));
        let x0 = data.clean(x, levels[evaluation]);
        values.push(update.x * x + update.x0 * x0 + update.previous_x0 * previous + update.noise * noise(evaluation));
        previous = x0;
    }
    values
}

#[test]
fn steps_equal_those_of_diffusers() {
    #[derive(Deserialize)]
    struct Recorded {
        data: BTreeMap<String, Mixture>,
        cases: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        solver: AxisConfig,
        data: String,
        alphas_cumprod: Vec<f64>,
        x: Vec<Vec<f64>>,
        #[serde(default)]
        noise: Vec<Vec<f64>>,
    }
    let recorded: Recorded = serde_json::from_str(include_str!("../golden/solvers.json")).unwrap();
    assert_eq!(recorded.cases.len(), 52);
    for case in recorded.cases {
        let solver = Registry::builtin().build_solver(&case.solver).unwrap();
        let level = |share: &f64| NoiseLevel { signal: share.sqrt(), noise: (1.0 - share).sqrt() };
        let levels: Vec<_> = case.alphas_cumprod.iter().rev().map(level).chain([NoiseLevel::CLEAN]).collect();
        let largest = case.x.iter().flatten().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        for (point, start) in case.x[0].iter().enumerate() {
            let noise = |evaluation: usize| case.noise.get(evaluation).map_or(0.0, |row| row[point]);
            let found = run(&*solver, &levels, levels.len() - 1, &recorded.data[&case.data], *start, noise);
            assert_eq!(found.len(), case.x.len());
            for (found, expected) in found.iter().zip(case.x.iter().map(|row| row[point])) {
                // The stated tolerance is 1e-5. Both sides are f64, so that more can be asked.
                assert!((found - expected).abs() <= 1e-9 * largest, "{:?}: {found} {expected}", case.solver);
            }
        }
    }
}

/// Levels of a diffusion process, uniform in the logarithm of signal / noise, and then that of a clean value.
fn uniform(steps: usize) -> Vec<NoiseLevel> {
    let level = |index: usize| {
        let ratio = -3.0 + 6.0 * index as f64 / steps as f64;
        let share = 1.0 / (1.0 + (-2.0 * ratio).exp());
        NoiseLevel { signal: share.sqrt(), noise: (1.0 - share).sqrt() }
    };
    (0..=steps).map(level).chain([NoiseLevel::CLEAN]).collect()
}

/// Returns the largest error of the values at the last noisy level, from exact values at the first.
fn error(solver: &dyn Solver, steps: usize) -> f64 {
    let data = Mixture { weights: vec![0.3, 0.7], means: vec![-1.2, 0.8], variances: vec![0.09, 0.16] };
    let levels = uniform(steps);
    let errors = [-1.7, -1.0, -0.4, 0.1, 0.8, 1.6].map(|start| {
        let found = run(solver, &levels, steps, &data, start, |_| 0.0)[steps];
        (found - data.flow(start, levels[0], levels[steps])).abs()
    });
    errors.into_iter().fold(0.0, f64::max)
}

/// Returns the slope of the regression of log error on log steps, with the sign changed.
fn order(solver: &dyn Solver) -> f64 {
    let points: Vec<(f64, f64)> =
        [80, 160, 320, 640, 1280].map(|steps| ((steps as f64).ln(), error(solver, steps).ln())).to_vec();
    let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let product: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    -product / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

/// Timesteps from 949 to 0, as a head is evaluated: the step to timestep 0 is long in the logarithm of signal / noise.
#[test]
fn with_few_timesteps_an_end_of_first_order_is_more_accurate() {
    let data = Mixture { weights: vec![0.3, 0.7], means: vec![-1.2, 0.8], variances: vec![0.09, 0.16] };
    let error = |solver: &dyn Solver| {
        let level = |evaluation: u32| {
            let time = f64::from(949 * (7 - evaluation) / 7 + 1) / 1000.0;
            NoiseLevel { signal: 1.0 - time, noise: time }
        };
        let levels: Vec<NoiseLevel> = (0..8).map(level).chain([NoiseLevel::CLEAN]).collect();
        let found = |start: f64| run(solver, &levels, 8, &data, start, |_| 0.0)[8];
        let exact = |start: f64| data.flow(start, levels[0], NoiseLevel::CLEAN);
        [-1.5, -0.9, -0.3, 0.4, 1.1].map(|start| (found(start) - exact(start)).abs()).into_iter().fold(0.0, f64::max)
    };
    let published = error(&Dpm { second_order_end: true, ..Dpm::default() });
    let ours = error(&Dpm::default());
    assert!(ours < 0.5 * published, "{ours} {published}");
}

#[test]
fn ddim_is_of_first_and_dpm_solver_of_second_order() {
    let first = order(&Ddim::default());
    assert!((0.9..1.1).contains(&first), "{first}");
    let one = order(&Dpm { order: DpmOrder::First, ..Dpm::default() });
    assert!((one - first).abs() < 1e-6, "{one} {first}");
    let second = order(&Dpm::default());
    assert!((1.85..2.15).contains(&second), "{second}");
    // Not only in the limit.
    assert!(error(&Dpm::default(), 40) < 0.5 * error(&Ddim::default(), 40));
}

#[test]
fn the_first_order_of_dpm_solver_is_ddim() {
    let levels = uniform(7);
    for evaluation in 0..levels.len() - 1 {
        let one = update(&Dpm { order: DpmOrder::First, ..Dpm::default() }, &levels, evaluation);
        let other = update(&Ddim::default(), &levels, evaluation);
        for (one, other) in [(one.x, other.x), (one.x0, other.x0), (one.previous_x0, 0.0), (one.noise, 0.0)] {
            assert!((one - other).abs() < 1e-12, "{evaluation}: {one} {other}");
        }
    }
}

#[test]
fn ddim_keeps_the_marginal_variance_of_a_known_clean_value() {
    // If the prediction is the clean value itself, x at each level is normal with the variance of the level's noise.
    for eta in [0.0, 0.4, 1.0] {
        let (solver, levels) = (Ddim { eta: Fraction::new(eta).unwrap() }, uniform(9));
        for (evaluation, level) in levels.windows(2).enumerate() {
            let update = update(&solver, &levels, evaluation);
            let variance = (update.x * level[0].noise).powi(2) + update.noise.powi(2);
            assert!((variance - level[1].noise.powi(2)).abs() < 1e-12, "{eta} {evaluation}");
            let mean = update.x * level[0].signal + update.x0;
            assert!((mean - level[1].signal).abs() < 1e-12, "{eta} {evaluation}");
        }
    }
}

#[test]
fn stochastic_ddim_has_the_posterior_variance() {
    // Of normal clean values with variance v. The expected clean value of x has the factor `gain`, and the clean value
    // varies around it with the variance `rest`. A sampler that inserts the expectation loses that part, times its
    // factor.
    let (solver, v) = (Ddim { eta: Fraction::new(1.0).unwrap() }, 0.3);
    let of = |level: NoiseLevel| level.signal.powi(2) * v + level.noise.powi(2);
    let last = |steps: usize| {
        let levels = uniform(steps);
        let mut variance = of(levels[0]);
        for (evaluation, level) in levels.windows(2).enumerate() {
            let update = update(&solver, &levels, evaluation);
            let (gain, rest) = (level[0].signal * v / of(level[0]), v * level[0].noise.powi(2) / of(level[0]));
            let next = |variance: f64| (update.x + update.x0 * gain).powi(2) * variance + update.noise.powi(2);
            let expected = of(level[1]) - update.x0.powi(2) * rest;
            assert!((next(of(level[0])) - expected).abs() < 1e-12, "{steps} {evaluation}");
            variance = next(variance);
        }
        variance
    };
    // The lost part vanishes with the number of steps, in first order.
    let errors = [50, 100, 200, 400].map(|steps| (last(steps) - v).abs() / v);
    assert!(errors[3] < 0.03, "{errors:?}");
    for pair in errors.windows(2) {
        assert!((0.4..0.65).contains(&(pair[1] / pair[0])), "{errors:?}");
    }
}

#[test]
fn ddim_on_a_flow_is_the_euler_method() {
    let times = [1.0, 0.93, 0.7, 0.41, 0.2, 0.05];
    let level = |time: f64| NoiseLevel { signal: 1.0 - time, noise: time };
    let levels: Vec<_> = times.map(level).into_iter().chain([NoiseLevel::CLEAN]).collect();
    let times = [&times[..], &[0.0]].concat();
    for (evaluation, time) in times.windows(2).enumerate() {
        let (x, velocity) = (0.7, -1.3);
        let x0 = x - time[0] * velocity;
        let update = update(&Ddim::default(), &levels, evaluation);
        let found = update.x * x + update.x0 * x0;
        let euler = x + (time[1] - time[0]) * velocity;
        assert!((found - euler).abs() < 1e-12, "{evaluation}: {found} {euler}");
    }
}

#[test]
fn updates_are_finite_at_a_level_without_signal() {
    let level = |time: f64| NoiseLevel { signal: 1.0 - time, noise: time };
    let levels = [level(1.0), level(0.6), level(0.2), NoiseLevel::CLEAN];
    let stochastic = Ddim { eta: Fraction::new(1.0).unwrap() };
    for solver in [&Ddim::default() as &dyn Solver, &stochastic, &Dpm::default()] {
        for evaluation in 0..3 {
            let LinearUpdate { x, x0, previous_x0, noise } = update(solver, &levels, evaluation);
            assert!([x, x0, previous_x0, noise].iter().all(|factor| factor.is_finite()), "{solver:?} {evaluation}");
        }
    }
}

#[test]
fn the_last_update_returns_the_prediction() {
    let stochastic = Ddim { eta: Fraction::new(1.0).unwrap() };
    for solver in [&Ddim::default() as &dyn Solver, &stochastic, &Dpm::default()] {
        for steps in [0, 1, 5] {
            let expected = LinearUpdate { x0: 1.0, ..LinearUpdate::default() };
            assert_eq!(update(solver, &uniform(steps.max(1)), steps.max(1)), expected, "{solver:?}");
            assert_eq!(update(solver, &[uniform(5)[0], NoiseLevel::CLEAN], 0), expected, "{solver:?}");
        }
    }
}
