//! A schedule: one choice on each axis.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::axes::axes;
use crate::registry::Built;
use crate::{
    AxisConfig, AxisName, Component, Error, PlanShape, Registry, StageOrder, StepAxes, Timestep, TimestepLimit,
};

macro_rules! schedule {
    (
        required { $($variant:ident $field:ident $axis:ident, $list:ident $with:ident $build:ident, $text:literal;)* }
        optional { $(
            $other:ident $other_field:ident $other_axis:ident, $other_list:ident $other_with:ident $other_build:ident,
            $default:literal $(=> $data:ident)?, $other_text:literal;
        )* }
    ) => {
        /// An implementation and its parameters for each axis. With a grid, it determines a plan.
        ///
        /// A schedule sets order, pace, diffusion and detail. An optional axis that it does not set has its default
        /// kind ([`AxisName::default_kind`]). Every diffusion kind also accepts `max_timestep` or `clip_timestep`.
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
            $(
                #[doc = $text]
                #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
                pub $field: AxisConfig,
            )*
            $(
                #[doc = $other_text]
                #[serde(default, skip_serializing_if = "Option::is_none")]
                #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
                pub $other_field: Option<AxisConfig>,
            )*
            /// Axes that may adapt to a grid that cannot satisfy them: empty stages are dropped, the number of steps is
            /// limited to the number of tokens, and a detail rule is dropped if there is no reconstruction stage. On all
            /// other axes, planning fails.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub adapt: Vec<AxisName>,
        }

        impl Schedule {
            /// Creates a schedule from implementations of the required axes. No axis may adapt.
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
            pub fn of($($field: impl Component + crate::$axis),*) -> Self {
                Self::from_configs($($field.into()),*)
            }

            /// Creates a schedule from configurations of the required axes. No axis may adapt.
            pub fn from_configs($($field: AxisConfig),*) -> Self {
                Self { $($field,)* $($other_field: None,)* adapt: Vec::new() }
            }

            /// Returns the configuration of an axis.
            pub fn axis(&self, axis: AxisName) -> &AxisConfig {
                let set = match axis {
                    $(AxisName::$variant => return &self.$field,)*
                    $(AxisName::$other => self.$other_field.as_ref(),)*
                };
                set.unwrap_or(&DEFAULTS[axis as usize])
            }

            /// Sets the configuration of an axis.
            pub fn set_axis(&mut self, axis: AxisName, config: AxisConfig) {
                match axis {
                    $(AxisName::$variant => self.$field = config,)*
                    $(AxisName::$other => self.$other_field = optional(axis, config),)*
                }
            }
        }

        /// A schedule whose implementations have been built.
        #[derive(Debug)]
        pub(crate) struct Resolved {
            $(pub(crate) $field: Built<dyn crate::$axis>,)*
            $(pub(crate) $other_field: Built<dyn crate::$other_axis>,)*
            pub(crate) limit: TimestepLimit,
        }

        impl Resolved {
            fn new(schedule: &Schedule, registry: &Registry, limit: TimestepLimit) -> Result<Self, Error> {
                Ok(Self {
                    $($field: registry.$field(schedule.axis(AxisName::$variant))?,)*
                    $($other_field: registry.$other_field(schedule.axis(AxisName::$other))?,)*
                    limit,
                })
            }

            /// Returns the schedule with every parameter. Optional axes with their default kind are not set.
            pub(crate) fn canonical(&self, adapt: Vec<AxisName>) -> Schedule {
                Schedule {
                    $($field: self.$field.0.clone(),)*
                    $($other_field: optional(AxisName::$other, self.$other_field.0.clone()),)*
                    adapt,
                }
            }

            /// Returns the data that the optional axes add to each AR step.
            pub(crate) fn step_axes(&self, plan: &PlanShape) -> Vec<StepAxes> {
                let mut steps = vec![StepAxes::default(); plan.steps.len()];
                $($(
                    let data: Vec<Option<crate::$data>> = self.$other_field.1.steps(plan);
                    steps.iter_mut().zip(data).for_each(|(step, data)| step.$other_field = data);
                )?)*
                steps
            }
        }
    };
}

axes!(schedule);

/// The default configuration of each axis, in the order of [`AxisName::ALL`]; empty names for the required ones.
static DEFAULTS: LazyLock<Vec<AxisConfig>> =
    LazyLock::new(|| AxisName::ALL.map(|axis| AxisConfig::new(axis.default_kind().unwrap_or_default())).to_vec());

/// Returns the configuration of an optional axis, or `None` if it is the default.
fn optional(axis: AxisName, config: AxisConfig) -> Option<AxisConfig> {
    (config != DEFAULTS[axis as usize]).then_some(config)
}

impl Schedule {
    /// Returns the axes that the schedule sets and their configurations: the required axes, and the optional axes that do
    /// not have their default kind.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::{AxisConfig, AxisName, preset};
    /// let mut schedule = preset::find("gtr-16")?.schedule.clone();
    /// assert_eq!(schedule.axes().count(), 4);
    /// schedule.set_axis(AxisName::Solver, AxisConfig::new("ddim"));
    /// assert_eq!(schedule.axes().last().map(|(axis, config)| (axis, config.kind.as_str())), Some((AxisName::Solver, "ddim")));
    /// # Ok::<(), gtr_core::Error>(())
    /// ```
    pub fn axes(&self) -> impl Iterator<Item = (AxisName, &AxisConfig)> {
        let all = AxisName::ALL.into_iter().map(|axis| (axis, self.axis(axis)));
        all.filter(|(axis, config)| axis.default_kind().is_none() || **config != DEFAULTS[*axis as usize])
    }

    /// Returns true if the schedule sets an optional axis to another than its default kind.
    pub(crate) fn sets_optional_axes(&self) -> bool {
        self.axes().any(|(axis, _)| axis.default_kind().is_some())
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

    /// Returns the order within the stages. If the order is not registered or a parameter is invalid, it is read from the
    /// parameter `within`, or it is that of the order without parameters.
    pub(crate) fn within(&self, registry: &Registry) -> StageOrder {
        let built = |config: &AxisConfig| registry.order(config).ok().map(|(_, order)| order.within());
        let named = || match self.order.params.get("within")?.as_str()? {
            "ranked" => Some(StageOrder::Ranked),
            _ => serde_json::from_value(self.order.params["within"].clone()).ok(),
        };
        let default = || built(&AxisConfig::new(self.order.kind.clone()));
        built(&self.order).or_else(named).or_else(default).unwrap_or(StageOrder::Listed)
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
        let schedule = Self { diffusion, ..self.clone() };
        let mut resolved = Resolved::new(&schedule, registry, TimestepLimit::NONE)?;
        resolved.limit = limit.unwrap_or_else(|| resolved.diffusion.1.limit());
        // Written to the configuration unless it is the default, so that the plan is complete.
        if limit.is_some() || resolved.limit != TimestepLimit::NONE {
            write_limit(&mut resolved.diffusion.0, resolved.limit);
        }
        Ok(resolved)
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
