//! Recording of traces.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Tensor};
use gtr_core::sampler::{JobOf, Observer, SampleError, Settings, StepEvent};
use gtr_core::{Noise, Plan, Sampler, TimestepLimit, TokenIndex};

use super::noise::RememberedNoise;
use super::{FORMAT, Traced, VERSION};
use crate::atomic_file::Partial;
use crate::checkpoint::Dtype;
use crate::checkpoint::header::Header;
use crate::error::Context;
use crate::prompt::PromptInput;
use crate::{BackendError, Picture, Precision};

/// Largest plan, in bytes of JSON.
const LARGEST_PLAN: usize = 8 << 20;
/// Integers up to this value are exact in f64.
const LARGEST_IMAGE: u64 = 1 << 53;

/// Description of the model that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Name or path of the model, as for [`open`](fn@crate::open).
    pub model: String,
    /// Source of the weights, as text; may be empty.
    pub weights: String,
    /// Precision of the matrices.
    pub precision: Precision,
    /// [Kind](crate::device_kind) of the device; empty if it is not recorded.
    pub device: &'static str,
}

/// Records runs of one plan in one file. The file appears when it is [finished](Tracer::finish).
///
/// The data of one AR step is kept in memory. Most of it is the noise of all rows and draws, which is kept twice
/// (rows x draws x channels x 8 bytes).
#[derive(Debug)]
pub struct Tracer {
    file: Partial,
    /// Tensor data, until the header is known.
    data: Partial,
    header: Header,
    metadata: BTreeMap<String, String>,
    plan: Plan,
    settings: Settings,
    batches: usize,
}

impl Tracer {
    /// Creates a trace of runs of `plan` with `settings`.
    ///
    /// # Errors
    /// [`BackendError::Write`] if the file cannot be created; [`BackendError::Untraceable`] for a plan of more than 8
    /// MB, or whose order is decided while sampling.
    pub fn create(
        path: &Path,
        plan: &Plan,
        settings: &Settings,
        provenance: &Provenance,
    ) -> Result<Self, BackendError> {
        if plan.is_ranked() {
            let reason =
                "a run whose order is decided while sampling cannot be traced: a trace records the order first";
            return Err(BackendError::Untraceable(reason.to_owned()));
        }
        let json = plan.to_document().to_json();
        if json.len() > LARGEST_PLAN {
            return Err(BackendError::Untraceable(format!("a plan of {} bytes is too large to be traced", json.len())));
        }
        let texts = [
            ("format", FORMAT.to_owned()),
            ("version", VERSION.to_owned()),
            ("program", concat!("gtr ", env!("CARGO_PKG_VERSION")).to_owned()),
            ("plan", json),
            ("seed", settings.seed.0.to_string()),
            ("temperature", settings.temperature.to_string()),
            ("guidance", settings.guidance.scale().to_string()),
            ("guidance_schedule", settings.guidance.schedule().to_string()),
            ("model", provenance.model.clone()),
            ("weights", provenance.weights.clone()),
            ("precision", provenance.precision.name().to_owned()),
        ];
        let device = Some(("device", provenance.device.to_owned())).filter(|(_, kind)| !kind.is_empty());
        Ok(Self {
            file: Partial::create(path)?,
            data: Partial::create(path)?,
            header: Header::default(),
            metadata: texts.into_iter().chain(device).map(|(name, text)| (name.to_owned(), text)).collect(),
            plan: plan.clone(),
            settings: *settings,
            batches: 0,
        })
    }

