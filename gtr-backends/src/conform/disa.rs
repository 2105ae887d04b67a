//! `disa`: numbers of diffusion steps that decrease over the AR steps, and clipped timesteps.

use gtr_core::diffusion::StepShape;
use gtr_core::{AxisConfig, DiffusionSteps, Role, Timestep, TimestepLimit, Timesteps};
use serde_json::Value;

use super::checks::Checks;
use super::recording::{Recording, whole_list};
use crate::BackendError;

/// Largest number of AR or diffusion steps that is compared.
const MOST_STEPS: usize = 1 << 16;

pub(super) fn check(recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    for (number, run) in recording.value("/runs")?.as_array().into_iter().flatten().enumerate() {
        curve(recording, number, run, checks)?;
    }
    let fields = recording.json.as_object().into_iter().flatten();
    for (key, maps) in fields.filter(|(key, _)| key.starts_with("timestep_map_clip")) {
        let digits = key["timestep_map_clip".len()..].chars().take_while(char::is_ascii_digit).collect::<String>();
        let clip: u32 =
            digits.parse().map_err(|_| recording.wrong(format!("expected a timestep at the end of `{key}`")))?;
        for (steps, map) in maps.as_object().into_iter().flatten() {
            let wrong = |reason: String| recording.wrong(format!("`{key}`, {steps} steps: {reason}"));
            let count = steps.parse().map_err(|_| wrong("the number of steps is not an integer".into()))?;
            let expected = whole_list(map).ok_or_else(|| wrong("not a list of timesteps".into()))?;
            let count = DiffusionSteps::new(count).map_err(|error| wrong(error.to_string()))?;
            let found = Timesteps::new(count, limit(clip)).map_err(|error| wrong(error.to_string()))?;
            let found: Vec<usize> = found.values().iter().map(|&timestep| timestep as usize).collect();
            checks.exact(key, &found, &expected);
        }
    }
    Ok(())
}

/// Converts a clip to a limit. A clip above the last timestep has no effect.
fn limit(clip: u32) -> TimestepLimit {
    Timestep::new(clip).map_or(TimestepLimit::NONE, TimestepLimit::Clip)
}

fn curve(recording: &Recording, number: usize, run: &Value, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let wrong = |reason: String| recording.wrong(format!("run {number}: {reason}"));
    let whole = |key: &str| {
        let value = run.get(key).and_then(Value::as_u64).and_then(|value| usize::try_from(value).ok());
        value.filter(|value| *value <= MOST_STEPS).ok_or_else(|| wrong(format!("`{key}` is not a number of steps")))
    };
    let list = |key: &str| {
        run.get(key).and_then(whole_list).ok_or_else(|| wrong(format!("`{key}` is not a list of step counts")))
    };
    let strategy = run.get("strategy").and_then(Value::as_str).unwrap_or_default();
    let config = AxisConfig::new("disa")
        .with("strategy", strategy)
        .with("t_max", whole("diff_upper_steps")?)
        .with("t_min", whole("diff_lower_steps")?);
    let curve = checks.inputs.registry.build_diffusion(&config).map_err(|error| wrong(error.to_string()))?;
    let steps = vec![StepShape { stage: 0, role: Role::Generation, tokens: 1 }; whole("num_iter")?];
    let counts = curve.curve(&steps);
    let nominal: Vec<usize> = counts.iter().map(|steps| steps.get() as usize).collect();
    checks.exact("nominal_steps", &nominal, &list("nominal_steps")?);
    let actual = counts.iter().map(|&steps| Timesteps::new(steps, curve.limit()).map(|kept| kept.evaluations()));
    let actual: Vec<usize> = actual.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    checks.exact("actual_steps", &actual, &list("actual_steps")?);
    Ok(())
}
