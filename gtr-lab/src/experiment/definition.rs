//! Definitions of the experiments.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use gtr_core::{AxisConfig, AxisName, Schedule, preset};
use serde::Deserialize;

use super::claim::Claim;
use crate::Error;
use crate::evaluation::{Evaluator, Subject};

/// Schedules that are compared on the same model, with the same seeds and classes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name, and stem of its file names.
    pub name: String,
    /// Title of its page.
    pub title: String,
    /// Source: a table of the paper, or `ours`.
    pub source: String,
    /// Description of what differs between the rows and what does not.
    pub varies: String,
    /// The rows; the first is the baseline.
    pub rows: Vec<Variant>,
    /// Claims of the paper about the rows.
    pub claims: Vec<Claim>,
    /// Fields on which losses of the rows are predicted: in the syntax of `--field`, or `own` for the model's field.
    #[serde(default)]
    pub predict: Vec<String>,
    /// Rows that are repeated with more seeds.
    pub again: Option<Again>,
    /// Lines of a figure of the distance over `curves_over`.
    #[serde(default)]
    pub curves: Vec<Curve>,
    /// Horizontal axis of the figure.
    #[serde(default)]
    pub curves_over: CurveAxis,
}

/// Horizontal axis of a figure of the distance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CurveAxis {
    /// Number of AR steps.
    #[default]
    ArSteps,
    /// Number of network evaluations: passes through encoder and decoder, and through the head.
    NetworkEvaluations,
}

impl CurveAxis {
    /// Returns the label of the axis.
    pub fn label(self) -> &'static str {
        match self {
            Self::ArSteps => "AR steps",
            Self::NetworkEvaluations => "network evaluations",
        }
    }

    /// Returns what the name of the figure's file ends in, without the extension.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::ArSteps => "-steps",
            Self::NetworkEvaluations => "-evaluations",
        }
    }
}

/// Rows that are repeated with more seeds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// The seeds; each has as many images as a row of the table.
    pub seeds: Vec<u64>,
    /// Names of the rows; the first is the baseline.
    pub rows: Vec<String>,
}

/// A line of a figure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// Label of the line.
    pub name: String,
    /// Names of the rows on it.
    pub rows: Vec<String>,
}

/// A preset with some axes replaced. Every other field is the name of an axis.
#[derive(Clone, Debug, Deserialize)]
pub struct Variant {
    /// Name of its row.
    pub name: String,
    /// Group of the row; each group has its own rank correlation.
    pub group: Option<String>,
    preset: String,
    #[serde(flatten)]
    axes: BTreeMap<AxisName, AxisConfig>,
}

macro_rules! experiments {
    ($($name:literal),* $(,)?) => {
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../../spec/experiments/", $name, ".json")))),*];
    };
}

experiments![
    "table-1", "table-3", "table-4", "table-5", "cuts", "steps", "loss", "cascade", "solver", "guidance", "reuse"
];

/// Returns all experiments, in the order of their list.
pub fn all() -> &'static [Experiment] {
    static ALL: LazyLock<Vec<Experiment>> =
        LazyLock::new(|| FILES.iter().map(|(name, text)| parse(name, text)).collect());
    &ALL
}

/// Parses a built-in experiment.
fn parse(name: &str, text: &str) -> Experiment {
    match serde_json::from_str(text) {
        Ok(experiment) => experiment,
        Err(error) => unreachable!("the experiment {name} is part of this crate and tested: {error}"),
    }
}

/// Returns the experiment with a name, or all experiments for `all`.
///
/// # Errors
/// [`Error::Request`] for an unknown name.
pub fn find(name: &str) -> Result<Vec<&'static Experiment>, Error> {
    if name == "all" {
        return Ok(all().iter().collect());
    }
    let found = all().iter().find(|experiment| experiment.name == name);
    found.map(|experiment| vec![experiment]).ok_or_else(|| {
        let known: Vec<String> = all().iter().map(|experiment| format!("`{}`", experiment.name)).collect();
        Error::request(format_args!("unknown experiment `{name}`: expected `all` or one of {}", known.join(", ")))
    })
}

impl Experiment {
    /// Plans the rows on a model, with the model's default guidance.
    ///
    /// # Errors
    /// Errors of [`Variant::schedule`] and [`Evaluator::plan`].
    pub fn subjects(&self, evaluator: &Evaluator<'_>) -> Result<Vec<Subject>, Error> {
        let subject = |variant: &Variant| {
            let plan = evaluator.plan(&variant.schedule()?)?.plan;
            Ok(Subject { name: variant.name.clone(), plan, guidance: evaluator.guidance(None)?, temperature: 1.0 })
        };
        self.rows.iter().map(subject).collect()
    }
}

impl Variant {
    /// Returns the schedule.
    ///
    /// # Errors
    /// [`Error::Core`] for an unknown preset.
    pub fn schedule(&self) -> Result<Schedule, Error> {
        let mut schedule = preset::find(&self.preset)?.schedule.clone();
        self.axes.iter().for_each(|(axis, config)| schedule.set_axis(*axis, config.clone()));
        Ok(schedule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gtr_core::{Grid, Registry};

    #[test]
    fn experiments_are_consistent_and_can_be_planned() {
        assert_eq!(all().len(), FILES.len());
        for (experiment, (file, text)) in all().iter().zip(FILES) {
            assert_eq!(experiment.name, *file);
            serde_json::from_str::<Experiment>(text).unwrap();
            let names: Vec<&str> = experiment.rows.iter().map(|row| row.name.as_str()).collect();
            for (at, row) in experiment.rows.iter().enumerate() {
                row.schedule().unwrap().plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap();
                assert!(!names[..at].contains(&row.name.as_str()), "{file} has {} twice", row.name);
            }
            let others = experiment.again.iter().flat_map(|again| &again.rows);
            for row in others.chain(experiment.curves.iter().flat_map(|curve| &curve.rows)) {
                assert!(names.contains(&row.as_str()), "{file} has no row {row}");
            }
            for claim in &experiment.claims {
                assert!(
                    names.contains(&claim.row.as_str()) && names.contains(&claim.than.as_str()),
                    "{file}: {claim:?}"
                );
            }
        }
    }

    #[test]
    fn a_row_sets_any_axis_and_nothing_else() {
        let row = |text: &str| serde_json::from_str::<Variant>(text);
        let lazy = row(r#"{"name": "a", "preset": "mar-8", "solver": {"kind": "ddim"}}"#).unwrap().schedule().unwrap();
        assert_eq!(lazy.axis(AxisName::Solver).kind, "ddim");
        let error = row(r#"{"name": "a", "preset": "mar-8", "solvr": {"kind": "ddim"}}"#).unwrap_err().to_string();
        assert!(error.contains("unknown variant `solvr`"), "{error}");
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = find("table-2").unwrap_err().to_string();
        assert!(error.starts_with("unknown experiment `table-2`: expected `all` or one of `table-1`, "), "{error}");
    }
}
