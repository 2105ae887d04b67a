//! Arguments of `man`.

use std::path::PathBuf;

use clap::Args;

/// Write the manual pages of all commands.
///
/// For packagers. `gtr-cli help` shows the same texts.
#[derive(Debug, Args)]
#[command(hide = true, after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write the pages to this folder. The folder is created if its parent exists.
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli man --out-dir man1";
