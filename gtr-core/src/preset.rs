//! Presets: named schedules.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json_object::object;
use crate::lists::join_names;
use crate::{Error, Grid, Schedule};

/// A named schedule with its source. It adapts to grids that do not fit it.
///
/// # Examples
/// ```
/// use gtr_core::{Grid, Registry, preset};
/// let preset = preset::find("gtr-16")?;
/// let planned = preset.schedule.plan(Grid::new(2, 1)?, &Registry::builtin())?;
/// assert_eq!(planned.plan.steps().len(), 2);
/// assert!(!planned.adaptations.is_empty());
/// # Ok::<(), gtr_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a preset as a JSON object")]
pub struct Preset {
    /// Name of the preset.
    pub name: String,
    /// One-line description.
    pub summary: String,
    /// Source of the schedule, for example a paper.
    pub source: String,
    /// Origin of the parameter values.
    pub status: Status,
    /// Grid for which the preset is intended.
    #[serde(deserialize_with = "object")]
    pub home_grid: Grid,
    /// The schedule.
    #[serde(deserialize_with = "object")]
    pub schedule: Schedule,
    /// Measurements that support the schedule, if a search found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Map<String, Value>>,
}

/// Origin of the parameter values of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Published in the source.
    Published,
    /// Chosen by this project.
    Ours,
}

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../spec/presets/", $name, ".json")))),*];
    };
}

presets![
    "gtr-paper",
    "gtr-16",
    "gtr-8",
    "gtr-lightgen",
    "cascade-6",
    "cascade-8",
    "cascade-12",
    "cascade-16",
    "cascade-lightgen-10",
    "mar-64",
    "mar-32",
    "mar-16",
    "mar-8",
    "raster-64",
    "subsample-64",
    "halton-16",
    "halton-8",
    "disa-24",
    "disa-16",
    "lazymar-64",
    "lazymar-32",
    "lazymar-16",
    "lazymar-8",
    "gtr-16-lazy",
    "fast-10",
];

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    let parse = |(name, text): &(&str, &str)| match serde_json::from_str::<Preset>(text) {
        Ok(preset) => preset,
        Err(error) => unreachable!("a test parses every built-in preset, including {name}: {error}"),
    };
    FILES.iter().map(parse).collect()
});

/// Returns all built-in presets.
pub fn all() -> &'static [Preset] {
    &PRESETS
}

/// Returns the built-in preset with a name.
///
/// # Errors
/// [`Error::UnknownPreset`] if no preset has this name.
pub fn find(name: &str) -> Result<&'static Preset, Error> {
    all().iter().find(|preset| preset.name == name).ok_or_else(|| Error::UnknownPreset {
        name: name.chars().take(80).collect(),
        known: join_names(all().iter().map(|preset| preset.name.as_str())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AxisName, Registry};

    #[test]
    fn presets_have_the_names_of_their_files_and_all_adapt() {
        for ((file, _), preset) in FILES.iter().zip(all()) {
            assert_eq!(*file, preset.name);
            assert_eq!(preset.schedule.adapt, [AxisName::Order, AxisName::Pace, AxisName::Detail], "{file}");
            assert!(!preset.source.is_empty() && !preset.summary.is_empty());
        }
    }

    #[test]
    fn presets_fit_their_home_grids_without_adaptation() {
        for preset in all() {
            let planned = preset.schedule.plan(preset.home_grid, &Registry::builtin()).unwrap();
            assert_eq!(planned.adaptations, [""; 0], "{}", preset.name);
        }
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = find("gtr").unwrap_err().to_string();
        assert!(error.starts_with("unknown preset `gtr`; expected one of `gtr-paper`, "), "{error}");
    }
}
