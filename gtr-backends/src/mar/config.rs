//! Configuration of MAR models: both layouts of `config.json`, checked.

use gtr_core::cost::ArchSpec;
use gtr_core::{Grid, GuidanceSchedule, Timestep, TimestepLimit};
use serde::Deserialize;

use super::stated_names;
use crate::BackendError;
use crate::bounded_read::parse_object;
use crate::diffusion::HeadSize;
use crate::latent::{PixelFormat, TokenLayout};
use crate::model_size::{Patch, Stack, fixed, guidance, head, within};
use crate::spec::ModelSpec;
use crate::vae::LatentScale;

/// Scale of the KL-16 latents that MAR was trained on.
pub(super) const KL16_SCALE: f64 = 0.2325;

/// A class of a model, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(u32);

impl Class {
    /// Creates a class of the model that `config` describes.
    ///
    /// # Errors
    /// [`BackendError::Class`] if the model does not have this class.
    pub fn new(class: u32, config: &MarConfig) -> Result<Self, BackendError> {
        if (class as usize) < config.classes {
            Ok(Self(class))
        } else {
            Err(BackendError::Class { class, classes: config.classes })
        }
    }

    /// Number of the class.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Conversion of token values to pixels without an autoencoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageDecoder {
    /// Tokens are patches of pixels from -1 (black) to 1 (white).
    Identity,
}

/// Sizes and default settings of a MAR model. [`MarConfig::parse`] creates and checks it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MarConfig {
    /// Name of the model.
    pub name: String,
    /// Token grid.
    pub grid: Grid,
    /// Side of a token's patch, in latent values.
    pub patch: usize,
    /// Number of channels of the latent image.
    pub latent_channels: usize,
    /// Side of a latent value in pixels, for models with an autoencoder.
    pub stride: usize,
    /// Number of classes.
    pub classes: usize,
    /// Class names in order; empty if the configuration has none.
    pub class_names: Vec<String>,
    /// Number of class tokens at the start of a sequence.
    pub buffer: usize,
    /// Width, heads and depth of the encoder.
    pub encoder: Stack,
    /// Width, heads and depth of the decoder.
    pub decoder: Stack,
    /// Number of blocks of the diffusion head.
    pub head_depth: usize,
    /// Width of the diffusion head.
    pub head_width: usize,
    /// Largest timestep at which the head is accurate enough to be used; `None` for all timesteps.
    pub max_timestep: Option<Timestep>,
    /// Recommended guidance scale, if known.
    pub guidance: Option<f64>,
    /// Schedule of the guidance scale over the AR steps.
    pub guidance_schedule: GuidanceSchedule,
    /// Scale of the latent images that the model was trained on.
    pub latent_scale: f64,
    /// Conversion of the latent image to pixels; `None` if an autoencoder is needed.
    pub image_decoder: Option<ImageDecoder>,
}

impl MarConfig {
    /// Reads and checks a `config.json`: either this project's layout (`grid`, ...) or the one of the published code
    /// (`img_size`, `vae_stride`, ...). `model` is its name in messages.
    ///
    /// # Errors
    /// [`BackendError::Config`] for a field that is unknown, missing, or out of range. All fields are bounded, so that
    /// a malicious file cannot allocate much memory.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::mar::MarConfig;
    /// let error = MarConfig::parse("mine", r#"{"grid": [8, 8], "patchsize": 4}"#).unwrap_err();
    /// assert!(error.to_string().contains("patchsize"));
    /// ```
    pub fn parse(model: &str, json: &str) -> Result<Self, BackendError> {
        let wrong = |reason: String| BackendError::Config { model: model.to_owned(), reason };
        let raw: Raw = parse_object(json).map_err(wrong)?;
        raw.check(model).map_err(wrong)
    }

    /// Number of tokens of an image.
    pub fn tokens(&self) -> usize {
        self.grid.tokens()
    }

    /// Number of channels of a token.
    pub fn token_channels(&self) -> usize {
        self.latent_channels * self.patch * self.patch
    }

    pub(super) fn latent(&self) -> TokenLayout {
        TokenLayout { grid: self.grid, channels: self.latent_channels, patch: self.patch }
    }

    /// Conversion of the latent image to pixels.
    pub(super) fn pixel_format(&self) -> PixelFormat {
        let scale = LatentScale { scale: self.latent_scale, shift: 0.0 };
        match self.image_decoder {
            Some(ImageDecoder::Identity) => PixelFormat::Patches { scale },
            None => PixelFormat::Latents { scale: Some(scale), stride: self.stride },
        }
    }

    /// Description of the model without its weights.
    pub(super) fn spec(&self) -> ModelSpec {
        ModelSpec {
            timestep_limit: self.timestep_limit(),
            guidance: self.guidance,
            guidance_schedule: self.guidance_schedule,
            classes: Some(self.classes),
            ..ModelSpec::new(self.arch(), self.grid)
        }
    }

    /// Sizes of the diffusion head.
    pub fn head(&self) -> HeadSize {
        HeadSize {
            channels: self.token_channels(),
            condition: self.decoder.width,
            width: self.head_width,
            depth: self.head_depth,
        }
    }

    /// Sizes that determine the cost of a plan.
    pub fn arch(&self) -> ArchSpec {
        ArchSpec {
            token_channels: self.token_channels(),
            buffer: self.buffer,
            encoder: self.encoder.spec(),
            decoder: self.decoder.spec(),
            text: None,
            head: self.head().spec(),
        }
    }

    /// Timesteps that the head supports.
    pub fn timestep_limit(&self) -> TimestepLimit {
        self.max_timestep.map_or(TimestepLimit::NONE, TimestepLimit::Max)
    }
}

