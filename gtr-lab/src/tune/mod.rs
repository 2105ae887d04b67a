//! The search for a schedule: the best measured quality that a budget affords.
//!
//! | file | what it says |
//! |---|---|
//! | `budget.rs` | what an image may cost |
//! | `draft.rs` | what is searched: cut, stages, steps per stage, diffusion steps, beta; and how one draft leads to another |
//! | `space.rs` | from drafts to candidates that spend the budget on a model and lose little |
//! | `halving.rs` | who is measured, on how many images, and who goes on |
//! | `held_out.rs` | that the final figure is measured on what the search never saw |
//! | `search.rs` | all of that on a model |
//! | `evidence.rs` | what came out, to read and as a preset |

mod budget;
mod draft;
mod evidence;
mod halving;
mod held_out;
mod search;
mod space;

pub use self::budget::{Allowance, Budget, Seconds};
pub use self::evidence::Evidence;
pub use self::halving::{Halving, Round};
pub use self::held_out::{DataSplit, HeldOut};
pub use self::search::Search;
pub use self::space::{BASELINE, Candidate, Sieved, Space};
