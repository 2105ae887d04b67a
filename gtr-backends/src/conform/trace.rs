//! Placeholder.
use std::path::Path;

use super::checks::Checks;
use crate::BackendError;

pub(super) fn is_trace(_path: &Path) -> bool {
    false
}

pub(super) fn check(_path: &Path, _checks: &mut Checks<'_>) -> Result<(), BackendError> {
    Ok(())
}
