//! The command line, driven as a user drives it.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod animate;
mod bench;
mod bulk;
mod cost;
mod errors;
mod eval;
mod figure;
mod files;
mod going_on;
mod help;
mod inspect;
mod judge;
mod models;
mod page;
mod plan;
mod sample;
mod schema;
mod support;
mod trace;
mod tune;
mod verify;
