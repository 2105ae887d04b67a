//! The noise process and the coefficients of its reverse steps.

use gtr_core::solver::NoiseLevel;
use gtr_core::{DiffusionSteps, Timesteps};

/// Number of timesteps of the process that the models were trained on.
const STEPS: usize = DiffusionSteps::MAX as usize;

/// A denoising process over a subset of the 1000 timesteps, with coefficients in f64.
///
/// Each list has one element per kept timestep, in ascending order. Sampling starts at the last.
///
/// # Examples
/// ```
/// use gtr_backends::diffusion::Process;
/// use gtr_core::{DiffusionSteps, TimestepLimit, Timesteps};
/// let timesteps = Timesteps::new(DiffusionSteps::new(5)?, TimestepLimit::NONE)?;
/// let process = Process::new(&timesteps);
/// assert_eq!(process.betas.len(), 5);
/// assert!(process.alphas_cumprod.is_sorted_by(|earlier, later| earlier > later));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// LTH14/mar, `diffusion/gaussian_diffusion.py` and `diffusion/respace.py`.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// Kept timesteps of the original process, which are the inputs of the network.
    pub timesteps: Vec<u32>,
    /// Variance added by each step, derived from the cumulative products.
    pub betas: Vec<f64>,
    /// Cumulative product of alphas: the remaining share of the variance of the clean value.
    pub alphas_cumprod: Vec<f64>,
    /// Cumulative product of the previous kept timestep; 1 at the first.
    pub alphas_cumprod_prev: Vec<f64>,
    /// Factor of x in the estimate of the clean value.
    pub sqrt_recip_alphas_cumprod: Vec<f64>,
    /// Factor of the noise in the estimate of the clean value.
    pub sqrt_recipm1_alphas_cumprod: Vec<f64>,
    /// Variance of the posterior; 0 at the first timestep.
    pub posterior_variance: Vec<f64>,
    /// Logarithm of the posterior variance, with the first value replaced by the second. Empty for a single timestep,
    /// where it is not used.
    pub posterior_log_variance_clipped: Vec<f64>,
    /// Upper bound of the log-variance that the network predicts.
    pub log_betas: Vec<f64>,
    /// Factor of the clean value in the posterior mean.
    pub posterior_mean_coef1: Vec<f64>,
    /// Factor of x in the posterior mean.
    pub posterior_mean_coef2: Vec<f64>,
}

impl Process {
    /// Creates the process of these timesteps. Its betas follow from the cumulative products at the timesteps.
    pub fn new(timesteps: &Timesteps) -> Self {
        let original = cosine_products();
        let mut previous = 1.0;
        let betas: Vec<f64> = timesteps
            .values()
            .iter()
            .map(|&timestep| {
                let product = original[timestep as usize];
                let beta = 1.0 - product / previous;
                previous = product;
                beta
            })
            .collect();
        let alphas_cumprod: Vec<f64> = products(&betas).collect();
        let mut alphas_cumprod_prev = vec![1.0];
        alphas_cumprod_prev.extend_from_slice(&alphas_cumprod[..alphas_cumprod.len() - 1]);

        let steps = || betas.iter().zip(alphas_cumprod.iter().zip(&alphas_cumprod_prev)).map(|(b, (a, p))| (b, a, p));
        let posterior_variance: Vec<f64> = steps().map(|(beta, now, prev)| beta * (1.0 - prev) / (1.0 - now)).collect();
        let mut logs: Vec<f64> = posterior_variance.iter().skip(1).copied().map(libm::log).collect();
        if let Some(&second) = logs.first() {
            logs.insert(0, second);
        }
        Self {
            timesteps: timesteps.values().to_vec(),
            sqrt_recip_alphas_cumprod: alphas_cumprod.iter().map(|now| (1.0 / now).sqrt()).collect(),
            sqrt_recipm1_alphas_cumprod: alphas_cumprod.iter().map(|now| (1.0 / now - 1.0).sqrt()).collect(),
            posterior_log_variance_clipped: logs,
            log_betas: betas.iter().copied().map(libm::log).collect(),
            posterior_mean_coef1: steps().map(|(beta, now, prev)| beta * prev.sqrt() / (1.0 - now)).collect(),
            posterior_mean_coef2: steps()
                .map(|(beta, now, prev)| (1.0 - prev) * (1.0 - beta).sqrt() / (1.0 - now))
                .collect(),
            posterior_variance,
            betas,
            alphas_cumprod,
            alphas_cumprod_prev,
        }
    }

    /// Number of kept timesteps, which equals the number of evaluations of the network.
    pub fn evaluations(&self) -> usize {
        self.timesteps.len()
    }