/// Fields of the file, of both layouts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(expecting = "a JSON object")]
struct Raw {
    model: Option<String>,
    grid: Option<[u32; 2]>,
    image: Option<[u32; 2]>,
    img_size: Option<u32>,
    vae_stride: Option<u32>,
    seq_h: Option<u32>,
    seq_w: Option<u32>,
    seq_len: Option<usize>,
    patch_size: usize,
    vae_embed_dim: usize,
    token_embed_dim: Option<usize>,
    encoder_embed_dim: usize,
    encoder_depth: usize,
    encoder_num_heads: usize,
    decoder_embed_dim: usize,
    decoder_depth: usize,
    decoder_num_heads: usize,
    mlp_ratio: f64,
    class_num: usize,
    class_names: Option<Vec<String>>,
    buffer_size: usize,
    diffloss_d: usize,
    diffloss_w: usize,
    layer_norm_eps: Option<f64>,
    learn_sigma: Option<bool>,
    noise_schedule: Option<String>,
    diffusion_steps: Option<u32>,
    max_timestep: Option<u32>,
    cfg: Option<f64>,
    cfg_schedule: Option<GuidanceSchedule>,
    latent_scale: Option<f64>,
    decoder: Option<String>,
    // Ignored: the plan determines the number of diffusion steps.
    #[serde(rename = "num_sampling_steps")]
    _num_sampling_steps: Option<serde_json::Value>,
}

impl Raw {
    fn check(self, model: &str) -> Result<MarConfig, String> {
        fixed("layer_norm_eps", self.layer_norm_eps.as_ref(), &1e-6)?;
        fixed("learn_sigma", self.learn_sigma.as_ref(), &true)?;
        fixed("noise_schedule", self.noise_schedule.as_ref(), &"cosine".to_owned())?;
        fixed("diffusion_steps", self.diffusion_steps.as_ref(), &1000)?;
        let guidance = guidance(self.cfg)?;
        let Patch { side: patch, latent_channels } =
            Patch::checked(self.patch_size, self.vae_embed_dim, self.token_embed_dim)?;
        let grid = self.grid(patch)?;
        fixed("seq_len", self.seq_len.as_ref(), &grid.tokens())?;
        let image_decoder = self.image_decoder(grid, patch)?;
        // The published code has the scale of latents as a constant, not as an argument.
        let published = if self.img_size.is_some() { KL16_SCALE } else { 1.0 };
        let latent_scale = self.latent_scale.unwrap_or(published);
        if !(latent_scale.is_finite() && latent_scale > 0.0) {
            return Err(format!("`latent_scale`: expected a number above 0, found {latent_scale}"));
        }
        let classes = within("class_num", self.class_num, 1 << 20)?;
        if let Some(names) = &self.class_names {
            stated_names::check(names, classes)?;
        }
        let max_timestep = self.max_timestep.map(Timestep::new).transpose();
        let (head_depth, head_width) = head(self.diffloss_d, self.diffloss_w)?;
        let encoder = (self.encoder_embed_dim, self.encoder_num_heads, self.encoder_depth);
        let decoder = (self.decoder_embed_dim, self.decoder_num_heads, self.decoder_depth);
        Ok(MarConfig {
            encoder: Stack::checked("encoder", encoder.0, encoder.1, encoder.2, self.mlp_ratio)?,
            decoder: Stack::checked("decoder", decoder.0, decoder.1, decoder.2, self.mlp_ratio)?,
            classes,
            class_names: self.class_names.unwrap_or_default(),
            buffer: within("buffer_size", self.buffer_size, 4096)?,
            head_depth,
            head_width,
            max_timestep: max_timestep.map_err(|error| format!("`max_timestep`: {error}"))?,
            stride: within("vae_stride", self.vae_stride.map_or(16, |stride| stride as usize), 64)?,
            guidance,
            guidance_schedule: self.cfg_schedule.unwrap_or_default(),
            name: self.model.unwrap_or_else(|| model.to_owned()),
            grid,
            patch,
            latent_channels,
            latent_scale,
            image_decoder,
        })
    }

    fn grid(&self, patch: usize) -> Result<Grid, String> {
        let from_image = || {
            let side = self.img_size? as usize / self.vae_stride.filter(|&stride| stride > 0)? as usize / patch;
            u32::try_from(side).ok().map(|side| [side, side])
        };
        let from_sequence = || Some([self.seq_h?, self.seq_w?]);
        let [height, width] = self
            .grid
            .or_else(from_sequence)
            .or_else(from_image)
            .ok_or("the token grid is missing: give `grid`, or `img_size` and `vae_stride`")?;
        let grid = Grid::new(height, width).map_err(|error| error.to_string())?;
        within("tokens of the grid", grid.tokens(), 1 << 16)?;
        Ok(grid)
    }

    fn image_decoder(&self, grid: Grid, patch: usize) -> Result<Option<ImageDecoder>, String> {
        let Some(text) = &self.decoder else { return Ok(None) };
        if !text.starts_with("identity") {
            return Err(format!("`decoder`: expected `identity` or no field, found `{text}`"));
        }
        if !matches!(self.vae_embed_dim, 1 | 3) {
            return Err(format!("`decoder` identity needs `vae_embed_dim` 1 or 3, not {}", self.vae_embed_dim));
        }
        let sides = [grid.height() as usize * patch, grid.width() as usize * patch];
        if let Some(image) = self.image
            && image.map(|side| side as usize) != sides
        {
            return Err(format!("`image`: expected {sides:?} from grid and patches, found {image:?}"));
        }
        Ok(Some(ImageDecoder::Identity))
    }
}
