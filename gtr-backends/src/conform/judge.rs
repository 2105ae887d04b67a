//! `judge`: the built-in classifier of digits, and the metrics based on it.

use candle_core::{DType, Device, Tensor};

use super::Tolerance;
use super::checks::Checks;
use super::recording::Recording;
use crate::error::Context;
use crate::judge::{CLASSES, Classification, FEATURES, Frechet, Moments, Reference, inception_score};
use crate::{BackendError, Judge, Picture};

/// Tolerance of scores whose inputs are recorded in f64.
const EXACT: f64 = 1e-9;
/// Tolerance of scores of features that are computed here, in f32.
const COMPUTED: f64 = 1e-5;

pub(super) fn check(recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let judge = Judge::new()?;
    let verdicts = seen(recording, &judge)?;
    let mut compare = |name: &str, width: usize, values: Vec<f32>| {
        let found = Tensor::from_vec(values, (verdicts.len(), width), &Device::Cpu).context("reading verdicts")?;
        checks.host_tensors(name, &found, &recording.tensor(name)?, recording.tolerance_of(name, 1e-4))
    };
    compare("features", FEATURES, verdicts.iter().flat_map(|it| it.features).collect())?;
    compare("logits", CLASSES, verdicts.iter().flat_map(|it| it.logits).collect())?;
    let mut score = |name: &str, found: f64, tolerance: f64| -> Result<(), BackendError> {
        checks.numbers(name, &[found], &[recording.number(&format!("/{name}"))?], Tolerance::Relative(tolerance));
        Ok(())
    };
    let set = |name: &str| Moments::of(&recording.f64s(name)?, recording.shape::<2>(name)?[1]);
    score("frechet_a_b", Frechet::from(&set("set_a")?).to(&set("set_b")?)?, EXACT)?;
    let features: Vec<f64> = verdicts.iter().flat_map(|it| it.features.map(f64::from)).collect();
    let distance = Frechet::from(judge.reference(Reference::All)).to(&Moments::of(&features, FEATURES)?)?;
    score("frechet_64_digits_vs_reference", distance, COMPUTED)?;
    let logits: Vec<[f32; CLASSES]> = verdicts.iter().map(|verdict| verdict.logits).collect();
    score("inception_score_64_digits", inception_score(&logits), COMPUTED)?;
    recording.skip("labels");
    Ok(())
}

/// Classifies the recorded images.
fn seen(recording: &Recording, judge: &Judge) -> Result<Vec<Classification>, BackendError> {
    let [_, height, width] = recording.shape("images_u8")?;
    let images = recording.tensor("images_u8")?;
    let images: Vec<Vec<f32>> =
        images.to_dtype(DType::F32).and_then(|images| images.flatten_from(1)?.to_vec2()).context("reading images")?;
    let scaled = |image: Vec<f32>| image.into_iter().map(|value| value / 255.0).collect();
    let pictures = images.into_iter().map(|image| Picture::new(width, height, 1, scaled(image)));
    judge.judge(&pictures.collect::<Result<Vec<_>, _>>()?)
}
