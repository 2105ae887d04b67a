//! Plans from files, for a model to run.

use std::path::Path;

use gtr_core::{Grid, Plan, Registry, TimestepLimit};

use super::verify;
use crate::error::CliError;

/// Reads a plan that nobody vouches for, with the timesteps that the model is good for.
pub(super) fn read(
    path: &Path,
    (model, grid, limit): (&str, Grid, TimestepLimit),
    registry: &Registry,
) -> Result<Plan, CliError> {
    let name = path.display();
    let mut document = verify::read_document(path)?;
    // A limit that is none is a broken rule, which the check tells.
    let _ = document.schedule.set_default_timestep_limit(limit);
    let plan = Plan::from_document(&document, registry).map_err(|error| CliError::failure(&name, &error))?;
    if plan.grid() != grid {
        return Err(CliError::Failure(format!(
            "{name} is a plan for a grid of {}, the model `{model}` has one of {grid}: plan with --grid {grid}",
            plan.grid()
        )));
    }
    tracing::info!(file = %name, ar_steps = plan.steps().len(), "read a plan");
    Ok(plan)
}
