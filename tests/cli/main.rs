//! The command line, driven as a user drives it.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod animate;
mod bench;
mod bulk;
mod cost;
mod design;
mod errors;
mod eval;
mod field;
mod figure;
mod going_on;
mod help;
mod inspect;
mod judge;
mod loss;
mod models;
mod page;
mod plan;
mod sample;
mod schema;
mod support;
mod trace;
mod tune;
mod verify;
