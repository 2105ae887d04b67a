//! Partially known images: the state of the models of this family between AR steps.

use std::any::Any;
use std::fmt;

use candle_core::{DType, Device, Tensor};
use gtr_core::{Grid, NonFinite, Targets, TokenIndex, TokenSet};

use crate::BackendError;
use crate::error::Context;
use crate::layers::concatenate;

/// A batch of partially known images. All images have the same number of known tokens. `P` is the prompt of an image: a
/// class or a text.
///
/// A clone has the same tokens, but nothing of what the model keeps for [reuse](gtr_core::StepReuse) in later steps.
#[derive(Clone, Debug)]
pub struct Canvas<P> {
    prompts: Vec<Option<P>>,
    guided: bool,
    /// Positions of the known tokens of each image, in the order of `values`.
    known: Vec<Vec<u32>>,
    /// `[images, known, channels]`; `None` before the first step.
    values: Option<Tensor>,
    kept: Slot,
}

/// What a model keeps between AR steps. A clone is empty.
#[derive(Default)]
struct Slot(Option<Box<dyn Any + Send + Sync>>);

impl Clone for Slot {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}

/// Known tokens of an image: their values in position order, `[1, known, channels]`, and their positions.
pub type Known = (Option<Tensor>, Vec<u32>);

/// Layout of tokens in a latent image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLayout {
    /// The token grid.
    pub grid: Grid,
    /// Number of channels of the latent image.
    pub channels: usize,
    /// Side of a token's patch, in latent pixels.
    pub patch: usize,
}

impl TokenLayout {
    /// Number of channels of a token.
    pub fn width(self) -> usize {
        self.channels * self.patch * self.patch
    }

    /// Converts tokens `[images, tokens, width]` to latent images `[images, latent channels, rows, columns]`. The
    /// channels of a token are (channel, row in patch, column in patch).
    fn join(self, tokens: &Tensor) -> candle_core::Result<Tensor> {
        let (count, (height, width)) = (tokens.dim(0)?, self.sides());
        let Self { channels, patch, .. } = self;
        tokens
            .reshape(&[count, height, width, channels, patch, patch][..])?
            .permute([0, 3, 1, 4, 2, 5].as_slice())?
            .reshape((count, channels, height * patch, width * patch))
    }

    /// The inverse of [`TokenLayout::join`].
    fn split(self, latents: &Tensor) -> candle_core::Result<Tensor> {
        let (count, (height, width)) = (latents.dim(0)?, self.sides());
        let Self { channels, patch, .. } = self;
        latents
            .reshape(&[count, channels, height, patch, width, patch][..])?
            .permute([0, 2, 4, 1, 3, 5].as_slice())?
            .reshape((count, height * width, self.width()))
    }

    /// Extracts the values of the targets from latent images, one per image of the targets: `[rows, width]`.
    pub(crate) fn values(self, latents: &Tensor, targets: &Targets) -> Result<Tensor, BackendError> {
        let (height, width) = self.sides();
        let expected = [targets.images(), self.channels, height * self.patch, width * self.patch];
        if latents.dims() != expected {
            let found = latents.dims();
            return Err(BackendError::Request(format!(
                "expected latent images of shape {expected:?}, found {found:?}"
            )));
        }
        let wanted = positions(targets);
        wanted.iter().try_for_each(|&position| self.check(position))?;
        let choose = || {
            let tokens = self.split(latents)?;
            let images = wanted.chunks_exact(targets.per_image()).enumerate().map(|(image, positions)| {
                tokens.get(image)?.index_select(&Tensor::new(positions, latents.device())?, 0)
            });
            Tensor::cat(&images.collect::<candle_core::Result<Vec<_>>>()?, 0)
        };
        choose().context("selecting the tokens of images")
    }

    fn sides(self) -> (usize, usize) {
        (self.grid.height() as usize, self.grid.width() as usize)
    }

