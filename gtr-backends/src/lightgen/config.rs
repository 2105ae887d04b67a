//! Configuration of LightGen models, checked.

use gtr_core::cost::{ArchSpec, TextSpec};
use gtr_core::{Grid, GuidanceSchedule};
use serde::Deserialize;

use crate::BackendError;
use crate::bounded_read::parse_object;
use crate::checkpoint::Checkpoint;
use crate::diffusion::HeadSize;
use crate::latent::{PixelFormat, TokenLayout};
use crate::model_size::{Found, Patch, Stack, fixed, guidance, head, within};
use crate::spec::ModelSpec;

/// Names of the published models.
pub(super) const NAMES: [&str; 3] = ["lightgen-base", "lightgen-large", "lightgen-huge"];

/// Side of the learned square table of positions.
pub(super) const TABLE: usize = 16;
/// Largest number of tokens of a grid: a square image of 4096 pixels on each side.
const MOST_TOKENS: usize = 1 << 16;

/// Sizes and default settings of a LightGen model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LightGenConfig {
    /// Name of the model.
    pub name: String,
    /// Token grid. Any grid is possible; the models are trained on at most 32x32.
    pub grid: Grid,
    /// Side of a token's patch, in latent values.
    pub patch: usize,
    /// Number of channels of the latent image.
    pub latent_channels: usize,
    /// Side of a latent value in pixels.
    pub stride: usize,
    /// Width of the text encoder.
    pub caption_channels: usize,
    /// Length of a text in tokens of the text encoder. Shorter texts are padded, longer texts are truncated.
    pub text_length: usize,
    /// Width, heads and depth of the text aligner.
    pub text: Stack,
    /// Width, heads and depth of the encoder.
    pub encoder: Stack,
    /// Width, heads and depth of the decoder.
    pub decoder: Stack,
    /// Width, heads and depth of the text decoder, which attends to the text.
    pub cross: Stack,
    /// Number of blocks of the diffusion head.
    pub head_depth: usize,
    /// Width of the diffusion head.
    pub head_width: usize,
    /// Recommended guidance scale, if known.
    pub guidance: Option<f64>,
    /// Schedule of the guidance scale over the AR steps.
    pub guidance_schedule: GuidanceSchedule,
}

impl LightGenConfig {
    /// Returns a published configuration: `lightgen-base`, `lightgen-large` or `lightgen-huge`.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::lightgen::LightGenConfig;
    /// let config = LightGenConfig::named("lightgen-large").unwrap();
    /// assert_eq!((config.encoder.width, config.pixels()), (1024, (512, 512)));
    /// assert!(LightGenConfig::named("lightgen").is_none());
    /// ```
    ///
    /// # Source
    /// XianfengWu01/LightGen: the sizes of `fluid_base`, `fluid_large` and `fluid_huge`, and the head of the published
    /// pipeline.
    pub fn named(name: &str) -> Option<Self> {
        let (width, depth, heads) = match name {
            "lightgen-base" => (768, 12, 12),
            "lightgen-large" => (1024, 16, 16),
            "lightgen-huge" => (1280, 20, 16),
            _ => return None,
        };
        let stack = Stack { width, heads, depth, hidden: 4 * width };
        Some(Self {
            name: name.to_owned(),
            grid: Grid::new(32, 32).ok()?,
            patch: 2,
            latent_channels: 16,
            stride: 8,
            caption_channels: 4096,
            text_length: 128,
            text: Stack { depth: 6, ..stack },
            encoder: stack,
            decoder: stack,
            cross: stack,
            head_depth: 8,
            head_width: 1536,
            guidance: Some(4.0),
            guidance_schedule: GuidanceSchedule::Constant,
        })
    }

