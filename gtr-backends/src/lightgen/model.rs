//! The network of LightGen: text aligner, encoder, decoder, text decoder and diffusion head.

use candle_core::{D, Device, Tensor};
use gtr_core::Grid;

use super::config::{LightGenConfig, TABLE};
use super::cross::CrossBlock;
use super::positions::interpolate;
use super::text::{TextAligner, TextFeatures};
use crate::checkpoint::{Checkpoint, Kind, WeightLayout, Weights};
use crate::compute::run_call;
use crate::diffusion::DiffusionHead;
use crate::error::Context;
use crate::layers::{Block, KeysValues, LayerNorm, Linear, index};
use crate::{BackendError, Compute};

/// A loaded LightGen model, set to one grid.
#[derive(Debug)]
pub struct LightGenModel {
    config: LightGenConfig,
    compute: Compute,
    text: TextAligner,
    no_text: TextFeatures,
    token_embed: Linear,
    token_norm: LayerNorm,
    encoder_positions: Table,
    encoder: Vec<Block>,
    encoder_norm: LayerNorm,
    decoder_embed: Linear,
    mask: Tensor,
    decoder_positions: Table,
    decoder: Vec<Block>,
    decoder_norm: LayerNorm,
    last_embed: Linear,
    last_positions: Table,
    cross: Vec<CrossBlock>,
    cross_norm: LayerNorm,
    head: DiffusionHead,
}

/// Known tokens and targets of an image.
#[derive(Clone, Copy, Debug)]
pub struct Positions<'a> {
    /// Positions of the known tokens, in ascending order.
    pub known: &'a [u32],
    /// Positions of the targets, whose conditioning vectors are computed, in any order.
    pub targets: &'a [u32],
}

/// Learned position embeddings, and their interpolation to the grid.
#[derive(Debug)]
struct Table {
    /// `[256, width]`.
    learned: Tensor,
    /// `[tokens, width]`.
    on_grid: Tensor,
}

impl Table {
    /// Loads the learned table, without interpolation.
    fn load(weights: &mut Weights, name: &str, width: usize) -> Result<Self, BackendError> {
        let learned = weights.take(name, &[1, TABLE * TABLE, width])?;
        let learned = learned.flatten_to(D::Minus2).context("loading positions")?;
        Ok(Self { on_grid: learned.clone(), learned })
    }

    fn interpolate(learned: &Tensor, grid: Grid) -> Result<Tensor, BackendError> {
        let width = learned.dim(1).context("interpolating positions")?;
        let table = learned.flatten_all().and_then(|table| table.to_vec1()).context("interpolating positions")?;
        let values = interpolate(&table, TABLE, width, grid);
        Tensor::from_vec(values, (grid.tokens(), width), learned.device()).context("interpolating positions")
    }
}

const HEAD: &str = "diffloss.net";

impl LightGenModel {
    /// Returns the tensors of a model of these sizes.
    ///
    /// # Errors
    /// A failure of the tensor library.
    pub fn layout(config: &LightGenConfig) -> Result<WeightLayout, BackendError> {
        WeightLayout::of(|weights| Self::build(config, weights))
    }

    /// Loads a model. The checkpoint must have exactly its tensors.
    ///
    /// # Errors
    /// [`BackendError::OtherKind`] for a checkpoint of another kind; those of [`Weights::load`] and [`Weights::take`];
    /// or a failure of the device.
    pub fn load(
        config: &LightGenConfig,
        checkpoint: Checkpoint,
        compute: impl Into<Compute>,
    ) -> Result<Self, BackendError> {
        Kind::LIGHT_GEN.expect(&checkpoint)?;
        let mut model = Weights::load(checkpoint, compute, |weights| Self::build(config, weights))?;
        model.no_text = look_at(&model.cross, model.no_text.embedded.clone())?;
        model.set_grid(config.grid)?;
        Ok(model)
    }

