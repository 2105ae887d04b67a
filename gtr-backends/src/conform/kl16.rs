//! `vae_kl16_*`: the encoder and the decoder of an autoencoder.

use candle_core::Tensor;

use super::checks::Checks;
use super::folder::Folder;
use super::recording::{Recording, ending};
use crate::BackendError;
use crate::checkpoint::Checkpoint;
use crate::error::Context;
use crate::vae::{KlDecoder, KlEncoder};

/// Tolerance stated in the README of the recordings.
const TOLERANCE: f64 = 1e-4;
/// Largest image that is checked, in pixels. For larger images a decoder needs gigabytes of memory.
const MOST_PIXELS: usize = 1 << 20;

#[expect(clippy::unnecessary_wraps, reason = "the signature of the table")]
pub(super) fn check(folder: &Folder, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    folder.each(checks, |stem, checks| {
        if stem.starts_with("weights") || stem.starts_with("checkpoint") {
            return Ok(());
        }
        if !stem.starts_with("golden") {
            checks.note("not checked: unknown name");
            return Ok(());
        }
        let recording = folder.open(stem)?;
        if recording.has("latent") {
            decode(&recording, &KlDecoder::load(open(folder, "decoder")?, &folder.compute)?, checks)?;
        }
        if recording.has("enc.image") {
            encode(&recording, &KlEncoder::load(open(folder, "encoder")?, &folder.compute)?, checks)?;
        }
        checks.unused(&recording);
        Ok(())
    });
    Ok(())
}

/// Opens the weights of the encoder or decoder, which may be in one file or in two.
fn open(folder: &Folder, half: &str) -> Result<Checkpoint, BackendError> {
    let first = format!("{half}.conv_in.weight");
    for stem in folder.all("weights").chain(folder.all("checkpoint")) {
        let files = ["safetensors", "pth"].map(|kind| ending(&folder.path.join(stem), kind));
        for file in files.iter().filter(|file| file.exists()) {
            let checkpoint = Checkpoint::open(file)?;
            if checkpoint.info(&first).is_some() {
                return Ok(checkpoint);
            }
        }
    }
    Err(folder.wrong(format!("no weights next to the recordings have the tensor `{first}`")))
}

fn decode(recording: &Recording, decoder: &KlDecoder, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let [_, _, rows, columns] = recording.shape("latent")?;
    let side = decoder.size().stride();
    bounded(recording, "latent", rows.saturating_mul(side), columns.saturating_mul(side))?;
    let latent = recording.tensor("latent")?;
    if recording.has("post_quant") {
        compare(recording, checks, "post_quant", &decoder.post_quant(&latent)?)?;
    }
    compare(recording, checks, "image", &decoder.decode(&latent)?)
}

fn encode(recording: &Recording, encoder: &KlEncoder, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let [_, _, rows, columns] = recording.shape("enc.image")?;
    bounded(recording, "enc.image", rows, columns)?;
    let image = recording.tensor("enc.image")?;
    let mut parts = Vec::new();
    let moments = encoder.trace(&image, |part, x| parts.push((format!("enc.{part}"), x.clone())))?;
    parts.push(("enc.moments".to_owned(), moments));
    let moments = encoder.encode(&image)?;
    let deviation = (&moments.log_variance / 2.0).and_then(|half| half.exp()).context("encoding images")?;
    parts.push(("enc.std".to_owned(), deviation));
    if recording.has("enc.noise") {
        let noise = recording.shaped("enc.noise", moments.mean.dims())?;
        parts.push(("enc.sample".to_owned(), moments.sample(&noise)?));
    }
    parts.push(("enc.mean".to_owned(), moments.mean));
    parts.push(("enc.logvar".to_owned(), moments.log_variance));
    for (name, found) in parts.iter().filter(|(name, _)| recording.has(name)) {
        compare(recording, checks, name, found)?;
    }
    Ok(())
}

fn compare(recording: &Recording, checks: &mut Checks<'_>, name: &str, found: &Tensor) -> Result<(), BackendError> {
    // Rounding noise is recorded for the whole encoder and the whole decoder only.
    let half = if name.starts_with("enc.") { "moments" } else { "image" };
    checks.tensors(name, found, &recording.tensor(name)?, recording.tolerance_of(half, TOLERANCE))
}

fn bounded(recording: &Recording, name: &str, rows: usize, columns: usize) -> Result<(), BackendError> {
    if rows.saturating_mul(columns) > MOST_PIXELS {
        return Err(recording
            .wrong(format!("expected images of at most {MOST_PIXELS} pixels from `{name}`, found {rows}x{columns}")));
    }
    Ok(())
}
