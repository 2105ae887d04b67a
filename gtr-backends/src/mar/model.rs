//! The network of MAR: encoder, decoder and diffusion head.

use candle_core::{D, Device, Tensor};

use super::config::MarConfig;
use crate::checkpoint::{Checkpoint, Kind, WeightLayout, Weights};
use crate::compute::run_call;
use crate::diffusion::DiffusionHead;
use crate::error::Context;
use crate::layers::{Block, LayerNorm, Linear, concatenate, index};
use crate::{BackendError, Compute};

/// A loaded MAR model.
#[derive(Debug)]
pub struct MarModel {
    config: MarConfig,
    compute: Compute,
    classes: Tensor,
    no_class: Tensor,
    token_embed: Linear,
    token_norm: LayerNorm,
    encoder_positions: Tensor,
    encoder: Vec<Block>,
    encoder_norm: LayerNorm,
    decoder_embed: Linear,
    mask: Tensor,
    decoder_positions: Tensor,
    decoder: Vec<Block>,
    decoder_norm: LayerNorm,
    head_positions: Tensor,
    head: DiffusionHead,
}

/// Class, known tokens and targets of an image.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// Class; `None` for the unconditional half.
    pub class: Option<u32>,
    /// Positions of the known tokens, in ascending order.
    pub known: &'a [u32],
    /// Positions of the targets, whose conditioning vectors are computed, in any order.
    pub targets: &'a [u32],
}

const HEAD: &str = "diffloss.net";

impl MarModel {
    /// Returns the tensors of a model of these sizes.
    ///
    /// # Errors
    /// A failure of the tensor library.
    pub fn layout(config: &MarConfig) -> Result<WeightLayout, BackendError> {
        WeightLayout::of(|weights| Self::build(config, weights))
    }

    /// Loads a model. The checkpoint must have exactly its tensors.
    ///
    /// # Errors
    /// [`BackendError::OtherKind`] for a checkpoint of another kind; those of [`Weights::load`] and [`Weights::take`];
    /// or a failure of the device.
    pub fn load(config: &MarConfig, checkpoint: Checkpoint, compute: impl Into<Compute>) -> Result<Self, BackendError> {
        Kind::MAR.expect(&checkpoint)?;
        Weights::load(checkpoint, compute, |weights| Self::build(config, weights))
    }

    fn build(config: &MarConfig, weights: &mut Weights) -> Result<Self, BackendError> {
        let (encoder, decoder) = (config.encoder, config.decoder);
        let (tokens, length) = (config.tokens(), config.tokens() + config.buffer);
        // (1, length, width) to (length, width)
        let table = |weights: &mut Weights, name: &str, length: usize, width: usize| {
            weights.take(name, &[1, length, width])?.flatten_to(D::Minus2).context("loading positions")
        };
        Ok(Self {
            classes: weights.take("class_emb.weight", &[config.classes, encoder.width])?,
            no_class: weights.take("fake_latent", &[1, encoder.width])?,
            token_embed: Linear::load(weights, "z_proj", config.token_channels(), encoder.width)?,
            token_norm: LayerNorm::load(weights, "z_proj_ln", encoder.width)?,
            encoder_positions: table(weights, "encoder_pos_embed_learned", length, encoder.width)?,
            encoder: Block::load_stack(weights, "encoder_blocks", encoder.depth, encoder.block())?,
            encoder_norm: LayerNorm::load(weights, "encoder_norm", encoder.width)?,
            decoder_embed: Linear::load(weights, "decoder_embed", encoder.width, decoder.width)?,
            mask: table(weights, "mask_token", 1, decoder.width)?,
            decoder_positions: table(weights, "decoder_pos_embed_learned", length, decoder.width)?,
            decoder: Block::load_stack(weights, "decoder_blocks", decoder.depth, decoder.block())?,
            decoder_norm: LayerNorm::load(weights, "decoder_norm", decoder.width)?,
            head_positions: table(weights, "diffusion_pos_embed_learned", tokens, decoder.width)?,
            head: DiffusionHead::load(weights, HEAD, config.head())?,
            compute: weights.compute().clone(),
            config: config.clone(),
        })
    }

