//! Images of a run: their numbering, their metadata and their destination.

mod again;
pub(crate) mod earlier;
mod layout;

use std::path::PathBuf;

use gtr_backends::{Picture, Precision};
use gtr_core::sampler::Settings;
use gtr_core::{ImageIndex, Plan};
use serde::{Deserialize, Serialize};

pub(crate) use self::layout::Layout;
use crate::args::{BulkArgs, SampleArgs};
use crate::bulk::Store;
use crate::ending;
use crate::error::CliError;
use crate::output::{self, Target, check_folder, make_folder};
use crate::picture::{Bitmap, Sheet, Text};

/// Largest number of images on a sheet.
const MOST_ON_A_SHEET: u64 = 10_000;

/// PNG text keyword of the settings (JSON).
pub(crate) const PARAMETERS: &str = "gtr.parameters";

/// PNG text keyword of the plan (JSON).
pub(crate) const PLAN: &str = "gtr.plan";

/// Settings of an image. Together with the plan they are sufficient to generate it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Parameters {
    version: String,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    random_weights: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vae: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_encoder: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dtype: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<(u32, u32)>,
    #[serde(flatten)]
    subjects: Subjects,
    count: u32,
    first_image: u64,
    seed: u64,
    cfg: f64,
    cfg_schedule: gtr_core::GuidanceSchedule,
    temperature: f64,
    scale: Option<usize>,
    #[serde(flatten)]
    going_on: GoingOn,
}

/// Settings of inpainting and variations.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct GoingOn {
    #[serde(skip_serializing_if = "Option::is_none")]
    init: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dilate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseed_reconstruction: Option<u32>,
}

/// Prompts of the images (classes or texts), in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subjects {
    /// Classes, for a class-conditional model.
    Classes(Vec<u32>),
    /// Texts, for a text-conditional model.
    Prompts(Vec<String>),
}

impl Subjects {
    /// Number of classes or texts.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Prompts(prompts) => prompts.len(),
        }
    }

    /// Returns only the class or text at a position.
    fn only(&self, position: usize) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(classes.get(position).copied().into_iter().collect()),
            Self::Prompts(prompts) => Self::Prompts(prompts.get(position).cloned().into_iter().collect()),
        }
    }
}

/// Metadata of all files of a run.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    parameters: Parameters,
    plan: String,
}

impl Recipe {
    /// Collects the metadata of a run.
    pub(crate) fn new(args: &SampleArgs, subjects: Subjects, plan: &Plan, settings: &Settings) -> Self {
        let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let model = &args.model;
        let parameters = Parameters {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: model.model.clone(),
            weights: text(&model.weights),
            random_weights: model.random_weights,
            vae: text(&model.vae),
            text_encoder: text(&model.text_encoder),
            dtype: Some(model.dtype)
                .filter(|dtype| *dtype != Precision::default())
                .map(|dtype| dtype.name().to_owned()),
            device: Some(model.device.clone()).filter(|device| device != "cpu"),
            size: args.size,
            subjects,
            count: args.count,
            first_image: args.first_image,
            seed: settings.seed.0,
            cfg: settings.guidance.scale(),
            cfg_schedule: settings.guidance.schedule(),
            temperature: settings.temperature,
            scale: None,
            going_on: GoingOn {
                init: text(&args.going_on.init),
                mask: text(&args.going_on.mask),
                dilate: args.going_on.dilate,
                reseed_reconstruction: args.going_on.reseed_reconstruction,
            },
        };
        Self { parameters, plan: plan.to_document().to_json() }
    }

    /// Returns the classes or texts.
    pub(crate) fn subjects(&self) -> &Subjects {
        &self.parameters.subjects
    }

