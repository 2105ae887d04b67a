//! The command line of `gtr-cli`, as a library: a program that registers schedulers of its own gets all of it.
//!
//! Data goes to standard output, everything else to standard error. A failure is one line there and an exit code: 2 for
//! wrong usage, 130 for a run that ctrl-C stopped, 143 for one that another signal stopped, 1 for everything else.
//!
//! # Examples
//! The whole program:
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     gtr_cli::run(gtr_core::Registry::builtin(), std::env::args_os())
//! }
//! ```
//! `examples/own_order.rs` registers an order before that: it then has its place in `plan --order`, with flags and help of its
//! parameters, in `verify`, `schedulers` and `sample`.
#![forbid(unsafe_code)]

mod args;
mod catalogue;
mod commands;
mod ending;
mod error;
mod input;
mod memory;
mod output;
mod signals;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use gtr_core::Registry;

use self::catalogue::Catalogue;

/// Carries out a command line, whose first word is the name of the program, with the implementations of a registry.
///
/// Signals that ask to stop are listened to from now on: this is for the `main` of a program, once.
pub fn run(registry: Registry, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let catalogue = Catalogue::new(registry);
    let cli = match args::parse(&catalogue, usage::tied(args)) {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error).into(),
    };
    output::log(cli.verbose);
    match signals::listen().and_then(|()| commands::run(&cli.command, &catalogue)) {
        Ok(status) => status.into(),
        Err(error) => {
            output::error(&error);
            error.status().into()
        }
    }
}