    /// Configuration of the model.
    pub fn config(&self) -> &MarConfig {
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

    /// Runs the encoder on the buffer and the known tokens.
    ///
    /// # Shapes
    /// - `sequences`: all with the same number `known` of known tokens, and the same number of targets.
    /// - `tokens`: `[sequences, known, channels]`, the values of the known tokens; `None` if no token is known.
    /// - returns: `[sequences, buffer + known, encoder width]`.
    ///
    /// # Errors
    /// [`BackendError::Request`] for sequences of different lengths, or a failure of the device.
    pub fn encode(&self, sequences: &[Sequence<'_>], tokens: Option<&Tensor>) -> Result<Tensor, BackendError> {
        let known = self.known(sequences)?;
        run_call(&self.compute, || self.encoder_forward(sequences, tokens, known)).context("computing the encoder")
    }

    /// Runs the decoder. Returns the conditioning vectors of the targets for the head.
    ///
    /// # Shapes
    /// `encoded`: output of [`MarModel::encode`] for the same sequences; returns: `[sequences, targets, decoder
    /// width]`.
    ///
    /// # Errors
    /// [`BackendError::Request`] for sequences of different lengths, or a failure of the device.
    pub fn decode(&self, sequences: &[Sequence<'_>], encoded: &Tensor) -> Result<Tensor, BackendError> {
        let known = self.known(sequences)?;
        run_call(&self.compute, || self.decoder_forward(sequences, encoded, known)).context("computing the decoder")
    }

    /// Checks the sequences and returns their common number of known tokens.
    pub(super) fn known(&self, sequences: &[Sequence<'_>]) -> Result<usize, BackendError> {
        let Some(first) = sequences.first() else {
            return Err(BackendError::Request("expected at least one sequence".into()));
        };
        let (known, targets) = (first.known.len(), first.targets.len());
        for sequence in sequences {
            if (sequence.known.len(), sequence.targets.len()) != (known, targets) {
                return Err(BackendError::Request("the sequences of a batch must have the same length".into()));
            }
            let mut positions = sequence.known.iter().chain(sequence.targets);
            positions.try_for_each(|&position| self.config.latent().check(position))?;
            if let Some(class) = sequence.class.filter(|class| *class as usize >= self.config.classes) {
                return Err(BackendError::Class { class, classes: self.config.classes });
            }
        }
        Ok(known)
    }

    fn encoder_forward(
        &self,
        sequences: &[Sequence<'_>],
        tokens: Option<&Tensor>,
        known: usize,
    ) -> candle_core::Result<Tensor> {
        let (count, length) = (sequences.len(), self.config.buffer + known);
        let mut x = self.encoder_input(sequences, tokens, known)?;
        for block in &self.encoder {
            x = block.forward(&x, count, None)?;
        }
        self.encoder_norm.forward(&x)?.reshape((count, length, self.config.encoder.width))
    }

    /// Returns the input of the first block of the encoder, `[sequences * (buffer + known), width]`.
    pub(super) fn encoder_input(
        &self,
        sequences: &[Sequence<'_>],
        tokens: Option<&Tensor>,
        known: usize,
    ) -> candle_core::Result<Tensor> {
        let (count, buffer) = (sequences.len(), self.config.buffer);
        let (length, width) = (buffer + known, self.config.encoder.width);
        let classes = sequences.iter().map(|sequence| match sequence.class {
            Some(class) => self.classes.narrow(0, class as usize, 1),
            None => Ok(self.no_class.clone()),
        });
        let classes = concatenate(&classes.collect::<candle_core::Result<Vec<_>>>()?)?; // (count, width)
        let classes = classes.unsqueeze(1)?.expand((count, buffer, width))?;
        let x = match tokens {
            Some(tokens) if known > 0 => {
                let tokens = tokens.reshape((count * known, self.config.token_channels()))?;
                let tokens = self.token_embed.forward(&tokens)?.reshape((count, known, width))?;
                Tensor::cat(&[&classes.contiguous()?, &tokens], 1)?
            }
            _ => classes.contiguous()?,
        };
        let positions = sequences
            .iter()
            .flat_map(|sequence| (0..buffer).chain(sequence.known.iter().map(move |&token| buffer + token as usize)));
        let positions = self.encoder_positions.index_select(&index(positions, self.device())?, 0)?;
        let x = (x.reshape((count * length, width))? + positions)?;
        self.token_norm.forward(&x)
    }

    fn decoder_forward(
        &self,
        sequences: &[Sequence<'_>],
        encoded: &Tensor,
        known: usize,
    ) -> candle_core::Result<Tensor> {
        let (count, buffer, tokens) = (sequences.len(), self.config.buffer, self.config.tokens());
        let (short, length, width) = (buffer + known, buffer + tokens, self.config.decoder.width);
        let x = self.decoder_embed.forward(&encoded.reshape((count * short, self.config.encoder.width))?)?;
        // Each position takes its row of the output of the encoder, or the mask token, which is the last row.
        let mut rows = vec![count * short; count * length];
        for (number, sequence) in sequences.iter().enumerate() {
            let (from, to) = (number * short, number * length);
            let taken = (0..buffer).chain(sequence.known.iter().map(|&token| buffer + token as usize));
            for (row, position) in taken.enumerate() {
                rows[to + position] = from + row;
            }
        }
        let x = Tensor::cat(&[&x, &self.mask], 0)?.index_select(&index(rows.into_iter(), self.device())?, 0)?;
        let x = x.reshape((count, length, width))?.broadcast_add(&self.decoder_positions)?;
        let mut x = x.reshape((count * length, width))?;

        let targets = || {
            sequences
                .iter()
                .enumerate()
                .flat_map(|(n, sequence)| sequence.targets.iter().map(move |&t| (n, t as usize)))
        };
        let queries = index(targets().map(|(number, token)| number * length + buffer + token), self.device())?;
        for (number, block) in self.decoder.iter().enumerate() {
            // Only the rows of the targets are needed from the last block.
            let last = number + 1 == self.decoder.len();
            x = block.forward(&x, count, last.then_some(&queries))?;
        }
        self.vectors_of(&x, targets().map(|(_, token)| token))?.reshape((count, (), width))
    }

    /// Converts rows of the output of the last block of the decoder to conditioning vectors of `tokens`, one per row.
    pub(super) fn vectors_of(&self, x: &Tensor, tokens: impl Iterator<Item = usize>) -> candle_core::Result<Tensor> {
        self.decoder_norm.forward(x)? + self.head_positions.index_select(&index(tokens, self.device())?, 0)?
    }

    /// Returns the input of the decoder at its positions without an output of the encoder: mask tokens, `[buffer +
    /// tokens, width]`.
    pub(super) fn masked_input(&self) -> candle_core::Result<Tensor> {
        self.decoder_positions.broadcast_add(&self.mask)
    }

    /// Returns rows of the input of the decoder: the embedded output of the encoder, `[rows, width]`, at `positions`.
    pub(super) fn decoder_input(
        &self,
        encoded: &Tensor,
        positions: impl Iterator<Item = usize>,
    ) -> candle_core::Result<Tensor> {
        let positions = self.decoder_positions.index_select(&index(positions, self.device())?, 0)?;
        self.decoder_embed.forward(encoded)? + positions
    }

    /// Blocks of the encoder.
    pub(super) fn encoder(&self) -> &[Block] {
        &self.encoder
    }

    /// Blocks of the decoder.
    pub(super) fn decoder(&self) -> &[Block] {
        &self.decoder
    }

    /// Normalises the output of the last block of the encoder.
    pub(super) fn encoded(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.encoder_norm.forward(x)
    }
}
