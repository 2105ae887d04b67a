//! Named experiments: what is compared, what the paper says of it, and a page with what came out.
//!
//! | file | what it says |
//! |---|---|
//! | `definition.rs` | the experiments, from `spec/experiments/` |
//! | `claim.rs` | what the paper says, and whether it came out |
//! | `page.rs` | the page of results |

mod claim;
mod definition;
mod page;

pub(crate) use self::definition::{Experiment, Variant, all, find};
pub(crate) use self::page::Page;
