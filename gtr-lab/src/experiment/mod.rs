//! Named experiments: their rows, the claims of the paper, and their result pages.
//!
//! | file | content |
//! |---|---|
//! | `definition.rs` | the experiments, from `spec/experiments/` |
//! | `claim.rs` | claims of the paper, and their test |
//! | `prediction.rs` | correlation of predicted losses and measured distances |
//! | `reproduce.rs` | rows that are repeated with more seeds |
//! | `curves.rs` | figure of the distance over the AR steps or the network evaluations |
//! | `page.rs` | result page |

mod claim;
mod curves;
mod definition;
mod page;
mod prediction;
mod reproduce;

pub use self::claim::{Claim, ClaimOutcome, Relation};
pub use self::definition::{Again, Curve, CurveAxis, Experiment, Variant, all, find};
pub use self::page::Page;
pub use self::prediction::Prediction;
pub use self::reproduce::MoreSeeds;