    /// Adapts a published configuration to a checkpoint. Text, patch and head may differ from the published ones; the
    /// transformers may not.
    ///
    /// # Errors
    /// [`BackendError::OtherSize`] if the transformers differ.
    pub(crate) fn fitted(mut self, checkpoint: &Checkpoint) -> Result<Self, BackendError> {
        let sizes = NAMES.map(|name| (name, Self::named(name).map_or(self.encoder, |config| config.encoder)));
        let model = self.name.clone();
        let found = Found { checkpoint, model: &model };
        found.compare(&[("encoder", self.encoder), ("decoder", self.decoder)], &sizes)?;
        if let Some(channels) = checkpoint.dimension("text_emb.text_proj.linear_1.weight", 1) {
            self.caption_channels = channels;
            self.text.depth = checkpoint.blocks("text_emb.text_aligner");
        }
        found.head(&mut self.head_width, &mut self.head_depth);
        found.patch(self.latent_channels, &mut self.patch);
        Ok(self)
    }

    /// Reads and checks a `config.json` with the arguments of the published code. `model` is its name in messages.
    ///
    /// # Errors
    /// [`BackendError::Config`] for a field that is unknown, missing, or out of range.
    pub fn parse(model: &str, json: &str) -> Result<Self, BackendError> {
        let wrong = |reason: String| BackendError::Config { model: model.to_owned(), reason };
        let raw: Raw = parse_object(json).map_err(wrong)?;
        raw.check(model).map_err(wrong)
    }

    /// Sets the grid.
    ///
    /// # Errors
    /// [`BackendError::GridTooLarge`] for a grid of more than 65536 tokens.
    pub fn with_grid(self, grid: Grid) -> Result<Self, BackendError> {
        if grid.tokens() > MOST_TOKENS {
            return Err(BackendError::GridTooLarge { grid, most: MOST_TOKENS });
        }
        Ok(Self { grid, ..self })
    }

    /// Sets the size of images in pixels.
    ///
    /// # Errors
    /// [`BackendError::PartTokens`] unless both sides are multiples of the side of a token in pixels (16 in published
    /// models).
    pub fn with_pixels(self, height: u32, width: u32) -> Result<Self, BackendError> {
        let side = u32::try_from(self.patch * self.stride).unwrap_or(u32::MAX);
        if !height.is_multiple_of(side) || !width.is_multiple_of(side) {
            return Err(BackendError::PartTokens { height, width, side });
        }
        let grid = Grid::new(height / side, width / side)?;
        self.with_grid(grid)
    }

    /// Height and width of an image in pixels.
    pub fn pixels(&self) -> (usize, usize) {
        let side = self.patch * self.stride;
        (self.grid.height() as usize * side, self.grid.width() as usize * side)
    }

    /// Number of tokens of an image.
    pub fn tokens(&self) -> usize {
        self.grid.tokens()
    }

    /// Number of channels of a token.
    pub fn token_channels(&self) -> usize {
        self.latent().width()
    }

    pub(super) fn latent(&self) -> TokenLayout {
        TokenLayout { grid: self.grid, channels: self.latent_channels, patch: self.patch }
    }

    /// Conversion of the latent image to pixels. The autoencoder states the scale.
    pub(super) fn pixel_format(&self) -> PixelFormat {
        PixelFormat::Latents { scale: None, stride: self.stride }
    }

    /// Description of the model without its weights.
    pub(super) fn spec(&self) -> ModelSpec {
        ModelSpec {
            guidance: self.guidance,
            guidance_schedule: self.guidance_schedule,
            ..ModelSpec::new(self.arch(), self.grid)
        }
    }

    /// Sizes that determine the cost of a plan.
    pub fn arch(&self) -> ArchSpec {
        ArchSpec {
            token_channels: self.token_channels(),
            buffer: 0,
            encoder: self.encoder.spec(),
            decoder: self.decoder.spec(),
            text: Some(TextSpec {
                length: self.text_length,
                channels: self.caption_channels,
                aligner: self.text.spec(),
                decoder: self.cross.spec(),
            }),
            head: self.head().spec(),
        }
    }

