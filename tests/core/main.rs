//! Tests of the public interface of gtr-core.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a panic fails the test, and the numbers are small"
)]

mod axes;
mod broken;
mod cost;
mod design;
mod extensions;
mod generated;
mod golden;
mod hostile;
mod laws;
mod layers;
mod loss;
mod mutations;
mod numbers;
mod outside;
mod properties;
mod ranked;
mod sampling;
mod snapshots;
mod solvers;
mod toy;
