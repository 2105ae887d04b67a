//! Information loss of a plan: the information, in nats, that is lost by sampling tokens in parallel.
//!
//! The tokens of an AR step are sampled independently of each other, given the known tokens. For any model, the
//! distribution that a plan samples from therefore differs from the distribution of images by the sum over the AR steps
//! of the total correlation of the step's tokens, given the known tokens:
//!
//! ```text
//! loss = KL(images || plan) = sum over steps s of [ sum over tokens i of s of H(x_i | known) - H(x_s | known) ]
//! ```
//!
//! On a Gaussian [`Field`] every entropy is a log-determinant of a conditional covariance. One Cholesky factorisation
//! `C = L L^T` in generation order gives all of them. The variance of a value given the tokens before its step is the
//! sum of the squares of its row of `L` from the first column of the step on. The square of the diagonal entry is its
//! variance given also the values before it in the step. The loss is exact up to rounding in f64, and its bits do not
//! depend on the number of threads.
//!
//! # Examples
//! ```
//! use gtr_core::loss::{Field, mean_loss};
//! use gtr_core::{Grid, Registry, Seed, preset};
//!
//! let (grid, registry, field) = (Grid::new(8, 8)?, Registry::builtin(), Field::default());
//! let lost = |name: &str| {
//!     let plan = preset::find(name)?.schedule.plan(grid, &registry)?.plan;
//!     mean_loss(&plan, Seed(0), 4, &field)
//! };
//! assert!(lost("gtr-8")?.mean.total > lost("gtr-16")?.mean.total);
//! // Sampling one token at a time loses nothing.
//! assert_eq!(lost("raster-64")?.mean.total, 0.0);
//! # Ok::<(), gtr_core::Error>(())
//! ```

mod covariance;
mod field;
mod isotropic;
mod kernel;
mod mean;
mod measured;
mod order;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::field::Field;
pub use self::isotropic::Isotropic;
pub use self::kernel::{Exponential, Gaussian, Kernel, MaternThreeHalves, kernels};
use self::mean::Mean;
pub use self::measured::Measured;
use self::order::DrawOrder;
pub(crate) use self::order::{covariances, degenerate, factors};
use crate::{Error, Grid, ImageIndex, Plan, Seed, TokenIndex, TokenSet};

/// Maximum number of values (tokens times channels) for which a loss is computed. The covariance then takes 128 MiB;
/// the time grows with the cube of the number of values.
pub const LARGEST: usize = 4096;

/// Loss of a plan in nats, for one image or averaged over several images.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Loss {
    /// Kullback-Leibler divergence between the field and the distribution that the plan samples from, 0 or more.
    pub total: f64,
    /// Contribution of each AR step, 0 or more.
    pub steps: Vec<f64>,
    /// Contribution of each token of the grid, row by row; 0 for tokens that are known from the start.
    ///
    /// The loss of a step is divided among its tokens in proportion to the mutual information between each token and
    /// the rest of the step, given the tokens known before the step.
    pub tokens: Vec<f64>,
}

impl Loss {
    /// Returns the contribution of each stage of the plan.
    ///
    /// `plan` must be the plan from which this loss was computed.
    pub fn stages(&self, plan: &Plan) -> Vec<f64> {
        let mut stages = vec![0.0; plan.stages().len()];
        for (step, loss) in plan.steps().iter().zip(&self.steps) {
            stages[step.stage()] += loss;
        }
        stages
    }
}

/// Mean loss of a plan over images.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MeanLoss {
    /// Mean over the images.
    pub mean: Loss,
    /// Standard error of the total of the mean, in nats; 0 if all images have the same order.
    pub standard_error: f64,
    /// Number of images; 1 if all images have the same order.
    pub images: u64,
}

/// Returns the loss of a plan on one image. The seed and the image index determine the order of its tokens.
///
/// # Errors
/// [`Error::Field`] if the field was measured on another grid, the field is not positive definite, or the grid has more
/// than [`LARGEST`] values; [`Error::Ranked`] if the order is decided while sampling.
pub fn loss(plan: &Plan, seed: Seed, image: ImageIndex, field: &Field) -> Result<Loss, Error> {
    DrawOrder::of_plan(plan, seed, image)?.loss(field)
}

/// Returns the mean loss of a plan over the first `images` images of a seed. Only one image is computed if all images
/// sample the same tokens in each step.
///
/// # Errors
/// See [`loss`]. Also [`Error::Field`] if the orders differ between images and `images` is less than two, because there
/// is no standard error then.
///
/// # Examples
/// ```
/// use gtr_core::loss::{Field, default_images, mean_loss};
/// use gtr_core::{Grid, Registry, Seed, preset};
/// let (grid, field) = (Grid::new(8, 8)?, Field::default());
/// let plan = preset::find("mar-16")?.schedule.plan(grid, &Registry::builtin())?.plan;
/// let loss = mean_loss(&plan, Seed(0), default_images(grid, &field), &field)?;
/// assert!(loss.standard_error > 0.0 && loss.standard_error < 0.05 * loss.mean.total);
/// # Ok::<(), gtr_core::Error>(())
/// ```
pub fn mean_loss(plan: &Plan, seed: Seed, images: u64, field: &Field) -> Result<MeanLoss, Error> {
    let images = if same_for_all(plan) { 1 } else { images };
    if images == 0 || (images == 1 && !same_for_all(plan)) {
        return Err(Error::Field(format!("a mean over random orders needs at least 2 images, not {images}")));
    }
    let mut mean = Mean::default();
    for image in 0..images {
        mean.add(&loss(plan, seed, ImageIndex(image), field)?);
    }
    let (mean, standard_error) = mean.finish();
    Ok(MeanLoss { mean, standard_error, images })
}

/// Returns the default number of images for [`mean_loss`]: 512 for up to 256 values (tokens times channels), which
/// gives a standard error of 2 % for the presets, then decreasing with the square of the number of values, and at least
/// 2.
pub fn default_images(grid: Grid, field: &Field) -> u64 {
    let numbers = grid.tokens().saturating_mul(field.channels()).max(256) as u64;
    (512 * 256 * 256 / numbers.saturating_mul(numbers)).max(2)
}

/// Returns true if each step of a plan samples the same tokens in all images.
fn same_for_all(plan: &Plan) -> bool {
    !plan.within().is_drawn() || plan.steps().len() == plan.stages().len()
}

/// Returns the loss of sampling the tokens of each step in parallel, one step after the other, given the `known`
/// tokens.
///
/// # Errors
/// See [`loss`]. Also [`Error::Partition`] unless `known` and `steps` together contain every token of the grid exactly
/// once.
///
/// # Examples
/// ```
/// use gtr_core::loss::{Field, loss_of_steps};
/// use gtr_core::{Grid, TokenSet};
/// let grid = Grid::new(1, 2)?;
/// let both = grid.iter().collect();
/// let loss = loss_of_steps(&TokenSet::empty(grid), &[both], &"exponential:2:0".parse()?)?;
/// // The mutual information of two values with correlation exp(-1/2) is -1/2 ln(1 - exp(-1)).
/// assert!((loss.total + 0.5 * (1.0 - (-1.0_f64).exp()).ln()).abs() < 1e-15);
/// # Ok::<(), gtr_core::Error>(())
/// ```
pub fn loss_of_steps(known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field) -> Result<Loss, Error> {
    DrawOrder::of_steps(known, steps)?.loss(field)
}
