//! Tests of the command line program.
#![expect(clippy::unwrap_used, reason = "a panic shows where a test fails")]

mod animate;
mod bench;
mod bulk;
mod cost;
mod design;
#[cfg(unix)]
mod documented;
mod errors;
mod eval;
mod faults;
mod field;
mod figure;
mod files;
mod global_flags;
mod help;
mod inpainting;
mod inspect;
mod judge;
mod layouts;
#[cfg(target_os = "linux")]
mod locks;
mod loss;
mod models;
mod own_judge;
mod own_order;
mod page;
mod plan;
mod sample;
mod schema;
mod support;
mod trace;
mod tune;
mod verify;
