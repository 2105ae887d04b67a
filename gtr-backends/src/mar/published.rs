//! Published models, and sizes read from a checkpoint.

use gtr_core::{Grid, GuidanceSchedule};

use super::config::{KL16_SCALE, MarConfig};
use crate::BackendError;
use crate::checkpoint::Checkpoint;
use crate::model_size::{Found, Stack};

/// Names of the published models.
pub(super) const NAMES: [&str; 3] = ["mar-b", "mar-l", "mar-h"];

impl MarConfig {
    /// Returns a published configuration: `mar-b`, `mar-l` or `mar-h`.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::mar::{MarConfig, MarModel};
    /// let config = MarConfig::named("mar-h").unwrap();
    /// assert_eq!((config.encoder.width, config.encoder.depth, config.head_depth), (1280, 20, 12));
    /// assert_eq!(MarModel::layout(&config)?.parameters(), 942_403_104);
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    ///
    /// # Source
    /// LTH14/mar: `mar_base`, `mar_large` and `mar_huge`, with the heads and guidance scales of its evaluation.
    pub fn named(name: &str) -> Option<Self> {
        let (width, depth, heads, head_width, head_depth, guidance) = match name {
            "mar-b" => (768, 12, 12, 1024, 6, 2.9),
            "mar-l" => (1024, 16, 16, 1280, 8, 3.0),
            "mar-h" => (1280, 20, 16, 1536, 12, 3.2),
            _ => return None,
        };
        let stack = Stack { width, heads, depth, hidden: 4 * width };
        Some(Self {
            name: name.to_owned(),
            grid: Grid::new(16, 16).ok()?,
            patch: 1,
            latent_channels: 16,
            stride: 16,
            classes: 1000,
            class_names: Vec::new(),
            buffer: 64,
            encoder: stack,
            decoder: stack,
            head_depth,
            head_width,
            max_timestep: None,
            guidance: Some(guidance),
            guidance_schedule: GuidanceSchedule::Linear,
            latent_scale: KL16_SCALE,
            image_decoder: None,
        })
    }

    /// Adapts a published configuration to a checkpoint. Classes, buffer, grid, patch and head may differ from the
    /// published ones; the transformers may not.
    ///
    /// # Errors
    /// [`BackendError::OtherSize`] if the transformers differ, [`BackendError::Config`] for a grid that is not square.
    pub(crate) fn fitted(mut self, checkpoint: &Checkpoint) -> Result<Self, BackendError> {
        let stacks = [("encoder", self.encoder), ("decoder", self.decoder)];
        let sizes = NAMES.map(|name| (name, Self::named(name).map_or(self.encoder, |config| config.encoder)));
        let model = self.name.clone();
        let found = Found { checkpoint, model: &model };
        found.compare(&stacks, &sizes)?;
        if let Some(classes) = checkpoint.dimension("class_emb.weight", 0) {
            self.classes = classes;
        }
        let positions = checkpoint.dimension("diffusion_pos_embed_learned", 1);
        if let (Some(tokens), Some(length)) = (positions, checkpoint.dimension("encoder_pos_embed_learned", 1)) {
            self.grid = found.square(tokens)?;
            self.buffer = length.saturating_sub(tokens);
        }
        found.head(&mut self.head_width, &mut self.head_depth);
        found.patch(self.latent_channels, &mut self.patch);
        Ok(self)
    }
}