    /// Generates and records a batch of images, like [`Batch::run`](gtr_core::sampler::Batch::run) with the settings of
    /// this trace. `sampler` must use the plan of this trace.
    ///
    /// # Errors
    /// Those of [`Batch::run`](gtr_core::sampler::Batch::run); [`SampleError::Model`] if the trace cannot be written.
    pub fn run<G: Traced, O: Observer<G> + ?Sized>(
        &mut self,
        sampler: &Sampler<'_>,
        generator: &mut G,
        jobs: &[JobOf<G>],
        observer: &mut O,
    ) -> Result<Vec<Picture>, SampleError<BackendError, O::Error>> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        self.resolve(generator.head_kind().timesteps())?;
        let orders = self.begin(generator, jobs).map_err(SampleError::Model)?;
        let (source, settings) = (Noise::new(self.settings.seed), self.settings);
        let noise = RememberedNoise::new(&source);
        let clock = Instant::now();
        let known = self.plan.known().len();
        let watch = TraceObserver { tracer: self, noise: &noise, orders, observer, known, clock };
        let pictures = sampler.batch(jobs, &settings).noise(&noise).observe(watch).run(generator);
        let pictures = pictures.map_err(|error| {
            error.map_observer(|failure| match failure {
                Failure::Trace(error) => SampleError::Model(error),
                Failure::Observer(error) => SampleError::Observer(error),
            })
        })?;
        self.add_pictures(&pictures).map_err(SampleError::Model)?;
        self.batches += 1;
        Ok(pictures)
    }

    /// Completes the file.
    ///
    /// # Errors
    /// [`BackendError::Write`].
    pub fn finish(mut self) -> Result<(), BackendError> {
        self.metadata.insert("batches".to_owned(), self.batches.to_string());
        self.file.write(&self.header.bytes(&self.metadata))?;
        self.file.append(self.data)?;
        self.file.finish()
    }

    /// Adds the timestep limit of the model to the recorded plan if the plan has none, so that the trace states the
    /// executed plan.
    fn resolve(&mut self, model: TimestepLimit) -> Result<(), gtr_core::Error> {
        if self.plan.timestep_limit_on(model) != self.plan.timestep_limit() {
            self.plan = self.plan.clone().with_default_timestep_limit(model)?;
            self.metadata.insert("plan".to_owned(), self.plan.to_document().to_json());
        }
        Ok(())
    }

    /// Records the jobs. Returns the orders of the images, which start with the known tokens.
    fn begin<G: Traced>(&mut self, generator: &G, jobs: &[JobOf<G>]) -> Result<Vec<Vec<TokenIndex>>, BackendError> {
        let images = jobs.iter().map(|job| match i64::try_from(job.image.0) {
            Ok(image) if job.image.0 <= LARGEST_IMAGE => Ok(image),
            _ => {
                Err(BackendError::Untraceable(format!("the index of image {} is too large to be traced", job.image.0)))
            }
        });
        let images = images.collect::<Result<Vec<_>, _>>()?;
        self.add_whole("images", &[jobs.len()], images)?;
        let prompts = jobs.iter().map(|job| generator.recorded(&job.prompt)).collect::<Result<Vec<_>, _>>()?;
        let class =
            |prompt: &PromptInput| if let PromptInput::Class(class) = prompt { Some(i64::from(*class)) } else { None };
        if let Some(classes) = prompts.iter().map(class).collect::<Option<Vec<_>>>() {
            self.add_whole("classes", &[jobs.len()], classes)?;
        } else {
            let texts = prompts.into_iter().filter_map(|prompt| match prompt {
                PromptInput::EmbeddedText(vectors) => Some(vectors),
                _ => None,
            });
            let texts = Tensor::stack(&texts.collect::<Vec<_>>(), 0).context("joining the vectors of texts")?;
            self.add("texts", &texts)?;
        }
        let order = |job: &JobOf<G>| {
            let order = self.plan.order(self.settings.seed, job.image)?;
            Ok([self.plan.known(), &order].concat())
        };
        let orders = jobs.iter().map(order).collect::<Result<Vec<_>, gtr_core::Error>>();
        let orders = orders.map_err(|error| BackendError::Untraceable(error.to_string()))?;
        self.add_tokens("orders", &[jobs.len(), self.plan.grid().tokens()], orders.iter().flatten())?;
        Ok(orders)
    }

    /// Records the images, which all have the same size.
    fn add_pictures(&mut self, pictures: &[Picture]) -> Result<(), BackendError> {
        let Some(first) = pictures.first() else { return Ok(()) };
        let shape = [pictures.len(), first.height(), first.width(), first.channels()];
        let bytes: Vec<u8> = pictures.iter().flat_map(Picture::to_u8).collect();
        self.bytes("pictures", Dtype::U8, &shape, &bytes)
    }

    fn bytes(&mut self, name: &str, dtype: Dtype, shape: &[usize], bytes: &[u8]) -> Result<(), BackendError> {
        self.header.add(format!("batch{}.{name}", self.batches), dtype, shape);
        self.data.write(bytes)
    }

    fn add(&mut self, name: &str, tensor: &Tensor) -> Result<(), BackendError> {
        let values = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>());
        self.add_floats(name, tensor.dims(), &values.context("reading tensors to trace")?)
    }

    fn add_floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<(), BackendError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.bytes(name, Dtype::F32, shape, &bytes)
    }

    fn add_whole(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = i64>,
    ) -> Result<(), BackendError> {
        let bytes: Vec<u8> = values.into_iter().flat_map(i64::to_le_bytes).collect();
        self.bytes(name, Dtype::I64, shape, &bytes)
    }

    fn add_tokens<'a>(
        &mut self,
        name: &str,
        shape: &[usize],
        tokens: impl Iterator<Item = &'a TokenIndex>,
    ) -> Result<(), BackendError> {
        // A grid has at most 2^24 tokens.
        self.add_whole(name, shape, tokens.map(|token| i64::try_from(token.index()).unwrap_or(i64::MAX)))
    }
}

