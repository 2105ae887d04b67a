//! Limit of the batch size by memory.

use gtr_core::Plan;

use super::size;
use crate::args::SampleArgs;
use crate::error::CliError;
use crate::memory;
use gtr_run::series::Numbering;

/// Memory assumed for a machine whose memory size is unknown, in bytes.
const UNKNOWN: u64 = 64 << 30;

/// Returns an error if a batch does not fit into memory. `shape` is height, width and channels of an image.
pub(super) fn check(args: &SampleArgs, plan: &Plan, shape: [usize; 3], numbering: Numbering) -> Result<(), CliError> {
    let each = bytes_each(args, plan, shape)?;
    let (batch, all) = (numbering.images().min(args.batch.into()), memory::of_machine().unwrap_or(UNKNOWN));
    let fit = all / each;
    if batch <= fit {
        return Ok(());
    }
    Err(CliError::usage(format_args!(
        "--batch {}: an image needs about {}, so at most {fit} fit into the {} of memory of this machine",
        args.batch,
        size(each),
        size(all)
    )))
}

/// Estimates the memory of one image during generation, in bytes: token values, conditioning vectors and states of the diffusion
/// head in the largest AR step, and the decoded image. Memory that all images share is not included.
fn bytes_each(args: &SampleArgs, plan: &Plan, [height, width, channels]: [usize; 3]) -> Result<u64, CliError> {
    const NUMBER: usize = size_of::<f32>();
    let arch = gtr_backends::spec(&args.model.model)?.arch;
    let step = plan.steps().iter().map(gtr_core::Step::tokens).max().unwrap_or_default();
    // With and without the class or prompt, for guidance.
    let conditions = 2 * step * arch.decoder.width;
    let head = step * (2 * 3 * arch.head.width + 4 * arch.token_channels);
    let numbers = 2 * plan.grid().tokens() * arch.token_channels + conditions + head + 2 * height * width * channels;
    Ok((numbers * NUMBER) as u64 + 1)
}