    /// Checks that a position is on the grid.
    pub(crate) fn check(self, position: u32) -> Result<(), BackendError> {
        if (position as usize) < self.grid.tokens() {
            return Ok(());
        }
        Err(BackendError::OffGrid { token: position, grid: self.grid })
    }
}

impl<P> Canvas<P> {
    /// Creates images without known tokens. An image without a prompt is generated unconditionally.
    pub fn new(prompts: Vec<Option<P>>, guided: bool) -> Self {
        Self { known: vec![Vec::new(); prompts.len()], values: None, prompts, guided, kept: Slot::default() }
    }

    /// Values of the known tokens, in the order in which they were generated.
    ///
    /// # Shapes
    /// `[images, known, channels]`; `None` before the first step.
    pub fn values(&self) -> Option<&Tensor> {
        self.values.as_ref()
    }

    /// Prompt of each image.
    pub fn prompts(&self) -> &[Option<P>] {
        &self.prompts
    }

    /// Returns true if the unconditional half is also computed, for guidance.
    pub fn guided(&self) -> bool {
        self.guided
    }

    /// Keeps a value for later AR steps, in place of the one that is kept.
    pub fn keep(&mut self, value: impl Any + Send + Sync) {
        self.kept = Slot(Some(Box::new(value)));
    }

    /// Removes and returns the value that is kept; `None` if there is none of this type.
    pub fn take_kept<T: Any>(&mut self) -> Option<T> {
        self.kept.0.take()?.downcast().ok().map(|value| *value)
    }

    /// Returns true if a token of an image is known.
    pub(crate) fn is_known(&self, picture: usize, token: TokenIndex) -> bool {
        self.known.get(picture).is_some_and(|known| known.iter().any(|&position| position as usize == token.index()))
    }

