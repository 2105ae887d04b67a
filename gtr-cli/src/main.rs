//! `gtr-cli` plans, verifies and runs sampling schedules of masked autoregressive image generators.
//!
//! Data goes to standard output, everything else to standard error. A failure is one line there and an exit code: 2 for
//! wrong usage, 130 for a run that ctrl-C stopped, 143 for one that another signal stopped, 1 for everything else.

mod animation;
mod args;
mod bulk;
mod catalogue;
mod commands;
mod draw;
mod ending;
mod error;
mod evaluation;
mod experiment;
mod figure;
mod gaps;
mod input;
mod losses;
mod memory;
mod output;
mod page;
mod picture;
mod reading;
mod series;
mod shell;
mod signals;
mod table;
mod tune;
mod usage;
mod words;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse_from(usage::tied(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error).into(),
    };
    output::log(cli.verbose);
    match signals::listen().and_then(|()| commands::run(&cli.command)) {
        Ok(status) => status.into(),
        Err(error) => {
            output::error(&error);
            error.status().into()
        }
    }
}
