//! How a run can be watched.

use std::path::PathBuf;

use clap::Args;

/// Pictures of images that are not finished yet.
#[derive(Debug, Args)]
#[command(next_help_heading = "Watching")]
pub(crate) struct LookArgs {
    /// Also write an animation, a frame an AR step: FILE.gif, or FILE.png for an animated PNG. Models with an autoencoder decode
    /// once a step.
    #[arg(long, value_name = "FILE", conflicts_with = "reseed_reconstruction")]
    pub(crate) animate: Option<PathBuf>,
    /// Show the images in the terminal as they grow; nothing where there is no terminal.
    #[arg(long)]
    pub(crate) preview: bool,
}
