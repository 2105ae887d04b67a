//! The experiments as data.

use std::sync::LazyLock;

use gtr_core::{Config, preset};
use serde::Deserialize;

use super::claim::Claim;
use crate::args::Chosen;
use crate::error::CliError;

/// Schedules to be compared on the same model, with the same images.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Experiment {
    /// Its name, which is that of its files, too.
    pub(crate) name: String,
    pub(crate) title: String,
    /// Where it comes from.
    pub(crate) source: String,
    /// What differs between the rows, and what does not.
    pub(crate) varies: String,
    /// The first is what the others are compared with.
    pub(crate) rows: Vec<Variant>,
    /// What the paper says of the rows.
    pub(crate) claims: Vec<Claim>,
    /// The fields on which the losses of the rows are predicted: as `--field` takes them, or `own`, that of the model.
    #[serde(default)]
    pub(crate) predict: Vec<String>,
    /// Rows of which there are images of more seeds.
    pub(crate) again: Option<Again>,
    /// The lines of a figure of the distance over the AR steps.
    #[serde(default)]
    pub(crate) curves: Vec<Curve>,
}

/// Rows that are made again from other seeds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Again {
    /// Of each there are as many images as of a row.
    pub(crate) seeds: Vec<u64>,
    /// The first is what the others are compared with.
    pub(crate) rows: Vec<String>,
}

/// Rows that are a line of a figure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) rows: Vec<String>,
}

/// A preset, of which some axes are replaced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    pub(crate) name: String,
    /// Rows of a group have a rank correlation of their own.
    pub(crate) group: Option<String>,
    preset: String,
    order: Option<Config>,
    pace: Option<Config>,
    diffusion: Option<Config>,
    detail: Option<Config>,
}

macro_rules! experiments {
    ($($name:literal),* $(,)?) => {
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../../spec/experiments/", $name, ".json")))),*];
    };
}

experiments!["table-1", "table-3", "table-4", "table-5", "cuts", "steps", "loss", "cascade"];

/// All experiments, in the order in which they are listed.
pub(crate) fn all() -> &'static [Experiment] {
    static ALL: LazyLock<Vec<Experiment>> = LazyLock::new(|| {
        // The files are part of the program; a test reads them all.
        FILES.iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect()
    });
    &ALL
}

/// The experiment of a name, or all of them for `all`.
pub(crate) fn find(name: &str) -> Result<Vec<&'static Experiment>, CliError> {
    if name == "all" {
        return Ok(all().iter().collect());
    }
    let found = all().iter().find(|experiment| experiment.name == name);
    found.map(|experiment| vec![experiment]).ok_or_else(|| {
        let known: Vec<String> = all().iter().map(|experiment| format!("`{}`", experiment.name)).collect();
        CliError::usage(format_args!(
            "there is no experiment called `{name}`: choose `all` or one of {}",
            known.join(", ")
        ))
    })
}

impl Variant {
    /// Its schedule.
    pub(crate) fn chosen(&self) -> Result<Chosen, CliError> {
        let mut schedule = preset::find(&self.preset)?.schedule.clone();
        let axes = [
            (&mut schedule.order, &self.order),
            (&mut schedule.pace, &self.pace),
            (&mut schedule.diffusion, &self.diffusion),
            (&mut schedule.detail, &self.detail),
        ];
        for (axis, other) in axes {
            if let Some(other) = other {
                *axis = other.clone();
            }
        }
        Ok(Chosen { name: self.name.clone(), home_grid: None, schedule })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gtr_core::Grid;

    #[test]
    fn experiments_are_what_their_files_say_and_can_be_planned() {
        assert_eq!(all().len(), FILES.len());
        for (experiment, (file, text)) in all().iter().zip(FILES) {
            assert_eq!(experiment.name, *file);
            serde_json::from_str::<Experiment>(text).unwrap();
            let names: Vec<&str> = experiment.rows.iter().map(|row| row.name.as_str()).collect();
            for (at, row) in experiment.rows.iter().enumerate() {
                row.chosen().unwrap().plan(Grid::new(8, 8).unwrap()).unwrap();
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
    fn unknown_names_list_the_known_ones() {
        let error = find("table-2").unwrap_err().to_string();
        assert!(
            error.starts_with("there is no experiment called `table-2`: choose `all` or one of `table-1`, "),
            "{error}"
        );
    }
}
