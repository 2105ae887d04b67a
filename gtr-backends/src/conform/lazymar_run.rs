//! A recorded run with reuse: its plan, its states, and comparison of the tokens that a step keeps.

use candle_core::Tensor;
use gtr_core::diffusion::Constant;
use gtr_core::order::Random;
use gtr_core::pace::Cosine;
use gtr_core::{
    ArSteps, AxisConfig, AxisName, CachedParts, Denoise, HeadRow, ImageIndex, MaskedGenerator, Plan, Pruning, Registry,
    Schedule, StepContext, StepReuse, Targets, Timesteps, TokenIndex, detail,
};
use serde_json::Value;

use super::chains::{first_rows, timesteps};
use super::checks::Checks;
use super::model::sizes;
use super::noise::RecordedNoise;
use super::recording::{Recording, magnitude, whole_list};
use super::transformer::{Mask, known_values, labels, masks};
use crate::BackendError;
use crate::diffusion::Conditions;
use crate::error::Context;
use crate::mar::{Canvas, Class, MarGenerator};

/// Tolerance of the similarities by which tokens are selected.
pub(super) const SCORES: f64 = 2e-4;
/// Tolerance of token values that are sampled from recorded conditioning vectors.
const SAMPLES: f64 = 5e-4;
/// Tolerance of conditioning vectors.
pub(super) const VECTORS: f64 = 1e-3;

/// A recorded run. Values and noise of some steps may be missing.
pub(super) struct LazyRun<'a> {
    pub(super) recording: &'a Recording,
    pub(super) images: usize,
    labels: Vec<Option<u32>>,
    /// Masks before each step, and an empty mask after the last step.
    masks: Vec<Vec<Mask>>,
    /// Targets of each step, for each image.
    now: Vec<Vec<Vec<u32>>>,
    /// Guidance scale of each step.
    scales: Vec<f64>,
    /// Values of all tokens after the run, `[images, tokens, channels]`.
    tokens: Tensor,
    reuse: Vec<Option<StepReuse>>,
}

impl<'a> LazyRun<'a> {
    pub(super) fn open(
        recording: &'a Recording,
        generator: &MarGenerator,
        registry: &Registry,
    ) -> Result<Self, BackendError> {
        let (tokens, (channels, _)) = (generator.grid().tokens(), sizes(generator));
        let [steps, images, _] = recording.shape("mask_before")?;
        let read = |name: &str| -> Result<Vec<Vec<Mask>>, BackendError> {
            let all = recording.shaped(name, &[steps, images, tokens])?;
            (0..steps).map(|step| masks(recording, &all.get(step).context("reading masks")?)).collect()
        };
        let mut masks = read("mask_before")?;
        let known: Vec<u32> = (0..).take(tokens).collect();
        masks.push((0..images).map(|_| Mask { masked: Vec::new(), known: known.clone() }).collect());
        let now = read("now")?.into_iter().map(|images| images.into_iter().map(|mask| mask.masked).collect()).collect();
        let scales = recording.f64s("cfg_iter")?;
        if scales.len() != steps || steps == 0 || images == 0 {
            return Err(recording.wrong("its numbers of steps do not agree, or it has no images"));
        }
        let reuse = plan(recording, generator, steps, registry)?.reuse(scales.iter().map(|scale| *scale != 1.0));
        Ok(Self {
            recording,
            images,
            labels: labels(recording, generator.config(), images)?,
            masks,
            now,
            scales,
            tokens: recording.shaped("tokens_final", &[images, tokens, channels])?,
            reuse,
        })
    }

    pub(super) fn steps(&self) -> usize {
        self.scales.len()
    }

    /// Final values of all tokens, `[images, tokens, channels]`.
    pub(super) fn tokens(&self) -> &Tensor {
        &self.tokens
    }

    /// Class, known tokens before a step, and targets of an image.
    pub(super) fn image(&self, step: usize, image: usize) -> (Option<u32>, &[u32], &[u32]) {
        (self.labels[image], &self.masks[step][image].known, &self.now[step][image])
    }

