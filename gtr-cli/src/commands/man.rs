//! `man`: the manual pages of all commands, for packages.

use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::args::ManArgs;
use crate::catalogue::Catalogue;
use crate::error::{CliError, ExitStatus};
use crate::output::{Target, check_folder, make_folder};

/// Runs the command.
pub(super) fn run(args: &ManArgs, catalogue: &Catalogue) -> Result<ExitStatus, CliError> {
    check_folder(&args.out_dir)?;
    make_folder(&args.out_dir)?;
    let mut program = crate::args::command(catalogue).disable_help_subcommand(true);
    // Sets the names of the subcommands to `gtr-cli-sample` and so on, which become file names.
    program.build();
    write_pages(program, &args.out_dir)?;
    Ok(ExitStatus::Success)
}

/// Writes the page of a command and the pages of its visible subcommands.
fn write_pages(command: Command, folder: &Path) -> Result<(), CliError> {
    for subcommand in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        write_pages(subcommand.clone(), folder)?;
    }
    let page = Man::new(command).source(concat!("gtr-cli ", env!("CARGO_PKG_VERSION")));
    let target = Target::new(&folder.join(page.get_filename()))?;
    let mut text = Vec::new();
    page.render(&mut text).map_err(|error| target.refused(&error))?;
    Ok(target.write(&text)?)
}