/// Observes one run.
struct TraceObserver<'t, O: ?Sized> {
    tracer: &'t mut Tracer,
    noise: &'t RememberedNoise<'t>,
    orders: Vec<Vec<TokenIndex>>,
    observer: &'t mut O,
    /// Number of known tokens before the step.
    known: usize,
    /// Start of the step.
    clock: Instant,
}

/// Error of an observer while a run is traced.
enum Failure<O> {
    /// The trace cannot be written.
    Trace(BackendError),
    /// Error of the observer of the caller.
    Observer(O),
}

impl<G: Traced, O: Observer<G> + ?Sized> Observer<G> for TraceObserver<'_, O> {
    type Error = Failure<O::Error>;

    fn start(&mut self, generator: &G, canvas: &G::Canvas) -> Result<(), Self::Error> {
        self.observer.start(generator, canvas).map_err(Failure::Observer)?;
        self.clock = Instant::now();
        Ok(())
    }

    fn step(&mut self, event: &StepEvent<'_, G>) -> Result<ControlFlow<()>, Self::Error> {
        let seconds = self.clock.elapsed().as_secs_f64();
        self.record(event, seconds).map_err(Failure::Trace)?;
        let flow = self.observer.step(event).map_err(Failure::Observer)?;
        // The time between steps, for recording and observers, is not counted.
        self.clock = Instant::now();
        Ok(flow)
    }
}

impl<O: ?Sized> TraceObserver<'_, O> {
    fn record<G: Traced>(&mut self, event: &StepEvent<'_, G>, seconds: f64) -> Result<(), BackendError> {
        let (images, per_image) = (event.targets.images(), event.targets.per_image());
        let tokens = self.tracer.plan.grid().tokens();
        let name = |part: &str| format!("step{}.{part}", event.index);
        let mut mask = vec![1_u8; images * tokens];
        for (image, order) in self.orders.iter().enumerate() {
            order[..self.known].iter().for_each(|token| mask[image * tokens + token.index()] = 0);
        }
        let tracer = &mut *self.tracer;
        tracer.bytes(&name("mask_before"), Dtype::U8, &[images, tokens], &mask)?;
        tracer.add_tokens(&name("targets"), &[images, per_image], event.targets.rows().iter())?;
        let groups: Vec<u8> = event.rows.iter().map(|row| u8::from(row.group > 0)).collect();
        tracer.bytes(&name("groups"), Dtype::U8, &[images, per_image], &groups)?;
        let mut draws = 0;
        for (group, timesteps) in event.timesteps.iter().enumerate() {
            draws = draws.max(timesteps.evaluations());
            let values = timesteps.values().iter().map(|&timestep| i64::from(timestep));
            tracer.add_whole(&name(&format!("timesteps{group}")), &[timesteps.evaluations()], values)?;
        }
        tracer.bytes(&name("guidance"), Dtype::F64, &[1], &event.context.guidance.to_le_bytes())?;
        tracer.bytes(&name("seconds"), Dtype::F64, &[1], &seconds.to_le_bytes())?;
        tracer.add(&name("z"), &event.features.conditional)?;
        if let Some(unconditional) = &event.features.unconditional {
            tracer.add(&name("z_unconditional"), unconditional)?;
        }
        let values = event.generator.known_values(event.canvas).ok_or_else(|| {
            BackendError::Untraceable("the run cannot be traced: the canvas has no values after a step".into())
        })?;
        let channels = values.dims().last().copied().unwrap_or(0);
        let noise = self.noise.collect(event.rows, draws, channels);
        tracer.add_floats(&name("noise"), &[draws, event.rows.len(), channels], &noise)?;
        let sampled = values.narrow(1, self.known, per_image).and_then(|new| new.flatten_to(1));
        tracer.add(&name("sampled"), &sampled.context("reading token values")?)?;
        self.known += per_image;
        if self.known == tokens {
            let values = values.to_dtype(DType::F32).and_then(|values| values.flatten_all()?.to_vec1::<f32>());
            let values = values.context("reading token values")?;
            let mut ordered = vec![0.0; values.len()];
            let places = self.orders.iter().enumerate();
            let places =
                places.flat_map(|(image, order)| order.iter().map(move |token| image * tokens + token.index()));
            for (place, value) in places.zip(values.chunks_exact(channels)) {
                ordered[place * channels..][..channels].copy_from_slice(value);
            }
            tracer.add_floats("tokens", &[images, tokens, channels], &ordered)?;
        }
        Ok(())
    }
}