    /// Targets of the step before, for an image; none before the first step.
    pub(super) fn previous(&self, step: usize, image: usize) -> &[u32] {
        step.checked_sub(1).map_or(&[], |before| &self.now[before][image])
    }

    /// Parts that a step takes from earlier steps.
    pub(super) fn cached(&self, step: usize) -> Option<CachedParts> {
        self.reuse[step].and_then(|reuse| reuse.cached)
    }

    /// How a step selects tokens.
    pub(super) fn pruning(&self, step: usize) -> Option<Pruning> {
        self.cached(step)?.decoder
    }

    pub(super) fn context(&self, step: usize, reuses: bool) -> StepContext {
        let known = self.masks[step][0].known.len();
        StepContext {
            index: step,
            steps: self.steps(),
            guidance: self.scales[step],
            reuse: self.reuse[step].filter(|_| reuses),
            // What every step keeps is compared with the recording.
            keeps: reuses,
            ..StepContext::single(self.masks[step][0].masked.len() + known, known)
        }
    }

    /// Compares everything that the plan determines.
    pub(super) fn schedule(&self, checks: &mut Checks<'_>) -> Result<(), BackendError> {
        let (recording, tokens) = (self.recording, self.masks[self.steps()][0].known.len());
        let complete: Vec<usize> = (0..self.steps()).filter(|&step| self.cached(step).is_none()).collect();
        let recorded = recording.whole("full")?;
        let recorded: Vec<usize> = (0..).zip(recorded).filter(|(_, full)| *full == 1).map(|(step, _)| step).collect();
        checks.exact("complete steps", &complete, &recorded);
        for step in 0..self.steps() {
            let counts = recording.value(&format!("/per_step/{step}"))?;
            let now = self.now[step][0].len();
            if let (Some(pruning), Some(kept)) = (self.pruning(step), counts.get("kept").and_then(Value::as_u64)) {
                let buffer = recording.number("/constants/buffer")?;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of tokens")]
                let found = pruning.kept(tokens + buffer as usize, now + self.previous(step, 0).len());
                checks.exact("number of kept tokens", &[found], &[usize::try_from(kept).unwrap_or(usize::MAX)]);
            }
        }
        let plan_targets: Vec<usize> = self.now.iter().map(|images| images[0].len()).collect();
        let counts = recording.value("/tokens_predicted_per_step_per_image")?;
        checks.exact("targets", &plan_targets, &whole_list(counts).unwrap_or_default());
        recording.skip("mask_len");
        recording.skip("orders");
        recording.skip("output");
        recording.skip("prev");
        if recording.has("tokens_before") {
            self.tokens_before(checks)?;
        }
        Ok(())
    }

    /// Checks that a token that is known does not change any more.
    fn tokens_before(&self, checks: &mut Checks<'_>) -> Result<(), BackendError> {
        let all = self.recording.tensor("tokens_before")?;
        for step in 0..self.steps() {
            let before = all.get(step).context("reading tokens")?;
            let [found, expected] = [&self.tokens, &before].map(|tokens| known_values(tokens, &self.masks[step]));
            let both = found.context("selecting known tokens")?.zip(expected.context("selecting known tokens")?);
            if let Some((found, expected)) = both {
                checks.exact_tensors("known tokens", &found, &expected)?;
            }
        }
        Ok(())
    }

    /// Creates a canvas without known tokens, with the first `images` images.
    pub(super) fn empty(&self, generator: &MarGenerator, images: usize) -> Result<Canvas, BackendError> {
        let class = |label: Option<u32>| label.map(|label| Class::new(label, generator.config())).transpose();
        Ok(Canvas::new(self.labels.iter().take(images).map(|label| class(*label)).collect::<Result<_, _>>()?, true))
    }

    /// Creates the recorded state of the first `images` images before a step.
    pub(super) fn state(
        &self,
        generator: &mut MarGenerator,
        step: usize,
        images: usize,
    ) -> Result<Canvas, BackendError> {
        let mut canvas = self.empty(generator, images)?;
        for before in 0..step {
            self.write(generator, &mut canvas, before, images)?;
        }
        Ok(canvas)
    }

