//! Traces: replay of a run of this program with its recorded noise.

use std::path::Path;

use candle_core::{Device, Tensor};
use gtr_core::detail::Candidates;
use gtr_core::erased::{AnyCanvas, AnyPrompt};
use gtr_core::sampler::Settings;
use gtr_core::{
    AxisName, Denoise, Grid, HeadRow, ImageIndex, MaskedGenerator, Noise, NoiseSource, Plan, Registry, Solver, Step,
    StepContext, Stream, StreamPurpose, Targets, Timesteps, TokenIndex,
};

use super::checks::Checks;
use super::noise::RecordedNoise;
use super::recording::{Recording, magnitude};
use super::report::Tolerance;
use crate::checkpoint::{Checkpoint, Wanted};
use crate::diffusion::Conditions;
use crate::error::Context;
use crate::family::OpenOptions;
use crate::layers::index;
use crate::model::AnyModel;
use crate::models::Files;
use crate::prompt::PromptInput;
use crate::trace::{Description, FORMAT};
use crate::{BackendError, Compute, device_kind};

/// Tolerance of conditioning vectors.
const FEATURES: f64 = 1e-5;
/// Tolerance of token values, relative to the largest value.
const VALUES: f64 = 1e-3;

/// Returns true if the metadata of a file states that it is a trace.
pub(super) fn is_trace(path: &Path) -> bool {
    path.is_file()
        && Checkpoint::open_section(path, &Wanted::AsWritten)
            .is_ok_and(|file| file.metadata().get("format") == Some(&FORMAT))
}

pub(super) fn check(path: &Path, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let recording = Recording::open(&path.with_extension(""), &checks.inputs.options.compute)?;
    let description = Description::read(&Checkpoint::open_section(path, &Wanted::AsWritten)?, checks.inputs.registry)?;
    let compute = compute(&description, checks);
    let mut model = model(&recording, &description.model, description.plan.grid(), &compute, checks)?;
    let Description { plan, unchecked, guidance, temperature, seed, batches, .. } = description;
    if let Some(unchecked) = unchecked {
        checks.note(format!("its plan: {unchecked}"));
    }
    let settings = Settings { seed, guidance, temperature };
    let registry = checks.inputs.registry;
    let solver = registry.build_solver(plan.schedule().axis(AxisName::Solver));
    let solver = solver.map_err(|error| recording.wrong(error.to_string()))?;
    let whole = checks.whole_runs();
    let run = Run { recording: &recording, plan: &plan, registry, solver: &*solver, settings, whole };
    (0..batches).try_for_each(|batch| Batch::open(&run, &model, batch)?.check(&mut model, checks))?;
    checks.unused(&recording);
    Ok(())
}

/// Returns the device of the options, with their type or that of the trace. Notes what differs from the recorded run.
fn compute(description: &Description, checks: &mut Checks<'_>) -> Compute {
    let options = checks.inputs.options;
    let mut compute = options.compute.clone();
    if options.own_precision {
        compute = compute.with_precision(description.precision);
    }
    let (device, precision) = (device_kind(compute.device()), compute.precision());
    let recorded = description.device.as_deref().unwrap_or(device);
    if (recorded, description.precision) != (device, options.compute.precision()) {
        let recorded = format!("{recorded} in {}", description.precision);
        checks.note(format!("recorded on {recorded}, compared on {device} in {precision}"));
    }
    checks.set_precision(precision);
    compute
}

/// Returns the prompts of the images of a batch.
fn prompts(
    model: &AnyModel,
    recording: &Recording,
    batch: usize,
    images: usize,
) -> Result<Vec<AnyPrompt>, BackendError> {
    let Some(text) = model.spec().arch.text else {
        let name = format!("batch{batch}.classes");
        recording.shaped(&name, &[images])?;
        return recording.u32s(&name)?.into_iter().map(|class| model.class(class)).collect();
    };
    let texts = recording.shaped(&format!("batch{batch}.texts"), &[images, text.length, text.decoder.width])?;
    let text = |image| model.prompt(&PromptInput::EmbeddedText(texts.get(image).context("reading texts")?));
    (0..images).map(text).collect()
}

