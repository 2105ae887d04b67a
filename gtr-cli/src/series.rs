//! The images of a run: which they are, and where they go.

mod again;

use std::path::PathBuf;

use gtr_backends::{Picture, Precision};
use gtr_core::sampler::Settings;
use gtr_core::{ImageIndex, Plan};
use serde::{Deserialize, Serialize};

use crate::args::SampleArgs;
use crate::error::CliError;
use crate::output::Target;
use crate::picture::{Bitmap, Sheet, Text};

/// A sheet of more images than this is a mistake.
const MOST_ON_A_SHEET: u64 = 10_000;

/// The keyword of the settings in a PNG file, as JSON.
pub(crate) const PARAMETERS: &str = "gtr.parameters";

/// The keyword of the plan.
pub(crate) const PLAN: &str = "gtr.plan";

/// How an image came to be; with the plan all that is needed to make it again.
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

/// What images went on from, and what was made several times.
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

/// What images are asked for by, in the order in which it was asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subjects {
    /// Classes of a model of classes.
    Classes(Vec<u32>),
    /// Prompts of a model of texts.
    Prompts(Vec<String>),
}

impl Subjects {
    /// One of them alone.
    fn only(&self, position: usize) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(classes.get(position).copied().into_iter().collect()),
            Self::Prompts(prompts) => Self::Prompts(prompts.get(position).cloned().into_iter().collect()),
        }
    }
}

/// What all files of a run record.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    parameters: Parameters,
    plan: String,
}

impl Recipe {
    /// What is recorded of a run.
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

    fn texts(&self) -> [Text; 3] {
        // Numbers and texts, which JSON can hold.
        let parameters = ascii(&serde_json::to_string(&self.parameters).unwrap_or_default());
        [
            Text::plain("Software", concat!("gtr-cli ", env!("CARGO_PKG_VERSION"))),
            Text::plain(PARAMETERS, &parameters),
            Text::compressed(PLAN, &self.plan),
        ]
    }
}

/// JSON whose characters are all ASCII, as the texts of a PNG file are: others can only be in strings.
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

/// Which images a run makes: `count` of each class or prompt, numbered from the first on, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbering {
    subjects: usize,
    count: u64,
    first: u64,
    /// How often the reconstruction of each is made.
    variants: u64,
}

/// How images are laid out on a sheet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    columns: u64,
    rows: u64,
    order: Order,
}

/// Which cell an image is in.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// One class or prompt fills the rows.
    Rows,
    /// Each class or prompt has a column of so many images.
    Columns(u64),
    /// Each image has a row of its reconstructions.
    Variants,
}

impl Layout {
    /// Columns and rows.
    #[expect(clippy::cast_possible_truncation, reason = "a sheet has at most 10^4 images")]
    pub(crate) fn size(self) -> (usize, usize) {
        (self.columns as usize, self.rows as usize)
    }

    /// Column and row of a reconstruction of the image at a position of the run.
    #[expect(clippy::cast_possible_truncation, reason = "a sheet has at most 10^4 images")]
    pub(crate) fn cell(self, position: u64, variant: u64) -> (usize, usize) {
        let (column, row) = match self.order {
            Order::Rows => (position % self.columns, position / self.columns),
            Order::Columns(count) => (position / count, position % count),
            Order::Variants => (variant, position),
        };
        (column as usize, row as usize)
    }

    /// A single picture fills about 256 pixels, one of a sheet 96.
    pub(crate) fn scale(self, picture: &Picture) -> usize {
        let side = picture.width().max(picture.height()).max(1);
        if self.columns * self.rows == 1 { (256 / side).max(1) } else { (96 / side).max(1) }
    }
}

impl Numbering {
    /// The images that were asked for.
    pub(crate) fn new(args: &SampleArgs) -> Result<Self, CliError> {
        let variants = args.going_on.reseed_reconstruction.unwrap_or(1).into();
        let numbering = Self { subjects: args.subjects(), count: args.count.into(), first: args.first_image, variants };
        match numbering.first.checked_add(numbering.images()) {
            Some(_) => Ok(numbering),
            None => Err(CliError::usage(format_args!(
                "--first-image {} leaves too few numbers: choose a lower one",
                numbering.first
            ))),
        }
    }

    /// How many images there are: at most 10^5 classes or prompts times 2^32.
    pub(crate) fn images(self) -> u64 {
        self.subjects as u64 * self.count
    }

    /// How often the reconstruction of each is made.
    pub(crate) fn variants(self) -> u64 {
        self.variants
    }

    /// How all of them are laid out on one sheet.
    pub(crate) fn layout(self) -> Layout {
        let images = self.images();
        let (order, columns) = match (self.variants, self.subjects) {
            (1, 1) => (Order::Rows, near_root(images)),
            (1, subjects) => (Order::Columns(self.count), subjects as u64),
            (variants, _) => (Order::Variants, variants),
        };
        Layout { columns, rows: images.saturating_mul(self.variants).div_ceil(columns), order }
    }

