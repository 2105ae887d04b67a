//! Images made and judged.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use gtr_backends::judge::{CLASSES, Frechet, Judge, Origin, Reference};
use gtr_backends::{Picture, Verdict};
use gtr_core::cost::{ArchSpec, Cost};
use gtr_core::sampler::Settings;
use gtr_core::{Grid, Guidance, ImageIndex, Planned, Registry, Sampler, Schedule, Seed, TimestepLimit};
use gtr_run::{Interrupt, Notes};
use serde_json::{Map, Value, json};

use super::record::Record;
use super::store::{Entry, Grown, Store};
use super::{ImageSet, Subject};
use crate::Error;
use crate::model::{ImageRequest, PictureModel};
use crate::progress::Progress;

/// The model that the built-in judge is made for.
const DIGITS: &str = "digits";

/// What a model is, besides its plan: what is seen of its images is kept under this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name that it was opened by.
    pub name: String,
    /// The seed of its weights, where they are random.
    pub random_weights: Option<u64>,
    /// A checksum of configuration and weights, as [`gtr_backends::fingerprint`] makes it.
    pub fingerprint: String,
    /// The type of its matrices, as texts name it.
    pub dtype: String,
    /// Where it computes, as [`gtr_backends::device_name`] says it.
    pub device: String,
}

/// How an [`Evaluator`] works.
pub struct Options<'a> {
    /// A folder that keeps what was seen, if there is to be one.
    pub store: Option<&'a Path>,
    /// Images that run at the same time; it changes speed and memory, not what is seen.
    pub batch: usize,
    /// When to stop.
    pub interrupt: Interrupt,
    /// Where remarks go.
    pub notes: Notes,
    /// Who is told how far it is.
    pub progress: Box<dyn Progress>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { store: None, batch: 100, interrupt: Interrupt::never(), notes: Notes::none(), progress: Box::new(()) }
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("store", &self.store).field("batch", &self.batch).finish_non_exhaustive()
    }
}

/// A model, the judge of its images, and what that judge has seen.
///
/// # Examples
/// The distance of a few digits from real ones, too few to say much:
/// ```
/// use gtr_backends::judge::{Bootstrap, Reference};
/// use gtr_core::{Registry, preset};
/// use gtr_lab::evaluation::{Evaluator, Identity, ImageSet, Options, Row, Scale, Subject};
/// use gtr_lab::model::ClassModel;
///
/// let device = gtr_backends::Device::Cpu;
/// let model = Box::new(ClassModel::mar(gtr_backends::open("digits", None, &device)?)?);
/// let judge = gtr_backends::Judge::open(&gtr_backends::judge::Origin::BuiltIn)?;
/// let registry = Registry::builtin();
/// let mut evaluator = Evaluator::new(model, Identity::digits()?, judge, &registry, Options::default())?;
///
/// let plan = evaluator.plan(&preset::find("gtr-8")?.schedule)?.plan;
/// let guidance = evaluator.guidance(None)?;
/// let subjects = [Subject { name: "gtr-8".to_owned(), plan, guidance, temperature: 1.0 }];
/// let scale = Scale {
///     reference: evaluator.reference(Reference::All),
///     bootstrap: Bootstrap { resamples: 20, ..Bootstrap::default() },
/// };
/// let rows = Row::all(&mut evaluator, &subjects, &ImageSet::new(10, &[0], 10)?, &scale)?;
/// assert_eq!(rows[0].scores.images, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Evaluator<'r> {
    model: Box<dyn PictureModel>,
    identity: Identity,
    judge: Judge,
    registry: &'r Registry,
    /// What all keys have in common.
    description: Value,
    store: Option<Store>,
    batch: usize,
    interrupt: Interrupt,
    notes: Notes,
    progress: Box<dyn Progress>,
    /// Operations of what will be asked for after the next images: the time left is that of all.
    ahead: f64,
}

impl fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluator")
            .field("identity", &self.identity)
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// The digits model that is built in, in f32 on the processor.
    ///
    /// # Errors
    /// Those of [`gtr_backends::fingerprint`].
    pub fn digits() -> Result<Self, Error> {
        Ok(Self {
            name: DIGITS.to_owned(),
            random_weights: None,
            fingerprint: gtr_backends::fingerprint(DIGITS, &gtr_backends::Files::default(), None)?,
            dtype: gtr_backends::Precision::default().name().to_owned(),
            device: gtr_backends::device_name(&gtr_backends::Device::Cpu),
        })
    }
}

/// What was seen in the images of a subject.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Seed by seed, as [`ImageSet::labels`].
    pub verdicts: Vec<Verdict>,
    /// The mean over the images, whenever they were made.
    pub seconds: f64,
}

/// Refuses a model whose images the judge cannot judge: one of texts (no classes), or of another number of classes. To be asked
/// before weights are looked for.
///
/// # Errors
/// [`Error::Request`].
pub fn check_classes(name: &str, classes: Option<usize>) -> Result<(), Error> {
    match classes {
        Some(CLASSES) => Ok(()),
        None => Err(Error::request(format_args!("the judge sees classes, `{name}` makes images of texts"))),
        Some(classes) => {
            Err(Error::request(format_args!("the judge sees ten classes, `{name}` makes images of {classes} classes")))
        }
    }
}

