//! `sample`: whole recorded runs, both step by step from the recorded states and from start to end.

use candle_core::Tensor;
use gtr_core::diffusion::Constant;
use gtr_core::order::Random;
use gtr_core::pace::Cosine;
use gtr_core::{
    ArSteps, Guidance, GuidanceSchedule, HeadRow, ImageIndex, MaskedGenerator, Registry, Schedule, StepContext,
    Targets, TokenIndex, detail,
};

use super::chains::{Call, NoiseNames, draw, first_rows, halves, timesteps};
use super::checks::Checks;
use super::model::{Recorded, sizes};
use super::recording::Recording;
use super::report::Tolerance;
use super::transformer::{Mask, known_values, masks};
use crate::BackendError;
use crate::diffusion::Conditions;
use crate::error::Context;
use crate::latent::{Canvas, LatentGenerator};

/// A recorded run with the parameters to replay it.
struct Run<'a, B> {
    recording: &'a Recording,
    generator: &'a mut LatentGenerator<B>,
    call: Call,
    images: usize,
    guided: bool,
    /// Masks before each step, and an empty mask after the last step.
    masks: Vec<Vec<Mask>>,
    /// Guidance scale of each step.
    scales: Vec<f64>,
    /// Tolerance of conditioning vectors.
    features: f64,
}

/// Checks a recorded run. `features` is the tolerance of conditioning vectors.
pub(super) fn check<B: Recorded>(
    recording: &Recording,
    generator: &mut LatentGenerator<B>,
    features: f64,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    let map = recording.json.get("timestep_map");
    let Some(timesteps) = timesteps(recording, recording.value("/call/num_sampling_steps")?, map, checks)? else {
        recording.names()?.iter().for_each(|name| recording.skip(name));
        return Ok(());
    };
    let tokens = generator.grid().tokens();
    let [steps, images, _] = recording.shape("mask_before")?;
    if steps == 0 || images == 0 {
        return Err(recording.wrong("it has no steps or no images"));
    }
    let recorded = recording.shaped("mask_before", &[steps, images, tokens])?;
    let mut all = Vec::with_capacity(steps + 1);
    for step in 0..steps {
        all.push(masks(recording, &recorded.get(step).context("reading masks")?)?);
    }
    let known: Vec<u32> = (0..).take(tokens).collect();
    all.push((0..images).map(|_| Mask { masked: Vec::new(), known: known.clone() }).collect());
    let scale = recording.number("/call/cfg")?;
    let scales = if recording.has("cfg_iter") { recording.f64s("cfg_iter")? } else { scales(recording)? };
    if scales.len() != steps {
        return Err(recording.wrong(format!(
            "expected {} in `cfg_iter`, found {}",
            gtr_core::count(steps, "scale"),
            scales.len()
        )));
    }
    let temperature = recording.number("/call/temperature")?;
    let call = Call { timesteps, guidance: scale, temperature };
    let guided = scale != 1.0;
    let mut run = Run { recording, generator, call, images, guided, masks: all, scales, features };
    run.schedule(checks)?;
    run.step_by_step(checks)?;
    run.free_running(checks)
}

fn scales(recording: &Recording) -> Result<Vec<f64>, BackendError> {
    let list = recording.value("/cfg_iter")?.as_array().cloned().unwrap_or_default();
    Ok(list.iter().filter_map(serde_json::Value::as_f64).collect())
}

