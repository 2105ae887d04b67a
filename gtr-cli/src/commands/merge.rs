//! `merge`: checks the parts of a sharded run, and joins them.

use crate::args::MergeArgs;
use crate::error::{CliError, ExitStatus};
use crate::output;
use gtr_core::count;
use gtr_run::bulk::{Gathered, MergeOutput};

/// Runs the command.
pub(super) fn run(args: &MergeArgs) -> Result<ExitStatus, CliError> {
    let gathered = Gathered::read(&args.folders)?;
    let destination = args.out.as_deref().map(|out| MergeOutput::new(out, &gathered, args.channels)).transpose()?;
    if let Some(MergeOutput::Npz { .. }) = destination {
        gathered.run().order_warning().into_iter().for_each(output::note);
    }
    gathered.check()?;
    let what = format!(
        "{}, {}, complete",
        count(gathered.run().numbering.images(), "image"),
        count(gathered.shards(), "part")
    );
    let place = match (&destination, &args.out) {
        (Some(destination), Some(out)) => {
            destination.write(&gathered)?;
            out
        }
        _ => &args.folders[0],
    };
    output::print(&format!("{}: {what}\n", place.display()))?;
    Ok(ExitStatus::Success)
}
