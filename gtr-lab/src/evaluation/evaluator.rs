//! Generates and scores images.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use gtr_backends::judge::{CLASSES, Frechet, Judge, Origin, Reference};
use gtr_backends::{Classification, Picture};
use gtr_core::cost::{ArchSpec, Cost};
use gtr_core::sampler::Settings;
use gtr_core::{
    Capability, Grid, Guidance, HeadKind, ImageIndex, Planned, Registry, Sampler, Schedule, Seed, TimestepLimit,
};
use gtr_run::{Interrupt, Notes};
use serde_json::{Map, Value, json};

use super::record::Record;
use super::store::{Entry, Grown, ObservationStore};
use super::{ImageSet, Subject};
use crate::Error;
use crate::model::{ImageRequest, PictureModel};
use crate::progress::Progress;

/// Model that the built-in classifier was trained for.
const DIGITS: &str = "digits";

/// Identity of a model. It is part of the key under which the store keeps results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name under which the model was opened.
    pub name: String,
    /// Seed of the weights, if they are random.
    pub random_weights: Option<u64>,
    /// Checksum of configuration and weights, from [`gtr_backends::fingerprint`].
    pub fingerprint: String,
    /// Data type of the weights, such as `f32`.
    pub dtype: String,
    /// Device, as [`gtr_backends::device_name`] names it.
    pub device: String,
}

/// Options of an [`Evaluator`].
pub struct Options<'a> {
    /// Folder that keeps results; `None` keeps them in memory only.
    pub store: Option<&'a Path>,
    /// Batch size, at least 1. It affects speed and memory, not the results.
    pub batch: usize,
    /// Signals when to stop.
    pub interrupt: Interrupt,
    /// Receives notes for the user.
    pub notes: Notes,
    /// Receives progress reports.
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

/// Generates images with a model, scores them with a classifier, and keeps the results.
///
/// # Examples
/// Distance of ten generated digits from real ones (too few for a meaningful comparison):
/// ```
/// use gtr_backends::judge::{Bootstrap, Reference};
/// use gtr_core::{Registry, preset};
/// use gtr_lab::evaluation::{Evaluator, Identity, ImageSet, Options, EvaluationRow, Scorer, Subject};
/// use gtr_lab::model::ClassModel;
///
/// let device = gtr_backends::Device::Cpu;
/// let model = Box::new(ClassModel::new(gtr_backends::open("digits", None, &device)?)?);
/// let judge = gtr_backends::Judge::open(&gtr_backends::judge::Origin::BuiltIn)?;
/// let registry = Registry::builtin();
/// let mut evaluator = Evaluator::new(model, Identity::digits()?, judge, &registry, Options::default())?;
///
/// let plan = evaluator.plan(&preset::find("gtr-8")?.schedule)?.plan;
/// let guidance = evaluator.guidance(None)?;
/// let subjects = [Subject { name: "gtr-8".to_owned(), plan, guidance, temperature: 1.0 }];
/// let scale = Scorer {
///     reference: evaluator.reference(Reference::All),
///     bootstrap: Bootstrap { resamples: 20, ..Bootstrap::default() },
/// };
/// let rows = EvaluationRow::all(&mut evaluator, &subjects, &ImageSet::new(10, &[0], 10)?, &scale)?;
/// assert_eq!(rows[0].scores.images, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Evaluator<'r> {
    model: Box<dyn PictureModel>,
    identity: Identity,
    judge: Judge,
    registry: &'r Registry,
    /// Part that all keys share.
    description: Value,
    store: Option<ObservationStore>,
    batch: usize,
    interrupt: Interrupt,
    notes: Notes,
    progress: Box<dyn Progress>,
    /// Operations of images that will be requested after the next ones; included in the remaining time.
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
    /// Returns the identity of the built-in digits model, in f32 on the CPU.
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

