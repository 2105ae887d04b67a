//! Metadata of traces.

use gtr_core::{Guidance, GuidanceSchedule, Plan, PlanDocument, Registry, Seed};

use super::{FORMAT, VERSION};
use crate::checkpoint::Checkpoint;
use crate::{BackendError, Precision};

/// Checked metadata of a trace.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Description {
    /// Name and version of the program that wrote the trace.
    pub program: String,
    /// The plan.
    pub plan: Plan,
    /// Rules of the plan that were not checked, as text; `None` if all rules were checked.
    pub unchecked: Option<String>,
    /// Seed of all randomness.
    pub seed: Seed,
    /// Classifier-free guidance.
    pub guidance: Guidance,
    /// Factor of the noise added after each evaluation.
    pub temperature: f64,
    /// Name or path of the model.
    pub model: String,
    /// Source of the weights, as text; may be empty.
    pub weights: String,
    /// Precision of the matrices.
    pub precision: Precision,
    /// Kind of the device; `None` if it is not recorded.
    pub device: Option<String>,
    /// Number of batches.
    pub batches: usize,
}

impl Description {
    /// Reads and checks the metadata of a file.
    ///
    /// # Errors
    /// [`BackendError::Recording`] if the file is not a trace of a known version, or if its metadata is invalid.
    pub fn read(file: &Checkpoint, registry: &Registry) -> Result<Self, BackendError> {
        let wrong = |reason: String| BackendError::Recording { file: file.name().to_owned(), reason };
        let metadata = file.metadata();
        let text =
            |name: &str| metadata.get(name).copied().ok_or_else(|| wrong(format!("its metadata has no `{name}`")));
        let may_lack = |name: &str| metadata.get(name).copied().unwrap_or_default().to_owned();
        let number = |name: &str| {
            let number = text(name)?.parse::<f64>().ok().filter(|number| number.is_finite());
            number.ok_or_else(|| wrong(format!("`{name}` in its metadata is not a number")))
        };
        if text("format")? != FORMAT {
            return Err(wrong(format!("it is not a trace: its format is not `{FORMAT}`")));
        }
        if text("version")? != VERSION {
            return Err(wrong(format!("unknown version {} of the trace format", text("version")?)));
        }
        let document = PlanDocument::parse(text("plan")?).map_err(|error| wrong(format!("its plan: {error}")))?;
        let checked = Plan::from_document(&document, registry);
        let checked = checked.map_err(|error| wrong(format!("its plan: {error}")))?;
        let (unchecked, plan) = (checked.note(), checked.plan);
        let schedule = text("guidance_schedule")?;
        let schedule: GuidanceSchedule =
            schedule.parse().map_err(|_| wrong(format!("unknown guidance schedule `{schedule}`")))?;
        let guidance = Guidance::new(number("guidance")?, schedule).map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            program: may_lack("program"),
            plan,
            unchecked,
            seed: Seed(text("seed")?.parse().map_err(|_| wrong("`seed` in its metadata is not a number".into()))?),
            guidance,
            temperature: number("temperature")?,
            model: text("model")?.to_owned(),
            weights: may_lack("weights"),
            // Traces of older versions are in f32.
            precision: metadata.get("precision").map_or(Ok(Precision::F32), |name| name.parse())?,
            device: metadata.get("device").map(|&kind| kind.to_owned()),
            batches: text("batches")?.parse().map_err(|_| wrong("`batches` in its metadata is not a number".into()))?,
        })
    }
}
