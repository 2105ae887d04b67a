//! `judge`: the built-in classifier of digits.

use candle_core::{DType, Tensor};

use super::checks::Checks;
use super::recording::Recording;
use crate::error::Context;
use crate::{BackendError, Judge, Picture};

pub(super) fn check(recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let [_, height, width] = recording.shape("images_u8")?;
    let images = recording.tensor("images_u8")?;
    let images: Vec<Vec<f32>> =
        images.to_dtype(DType::F32).and_then(|images| images.flatten_from(1)?.to_vec2()).context("reading pictures")?;
    let scaled = |image: Vec<f32>| image.into_iter().map(|value| value / 255.0).collect();
    let pictures = images.into_iter().map(|image| Picture::new(width, height, 1, scaled(image)));
    let verdict = Judge::new()?.judge(&pictures.collect::<Result<Vec<_>, _>>()?)?;
    let mut compare = |name: &str, found: &Tensor| {
        checks.tensors(name, found, &recording.tensor(name)?, recording.tolerance_of(name, 1e-4))
    };
    compare("features", &verdict.features)?;
    compare("logits", &verdict.logits)?;
    recording.skip("labels");
    Ok(())
}
