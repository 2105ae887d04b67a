//! What the files of a run record, written and read: settings and plan, as texts of a PNG file.

use std::io::{BufRead, Seek};

use gtr_backends::Picture;
use gtr_core::{GuidanceSchedule, MAX_PLAN_BYTES, Plan};
use serde::{Deserialize, Serialize};

use super::numbering::{Numbering, Subjects};
use crate::Error;
use crate::picture::{Bitmap, Text, ascii};

/// The keyword of the settings in a PNG file, as JSON.
const PARAMETERS: &str = "gtr.parameters";

/// The keyword of the plan.
const PLAN: &str = "gtr.plan";

/// What is read of a file before its pixels, and its plan when unpacked, takes no more bytes than a plan may have.
#[expect(clippy::cast_possible_truncation, reason = "64 MB")]
const MOST: usize = MAX_PLAN_BYTES as usize;

/// How an image came to be; with the plan all that is needed to make it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parameters {
    /// The version of the program that makes the images.
    pub version: String,
    /// The model, by name or path.
    pub model: String,
    /// Its weights, where they are not its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The seed of random weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_weights: Option<u64>,
    /// Its autoencoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vae: Option<String>,
    /// Its text encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_encoder: Option<String>,
    /// The type of its matrices, where it is not the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Where it computes, where that is not the processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Height and width of a picture in pixels, where they are not the model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// What is asked for.
    #[serde(flatten)]
    pub subjects: Subjects,
    /// Images of each class or prompt, or of all.
    pub count: u32,
    /// The number of the first image.
    pub first_image: u64,
    /// What all randomness grows from.
    pub seed: u64,
    /// The scale of guidance.
    pub cfg: f64,
    /// How it moves over the AR steps.
    pub cfg_schedule: GuidanceSchedule,
    /// Factor of the noise that is added while denoising.
    pub temperature: f64,
    /// Pixels that a pixel becomes, in both directions; decided by the first picture if it is not given.
    pub scale: Option<usize>,
    /// What the images go on from.
    #[serde(flatten)]
    pub inpainting: Inpainting,
}

/// What images went on from, and what was made several times.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Inpainting {
    /// The picture that they go on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// What of it is generated anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// By how many tokens the mask is widened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dilate: Option<u32>,
    /// How often the reconstruction is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reseed_reconstruction: Option<u32>,
}

/// What all files of a run record.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub(crate) parameters: Parameters,
    plan: String,
}

impl Recipe {
    /// What is recorded of a run.
    pub fn new(parameters: Parameters, plan: &Plan) -> Self {
        Self { parameters, plan: plan.to_document().to_json() }
    }

    /// What is asked for.
    pub fn subjects(&self) -> &Subjects {
        &self.parameters.subjects
    }

    /// What the images of a run have in common, besides what is asked for, as JSON.
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

    /// The file of an image that has one of its own; it says how this image alone is made.
    ///
    /// # Errors
    /// [`Error::Failure`] for a picture that no PNG file can hold.
    pub fn png(&self, numbering: Numbering, position: u64, picture: &Picture, scale: usize) -> Result<Vec<u8>, Error> {
        Bitmap::of(picture, scale).png(&self.alone(numbering, position, scale).texts())
    }

    /// How an image alone is made.
    pub(crate) fn alone(&self, numbering: Numbering, position: u64, scale: usize) -> Self {
        let mut recipe = self.clone();
        recipe.parameters.scale = Some(scale);
        recipe.parameters.subjects = recipe.parameters.subjects.only(numbering.subject(position));
        recipe.parameters.count = 1;
        recipe.parameters.first_image = numbering.number(position).0;
        recipe
    }

    /// What a file records: settings and plan.
    pub(crate) fn recorded(&self) -> [String; 2] {
        // Numbers and texts, which JSON can hold.
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

/// The texts of a PNG file that a run made, as they are written: nothing of them is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Pixels in a row.
    pub width: u32,
    /// Rows of pixels.
    pub height: u32,
    /// The settings, as JSON.
    pub parameters: String,
    /// The plan, as JSON; or why it cannot be unpacked.
    pub plan: Result<String, String>,
}

/// Reads what a PNG file records; its pixels are not looked at. None if it records nothing.
///
/// # Errors
/// Those of the decoder, also for a file that takes more than 64 MB before its pixels.
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
    fn letters_beyond_ascii_are_escaped() {
        let text = "{\"prompts\":[\"caf\u{e9} \u{1f431}\"]}";
        let escaped = ascii(text);
        assert_eq!(escaped, r#"{"prompts":["caf\u00e9 \ud83d\udc31"]}"#);
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(same(&escaped), same(text));
    }
}
