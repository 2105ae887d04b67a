//! `lightgen_*`: a LightGen model, its parts and its runs, each on the grid of its recording.

use candle_core::Tensor;
use gtr_core::Grid;

use super::checks::Checks;
use super::folder::Folder;
use super::model::{self, Recorded, latents};
use super::recording::Recording;
use super::transformer::{known_values, masks};
use crate::BackendError;
use crate::checkpoint::{Checkpoint, Wanted};
use crate::error::Context;
use crate::lightgen::{Canvas, LightGenConfig, LightGenGenerator, LightGenModel, Positions, TextFeatures};

/// Tolerance stated in the README of the recordings.
const TOLERANCE: f64 = 1e-5;

pub(super) fn check(folder: &Folder, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    model::check(folder, load(folder)?, checks);
    Ok(())
}

fn load(folder: &Folder) -> Result<LightGenGenerator, BackendError> {
    let config = LightGenConfig::parse(&folder.name, &folder.config()?.to_string())?;
    folder.check_size(config.grid, config.text_length)?;
    let checkpoint = Checkpoint::open_section(&folder.weights()?, &Wanted::Raw)?;
    let section = checkpoint.section().clone();
    Ok(LightGenGenerator::new(LightGenModel::load(&config, checkpoint, &folder.compute)?, section))
}

/// Sets the grid of the model to that of the description at `pointer`.
fn move_to(
    folder: &Folder,
    recording: &Recording,
    generator: &mut LightGenGenerator,
    pointer: &str,
) -> Result<(), BackendError> {
    let side = |name: &str| {
        let value = recording.number(&format!("{pointer}/{name}"))?;
        let wrong = || recording.wrong(format!("`{pointer}/{name}` of its description is not a number of tokens"));
        super::recording::whole(value).and_then(|side| u32::try_from(side).ok()).ok_or_else(wrong)
    };
    set_grid(folder, recording, generator, (side("seq_h")?, side("seq_w")?))
}

fn set_grid(
    folder: &Folder,
    recording: &Recording,
    generator: &mut LightGenGenerator,
    (height, width): (u32, u32),
) -> Result<(), BackendError> {
    let grid = Grid::new(height, width).map_err(|error| recording.wrong(error.to_string()))?;
    folder.check_size(grid, generator.config().text_length)?;
    generator.set_grid(grid)
}

/// Returns the embedded texts of a recording, one per image.
fn embedded(recording: &Recording, model: &LightGenModel, images: usize) -> Result<Vec<TextFeatures>, BackendError> {
    let config = model.config();
    let texts = recording.shaped("texts", &[images, config.text_length, config.caption_channels])?;
    let text = |image| model.embed_text(&texts.get(image).context("reading texts")?);
    (0..images).map(text).collect()
}

fn texts(recording: &Recording, model: &LightGenModel, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let [images, ..] = recording.shape::<3>("texts")?;
    let all = recording.tensor("texts")?;
    for (image, text) in embedded(recording, model, images)?.iter().enumerate() {
        let of = |tensor: &Tensor| tensor.get(image).context("reading texts");
        let projected = model.project_text(&of(&all)?)?;
        for (name, found) in [
            ("text_proj", &projected),
            ("text_emb", text.embedded()),
            ("fake_latent_expanded", model.no_text().embedded()),
        ] {
            if recording.has(name) {
                let expected = of(&recording.tensor(name)?)?;
                checks.tensors(name, found, &expected, recording.tolerance_of(name, TOLERANCE))?;
            }
        }
    }
    Ok(())
}

/// Checks position embeddings, recorded as `h{height}w{width}.{table}`.
fn positions(
    folder: &Folder,
    recording: &Recording,
    generator: &mut LightGenGenerator,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    for name in recording.names()? {
        let parts = name.strip_prefix('h').and_then(|name| name.split_once('.'));
        let sides = parts.and_then(|(sides, table)| Some((sides.split_once('w')?, table)));
        let sides = sides.and_then(|((height, width), table)| Some((height.parse().ok()?, width.parse().ok()?, table)));
        let Some((height, width, table)) = sides else { continue };
        set_grid(folder, recording, generator, (height, width))?;
        let Some(found) = generator.model().positions(table) else { continue };
        let found = found.unsqueeze(0).context("reading positions")?;
        checks.tensors(&name, &found, &recording.tensor(&name)?, TOLERANCE)?;
    }
    Ok(())
}

