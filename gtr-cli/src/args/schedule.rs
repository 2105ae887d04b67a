//! Arguments of the schedule.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use gtr_core::form::{Form, Values};
use gtr_core::preset::{self, Preset};
use gtr_core::{AxisConfig, AxisName, Grid, Planned, Registry, Schedule, TokenSet, pace};
use gtr_run::reading;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::AxisFlags;
use crate::catalogue::Catalogue;
use crate::error::{CliError, chain};

/// Largest accepted schedule file, in bytes.
const MAX_SCHEDULE_BYTES: u64 = gtr_core::MAX_PLAN_BYTES;

const DEFAULT: &str = "gtr-paper";

/// Arguments of the schedule: a preset or a file, and flags that change it.
#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// Preset to start from [default: gtr-paper].
    #[arg(long, value_name = "NAME", value_parser = presets())]
    pub(crate) preset: Option<String>,
    /// JSON file to start from, a schedule or a preset (see `schema schedule`, `schema preset`); `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub(crate) schedule: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) axes: AxisFlags,
}

fn presets() -> PossibleValuesParser {
    PossibleValuesParser::new(preset::all().iter().map(|it| PossibleValue::new(&it.name).help(&it.summary)))
}

/// The selected schedule.
#[derive(Debug)]
pub(crate) struct SelectedSchedule {
    /// Name of the preset or file.
    pub(crate) name: String,
    /// Grid that the preset is intended for.
    pub(crate) home_grid: Option<Grid>,
    /// Schedule, with the changes by flags.
    pub(crate) schedule: Schedule,
}

impl SelectedSchedule {
    /// Plans the schedule on a grid.
    pub(crate) fn plan(&self, grid: Grid, registry: &Registry) -> Result<Planned, CliError> {
        self.plan_rest(&TokenSet::empty(grid), registry)
    }

    /// Plans the schedule for the unknown tokens.
    pub(crate) fn plan_rest(&self, known: &TokenSet, registry: &Registry) -> Result<Planned, CliError> {
        tracing::debug!(schedule = self.name, grid = %known.grid(), known = known.len(), "planning");
        let planned = self.schedule.plan_rest(known, registry).map_err(does_not_fit)?;
        for note in &planned.adaptations {
            crate::output::note(note);
        }
        Ok(planned)
    }
}

/// Converts an error of planning. If the schedule does not fit the grid, adds advice.
pub(crate) fn does_not_fit(error: gtr_core::Error) -> CliError {
    match error {
        gtr_core::Error::DoesNotFit { axis, .. } => {
            CliError::usage(format_args!("{error}; without a flag for the {axis}, the preset is adapted"))
        }
        error => error.into(),
    }
}

impl ScheduleArgs {
    /// Returns an error if a flag selects a schedule, because `instead` already has one.
    pub(crate) fn refuse(&self, instead: &str) -> Result<(), CliError> {
        if self.preset.is_none() && self.schedule.is_none() && self.axes == AxisFlags::default() {
            return Ok(());
        }
        Err(CliError::usage(format_args!(
            "{instead} cannot be changed: remove --preset, --schedule and the flags of the axes"
        )))
    }

    /// Returns the selected schedule.
    pub(crate) fn choose(&self, catalogue: &Catalogue) -> Result<SelectedSchedule, CliError> {
        let mut chosen = self.start()?;
        let changes = Changes::new(&self.axes, &mut chosen.schedule, catalogue);
        if !changes.apply()?.is_empty() {
            chosen.name = format!("{} (changed)", chosen.name);
        }
        Ok(chosen)
    }

    fn start(&self) -> Result<SelectedSchedule, CliError> {
        if let Some(path) = &self.schedule {
            let (schedule, home_grid) = read_schedule(path)?;
            return Ok(SelectedSchedule { name: path.display().to_string(), home_grid, schedule });
        }
        let preset = preset::find(self.preset.as_deref().unwrap_or(DEFAULT))?;
        let home_grid = Some(preset.home_grid);
        Ok(SelectedSchedule { name: preset.name.clone(), home_grid, schedule: preset.schedule.clone() })
    }
}

/// Reads a schedule or a preset from a file. A preset also has a home grid.
fn read_schedule(path: &Path) -> Result<(Schedule, Option<Grid>), CliError> {
    let shown = path.display();
    let text = reading::text(path, MAX_SCHEDULE_BYTES)?;
    let read = if is_preset(&text) {
        parse::<Preset>(&text).map(|preset| (preset.schedule, Some(preset.home_grid)))
    } else {
        parse(&text).map(|schedule| (schedule, None))
    };
    read.map_err(|error| CliError::Failure(format!("{shown}: it is not a schedule: {error}")))
}

/// Returns true for a preset: unlike a schedule, it has the field `schedule`.
fn is_preset(text: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Probe {
        #[serde(rename = "schedule")]
        _schedule: IgnoredAny,
    }
    serde_json::from_slice::<Probe>(text).is_ok()
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    // Derived deserializers also accept an array of the values.
    if text.trim_ascii_start().first() == Some(&b'[') {
        return Err("it is an array, not an object".to_owned());
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| chain(&error))?;
    json.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Applies flags to a schedule.
struct Changes<'a> {
    flags: &'a AxisFlags,
    schedule: &'a mut Schedule,
    catalogue: &'a Catalogue,
    touched: Vec<AxisName>,
}

