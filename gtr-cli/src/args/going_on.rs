//! What a run goes on from, and what of it is made several times.

use std::path::PathBuf;

use clap::Args;

/// Parts of images that are given, or that are made more than once.
#[derive(Debug, Args)]
#[command(next_help_heading = "Inpainting and variation")]
pub(crate) struct GoingOnArgs {
    /// Go on from this PNG file, of the model's size or a whole multiple of it: the tokens outside the mask are known from the
    /// start and keep their values.
    #[arg(long, value_name = "FILE")]
    pub(crate) init: Option<PathBuf>,
    /// A PNG file of the size of --init: white is generated, black is kept. A token that is partly white is generated whole.
    #[arg(long, value_name = "FILE", requires = "init", conflicts_with = "plan")]
    pub(crate) mask: Option<PathBuf>,
    /// Widen the mask by so many tokens on all sides; without a number by one.
    #[arg(long, value_name = "N", requires = "mask", num_args = 0..=1, default_missing_value = "1",
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) dilate: Option<u32>,
    /// Make the reconstruction of each image N times, side by side: the generation is shared, the k-th reconstruction draws
    /// its order and noise from seed + k - 1. Prints how far the images lie apart.
    #[arg(long, value_name = "N", conflicts_with = "trace", value_parser = clap::value_parser!(u32).range(2..=64))]
    pub(crate) reseed_reconstruction: Option<u32>,
}

impl GoingOnArgs {
    /// How often the reconstruction of each image is made.
    pub(crate) fn reconstructions(&self) -> u32 {
        self.reseed_reconstruction.unwrap_or(1)
    }
}