    /// Returns the noise levels of the evaluations, from the highest timestep down, and then that of a clean token.
    pub fn levels(&self) -> Vec<NoiseLevel> {
        let level = |share: &f64| NoiseLevel { signal: share.sqrt(), noise: (1.0 - share).sqrt() };
        self.alphas_cumprod.iter().rev().map(level).chain([NoiseLevel::CLEAN]).collect()
    }

    /// Returns the coefficients of an evaluation, counted from 0 at the highest timestep.
    ///
    /// # Panics
    /// If `evaluation` is out of range.
    #[expect(clippy::cast_possible_truncation, reason = "computed in f64, used in f32")]
    pub fn coefficients(&self, evaluation: usize) -> Coefficients {
        let index = self.evaluations() - 1 - evaluation;
        Coefficients {
            timestep: self.timesteps[index],
            x0_from_x: self.sqrt_recip_alphas_cumprod[index] as f32,
            x0_from_noise: self.sqrt_recipm1_alphas_cumprod[index] as f32,
            mean_from_x0: self.posterior_mean_coef1[index] as f32,
            mean_from_x: self.posterior_mean_coef2[index] as f32,
            log_variance: (index > 0)
                .then(|| (self.posterior_log_variance_clipped[index] as f32, self.log_betas[index] as f32)),
        }
    }
}

/// Coefficients of one reverse step, in f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// Timestep, the input of the network.
    pub timestep: u32,
    /// Factor of x in the estimate of the clean value.
    pub x0_from_x: f32,
    /// Factor of the predicted noise, which is subtracted.
    pub x0_from_noise: f32,
    /// Factor of the clean value in the mean.
    pub mean_from_x0: f32,
    /// Factor of x in the mean.
    pub mean_from_x: f32,
    /// Lower and upper bound of the log-variance of the added noise; `None` at the last evaluation, which adds no
    /// noise.
    pub log_variance: Option<(f32, f32)>,
}

impl Coefficients {
    /// Takes one reverse step of the values `x` of a token, in place.
    ///
    /// # Shapes
    /// All slices have one element per channel: the predicted noise, the predicted position `v` of the log-variance
    /// between its bounds (-1 to 1, not clamped), and the noise to add, which is ignored at the last evaluation.
    pub fn step(&self, x: &mut [f32], predicted: &[f32], v: &[f32], noise: &[f32], temperature: f32) {
        for (index, x) in x.iter_mut().enumerate() {
            let x0 = self.x0_from_x * *x - self.x0_from_noise * predicted[index];
            let mean = self.mean_from_x0 * x0 + self.mean_from_x * *x;
            *x = match self.log_variance {
                None => mean,
                Some((least, most)) => {
                    let share = f32::midpoint(v[index], 1.0);
                    let log_variance = share * most + (1.0 - share) * least;
                    mean + (0.5 * log_variance).exp() * noise[index] * temperature
                }
            };
        }
    }
}

fn products(betas: &[f64]) -> impl Iterator<Item = f64> {
    betas.iter().scan(1.0, |product, beta| {
        *product *= 1.0 - beta;
        Some(*product)
    })
}

/// Cumulative products of the cosine process. Betas are clamped to at most 0.999.
#[expect(clippy::cast_precision_loss, reason = "at most 1000")]
fn cosine_products() -> Vec<f64> {
    let alpha_bar = |step: usize| {
        let share = step as f64 / STEPS as f64;
        libm::cos((share + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).powi(2)
    };
    let betas: Vec<f64> = (0..STEPS).map(|step| (1.0 - alpha_bar(step + 1) / alpha_bar(step)).min(0.999)).collect();
    products(&betas).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_timestep_gives_the_estimate_of_the_clean_value() {
        let process = Process::new(&Timesteps::from_values(&[949]).unwrap());
        let step = process.coefficients(0);
        assert_eq!((step.mean_from_x0, step.mean_from_x, step.log_variance), (1.0, 0.0, None));
        let mut x = [0.5];
        step.step(&mut x, &[0.25], &[9.0], &[9.0], 1.0);
        assert!((x[0] - (step.x0_from_x * 0.5 - step.x0_from_noise * 0.25)).abs() < 1e-6);
    }

    #[test]
    fn all_betas_are_between_0_and_1() {
        let all: Vec<u32> = (0..1000).collect();
        let process = Process::new(&Timesteps::from_values(&all).unwrap());
        assert!(process.betas.iter().all(|beta| (0.0..1.0).contains(beta) && *beta > 0.0));
    }
}