    /// How those that run at the same time are laid out: as on the sheet where they are all.
    pub(crate) fn layout_of_batch(self, batch: u64) -> Layout {
        if self.images() <= batch && self.variants == 1 {
            return self.layout();
        }
        let columns = near_root(self.images().min(batch));
        Layout { columns, rows: self.images().min(batch).div_ceil(columns), order: Order::Rows }
    }

    /// Position, in the list of classes or prompts, of that of an image.
    #[expect(clippy::cast_possible_truncation, reason = "a position in a list")]
    pub(crate) fn subject(self, position: u64) -> usize {
        (position / self.count) as usize
    }

    /// The number that keys an image's randomness.
    pub(crate) fn number(self, position: u64) -> ImageIndex {
        ImageIndex(self.first + position)
    }
}

/// Where the images go.
#[derive(Debug)]
pub(crate) enum Place {
    /// One file for all.
    File { target: Target, layout: Layout },
    /// A file each.
    Folder(PathBuf),
}

impl Place {
    /// Finds out whether the images can be written, before any is made.
    pub(crate) fn new(args: &SampleArgs, numbering: Numbering) -> Result<Self, CliError> {
        if args.out.is_dir() {
            if numbering.variants > 1 {
                return Err(CliError::usage(
                    "--reseed-reconstruction lays images side by side: name a file as --out, not a folder",
                ));
            }
            Target::new(&args.out.join(file_name(numbering.number(0))))?;
            return Ok(Self::Folder(args.out.clone()));
        }
        let target = Target::new(&args.out)?;
        let images = numbering.images().saturating_mul(numbering.variants);
        if images > MOST_ON_A_SHEET {
            return Err(CliError::usage(format_args!(
                "{images} images are too many for a sheet, which holds {MOST_ON_A_SHEET}: name a folder as --out"
            )));
        }
        Ok(Self::File { target, layout: numbering.layout() })
    }
}

/// The least number whose square is `images` or more.
fn near_root(images: u64) -> u64 {
    let root = images.isqrt();
    if root * root == images { root } else { root + 1 }
}

fn file_name(ImageIndex(number): ImageIndex) -> String {
    format!("{number:05}.png")
}

/// The images of a run on their way to where they go.
#[derive(Debug)]
pub(crate) struct Series {
    numbering: Numbering,
    recipe: Recipe,
    place: Place,
    sheet: Sheet,
    scale: Option<usize>,
}

impl Series {
    /// A run that has not made an image yet.
    pub(crate) fn new(args: &SampleArgs, numbering: Numbering, place: Place, recipe: Recipe) -> Self {
        let scale = args.scale.map(|scale| scale as usize);
        Self { numbering, recipe, place, sheet: Sheet::default(), scale }
    }

    /// Takes a reconstruction of the image at a position of the run.
    pub(crate) fn add(&mut self, (position, variant): (u64, u64), picture: &Picture) -> Result<(), CliError> {
        let scale = *self.scale.get_or_insert_with(|| default_scale(&self.place, picture));
        self.recipe.parameters.scale = Some(scale);
        let bitmap = Bitmap::of(picture, scale);
        match &self.place {
            Place::File { layout, .. } => self.sheet.place(&bitmap, layout.cell(position, variant), layout.size()),
            Place::Folder(folder) => {
                let number = self.numbering.number(position);
                let mut recipe = self.recipe.clone();
                recipe.parameters.subjects = recipe.parameters.subjects.only(self.numbering.subject(position));
                recipe.parameters.count = 1;
                recipe.parameters.first_image = number.0;
                Target::new(&folder.join(file_name(number)))?.write(&bitmap.png(&recipe.texts())?)
            }
        }
    }

    /// Writes what is not written yet, and says what was made.
    pub(crate) fn finish(self) -> Result<Parameters, CliError> {
        if let (Place::File { target, .. }, Some(bitmap)) = (&self.place, self.sheet.finish()) {
            target.write(&bitmap.png(&self.recipe.texts())?)?;
        }
        Ok(self.recipe.parameters)
    }
}

/// Files of a folder are left as they are.
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
    fn letters_beyond_ascii_are_escaped() {
        let text = "{\"prompts\":[\"caf\u{e9} \u{1f431}\"]}";
        let escaped = ascii(text);
        assert_eq!(escaped, r#"{"prompts":["caf\u00e9 \ud83d\udc31"]}"#);
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(same(&escaped), same(text));
    }

    #[test]
    fn sheets_of_one_class_are_near_square() {
        assert_eq!([1, 2, 4, 5, 9, 10].map(near_root), [1, 2, 2, 3, 3, 4]);
    }
}
