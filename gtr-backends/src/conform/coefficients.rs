//! `diffusion_coefs`: coefficients of the denoising process.

use gtr_core::{DiffusionSteps, TimestepLimit, Timesteps};
use serde_json::Value;

use super::checks::Checks;
use super::recording::{Recording, plain_respacing, short};
use super::report::Tolerance;
use crate::BackendError;
use crate::diffusion::Process;

/// Tolerance stated in the README of the recordings.
const TOLERANCE: Tolerance = Tolerance::Relative(1e-6);

pub(super) fn check(recording: &Recording, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    for name in recording.between("", ".timestep_map")? {
        let text = Value::from(name.as_str());
        let said = recording.json.get("timestep_respacing_strings").and_then(|all| all.get(&name)).unwrap_or(&text);
        let Some(steps) = plain_respacing(said) else {
            checks.note(format!("respacing {} is not checked: expected a number of evenly spaced steps", short(said)));
            recording
                .between(&format!("{name}."), "")?
                .iter()
                .for_each(|part| recording.skip(&format!("{name}.{part}")));
            continue;
        };
        one(recording, &name, steps, checks)?;
    }
    Ok(())
}

fn one(recording: &Recording, name: &str, steps: u32, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let key = format!("{name}.timestep_map");
    let kept = recording.u32s(&key)?;
    let timesteps = Timesteps::from_values(&kept).map_err(|found| {
        recording.wrong(format!(
            "expected ascending values below 1000 in `{key}`: {}",
            found.map_or("empty".into(), |t| t.to_string())
        ))
    })?;
    if steps == 1 {
        checks.note(
            "1 step: the reference keeps timestep 0 and cannot sample; this implementation uses the highest timestep",
        );
    } else {
        let wrong = |error: String| recording.wrong(error);
        let count = DiffusionSteps::new(steps).map_err(|error| wrong(error.to_string()))?;
        let found = Timesteps::new(count, TimestepLimit::NONE).map_err(|error| wrong(error.to_string()))?;
        let list = |values: &[u32]| values.iter().map(|&value| value as usize).collect::<Vec<_>>();
        checks.exact("timestep_map", &list(found.values()), &list(&kept));
    }
    let process = Process::new(&timesteps);
    for (quantity, found) in [
        ("betas", &process.betas),
        ("alphas_cumprod", &process.alphas_cumprod),
        ("alphas_cumprod_prev", &process.alphas_cumprod_prev),
        ("sqrt_recip_alphas_cumprod", &process.sqrt_recip_alphas_cumprod),
        ("sqrt_recipm1_alphas_cumprod", &process.sqrt_recipm1_alphas_cumprod),
        ("posterior_variance", &process.posterior_variance),
        ("posterior_log_variance_clipped", &process.posterior_log_variance_clipped),
        ("log_betas", &process.log_betas),
        ("posterior_mean_coef1", &process.posterior_mean_coef1),
        ("posterior_mean_coef2", &process.posterior_mean_coef2),
    ] {
        let key = format!("{name}.{quantity}");
        if recording.has(&key) {
            checks.numbers(quantity, found, &recording.f64s(&key)?, TOLERANCE);
        }
    }
    Ok(())
}