    /// Writes the recorded values of the targets of a step.
    pub(super) fn write(
        &self,
        generator: &mut MarGenerator,
        canvas: &mut Canvas,
        step: usize,
        images: usize,
    ) -> Result<(), BackendError> {
        let targets = self.targets(generator, step, images)?;
        let values = targets.by_image().enumerate().map(|(image, targets)| {
            let places: Vec<u32> = targets.iter().map(|token| token.get()).collect();
            self.tokens.get(image)?.index_select(&Tensor::new(places.as_slice(), self.tokens.device())?, 0)
        });
        let values = values.collect::<candle_core::Result<Vec<_>>>().and_then(|values| Tensor::cat(&values, 0));
        generator.commit(canvas, &targets, values.context("selecting tokens")?)
    }

    /// Targets of a step, of the first `images` images.
    pub(super) fn targets(
        &self,
        generator: &MarGenerator,
        step: usize,
        images: usize,
    ) -> Result<Targets, BackendError> {
        let first = self.now[step][0].len();
        if first == 0 || self.now[step].iter().any(|image| image.len() != first) {
            return Err(self.recording.wrong("expected the same number of targets in each image, at least one"));
        }
        let token = |&position: &u32| {
            generator.grid().token(position as usize).map_err(|error| self.recording.wrong(error.to_string()))
        };
        let images = self.now[step].iter().take(images);
        let tokens = images.map(|image| image.iter().map(token).collect::<Result<Vec<TokenIndex>, _>>());
        let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
        Ok(Targets::new(tokens.iter().map(Vec::as_slice)))
    }

    /// Returns true if the noise of a step is recorded.
    pub(super) fn has_noise(&self, step: usize) -> bool {
        self.recording.has(&format!("step{step}.noise"))
    }

    /// Samples the targets of a step with the recorded noise.
    pub(super) fn draw(
        &self,
        generator: &mut MarGenerator,
        step: usize,
        features: &Conditions,
        reuses: bool,
        checks: &mut Checks<'_>,
    ) -> Result<Tensor, BackendError> {
        let (recording, (channels, _)) = (self.recording, sizes(generator));
        let targets = self.targets(generator, step, self.images)?;
        let rows = (0..).zip(targets.by_image());
        let row = |image, &token: &TokenIndex| HeadRow { image: ImageIndex(image), token, group: 0 };
        let rows: Vec<HeadRow> = rows.flat_map(|(image, tokens)| tokens.iter().map(move |t| row(image, t))).collect();
        let timesteps = self.timesteps(checks)?;
        let first = recording.shaped(&format!("step{step}.init_noise"), &[rows.len(), channels])?;
        let rest = format!("step{step}.noise");
        let [draws, stride, width] = recording.shape(&rest)?;
        if draws < timesteps.evaluations() || stride < rows.len() || width != channels {
            return Err(recording.wrong(format!("`{rest}` is {:?}, which is too small", [draws, stride, width])));
        }
        let noise = RecordedNoise::new(&rows, &first, &recording.tensor(&rest)?)?;
        let context = self.context(step, reuses);
        let solver = &gtr_core::solver::Ddpm {};
        let timesteps = &[timesteps];
        generator.denoise(features, &Denoise { timesteps, rows: &rows, step: &context, solver, noise: &noise })
    }

    fn timesteps(&self, checks: &mut Checks<'_>) -> Result<Timesteps, BackendError> {
        let (recording, respacing) = (self.recording, self.recording.value("/call/num_sampling_steps")?);
        let found = timesteps(recording, respacing, recording.json.get("timestep_map"), checks)?;
        found.ok_or_else(|| recording.wrong("its respacing is not a number of steps"))
    }
}

/// Compares sampled values with those of `recording`.
pub(super) fn sampled(
    recording: &Recording,
    step: usize,
    drawn: &Tensor,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    let (rows, channels) = drawn.dims2().context("reading results")?;
    let expected = first_rows(recording, &format!("step{step}.sampled"), &[], rows, channels)?;
    checks.tensors("sampled", drawn, &expected, SAMPLES)
}

