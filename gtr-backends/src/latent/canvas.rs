//! Images of which some tokens are known: what the models of this family keep between AR steps.

use candle_core::{DType, Device, Tensor};
use gtr_core::{Grid, NonFinite, Targets, TokenIndex, TokenSet};

use crate::BackendError;
use crate::error::Context;
use crate::layers::concatenate;

/// Pictures of which some tokens are known, in all the same number. `P` is what a picture is asked for by.
#[derive(Clone, Debug)]
pub struct Canvas<P> {
    prompts: Vec<Option<P>>,
    guided: bool,
    /// Positions of the known tokens of each picture, in the order of `values`.
    known: Vec<Vec<u32>>,
    /// `[pictures, known, channels]`; nothing before the first step.
    values: Option<Tensor>,
}

/// What is known of a picture: the values of its tokens in position order, `[1, known, channels]`, and their positions.
pub type Known = (Option<Tensor>, Vec<u32>);

/// How tokens make a latent image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLayout {
    /// The token grid.
    pub grid: Grid,
    /// Channels of the latent image.
    pub channels: usize,
    /// Side of the patch of latent values that a token is.
    pub patch: usize,
}

impl TokenLayout {
    /// Channels of a token.
    pub fn width(self) -> usize {
        self.channels * self.patch * self.patch
    }

    /// Token values to latent images, `[pictures, latent channels, rows, columns]`. A token's channels are (channel, row in
    /// patch, column in patch).
    ///
    /// `tokens`: `[pictures, tokens, width]`.
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

    /// The values of the targets in latent images, one for each image of the targets: `[rows, width]`.
    pub(crate) fn values(self, latents: &Tensor, targets: &Targets) -> Result<Tensor, BackendError> {
        let (height, width) = self.sides();
        let expected = [targets.images(), self.channels, height * self.patch, width * self.patch];
        if latents.dims() != expected {
            let found = latents.dims();
            return Err(BackendError::Request(format!(
                "latent images of shape {found:?} are not the model's, of shape {expected:?}"
            )));
        }
        let wanted = positions(targets)?;
        wanted.iter().try_for_each(|&position| self.check(position))?;
        let choose = || {
            let tokens = self.split(latents)?;
            let images = wanted.chunks_exact(targets.per_image()).enumerate().map(|(image, positions)| {
                tokens.get(image)?.index_select(&Tensor::new(positions, latents.device())?, 0)
            });
            Tensor::cat(&images.collect::<candle_core::Result<Vec<_>>>()?, 0)
        };
        choose().context("choosing the tokens of images")
    }

    fn sides(self) -> (usize, usize) {
        (self.grid.height() as usize, self.grid.width() as usize)
    }

    /// The token at a position of the grid, or what is wrong with it.
    pub(crate) fn check(self, position: u32) -> Result<(), BackendError> {
        if (position as usize) < self.grid.tokens() {
            return Ok(());
        }
        Err(BackendError::OffGrid { token: position, grid: self.grid })
    }
}

impl<P> Canvas<P> {
    /// Empty pictures; those without a prompt are made as in the unconditional half.
    pub fn new(prompts: Vec<Option<P>>, guided: bool) -> Self {
        Self { known: vec![Vec::new(); prompts.len()], values: None, prompts, guided }
    }

    /// The values of the known tokens, in the order in which they became known.
    ///
    /// # Shapes
    /// `[pictures, known, channels]`; nothing before the first step.
    pub fn values(&self) -> Option<&Tensor> {
        self.values.as_ref()
    }

    /// The prompt of each picture.
    pub fn prompts(&self) -> &[Option<P>] {
        &self.prompts
    }

    /// Whether the unconditional half is wanted too.
    pub fn guided(&self) -> bool {
        self.guided
    }

    /// Whether a token of a picture is known.
    pub(crate) fn is_known(&self, picture: usize, token: TokenIndex) -> bool {
        self.known.get(picture).is_some_and(|known| known.iter().any(|&position| position as usize == token.get()))
    }

    /// What is known of each picture.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn known(&self) -> Result<Vec<Known>, BackendError> {
        let known = (0..self.prompts.len()).map(|picture| self.picture(picture));
        known.collect::<candle_core::Result<_>>().context("choosing the known tokens")
    }

    fn picture(&self, picture: usize) -> candle_core::Result<Known> {
        let mut order: Vec<(u32, u32)> = self.known[picture].iter().copied().zip(0..).collect();
        order.sort_unstable();
        let (positions, places): (Vec<u32>, Vec<u32>) = order.into_iter().unzip();
        let Some(values) = &self.values else { return Ok((None, positions)) };
        let places = Tensor::new(places.as_slice(), values.device())?;
        Ok((Some(values.narrow(0, picture, 1)?.index_select(&places, 1)?), positions))
    }

    /// The positions of targets, picture by picture.
    ///
    /// # Errors
    /// [`BackendError::Request`] for targets of another number of pictures.
    pub fn positions(&self, targets: &Targets) -> Result<Vec<u32>, BackendError> {
        if targets.images() != self.prompts.len() {
            let (found, count) = (targets.images(), self.prompts.len());
            return Err(BackendError::Request(format!("targets of {found} images do not fit a canvas of {count}")));
        }
        positions(targets)
    }

    /// Writes the values of targets, `[pictures * targets, width of a token]`.
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
                "values of shape {found:?} do not fit {per_image} tokens of {width} channels in each of {count} images"
            )));
        }
        let new = positions(targets)?;
        for (known, new) in self.known.iter().zip(new.chunks_exact(per_image)) {
            let mut all: Vec<u32> = known.iter().chain(new).copied().collect();
            all.sort_unstable();
            if let Some((twice, _)) = all.iter().zip(all.iter().skip(1)).find(|(token, next)| token == next) {
                return Err(BackendError::Request(format!("token {twice} is known already")));
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

    /// The first known token whose value is not finite.
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

    /// The latent images, `[pictures, latent channels, rows, columns]`. A token's channels are (channel, row in patch,
    /// column in patch).
    pub(crate) fn latents(&self, layout: TokenLayout) -> Result<Tensor, BackendError> {
        let (count, known, tokens) = (self.prompts.len(), self.known.first().map_or(0, Vec::len), layout.grid.tokens());
        if known != tokens {
            return Err(BackendError::Request(format!("only {known} of the {tokens} tokens are known: decode later")));
        }
        let pictures: Vec<Tensor> = self.known()?.into_iter().filter_map(|(values, _)| values).collect();
        let joined = concatenate(&pictures).and_then(|pictures| layout.join(&pictures.reshape((count, known, ()))?));
        joined.context("joining tokens to images")
    }

    /// The latent images as far as they are known, zero elsewhere; `device` is where they are while nothing is.
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

    /// The tokens of each picture that are unknown.
    pub(crate) fn unknown(&self, layout: TokenLayout) -> impl Iterator<Item = TokenSet> {
        let token = move |&position: &u32| -> Option<TokenIndex> { layout.grid.token(position as usize).ok() };
        self.known.iter().map(move |known| TokenSet::of(layout.grid, known.iter().filter_map(token)).complement())
    }
}

fn positions(targets: &Targets) -> Result<Vec<u32>, BackendError> {
    let position = |token: &gtr_core::TokenIndex| u32::try_from(token.get());
    let positions = targets.rows().iter().map(position).collect::<Result<_, _>>();
    positions.map_err(|error| BackendError::Request(format!("a token is not on any grid: {error}")))
}