impl<'r> Evaluator<'r> {
    /// An evaluator of a model, whose images `judge` is to judge.
    ///
    /// # Errors
    /// [`Error::Request`] for a model of other classes than the judge's, or of pictures of another size; [`Error::Failure`] if the
    /// store is no folder.
    pub fn new(
        model: Box<dyn PictureModel>,
        identity: Identity,
        judge: Judge,
        registry: &'r Registry,
        options: Options<'_>,
    ) -> Result<Self, Error> {
        let Options { store, batch, interrupt, notes, progress } = options;
        let name = &identity.name;
        check_classes(name, Some(model.classes()))?;
        let store = store.map(|folder| Store::new(folder, notes.clone())).transpose()?;
        let shape @ [height, width, channels] = model.shape();
        if shape != SHAPE {
            return Err(Error::request(format_args!(
                "the judge sees grey pictures of 32x32 pixels: `{name}` makes {width}x{height} with {channels} channels"
            )));
        }
        if judge.origin() == &Origin::BuiltIn && name != DIGITS {
            notes.say(format_args!(
                "`{name}` has no judge of its own, no folder `judge` beside its config.json: that of digits judges its images"
            ));
        }
        let description = json!({
            "format_version": 1,
            "program": env!("CARGO_PKG_VERSION"),
            "model_sha256": identity.fingerprint,
            "judge_sha256": judge.fingerprint(),
            "dtype": identity.dtype,
            "device": identity.device,
        });
        let batch = batch.max(1);
        Ok(Self { model, identity, judge, registry, description, store, batch, interrupt, notes, progress, ahead: 0.0 })
    }

