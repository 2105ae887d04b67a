//! Batches of images and the loop that generates them.

use std::fmt;

use super::drawn::Drawn;
use super::orders::Orders;
use super::redrawn::Redrawn;
use super::{Job, Observer, SampleError, Sampler, Settings, StepEvent};
use crate::detail::Candidates;
use crate::{
    Capability, Denoise, FeatureReader, FeatureRows, HeadRow, MaskedGenerator, Noise, NoiseSource, Role, Seed, Step,
    StepContext, Stream, StreamPurpose, Targets, Timesteps,
};

/// A batch of images to generate: jobs, settings, and optionally an observer, a source of noise and a seed of the
/// reconstruction.
///
/// # Examples
/// ```
/// # use gtr_core::sampler::{JobOf, Observer, SampleError, Settings};
/// # use gtr_core::{MaskedGenerator, Sampler, Seed};
/// fn twice<G: MaskedGenerator>(
///     sampler: &Sampler<'_>,
///     generator: &mut G,
///     jobs: &[JobOf<G>],
///     settings: &Settings,
/// ) -> Result<[Vec<G::Image>; 2], SampleError<G::Error>> {
///     let images = sampler.batch(jobs, settings).run(generator)?;
///     let others = sampler.batch(jobs, settings).reconstruction_seed(Seed(1)).run(generator)?;
///     Ok([images, others])
/// }
/// ```
#[must_use = "a batch generates images only when it is run"]
pub struct Batch<'a, P, I, O = ()> {
    pub(super) sampler: &'a Sampler<'a>,
    jobs: &'a [Job<P, I>],
    settings: &'a Settings,
    reconstruction: Option<Seed>,
    noise: Option<&'a dyn NoiseSource>,
    observer: O,
}

impl<P, I, O> fmt::Debug for Batch<'_, P, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("sampler", &self.sampler)
            .field("jobs", &self.jobs.len())
            .field("settings", &self.settings)
            .field("reconstruction", &self.reconstruction)
            .finish_non_exhaustive()
    }
}

impl<'a, P, I> Batch<'a, P, I> {
    pub(super) fn new(sampler: &'a Sampler<'_>, jobs: &'a [Job<P, I>], settings: &'a Settings) -> Self {
        Self { sampler, jobs, settings, reconstruction: None, noise: None, observer: () }
    }
}

impl<'a, P: Clone, I: Clone, O> Batch<'a, P, I, O> {
    /// Sets a separate seed for the order, the noise and the picks of the reconstruction. Images of different seeds
    /// then have the same generation stages and differ only in the reconstruction.
    ///
    /// # Source
    /// GtR (arXiv 2510.17171), figure 3.
    pub fn reconstruction_seed(self, seed: Seed) -> Self {
        Self { reconstruction: Some(seed), ..self }
    }

    /// Sets the source of the noise of the diffusion head, for example to record or replay a run. In a ranked plan, draw k of
    /// AR step s is its draw k + 1024 s.
    pub fn noise(self, noise: &'a dyn NoiseSource) -> Self {
        Self { noise: Some(noise), ..self }
    }

