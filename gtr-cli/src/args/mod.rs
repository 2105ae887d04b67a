//! The command line.

mod axes;
mod bench;
mod bulk;
mod classes;
mod completions;
mod conform;
mod convert;
mod cost;
mod design;
mod eval;
mod experiment;
mod field;
mod inpaint;
mod inspect;
mod list_format;
mod loss;
mod man;
mod merge;
mod model;
mod plan;
mod presets;
mod preview;
mod sample;
mod schedule;
mod schedulers;
mod schema;
mod tune;
mod verify;

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

pub(crate) use axes::AxisFlags;
pub(crate) use bench::{BenchArgs, BenchFormat};
pub(crate) use bulk::BulkArgs;
pub(crate) use classes::{ClassName, Classes};
pub(crate) use completions::CompletionsArgs;
pub(crate) use conform::{ConformArgs, ConformFormat};
pub(crate) use convert::ConvertArgs;
pub(crate) use cost::{CostArgs, CostFormat};
pub(crate) use design::{DesignArgs, DesignFormat};
pub(crate) use eval::{EvalArgs, EvalFormat, SeriesArgs};
pub(crate) use experiment::ExperimentArgs;
pub(crate) use field::FieldArgs;
pub(crate) use inpaint::InpaintArgs;
pub(crate) use inspect::{InspectArgs, InspectFormat};
pub(crate) use list_format::ListFormat;
pub(crate) use loss::LossArgs;
pub(crate) use man::ManArgs;
pub(crate) use merge::MergeArgs;
pub(crate) use model::{ModelArgs, open_device, recorded_device};
pub(crate) use plan::{PlanArgs, PlanFormat};
pub(crate) use presets::PresetsArgs;
pub(crate) use preview::PreviewArgs;
pub(crate) use sample::SampleArgs;
pub(crate) use schedule::{ScheduleArgs, SelectedSchedule, does_not_fit};
pub(crate) use schedulers::{ReferenceFormat, SchedulersArgs};
pub(crate) use schema::{SchemaArgs, SchemaName};
pub(crate) use tune::TuneArgs;
pub(crate) use verify::{VerifyArgs, VerifyFormat};

use crate::catalogue::Catalogue;

/// Plan, verify and run sampling schedules of masked autoregressive image
/// generators.
///
/// A schedule defines the order and the stages in which the tokens of an image are generated, the number of tokens and of
/// diffusion steps per AR step, and the tokens that get extra diffusion steps. Applied to a grid, a schedule gives a plan,
/// which can be displayed, saved, verified and run.
#[derive(Debug, Parser)]
#[command(name = "gtr-cli", version, max_term_width = 80, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Log what is loaded, planned and run to standard error.
    #[arg(short, long, global = true, display_order = 900, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Print no notes and no progress to standard error, only errors.
    #[arg(short, long, global = true, display_order = 901)]
    pub(crate) quiet: bool,
    /// Use colours: if the output is a terminal, always, or never.
    #[arg(long, global = true, display_order = 902, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
    /// Number of CPU threads; it does not affect results [default: one per core].
    #[arg(long, global = true, display_order = 903, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Use of colours and other styles in the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// If the output is a terminal that supports them, and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<Colour> for anstream::ColorChoice {
    fn from(colour: Colour) -> Self {
        match colour {
            Colour::Auto => Self::Auto,
            Colour::Always => Self::Always,
            Colour::Never => Self::Never,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli sample --class 7 --out seven.png     generate an image of a seven
  gtr-cli plan --grid 16x16                    show a plan
  gtr-cli plan --format json > p.json          save a plan
  gtr-cli verify p.json                        verify a plan
  gtr-cli help plan                            show the help of a command";

/// The subcommands. Each is documented at its arguments.
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

/// Returns the command line, with the flags of the axes for the registered implementations.
pub(crate) fn command(catalogue: &Catalogue) -> clap::Command {
    let commands = ["plan", "sample", "eval"];
    commands.into_iter().fold(Cli::command(), |command, name| {
        command.mut_subcommand(name, |command| axes::add_flags(command, catalogue))
    })
}

/// Parses a command line. The first word is the name of the program.
pub(crate) fn parse(
    catalogue: &Catalogue,
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Cli, clap::Error> {
    let mut command = command(catalogue);
    let matches = command.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Parses a seed or an image number.
fn whole_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number, 0 to {}", u64::MAX))
}

/// Parses a seed.
fn seed(text: &str) -> Result<u64, String> {
    whole_number(text).map_err(|error| {
        // Other programs use -1 for a random seed.
        if text.starts_with('-') { format!("{error}; for a random seed, use $RANDOM") } else { error }
    })
}

/// Parses a factor of the noise.
fn temperature(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|it| (0.0..=100.0).contains(it));
    number.ok_or_else(|| "expected a number, 0 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use gtr_core::Registry;

    use crate::catalogue::Catalogue;

    #[test]
    fn the_command_line_is_consistent() {
        super::command(&Catalogue::new(Registry::builtin(), gtr_backends::Families::builtin())).debug_assert();
    }
}
