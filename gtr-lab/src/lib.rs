//! Measures and compares the image quality of sampling plans.
//!
//! | module | content |
//! |---|---|
//! | [`evaluation`] | generates and scores images, with confidence intervals and costs; a store keeps the results |
//! | [`experiment`] | named comparisons from `spec/experiments/`, the claims of the paper, and result pages |
//! | [`tune`] | searches for the schedule with the best measured quality within a budget |
//! | [`losses`] | losses of plans on a field |
//! | [`model`] | the interface of a model that generates images by class |
//! | [`progress`] | progress reports |
//!
//! The caller passes the registry of schedule implementations, so an order from another crate is evaluated like the built-in ones: see
//! `examples/own_order.rs`. This crate does not print and does not handle signals.
#![forbid(unsafe_code)]

mod error;
pub mod evaluation;
pub mod experiment;
pub mod losses;
pub mod model;
pub mod progress;
pub mod tune;

pub use self::error::Error;
