//! `gtr-cli` plans, verifies and runs sampling schedules of masked autoregressive image generators.
//!
//! Data goes to standard output, everything else to standard error. A failure is one line there and an exit code: 2 for
//! wrong usage, 130 and 143 for a run that was stopped by ctrl-C or SIGTERM and can be continued, 1 for everything else.

mod animation;
mod args;
mod bulk;
mod catalogue;
mod commands;
mod draw;
mod error;
mod evaluation;
mod experiment;
mod figure;
mod gaps;
mod losses;
mod memory;
mod output;
mod page;
mod picture;
mod raster;
mod series;
mod shell;
mod table;
mod tune;
mod usage;
mod words;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error).into(),
    };
    output::log(cli.verbose);
    match commands::run(&cli.command) {
        Ok(status) => status.into(),
        Err(error) => {
            output::error(&error);
            error.status().into()
        }
    }
}
