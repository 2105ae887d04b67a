//! A schedule: one choice on each axis.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::Built;
use crate::{
    AxisConfig, AxisName, Component, Detail, Diffusion, Error, Order, Pace, Registry, StageOrder, Timestep,
    TimestepLimit,
};

/// An implementation and its parameters for each of the four axes. With a grid, it determines a plan.
///
/// # Examples
/// ```
/// use gtr_core::{Grid, Registry, Schedule};
/// let schedule: Schedule = serde_json::from_str(r#"{
///     "order": { "kind": "bisection", "cut": "quincunx", "stages": 4 },
///     "pace": { "kind": "rates", "steps": [8, 4, 2, 1] },
///     "diffusion": { "kind": "stage-aware" },
///     "detail": { "kind": "none" }
/// }"#)?;
/// let planned = schedule.plan(Grid::new(16, 16)?, &Registry::builtin())?;
/// assert_eq!(planned.plan.steps().len(), 15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a JSON object with the fields of a schedule")]
pub struct Schedule {
    /// Order, and stages, in which tokens are generated.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub order: AxisConfig,
    /// Number of tokens that each AR step generates.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub pace: AxisConfig,
    /// Number of diffusion steps of each AR step. Every kind also accepts `max_timestep` or `clip_timestep`.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub diffusion: AxisConfig,
    /// Tokens of a step that get extra diffusion steps.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub detail: AxisConfig,
    /// Axes that may adapt to a grid that cannot satisfy them: empty stages are dropped, the number of steps is limited
    /// to the number of tokens, and a detail rule is dropped if there is no reconstruction stage. On all other axes,
    /// planning fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adapt: Vec<AxisName>,
}

impl Schedule {
    /// Creates a schedule from four implementations. No axis may adapt.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::detail::{Fts, TokenSelection};
    /// use gtr_core::diffusion::StageAware;
    /// use gtr_core::order::{Bisection, Cut, Stages};
    /// use gtr_core::pace::Rates;
    /// use gtr_core::{Grid, Registry, Schedule, Fraction};
    ///
    /// let order = Bisection { cut: Cut::Quincunx, stages: Stages::new(3)?, ..Bisection::default() };
    /// let detail = Fts(TokenSelection { beta: Fraction::new(0.2)?, ..TokenSelection::default() });
    /// let schedule = Schedule::of(order, Rates::default(), StageAware::default(), detail);
    /// let plan = schedule.plan(Grid::new(16, 16)?, &Registry::builtin())?.plan;
    /// assert_eq!(plan.stages().len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(
        order: impl Component + Order,
        pace: impl Component + Pace,
        diffusion: impl Component + Diffusion,
        detail: impl Component + Detail,
    ) -> Self {
        Self {
            order: order.into(),
            pace: pace.into(),
            diffusion: diffusion.into(),
            detail: detail.into(),
            adapt: Vec::new(),
        }
    }

    /// Returns the configuration of an axis.
    pub fn axis(&self, axis: AxisName) -> &AxisConfig {
        match axis {
            AxisName::Order => &self.order,
            AxisName::Pace => &self.pace,
            AxisName::Diffusion => &self.diffusion,
            AxisName::Detail => &self.detail,
        }
    }

    /// Returns the configuration of an axis for modification.
    pub fn axis_mut(&mut self, axis: AxisName) -> &mut AxisConfig {
        match axis {
            AxisName::Order => &mut self.order,
            AxisName::Pace => &mut self.pace,
            AxisName::Diffusion => &mut self.diffusion,
            AxisName::Detail => &mut self.detail,
        }
    }

    /// Returns the axes whose implementation is not registered.
    pub fn unknown(&self, registry: &Registry) -> Vec<AxisName> {
        AxisName::ALL.into_iter().filter(|&axis| !registry.knows(axis, &self.axis(axis).kind)).collect()
    }

    /// Returns the timestep limit that the schedule sets, or `None`.
    ///
    /// # Errors
    /// [`Error::Parameter`] if both limits are set, or a limit is not a timestep.
    pub fn timestep_limit(&self) -> Result<Option<TimestepLimit>, Error> {
        split_limit(&self.diffusion).map(|(_, limit)| limit)
    }

    /// Sets the timestep limit if the schedule does not set one.
    ///
    /// # Errors
    /// See [`Schedule::timestep_limit`].
    pub fn set_default_timestep_limit(&mut self, limit: TimestepLimit) -> Result<(), Error> {
        if self.timestep_limit()?.is_none() {
            write_limit(&mut self.diffusion, limit);
        }
        Ok(())
    }

    /// Returns the order within the stages. If the order is not registered, it is read from the parameter `within`.
    pub(crate) fn within(&self, registry: &Registry) -> StageOrder {
        if let Ok((_, order)) = registry.order(&self.order) {
            return order.within();
        }
        let named = self.order.params.get("within").cloned();
        named.and_then(|within| serde_json::from_value(within).ok()).unwrap_or(StageOrder::Listed)
    }

    /// Returns the timestep limit: the one that the schedule sets, or the default of the diffusion curve if that is
    /// registered, or no limit.
    pub(crate) fn limit(&self, registry: &Registry) -> Result<TimestepLimit, Error> {
        if let Some(limit) = self.timestep_limit()? {
            return Ok(limit);
        }
        if registry.knows(AxisName::Diffusion, &self.diffusion.kind) {
            return Ok(registry.diffusion(&self.diffusion)?.1.limit());
        }
        Ok(TimestepLimit::NONE)
    }

    pub(crate) fn resolve(&self, registry: &Registry) -> Result<Resolved, Error> {
        let (diffusion, limit) = split_limit(&self.diffusion)?;
        let order = registry.order(&self.order)?;
        let pace = registry.pace(&self.pace)?;
        let mut diffusion = registry.diffusion(&diffusion)?;
        let detail = registry.detail(&self.detail)?;
        let effective = limit.unwrap_or_else(|| diffusion.1.limit());
        // Written to the configuration unless it is the default, so that the plan is complete.
        if limit.is_some() || effective != TimestepLimit::NONE {
            write_limit(&mut diffusion.0, effective);
        }
        Ok(Resolved { order, pace, diffusion, detail, limit: effective })
    }
}

