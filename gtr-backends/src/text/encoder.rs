//! The text encoder: a tokenizer and T5.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use tokenizers::{Tokenizer, TruncationParams};

use super::{T5Config, T5Encoder};
use crate::bounded_read::{read_bounded, read_text};
use crate::checkpoint::{Checkpoint, Section};
use crate::{BackendError, Compute};

/// Largest tokenizer file in bytes. Those of published models have a few megabytes.
const LARGEST_TOKENIZER: u64 = 128 << 20;
/// Largest prompt in bytes.
const LONGEST_PROMPT: usize = 1 << 20;

/// A text encoder: a T5 encoder with its tokenizer.
#[derive(Debug)]
pub struct TextEncoder {
    tokenizer: Tokenizer,
    /// The same tokenizer, with truncation before the end token is added. Not every tokenizer reports truncation.
    cutting: Tokenizer,
    model: T5Encoder,
    section: Section,
    length: usize,
}

/// An encoded prompt.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// Last hidden state of the text encoder, including padding: `[length, width]`.
    pub vectors: Tensor,
    /// Number of encoded tokens, including the end token.
    pub tokens: usize,
    /// True if the prompt was too long and was truncated.
    pub cut: bool,
}

impl TextEncoder {
    /// Opens the text encoder in `folder`, which has the layout of Hugging Face: `config.json`, `tokenizer.json`, and
    /// `model.safetensors` or `pytorch_model.bin`, or an index of several such files (`model.safetensors.index.json`),
    /// of which at least those of the encoder exist. Prompts are padded or truncated to `length` tokens. With `random`,
    /// a folder without weights gets random weights of this seed. Its matrices have bf16 in a run with f16, because
    /// activations of large T5 encoders exceed the range of f16.
    ///
    /// # Errors
    /// [`BackendError::Read`] for a missing file; [`BackendError::Config`] for an invalid file;
    /// otherwise an error of the weights.
    pub fn open(
        folder: &Path,
        length: usize,
        random: Option<u64>,
        compute: impl Into<Compute>,
    ) -> Result<Self, BackendError> {
        // Activations of T5-XXL exceed the range of f16.
        let compute = compute.into().without_f16();
        let path = folder.join("config.json");
        let config = T5Config::parse(&path.display().to_string(), &read_text(&path)?)?;
        let path = folder.join("tokenizer.json");
        if !path.exists() {
            only_slow(folder, &path)?;
        }
        let (tokenizer, cutting) = tokenizers(&read_bounded(&path, LARGEST_TOKENIZER)?, length)
            .map_err(|reason| BackendError::Config { model: path.display().to_string(), reason })?;
        let checkpoint = match random {
            Some(seed) if weights_of(folder).is_none() => {
                Checkpoint::random("text encoder", &T5Encoder::layout(&config)?, seed)
            }
            _ => Checkpoint::open(&weights_of(folder).unwrap_or_else(|| folder.join(WEIGHTS[0])))?,
        };
        let section = checkpoint.section().clone();
        Ok(Self { tokenizer, cutting, model: T5Encoder::load(&config, checkpoint, compute)?, section, length })
    }

    /// Length of an encoded prompt in tokens.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Width of the vectors.
    pub fn width(&self) -> usize {
        self.model.config().width
    }

    /// Section of the checkpoint that the weights are from.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// The T5 encoder.
    pub fn model(&self) -> &T5Encoder {
        &self.model
    }

    /// Encodes a prompt, padded or truncated to the length. The rows of padding are computed, but no row attends to
    /// them.
    ///
    /// # Errors
    /// [`BackendError::Prompt`] for a text that the tokenizer refuses, or a failure of the device.
    ///
    /// # Source
    /// XianfengWu01/LightGen passes the padding mask to T5, like diffusers, but not to the image model.
    pub fn encode(&self, prompt: &str) -> Result<Prompt, BackendError> {
        if prompt.len() > LONGEST_PROMPT {
            return Err(BackendError::Prompt(format!(
                "a prompt of {} bytes is too long: expected at most {LONGEST_PROMPT} bytes",
                prompt.len()
            )));
        }
        let tokens = |tokenizer: &Tokenizer| match tokenizer.encode_fast(prompt, true) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(error) => Err(BackendError::Prompt(format!("the prompt has no tokens: {error}"))),
        };
        let mut all = tokens(&self.tokenizer)?;
        let cut = all.len() > self.length;
        if cut {
            all = tokens(&self.cutting)?;
            all.truncate(self.length);
        }
        let mut tokens = all;
        let known = tokens.len();
        tokens.resize(self.length, self.model.config().padding);
        Ok(Prompt { vectors: self.model.encode(&tokens, known)?, tokens: known, cut })
    }
}

/// Reads a tokenizer. Returns it without truncation and with truncation to `length`, both without padding, whatever the
/// file states.
fn tokenizers(bytes: &[u8], length: usize) -> Result<(Tokenizer, Tokenizer), String> {
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| format!("it is not a tokenizer: {error}"))?;
    let wrong = |error| format!("texts cannot be truncated to {}: {error}", gtr_core::count(length, "token"));
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(wrong)?;
    let mut cutting = tokenizer.clone();
    let cut = TruncationParams { max_length: length, ..TruncationParams::default() };
    cutting.with_truncation(Some(cut)).map_err(wrong)?;
    Ok((tokenizer, cutting))
}

/// Files with the weights or their index. The first that exists is used.
const WEIGHTS: [&str; 4] =
    ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

fn weights_of(folder: &Path) -> Option<PathBuf> {
    WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.exists())
}

/// Returns an error with instructions if the folder has only the tokenizer of `SentencePiece`.
fn only_slow(folder: &Path, tokenizer: &Path) -> Result<(), BackendError> {
    if !folder.join("spiece.model").exists() {
        return Ok(());
    }
    let shown = folder.display();
    let reason = format!(
        "expected tokenizer.json, found only spiece.model; convert it with `python -c \"from transformers import AutoTokenizer; \
         AutoTokenizer.from_pretrained('{shown}', use_fast=True).save_pretrained('{shown}')\"`"
    );
    Err(BackendError::Config { model: tokenizer.display().to_string(), reason })
}
