//! What a trace says of its run.

use gtr_core::{Guidance, GuidanceSchedule, Plan, PlanDocument, Registry, Seed};

use super::{FORMAT, VERSION};
use crate::checkpoint::Checkpoint;
use crate::{BackendError, Precision};

/// What a trace says of its run beside the tensors, checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Description {
    /// The program that wrote it, and its version.
    pub program: String,
    /// The plan.
    pub plan: Plan,
    /// What of the plan was not checked, in words; nothing if every rule was.
    pub unchecked: Option<String>,
    /// The seed of all randomness.
    pub seed: Seed,
    /// Classifier-free guidance.
    pub guidance: Guidance,
    /// Factor of the noise added after each evaluation.
    pub temperature: f64,
    /// Name or path of the model.
    pub model: String,
    /// Where its weights come from, in words; may be empty.
    pub weights: String,
    /// The type of its matrices.
    pub precision: Precision,
    /// How many batches the trace says it holds.
    pub batches: usize,
}

impl Description {
    /// Reads the texts of a file.
    ///
    /// # Errors
    /// [`BackendError::Recording`] if the file is no trace of a known version, or says something that cannot be.
    pub fn read(file: &Checkpoint, registry: &Registry) -> Result<Self, BackendError> {
        let wrong = |reason: String| BackendError::Recording { file: file.name().to_owned(), reason };
        let metadata = file.metadata();
        let text = |name: &str| {
            metadata.get(name).copied().ok_or_else(|| wrong(format!("its metadata does not say `{name}`")))
        };
        let may_lack = |name: &str| metadata.get(name).copied().unwrap_or_default().to_owned();
        let number = |name: &str| {
            let number = text(name)?.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| wrong(format!("`{name}` of its metadata is not a number")))
        };
        if text("format")? != FORMAT {
            return Err(wrong(format!("it is no trace: its format is not `{FORMAT}`")));
        }
        if text("version")? != VERSION {
            return Err(wrong(format!("version {} of traces is not known here", text("version")?)));
        }
        let document = PlanDocument::parse(text("plan")?).map_err(|error| wrong(format!("its plan: {error}")))?;
        let checked = Plan::from_document(&document, registry);
        let checked = checked.map_err(|error| wrong(format!("its plan: {error}")))?;
        let (unchecked, plan) = (checked.note(), checked.plan);
        let schedule = text("guidance_schedule")?;
        let schedule: GuidanceSchedule =
            schedule.parse().map_err(|_| wrong(format!("its guidance schedule `{schedule}` is not known")))?;
        let guidance = Guidance::new(number("guidance")?, schedule).map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            program: may_lack("program"),
            plan,
            unchecked,
            seed: Seed(text("seed")?.parse().map_err(|_| wrong("the seed of its metadata is not a number".into()))?),
            guidance,
            temperature: number("temperature")?,
            model: text("model")?.to_owned(),
            weights: may_lack("weights"),
            // Traces of older programs are all in f32.
            precision: metadata.get("precision").map_or(Ok(Precision::F32), |name| name.parse())?,
            batches: text("batches")?.parse().map_err(|_| wrong("it does not say how many batches".into()))?,
        })
    }
}
