//! The sampling loop: the only one, for any plan and any model.

use std::borrow::Cow;
use std::fmt;

use crate::detail::Candidates;
use crate::{
    Capability, Denoise, Detail, FeatureRows, Grid, Guidance, ImageIndex, MaskedGenerator, Noise, NoiseSource, Plan,
    Purpose, Registry, Role, Row, Seed, Step, Stream, Targets, TimestepLimit, Timesteps, TokenIndex,
};

/// How a plan is sampled; what the plan itself leaves open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// What all randomness grows from.
    pub seed: Seed,
    /// Classifier-free guidance.
    pub guidance: Guidance,
    /// Factor of the noise that is added after each evaluation of the diffusion head; 1 is the model's own.
    pub temperature: f64,
}

/// One image to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job<P> {
    /// What it is asked for by.
    pub prompt: P,
    /// Its number, which keys its randomness.
    pub image: ImageIndex,
}

/// Whether sampling goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Continue,
    /// It stops before the next step.
    Stop,
}

/// An AR step that has been taken.
#[derive(Debug)]
pub struct StepEvent<'a, G: MaskedGenerator> {
    /// Its position in the plan, from 0.
    pub index: usize,
    /// How many steps the plan has.
    pub steps: usize,
    /// The step.
    pub step: &'a Step,
    /// The tokens that it generated.
    pub targets: &'a Targets,
    /// Positions, among each image's targets, of the tokens that a detail rule picked.
    pub picked: &'a [Vec<usize>],
    /// The guidance scale that it used.
    pub guidance: f64,
    /// The groups of timesteps that it walked: those of its plain tokens, then those of the picked ones.
    pub timesteps: &'a [Timesteps],
    /// The conditioning vectors that it used.
    pub features: &'a G::Features,
    /// The images as they are now.
    pub canvas: &'a G::Canvas,
    /// The model.
    pub generator: &'a G,
}

/// Follows a run: progress bars, traces, a stop button.
pub trait Observer<G: MaskedGenerator> {
    /// Called once a batch, before its first AR step.
    fn start(&mut self, _generator: &G, _canvas: &G::Canvas) {}

    /// Called after each AR step.
    fn step(&mut self, event: &StepEvent<'_, G>) -> Flow;
}

/// Nobody looks.
impl<G: MaskedGenerator> Observer<G> for () {
    fn step(&mut self, _event: &StepEvent<'_, G>) -> Flow {
        Flow::Continue
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError<E> {
    /// The plan itself cannot be run here.
    #[error(transparent)]
    Plan(#[from] crate::Error),
    /// The plan is for another grid.
    #[error("the plan is for a grid of {plan}, the model for one of {model}: plan with --grid {model}")]
    Grid {
        /// Grid of the plan.
        plan: Grid,
        /// Grid of the model.
        model: Grid,
    },
    /// The plan needs what the model does not offer.
    #[error("the plan needs {0}, which this model does not offer")]
    Unsupported(Capability),
    /// Tokens are known to the plan, but not to the caller.
    #[error("{known} tokens of the plan are known from the start: give the image that has them")]
    NothingKnown {
        /// How many.
        known: usize,
    },
    /// The model returned another number of items than it was asked for.
    #[error("the model returned {found} {what}, expected {expected}: its implementation is at fault")]
    Count {
        /// The items.
        what: &'static str,
        /// How many it returned.
        found: usize,
        /// How many belong to the request.
        expected: usize,
    },
    /// A setting is out of range.
    #[error("{0}")]
    Setting(crate::OutOfRange),
    /// A token value is not a finite number.
    #[error(
        "token {token} of image {image} came out not finite in AR step {step} of {steps}: the weights or the settings are at fault"
    )]
    NonFinite {
        /// The image.
        image: ImageIndex,
        /// The token.
        token: TokenIndex,
        /// The AR step, from 1.
        step: usize,
        /// AR steps of the plan.
        steps: usize,
    },
    /// The observer stopped the run.
    #[error("stopped after AR step {step} of {steps}")]
    Stopped {
        /// The last step taken, from 1.
        step: usize,
        /// AR steps of the plan.
        steps: usize,
    },
    /// The model failed.
    #[error(transparent)]
    Model(E),
}

/// A plan made ready to run: its detail rule found, its timesteps laid out. A plan that names no timestep limit is run with the
/// model's own ([`MaskedGenerator::timestep_limit`]).
///
/// # Examples
/// See `examples/custom_order.rs` of this crate for a run from schedule to image.
pub struct Sampler<'p> {
    plan: &'p Plan,
    detail: Box<dyn Detail>,
    groups: Vec<Vec<Timesteps>>,
    reconstruction: Option<Seed>,
}

/// What a batch begins with, and where its noise comes from.
struct Start<'a, I> {
    images: Option<&'a [I]>,
    generation: &'a dyn NoiseSource,
    reconstruction: &'a dyn NoiseSource,
}

