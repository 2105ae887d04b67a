//! How many images fit into memory at a time.

use gtr_core::Plan;

use super::size;
use crate::args::SampleArgs;
use crate::error::CliError;
use crate::memory;
use gtr_run::series::Numbering;

/// The memory of a machine that does not tell how much it has.
const UNKNOWN: u64 = 64 << 30;

/// Refuses a batch for which the machine has not enough memory, before anything is made. `shape` is that of a picture.
pub(super) fn check(args: &SampleArgs, plan: &Plan, shape: [usize; 3], numbering: Numbering) -> Result<(), CliError> {
    let each = bytes_each(args, plan, shape)?;
    let (batch, all) = (numbering.images().min(args.batch.into()), memory::of_machine().unwrap_or(UNKNOWN));
    let fit = all / each;
    if batch <= fit {
        return Ok(());
    }
    Err(CliError::usage(format_args!(
        "--batch {}: an image takes about {} while it is made, so no more than {fit} fit into the {} of this machine at a time",
        args.batch,
        size(each),
        size(all)
    )))
}

/// About how many bytes an image takes while it is made, besides what all images share: token values, conditioning vectors and the
/// chains of the diffusion head in the largest AR step, and the picture.
fn bytes_each(args: &SampleArgs, plan: &Plan, [height, width, channels]: [usize; 3]) -> Result<u64, CliError> {
    const NUMBER: usize = size_of::<f32>();
    let arch = gtr_backends::spec(&args.model.model)?.arch;
    let step = plan.steps().iter().map(gtr_core::Step::tokens).max().unwrap_or_default();
    // Both halves of guidance.
    let conditions = 2 * step * arch.decoder.width;
    let head = step * (2 * 3 * arch.head.width + 4 * arch.token_channels);
    let numbers = 2 * plan.grid().tokens() * arch.token_channels + conditions + head + 2 * height * width * channels;
    Ok((numbers * NUMBER) as u64 + 1)
}
