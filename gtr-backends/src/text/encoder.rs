//! A tokenizer and T5, from a folder.

use std::path::{Path, PathBuf};

use candle_core::Tensor;
use tokenizers::{Tokenizer, TruncationParams};

use super::{T5Config, T5Encoder};
use crate::bounded_read::{read_bounded, read_text};
use crate::checkpoint::{Checkpoint, Section};
use crate::{BackendError, Compute};

/// A tokenizer larger than this is refused before it is read; those of published models have a few megabytes.
const LARGEST_TOKENIZER: u64 = 128 << 20;
/// More characters than this are no prompt.
const LONGEST_PROMPT: usize = 1 << 20;

/// A text encoder: a T5 with its tokenizer.
#[derive(Debug)]
pub struct TextEncoder {
    tokenizer: Tokenizer,
    /// The same, cutting at the length before the end mark is added. Not every tokenizer tells whether it has cut.
    cutting: Tokenizer,
    model: T5Encoder,
    section: Section,
    length: usize,
}

/// An encoded prompt.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The last hidden state of the text encoder, that of padding included: `[length, width]`.
    pub vectors: Tensor,
    /// Tokens of the prompt that were encoded, the end mark included.
    pub tokens: usize,
    /// Whether the prompt was too long, so that its end was cut off.
    pub cut: bool,
}

impl TextEncoder {
    /// Opens the text encoder in `folder`, which has the layout of Hugging Face: `config.json`, `tokenizer.json`, and
    /// `model.safetensors` or `pytorch_model.bin`, or an index of several such files (`model.safetensors.index.json`) of which
    /// those of the encoder are there. Prompts are made `length` tokens long. With `random`, a folder without weights gets
    /// some from that seed.
    ///
    /// # Errors
    /// [`BackendError::Read`] for a file that is missing, [`BackendError::Config`] for one that is not what it should be, or
    /// what is wrong with the weights.
    pub fn open(
        folder: &Path,
        length: usize,
        random: Option<u64>,
        compute: impl Into<Compute>,
    ) -> Result<Self, BackendError> {
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

    /// Where the weights come from.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// The encoder behind the tokenizer.
    pub fn model(&self) -> &T5Encoder {
        &self.model
    }

    /// Encodes a prompt: cut to the length, or padded to it. The rows of padding are computed, but no row looks at them.
    ///
    /// # Errors
    /// [`BackendError::Prompt`] for a text that the tokenizer refuses, or a failure of the device.
    ///
    /// # Source
    /// XianfengWu01/LightGen gives T5 the mask of the padding, as diffusers does, and the image model none.
    pub fn encode(&self, prompt: &str) -> Result<Prompt, BackendError> {
        if prompt.len() > LONGEST_PROMPT {
            return Err(BackendError::Prompt(format!("a prompt of {} bytes is too long", prompt.len())));
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

/// The tokenizer of a file, never cutting and always cutting at `length`, whatever the file says; padding is ours.
fn tokenizers(bytes: &[u8], length: usize) -> Result<(Tokenizer, Tokenizer), String> {
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| format!("it is no tokenizer: {error}"))?;
    let wrong = |error| format!("texts cannot be cut to {length} tokens: {error}");
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(wrong)?;
    let mut cutting = tokenizer.clone();
    let cut = TruncationParams { max_length: length, ..TruncationParams::default() };
    cutting.with_truncation(Some(cut)).map_err(wrong)?;
    Ok((tokenizer, cutting))
}

/// The files that hold the weights, or name those that do; the first that is there counts.
const WEIGHTS: [&str; 4] =
    ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

fn weights_of(folder: &Path) -> Option<PathBuf> {
    WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.exists())
}

/// Says how to make the tokenizer of a folder that has only that of `SentencePiece`.
fn only_slow(folder: &Path, tokenizer: &Path) -> Result<(), BackendError> {
    if !folder.join("spiece.model").exists() {
        return Ok(());
    }
    let shown = folder.display();
    let reason = format!(
        "it is not there, only the older form spiece.model is; make it with `python -c \"from transformers import AutoTokenizer; \
         AutoTokenizer.from_pretrained('{shown}', use_fast=True).save_pretrained('{shown}')\"`"
    );
    Err(BackendError::Config { model: tokenizer.display().to_string(), reason })
}