/// Opens the requested model, or the built-in model that the trace names, on the grid of the plan.
fn model(
    recording: &Recording,
    name: &str,
    grid: Grid,
    compute: &Compute,
    checks: &Checks<'_>,
) -> Result<AnyModel, BackendError> {
    let options = checks.inputs.options;
    let built_in = crate::EMBEDDED.iter().any(|model| model.name == name);
    let name = match &options.model {
        Some(model) => model,
        None if built_in => name,
        // An untrusted file must not decide which other files are opened.
        None => {
            return Err(recording.wrong(format!("its model `{name}` is not built in: give the model")));
        }
    };
    let files = Files { weights: options.weights.as_deref(), random: options.random, ..Files::default() };
    let mut model = checks.inputs.families.open(name, &OpenOptions::new(files, compute))?;
    let own = MaskedGenerator::grid(&model);
    if own != grid {
        model.set_grid(grid).map_err(|error| match error {
            BackendError::OneGrid { .. } => {
                recording.wrong(format!("its plan is for a grid of {grid}, but the model has a grid of {own}"))
            }
            error => error,
        })?;
    }
    Ok(model)
}

/// State common to all batches.
struct Run<'a> {
    recording: &'a Recording,
    plan: &'a Plan,
    registry: &'a Registry,
    solver: &'a dyn Solver,
    settings: Settings,
    /// True to also compare the run from start to end.
    whole: bool,
}

struct Batch<'a> {
    run: &'a Run<'a>,
    number: usize,
    images: Vec<ImageIndex>,
    prompts: Vec<AnyPrompt>,
    orders: Vec<Vec<TokenIndex>>,
    /// Final values, `[images, tokens, channels]`.
    tokens: Tensor,
    /// Number of channels of a token and length of a conditioning vector.
    sizes: (usize, usize),
}

/// A recorded step.
struct Recorded {
    targets: Targets,
    rows: Vec<HeadRow>,
    timesteps: Vec<Timesteps>,
    context: StepContext,
    conditions: Conditions,
    noise: RecordedNoise,
    sampled: Tensor,
}

