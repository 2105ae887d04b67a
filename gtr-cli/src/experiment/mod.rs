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

pub(crate) use self::again::MoreSeeds;
pub(crate) use self::definition::{Experiment, Variant, all, find};
pub(crate) use self::page::Page;
pub(crate) use self::prediction::Prediction;
