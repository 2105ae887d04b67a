//! `gtr-cli` plans, verifies and runs sampling schedules of masked autoregressive image generators.
//!
//! Data is written to standard output, everything else to standard error. An error is one line on standard error and an exit
//! code: 2 for an error in the command line, 130 after Ctrl-C, 143 after another signal, 1 for every other error.

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
