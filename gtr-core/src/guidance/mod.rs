//! The guidance axis: the strength of classifier-free guidance in each AR step.
//!
//! The scale S is a setting of a run ([`Guidance`]). The axis decides how much of it a step gets: with strength w, the
//! scale of the step is 1 + (S - 1) w. With strength 0, a step is not guided, and the unconditional half of encoder,
//! decoder and head is not evaluated.

mod scale;

use std::fmt::Debug;

pub use scale::{Guidance, GuidanceSchedule};

use crate::component::implementations;
use crate::{Fraction, PlanShape};

/// Sets the strength of guidance in each AR step.
pub trait GuidanceCurve: Debug + Send + Sync {
    /// Returns the strength in each AR step, one value per step of `plan`; `None` where the course that the model is
    /// published with applies ([`Guidance::schedule`]).
    fn steps(&self, plan: &PlanShape) -> Vec<Option<Fraction>>;
}

implementations! { GuidanceCurve:
    constant::Constant,
    cosine::Cosine,
    interval::Interval,
    linear::Linear,
    model::Model,
}

pub use interval::Inside;
