//! Searches for the schedule with the best measured quality within a budget.
//!
//! | file | content |
//! |---|---|
//! | `budget.rs` | budget of an image |
//! | `candidate.rs` | search space: cut, stages, steps per stage, diffusion steps, beta; drawing drafts |
//! | `optional_axes.rs` | search space: the optional axes, with all registered implementations |
//! | `one_of.rs` | uniform draws |
//! | `search_space.rs` | candidates: drafts with as many steps as the budget allows, selected by loss |
//! | `halving.rs` | successive halving |
//! | `held_out.rs` | held-out data for the final figure |
//! | `search.rs` | the search on a model |
//! | `evidence.rs` | the result, as text and as a preset |

mod budget;
mod candidate;
mod evidence;
mod halving;
mod held_out;
mod one_of;
mod optional_axes;
mod search;
mod search_space;

pub use self::budget::{Allowance, Budget, Seconds};
pub use self::evidence::Evidence;
pub use self::halving::{Halving, Round};
pub use self::held_out::{DataSplit, HeldOut};
pub use self::search::Search;
pub use self::search_space::{BASELINE, Candidate, Sieved, Space};
