//! The experiments as data.

use std::sync::LazyLock;

use gtr_core::{Config, Schedule, preset};
use serde::Deserialize;

use super::claim::Claim;
use crate::Error;
use crate::evaluation::{Evaluator, Subject};

/// Schedules to be compared on the same model, with the same images.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Its name, which is that of its files, too.
    pub name: String,
    /// The head of its page.
    pub title: String,
    /// Where it comes from.
    pub source: String,
    /// What differs between the rows, and what does not.
    pub varies: String,
    /// The first is what the others are compared with.
    pub rows: Vec<Variant>,
    /// What the paper says of the rows.
    pub claims: Vec<Claim>,
    /// The fields on which the losses of the rows are predicted: as `--field` takes them, or `own`, that of the model.
    #[serde(default)]
    pub predict: Vec<String>,
    /// Rows of which there are images of more seeds.
    pub again: Option<Again>,
    /// The lines of a figure of the distance over the AR steps.
    #[serde(default)]
    pub curves: Vec<Curve>,
}

/// Rows that are made again from other seeds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Of each there are as many images as of a row.
    pub seeds: Vec<u64>,
    /// The first is what the others are compared with.
    pub rows: Vec<String>,
}

/// Rows that are a line of a figure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// What it is called.
    pub name: String,
    /// Its rows, by their names.
    pub rows: Vec<String>,
}

/// A preset, of which some axes are replaced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// What its row is called.
    pub name: String,
    /// Rows of a group have a rank correlation of their own.
    pub group: Option<String>,
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
pub fn all() -> &'static [Experiment] {
    static ALL: LazyLock<Vec<Experiment>> =
        LazyLock::new(|| FILES.iter().map(|(name, text)| parse(name, text)).collect());
    &ALL
}

/// An experiment that is part of the program.
fn parse(name: &str, text: &str) -> Experiment {
    match serde_json::from_str(text) {
        Ok(experiment) => experiment,
        Err(error) => unreachable!("the experiment {name} is part of this crate and tested: {error}"),
    }
}

/// The experiment of a name, or all of them for `all`.
///
/// # Errors
/// [`Error::Request`] for a name that is not known.
pub fn find(name: &str) -> Result<Vec<&'static Experiment>, Error> {
    if name == "all" {
        return Ok(all().iter().collect());
    }
    let found = all().iter().find(|experiment| experiment.name == name);
    found.map(|experiment| vec![experiment]).ok_or_else(|| {
        let known: Vec<String> = all().iter().map(|experiment| format!("`{}`", experiment.name)).collect();
        Error::request(format_args!(
            "there is no experiment called `{name}`: choose `all` or one of {}",
            known.join(", ")
        ))
    })
}

impl Experiment {
    /// Its rows on a model, with the guidance of that.
    ///
    /// # Errors
    /// Those of [`Variant::schedule`] and [`Evaluator::plan`].
    pub fn subjects(&self, evaluator: &Evaluator<'_>) -> Result<Vec<Subject>, Error> {
        let subject = |variant: &Variant| {
            let plan = evaluator.plan(&variant.schedule()?)?.plan;
            Ok(Subject { name: variant.name.clone(), plan, guidance: evaluator.guidance(None)?, temperature: 1.0 })
        };
        self.rows.iter().map(subject).collect()
    }
}

impl Variant {
    /// Its schedule.
    ///
    /// # Errors
    /// [`Error::Core`] for a preset that is not known.
    pub fn schedule(&self) -> Result<Schedule, Error> {
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
        Ok(schedule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gtr_core::{Grid, Registry};

    #[test]
    fn experiments_are_what_their_files_say_and_can_be_planned() {
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
    fn unknown_names_list_the_known_ones() {
        let error = find("table-2").unwrap_err().to_string();
        assert!(
            error.starts_with("there is no experiment called `table-2`: choose `all` or one of `table-1`, "),
            "{error}"
        );
    }
}
