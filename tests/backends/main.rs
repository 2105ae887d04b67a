//! Conformance of the backends with the recordings in `tests/golden`, and properties of every model.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its data fails")]

mod bits;
mod checkpoints;
mod conform;
mod convert;
mod device_path;
mod digits;
mod executed;
mod family;
mod files;
mod golden;
mod hostile;
mod judge;
mod lightgen;
mod masks;
#[cfg(target_os = "linux")]
mod memory;
mod mutation;
mod opening;
mod pipeline;
mod precision;
mod reuse;
mod solvers;
mod text;
mod torch_file;
mod toy;
mod trace;
mod transformer;
mod vae;
mod written;
