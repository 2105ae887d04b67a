//! Arguments for inpainting and variations.

use std::path::PathBuf;

use clap::Args;

/// Arguments for inpainting and variations of the reconstruction.
#[derive(Debug, Args)]
#[command(next_help_heading = "Inpainting and variation")]
pub(crate) struct InpaintArgs {
    /// Start from this PNG file, of the model's image size or a whole multiple of it. The tokens outside the mask are known
    /// from the start and keep their values.
    #[arg(long, value_name = "FILE")]
    pub(crate) init: Option<PathBuf>,
    /// PNG file of the same size as --init: white is regenerated, black is kept. A token that is partly white is regenerated.
    #[arg(long, value_name = "FILE", requires = "init", conflicts_with = "plan")]
    pub(crate) mask: Option<PathBuf>,
    /// Dilate the mask by N tokens on all sides [default without a value: 1].
    #[arg(long, value_name = "N", requires = "mask", num_args = 0..=1, default_missing_value = "1",
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) dilate: Option<u32>,
    /// Reconstruct each image N times, shown side by side. The generation is shared; reconstruction k takes its order and noise
    /// from seed + k - 1. Also prints the variation between the reconstructions.
    #[arg(long, value_name = "N", conflicts_with = "trace", value_parser = clap::value_parser!(u32).range(2..=64))]
    pub(crate) reseed_reconstruction: Option<u32>,
}

impl InpaintArgs {
    /// Returns the number of reconstructions of each image.
    pub(crate) fn reconstructions(&self) -> u32 {
        self.reseed_reconstruction.unwrap_or(1)
    }
}