    /// Where implementations of schedules come from.
    pub fn registry(&self) -> &'r Registry {
        self.registry
    }

    /// Where remarks go.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The features of the real pictures that the judge compares with.
    pub fn reference(&self, which: Reference) -> Frechet {
        Frechet::from(self.judge.reference(which))
    }

    /// What the real pictures are called.
    pub fn real(&self) -> &'static str {
        if self.judge.origin() == &Origin::BuiltIn { "digits" } else { "pictures" }
    }

    /// The model's token grid.
    pub fn grid(&self) -> Grid {
        self.model.grid()
    }

    /// The timesteps that the model is good for.
    pub fn timestep_limit(&self) -> TimestepLimit {
        self.model.timestep_limit()
    }

    /// The model's own guidance, with another scale if one is given.
    ///
    /// # Errors
    /// [`Error::Request`] for a scale that is none.
    pub fn guidance(&self, scale: Option<f64>) -> Result<Guidance, Error> {
        let (own, schedule) = self.model.guidance();
        Guidance::new(scale.or(own).unwrap_or(1.0), schedule)
            .map_err(|error| Error::request(format_args!("--cfg: {error}")))
    }

    /// What decides the scores besides what is judged: program, model, by the name that it was opened by, and judge, where it
    /// computes and how.
    pub fn settings(&self) -> Map<String, Value> {
        let mut settings = Map::new();
        settings.insert("model".to_owned(), self.identity.name.as_str().into());
        settings.insert("random_weights".to_owned(), self.identity.random_weights.into());
        for part in ["program", "model_sha256", "judge_sha256", "dtype", "device"] {
            settings.insert(part.to_owned(), self.description[part].clone());
        }
        settings
    }

    /// Plans a schedule on the model's grid, over the timesteps that the model is good for. What was adapted is said.
    ///
    /// # Errors
    /// [`Error::Core`] if the schedule does not fit.
    pub fn plan(&self, schedule: &Schedule) -> Result<Planned, Error> {
        let mut schedule = schedule.clone();
        schedule.set_default_timestep_limit(self.timestep_limit())?;
        let planned = schedule.plan(self.grid(), self.registry)?;
        planned.adaptations.iter().for_each(|note| self.notes.say(note));
        Ok(planned)
    }

    /// What an image of a subject costs.
    pub fn cost(&self, subject: &Subject) -> Cost {
        self.arch().cost(&subject.plan, subject.guidance.is_guided())
    }

    /// What the model is made of, to count with.
    pub fn arch(&self) -> ArchSpec {
        self.model.arch()
    }

    /// Says how many operations will be asked for after the next images, so that the time left is that of all.
    pub fn expect(&mut self, operations: f64) {
        self.ahead = operations;
    }

    /// Makes and judges images of each subject, as far as that was not done before: an observation of each.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if it was asked to stop; what is finished is kept. [`Error::Failure`] if it cannot be kept, and what the
    /// model says.
    pub fn observe(&mut self, subjects: &[Subject], images: &ImageSet) -> Result<Vec<Observation>, Error> {
        // Subjects that are the same share their images.
        let mut entries = Entries::new();
        let mut places = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let mut keys = Vec::with_capacity(images.seeds().len());
            for &seed in images.seeds() {
                let key = self.key(subject, seed);
                let text = key.to_string();
                if !entries.contains_key(&text) {
                    let entry = self.store.as_ref().map_or_else(|| Ok(Entry::default()), |store| store.entry(&key));
                    entries.insert(text.clone(), (entry?, self.cost(subject).total()));
                }
                keys.push(text);
            }
            places.push(keys);
        }
        let (mut count, mut work) = (0, 0.0);
        for (entry, cost) in entries.values() {
            let lacking = missing(entry, images).len();
            count += lacking as u64;
            work += gtr_core::cost::float(lacking) * cost;
        }
        self.progress.start(count, work + self.ahead);
        let made = self.complete(&mut entries, subjects, &places, images);
        self.progress.finish();
        made?;
        let observation = |keys: &Vec<String>| {
            let entries = keys.iter().filter_map(|key| entries.get(key));
            let numbers = 0..images.each();
            let records = entries.flat_map(|(entry, _)| numbers.clone().filter_map(|number| entry.get(number)));
            let (mut verdicts, mut seconds) = (Vec::new(), 0.0);
            for record in records {
                verdicts.push(record.verdict.clone());
                seconds += f64::from(record.seconds);
            }
            let seconds = seconds / gtr_core::cost::float(verdicts.len().max(1));
            Observation { verdicts, seconds }
        };
        Ok(places.iter().map(observation).collect())
    }

    /// Makes the images that entries lack.
    fn complete(
        &mut self,
        entries: &mut Entries,
        subjects: &[Subject],
        places: &[Vec<String>],
        images: &ImageSet,
    ) -> Result<(), Error> {
        for (subject, keys) in subjects.iter().zip(places) {
            for (key, &seed) in keys.iter().zip(images.seeds()) {
                let Some((entry, _)) = entries.get_mut(key) else { continue };
                if missing(entry, images).is_empty() {
                    continue;
                }
                self.await_turn(entry, &subject.name)?;
                let lacking = missing(entry, images);
                for numbers in lacking.chunks(self.batch) {
                    self.interrupt.check()?;
                    entry.add(self.make(subject, seed, images, numbers)?)?;
                    self.progress.judged(numbers.len());
                }
                entry.rest();
                tracing::info!(subject = subject.name, seed, images = lacking.len(), "judged");
            }
        }
        Ok(())
    }

    /// Waits until no other process makes the images of an entry, unless it is asked to stop.
    fn await_turn(&self, entry: &mut Entry, name: &str) -> Result<(), Error> {
        let mut told = false;
        while let Grown::NotYet(holder) = entry.grow()? {
            if !told {
                let holder = holder.map_or_else(String::new, |holder| format!(" ({holder})"));
                self.notes.say(format_args!("another process is making images of {name}: waiting for it{holder}"));
            }
            told = true;
            self.interrupt.check()?;
            thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// All that decides what the images of a subject are like, and what is seen in them.
    fn key(&self, subject: &Subject, seed: u64) -> Value {
        let mut key = self.description.clone();
        if let (Some(key), Value::Object(subject)) = (key.as_object_mut(), subject.key()) {
            key.extend(subject);
            key.insert("seed".to_owned(), seed.into());
        }
        key
    }

    /// Makes a batch of images and judges them, rounded to bytes as they are in files.
    fn make(&mut self, subject: &Subject, seed: u64, images: &ImageSet, numbers: &[u64]) -> Result<Vec<Record>, Error> {
        let Subject { plan, guidance, temperature, .. } = subject;
        let request = |&number: &u64| ImageRequest { class: images.class(number), image: ImageIndex(number) };
        let requests: Vec<_> = numbers.iter().map(request).collect();
        let settings = Settings { seed: Seed(seed), guidance: *guidance, temperature: *temperature };
        let operations = gtr_core::cost::float(numbers.len()) * self.cost(subject).total();
        self.progress.batch(&subject.name, operations, plan.steps().len());
        let started = Instant::now();
        let sampler = Sampler::new(plan, self.registry)?;
        let Self { model, progress, interrupt, .. } = self;
        let mut step = |done: usize, steps: usize| {
            progress.step();
            interrupt.flow(started, done, steps)
        };
        let pictures = interrupt.sampled(model.sample(&sampler, &requests, &settings, &mut step))?;
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        let seconds = started.elapsed().as_secs_f32() / numbers.len() as f32;
        let pictures = pictures.iter().map(rounded).collect::<Result<Vec<_>, _>>()?;
        let verdicts = self.judge.judge(&pictures)?;
        let record = |(&number, verdict)| Record { number, seconds, verdict };
        Ok(numbers.iter().zip(verdicts).map(record).collect())
    }
}

/// What was seen under each key, and what an image costs.
type Entries = BTreeMap<String, (Entry, f64)>;

/// The numbers of the images that an entry lacks.
fn missing(entry: &Entry, images: &ImageSet) -> Vec<u64> {
    (0..images.each()).filter(|&number| entry.get(number).is_none()).collect()
}

/// Height, width and channels of the pictures that the judge sees.
const SHAPE: [usize; 3] = [32, 32, 1];

/// A picture as it is in a file.
fn rounded(picture: &Picture) -> Result<Picture, Error> {
    let bytes = picture.to_u8();
    Ok(super::external::picture(&bytes)?)
}
