//! The judge of generated images: a small classifier, and the statistics of what it sees.
//!
//! | file | what it says |
//! |---|---|
//! | `origin.rs` | where the judge of a model is |
//! | `classifier.rs` | what the classifier sees in a picture |
//! | `moments.rs`, `reference.rs` | mean and covariance of features, and those of real pictures |
//! | `frechet.rs`, `inception.rs`, `accuracy.rs` | the three scores |
//! | `bootstrap.rs`, `measured.rs` | images drawn anew, and the intervals that come of it |
//! | `rank.rs` | whether numbers that were predicted order what was measured |
//! | `scores.rs` | all of it at once |

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

use gtr_core::Purpose;

pub use self::accuracy::wilson;
pub use self::bootstrap::Bootstrap;
pub use self::classifier::{CLASSES, FEATURES, Judge, Verdict};
pub use self::frechet::Frechet;
pub use self::inception::inception_score;
pub use self::measured::{Interval, Measured};
pub use self::moments::Moments;
pub use self::origin::Origin;
pub use self::rank::{spearman, spearman_interval};
pub use self::reference::Reference;
pub use self::scores::Scores;

/// Which images are drawn when scores are measured anew; the image is the number of the draw, the place the group.
const RESAMPLING: Purpose = Purpose::Other(0);
