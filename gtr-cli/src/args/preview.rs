//! Arguments to show images during generation.

use std::path::PathBuf;

use clap::Args;

/// Arguments to show unfinished images.
#[derive(Debug, Args)]
#[command(next_help_heading = "Watching")]
pub(crate) struct PreviewArgs {
    /// Also write an animation with one frame per AR step: FILE.gif, or FILE.png for an animated PNG. Models with an autoencoder
    /// then decode once per step.
    #[arg(long, value_name = "FILE", conflicts_with = "reseed_reconstruction")]
    pub(crate) animate: Option<PathBuf>,
    /// Show the images in the terminal during generation; ignored without a terminal.
    #[arg(long)]
    pub(crate) preview: bool,
}
