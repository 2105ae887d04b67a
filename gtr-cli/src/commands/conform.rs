//! `conform`: compares this program with recordings.

use gtr_backends::conform::{Options, conform};
use gtr_core::count;

use super::to_json;
use crate::args::{ConformArgs, ConformFormat};
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::output;

/// Runs the command.
pub(super) fn run(args: &ConformArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    let mut options = Options::default();
    (options.compute, options.own_precision) = (args.compute()?, args.dtype.is_none());
    options.tolerances = args.tolerance;
    options.model.clone_from(&args.model);
    options.weights.clone_from(&args.weights);
    options.random = args.random_weights;
    let report = conform(&args.paths, &options, &catalogue.registry, &catalogue.families)?;
    let text = match args.format {
        ConformFormat::Json => to_json(&report),
        ConformFormat::Text => {
            let (compared, failed) = (report.quantities.len(), report.failures().count());
            let compared = count(compared, "quantity");
            let problems = match report.problems.len() {
                0 => String::new(),
                some => format!(", {some} not comparable"),
            };
            format!("{report}{compared} compared, {failed} outside the tolerance{problems}\n")
        }
    };
    output::print(&text)?;
    Ok(if report.passed() { ExitStatus::Success } else { ExitStatus::Failure })
}