/// Returns the plan of a recorded run; its reuse has the recorded constants.
fn plan(
    recording: &Recording,
    generator: &MarGenerator,
    steps: usize,
    registry: &Registry,
) -> Result<Plan, BackendError> {
    let wrong = |error: String| recording.wrong(error);
    let constant = |name: &str| recording.value(&format!("/constants/{name}")).cloned();
    let steps = ArSteps::new(u32::try_from(steps).unwrap_or(u32::MAX)).map_err(|error| wrong(error.to_string()))?;
    let mut schedule = Schedule::of(Random {}, Cosine { steps }, Constant::default(), detail::None {});
    let lazymar = AxisConfig::new("lazymar")
        .with("complete_steps", constant("start_step")?)
        .with("refresh_period", constant("fresh_t")?)
        .with("decoder_block", constant("prune_after_decoder_layer")?)
        .with("decoder_slack", constant("slack")?)
        .with("head_period", constant("head_refresh_period")?);
    schedule.set_axis(AxisName::Reuse, lazymar);
    let planned = schedule.plan(generator.grid(), registry).map_err(|error| wrong(error.to_string()))?;
    Ok(planned.plan)
}

/// Compares the rows that a step has kept of an image with the recorded ones. Rows whose recorded similarities are within
/// the tolerance of the last kept one may be exchanged. Returns true if rows were exchanged.
pub(super) fn kept(
    checks: &mut Checks<'_>,
    selected: Option<&[usize]>,
    recorded: &Tensor,
    scores: &Tensor,
) -> Result<bool, BackendError> {
    let most = checks.allowed(SCORES, magnitude(scores)?);
    let list = |tensor: &Tensor| tensor.to_vec1::<f32>().context("reading kept tokens");
    let (recorded, scores) = (list(recorded)?, list(scores)?);
    let expected: Vec<bool> = recorded.iter().map(|kept| *kept > 0.5).collect();
    let mut found = vec![selected.is_none(); expected.len()];
    selected.unwrap_or_default().iter().for_each(|&row| found[row] = true);
    let kept_scores = scores.iter().zip(&expected).filter(|(_, kept)| **kept).map(|(score, _)| f64::from(*score));
    let cut = kept_scores.fold(f64::NEG_INFINITY, f64::max);
    let count = |list: &[bool]| list.iter().filter(|kept| **kept).count();
    let (tolerant, mut exchanged) = (count(&found) == count(&expected), false);
    for ((found, expected), score) in found.iter_mut().zip(&expected).zip(&scores) {
        if tolerant && *found != *expected && (f64::from(*score) - cut).abs() <= most {
            (*found, exchanged) = (*expected, true);
        }
    }
    let numbers = |list: &[bool]| list.iter().map(|kept| usize::from(*kept)).collect::<Vec<_>>();
    checks.exact("kept", &numbers(&found), &numbers(&expected));
    Ok(exchanged)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::Families;
    use crate::conform::report::ConformReport;
    use crate::conform::{Inputs, Options};

    /// Compares the rows of six that a step has kept; the recording keeps rows 0, 1 and 2. Returns whether rows were
    /// exchanged and whether the comparison passed.
    fn compare(selected: &[usize]) -> (bool, bool) {
        let row = |values: [f32; 6]| Tensor::new(&values, &Device::Cpu).unwrap();
        let (recorded, scores) = (row([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), row([0.0, 0.4, 0.5, 0.5001, 0.502, 0.9]));
        let (mut report, options) = (ConformReport::default(), Options::default());
        let (registry, families) = (Registry::builtin(), Families::builtin());
        let inputs = Inputs { options: &options, registry: &registry, families: &families };
        let mut checks = Checks::new(&mut report, &inputs, "test");
        let exchanged = kept(&mut checks, Some(selected), &recorded, &scores).unwrap();
        (exchanged, report.passed())
    }

    #[test]
    fn only_rows_at_the_cut_may_be_exchanged() {
        assert_eq!(compare(&[0, 1, 2]), (false, true));
        assert_eq!(compare(&[0, 1, 3]), (true, true));
        assert!(!compare(&[0, 1, 4]).1);
        assert!(!compare(&[0, 2, 3]).1);
        assert_eq!(compare(&[0, 1, 2, 3]), (false, false));
        assert_eq!(compare(&[0, 1]), (false, false));
    }
}