/// Classifier outputs for the images of a subject.
#[derive(Clone, Debug)]
pub struct Observation {
    /// One output per image, in the order of [`ImageSet::labels`].
    pub verdicts: Vec<Classification>,
    /// Mean generation time of an image, in seconds; images from the store count with the time they took then.
    pub seconds: f64,
}

/// Refuses a model whose images the classifier cannot score: a text-conditional one (`classes` is `None`), or one with another number
/// of classes. Call it before loading weights.
///
/// # Errors
/// [`Error::Request`] for such a model.
pub fn check_classes(name: &str, classes: Option<usize>) -> Result<(), Error> {
    match classes {
        Some(CLASSES) => Ok(()),
        None => {
            Err(Error::request(format_args!("the judge needs a class-conditional model, `{name}` is text-conditional")))
        }
        Some(classes) => {
            Err(Error::request(format_args!("the judge needs a model of {CLASSES} classes, `{name}` has {classes}")))
        }
    }
}

impl<'r> Evaluator<'r> {
    /// Creates an evaluator that scores the images of `model` with `judge`.
    ///
    /// # Errors
    /// [`Error::Request`] if the classes or the image size of the model are not those of the judge; [`Error::Failure`] if the
    /// path of the store is not a folder.
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
        let store = store.map(|folder| ObservationStore::new(folder, notes.clone())).transpose()?;
        let shape @ [height, width, channels] = model.shape();
        if shape != SHAPE {
            return Err(Error::request(format_args!(
                "the judge needs grey images of 32x32 pixels, `{name}` generates {width}x{height} with {}",
                gtr_core::count(channels, "channel")
            )));
        }
        if judge.origin() == &Origin::BuiltIn && name != DIGITS {
            notes.say(format_args!(
                "`{name}` has no judge of its own (no folder `judge` next to its config.json): using the judge of the digits model"
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

    /// Returns the registry of schedule implementations.
    pub fn registry(&self) -> &'r Registry {
        self.registry
    }

    /// Returns the receiver of notes.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Returns the feature statistics of the real images.
    pub fn reference(&self, which: Reference) -> Frechet {
        Frechet::from(self.judge.reference(which))
    }

    /// Returns the noun for the real images in reports.
    pub fn real(&self) -> &'static str {
        if self.judge.origin() == &Origin::BuiltIn { "digits" } else { "images" }
    }

    /// Returns the model's token grid.
    pub fn grid(&self) -> Grid {
        self.model.grid()
    }

    /// Returns the range of timesteps that the model supports.
    pub fn timestep_limit(&self) -> TimestepLimit {
        self.model.timestep_limit()
    }

    /// Returns the kind of the model's head.
    pub fn head_kind(&self) -> HeadKind {
        self.model.head_kind()
    }

    /// Returns the capabilities that the model provides.
    pub fn capabilities(&self) -> Vec<Capability> {
        Capability::ALL.into_iter().filter(|&it| self.model.provides(it)).collect()
    }

    /// Returns the model's default guidance, with `scale` in place of its scale if given.
    ///
    /// # Errors
    /// [`Error::Request`] for an invalid scale.
    pub fn guidance(&self, scale: Option<f64>) -> Result<Guidance, Error> {
        let (own, schedule) = self.model.guidance();
        Guidance::new(scale.or(own).unwrap_or(1.0), schedule)
            .map_err(|error| Error::request(format_args!("--cfg: {error}")))
    }

    /// Returns the settings that all rows share, for JSON: program version, model, judge, data type and device.
    pub fn settings(&self) -> Map<String, Value> {
        let mut settings = Map::new();
        settings.insert("model".to_owned(), self.identity.name.as_str().into());
        settings.insert("random_weights".to_owned(), self.identity.random_weights.into());
        for part in ["program", "model_sha256", "judge_sha256", "dtype", "device"] {
            settings.insert(part.to_owned(), self.description[part].clone());
        }
        settings
    }

    /// Plans a schedule on the model's grid, within its range of timesteps. Adaptations are reported as notes.
    ///
    /// # Errors
    /// [`Error::Core`] if the schedule does not fit the grid.
    pub fn plan(&self, schedule: &Schedule) -> Result<Planned, Error> {
        let mut schedule = schedule.clone();
        schedule.set_default_timestep_limit(self.timestep_limit())?;
        let planned = schedule.plan(self.grid(), self.registry)?;
        planned.adaptations.iter().for_each(|note| self.notes.say(note));
        Ok(planned)
    }

    /// Returns the cost of one image of a subject.
    pub fn cost(&self, subject: &Subject) -> Cost {
        self.arch().cost(&subject.plan, subject.guidance.is_guided())
    }

    /// Returns the model's architecture, from which costs are computed.
    pub fn arch(&self) -> ArchSpec {
        self.model.arch()
    }

    /// Announces the operations of images that will be requested after the next ones. The remaining time then includes them.
    pub fn expect(&mut self, operations: f64) {
        self.ahead = operations;
    }

    /// Generates and scores the images of each subject that the store does not have yet. Returns one observation per subject.
    ///
    /// # Errors
    /// [`Error::Interrupted`] on interruption; the store keeps finished batches. [`Error::Failure`] if the store cannot be read or
    /// written, and errors of the model.
    pub fn observe(&mut self, subjects: &[Subject], images: &ImageSet) -> Result<Vec<Observation>, Error> {
        // Identical subjects share their images.
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
            work += gtr_core::float(lacking) * cost;
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
            let seconds = seconds / gtr_core::float(verdicts.len().max(1));
            Observation { verdicts, seconds }
        };
        Ok(places.iter().map(observation).collect())
    }

