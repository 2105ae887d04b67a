//! Reads plans to run on a model.

use std::path::Path;

use gtr_core::{Grid, Plan, Registry, TimestepLimit};

use super::verify;
use crate::error::CliError;

/// Reads an untrusted plan and checks every rule. A plan without a timestep limit gets that of the model.
pub(super) fn read(
    path: &Path,
    (model, grid, limit): (&str, Grid, TimestepLimit),
    registry: &Registry,
) -> Result<Plan, CliError> {
    let name = path.display();
    let mut document = verify::read_document(path)?;
    // An invalid limit violates a rule, which the check reports.
    let _ = document.schedule.set_default_timestep_limit(limit);
    let plan = verify::checked(path, &document, registry)?;
    if plan.grid() != grid {
        return Err(CliError::Failure(format!(
            "{name}: expected a plan for {grid}, the grid of the model `{model}`, found {}: plan with --grid {grid}",
            plan.grid()
        )));
    }
    tracing::info!(file = %name, ar_steps = plan.steps().len(), "read a plan");
    Ok(plan)
}