impl fmt::Debug for Sampler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler")
            .field("schedule", self.plan.schedule())
            .field("detail", &self.detail)
            .finish_non_exhaustive()
    }
}

impl<'p> Sampler<'p> {
    /// Makes a plan ready.
    ///
    /// # Errors
    /// [`crate::Error::UnknownKind`] if a step has detail and the plan's detail rule is not registered.
    pub fn new(plan: &'p Plan, registry: &Registry) -> Result<Self, crate::Error> {
        let has_detail = plan.steps().iter().any(|step| step.detail().is_some());
        let detail: Box<dyn Detail> =
            if has_detail { registry.detail(plan.detail())?.1 } else { Box::new(crate::detail::None {}) };
        Ok(Self { plan, detail, groups: groups(plan, plan.timestep_limit())?, reconstruction: None })
    }

    /// The same, but the reconstruction draws its order, its noise and its picks from another seed: images that share their
    /// generation and differ in what is left to the reconstruction.
    ///
    /// # Source
    /// GtR (arXiv 2510.17171), figure 3.
    #[must_use]
    pub fn reseeded(self, reconstruction: Seed) -> Self {
        Self { reconstruction: Some(reconstruction), ..self }
    }

    /// The seed of a stage, by its role.
    fn seed(&self, role: Role, settings: &Settings) -> Seed {
        match role {
            Role::Generation => settings.seed,
            Role::Reconstruction => self.reconstruction.unwrap_or(settings.seed),
        }
    }

    /// Makes a batch of images.
    ///
    /// # Errors
    /// A plan that does not fit the model, a failure of the model, a value that is not finite, or a stop by the observer.
    pub fn run<G: MaskedGenerator, O: Observer<G> + ?Sized>(
        &self,
        generator: &mut G,
        jobs: &[Job<G::Prompt>],
        settings: &Settings,
        observer: &mut O,
    ) -> Result<Vec<G::Image>, SampleError<G::Error>>
    where
        G::Prompt: Clone,
    {
        let [generation, reconstruction] = self.noises(settings);
        let start = Start { images: None, generation: &generation, reconstruction: &reconstruction };
        self.run_with(generator, jobs, settings, &start, observer)
    }

    /// Makes a batch of images that go on from `images`, one a job: the tokens that the plan knows have the values that they
    /// have there, and keep them.
    ///
    /// # Errors
    /// As [`Sampler::run`], and a model that cannot encode.
    ///
    /// # Panics
    /// If there are not as many images as jobs.
    pub fn run_from<G: MaskedGenerator, O: Observer<G> + ?Sized>(
        &self,
        generator: &mut G,
        jobs: &[Job<G::Prompt>],
        images: &[G::Image],
        settings: &Settings,
        observer: &mut O,
    ) -> Result<Vec<G::Image>, SampleError<G::Error>>
    where
        G::Prompt: Clone,
    {
        assert_eq!(jobs.len(), images.len(), "each job goes on from an image");
        let [generation, reconstruction] = self.noises(settings);
        let start = Start { images: Some(images), generation: &generation, reconstruction: &reconstruction };
        self.run_with(generator, jobs, settings, &start, observer)
    }

    fn noises(&self, settings: &Settings) -> [Noise; 2] {
        [Role::Generation, Role::Reconstruction].map(|role| Noise::new(self.seed(role, settings)))
    }

