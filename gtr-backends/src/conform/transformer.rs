//! Compares encoder and decoder of MAR at recorded states.

use candle_core::Tensor;

use super::checks::Checks;
use super::model::latents;
use super::recording::Recording;
use crate::BackendError;
use crate::error::Context;
use crate::mar::{Class, MarConfig, MarGenerator, Sequence};

/// Tolerance stated in the README of the recordings.
const TOLERANCE: f64 = 1e-5;

/// Checks the recorded states `{state}.mask`, each with a class (`cond`), without a class (`uncond`), or both.
pub(super) fn states(
    recording: &Recording,
    generator: &MarGenerator,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    let (tokens, channels) = (generator.config().tokens(), generator.config().token_channels());
    let [images, ..] = recording.shape::<3>("tokens")?;
    let values = recording.shaped("tokens", &[images, tokens, channels])?;
    let labels = labels(recording, generator.config(), images)?;
    for state in recording.between("", ".mask")? {
        let masks = masks(recording, &recording.shaped(&format!("{state}.mask"), &[images, tokens])?)?;
        for half in ["cond", "uncond"] {
            let names = [("enc", "enc"), ("dec", "dec"), ("dec", "z")]
                .map(|(what, part)| (what, format!("{state}.{half}.{part}")));
            if !names.iter().any(|(_, name)| recording.has(name)) {
                continue;
            }
            let classes = if half == "cond" { labels.clone() } else { vec![None; images] };
            let (encoded, decoded) = compute(generator, &masks, &values, &classes)?;
            for (what, name) in names.iter().filter(|(_, name)| recording.has(name)) {
                let found = if *what == "enc" { &encoded } else { &decoded };
                checks.tensors(name, found, &recording.tensor(name)?, recording.tolerance_of(name, TOLERANCE))?;
            }
        }
    }
    Ok(())
}

/// Reads the classes of recorded images; `None` if no labels are recorded.
pub(super) fn labels(
    recording: &Recording,
    config: &MarConfig,
    images: usize,
) -> Result<Vec<Option<u32>>, BackendError> {
    if !recording.has("labels") {
        return Ok(vec![None; images]);
    }
    let labels = recording.u32s("labels")?;
    if labels.len() != images {
        return Err(recording.wrong(format!("expected {images} `labels`, one per image, found {}", labels.len())));
    }
    labels.into_iter().map(|label| Class::new(label, config).map(|class| Some(class.get()))).collect()
}

/// Masked and known positions of an image, in ascending order.
pub(super) struct Mask {
    pub(super) masked: Vec<u32>,
    pub(super) known: Vec<u32>,
}

/// Converts masks `[images, tokens]` of 0 (known) and 1 (masked). All images have the same number of known tokens.
pub(super) fn masks(recording: &Recording, masks: &Tensor) -> Result<Vec<Mask>, BackendError> {
    let rows: Vec<Vec<f32>> = masks.to_vec2().context("reading masks")?;
    if rows.iter().flatten().any(|value| *value != 0.0 && *value != 1.0) {
        return Err(recording.wrong("expected only 0 and 1 in a mask"));
    }
    let split = |row: Vec<f32>| {
        let (masked, known) = (0_u32..).zip(row).partition::<Vec<_>, _>(|(_, value)| *value > 0.5);
        let positions = |list: Vec<(u32, f32)>| list.into_iter().map(|(position, _)| position).collect();
        Mask { masked: positions(masked), known: positions(known) }
    };
    let masks: Vec<Mask> = rows.into_iter().map(split).collect();
    match masks.first() {
        Some(first) if masks.iter().all(|mask| mask.known.len() == first.known.len()) => Ok(masks),
        _ => Err(recording.wrong("expected the same number of known tokens in all images of a mask")),
    }
}

/// Returns the tokens at the known positions of each image, `[images, known, channels]`; `None` if no token is known.
pub(super) fn known_values(tokens: &Tensor, masks: &[Mask]) -> candle_core::Result<Option<Tensor>> {
    if masks.first().is_none_or(|mask| mask.known.is_empty()) {
        return Ok(None);
    }
    let images = masks
        .iter()
        .enumerate()
        .map(|(image, mask)| tokens.get(image)?.index_select(&Tensor::new(mask.known.as_slice(), tokens.device())?, 0));
    Tensor::stack(&images.collect::<candle_core::Result<Vec<_>>>()?, 0).map(Some)
}

/// Computes the encoder output and the conditioning vectors of all tokens for each image.
fn compute(
    generator: &MarGenerator,
    masks: &[Mask],
    tokens: &Tensor,
    classes: &[Option<u32>],
) -> Result<(Tensor, Tensor), BackendError> {
    let all: Vec<u32> = (0..).take(generator.config().tokens()).collect();
    let values = known_values(tokens, masks).context("selecting known tokens")?;
    let model = generator.model();
    let sequences = masks.iter().zip(classes);
    let sequences: Vec<_> =
        sequences.map(|(mask, &class)| Sequence { class, known: &mask.known, targets: &all }).collect();
    let encoded = model.encode(&sequences, values.as_ref())?;
    let decoded = model.decode(&sequences, &encoded)?;
    Ok((encoded, decoded))
}

/// Checks the conversion of tokens to latent images.
pub(super) fn unpatchify(
    recording: &Recording,
    generator: &mut MarGenerator,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    if !recording.has("latent_patchified") {
        return Ok(());
    }
    let (tokens, channels) = (generator.config().tokens(), generator.config().token_channels());
    let [images, ..] = recording.shape::<3>("latent_patchified")?;
    let patches = recording.shaped("latent_patchified", &[images, tokens, channels])?;
    if images == 0 {
        return Err(recording.wrong("`latent_patchified` has no images"));
    }
    let found = latents(generator, images, &patches)?;
    checks.exact_tensors("unpatchify", &found, &recording.tensor("latent_image")?)
}
