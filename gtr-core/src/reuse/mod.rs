//! The reuse axis: results of earlier AR steps that a step uses again.

use std::fmt::Debug;

use crate::component::implementations;
use crate::{PlanShape, StepReuse};

/// Sets what each AR step takes from earlier steps.
pub trait Reuse: Debug + Send + Sync {
    /// Returns what each AR step takes from earlier steps, one value per step of `plan`; `None` if it takes nothing and
    /// later steps take nothing from it.
    fn steps(&self, plan: &PlanShape) -> Vec<Option<StepReuse>>;
}

implementations! { Reuse:
    lazymar::LazyMar,
    none::None,
}

pub use lazymar::Keep;
