//! Metadata of the files of a run: settings and plan, written to and read from the text chunks of PNG files.

use std::io::{BufRead, Seek};

use gtr_backends::Picture;
use gtr_core::{GuidanceSchedule, MAX_PLAN_BYTES, Plan};
use serde::{Deserialize, Serialize};

use super::numbering::{Numbering, Subjects};
use crate::Error;
use crate::picture::{Bitmap, Text, ascii};

/// PNG text keyword of the settings (JSON).
const PARAMETERS: &str = "gtr.parameters";

/// PNG text keyword of the plan (JSON).
const PLAN: &str = "gtr.plan";

/// Memory limit for the chunks before the pixels, and for the decompressed plan, in bytes: the largest size of a plan.
#[expect(clippy::cast_possible_truncation, reason = "64 MB")]
const MOST: usize = MAX_PLAN_BYTES as usize;

/// Settings of images. Together with the plan they are sufficient to generate the images again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parameters {
    /// Version of the program.
    pub version: String,
    /// Name or path of the model.
    pub model: String,
    /// Path of the weights, if they are not those of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Seed of random weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_weights: Option<u64>,
    /// Path of the autoencoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vae: Option<String>,
    /// Path of the text encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_encoder: Option<String>,
    /// Data type of the matrices, if it is not the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Device, if it is not the CPU: the first of its kind, such as `cuda:0`. The number of a device is not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Height and width of an image in pixels, if they are not those of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// Classes or prompts.
    #[serde(flatten)]
    pub subjects: Subjects,
    /// Number of images per class or prompt, or the total number if balanced.
    pub count: u32,
    /// Number of the first image.
    pub first_image: u64,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Scale of classifier-free guidance.
    pub cfg: f64,
    /// Schedule of the guidance scale over the AR steps.
    pub cfg_schedule: GuidanceSchedule,
    /// Factor of the noise that is added in each diffusion step.
    pub temperature: f64,
    /// Enlargement of an image in both directions. If `None`, the first image determines it.
    pub scale: Option<usize>,
    /// Settings of inpainting and variations.
    #[serde(flatten)]
    pub inpainting: Inpainting,
}

/// Settings of inpainting and variations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Inpainting {
    /// Path of the initial image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// Path of the mask of the region to regenerate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// Number of tokens by which the mask is dilated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dilate: Option<u32>,
    /// Number of reconstructions per image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reseed_reconstruction: Option<u32>,
}

/// Metadata of all files of a run.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub(crate) parameters: Parameters,
    plan: String,
}

impl Recipe {
    /// Collects the metadata of a run.
    pub fn new(parameters: Parameters, plan: &Plan) -> Self {
        Self { parameters, plan: plan.to_document().to_json() }
    }

    /// Returns the classes or prompts.
    pub fn subjects(&self) -> &Subjects {
        &self.parameters.subjects
    }

    /// Returns the common settings of all images of a run as JSON, without prompts and numbering.
    pub fn settings(&self, scale: usize) -> serde_json::Value {
        let parameters = Parameters { scale: Some(scale), ..self.parameters.clone() };
        let mut settings = serde_json::to_value(parameters).unwrap_or_default();
        if let Some(fields) = settings.as_object_mut() {
            for field in ["classes", "prompts", "count", "first_image"] {
                fields.remove(field);
            }
        }
        settings
    }

    /// Encodes a single image as PNG. Its metadata describe only this image.
    ///
    /// # Errors
    /// [`Error::Failure`] if the image cannot be encoded as PNG.
    pub fn png(&self, numbering: Numbering, position: u64, picture: &Picture, scale: usize) -> Result<Vec<u8>, Error> {
        Bitmap::of(picture, scale).png(&self.alone(numbering, position, scale).texts())
    }

    /// Returns the metadata of a single image.
    pub(crate) fn alone(&self, numbering: Numbering, position: u64, scale: usize) -> Self {
        let mut recipe = self.clone();
        recipe.parameters.scale = Some(scale);
        recipe.parameters.subjects = recipe.parameters.subjects.only(numbering.subject(position));
        recipe.parameters.count = 1;
        recipe.parameters.first_image = numbering.number(position).0;
        recipe
    }

    /// Returns the texts stored in a file: settings and plan.
    pub(crate) fn recorded(&self) -> [String; 2] {
        // Numbers and strings always serialize to JSON.
        [ascii(&serde_json::to_string(&self.parameters).unwrap_or_default()), self.plan.clone()]
    }

    pub(crate) fn texts(&self) -> [Text; 3] {
        let [parameters, plan] = self.recorded();
        [
            Text::plain("Software", concat!("gtr-cli ", env!("CARGO_PKG_VERSION"))),
            Text::plain(PARAMETERS, &parameters),
            Text::compressed(PLAN, &plan),
        ]
    }
}

/// Metadata of a PNG file. It is untrusted input; the texts are not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Settings as JSON.
    pub parameters: String,
    /// Plan as JSON, or the error of its decompression.
    pub plan: Result<String, String>,
}

/// Reads the metadata of a PNG file without decoding its pixels. Returns `None` if the file has no metadata of this program.
///
/// # Errors
/// Those of the decoder, for example if the chunks before the pixels need more than 64 MB.
pub fn recorded(file: impl BufRead + Seek) -> Result<Option<Recorded>, png::DecodingError> {
    let reader = png::Decoder::new_with_limits(file, png::Limits { bytes: MOST }).read_info()?;
    let info = reader.info();
    let written = info.uncompressed_latin1_text.iter().find(|text| text.keyword == PARAMETERS);
    let packed = info.compressed_latin1_text.iter().find(|text| text.keyword == PLAN);
    let (Some(written), Some(packed)) = (written, packed) else { return Ok(None) };
    let mut packed = packed.clone();
    let plan = packed.decompress_text_with_limit(MOST).and_then(|()| packed.get_text());
    Ok(Some(Recorded {
        width: info.width,
        height: info.height,
        parameters: written.text.clone(),
        plan: plan.map_err(|error| error.to_string()),
    }))
}

#[cfg(test)]
mod tests {
    use super::ascii;

    #[test]
    fn non_ascii_characters_are_escaped() {
        let text = "{\"prompts\":[\"caf\u{e9} \u{1f431}\"]}";
        let escaped = ascii(text);
        assert_eq!(escaped, r#"{"prompts":["caf\u00e9 \ud83d\udc31"]}"#);
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(same(&escaped), same(text));
    }
}
