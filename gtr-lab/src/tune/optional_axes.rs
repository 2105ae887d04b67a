//! Optional axes of the search space. Which ones there are follows from the table of axes, and what they can be set to from the
//! registry: the examples of each registered implementation.

use std::collections::BTreeMap;
use std::fmt;

use gtr_core::{AnyEntry, AxisConfig, AxisName, Registry, Schedule, Stream};
use gtr_draw::config_text::config_text;
use serde_json::Value;

use super::one_of::one_of;

/// A draw from the whole space sets an axis with probability 1 / `RARITY`, and a draw beside a draft changes it so often.
const RARITY: u64 = 4;

/// The configurations of each optional axis.
#[derive(Clone, Debug)]
pub(super) struct OptionalAxes(Vec<(AxisName, Vec<Choice>)>);

/// A configuration other than the default of its axis.
#[derive(Clone, Debug, PartialEq)]
struct Choice {
    config: AxisConfig,
    /// The configuration without the parameters that have their default.
    text: String,
}

/// The optional axes that a draft sets. The other ones have their default kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Choices(BTreeMap<AxisName, Choice>);

impl OptionalAxes {
    /// Returns the optional axes with the examples of all implementations in a registry.
    pub(super) fn of(registry: &Registry) -> Self {
        let choices = |(axis, default): (AxisName, &str)| {
            let default = AxisConfig::new(default);
            let all = registry.entries(axis).iter().flat_map(Choice::of).collect::<Vec<_>>();
            (axis, all.into_iter().filter(|choice| choice.config != default).collect())
        };
        let optional = AxisName::ALL.into_iter().filter_map(|axis| Some((axis, axis.default_kind()?)));
        Self(optional.map(choices).collect())
    }

    /// Draws choices: each axis has its default with probability 3/4, else one of its configurations.
    pub(super) fn draw(&self, stream: &mut Stream) -> Choices {
        let mut drawn = Choices::default();
        for (axis, choices) in &self.0 {
            if stream.below(RARITY) == 0 && !choices.is_empty() {
                drawn.0.insert(*axis, one_of(stream, choices));
            }
        }
        drawn
    }

    /// Draws choices near others: each axis is unchanged with probability 3/4, else its default or any of its configurations.
    pub(super) fn beside(&self, stream: &mut Stream, choices: &Choices) -> Choices {
        let mut drawn = choices.clone();
        for (axis, choices) in &self.0 {
            if stream.below(RARITY) == 0 {
                let any: Vec<Option<&Choice>> = std::iter::once(None).chain(choices.iter().map(Some)).collect();
                match one_of(stream, &any) {
                    Some(choice) => drawn.0.insert(*axis, choice.clone()),
                    None => drawn.0.remove(axis),
                };
            }
        }
        drawn
    }
}

impl Choice {
    /// Returns the examples of an implementation.
    fn of(entry: &AnyEntry) -> Vec<Self> {
        let parameters = entry.describe().parameters;
        let default = |name: &str| parameters.iter().find(|it| it.name == name)?.default.as_ref();
        let choice = |(_, config): (&str, AxisConfig)| {
            let other = |(name, value): &(&String, &Value)| default(name) != Some(*value);
            let params = config.params.iter().filter(other).map(|(name, value)| (name.clone(), value.clone()));
            let text = config_text(&AxisConfig { kind: config.kind.clone(), params: params.collect() });
            Self { config, text }
        };
        entry.examples().into_iter().map(choice).collect()
    }
}

impl Choices {
    /// Returns true if an axis is set.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Sets the axes of a schedule.
    pub(super) fn set(&self, schedule: &mut Schedule) {
        for (axis, choice) in &self.0 {
            schedule.set_axis(*axis, choice.config.clone());
        }
    }

    /// Returns the choices with one axis less, for each axis.
    pub(super) fn with_one_less(&self) -> impl Iterator<Item = Self> {
        self.0.keys().map(|axis| {
            let mut rest = self.clone();
            rest.0.remove(axis);
            rest
        })
    }
}

impl fmt::Display for Choices {
    /// Writes the axes after the name of a schedule, or nothing if none is set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(axis, choice)| write!(f, ", {axis} {}", choice.text))
    }
}
