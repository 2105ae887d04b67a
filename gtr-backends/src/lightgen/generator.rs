//! Implementation of the generator for LightGen.

use candle_core::{Device, Tensor};
use gtr_core::{Grid, StepContext, Targets};
use rayon::prelude::*;

use super::TextFeatures;
use super::config::LightGenConfig;
use super::model::{LightGenModel, Positions};
use crate::checkpoint::{Checkpoint, WeightLayout};
use crate::diffusion::{Conditions, DiffusionHead};
use crate::error::Context;
use crate::latent::{Backbone, Canvas, Known, LatentGenerator, PixelFormat, TokenLayout};
use crate::layers::concatenate;
use crate::prompt::PromptInput;
use crate::spec::ModelSpec;
use crate::{BackendError, ComputePath};

/// A LightGen model as a generator of images.
pub type LightGenGenerator = LatentGenerator<LightGenModel>;

impl LatentGenerator<LightGenModel> {
    /// Configuration of the model.
    pub fn config(&self) -> &LightGenConfig {
        self.model().config()
    }

    /// Creates a prompt from the last hidden state of the text encoder. It is computed once and used at every step.
    ///
    /// # Shapes
    /// `text`: `[text length, caption channels]`.
    ///
    /// # Errors
    /// Those of [`LightGenModel::embed_text`].
    pub fn prompt(&self, text: &Tensor) -> Result<TextFeatures, BackendError> {
        self.model().text(text)
    }

    /// Creates a prompt of random vectors, seeded by the text, to test or time a model without a text encoder.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn random_prompt(&self, text: &str) -> Result<TextFeatures, BackendError> {
        self.model().random_text(text)
    }
}

impl Backbone for LightGenModel {
    type Prompt = TextFeatures;

    fn name(&self) -> &str {
        &self.config().name
    }

    fn spec(&self) -> ModelSpec {
        self.config().spec()
    }

    fn tokens(&self) -> TokenLayout {
        self.config().latent()
    }

    fn pixel_format(&self) -> PixelFormat {
        self.config().pixel_format()
    }

    fn device(&self) -> &Device {
        self.device()
    }

    fn head(&self) -> &DiffusionHead {
        self.head()
    }

    fn conditions(
        &self,
        canvas: &mut Canvas<TextFeatures>,
        targets: &Targets,
        step: &StepContext,
    ) -> Result<Conditions, BackendError> {
        let guided = canvas.guided() && step.is_guided();
        let wanted = canvas.positions(targets)?;
        let wanted = wanted.chunks_exact(targets.per_image());
        let pictures = canvas.prompts().iter().zip(canvas.known()?).zip(wanted);
        let pictures: Vec<_> =
            pictures.map(|((text, known), targets)| Asked { text: text.as_ref(), known, targets }).collect();
        let groups = match self.compute().path() {
            // Images are computed separately and in parallel.
            ComputePath::Host => {
                let groups = pictures.par_chunks(1).map(|group| self.vectors(group, guided));
                groups.collect::<Result<Vec<_>, _>>()?
            }
            ComputePath::Device => vec![self.vectors(&pictures, guided)?],
        };
        let (conditional, unconditional): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
        let unconditional: Vec<Tensor> = unconditional.into_iter().flatten().collect();
        let join = |parts: &[Tensor]| concatenate(parts).context("joining conditioning vectors");
        let unconditional = guided.then(|| join(&unconditional)).transpose()?;
        Ok(Conditions { conditional: join(&conditional)?, unconditional })
    }

    fn prompt(&self, input: &PromptInput) -> Result<TextFeatures, BackendError> {
        match input {
            PromptInput::Text(vectors) => self.text(vectors),
            PromptInput::RandomText(text) => self.random_text(text),
            PromptInput::EmbeddedText(embedded) => self.text_of_embedded(embedded),
            PromptInput::Class(_) => {
                Err(BackendError::PromptKind { model: self.name().to_owned(), takes: "texts", found: input.kind() })
            }
        }
    }

    fn recorded(&self, text: &TextFeatures) -> PromptInput {
        PromptInput::EmbeddedText(text.embedded().clone())
    }

    fn set_grid(&mut self, grid: Grid) -> Result<(), BackendError> {
        self.set_grid(grid)
    }
}

/// Text, known tokens and targets of one image in a step.
struct Asked<'a> {
    text: Option<&'a TextFeatures>,
    known: Known,
    targets: &'a [u32],
}

impl LightGenModel {
    fn text(&self, text: &Tensor) -> Result<TextFeatures, BackendError> {
        let text = text.to_device(self.device()).context("moving a text to the device")?;
        self.embed_text(&text)
    }

    fn random_text(&self, text: &str) -> Result<TextFeatures, BackendError> {
        let (length, width) = (self.config().text_length, self.config().caption_channels);
        let mut layout = WeightLayout::default();
        layout.add(text, &[length, width]);
        let values = Checkpoint::random("prompt", &layout, 0).read_f32(text)?;
        let vectors = Tensor::from_vec(values, (length, width), self.device());
        self.text(&vectors.context("creating the vectors of a text")?)
    }

    /// Returns conditioning vectors of some images, `[images * targets, width]`: conditional, and unconditional if
    /// guided.
    fn vectors(&self, pictures: &[Asked<'_>], guided: bool) -> Result<(Tensor, Option<Tensor>), BackendError> {
        let values: Vec<Tensor> = pictures.iter().filter_map(|asked| asked.known.0.clone()).collect();
        let values = if values.is_empty() { None } else { Some(concatenate(&values).context("joining known tokens")?) };
        let positions: Vec<_> =
            pictures.iter().map(|asked| Positions { known: &asked.known.1, targets: asked.targets }).collect();
        let encoded = self.encode(&positions, values.as_ref())?;
        let decoded = self.decode(&positions, encoded.as_ref())?;
        let attend = |texts: &[&TextFeatures]| {
            let vectors = self.attend(&positions, &decoded, texts)?; // (images, targets, width)
            vectors.flatten_to(1).context("computing the text decoder")
        };
        let nothing = self.no_text();
        let texts: Vec<_> = pictures.iter().map(|asked| asked.text.unwrap_or(nothing)).collect();
        let unconditional = guided.then(|| attend(&vec![nothing; pictures.len()])).transpose()?;
        Ok((attend(&texts)?, unconditional))
    }
}
