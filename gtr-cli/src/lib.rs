//! The command line of `gtr-cli` as a library. A program that registers its own schedulers or model families gets all commands.
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
//!     gtr_cli::run(gtr_core::Registry::builtin(), gtr_backends::Families::builtin(), std::env::args_os())
//! }
//! ```
//! `examples/own_order.rs` registers an order first. `plan --order` then accepts it, with flags and help for its parameters, and
//! `verify`, `schedulers` and `sample` support it.
#![forbid(unsafe_code)]

mod args;
mod catalogue;
mod commands;
mod error;
mod extension;
mod input;
mod memory;
mod output;
mod signals;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use gtr_backends::Families;
use gtr_core::Registry;

use self::catalogue::Catalogue;
use self::error::CliError;

/// Runs a command line with the schedulers of a registry and the models of some families. The first argument is the name of the
/// program.
///
/// Installs handlers for the signals that request a stop. Call it once, from `main`.
pub fn run(registry: Registry, families: Families, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let catalogue = Catalogue::new(registry, families);
    let cli = match args::parse(&catalogue, usage::tied(args)) {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error).into(),
    };
    output::set_up(cli.color.into(), cli.quiet, cli.verbose);
    let threads =
        cli.threads.map_or(Ok(()), |threads| gtr_backends::set_threads(threads.into()).map_err(CliError::from));
    match threads.and_then(|()| signals::listen()).and_then(|()| commands::run(&cli.command, &catalogue)) {
        Ok(status) => status.into(),
        Err(error) => {
            output::error(&error);
            error.status().into()
        }
    }
}
