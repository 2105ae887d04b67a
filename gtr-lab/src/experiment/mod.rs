//! Named experiments: what is compared, what the paper says of it, and a page with what came out.
//!
//! | file | what it says |
//! |---|---|
//! | `definition.rs` | the experiments, from `spec/experiments/` |
//! | `claim.rs` | what the paper says, and whether it came out |
//! | `prediction.rs` | whether the loss predicts what was measured |
//! | `again.rs` | some rows again, from more seeds |
//! | `curves.rs` | the distance over the AR steps |
//! | `page.rs` | the page of results |

mod again;
mod claim;
mod curves;
mod definition;
mod page;
mod prediction;

pub use self::again::MoreSeeds;
pub use self::claim::{Claim, Finding, Relation};
pub use self::definition::{Again, Curve, Experiment, Variant, all, find};
pub use self::page::Page;
pub use self::prediction::Prediction;