impl<'a> Changes<'a> {
    fn new(flags: &'a AxisFlags, schedule: &'a mut Schedule, catalogue: &'a Catalogue) -> Self {
        Self { flags, schedule, catalogue, touched: Vec::new() }
    }

    /// Applies the changes. Changed axes are no longer adapted to the grid.
    fn apply(mut self) -> Result<Vec<AxisName>, CliError> {
        for (axis, kind) in &self.flags.kinds {
            self.touched.push(*axis);
            if self.schedule.axis(*axis).kind != *kind {
                let default = self.catalogue.find(*axis, kind).map(|kind| kind.default.clone());
                self.schedule.set_axis(*axis, default.unwrap_or_else(|| AxisConfig::new(kind)));
            }
        }
        let before = self.stages();
        let mut given = Vec::new();
        for (axis, name, text) in self.flags.ordered(self.catalogue) {
            let value = self.value(*axis, name, text)?;
            self.insert(*axis, name, value);
            given.push((*axis, name.clone()));
        }
        for setting in &self.flags.settings {
            let (axis, name, value) = parse_setting(setting)?;
            if given.contains(&(axis, name.clone())) {
                return Err(CliError::usage(format_args!("--set {setting}: {axis}.{name} is given twice")));
            }
            self.insert(axis, &name, value);
            given.push((axis, name));
        }
        let limits = [("max_timestep", self.flags.max_timestep), ("clip_timestep", self.flags.clip_timestep)];
        for (name, timestep) in limits {
            if let Some(timestep) = timestep {
                self.insert(AxisName::Diffusion, name, timestep.into());
            }
        }
        let one_each = |(axis, name): &(AxisName, String)| *axis == AxisName::Pace && is_per_stage(name);
        let new_kind = self.flags.kinds.iter().any(|(axis, _)| *axis == AxisName::Pace);
        if (new_kind || self.stages() != before) && !given.iter().any(one_each) {
            self.one_value_a_stage();
        }
        self.schedule.adapt.retain(|axis| !self.touched.contains(axis));
        Ok(self.touched)
    }

    /// Parses the value of a flag for the current kind of the axis.
    fn value(&self, axis: AxisName, name: &str, text: &str) -> Result<Value, CliError> {
        let kind = &self.schedule.axis(axis).kind;
        let Some(form) = self.catalogue.find(axis, kind).and_then(|it| it.form(name)) else {
            let takers: Vec<String> = self
                .catalogue
                .axis(axis)
                .filter(|it| it.form(name).is_some())
                .map(|it| format!("--{axis} {}", it.description.kind))
                .collect();
            return Err(CliError::usage(format_args!(
                "{axis} `{kind}` has no parameter `--{}`: use it with {}",
                name.replace('_', "-"),
                takers.join(" or ")
            )));
        };
        let scalar = |text: &str, values: Values| {
            values.read(text).map_err(|wanted| {
                CliError::usage(format_args!("--{} {text}: expected {wanted}", name.replace('_', "-")))
            })
        };
        match form {
            Form::List(values) => text.split(',').map(|part| scalar(part.trim(), *values)).collect(),
            Form::Single(values) => scalar(text, *values),
            Form::Choice(_) => Ok(text.into()),
            Form::Boolean => Ok((text == "true").into()),
        }
    }

    fn insert(&mut self, axis: AxisName, name: &str, value: Value) {
        self.touched.push(axis);
        let mut config = self.schedule.axis(axis).clone();
        let params = &mut config.params;
        // These parameters are mutually exclusive: the flag replaces the other parameter of the preset.
        for [a, b] in [["rates", "steps"], ["max_timestep", "clip_timestep"]] {
            if name == a {
                params.shift_remove(b);
            } else if name == b {
                params.shift_remove(a);
            }
        }
        params.insert(name.to_owned(), value);
        self.schedule.set_axis(axis, config);
    }

    /// Returns the number of stages of the order, or `None` if the order is invalid.
    fn stages(&self) -> Option<usize> {
        self.catalogue.registry.build_order(&self.schedule.order).ok().map(|order| order.stage_count())
    }

    /// Fits the per-stage lists of the pace to the number of stages.
    fn one_value_a_stage(&mut self) {
        // An invalid order is reported later.
        let Some(stages) = self.stages() else { return };
        for (name, value) in &mut self.schedule.pace.params {
            if let Value::Array(values) = value
                && is_per_stage(name)
                && !values.is_empty()
            {
                let positions: Vec<usize> = (0..values.len()).collect();
                *values =
                    pace::per_stage(&positions, stages).into_iter().map(|position| values[position].clone()).collect();
            }
        }
    }
}

fn is_per_stage(name: &str) -> bool {
    matches!(name, "rates" | "steps")
}

fn parse_setting(text: &str) -> Result<(AxisName, String, Value), CliError> {
    let parts = text.split_once('=').and_then(|(path, value)| Some((path.split_once('.')?, value)));
    let Some(((axis, name), value)) = parts else {
        return Err(CliError::usage(format_args!(
            "--set {text}: expected AXIS.PARAMETER=JSON, for example order.stages=4"
        )));
    };
    let Some(axis) = AxisName::ALL.into_iter().find(|it| it.as_str() == axis) else {
        let known = AxisName::ALL.map(AxisName::as_str).join(", ");
        return Err(CliError::usage(format_args!("--set {text}: unknown axis `{axis}`, expected one of {known}")));
    };
    // A bare word is a string.
    Ok((axis, name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}
