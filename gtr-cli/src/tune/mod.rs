//! The search for a schedule: the best measured quality that a budget affords.
//!
//! | file | what it says |
//! |---|---|
//! | `budget.rs` | what an image may cost |
//! | `draft.rs` | what is searched: cut, stages, steps per stage, diffusion steps, beta; and how one draft leads to another |
//! | `space.rs` | from drafts to candidates that spend the budget on a model and lose little |
//! | `halving.rs` | who is measured, on how many images, and who goes on |
//! | `unseen.rs` | that the final figure is measured on what the search never saw |
//! | `search.rs` | all of that on a model |
//! | `evidence.rs` | what came out, to read and as a preset |

mod budget;
mod draft;
mod evidence;
mod halving;
mod search;
mod space;
mod unseen;

pub(crate) use self::budget::Budget;
pub(crate) use self::evidence::Evidence;
pub(crate) use self::halving::Halving;
pub(crate) use self::search::{Halt, Search};
pub(crate) use self::space::Sieved;
pub(crate) use self::unseen::{Sight, Unseen};