    /// Sets the observer of the run.
    pub fn observe<N>(self, observer: N) -> Batch<'a, P, I, N> {
        let Self { sampler, jobs, settings, reconstruction, noise, .. } = self;
        Batch { sampler, jobs, settings, reconstruction, noise, observer }
    }

    /// Returns the seed of the stages with a role.
    pub(super) fn seed(&self, role: Role) -> Seed {
        match role {
            Role::Generation => self.settings.seed,
            Role::Reconstruction => self.reconstruction.unwrap_or(self.settings.seed),
        }
    }

    /// Generates the images, one per job.
    ///
    /// # Errors
    /// Returns an error if the plan does not fit the model, a job has no image although the plan has known tokens, the
    /// model or the observer fails, a token value is not finite, or the observer stops the run.
    pub fn run<G>(mut self, generator: &mut G) -> Result<Vec<I>, SampleError<G::Error, O::Error>>
    where
        G: MaskedGenerator<Prompt = P, Image = I>,
        O: Observer<G>,
    {
        let plan = self.sampler.plan;
        self.sampler.check(generator, self.settings)?;
        if self.jobs.is_empty() {
            return Ok(Vec::new());
        }
        let groups = self.sampler.groups(generator.head_kind().timesteps())?;
        let contexts = self.settings.contexts(plan);
        let mut orders = self.orders();
        let mut canvas = self.canvas(generator, contexts.iter().any(StepContext::is_guided))?;
        self.observer.start(generator, &canvas).map_err(SampleError::Observer)?;
        let steps = plan.steps().len();
        for (index, step) in plan.steps().iter().enumerate() {
            let candidates = orders.candidates(step);
            let context = &contexts[index];
            let features = generator.features(&mut canvas, &candidates, context).map_err(SampleError::Model)?;
            let own = Noise::new(self.seed(plan.role(step)));
            let noise = self.noise.unwrap_or(&own);
            let redrawn = Redrawn::new(noise, index);
            let noise = if plan.is_ranked() { &redrawn } else { noise };
            let drawn = self.draw(generator, (step, &groups[index]), &candidates, noise);
            let picked = self.pick(generator, (index, step), &candidates, &features)?;
            let rows = self.rows(&candidates, &picked);
            let request = Denoise {
                timesteps: &groups[index],
                rows: &rows,
                step: context,
                solver: &*self.sampler.solver,
                noise: &drawn,
            };
            let values = generator.denoise(&features, &request).map_err(SampleError::Model)?;
            let kept = self.keep(generator, (index, step), &candidates, (rows, values))?;
            generator.commit(&mut canvas, &kept.targets, kept.values).map_err(SampleError::Model)?;
            orders.advance(step, &kept.targets);
            if generator.values_on_host() || index + 1 == steps {
                self.check_finite(generator, &canvas, index)?;
            }
            let event = StepEvent {
                index,
                steps,
                step,
                candidates: &candidates,
                targets: &kept.targets,
                picked: &picked,
                rows: &kept.rows,
                context,
                timesteps: &groups[index],
                features: &features,
                canvas: &canvas,
                generator,
            };
            let flow = self.observer.step(&event).map_err(SampleError::Observer)?;
            if flow.is_break() && index + 1 < steps {
                return Err(SampleError::Stopped { step: index + 1, steps });
            }
        }
        generator.decode(canvas).map_err(SampleError::Model)
    }

    /// Returns the order of each image, as far as the plan determines it.
    fn orders(&self) -> Orders {
        let order = |job: &Job<P, I>| self.sampler.plan.order_under(|role| self.seed(role), job.image);
        Orders::new(self.jobs.iter().map(order).collect())
    }

    /// Creates the canvas before the first step, which contains only the known tokens of the plan.
    fn canvas<G, F>(&self, generator: &mut G, guided: bool) -> Result<G::Canvas, SampleError<G::Error, F>>
    where
        G: MaskedGenerator<Prompt = P, Image = I>,
    {
        let prompts: Vec<P> = self.jobs.iter().map(|job| job.prompt.clone()).collect();
        let mut canvas = generator.canvas(&prompts, guided).map_err(SampleError::Model)?;
        let known = self.sampler.plan.known();
        if known.is_empty() {
            return Ok(canvas);
        }
        let images: Option<Vec<I>> = self.jobs.iter().map(|job| job.init.clone()).collect();
        let images = images.ok_or(SampleError::MissingInitImage { known: known.len() })?;
        let targets = Targets::new(self.jobs.iter().map(|_| known));
        let encoder = generator.image_encoder().ok_or(SampleError::Unsupported(Capability::Encoding))?;
        let values = encoder.encode(&images, &targets).map_err(SampleError::Model)?;
        generator.commit(&mut canvas, &targets, values).map_err(SampleError::Model)?;
        Ok(canvas)
    }

    /// Returns an error if a known token is not finite after AR step `index`.
    fn check_finite<G: MaskedGenerator, F>(
        &self,
        generator: &G,
        canvas: &G::Canvas,
        index: usize,
    ) -> Result<(), SampleError<G::Error, F>> {
        let Some(bad) = generator.find_non_finite(canvas).map_err(SampleError::Model)? else { return Ok(()) };
        let Some(&Job { image, .. }) = self.jobs.get(bad.slot) else {
            return Err(SampleError::Count { what: "images", found: bad.slot + 1, expected: self.jobs.len() });
        };
        let steps = self.sampler.plan.steps().len();
        Err(SampleError::NonFinite { image, token: bad.token, step: index + 1, steps })
    }

    /// Draws the noise of a step before its conditioning vectors are read, if the model asks for it.
    fn draw<'n, G: MaskedGenerator>(
        &self,
        generator: &G,
        (step, groups): (&Step, &[Timesteps]),
        targets: &Targets,
        noise: &'n dyn NoiseSource,
    ) -> Drawn<'n> {
        let width = if step.detail().is_some() && self.reads_features() {
            generator.feature_reader().and_then(FeatureReader::draws_while_computing)
        } else {
            None
        };
        match width {
            Some(width) if width > 0 => {
                let images = self.jobs.iter().map(|job| job.image);
                Drawn::new(noise, width, (images, targets), (groups, &*self.sampler.solver))
            }
            _ => Drawn::nothing(noise),
        }
    }

    /// Returns true if the detail rule ranks tokens by their conditioning vectors.
    fn reads_features(&self) -> bool {
        self.sampler.detail.requirements().contains(&Capability::HostFeatures)
    }

    /// Returns, for each image, the positions among its candidates of the tokens that the detail rule picks.
    fn pick<G: MaskedGenerator, F>(
        &self,
        generator: &G,
        (index, step): (usize, &Step),
        targets: &Targets,
        features: &G::Features,
    ) -> Result<Vec<Vec<usize>>, SampleError<G::Error, F>> {
        let Some(share) = step.detail() else { return Ok(vec![Vec::new(); self.jobs.len()]) };
        let (detail, seed) = (&self.sampler.detail, self.seed(self.sampler.plan.role(step)));
        let host = if self.reads_features() {
            let reader = generator.feature_reader().ok_or(SampleError::Unsupported(Capability::HostFeatures))?;
            let rows = reader.host_features(features).map_err(SampleError::Model)?;
            let (found, expected) = (rows.values.len(), rows.width * targets.rows().len());
            if found != expected || expected == 0 {
                let expected = expected.max(targets.rows().len());
                return Err(SampleError::Count { what: "values of conditioning vectors", found, expected });
            }
            rows
        } else {
            FeatureRows { width: 0, values: Vec::new() }
        };
        let length = host.width * targets.per_image();
        let picked = self.jobs.iter().zip(targets.by_image()).enumerate().map(|(slot, (job, tokens))| {
            let candidates = Candidates {
                tokens,
                width: host.width,
                features: &host.values[slot * length..(slot + 1) * length],
                stream: Stream::new(seed, StreamPurpose::Detail, job.image, index as u64),
            };
            detail.pick(candidates, share.tokens)
        });
        Ok(picked.collect())
    }

    /// Returns the rows of a step, with group 1 for the picked tokens and group 0 for all others.
    fn rows(&self, targets: &Targets, picked: &[Vec<usize>]) -> Vec<HeadRow> {
        let mut rows = Vec::with_capacity(targets.rows().len());
        for ((job, tokens), picked) in self.jobs.iter().zip(targets.by_image()).zip(picked) {
            let first = rows.len();
            rows.extend(tokens.iter().map(|&token| HeadRow { image: job.image, token, group: 0 }));
            for &position in picked {
                rows[first + position].group = 1;
            }
        }
        rows
    }
}