impl<'a> Batch<'a> {
    fn open(run: &'a Run<'a>, generator: &AnyModel, number: usize) -> Result<Self, BackendError> {
        let (recording, tokens) = (run.recording, run.plan.grid().tokens());
        let name = |part: &str| format!("batch{number}.{part}");
        let spec = generator.spec();
        let sizes = (spec.arch.token_channels, spec.condition_width());
        let wrong = |part: &str| recording.wrong(format!("`{}` does not fit the images", name(part)));
        let image = |value: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
            let image =
                (value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value)).then_some(value as u64);
            image.map(ImageIndex)
        };
        let images = recording.f64s(&name("images"))?.into_iter().map(image).collect::<Option<Vec<_>>>();
        let images = images.filter(|images| !images.is_empty()).ok_or_else(|| wrong("images"))?;
        let prompts = prompts(generator, recording, number, images.len())?;
        recording.shaped(&name("orders"), &[images.len(), tokens])?;
        let orders = recording.whole(&name("orders"))?;
        let order =
            |order: &[usize]| order.iter().map(|&token| run.plan.grid().token(token)).collect::<Result<Vec<_>, _>>();
        let orders =
            orders.chunks_exact(tokens).map(order).collect::<Result<Vec<_>, _>>().map_err(|_| wrong("orders"))?;
        let tokens = recording.shaped(&name("tokens"), &[images.len(), tokens, sizes.0])?;
        Ok(Self { run, number, images, prompts, orders, tokens, sizes })
    }

    fn check(&self, generator: &mut AnyModel, checks: &mut Checks<'_>) -> Result<(), BackendError> {
        let numbers = |tokens: &[TokenIndex]| tokens.iter().map(|token| token.index()).collect::<Vec<_>>();
        for (&image, order) in self.images.iter().zip(&self.orders) {
            let own = self.run.plan.order(self.run.settings.seed, image);
            let own = own.map_err(|error| self.run.recording.wrong(error.to_string()))?;
            let own = [self.run.plan.known(), &own].concat();
            checks.exact("orders", &numbers(&own), &numbers(order));
        }
        let mut known = self.run.plan.known().len();
        let mut free = self.state(generator, known)?;
        let contexts = self.run.settings.contexts(self.run.plan);
        let reuses = contexts.iter().any(|context| context.reuse.is_some());
        if reuses {
            let text = "z is not compared: the plan reuses results of earlier steps, which are not recorded";
            checks.note(format!("batch {}: {text}", self.number));
        }
        for (number, step) in self.run.plan.steps().iter().enumerate() {
            let after = known + step.tokens();
            let recorded = self.recorded(contexts[number], step, after, checks)?;
            self.picks(number, step, &recorded, checks)?;
            if !reuses {
                self.vectors(generator, known, &recorded, checks)?;
            }
            let drawn = self.draw(generator, &recorded.conditions, &recorded)?;
            checks.tensors("sampled", &drawn, &recorded.sampled, VALUES * magnitude(&recorded.sampled)?)?;
            let written = gathered(&self.tokens, &recorded.targets).context("selecting tokens")?;
            checks.exact_tensors("tokens as sampled", &written, &recorded.sampled)?;

            if self.run.whole {
                let features = generator.features(&mut free, &recorded.targets, &recorded.context)?;
                let drawn = self.draw(generator, &features, &recorded)?;
                generator.commit(&mut free, &recorded.targets, drawn)?;
            }
            known = after;
        }
        // Tensors that the run does not determine.
        self.run.recording.skip(&format!("batch{}.pictures", self.number));
        if !self.run.whole {
            return Ok(());
        }
        let all = Targets::new(self.orders.iter().map(Vec::as_slice));
        let expected = gathered(&self.tokens, &all).context("selecting tokens")?;
        let found = generator.known_values(&free).map(|values| values.flatten_to(1)).transpose();
        let found = found.context("reading token values")?;
        let found = found.ok_or_else(|| self.run.recording.wrong("its plan has no steps"))?;
        checks.tensors("tokens", &found, &expected, VALUES * magnitude(&expected)?)
    }

    /// Compares the conditioning vectors of a step, computed from the recorded state with `known` known tokens.
    fn vectors(
        &self,
        generator: &mut AnyModel,
        known: usize,
        recorded: &Recorded,
        checks: &mut Checks<'_>,
    ) -> Result<(), BackendError> {
        let mut canvas = self.state(generator, known)?;
        let features = generator.features(&mut canvas, &recorded.targets, &recorded.context)?;
        checks.tensors("z", &features.conditional, &recorded.conditions.conditional, FEATURES)?;
        if let (Some(found), Some(expected)) = (&features.unconditional, &recorded.conditions.unconditional) {
            checks.tensors("z, unconditional", found, expected, FEATURES)?;
        }
        Ok(())
    }

    fn empty(&self, generator: &mut AnyModel) -> Result<AnyCanvas, BackendError> {
        generator.canvas(&self.prompts, self.run.settings.guidance.is_guided())
    }

    /// Returns the recorded state with `known` known tokens.
    fn state(&self, generator: &mut AnyModel, known: usize) -> Result<AnyCanvas, BackendError> {
        let mut canvas = self.empty(generator)?;
        if known > 0 {
            let targets = Targets::new(self.orders.iter().map(|order| &order[..known]));
            let values = gathered(&self.tokens, &targets).context("selecting tokens")?;
            generator.commit(&mut canvas, &targets, values)?;
        }
        Ok(canvas)
    }

    /// Reads a step and compares everything that the plan determines.
    fn recorded(
        &self,
        context: StepContext,
        step: &Step,
        after: usize,
        checks: &mut Checks<'_>,
    ) -> Result<Recorded, BackendError> {
        let (recording, (channels, width)) = (self.run.recording, self.sizes);
        let (number, known) = (context.index, context.known);
        let name = |part: &str| format!("batch{}.step{number}.{part}", self.number);
        let (images, tokens) = (self.images.len(), self.run.plan.grid().tokens());
        let targets = Targets::new(self.orders.iter().map(|order| &order[known..after]));
        let expected: Vec<usize> = targets.rows().iter().map(|token| token.index()).collect();
        checks.exact("targets", &expected, &recording.whole(&name("targets"))?);
        let mut mask = vec![1; images * tokens];
        for (image, order) in self.orders.iter().enumerate() {
            order[..known].iter().for_each(|token| mask[image * tokens + token.index()] = 0);
        }
        checks.exact("mask_before", &mask, &recording.whole(&name("mask_before"))?);
        let detail = step.detail().map(|detail| detail.diffusion_steps);
        let mut timesteps = Vec::new();
        for (group, steps) in std::iter::once(step.diffusion_steps()).chain(detail).enumerate() {
            let own = Timesteps::new(steps, self.run.plan.timestep_limit())
                .map_err(|error| recording.wrong(error.to_string()))?;
            let list: Vec<usize> = own.values().iter().map(|&timestep| timestep as usize).collect();
            checks.exact("timesteps", &list, &recording.whole(&name(&format!("timesteps{group}")))?);
            timesteps.push(own);
        }
        let groups = recording.whole(&name("groups"))?;
        if groups.len() != expected.len() || groups.iter().any(|group| *group >= timesteps.len()) {
            return Err(recording.wrong(format!("`{}` does not fit the step", name("groups"))));
        }
        let count = expected.len();
        let images = self.images.iter().zip(targets.by_image());
        let rows = images.flat_map(|(&image, tokens)| tokens.iter().map(move |&token| (image, token)));
        let rows: Vec<HeadRow> =
            rows.zip(&groups).map(|((image, token), &group)| HeadRow { image, token, group }).collect();
        let draws = timesteps.iter().map(Timesteps::evaluations).max().unwrap_or(0);
        let noise = recording.shaped(&name("noise"), &[draws, count, channels])?;
        self.noise(&rows, &timesteps, &noise, checks)?;
        recording.skip(&name("seconds"));
        let guidance = recording.f64s(&name("guidance"))?;
        checks.numbers("guidance", &[context.guidance], &guidance, Tolerance::Exact);
        let unconditional = context.is_guided().then(|| recording.shaped(&name("z_unconditional"), &[count, width]));
        Ok(Recorded {
            noise: RecordedNoise::of_draws(&rows, &noise)?,
            conditions: Conditions {
                conditional: recording.shaped(&name("z"), &[count, width])?,
                unconditional: unconditional.transpose()?,
            },
            sampled: recording.shaped(&name("sampled"), &[count, channels])?,
            targets,
            rows,
            timesteps,
            context,
        })
    }

    /// Checks that the recorded noise of a step, `[draws, rows, channels]`, is that of the seed.
    fn noise(
        &self,
        rows: &[HeadRow],
        timesteps: &[Timesteps],
        recorded: &Tensor,
        checks: &mut Checks<'_>,
    ) -> Result<(), BackendError> {
        let (source, channels) = (Noise::new(self.run.settings.seed), self.sizes.0);
        let mut found = vec![0.0; recorded.elem_count()];
        for (number, values) in found.chunks_exact_mut(channels).enumerate() {
            let (draw, row) = (number / rows.len(), rows[number % rows.len()]);
            // Rows with fewer evaluations have fewer draws.
            if draw < timesteps[row.group].evaluations() {
                source.fill_normal(row.image, row.token, u32::try_from(draw).unwrap_or(u32::MAX), values);
            }
        }
        let found = Tensor::from_vec(found, recorded.shape(), &Device::Cpu).context("drawing noise")?;
        checks.exact_tensors("noise", &found, recorded)
    }

    /// Checks the tokens that the detail rule selects from the recorded conditioning vectors.
    fn picks(
        &self,
        number: usize,
        step: &Step,
        recorded: &Recorded,
        checks: &mut Checks<'_>,
    ) -> Result<(), BackendError> {
        let Some(share) = step.detail() else { return Ok(()) };
        let rule = self.run.registry.build_detail(self.run.plan.detail());
        let rule = rule.map_err(|error| self.run.recording.wrong(error.to_string()))?;
        let vectors = recorded.conditions.conditional.flatten_all().and_then(|vectors| vectors.to_vec1::<f32>());
        let (vectors, width) = (vectors.context("reading conditioning vectors")?, self.sizes.1);
        let per_image = recorded.targets.per_image();
        let images = self.images.iter().zip(recorded.targets.by_image()).enumerate();
        for (slot, (&image, tokens)) in images {
            let rows = slot * per_image..(slot + 1) * per_image;
            let candidates = Candidates {
                tokens,
                width,
                features: &vectors[rows.start * width..rows.end * width],
                stream: Stream::new(self.run.settings.seed, StreamPurpose::Detail, image, number as u64),
            };
            let groups: Vec<usize> = recorded.rows[rows].iter().map(|row| row.group).collect();
            let mut found = vec![0; per_image];
            rule.pick(candidates, share.tokens).into_iter().for_each(|position| found[position] = 1);
            checks.exact("picked for detail", &found, &groups);
        }
        Ok(())
    }

    fn draw(
        &self,
        generator: &mut AnyModel,
        conditions: &Conditions,
        recorded: &Recorded,
    ) -> Result<Tensor, BackendError> {
        generator.denoise(
            conditions,
            &Denoise {
                timesteps: &recorded.timesteps,
                rows: &recorded.rows,
                step: &recorded.context,
                solver: self.run.solver,
                noise: &recorded.noise,
            },
        )
    }
}

/// Returns the values of the targets, `[rows, channels]`, from tokens `[images, tokens, channels]`.
fn gathered(tokens: &Tensor, targets: &Targets) -> candle_core::Result<Tensor> {
    let (_, count, _) = tokens.dims3()?;
    let places = targets.by_image().enumerate();
    let places = places.flat_map(|(image, tokens)| tokens.iter().map(move |token| image * count + token.index()));
    tokens.flatten_to(1)?.index_select(&index(places, tokens.device())?, 0)
}
