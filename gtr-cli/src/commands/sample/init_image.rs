//! The image that inpainting starts from, and its tokens that are kept.

use gtr_backends::Picture;
use gtr_backends::raster::{Mask, MaskSource, Raster};
use gtr_core::{Grid, Plan, TokenSet};

use crate::args::SampleArgs;
use crate::error::CliError;
use crate::input;
use crate::output;

/// The image that a run starts from.
pub(super) struct InitImage {
    picture: Picture,
    /// Tokens to keep if there is a mask; otherwise the plan has them.
    known: Option<TokenSet>,
}

impl InitImage {
    /// Reads --init and --mask. `shape` is `[height, width, channels]` of the model's images.
    pub(super) fn read(args: &SampleArgs, grid: Grid, shape: [usize; 3]) -> Result<Option<Self>, CliError> {
        let Some(path) = &args.inpaint.init else { return Ok(None) };
        let raster = input::picture(path)?;
        let picture = raster.picture(shape)?;
        let known = match (&args.inpaint.mask, &args.plan) {
            (Some(mask), _) => Some(known(&input::picture(mask)?.like(&raster)?, grid, args)?),
            (None, Some(_)) => None,
            (None, None) => {
                return Err(CliError::usage("--init requires --mask, or a --plan with known tokens"));
            }
        };
        Ok(Some(Self { picture, known }))
    }

    /// Returns the image. All jobs share its pixels.
    pub(super) fn picture(&self) -> Picture {
        self.picture.clone()
    }
}

/// Returns the tokens that are known before the first AR step.
pub(super) fn known_tokens(begin: Option<&InitImage>, grid: Grid) -> TokenSet {
    begin.and_then(|begin| begin.known.clone()).unwrap_or_else(|| TokenSet::empty(grid))
}

/// Returns an error if the plan has known tokens and there is no image. Prints a note if an image is given and no token is kept.
pub(super) fn check(plan: &Plan, begin: Option<&InitImage>, args: &SampleArgs) -> Result<(), CliError> {
    match (plan.known().len(), begin) {
        (0, Some(_)) => output::note("no token of --init is kept: the whole grid is generated"),
        (known @ 1.., None) => {
            let file = args.plan.as_ref().map_or_else(String::new, |path| path.display().to_string());
            return Err(CliError::usage(format_args!(
                "{file}: the plan has {}: give its image with --init",
                gtr_core::count(known, "known token")
            )));
        }
        _ => {}
    }
    Ok(())
}

/// Returns the tokens outside the mask.
fn known(raster: &Raster, grid: Grid, args: &SampleArgs) -> Result<TokenSet, CliError> {
    let (name, mask) = (raster.name(), raster.mask(grid)?);
    match mask.source {
        MaskSource::Colours => {}
        MaskSource::ColoursNotOpacity => {
            output::note(format_args!("{name}: the colours are the mask; the alpha channel is ignored"));
        }
        MaskSource::Opaque => output::note(format_args!(
            "{name} has one bright colour: the alpha channel is the mask, opaque pixels are generated"
        )),
        MaskSource::Transparent => output::note(format_args!(
            "{name} has one dark colour: the alpha channel is the mask, transparent pixels are generated"
        )),
    }
    if mask.tokens.is_empty() {
        return Err(CliError::usage(format_args!("--mask: {}", nothing_to_generate(name, &mask))));
    }
    let generated = mask.tokens.dilated(args.inpaint.dilate.unwrap_or(0));
    tracing::info!(generated = generated.len(), of = grid.tokens(), "read a mask");
    Ok(generated.complement())
}

/// Returns the reason why a mask keeps every token.
fn nothing_to_generate(name: &str, mask: &Mask) -> String {
    match (mask.source, mask.brightest) {
        (MaskSource::Opaque | MaskSource::Transparent, _) => {
            format!("{name} keeps all tokens: nothing is left to generate")
        }
        (_, 0) => {
            format!("{name} is black everywhere: nothing is left to generate; paint the region to generate white")
        }
        (_, 1) => {
            format!("{name} has the values 0 and 1, which are both black in an image of 0 to 255: multiply them by 255")
        }
        (_, brightest) => format!(
            "{name} has no value above {brightest}: nothing is left to generate; values from 128 on are generated"
        ),
    }
}
