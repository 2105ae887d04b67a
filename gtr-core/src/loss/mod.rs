//! What a plan loses: the information that parallel drawing throws away, in nats.
//!
//! The tokens of an AR step are drawn independently of each other, given what is known. What a plan draws therefore differs
//! from the distribution of images by the sum over the AR steps of the total correlation of the step's tokens given the known
//! ones, whatever the model:
//!
//! ```text
//! loss = KL(images || plan) = sum over steps s of [ sum over tokens i of s of H(x_i | known) - H(x_s | known) ]
//! ```
//!
//! On a Gaussian [`Field`] every entropy is a log-determinant of a conditional covariance, and one Cholesky factorisation in the
//! order of generation holds all of them: with `C = L L^T`, the covariance of a token given what is known before its step is the
//! product of its row of `L` with itself from the first column of the step on, and the diagonal holds what is left once the
//! tokens before it in the step are known, too. The loss is exact up to rounding in f64, and its bits do not depend on
//! the number of threads.
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
//! // One token after the other loses nothing.
//! assert_eq!(lost("raster-64")?.mean.total, 0.0);
//! # Ok::<(), gtr_core::Error>(())
//! ```

mod blocked;
mod covariance;
mod factor;
mod field;
mod isotropic;
mod kernel;
mod mean;
mod measured;
mod order;
mod small;

use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::factor::{Conditional, Factor};
pub use self::field::Field;
pub use self::isotropic::Isotropic;
pub use self::kernel::{Exponential, Gaussian, Kernel, MaternThreeHalves, kernels};
use self::mean::Mean;
pub use self::measured::Measured;
use self::order::Order;
pub(crate) use self::order::{covariances, factors};
use crate::{Error, Grid, ImageIndex, Plan, Seed, TokenIndex, TokenSet};

/// The most numbers (tokens times channels) that a loss is computed of: the covariance of so many takes 128 MiB, and the time
/// grows with their cube.
pub const LARGEST: usize = 4096;

/// What a plan loses on one image, or on several on average, in nats.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Loss {
    /// The divergence of what the plan draws from the field, 0 or more.
    pub total: f64,
    /// What each AR step contributes, 0 or more.
    pub steps: Vec<f64>,
    /// What each token of the grid contributes, row by row; 0 where a token is known from the start.
    ///
    /// The loss of a step is shared among its tokens in proportion to what each of them and the rest of the step know of each
    /// other beyond what is known before.
    pub tokens: Vec<f64>,
}

impl Loss {
    /// What each stage of the plan contributes.
    ///
    /// # Panics
    /// If the loss is that of a plan with fewer steps.
    pub fn stages(&self, plan: &Plan) -> Vec<f64> {
        let mut stages = vec![0.0; plan.stages().len()];
        for (step, loss) in plan.steps().iter().zip(&self.steps) {
            stages[step.stage()] += loss;
        }
        stages
    }
}

/// What a plan loses on average over images.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MeanLoss {
    /// The average over the images.
    pub mean: Loss,
    /// The standard error of the average's total; 0 where all images have the same order.
    pub standard_error: f64,
    /// The number of images; 1 where all have the same order.
    pub images: u64,
}

/// What a plan loses on an image, whose seed and number decide the order of its tokens.
///
/// # Errors
/// [`Error::Field`] if the field was measured on another grid, is not positive definite, or the grid has more than
/// [`LARGEST`] numbers.
pub fn loss(plan: &Plan, seed: Seed, image: ImageIndex, field: &Field) -> Result<Loss, Error> {
    Order::of_plan(plan, seed, image).loss(field)
}

/// What a plan loses on average over the first `images` images of a seed. A plan whose images all draw the same tokens in
/// each step needs one image.
///
/// # Errors
/// As [`loss`]; [`Error::Field`] for fewer images than two where the orders differ: they have no standard error.
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
        return Err(Error::Field(format!("an average over random orders needs 2 images or more, not {images}")));
    }
    let mut mean = Mean::default();
    for image in 0..images {
        mean.add(&loss(plan, seed, ImageIndex(image), field)?);
    }
    let (mean, standard_error) = mean.finish();
    Ok(MeanLoss { mean, standard_error, images })
}

/// How many images [`mean_loss`] should average over where nobody says: 512 up to 256 numbers (a standard error of 2 % for the
/// presets), fewer with the square of their number, and at least 2.
pub fn default_images(grid: Grid, field: &Field) -> u64 {
    let numbers = grid.tokens().saturating_mul(field.channels()).max(256) as u64;
    (512 * 256 * 256 / numbers.saturating_mul(numbers)).max(2)
}

/// Whether each step of a plan draws the same tokens in all images.
fn same_for_all(plan: &Plan) -> bool {
    !plan.within().is_drawn() || plan.steps().len() == plan.stages().len()
}

/// What is lost when the tokens of each of `steps` are drawn together, one step after the other, beside `known` tokens.
///
/// # Errors
/// As [`loss`]; [`Error::Partition`] unless `known` and `steps` hold every token of the grid once.
///
/// # Examples
/// ```
/// use gtr_core::loss::{Field, loss_of_steps};
/// use gtr_core::{Grid, TokenSet};
/// let grid = Grid::new(1, 2)?;
/// let both = grid.iter().collect();
/// let loss = loss_of_steps(&TokenSet::empty(grid), &[both], &"exponential:2:0".parse()?)?;
/// // Two numbers of correlation exp(-1/2) have a mutual information of -1/2 ln(1 - exp(-1)).
/// assert!((loss.total + 0.5 * (1.0 - (-1.0_f64).exp()).ln()).abs() < 1e-15);
/// # Ok::<(), gtr_core::Error>(())
/// ```
pub fn loss_of_steps(known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field) -> Result<Loss, Error> {
    Order::of_steps(known, steps)?.loss(field)
}