/// A schedule whose implementations have been built.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) order: Built<dyn Order>,
    pub(crate) pace: Built<dyn Pace>,
    pub(crate) diffusion: Built<dyn Diffusion>,
    pub(crate) detail: Built<dyn Detail>,
    pub(crate) limit: TimestepLimit,
}

impl Resolved {
    /// Returns the schedule with every parameter.
    pub(crate) fn canonical(&self, adapt: Vec<AxisName>) -> Schedule {
        Schedule {
            order: self.order.0.clone(),
            pace: self.pace.0.clone(),
            diffusion: self.diffusion.0.clone(),
            detail: self.detail.0.clone(),
            adapt,
        }
    }
}

const MAX: &str = "max_timestep";
const CLIP: &str = "clip_timestep";

/// Separates the timestep limit, which every diffusion curve accepts, from the other parameters.
fn split_limit(config: &AxisConfig) -> Result<(AxisConfig, Option<TimestepLimit>), Error> {
    let mut config = config.clone();
    let refused = |message: String| Error::Parameter { axis: AxisName::Diffusion, kind: config.kind.clone(), message };
    let mut take = |name: &str| {
        let value = config.params.shift_remove(name);
        let timestep = value.map(|value| {
            serde_json::from_value::<Timestep>(value).map_err(|error| refused(format!("`{name}`: {error}")))
        });
        timestep.transpose()
    };
    let limit = match (take(MAX)?, take(CLIP)?) {
        (Some(_), Some(_)) => {
            return Err(refused(format!("`{MAX}` and `{CLIP}` are mutually exclusive")));
        }
        (Some(max), None) => Some(TimestepLimit::Max(max)),
        (None, Some(clip)) => Some(TimestepLimit::Clip(clip)),
        (None, None) => None,
    };
    Ok((config, limit))
}

fn write_limit(config: &mut AxisConfig, limit: TimestepLimit) {
    let (name, timestep) = match limit {
        TimestepLimit::Max(timestep) => (MAX, timestep),
        TimestepLimit::Clip(timestep) => (CLIP, timestep),
    };
    config.params.insert(name.to_owned(), timestep.get().into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset;

    #[test]
    fn an_explicit_limit_overrides_the_default() {
        let mut schedule = preset::find("gtr-paper").unwrap().schedule.clone();
        schedule.set_default_timestep_limit(TimestepLimit::Max(Timestep::literal(949))).unwrap();
        assert_eq!(schedule.diffusion.params[MAX], 949);
        schedule.set_default_timestep_limit(TimestepLimit::Max(Timestep::literal(900))).unwrap();
        assert_eq!(schedule.diffusion.params[MAX], 949);
    }

    #[test]
    fn two_limits_or_a_wrong_one_are_refused() {
        let mut schedule = preset::find("mar-64").unwrap().schedule.clone();
        schedule.diffusion = schedule.diffusion.with(MAX, 1000);
        let error = schedule.timestep_limit().unwrap_err().to_string();
        assert_eq!(error, "diffusion `constant`: `max_timestep`: a timestep must be 0 to 999, not 1000");
        schedule.diffusion = schedule.diffusion.with(MAX, 900).with(CLIP, 900);
        assert!(schedule.timestep_limit().unwrap_err().to_string().contains("mutually exclusive"));
    }

    #[test]
    fn annealing_records_its_own_limit() {
        let resolved = preset::find("disa-24").unwrap().schedule.resolve(&Registry::builtin()).unwrap();
        assert_eq!(resolved.limit, TimestepLimit::Clip(Timestep::literal(950)));
        assert_eq!(resolved.canonical(vec![]).diffusion.params[CLIP], 950);
    }
}
