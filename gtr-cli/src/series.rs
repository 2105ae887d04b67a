//! The images of a run: which they are, and where they go.

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subjects {
    /// Classes of a model of classes.
    Classes(Vec<u32>),
    /// Prompts of a model of texts.
    Prompts(Vec<String>),
}

impl Subjects {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Prompts(prompts) => prompts.len(),
        }
    }

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

    /// What is asked for.
    pub(crate) fn subjects(&self) -> &Subjects {
        &self.parameters.subjects
    }

    /// What the images of a run have in common, besides what is asked for, as JSON.
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

    /// The file of an image that has one of its own; it says how this image alone is made.
    pub(crate) fn png(
        &self,
        numbering: Numbering,
        position: u64,
        picture: &Picture,
        scale: usize,
    ) -> Result<Vec<u8>, CliError> {
        Bitmap::of(picture, scale).png(&self.alone(numbering, position, scale).texts())
    }

    /// How an image alone is made.
    fn alone(&self, numbering: Numbering, position: u64, scale: usize) -> Self {
        let mut recipe = self.clone();
        recipe.parameters.scale = Some(scale);
        recipe.parameters.subjects = recipe.parameters.subjects.only(numbering.subject(position));
        recipe.parameters.count = 1;
        recipe.parameters.first_image = numbering.number(position).0;
        recipe
    }

    /// What a file records: settings and plan.
    fn recorded(&self) -> [String; 2] {
        // Numbers and texts, which JSON can hold.
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

/// Which images a run makes, numbered from the first on: `count` of each class or prompt, one after the other; balanced,
/// `count` in all, of each class in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Numbering {
    subjects: usize,
    count: u64,
    first: u64,
    balanced: bool,
}

impl Numbering {
    /// The images that were asked for, of so many classes or prompts.
    pub(crate) fn of(args: &SampleArgs, subjects: usize) -> Result<Self, CliError> {
        let BulkArgs { classes, .. } = &args.bulk;
        let numbering =
            Self { subjects, count: args.count.into(), first: args.first_image, balanced: classes.is_some() };
        if numbering.is_sound() {
            return Ok(numbering);
        }
        Err(CliError::usage(format_args!(
            "--first-image {} leaves too few numbers: choose a lower one",
            numbering.first
        )))
    }

    /// Whether there are images, and numbers for all of them.
    pub(crate) fn is_sound(self) -> bool {
        let factor = if self.balanced { 1 } else { self.subjects as u64 };
        let last = self.count.checked_mul(factor).and_then(|images| self.first.checked_add(images));
        self.subjects > 0 && self.count > 0 && last.is_some()
    }

    /// Whether there are several images of each of several classes or prompts, and those of one follow those of another.
    pub(crate) fn is_class_after_class(self) -> bool {
        !self.balanced && self.subjects > 1 && self.count > 1
    }

    /// How many classes or prompts there are.
    pub(crate) fn subjects(self) -> usize {
        self.subjects
    }

    /// How many images there are of each class or prompt; balanced, of all.
    pub(crate) fn count(self) -> u64 {
        self.count
    }

    /// How many images there are: at most 10^5 classes or prompts times 2^32.
    pub(crate) fn images(self) -> u64 {
        if self.balanced { self.count } else { self.subjects as u64 * self.count }
    }

    /// Position, in the list of classes or prompts, of that of an image.
    #[expect(clippy::cast_possible_truncation, reason = "a position in a list")]
    pub(crate) fn subject(self, position: u64) -> usize {
        let position = if self.balanced { position % self.subjects as u64 } else { position / self.count };
        position as usize
    }

    /// Which of the images of its class or prompt an image is.
    pub(crate) fn sample(self, position: u64) -> u64 {
        if self.balanced { position / self.subjects as u64 } else { position % self.count }
    }

    /// The position of the image of a number, if it is one of the run.
    pub(crate) fn position(self, number: ImageIndex) -> Option<u64> {
        number.0.checked_sub(self.first).filter(|position| *position < self.images())
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
        if output::is_folder(&args.out) {
            if args.going_on.reconstructions() > 1 {
                return Err(CliError::usage(
                    "--reseed-reconstruction lays images side by side: name a file as --out, not a folder",
                ));
            }
            check_folder(&args.out)?;
            return Ok(Self::Folder(args.out.clone()));
        }
        if !ending::is_free(&args.out) && ending::of(&args.out).as_deref() != Some("png") {
            let (out, stem) = (args.out.display(), args.out.with_extension(""));
            return Err(CliError::usage(format_args!(
                "--out {out}: pictures are PNG files: name one that ends in .png, a folder, as {}/, or for many images a .npz",
                stem.display()
            )));
        }
        output::refuse_terminal(Some(&args.out), "a PNG picture")?;
        let target = Target::new(&args.out)?;
        let images = numbering.images().saturating_mul(args.going_on.reconstructions().into());
        if images > MOST_ON_A_SHEET {
            return Err(CliError::usage(format_args!(
                "{images} images are too many for a sheet, which holds {MOST_ON_A_SHEET}: name a folder as --out"
            )));
        }
        Ok(Self::File { target, layout: Layout::new(numbering, args.going_on.reconstructions()) })
    }

    /// Makes the folder, and refuses to replace what another run left in it.
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
                "{shown} has another run, whose parts are in {shown}/shards: name another folder, or give --overwrite to replace it"
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

/// The least number whose square is `images` or more.
fn near_root(images: u64) -> u64 {
    let root = images.isqrt();
    if root * root == images { root } else { root + 1 }
}

/// The file of an image among others.
pub(crate) fn file_name(ImageIndex(number): ImageIndex) -> String {
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

    /// Whether each image is written as soon as it is made.
    pub(crate) fn is_in_folder(&self) -> bool {
        matches!(self.place, Place::Folder(_))
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