    /// Generates the missing images of all entries.
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

    /// Waits until no other process generates images of the entry, or until interrupted.
    fn await_turn(&self, entry: &mut Entry, name: &str) -> Result<(), Error> {
        let mut reported = false;
        while let Grown::NotYet(holder) = entry.grow()? {
            if !reported {
                let holder = holder.map_or_else(String::new, |holder| format!(" ({holder})"));
                self.notes.say(format_args!("waiting for another process that is generating images of {name}{holder}"));
            }
            reported = true;
            self.interrupt.check()?;
            thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Returns the store key of a subject and a seed: everything that determines the images and the classifier's outputs.
    fn key(&self, subject: &Subject, seed: u64) -> Value {
        let mut key = self.description.clone();
        if let (Some(key), Value::Object(subject)) = (key.as_object_mut(), subject.key()) {
            key.extend(subject);
            key.insert("seed".to_owned(), seed.into());
        }
        key
    }

    /// Generates and scores a batch of images. Pixels are rounded to bytes first, as in files.
    fn make(&mut self, subject: &Subject, seed: u64, images: &ImageSet, numbers: &[u64]) -> Result<Vec<Record>, Error> {
        let Subject { plan, guidance, temperature, .. } = subject;
        let request = |&number: &u64| ImageRequest { class: images.class(number), image: ImageIndex(number) };
        let requests: Vec<_> = numbers.iter().map(request).collect();
        let settings = Settings { seed: Seed(seed), guidance: *guidance, temperature: *temperature };
        let operations = gtr_core::float(numbers.len()) * self.cost(subject).total();
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

/// Entry of each key, and the operations of one of its images.
type Entries = BTreeMap<String, (Entry, f64)>;

/// Returns the indices of the images that an entry lacks.
fn missing(entry: &Entry, images: &ImageSet) -> Vec<u64> {
    (0..images.each()).filter(|&number| entry.get(number).is_none()).collect()
}

/// Height, width and channels of the classifier's input.
const SHAPE: [usize; 3] = [32, 32, 1];

/// Rounds the pixels of an image to bytes, as in a file.
fn rounded(picture: &Picture) -> Result<Picture, Error> {
    let bytes = picture.to_u8();
    Ok(super::external::picture(&bytes)?)
}
