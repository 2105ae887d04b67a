//! The quality of sampling plans on a model, measured and compared.
//!
//! | module | what it has |
//! |---|---|
//! | [`evaluation`] | images made and judged, with scores, intervals and costs; kept, so that no image is made twice |
//! | [`experiment`] | named comparisons from `spec/experiments/`, what the paper says of them, and their pages |
//! | [`tune`] | the search for the schedule with the best measured quality under a budget |
//! | [`losses`] | what plans lose on a field, wherever plans are shown |
//! | [`model`] | a model as evaluation sees it: pictures by class, of any family |
//! | [`progress`] | how far it is, for who shows it |
//!
//! Implementations of schedules come from a registry that is passed in: an order from another crate is judged like the built-in ones,
//! as `examples/own_order.rs` does. Nothing here prints or listens to signals.
#![forbid(unsafe_code)]

mod error;
pub mod evaluation;
pub mod experiment;
pub mod losses;
pub mod model;
pub mod progress;
pub mod tune;

pub use self::error::Error;
