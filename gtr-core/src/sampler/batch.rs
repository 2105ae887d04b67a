//! A batch of images, and the loop that makes it.

use std::fmt;

use super::{Job, Observer, SampleError, Sampler, Settings, StepEvent};
use crate::detail::Candidates;
use crate::{
    Capability, Denoise, FeatureRows, MaskedGenerator, Noise, NoiseSource, Purpose, Role, Row, Seed, Step, Stream,
    Targets, TokenIndex,
};

/// A batch of images to make, with what may be said beside jobs and settings: who observes, and where the noise comes from.
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
#[must_use = "a batch makes images when it is run"]
pub struct Batch<'a, P, I, O = ()> {
    sampler: &'a Sampler<'a>,
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
    /// The reconstruction draws its order, its noise and its picks from this seed: images that share their generation and
    /// differ in what is left to the reconstruction.
    ///
    /// # Source
    /// GtR (arXiv 2510.17171), figure 3.
    pub fn reconstruction_seed(self, seed: Seed) -> Self {
        Self { reconstruction: Some(seed), ..self }
    }

    /// All noise of the diffusion head comes from `noise`: for replays of recorded runs, and for records.
    pub fn noise(self, noise: &'a dyn NoiseSource) -> Self {
        Self { noise: Some(noise), ..self }
    }

    /// `observer` follows the run.
    pub fn observe<N>(self, observer: N) -> Batch<'a, P, I, N> {
        let Self { sampler, jobs, settings, reconstruction, noise, .. } = self;
        Batch { sampler, jobs, settings, reconstruction, noise, observer }
    }

    /// The seed of a stage, by its role.
    fn seed(&self, role: Role) -> Seed {
        match role {
            Role::Generation => self.settings.seed,
            Role::Reconstruction => self.reconstruction.unwrap_or(self.settings.seed),
        }
    }

    /// Makes the images, one per job.
    ///
    /// # Errors
    /// A plan that does not fit the model, a plan with known tokens for a job without an image that has them, a failure of the
    /// model or of the observer, a value that is not finite, or a stop by the observer.
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
        let groups = self.sampler.groups(generator.timestep_limit())?;
        let orders: Vec<Vec<TokenIndex>> =
            self.jobs.iter().map(|job| plan.order_under(|role| self.seed(role), job.image)).collect();
        let [generation, reconstruction] =
            [Role::Generation, Role::Reconstruction].map(|role| Noise::new(self.seed(role)));
        let mut canvas = self.canvas(generator)?;
        self.observer.start(generator, &canvas).map_err(SampleError::Observer)?;
        let (tokens, steps, given) = (plan.grid().tokens(), plan.steps().len(), plan.known().len());
        let mut known = given;
        for (index, step) in plan.steps().iter().enumerate() {
            let after = known + step.tokens();
            let targets = Targets::new(orders.iter().map(|order| &order[known - given..after - given]));
            let features = generator.features(&canvas, &targets).map_err(SampleError::Model)?;
            let picked = self.pick(generator, (index, step), &targets, &features)?;
            let rows = self.rows(&targets, &picked);
            let guidance = self.settings.guidance.at(tokens, tokens - after);
            let request = Denoise {
                timesteps: &groups[index],
                rows: &rows,
                guidance,
                temperature: self.settings.temperature,
                noise: self.noise.unwrap_or(match plan.role(step) {
                    Role::Generation => &generation,
                    Role::Reconstruction => &reconstruction,
                }),
            };
            let values = generator.denoise(&features, &request).map_err(SampleError::Model)?;
            generator.commit(&mut canvas, &targets, values).map_err(SampleError::Model)?;
            known = after;
            if generator.values_on_host() || known == tokens {
                self.check_finite(generator, &canvas, index)?;
            }
            let event = StepEvent {
                index,
                steps,
                step,
                targets: &targets,
                picked: &picked,
                rows: &rows,
                guidance,
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

    /// The images before the first step: empty but for the tokens that the plan knows.
    fn canvas<G, F>(&self, generator: &mut G) -> Result<G::Canvas, SampleError<G::Error, F>>
    where
        G: MaskedGenerator<Prompt = P, Image = I>,
    {
        let prompts: Vec<P> = self.jobs.iter().map(|job| job.prompt.clone()).collect();
        let guided = self.settings.guidance.is_guided();
        let mut canvas = generator.canvas(&prompts, guided).map_err(SampleError::Model)?;
        let known = self.sampler.plan.known();
        if known.is_empty() {
            return Ok(canvas);
        }
        let images: Option<Vec<I>> = self.jobs.iter().map(|job| job.init.clone()).collect();
        let images = images.ok_or(SampleError::NothingKnown { known: known.len() })?;
        let targets = Targets::new(self.jobs.iter().map(|_| known));
        let values = generator.encode(&images, &targets).map_err(SampleError::Model)?;
        let values = values.ok_or(SampleError::Unsupported(Capability::Encoding))?;
        generator.commit(&mut canvas, &targets, values).map_err(SampleError::Model)?;
        Ok(canvas)
    }

    /// Refuses a canvas with a value that is not finite after an AR step.
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

    /// Positions, among each image's targets, of the tokens that the detail rule picks.
    fn pick<G: MaskedGenerator, F>(
        &self,
        generator: &G,
        (index, step): (usize, &Step),
        targets: &Targets,
        features: &G::Features,
    ) -> Result<Vec<Vec<usize>>, SampleError<G::Error, F>> {
        let Some(share) = step.detail() else { return Ok(vec![Vec::new(); self.jobs.len()]) };
        let (detail, seed) = (&self.sampler.detail, self.seed(self.sampler.plan.role(step)));
        let host = if detail.needs().contains(&Capability::HostFeatures) {
            let rows = generator.host_features(features).map_err(SampleError::Model)?;
            let (found, expected) = (rows.values.len(), rows.width * targets.rows().len());
            if found != expected {
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
                stream: Stream::new(seed, Purpose::Detail, job.image, index as u64),
            };
            detail.pick(candidates, share.tokens)
        });
        Ok(picked.collect())
    }

    /// The rows of a step: group 1 for the tokens that are picked, 0 for the others.
    fn rows(&self, targets: &Targets, picked: &[Vec<usize>]) -> Vec<Row> {
        let mut rows = Vec::with_capacity(targets.rows().len());
        for ((job, tokens), picked) in self.jobs.iter().zip(targets.by_image()).zip(picked) {
            let first = rows.len();
            rows.extend(tokens.iter().map(|&token| Row { image: job.image, token, group: 0 }));
            for &position in picked {
                rows[first + position].group = 1;
            }
        }
        rows
    }
}
