//! The cooling axis: the fraction of the temperature that each AR step uses.
//!
//! The temperature T is a setting of a run ([`crate::sampler::Settings::temperature`]): the factor of the noise that
//! updates of a token add. The axis decides how much of it a step gets: with fraction f, the temperature of the step is
//! f T.

use std::fmt::Debug;

use crate::component::implementations;
use crate::{Fraction, PlanShape};

/// Sets the fraction of the temperature in each AR step.
pub trait Cooling: Debug + Send + Sync {
    /// Returns the fraction of the temperature in each AR step, one value per step of `plan`; `None` stands for all of it.
    fn steps(&self, plan: &PlanShape) -> Vec<Option<Fraction>>;
}

implementations! { Cooling:
    linear::Linear,
    none::None,
}