/// Checks the recorded states `{state}.mask`: encoder, decoder, and conditioning vectors with and without text.
fn states(recording: &Recording, model: &LightGenModel, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let (tokens, channels) = (model.config().tokens(), model.config().token_channels());
    let [images, ..] = recording.shape::<3>("tokens")?;
    let values = recording.shaped("tokens", &[images, tokens, channels])?;
    let texts = embedded(recording, model, images)?;
    let (texts, nothing) = (texts.iter().collect::<Vec<_>>(), vec![model.no_text(); images]);
    let all: Vec<u32> = (0..).take(tokens).collect();
    for state in recording.between("", ".mask")? {
        let masks = masks(recording, &recording.shaped(&format!("{state}.mask"), &[images, tokens])?)?;
        let values = known_values(&values, &masks).context("selecting known tokens")?;
        let positions: Vec<_> = masks.iter().map(|mask| Positions { known: &mask.known, targets: &all }).collect();
        let mut compare = |part: &str, noise: &str, found: &Tensor| -> Result<(), BackendError> {
            let name = format!("{state}.{part}");
            if recording.has(&name) {
                let tolerance = recording.tolerance_of(&format!("{state}/{noise}"), TOLERANCE);
                checks.tensors(&name, found, &recording.tensor(&name)?, tolerance)?;
            }
            Ok(())
        };
        let encoded = model.encode(&positions, values.as_ref())?;
        if let Some(encoded) = &encoded {
            compare("enc", "enc", encoded)?;
        }
        let decoded = model.decode(&positions, encoded.as_ref())?;
        compare("dec", "dec", &decoded)?;
        compare("z_cond", "z", &model.attend(&positions, &decoded, &texts)?)?;
        compare("z_uncond", "z", &model.attend(&positions, &decoded, &nothing)?)?;
    }
    Ok(())
}

/// Checks the conversion of tokens to latent images, for both pairs that may be recorded.
fn patches(
    recording: &Recording,
    generator: &mut LightGenGenerator,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    let (tokens, channels) = (generator.config().tokens(), generator.config().token_channels());
    for (from, to) in [("tokens", "tokens_unpatchified"), ("latent_patchified", "latent_image")] {
        if !(recording.has(from) && recording.has(to)) {
            continue;
        }
        let [images, ..] = recording.shape::<3>(from)?;
        let values = recording.shaped(from, &[images, tokens, channels])?;
        checks.exact_tensors(to, &latents(generator, images, &values)?, &recording.tensor(to)?)?;
    }
    Ok(())
}

impl Recorded for LightGenModel {
    const SECTION: Wanted = Wanted::Raw;

    fn tolerance(folder: &Folder) -> f64 {
        let mut tolerance = TOLERANCE;
        for recording in folder.all("encdec").filter_map(|stem| folder.open(stem).ok()) {
            for state in recording.between("", ".mask").unwrap_or_default() {
                tolerance = recording.tolerance_of(&format!("{state}/z"), tolerance);
            }
        }
        tolerance
    }

    fn empty(&self, recording: &Recording, images: usize, guided: bool) -> Result<Canvas, BackendError> {
        let prompts = if recording.has("texts") {
            embedded(recording, self, images)?.into_iter().map(Some).collect()
        } else {
            vec![None; images]
        };
        Ok(Canvas::new(prompts, guided))
    }

    fn prepare(folder: &Folder, recording: &Recording, generator: &mut LightGenGenerator) -> Result<(), BackendError> {
        move_to(folder, recording, generator, "/call")
    }

    fn own(
        stem: &str,
        folder: &Folder,
        recording: &Recording,
        generator: &mut LightGenGenerator,
        checks: &mut Checks<'_>,
    ) -> Result<bool, BackendError> {
        if stem.starts_with("text") {
            texts(recording, generator.model(), checks)?;
        } else if stem.starts_with("pos_embed") {
            positions(folder, recording, generator, checks)?;
        } else if stem.starts_with("encdec") {
            move_to(folder, recording, generator, "/grid")?;
            states(recording, generator.model(), checks)?;
            patches(recording, generator, checks)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}