    /// Takes the tensors. Derived values are computed later.
    fn build(config: &LightGenConfig, weights: &mut Weights) -> Result<Self, BackendError> {
        let (encoder, decoder, cross) = (config.encoder, config.decoder, config.cross);
        // (1, 1, width) to (1, width)
        let row = |weights: &mut Weights, name: &str, width: usize| {
            weights.take(name, &[1, 1, width])?.flatten_to(1).context("loading a token")
        };
        let no_text = row(weights, "fake_latent", cross.width)?;
        let no_text = no_text.expand((config.text_length, cross.width)).and_then(|rows| rows.contiguous());
        let blocks = (0..cross.depth)
            .map(|block| CrossBlock::load(weights, &format!("cross_attn_blocks.{block}"), cross.block()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            no_text: TextFeatures { embedded: no_text.context("loading a token")?, keys_values: Vec::new() },
            text: TextAligner::load(weights, config)?,
            token_embed: Linear::load(weights, "z_proj", config.token_channels(), encoder.width)?,
            token_norm: LayerNorm::load(weights, "z_proj_ln", encoder.width)?,
            encoder_positions: Table::load(weights, "encoder_pos_embed_learned", encoder.width)?,
            encoder: Block::load_stack(weights, "encoder_blocks", encoder.depth, encoder.block())?,
            encoder_norm: LayerNorm::load(weights, "encoder_norm", encoder.width)?,
            decoder_embed: Linear::load(weights, "decoder_embed", encoder.width, decoder.width)?,
            mask: row(weights, "mask_token", decoder.width)?,
            decoder_positions: Table::load(weights, "decoder_pos_embed_learned", decoder.width)?,
            decoder: Block::load_stack(weights, "decoder_blocks", decoder.depth, decoder.block())?,
            decoder_norm: LayerNorm::load(weights, "decoder_norm", decoder.width)?,
            last_embed: Linear::load(weights, "last_embed", decoder.width, cross.width)?,
            last_positions: Table::load(weights, "last_pos_embed_learned", cross.width)?,
            cross: blocks,
            cross_norm: LayerNorm::load(weights, "cross_norm", cross.width)?,
            head: DiffusionHead::load(weights, HEAD, config.head())?,
            compute: weights.compute().clone(),
            config: config.clone(),
        })
    }

    /// Changes the grid. The model is unchanged on an error.
    ///
    /// # Errors
    /// Those of [`LightGenConfig::with_grid`], or a failure of the device.
    pub fn set_grid(&mut self, grid: Grid) -> Result<(), BackendError> {
        let config = self.config.clone().with_grid(grid)?;
        let tables = [&mut self.encoder_positions, &mut self.decoder_positions, &mut self.last_positions];
        let moved =
            tables.iter().map(|table| Table::interpolate(&table.learned, grid)).collect::<Result<Vec<_>, _>>()?;
        for (table, on_grid) in tables.into_iter().zip(moved) {
            table.on_grid = on_grid;
        }
        self.config = config;
        Ok(())
    }

    /// Configuration of the model.
    pub fn config(&self) -> &LightGenConfig {
        &self.config
    }

    /// Device of the model.
    pub fn device(&self) -> &Device {
        self.compute.device()
    }

    /// Device, precision and path of the model.
    pub(super) fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Diffusion head.
    pub fn head(&self) -> &DiffusionHead {
        &self.head
    }

    /// Returns a table of position embeddings (for example `encoder_pos_embed_learned`) on the grid of the model,
    /// `[tokens, width]`; `None` for an unknown name.
    pub fn positions(&self, table: &str) -> Option<&Tensor> {
        let table = match table {
            "encoder_pos_embed_learned" => &self.encoder_positions,
            "decoder_pos_embed_learned" => &self.decoder_positions,
            "last_pos_embed_learned" => &self.last_positions,
            _ => return None,
        };
        Some(&table.on_grid)
    }

    /// Features of the empty text, for the unconditional half.
    pub fn no_text(&self) -> &TextFeatures {
        &self.no_text
    }

    /// Computes only the projection, the first part of [`LightGenModel::embed_text`].
    ///
    /// # Shapes
    /// `text`: `[text length, caption channels]`; returns: `[text length, width]`.
    ///
    /// # Errors
    /// [`BackendError::Request`] for another shape, or a failure of the device.
    pub fn project_text(&self, text: &Tensor) -> Result<Tensor, BackendError> {
        self.check_text(text)?;
        self.text.project(text).context("projecting a text")
    }

