//! The judge of generated images: a small classifier, and quality metrics based on its features and classes.
//!
//! | file | contents |
//! |---|---|
//! | `origin.rs` | location of a model's judge |
//! | `classifier.rs` | the classifier: features and logits of an image |
//! | `moments.rs`, `reference.rs` | mean and covariance of features, and those of real images |
//! | `frechet.rs`, `inception.rs`, `accuracy.rs` | the three metrics |
//! | `bootstrap.rs`, `measured.rs` | bootstrap resampling and confidence intervals |
//! | `rank.rs` | rank correlation of predicted and measured values |
//! | `scores.rs` | all metrics of a set of images |

mod accuracy;
mod bootstrap;
mod classifier;
mod frechet;
mod inception;
mod measured;
mod moments;
mod origin;
mod rank;
mod reference;
mod scores;

use gtr_core::StreamPurpose;

pub use self::accuracy::wilson;
pub use self::bootstrap::Bootstrap;
pub use self::classifier::{CLASSES, Classification, FEATURES, Judge};
pub use self::frechet::Frechet;
pub use self::inception::inception_score;
pub use self::measured::{Interval, Measured};
pub use self::moments::Moments;
pub use self::origin::Origin;
pub use self::rank::{spearman, spearman_interval};
pub use self::reference::Reference;
pub use self::scores::Scores;

/// Purpose of random numbers for bootstrap resamples: the image index is the number of the resample, the position the
/// group.
const RESAMPLING: StreamPurpose = StreamPurpose::Other(0);

/// Converts a count to a float.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