    /// Returns the known tokens of each image.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn known(&self) -> Result<Vec<Known>, BackendError> {
        let known = (0..self.prompts.len()).map(|picture| self.picture(picture));
        known.collect::<candle_core::Result<_>>().context("selecting the known tokens")
    }

    fn picture(&self, picture: usize) -> candle_core::Result<Known> {
        let mut order: Vec<(u32, u32)> = self.known[picture].iter().copied().zip(0..).collect();
        order.sort_unstable();
        let (positions, places): (Vec<u32>, Vec<u32>) = order.into_iter().unzip();
        let Some(values) = &self.values else { return Ok((None, positions)) };
        let places = Tensor::new(places.as_slice(), values.device())?;
        Ok((Some(values.narrow(0, picture, 1)?.index_select(&places, 1)?), positions))
    }

    /// Returns the positions of the targets, grouped by image.
    ///
    /// # Errors
    /// [`BackendError::Request`] for targets of another number of images.
    pub fn positions(&self, targets: &Targets) -> Result<Vec<u32>, BackendError> {
        if targets.images() != self.prompts.len() {
            let (found, expected) = (targets.images(), gtr_core::count(self.prompts.len(), "image"));
            return Err(BackendError::Request(format!("expected targets of {expected}, found {found}")));
        }
        Ok(positions(targets))
    }

    /// Writes the values of the targets, `[images * targets, width of a token]`.
    pub(crate) fn commit(
        &mut self,
        targets: &Targets,
        values: &Tensor,
        layout: TokenLayout,
    ) -> Result<(), BackendError> {
        let (count, per_image, width) = (self.prompts.len(), targets.per_image(), layout.width());
        if targets.images() != count || values.dims() != [count * per_image, width] {
            let found = values.dims();
            return Err(BackendError::Request(format!(
                "expected values of {} with {} for each image, found shape {found:?} for {}",
                gtr_core::count(per_image, "token"),
                gtr_core::count(width, "channel"),
                gtr_core::count(count, "image")
            )));
        }
        let new = positions(targets);
        for (known, new) in self.known.iter().zip(new.chunks_exact(per_image)) {
            let mut all: Vec<u32> = known.iter().chain(new).copied().collect();
            all.sort_unstable();
            if let Some((twice, _)) = all.iter().zip(all.iter().skip(1)).find(|(token, next)| token == next) {
                return Err(BackendError::Request(format!("token {twice} is already known")));
            }
            all.last().map_or(Ok(()), |last| layout.check(*last))?;
        }
        let values = values.reshape((count, per_image, width)).and_then(|new| match &self.values {
            Some(values) => Tensor::cat(&[values, &new], 1),
            None => Ok(new),
        });
        self.values = Some(values.context("writing tokens")?);
        for (known, new) in self.known.iter_mut().zip(new.chunks_exact(per_image)) {
            known.extend_from_slice(new);
        }
        Ok(())
    }

    /// Finds the first known token with a value that is not finite.
    pub(crate) fn find_non_finite(&self, layout: TokenLayout) -> Result<Option<NonFinite>, BackendError> {
        let Some(values) = &self.values else { return Ok(None) };
        let values = values.to_dtype(DType::F32).and_then(|values| values.flatten_all()?.to_vec1::<f32>());
        let values = values.context("reading token values")?;
        let (width, known) = (layout.width(), self.known.first().map_or(0, Vec::len));
        let Some(at) = values.iter().position(|value| !value.is_finite()) else { return Ok(None) };
        let (slot, place) = (at / width / known, at / width % known);
        let token = layout.grid.token(self.known[slot][place] as usize);
        Ok(token.ok().map(|token| NonFinite { slot, token }))
    }

    /// Returns the latent images, `[images, latent channels, rows, columns]`.
    ///
    /// # Errors
    /// [`BackendError::Request`] if a token is unknown, or a failure of the device.
    pub(crate) fn latents(&self, layout: TokenLayout) -> Result<Tensor, BackendError> {
        let (count, known, tokens) = (self.prompts.len(), self.known.first().map_or(0, Vec::len), layout.grid.tokens());
        if known != tokens {
            return Err(BackendError::Request(format!(
                "known tokens: {known} of {tokens}; run all steps before decoding"
            )));
        }
        let pictures: Vec<Tensor> = self.known()?.into_iter().filter_map(|(values, _)| values).collect();
        let joined = concatenate(&pictures).and_then(|pictures| layout.join(&pictures.reshape((count, known, ()))?));
        joined.context("joining tokens to images")
    }

    /// Returns the latent images with zeros in place of unknown tokens. `device` is used if no token is known.
    pub(crate) fn partial_latents(&self, layout: TokenLayout, device: &Device) -> Result<Tensor, BackendError> {
        let nothing = Tensor::zeros((1, 1, layout.width()), DType::F32, device).context("joining tokens to images")?;
        let picture = |(values, positions): Known| {
            let unknown = u32::try_from(positions.len()).unwrap_or(u32::MAX);
            let mut places = vec![unknown; layout.grid.tokens()];
            for (place, position) in (0..).zip(positions) {
                places[position as usize] = place;
            }
            let values = match values {
                Some(values) => Tensor::cat(&[&values.to_dtype(DType::F32)?, &nothing], 1)?,
                None => nothing.clone(),
            };
            values.index_select(&Tensor::new(places.as_slice(), device)?, 1)
        };
        let pictures = self.known()?.into_iter().map(picture).collect::<candle_core::Result<Vec<_>>>();
        let joined = pictures.and_then(|pictures| layout.join(&concatenate(&pictures)?));
        joined.context("joining tokens to images")
    }

    /// Unknown tokens of each image.
    pub(crate) fn unknown(&self, layout: TokenLayout) -> impl Iterator<Item = TokenSet> {
        let token = move |&position: &u32| -> Option<TokenIndex> { layout.grid.token(position as usize).ok() };
        self.known
            .iter()
            .map(move |known| TokenSet::from_tokens(layout.grid, known.iter().filter_map(token)).complement())
    }
}

fn positions(targets: &Targets) -> Vec<u32> {
    targets.rows().iter().map(|token| token.get()).collect()
}
