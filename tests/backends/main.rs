//! Conformance of the backends with the recordings in `tests/golden`, and what must hold of every model.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its data has failed")]

mod bits;
mod checkpoints;
mod coefficients;
mod digits;
mod golden;
mod head;
mod hostile;
mod judge;
mod lightgen;
mod loops;
mod mutation;
mod opening;
mod pipeline;
mod run;
mod runs;
mod text;
mod transformer;
mod vae;
