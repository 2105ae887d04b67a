//! Compares this implementation with recordings, given as folders or files, and prints the differences.
//!
//! ```text
//! cargo run -p gtr-backends --example conform -- tests/golden
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use gtr_backends::conform::{Options, conform};

#[allow(clippy::print_stdout, reason = "prints its result")]
fn main() -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match conform(&paths, &Options::default(), &gtr_core::Registry::builtin(), &gtr_backends::Families::builtin()) {
        Ok(report) => {
            print!("{report}");
            if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