    /// Makes a batch of images with noise from elsewhere, for replays of recorded runs.
    ///
    /// # Errors
    /// As [`Sampler::run`].
    pub fn run_with_noise<G: MaskedGenerator, O: Observer<G> + ?Sized>(
        &self,
        generator: &mut G,
        jobs: &[Job<G::Prompt>],
        settings: &Settings,
        noise: &dyn NoiseSource,
        observer: &mut O,
    ) -> Result<Vec<G::Image>, SampleError<G::Error>>
    where
        G::Prompt: Clone,
    {
        let start = Start { images: None, generation: noise, reconstruction: noise };
        self.run_with(generator, jobs, settings, &start, observer)
    }

    fn run_with<G: MaskedGenerator, O: Observer<G> + ?Sized>(
        &self,
        generator: &mut G,
        jobs: &[Job<G::Prompt>],
        settings: &Settings,
        start: &Start<'_, G::Image>,
        observer: &mut O,
    ) -> Result<Vec<G::Image>, SampleError<G::Error>>
    where
        G::Prompt: Clone,
    {
        self.check(generator, settings)?;
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let groups = self.groups(generator.timestep_limit())?;
        let order = |job: &Job<_>| self.plan.order_under(|role| self.seed(role, settings), job.image);
        let orders: Vec<Vec<TokenIndex>> = jobs.iter().map(order).collect();
        let mut canvas = self.canvas(generator, jobs, settings, start.images)?;
        observer.start(generator, &canvas);
        let (tokens, steps) = (self.plan.grid().tokens(), self.plan.steps().len());
        let given = self.plan.known().len();
        let mut known = given;
        for (index, step) in self.plan.steps().iter().enumerate() {
            let after = known + step.tokens();
            let targets = Targets::new(orders.iter().map(|order| &order[known - given..after - given]));
            let features = generator.features(&canvas, &targets).map_err(SampleError::Model)?;
            let role = self.plan.role(step);
            let picked = self.pick(generator, jobs, self.seed(role, settings), (index, step), &targets, &features)?;
            let guidance = settings.guidance.at(tokens, tokens - after);
            let request = Denoise {
                timesteps: &groups[index],
                rows: &rows(jobs, &targets, &picked),
                guidance,
                temperature: settings.temperature,
                noise: match role {
                    Role::Generation => start.generation,
                    Role::Reconstruction => start.reconstruction,
                },
            };
            let values = generator.denoise(&features, &request).map_err(SampleError::Model)?;
            generator.commit(&mut canvas, &targets, values).map_err(SampleError::Model)?;
            known = after;
            if (generator.values_on_host() || known == tokens)
                && let Some(bad) = generator.find_non_finite(&canvas).map_err(SampleError::Model)?
            {
                let Some(Job { image, .. }) = jobs.get(bad.slot) else {
                    return Err(SampleError::Count { what: "images", found: bad.slot + 1, expected: jobs.len() });
                };
                let image = *image;
                return Err(SampleError::NonFinite { image, token: bad.token, step: index + 1, steps });
            }
            let event = StepEvent {
                index,
                steps,
                step,
                targets: &targets,
                picked: &picked,
                guidance,
                timesteps: &groups[index],
                features: &features,
                canvas: &canvas,
                generator,
            };
            if observer.step(&event) == Flow::Stop && index + 1 < steps {
                return Err(SampleError::Stopped { step: index + 1, steps });
            }
        }
        generator.decode(canvas).map_err(SampleError::Model)
    }