    /// Computes everything that depends only on the text.
    ///
    /// # Shapes
    /// `text`: `[text length, caption channels]`, the last hidden state of the text encoder.
    ///
    /// # Errors
    /// [`BackendError::Request`] for another shape, or a failure of the device.
    pub fn embed_text(&self, text: &Tensor) -> Result<TextFeatures, BackendError> {
        self.check_text(text)?;
        look_at(&self.cross, self.text.forward(text).context("embedding a text")?)
    }

    /// Creates features from a text that is already embedded, as in [`TextFeatures::embedded`].
    ///
    /// # Shapes
    /// `embedded`: `[text length, width]`.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn text_of_embedded(&self, embedded: &Tensor) -> Result<TextFeatures, BackendError> {
        look_at(&self.cross, embedded.to_device(self.device()).context("moving a text to the device")?)
    }

    fn check_text(&self, text: &Tensor) -> Result<(), BackendError> {
        let (found, expected) = (text.dims(), [self.config.text_length, self.config.caption_channels]);
        if found == expected {
            return Ok(());
        }
        Err(BackendError::Request(format!("expected a text of shape {expected:?}, found {found:?}")))
    }

    /// Runs the encoder on the known tokens.
    ///
    /// # Shapes
    /// - `images`: all with the same number `known` of known tokens, and the same number of targets.
    /// - `tokens`: `[images, known, channels]`, the values of the known tokens; `None` if no token is known.
    /// - returns: `[images, known, encoder width]`; `None` if no token is known.
    ///
    /// # Errors
    /// [`BackendError::Request`] for images of different lengths, or a failure of the device.
    pub fn encode(&self, images: &[Positions<'_>], tokens: Option<&Tensor>) -> Result<Option<Tensor>, BackendError> {
        let known = self.known(images)?;
        match tokens {
            Some(tokens) if known > 0 => run_call(&self.compute, || self.encoder_forward(images, tokens, known))
                .map(Some)
                .context("computing the encoder"),
            None if known == 0 => Ok(None),
            _ => {
                Err(BackendError::Request(format!("expected the values of {}", gtr_core::count(known, "known token"))))
            }
        }
    }

    /// Runs the decoder. Returns its output at the targets, which does not depend on the text and is shared by both
    /// halves of guidance.
    ///
    /// # Shapes
    /// `encoded`: output of [`LightGenModel::encode`] for the same images; returns: `[images, targets, decoder width]`.
    ///
    /// # Errors
    /// [`BackendError::Request`] for images of different lengths, or a failure of the device.
    pub fn decode(&self, images: &[Positions<'_>], encoded: Option<&Tensor>) -> Result<Tensor, BackendError> {
        let known = self.known(images)?;
        if encoded.is_some() != (known > 0) {
            let known = gtr_core::count(known, "known token");
            return Err(BackendError::Request(format!("expected the encoder output of {known}")));
        }
        run_call(&self.compute, || self.decoder_forward(images, encoded, known)).context("computing the decoder")
    }

    /// Runs the text decoder, which attends to the text. Returns the conditioning vectors of the targets for the head.
    ///
    /// # Shapes
    /// - `decoded`: output of [`LightGenModel::decode`] for the same images.
    /// - `texts`: one per image.
    /// - returns: `[images, targets, width]`.
    ///
    /// # Errors
    /// [`BackendError::Request`] if the numbers of images and texts differ, or a failure of the device.
    pub fn attend(
        &self,
        images: &[Positions<'_>],
        decoded: &Tensor,
        texts: &[&TextFeatures],
    ) -> Result<Tensor, BackendError> {
        self.known(images)?;
        if texts.len() != images.len() || texts.iter().any(|text| text.keys_values.len() != self.cross.len()) {
            return Err(BackendError::Request("every image needs a text, embedded by the same model".into()));
        }
        run_call(&self.compute, || self.cross_forward(images, decoded, texts)).context("computing the text decoder")
    }

    /// Checks the images and returns their common number of known tokens.
    fn known(&self, images: &[Positions<'_>]) -> Result<usize, BackendError> {
        let Some(first) = images.first() else {
            return Err(BackendError::Request("expected at least one image".into()));
        };
        for image in images {
            if (image.known.len(), image.targets.len()) != (first.known.len(), first.targets.len()) {
                return Err(BackendError::Request(
                    "the images of a batch must have the same numbers of known tokens and targets".into(),
                ));
            }
            let mut positions = image.known.iter().chain(image.targets);
            positions.try_for_each(|&position| self.config.latent().check(position))?;
        }
        Ok(first.known.len())
    }

    fn encoder_forward(&self, images: &[Positions<'_>], tokens: &Tensor, known: usize) -> candle_core::Result<Tensor> {
        let count = images.len();
        let tokens = tokens.reshape((count * known, self.config.token_channels()))?;
        let places =
            index(images.iter().flat_map(|image| image.known.iter().map(|&token| token as usize)), self.device())?;
        let positions = self.encoder_positions.on_grid.index_select(&places, 0)?;
        let mut x = self.token_norm.forward(&(self.token_embed.forward(&tokens)? + positions)?)?;
        for block in &self.encoder {
            x = block.forward(&x, count, None)?;
        }
        self.encoder_norm.forward(&x)?.reshape((count, known, self.config.encoder.width))
    }

    fn decoder_forward(
        &self,
        images: &[Positions<'_>],
        encoded: Option<&Tensor>,
        known: usize,
    ) -> candle_core::Result<Tensor> {
        let (count, length, width) = (images.len(), self.config.tokens(), self.config.decoder.width);
        // Each position takes its row of the output of the encoder, or the mask token, which is the last row.
        let mut rows = vec![count * known; count * length];
        for (number, image) in images.iter().enumerate() {
            for (row, &position) in image.known.iter().enumerate() {
                rows[number * length + position as usize] = number * known + row;
            }
        }
        let x = match encoded {
            Some(encoded) => {
                let encoded = encoded.reshape((count * known, self.config.encoder.width))?;
                Tensor::cat(&[&self.decoder_embed.forward(&encoded)?, &self.mask], 0)?
            }
            None => self.mask.clone(),
        };
        let x = x.index_select(&index(rows.into_iter(), self.device())?, 0)?.reshape((count, length, width))?;
        let x = x.broadcast_add(&self.decoder_positions.on_grid)?;
        let mut x = x.reshape((count * length, width))?;
        let asked = images
            .iter()
            .enumerate()
            .flat_map(|(number, image)| image.targets.iter().map(move |&position| number * length + position as usize));
        let queries = index(asked, self.device())?;
        for (number, block) in self.decoder.iter().enumerate() {
            // Only the rows of the targets are needed from the last block: rows of the text decoder do not attend to
            // each other.
            let last = number + 1 == self.decoder.len();
            x = block.forward(&x, count, last.then_some(&queries))?;
        }
        self.decoder_norm.forward(&x)?.reshape((count, (), width))
    }

    fn cross_forward(
        &self,
        images: &[Positions<'_>],
        decoded: &Tensor,
        texts: &[&TextFeatures],
    ) -> candle_core::Result<Tensor> {
        let (count, width) = (images.len(), self.config.cross.width);
        let places =
            index(images.iter().flat_map(|image| image.targets.iter().map(|&token| token as usize)), self.device())?;
        let positions = self.last_positions.on_grid.index_select(&places, 0)?;
        let mut x = (self.last_embed.forward(&decoded.flatten_to(1)?)? + positions)?; // (images * targets, width)
        for (number, block) in self.cross.iter().enumerate() {
            let texts: Vec<&KeysValues> = texts.iter().map(|text| &text.keys_values[number]).collect();
            x = block.forward(&x, &KeysValues::join(&texts)?)?;
        }
        self.cross_norm.forward(&x)?.reshape((count, (), width))
    }
}

/// Computes the keys and values of a text `[text length, width]` for each block.
fn look_at(cross: &[CrossBlock], embedded: Tensor) -> Result<TextFeatures, BackendError> {
    let keys_values = cross.iter().map(|block| block.look_at(&embedded)).collect::<candle_core::Result<_>>();
    Ok(TextFeatures { keys_values: keys_values.context("computing keys and values of a text")?, embedded })
}
