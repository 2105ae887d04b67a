//! Images made and judged.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use gtr_backends::judge::{CLASSES, Frechet, Judge, Origin, Reference};
use gtr_backends::mar::{Class, MarGenerator};
use gtr_backends::{Picture, Verdict};
use gtr_core::cost::{ArchSpec, Cost};
use gtr_core::sampler::{Job, Settings};
use gtr_core::{Grid, Guidance, ImageIndex, MaskedGenerator, Plan, Sampler, Seed, TimestepLimit};
use serde_json::{Map, Value, json};

use super::progress::Progress;
use super::record::Record;
use super::store::{Entry, Grown, Store};
use super::{Images, Subject};
use crate::args::{Chosen, DIGITS, ModelArgs};
use crate::catalogue::CATALOGUE;
use crate::error::{CliError, ExitStatus};
use crate::output;
use crate::signals::Stop;

/// A model, the judge of its images, and what that judge has seen.
pub(crate) struct Evaluator {
    generator: MarGenerator,
    prompts: Vec<Class>,
    judge: Judge,
    /// What all keys have in common.
    model: Value,
    store: Option<Store>,
    batch: usize,
    stop: Stop,
    /// Operations of what will be asked for after the next images: the time left is that of all.
    ahead: f64,
}

/// What was seen in the images of a subject.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// Seed by seed, as [`Images::labels`].
    pub(crate) verdicts: Vec<Verdict>,
    /// The mean over the images, whenever they were made.
    pub(crate) seconds: f64,
}

/// How far it came.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// An observation a subject.
    Whole(Vec<Observation>),
    /// It was asked to stop; what is finished is kept.
    Stopped(ExitStatus),
}

impl Evaluator {
    /// Opens a model, whose images `judge` is to judge. What is seen is kept in the folder `store`, if there is to be one.
    pub(crate) fn open(model: &ModelArgs, judge: Judge, store: Option<&Path>, batch: u32) -> Result<Self, CliError> {
        let name = &model.model;
        // Before anyone is asked for weights.
        let Some(classes) = gtr_backends::spec(name)?.classes.filter(|_| model.text_encoder.is_none()) else {
            return Err(CliError::usage(format_args!("the judge sees classes, `{name}` makes images of texts")));
        };
        if classes != CLASSES {
            return Err(CliError::usage(format_args!(
                "the judge sees ten classes, `{name}` makes images of {classes} classes"
            )));
        }
        let store = store.map(Store::new).transpose()?;
        let compute = model.compute()?;
        let device = gtr_backends::device_name(compute.device());
        let generator = gtr_backends::open_mar(name, &model.files(), compute)?;
        if let Some(note) = generator.section().note() {
            output::note(format_args!("{name}: {note}"));
        }
        let shape @ [height, width, channels] = generator.shape();
        if shape != SHAPE {
            return Err(CliError::usage(format_args!(
                "the judge sees grey pictures of 32x32 pixels: `{name}` makes {width}x{height} with {channels} channels"
            )));
        }
        if judge.origin() == &Origin::BuiltIn && name != DIGITS {
            output::note(format_args!(
                "`{name}` has no judge of its own, no folder `judge` beside its config.json: that of digits judges its images"
            ));
        }
        let prompts = (0..10).map(|class| generator.class(class)).collect::<Result<_, _>>()?;
        let description = json!({
            "format_version": 1,
            "program": env!("CARGO_PKG_VERSION"),
            "model_sha256": gtr_backends::fingerprint(name, &model.files(), None)?,
            "judge_sha256": judge.fingerprint(),
            "dtype": model.dtype.name(),
            "device": device,
        });
        let next =
            if store.is_some() { "run the same command again to resume" } else { "without --store nothing is saved" };
        let stop = Stop::listen(next);
        Ok(Self { generator, prompts, judge, model: description, store, batch: batch as usize, stop, ahead: 0.0 })
    }

    /// The features of the real pictures that the judge compares with.
    pub(crate) fn reference(&self, which: Reference) -> Frechet {
        Frechet::from(self.judge.reference(which))
    }

