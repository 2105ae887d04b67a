//! `head`: the network of a diffusion head, layer by layer.

use candle_core::{D, Device, Tensor};

use super::checks::Checks;
use super::recording::Recording;
use crate::BackendError;
use crate::diffusion::{DiffusionHead, waves};
use crate::error::Context;

/// Tolerance stated in the README of the recordings.
const PARTS: f64 = 1e-5;
const GUIDED: f64 = 1e-4;

pub(super) fn check(recording: &Recording, head: &DiffusionHead, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let size = head.size();
    let [rows] = recording.shape("t")?;
    let timesteps = timesteps(recording, "t", rows)?;
    let x = recording.shaped("x", &[rows, size.channels])?;
    let c = recording.shaped("c", &[rows, size.condition])?;
    let frequencies: Vec<f32> = timesteps.iter().copied().flat_map(waves).collect();
    let frequencies = Tensor::from_vec(frequencies, (rows, ()), &Device::Cpu).context("embedding timesteps")?;
    if recording.has("t_freq") {
        let tolerance = recording.tolerance_of("t_freq", PARTS);
        checks.host_tensors("t_freq", &frequencies, &recording.tensor("t_freq")?, tolerance)?;
    }
    let mut compare = |name: &str, found: &Tensor, least: f64| -> Result<(), BackendError> {
        if recording.has(name) {
            checks.tensors(name, found, &recording.tensor(name)?, recording.tolerance_of(name, least))?;
        }
        Ok(())
    };
    let embedded_timesteps = head.embed_timesteps(&timesteps)?;
    compare("t_emb", &embedded_timesteps, PARTS)?;
    let conditions = head.embed_conditions(&c)?;
    compare("c_emb", &conditions, PARTS)?;
    let embedded = head.embed_tokens(&x)?;
    compare("h_in", &embedded, PARTS)?;
    let mut blocks = Vec::new();
    let out = head.trace(&embedded, &embedded_timesteps, &conditions, |block| blocks.push(block.narrow(0, 0, rows)))?;
    for (number, block) in blocks.into_iter().enumerate() {
        compare(&format!("h_block{number}"), &block.context("reading a block")?, PARTS)?;
    }
    compare("out", &out, PARTS)?;
    guided(recording, head, (&x, &c), checks)
}

/// Checks guidance. Both halves get the tokens of the first half.
fn guided(
    recording: &Recording,
    head: &DiffusionHead,
    (x, c): (&Tensor, &Tensor),
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    let scales = recording.between("cfg", ".out")?;
    if scales.is_empty() {
        return Ok(());
    }
    let rows = x.dims()[0];
    if !rows.is_multiple_of(2) {
        return Err(recording.wrong(format!("expected an even number of rows of `x` for guidance, found {rows}")));
    }
    let timesteps = timesteps(recording, if recording.has("cfg.t") { "cfg.t" } else { "t" }, rows)?;
    let half = x.narrow(0, 0, rows / 2).and_then(|half| Tensor::cat(&[&half, &half], 0)).context("joining halves")?;
    let (half, times) = (head.embed_tokens(&half)?, head.embed_timesteps(&timesteps)?);
    let out = head.predict(&half, &times, &head.embed_conditions(c)?)?;
    for text in scales {
        let name = format!("cfg{text}.out");
        let scale: f64 =
            text.parse().map_err(|_| recording.wrong(format!("expected a guidance scale in the name `{name}`")))?;
        let found = guide(&out, scale).context("guiding")?;
        checks.tensors(&name, &found, &recording.tensor(&name)?, recording.tolerance_of(&name, GUIDED))?;
    }
    Ok(())
}

/// Replaces the noise of both halves with the guided noise. The variances are not changed.
fn guide(out: &Tensor, scale: f64) -> candle_core::Result<Tensor> {
    let (rows, width) = out.dims2()?;
    let noise = out.narrow(D::Minus1, 0, width / 2)?;
    let (conditional, without) = (noise.narrow(0, 0, rows / 2)?, noise.narrow(0, rows / 2, rows / 2)?);
    let guided = (&without + ((conditional - &without)? * scale)?)?;
    let variance = out.narrow(D::Minus1, width / 2, width / 2)?;
    Tensor::cat(&[&Tensor::cat(&[&guided, &guided], 0)?, &variance], D::Minus1)
}

/// Reads recorded timesteps, each below 1000.
pub(super) fn timesteps(recording: &Recording, name: &str, rows: usize) -> Result<Vec<u32>, BackendError> {
    let timesteps = recording.u32s(name)?;
    match timesteps.iter().find(|timestep| **timestep > 999) {
        Some(above) => Err(recording.wrong(format!("expected timesteps of 0 to 999 in `{name}`, found {above}"))),
        None if timesteps.len() != rows => {
            let rows = gtr_core::count(rows, "timestep");
            Err(recording.wrong(format!("expected {rows} in `{name}`, found {}", timesteps.len())))
        }
        None => Ok(timesteps),
    }
}
