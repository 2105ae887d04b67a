//! The commands, one module per command.

mod bench;
mod compare;
mod completions;
mod conform;
mod convert;
mod cost;
mod design;
mod eval;
mod experiment;
mod field;
mod inspect;
mod judging;
mod man;
mod merge;
mod plan;
mod plan_file;
mod plot;
mod presets;
mod sample;
mod schedulers;
mod schema;
mod tune;
mod verify;

use crate::args::Command;
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::output;

/// Runs a command.
pub(crate) fn run(command: &Command, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    match command {
        Command::Plan(args) => plan::run(args, catalogue),
        Command::Sample(args) => sample::run(args, catalogue),
        Command::Merge(args) => merge::run(args),
        Command::Verify(args) => verify::run(args, catalogue),
        Command::Cost(args) => cost::run(args, catalogue),
        Command::Design(args) => design::run(args, catalogue),
        Command::Field(args) => field::run(args, &catalogue.families),
        Command::Eval(args) => eval::run(args, catalogue),
        Command::Experiment(args) => experiment::run(args, catalogue),
        Command::Tune(args) => tune::run(args, catalogue),
        Command::Bench(args) => bench::run(args, catalogue),
        Command::Conform(args) => conform::run(args, catalogue),
        Command::Convert(args) => convert::run(args),
        Command::Inspect(args) => inspect::run(args, catalogue),
        Command::Schedulers(args) => schedulers::run(args, catalogue),
        Command::Presets(args) => presets::run(args, catalogue),
        Command::Schema(args) => schema::run(args, catalogue),
        Command::Completions(args) => completions::run(args, catalogue),
        Command::Man(args) => man::run(args, catalogue),
    }
}

/// Prints a note about a guidance scale below 1. Other programs use 0 to disable guidance.
fn warn_of_weak_guidance(scale: f64) {
    if scale < 1.0 {
        output::note(format_args!(
            "--cfg {scale} reduces the effect of the class or prompt; --cfg 1 disables guidance"
        ));
    }
}

/// Formats a value as indented JSON. Values of numbers, strings, lists and maps with string keys never fail.
fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