    /// What the real pictures are called.
    pub(crate) fn real(&self) -> &'static str {
        if self.judge.origin() == &Origin::BuiltIn { "digits" } else { "pictures" }
    }

    /// The model's token grid.
    pub(crate) fn grid(&self) -> Grid {
        self.generator.grid()
    }

    /// The timesteps that the model is good for.
    pub(crate) fn timestep_limit(&self) -> TimestepLimit {
        self.generator.timestep_limit()
    }

    /// The model's own guidance, with another scale if one is given.
    pub(crate) fn guidance(&self, scale: Option<f64>) -> Result<Guidance, CliError> {
        let config = self.generator.config();
        Guidance::new(scale.or(config.guidance).unwrap_or(1.0), config.guidance_schedule)
            .map_err(|error| CliError::usage(format_args!("--cfg: {error}")))
    }

    /// What decides the scores besides what is judged: program, model, by the name that it was opened by, and judge, where it
    /// computes and how.
    pub(crate) fn settings(&self, model: &ModelArgs) -> Map<String, Value> {
        let mut settings = Map::new();
        settings.insert("model".to_owned(), model.model.as_str().into());
        settings.insert("random_weights".to_owned(), model.random_weights.into());
        for part in ["program", "model_sha256", "judge_sha256", "dtype", "device"] {
            settings.insert(part.to_owned(), self.model[part].clone());
        }
        settings
    }

    /// Plans a schedule on the model's grid, over the timesteps that the model is good for.
    pub(crate) fn plan(&self, mut chosen: Chosen) -> Result<Plan, CliError> {
        chosen.schedule.set_default_timestep_limit(self.timestep_limit())?;
        Ok(chosen.plan(self.grid())?.plan)
    }

    /// What an image of a subject costs.
    pub(crate) fn cost(&self, subject: &Subject) -> Cost {
        self.arch().cost(&subject.plan, subject.guidance.is_guided())
    }

    /// What the model is made of, to count with.
    pub(crate) fn arch(&self) -> ArchSpec {
        self.generator.config().arch()
    }

    /// Says how many operations will be asked for after the next images, so that the time left is that of all.
    pub(crate) fn expect(&mut self, operations: f64) {
        self.ahead = operations;
    }

    /// Makes and judges images of each subject, as far as that was not done before.
    pub(crate) fn observe(&mut self, subjects: &[Subject], images: &Images) -> Result<Outcome, CliError> {
        // Subjects that are the same share their images.
        let mut entries = BTreeMap::new();
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
        let missing =
            |entry: &Entry| (0..images.each()).filter(|&number| entry.get(number).is_none()).collect::<Vec<_>>();
        let (mut count, mut work) = (0, 0.0);
        for (entry, cost) in entries.values() {
            let lacking = missing(entry).len();
            count += lacking as u64;
            work += gtr_core::cost::float(lacking) * cost;
        }
        let mut progress = Progress::new(count, work + self.ahead, self.stop);
        for (subject, keys) in subjects.iter().zip(&places) {
            for (key, &seed) in keys.iter().zip(images.seeds()) {
                let Some((entry, _)) = entries.get_mut(key) else { continue };
                if missing(entry).is_empty() {
                    continue;
                }
                if let Some(status) = await_turn(entry, &subject.name, self.stop)? {
                    progress.finish();
                    return Ok(Outcome::Stopped(status));
                }
                let lacking = missing(entry);
                for numbers in lacking.chunks(self.batch) {
                    if let Some(status) = self.stop.asked() {
                        progress.finish();
                        return Ok(Outcome::Stopped(status));
                    }
                    match (self.make(subject, seed, images, numbers, &mut progress), self.stop.asked()) {
                        (Ok(records), _) => entry.add(records)?,
                        (Err(CliError::Stopped), Some(status)) => {
                            progress.finish();
                            return Ok(Outcome::Stopped(status));
                        }
                        (Err(error), _) => return Err(error),
                    }
                    progress.done(numbers.len());
                }
                entry.rest();
                tracing::info!(subject = subject.name, seed, images = lacking.len(), "judged");
            }
        }
        progress.finish();
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
        Ok(Outcome::Whole(places.iter().map(observation).collect()))
    }

    /// All that decides what the images of a subject are like, and what is seen in them.
    fn key(&self, subject: &Subject, seed: u64) -> Value {
        let mut key = self.model.clone();
        if let (Some(key), Value::Object(subject)) = (key.as_object_mut(), subject.key()) {
            key.extend(subject);
            key.insert("seed".to_owned(), seed.into());
        }
        key
    }

    /// Makes a batch of images and judges them, rounded to bytes as they are in files.
    fn make(
        &mut self,
        subject: &Subject,
        seed: u64,
        images: &Images,
        numbers: &[u64],
        progress: &mut Progress,
    ) -> Result<Vec<Record>, CliError> {
        let Subject { plan, guidance, temperature, .. } = subject;
        let job =
            |&number: &u64| Job { prompt: self.prompts[images.class(number) as usize], image: ImageIndex(number) };
        let jobs: Vec<_> = numbers.iter().map(job).collect();
        let settings = Settings { seed: Seed(seed), guidance: *guidance, temperature: *temperature };
        let operations = gtr_core::cost::float(numbers.len()) * self.cost(subject).total();
        progress.begin(&subject.name, operations, plan.steps().len());
        let started = Instant::now();
        let sampler = Sampler::new(plan, &CATALOGUE.registry)?;
        let pictures = sampler.run(&mut self.generator, &jobs, &settings, progress)?;
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        let seconds = started.elapsed().as_secs_f32() / numbers.len() as f32;
        let pictures = pictures.iter().map(rounded).collect::<Result<Vec<_>, _>>()?;
        let verdicts = self.judge.judge(&pictures)?;
        let record = |(&number, verdict)| Record { number, seconds, verdict };
        Ok(numbers.iter().zip(verdicts).map(record).collect())
    }
}

/// Waits until no other process makes the images of an entry, unless it is asked to stop.
fn await_turn(entry: &mut Entry, name: &str, stop: Stop) -> Result<Option<ExitStatus>, CliError> {
    let mut told = false;
    while let Grown::NotYet(holder) = entry.grow()? {
        if !told {
            let holder = holder.map_or_else(String::new, |holder| format!(" ({holder})"));
            output::note(format_args!("another process is making images of {name}: waiting for it{holder}"));
        }
        told = true;
        if let Some(status) = stop.asked() {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(200));
    }
    Ok(None)
}

/// Height, width and channels of the pictures that the judge sees.
const SHAPE: [usize; 3] = [32, 32, 1];

/// A picture as it is in a file.
fn rounded(picture: &Picture) -> Result<Picture, CliError> {
    let bytes = picture.to_u8();
    Ok(super::outside::picture(&bytes)?)
}