    /// Returns the common settings of all images of a run as JSON, without prompts and numbering.
    pub(crate) fn settings(&self, scale: usize) -> serde_json::Value {
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
    pub(crate) fn png(
        &self,
        numbering: Numbering,
        position: u64,
        picture: &Picture,
        scale: usize,
    ) -> Result<Vec<u8>, CliError> {
        Bitmap::of(picture, scale).png(&self.alone(numbering, position, scale).texts())
    }

    /// Returns the metadata of a single image.
    fn alone(&self, numbering: Numbering, position: u64, scale: usize) -> Self {
        let mut recipe = self.clone();
        recipe.parameters.scale = Some(scale);
        recipe.parameters.subjects = recipe.parameters.subjects.only(numbering.subject(position));
        recipe.parameters.count = 1;
        recipe.parameters.first_image = numbering.number(position).0;
        recipe
    }

    /// Returns the texts stored in a file: settings and plan.
    fn recorded(&self) -> [String; 2] {
        // Numbers and strings always serialize to JSON.
        [ascii(&serde_json::to_string(&self.parameters).unwrap_or_default()), self.plan.clone()]
    }

    fn texts(&self) -> [Text; 3] {
        let [parameters, plan] = self.recorded();
        [
            Text::plain("Software", concat!("gtr-cli ", env!("CARGO_PKG_VERSION"))),
            Text::plain(PARAMETERS, &parameters),
            Text::compressed(PLAN, &plan),
        ]
    }
}

/// Escapes non-ASCII characters of JSON, because PNG text is Latin-1. They can only occur in strings.
fn ascii(json: &str) -> String {
    let mut units = [0; 2];
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            text.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

/// Numbering of the images of a run. By default there are `count` images per class or prompt, grouped by class or prompt. If
/// `balanced`, there are `count` images in total, with all classes in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Numbering {
    subjects: usize,
    count: u64,
    first: u64,
    balanced: bool,
}

impl Numbering {
    /// Creates the numbering for a number of classes or prompts.
    pub(crate) fn of(args: &SampleArgs, subjects: usize) -> Result<Self, CliError> {
        let BulkArgs { classes, .. } = &args.bulk;
        let numbering =
            Self { subjects, count: args.count.into(), first: args.first_image, balanced: classes.is_some() };
        if numbering.is_sound() {
            return Ok(numbering);
        }
        Err(CliError::usage(format_args!("--first-image {} is too large for the number of images", numbering.first)))
    }

    /// Returns true if there is at least one image and the image numbers do not overflow.
    pub(crate) fn is_sound(self) -> bool {
        let factor = if self.balanced { 1 } else { self.subjects as u64 };
        let last = self.count.checked_mul(factor).and_then(|images| self.first.checked_add(images));
        self.subjects > 0 && self.count > 0 && last.is_some()
    }

    /// Returns true if there are several classes or prompts with several images each, grouped by class or prompt.
    pub(crate) fn is_class_after_class(self) -> bool {
        !self.balanced && self.subjects > 1 && self.count > 1
    }

    /// Number of classes or prompts.
    pub(crate) fn subjects(self) -> usize {
        self.subjects
    }

    /// Number of images per class or prompt, or the total number if balanced.
    pub(crate) fn count(self) -> u64 {
        self.count
    }

    /// Total number of images: at most 10^5 classes or prompts times 2^32.
    pub(crate) fn images(self) -> u64 {
        if self.balanced { self.count } else { self.subjects as u64 * self.count }
    }

    /// Returns the index of the class or prompt of an image.
    #[expect(clippy::cast_possible_truncation, reason = "an index")]
    pub(crate) fn subject(self, position: u64) -> usize {
        let position = if self.balanced { position % self.subjects as u64 } else { position / self.count };
        position as usize
    }

    /// Returns the index of an image among the images of its class or prompt.
    pub(crate) fn sample(self, position: u64) -> u64 {
        if self.balanced { position / self.subjects as u64 } else { position % self.count }
    }

    /// Returns the position of an image number; `None` if it is not part of the run.
    pub(crate) fn position(self, number: ImageIndex) -> Option<u64> {
        number.0.checked_sub(self.first).filter(|position| *position < self.images())
    }

    /// Returns the image number, which together with the seed determines the random numbers.
    pub(crate) fn number(self, position: u64) -> ImageIndex {
        ImageIndex(self.first + position)
    }
}

/// Destination of the images.
#[derive(Debug)]
pub(crate) enum Place {
    /// One file with all images.
    File { target: Target, layout: Layout },
    /// A folder with one file per image.
    Folder(PathBuf),
}

impl Place {
    /// Checks that the images can be written, before any is generated.
    pub(crate) fn new(args: &SampleArgs, numbering: Numbering) -> Result<Self, CliError> {
        if output::is_folder(&args.out) {
            if args.going_on.reconstructions() > 1 {
                return Err(CliError::usage(
                    "--reseed-reconstruction shows images side by side: expected a file as --out, not a folder",
                ));
            }
            check_folder(&args.out)?;
            return Ok(Self::Folder(args.out.clone()));
        }
        if !ending::is_free(&args.out) && ending::of(&args.out).as_deref() != Some("png") {
            let (out, stem) = (args.out.display(), args.out.with_extension(""));
            return Err(CliError::usage(format_args!(
                "--out {out}: expected a name ending in .png, a folder, for example {}/, or for many images a name ending in .npz",
                stem.display()
            )));
        }
        output::refuse_terminal(Some(&args.out), "a PNG")?;
        let target = Target::new(&args.out)?;
        let images = numbering.images().saturating_mul(args.going_on.reconstructions().into());
        if images > MOST_ON_A_SHEET {
            return Err(CliError::usage(format_args!(
                "a sheet has at most {MOST_ON_A_SHEET} images, found {images}: use a folder as --out"
            )));
        }
        Ok(Self::File { target, layout: Layout::new(numbering, args.going_on.reconstructions()) })
    }

