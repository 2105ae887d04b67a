//! The command line, driven as a user drives it.

mod errors;
mod help;
mod judge;
mod plan;
mod sample;
mod schema;
mod support;
mod verify;
