//! The commands, a module each.

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
mod man;
mod merge;
mod plan;
mod plan_file;
mod presets;
mod reference;
mod sample;
mod schedulers;
mod schema;
mod tune;
mod verify;

use crate::args::Command;
use crate::error::{CliError, ExitStatus};
use crate::output;

/// Carries out a command.
pub(crate) fn run(command: &Command) -> Result<ExitStatus, CliError> {
    match command {
        Command::Plan(args) => plan::run(args),
        Command::Sample(args) => sample::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Cost(args) => cost::run(args),
        Command::Design(args) => design::run(args),
        Command::Field(args) => field::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Experiment(args) => experiment::run(args),
        Command::Tune(args) => tune::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Conform(args) => conform::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Schedulers(args) => schedulers::run(args),
        Command::Presets(args) => presets::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// Says what a guidance scale below 1 does: other programs mean by 0 that there is no guidance.
fn warn_of_weak_guidance(scale: f64) {
    if scale < 1.0 {
        output::note(format_args!("--cfg {scale} guides away from the class or prompt; no guidance is --cfg 1"));
    }
}

/// What holds no more than numbers, texts and lists, as indented JSON.
fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