    /// The sizes of the diffusion head.
    pub fn head(&self) -> HeadSize {
        HeadSize {
            channels: self.token_channels(),
            condition: self.cross.width,
            width: self.head_width,
            depth: self.head_depth,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(expecting = "a JSON object")]
struct Raw {
    model: Option<String>,
    img_size: u32,
    vae_stride: usize,
    patch_size: usize,
    text_depth: usize,
    encoder_embed_dim: usize,
    encoder_depth: usize,
    encoder_num_heads: usize,
    decoder_embed_dim: usize,
    decoder_depth: usize,
    decoder_num_heads: usize,
    cross_embed_dim: usize,
    cross_depth: usize,
    cross_num_heads: usize,
    mlp_ratio: f64,
    caption_channels: usize,
    max_length: usize,
    vae_embed_dim: usize,
    diffloss_d: usize,
    diffloss_w: usize,
    token_embed_dim: Option<usize>,
    pos_embed_grid: Option<usize>,
    pos_embed_tokens: Option<usize>,
    interpolate_offset: Option<f64>,
    layer_norm_eps: Option<f64>,
    cfg: Option<f64>,
    // Ignored: the plan determines the number of diffusion steps.
    #[serde(rename = "num_sampling_steps")]
    _num_sampling_steps: Option<serde_json::Value>,
}

impl Raw {
    fn check(self, model: &str) -> Result<LightGenConfig, String> {
        fixed("layer_norm_eps", self.layer_norm_eps.as_ref(), &1e-6)?;
        fixed("interpolate_offset", self.interpolate_offset.as_ref(), &super::positions::OFFSET)?;
        fixed("pos_embed_grid", self.pos_embed_grid.as_ref(), &TABLE)?;
        fixed("pos_embed_tokens", self.pos_embed_tokens.as_ref(), &(TABLE * TABLE))?;
        let Patch { side: patch, latent_channels } =
            Patch::checked(self.patch_size, self.vae_embed_dim, self.token_embed_dim)?;
        let stride = within("vae_stride", self.vae_stride, 64)?;
        let guidance = guidance(self.cfg)?;
        let side = self.img_size / u32::try_from(patch * stride).unwrap_or(u32::MAX);
        let grid = Grid::new(side, side).map_err(|error| format!("`img_size` {}: {error}", self.img_size))?;
        within("tokens of the grid", grid.tokens(), MOST_TOKENS)?;
        let ratio = self.mlp_ratio;
        let (width, heads) = (self.encoder_embed_dim, self.encoder_num_heads);
        let (head_depth, head_width) = head(self.diffloss_d, self.diffloss_w)?;
        let encoder = Stack::checked("encoder", width, heads, self.encoder_depth, ratio)?;
        let (width, heads) = (self.decoder_embed_dim, self.decoder_num_heads);
        let decoder = Stack::checked("decoder", width, heads, self.decoder_depth, ratio)?;
        let (width, heads) = (self.cross_embed_dim, self.cross_num_heads);
        let cross = Stack::checked("cross", width, heads, self.cross_depth, ratio)?;
        for (name, width) in [("encoder_embed_dim", encoder.width), ("decoder_embed_dim", decoder.width)] {
            // Text aligner and encoder have the same width, and the head takes vectors of the width of the text
            // decoder.
            fixed(name, Some(&width), &cross.width)?;
        }
        Ok(LightGenConfig {
            text: Stack { depth: within("text_depth", self.text_depth, 128)?, ..encoder },
            caption_channels: within("caption_channels", self.caption_channels, 1 << 16)?,
            text_length: within("max_length", self.max_length, 4096)?,
            head_depth,
            head_width,
            guidance,
            guidance_schedule: GuidanceSchedule::Constant,
            name: self.model.unwrap_or_else(|| model.to_owned()),
            grid,
            patch,
            stride,
            latent_channels,
            encoder,
            decoder,
            cross,
        })
    }
}
