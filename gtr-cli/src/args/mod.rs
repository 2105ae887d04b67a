//! The command line.

mod axes;
mod bench;
mod bulk;
mod classes;
mod conform;
mod convert;
mod cost;
mod design;
mod eval;
mod experiment;
mod field;
mod going_on;
mod inspect;
mod look;
mod loss;
mod merge;
mod model;
mod plan;
mod sample;
mod schedule;
mod small;
mod tune;

use clap::{Parser, Subcommand};

pub(crate) use axes::AxisFlags;
pub(crate) use bench::{BenchArgs, BenchFormat};
pub(crate) use bulk::BulkArgs;
pub(crate) use classes::{ClassName, Classes};
pub(crate) use conform::{ConformArgs, ConformFormat};
pub(crate) use convert::ConvertArgs;
pub(crate) use cost::{CostArgs, CostFormat};
pub(crate) use design::{DesignArgs, DesignFormat};
pub(crate) use eval::{EvalArgs, EvalFormat, SeriesArgs};
pub(crate) use experiment::ExperimentArgs;
pub(crate) use field::FieldArgs;
pub(crate) use going_on::GoingOnArgs;
pub(crate) use inspect::{InspectArgs, InspectFormat};
pub(crate) use look::LookArgs;
pub(crate) use loss::LossArgs;
pub(crate) use merge::MergeArgs;
pub(crate) use model::{DIGITS, ModelArgs};
pub(crate) use plan::{PlanArgs, PlanFormat};
pub(crate) use sample::SampleArgs;
pub(crate) use schedule::{Chosen, ScheduleArgs};
pub(crate) use small::{
    CompletionsArgs, ListFormat, ManArgs, PresetsArgs, ReferenceFormat, SchedulersArgs, SchemaArgs, SchemaName,
    VerifyArgs, VerifyFormat,
};
pub(crate) use tune::TuneArgs;

/// Plan, verify and run sampling schedules of masked autoregressive image
/// generators.
///
/// A schedule says in which order and in which stages the tokens of an image are generated, how many in each step, with how
/// many diffusion steps, and which tokens get more. On a grid it makes a plan, which can be looked at, saved, checked and
/// run.
#[derive(Debug, Parser)]
#[command(name = "gtr-cli", version, max_term_width = 80, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Tell on standard error what is loaded, planned and run.
    #[arg(long, global = true, display_order = 900)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli sample --class 7 --out seven.png     a picture of a seven
  gtr-cli plan --grid 16x16                    what is generated when
  gtr-cli plan --format json > p.json          the same as a file
  gtr-cli verify p.json                        whether a plan is sound
  gtr-cli help plan                            all about a command";

/// What to do; each command says on its arguments what it is.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Plan(Box<PlanArgs>),
    Sample(Box<SampleArgs>),
    Merge(MergeArgs),
    Verify(VerifyArgs),
    Cost(CostArgs),
    Design(Box<DesignArgs>),
    Field(FieldArgs),
    Eval(Box<EvalArgs>),
    Experiment(Box<ExperimentArgs>),
    Tune(Box<TuneArgs>),
    Bench(Box<BenchArgs>),
    Conform(Box<ConformArgs>),
    Convert(ConvertArgs),
    Inspect(InspectArgs),
    Schedulers(SchedulersArgs),
    Presets(PresetsArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// A seed or the number of an image.
fn whole_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("write a whole number, 0 to {}", u64::MAX))
}

/// A seed.
fn seed(text: &str) -> Result<u64, String> {
    whole_number(text).map_err(|error| {
        // What asks other programs for another seed each time.
        if text.starts_with('-') { format!("seeds are not drawn at random: {error}, as $RANDOM") } else { error }
    })
}

/// A factor of the noise.
fn temperature(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|it| (0.0..=100.0).contains(it));
    number.ok_or_else(|| "write a number, 0 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
