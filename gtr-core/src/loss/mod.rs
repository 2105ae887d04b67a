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

mod field;
mod isotropic;
mod kernel;
mod measured;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::field::Field;
pub use self::isotropic::Isotropic;
pub use self::kernel::{Exponential, Gaussian, Kernel, MaternThreeHalves, kernels};
pub use self::measured::Measured;
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
    todo!()
}

/// What a plan loses on average over the first `images` images of a seed. A plan whose images all have the same order needs one.
///
/// # Errors
/// As [`loss`]; [`Error::Field`] for no image at all.
pub fn mean_loss(plan: &Plan, seed: Seed, images: u64, field: &Field) -> Result<MeanLoss, Error> {
    todo!()
}

/// What is lost when the tokens of each of `steps` are drawn together, one step after the other, beside `known` tokens.
///
/// # Errors
/// As [`loss`]; [`Error::Partition`] unless `known` and `steps` hold every token of the grid once.
pub fn loss_of_steps(known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field) -> Result<Loss, Error> {
    todo!()
}