    /// Creates the folder. Returns an error if it has files of another run.
    pub(crate) fn prepare(&self, args: &SampleArgs, numbering: Numbering, recipe: &Recipe) -> Result<(), CliError> {
        let Self::Folder(folder) = self else { return Ok(()) };
        make_folder(folder)?;
        let store = Store::at(folder);
        if args.bulk.overwrite {
            return if store.is_begun() { store.forget_all() } else { Ok(()) };
        }
        if store.is_begun() {
            let shown = folder.display();
            return Err(CliError::Failure(format!(
                "{shown} has another run, whose parts are in {shown}/shards: use another folder, or --overwrite to replace it"
            )));
        }
        let scale = args.scale.map_or(1, |scale| scale as usize);
        let files = earlier::files(folder, numbering, &(0..numbering.images()));
        match files.iter().find(|(position, file)| !earlier::is_of(recipe, numbering, *position, scale, file)) {
            Some((_, file)) => Err(CliError::Failure(earlier::not_of_this_run(folder, file))),
            None => Ok(()),
        }
    }
}

/// Returns the square root of `images`, rounded up.
fn near_root(images: u64) -> u64 {
    let root = images.isqrt();
    if root * root == images { root } else { root + 1 }
}

/// Returns the file name of an image in a folder.
pub(crate) fn file_name(ImageIndex(number): ImageIndex) -> String {
    format!("{number:05}.png")
}

/// Writes the images of a run to their destination.
#[derive(Debug)]
pub(crate) struct Series {
    numbering: Numbering,
    recipe: Recipe,
    place: Place,
    sheet: Sheet,
    scale: Option<usize>,
}

impl Series {
    /// Creates a writer before the first image.
    pub(crate) fn new(args: &SampleArgs, numbering: Numbering, place: Place, recipe: Recipe) -> Self {
        let scale = args.scale.map(|scale| scale as usize);
        Self { numbering, recipe, place, sheet: Sheet::default(), scale }
    }

    /// Adds an image by its position in the run and the index of its reconstruction.
    pub(crate) fn add(&mut self, (position, variant): (u64, u64), picture: &Picture) -> Result<(), CliError> {
        let scale = *self.scale.get_or_insert_with(|| default_scale(&self.place, picture));
        self.recipe.parameters.scale = Some(scale);
        match &self.place {
            Place::File { layout, .. } => {
                self.sheet.place(&Bitmap::of(picture, scale), layout.cell(position, variant), layout.size())
            }
            Place::Folder(folder) => {
                let png = self.recipe.png(self.numbering, position, picture, scale)?;
                Target::new(&folder.join(file_name(self.numbering.number(position))))?.write(&png)
            }
        }
    }

    /// Returns true if each image is written immediately.
    pub(crate) fn is_in_folder(&self) -> bool {
        matches!(self.place, Place::Folder(_))
    }

    /// Writes the sheet, if any, and returns the settings of the run.
    pub(crate) fn finish(self) -> Result<Parameters, CliError> {
        if let (Place::File { target, .. }, Some(bitmap)) = (&self.place, self.sheet.finish()) {
            target.write(&bitmap.png(&self.recipe.texts())?)?;
        }
        Ok(self.recipe.parameters)
    }
}

/// Returns the default scale. Images in a folder are not enlarged.
fn default_scale(place: &Place, picture: &Picture) -> usize {
    match place {
        Place::File { layout, .. } => layout.scale(picture),
        Place::Folder(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{ascii, near_root};

    #[test]
    fn non_ascii_characters_are_escaped() {
        let text = "{\"prompts\":[\"caf\u{e9} \u{1f431}\"]}";
        let escaped = ascii(text);
        assert_eq!(escaped, r#"{"prompts":["caf\u00e9 \ud83d\udc31"]}"#);
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(same(&escaped), same(text));
    }

    #[test]
    fn sheets_of_one_class_are_nearly_square() {
        assert_eq!([1, 2, 4, 5, 9, 10].map(near_root), [1, 2, 2, 3, 3, 4]);
    }
}