impl<B: Recorded> Run<'_, B> {
    fn steps(&self) -> usize {
        self.scales.len()
    }

    /// Compares orders, masks, step sizes and guidance scales.
    fn schedule(&self, checks: &mut Checks<'_>) -> Result<(), BackendError> {
        let (recording, tokens, steps) = (self.recording, self.generator.grid().tokens(), self.steps());
        let left: Vec<usize> = self.masks[1..].iter().map(|images| images[0].masked.len().max(1)).collect();
        if recording.has("mask_len") {
            checks.exact("mask_len", &left, &recording.whole("mask_len")?);
        }
        match self.cosine(checks.inputs.registry) {
            Some(planned) => checks.exact("cosine pace", &planned, &left),
            None => checks.note("the pace is not checked: it is not a cosine with at least one token per step"),
        }
        if recording.has("orders") {
            recording.shaped("orders", &[self.images, tokens])?;
            let orders = recording.whole("orders")?;
            for (image, order) in orders.chunks_exact(tokens).enumerate() {
                for step in 0..=steps {
                    let masked = &self.masks[step][image].masked;
                    let mut expected = order[..masked.len()].to_vec();
                    expected.sort_unstable();
                    let masked: Vec<usize> = masked.iter().map(|&token| token as usize).collect();
                    checks.exact("masks", &masked, &expected);
                }
            }
        }
        let schedule = recording.value("/call/cfg_schedule")?.as_str().and_then(|name| name.parse().ok());
        let schedule: GuidanceSchedule =
            schedule.ok_or_else(|| recording.wrong("expected linear or constant as `cfg_schedule`"))?;
        let guidance =
            Guidance::new(self.call.guidance, schedule).map_err(|error| recording.wrong(error.to_string()))?;
        let found: Vec<f64> = left.iter().map(|&masked| guidance.at(tokens, masked)).collect();
        checks.numbers("cfg_iter", &found, &self.scales, Tolerance::Relative(1e-6));
        Ok(())
    }

    /// Returns the number of masked tokens after each step of a cosine pace. As in the reference, at least one is
    /// masked.
    fn cosine(&self, registry: &Registry) -> Option<Vec<usize>> {
        let steps = ArSteps::new(u32::try_from(self.steps()).ok()?).ok()?;
        let schedule = Schedule::of(Random {}, Cosine { steps }, Constant::default(), detail::None {});
        let plan = schedule.plan(self.generator.grid(), registry).ok()?.plan;
        let mut left = self.generator.grid().tokens();
        let after = plan.steps().iter().map(|step| {
            left -= step.tokens();
            left.max(1)
        });
        Some(after.collect())
    }

    fn targets(&self, images: &[Vec<u32>]) -> Result<Targets, BackendError> {
        let first = images.first().map_or(0, Vec::len);
        if first == 0 || images.iter().any(|image| image.len() != first) {
            return Err(self
                .recording
                .wrong("expected each step to generate the same number of tokens, at least one, in each image"));
        }
        let token = |&position: &u32| {
            self.generator.grid().token(position as usize).map_err(|error| self.recording.wrong(error.to_string()))
        };
        let tokens = images.iter().map(|image| image.iter().map(token).collect::<Result<Vec<TokenIndex>, _>>());
        let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
        Ok(Targets::new(tokens.iter().map(Vec::as_slice)))
    }

    /// Returns the tokens that a step generates: masked before it, known after it.
    fn generated(&self, step: usize) -> Result<Targets, BackendError> {
        let images = self.masks[step].iter().zip(&self.masks[step + 1]).map(|(before, after)| {
            before.masked.iter().copied().filter(|token| after.known.binary_search(token).is_ok()).collect()
        });
        self.targets(&images.collect::<Vec<_>>())
    }

    /// Reads the recorded tokens before a step, or after the last step: `[images, tokens, channels]`.
    fn recorded(&self, step: usize) -> Result<Tensor, BackendError> {
        let (tokens, (channels, _)) = (self.generator.grid().tokens(), sizes(self.generator));
        if step == self.steps() {
            return self.recording.shaped("tokens_final", &[self.images, tokens, channels]);
        }
        let all = self.recording.shaped("tokens_before", &[self.steps(), self.images, tokens, channels])?;
        all.get(step).context("reading tokens")
    }

    /// Creates the recorded state before a step.
    fn state(&mut self, step: usize) -> Result<Canvas<B::Prompt>, BackendError> {
        let mut canvas = self.generator.model().empty(self.recording, self.images, self.guided)?;
        let values = known_values(&self.recorded(step)?, &self.masks[step]).context("selecting known tokens")?;
        if let Some(values) = values {
            let known: Vec<Vec<u32>> = self.masks[step].iter().map(|mask| mask.known.clone()).collect();
            let targets = self.targets(&known)?;
            let values = values.flatten_to(1).context("selecting known tokens")?;
            self.generator.commit(&mut canvas, &targets, values)?;
        }
        Ok(canvas)
    }

    /// Samples the values of a step with the recorded noise.
    fn draw(&mut self, step: usize, features: &Conditions, targets: &Targets) -> Result<Tensor, BackendError> {
        let row = |image, &token: &TokenIndex| HeadRow { image: ImageIndex(image), token, group: 0 };
        let rows = (0_u64..).zip(targets.by_image());
        let rows: Vec<HeadRow> = rows.flat_map(|(image, tokens)| tokens.iter().map(move |t| row(image, t))).collect();
        let names = NoiseNames { first: format!("step{step}.init_noise"), rest: format!("step{step}.noise") };
        let call = Call { timesteps: self.call.timesteps.clone(), guidance: self.scales[step], ..self.call };
        let (channels, _) = sizes(self.generator);
        let generator = &mut *self.generator;
        draw(self.recording, &rows, &names, &call, channels, |request| generator.denoise(features, request))
    }

    fn context(&self, step: usize) -> StepContext {
        let known = self.masks[step].first().map_or(0, |mask| mask.known.len());
        let context = StepContext::single(self.generator.grid().tokens(), known);
        StepContext { index: step, steps: self.steps(), guidance: self.scales[step], ..context }
    }

    fn step_by_step(&mut self, checks: &mut Checks<'_>) -> Result<(), BackendError> {
        let (recording, (channels, width)) = (self.recording, sizes(self.generator));
        let tolerance = recording.chain_tolerance("output", &recording.tensor("output")?)?;
        for step in 0..self.steps() {
            let (mut canvas, targets) = (self.state(step)?, self.generated(step)?);
            let rows = targets.rows().len();
            let features = self.generator.features(&mut canvas, &targets, &self.context(step))?;
            let halves = halves(recording, &format!("step{step}.z"), rows, width, self.guided)?;
            checks.tensors("z", &features.conditional, &halves.conditional, self.features)?;
            if let (Some(found), Some(expected)) = (&features.unconditional, &halves.unconditional) {
                checks.tensors("z, unconditional", found, expected, self.features)?;
            }
            let drawn = self.draw(step, &halves, &targets)?;
            let expected = first_rows(recording, &format!("step{step}.sampled"), &[], rows, channels)?;
            checks.tensors("sampled", &drawn, &expected, tolerance)?;
            let after = written(&self.recorded(step)?, &targets, &drawn).context("writing tokens")?;
            checks.tensors("tokens after a step", &after, &self.recorded(step + 1)?, tolerance)?;
        }
        Ok(())
    }

    fn free_running(&mut self, checks: &mut Checks<'_>) -> Result<(), BackendError> {
        if !checks.whole_runs() {
            self.recording.skip("output");
            return Ok(());
        }
        let mut canvas = self.generator.model().empty(self.recording, self.images, self.guided)?;
        for step in 0..self.steps() {
            let targets = self.generated(step)?;
            let features = self.generator.features(&mut canvas, &targets, &self.context(step))?;
            let drawn = self.draw(step, &features, &targets)?;
            self.generator.commit(&mut canvas, &targets, drawn)?;
        }
        let expected = self.recording.tensor("output")?;
        let tolerance = self.recording.chain_tolerance("output", &expected)?;
        checks.tensors("output", &self.generator.latents(&canvas)?, &expected, tolerance)
    }
}

/// Returns tokens `[images, tokens, channels]`, with the values of the targets replaced.
fn written(tokens: &Tensor, targets: &Targets, values: &Tensor) -> candle_core::Result<Tensor> {
    let (_, count, channels) = tokens.dims3()?;
    let (mut all, values): (Vec<f32>, Vec<f32>) = (tokens.flatten_all()?.to_vec1()?, values.flatten_all()?.to_vec1()?);
    let places = targets.by_image().enumerate();
    let places = places.flat_map(|(image, tokens)| tokens.iter().map(move |token| image * count + token.index()));
    for (place, value) in places.zip(values.chunks_exact(channels)) {
        all[place * channels..][..channels].copy_from_slice(value);
    }
    Tensor::from_vec(all, tokens.shape(), tokens.device())
}