    /// The timesteps of each step on a model with this limit of its own.
    fn groups(&self, model: TimestepLimit) -> Result<Cow<'_, [Vec<Timesteps>]>, crate::Error> {
        let limit = self.plan.timestep_limit_on(model);
        if limit == self.plan.timestep_limit() {
            return Ok(Cow::Borrowed(&self.groups));
        }
        groups(self.plan, limit).map(Cow::Owned)
    }

    /// The images before the first step: empty but for the tokens that the plan knows.
    fn canvas<G: MaskedGenerator>(
        &self,
        generator: &mut G,
        jobs: &[Job<G::Prompt>],
        settings: &Settings,
        images: Option<&[G::Image]>,
    ) -> Result<G::Canvas, SampleError<G::Error>>
    where
        G::Prompt: Clone,
    {
        let prompts: Vec<G::Prompt> = jobs.iter().map(|job| job.prompt.clone()).collect();
        let mut canvas = generator.canvas(&prompts, settings.guidance.is_guided()).map_err(SampleError::Model)?;
        let known = self.plan.known();
        if known.is_empty() {
            return Ok(canvas);
        }
        let images = images.ok_or(SampleError::NothingKnown { known: known.len() })?;
        let targets = Targets::new(jobs.iter().map(|_| known));
        let values = generator.encode(images, &targets).map_err(SampleError::Model)?;
        let values = values.ok_or(SampleError::Unsupported(Capability::Encoding))?;
        generator.commit(&mut canvas, &targets, values).map_err(SampleError::Model)?;
        Ok(canvas)
    }

    fn check<G: MaskedGenerator>(&self, generator: &G, settings: &Settings) -> Result<(), SampleError<G::Error>> {
        let (plan, model) = (self.plan.grid(), generator.grid());
        if plan != model {
            return Err(SampleError::Grid { plan, model });
        }
        let begins: &[Capability] = if self.plan.known().is_empty() { &[] } else { &[Capability::Encoding] };
        let mut needs = self.detail.needs().iter().chain(begins);
        if let Some(&missing) = needs.find(|need| !generator.offers().contains(need)) {
            return Err(SampleError::Unsupported(missing));
        }
        if !(0.0..=100.0).contains(&settings.temperature) {
            let found = settings.temperature.to_string();
            return Err(SampleError::Setting(crate::OutOfRange { what: "a temperature", expected: "0 to 100", found }));
        }
        Ok(())
    }

    /// Positions, among each image's targets, of the tokens that the detail rule picks.
    fn pick<G: MaskedGenerator>(
        &self,
        generator: &G,
        jobs: &[Job<G::Prompt>],
        seed: Seed,
        (index, step): (usize, &Step),
        targets: &Targets,
        features: &G::Features,
    ) -> Result<Vec<Vec<usize>>, SampleError<G::Error>> {
        let Some(share) = step.detail() else { return Ok(vec![Vec::new(); jobs.len()]) };
        let host = if self.detail.needs().contains(&Capability::HostFeatures) {
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
        let picked = jobs.iter().zip(targets.by_image()).enumerate().map(|(slot, (job, tokens))| {
            let candidates = Candidates {
                tokens,
                width: host.width,
                features: &host.values[slot * length..(slot + 1) * length],
                stream: Stream::new(seed, Purpose::Detail, job.image, index as u64),
            };
            self.detail.pick(candidates, share.tokens)
        });
        Ok(picked.collect())
    }
}

/// Of each step of a plan the timesteps of its plain tokens and, if it has detail, of those that are picked.
fn groups(plan: &Plan, limit: TimestepLimit) -> Result<Vec<Vec<Timesteps>>, crate::Error> {
    let of_step = |step: &Step| {
        let detail = step.detail().map(|detail| detail.diffusion_steps);
        let steps = std::iter::once(step.diffusion_steps()).chain(detail);
        Ok(steps.map(|steps| Timesteps::new(steps, limit)).collect::<Result<_, _>>()?)
    };
    plan.steps().iter().map(of_step).collect()
}

/// The rows of a step: group 1 for the tokens that are picked, 0 for the others.
fn rows<P>(jobs: &[Job<P>], targets: &Targets, picked: &[Vec<usize>]) -> Vec<Row> {
    let mut rows = Vec::with_capacity(targets.rows().len());
    for ((job, tokens), picked) in jobs.iter().zip(targets.by_image()).zip(picked) {
        let first = rows.len();
        rows.extend(tokens.iter().map(|&token| Row { image: job.image, token, group: 0 }));
        for &position in picked {
            rows[first + position].group = 1;
        }
    }
    rows
}

/// Makes a batch of images from a plan: [`Sampler::new`] and [`Sampler::run`] with the implementations of this crate.
///
/// # Errors
/// As [`Sampler::new`] and [`Sampler::run`].
pub fn run<G: MaskedGenerator, O: Observer<G> + ?Sized>(
    plan: &Plan,
    generator: &mut G,
    jobs: &[Job<G::Prompt>],
    settings: &Settings,
    observer: &mut O,
) -> Result<Vec<G::Image>, SampleError<G::Error>>
where
    G::Prompt: Clone,
{
    Sampler::new(plan, &Registry::builtin())?.run(generator, jobs, settings, observer)
}
