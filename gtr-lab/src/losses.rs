//! Losses of plans, for every command that shows plans.

use gtr_core::loss::{self, Field, Loss, MeanLoss};
use gtr_core::{Grid, ImageIndex, Plan, Seed};
use gtr_draw::loss::{FieldLoss, nats};
use serde::Serialize;

use crate::Error;

/// Largest number of values (tokens times channels) for which a loss is computed without --field. More values take more than a
/// second.
const QUICK: usize = 1100;

/// Maximum number of images that a loss is averaged over in a list of many plans.
pub const FEW_IMAGES: u64 = 64;

/// Computes losses of plans on a field.
///
/// # Examples
/// ```
/// use gtr_core::{Grid, Registry, Seed, preset};
/// use gtr_lab::losses::Losses;
///
/// let losses = Losses::new(Some("exponential:2:0.01"), None)?;
/// let plan = preset::find("gtr-16")?.schedule.plan(Grid::new(8, 8)?, &Registry::builtin())?.plan;
/// assert!(losses.of(&plan, Seed(0)).total().is_some_and(|nats| nats > 0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Losses {
    field: Field,
    /// True if the field was selected explicitly. The size of the grid is then limited only by the computation itself.
    asked: bool,
    /// True for lists of many plans, whose losses are averaged over fewer images.
    rough: bool,
}

/// Loss of a plan, or the reason why it was not computed.
#[derive(Clone, Debug)]
pub enum PlanLoss {
    /// Mean over images.
    Known(MeanLoss),
    /// Reason why it was not computed.
    Unknown(String),
}

/// Loss of a plan, for JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Field on which it is computed.
    field: String,
    /// In nats; `None` if it was not computed.
    nats: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stages: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Losses {
    /// Selects a field: `field` (a kernel or the path of a file) if given, else the model's own field, else the default.
    ///
    /// # Errors
    /// [`Error::Request`] if `field` is neither a kernel nor an existing file, [`Error::Backend`] if the file is not a valid field.
    pub fn new(field: Option<&str>, model: Option<&str>) -> Result<Self, Error> {
        if let Some(field) = field {
            return Ok(Self { field: read(field)?, asked: true, rough: false });
        }
        let own = model.map(gtr_backends::field::of_model).transpose()?.flatten();
        let field = own.map_or_else(Field::default, Field::from);
        Ok(Self { field, asked: false, rough: false })
    }

    /// Selects the field of a model explicitly.
    ///
    /// # Errors
    /// [`Error::Request`] if the model has no field, [`Error::Backend`] if its field cannot be read.
    pub fn own(model: &str) -> Result<Self, Error> {
        let own = gtr_backends::field::of_model(model)?;
        let own =
            own.ok_or_else(|| Error::request(format_args!("{model} has no field: measure one with `gtr-cli field`")))?;
        Ok(Self { field: own.into(), asked: true, rough: false })
    }

    /// Averages over fewer images, for lists of many plans.
    #[must_use]
    pub fn roughly(self) -> Self {
        Self { rough: true, ..self }
    }

    /// Returns the field.
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// Returns the mean loss of a plan over images of a seed.
    pub fn of(&self, plan: &Plan, seed: Seed) -> PlanLoss {
        if let Some(why) = self.refusal(plan.grid()) {
            return PlanLoss::Unknown(why);
        }
        match loss::mean_loss(plan, seed, self.images(plan.grid()), &self.field) {
            Ok(lost) => PlanLoss::Known(lost),
            Err(error) => PlanLoss::Unknown(error.to_string()),
        }
    }

    /// Returns the loss of a plan on one image, or the reason why it was not computed.
    fn of_image(&self, plan: &Plan, (seed, image): (Seed, ImageIndex)) -> Result<Loss, String> {
        if let Some(why) = self.refusal(plan.grid()) {
            return Err(why);
        }
        loss::loss(plan, seed, image, &self.field).map_err(|error| error.to_string())
    }

    /// Returns the loss of a plan on one image, for a figure or a page, or `None` if it was not computed.
    pub fn drawn(&self, plan: &Plan, order: (Seed, ImageIndex)) -> Option<FieldLoss> {
        let loss = self.of_image(plan, order).ok()?;
        Some(FieldLoss { loss, field: self.field.to_string() })
    }

    fn numbers(&self, grid: Grid) -> usize {
        grid.tokens().saturating_mul(self.field.channels())
    }

    fn refusal(&self, grid: Grid) -> Option<String> {
        let numbers = self.numbers(grid);
        (!self.asked && numbers > QUICK).then(|| {
            format!(
                "{numbers} values take longer than a second: give --field to compute the loss of up to {} values",
                loss::LARGEST
            )
        })
    }

    fn images(&self, grid: Grid) -> u64 {
        let images = loss::default_images(grid, &self.field);
        if self.rough { images.min(FEW_IMAGES) } else { images }
    }
}

/// Parses an isotropic field, or reads a field from a file.
fn read(text: &str) -> Result<Field, Error> {
    let path = std::path::Path::new(text);
    if path.exists() {
        let file = gtr_backends::field::FieldFile::read(path)?;
        return Ok(file.measured(text)?.into());
    }
    text.parse().map_err(|error| Error::request(format_args!("--field: {error}, or a file written by `gtr-cli field`")))
}

impl PlanLoss {
    /// Formats the loss as one line.
    pub fn line(&self, losses: &Losses) -> String {
        let field = losses.field();
        match self {
            Self::Known(lost) if lost.images > 1 => format!(
                "Loss: {} nats (standard error {} over {} images) on the field {field}",
                nats(lost.mean.total),
                nats(lost.standard_error),
                lost.images
            ),
            Self::Known(lost) => format!("Loss: {} nats on the field {field}", nats(lost.mean.total)),
            Self::Unknown(why) => format!("Loss: not computed on the field {field}: {why}"),
        }
    }

    /// Formats the loss as a table cell.
    pub fn cell(&self) -> String {
        self.total().map_or_else(|| "-".to_owned(), nats)
    }

    /// Returns the total in nats, or `None` if it was not computed.
    pub fn total(&self) -> Option<f64> {
        match self {
            Self::Known(lost) => Some(lost.mean.total),
            Self::Unknown(_) => None,
        }
    }

    /// Formats the loss of each stage of the plan as a table cell.
    pub fn stages(&self, plan: &Plan) -> Vec<String> {
        match self {
            Self::Known(lost) => lost.mean.stages(plan).into_iter().map(nats).collect(),
            Self::Unknown(_) => vec!["-".to_owned(); plan.stages().len()],
        }
    }

    /// Returns the loss for JSON; with the plan `whole`, also the contribution of each stage, AR step and token.
    pub fn summary(&self, losses: &Losses, whole: Option<&Plan>) -> Summary {
        let field = losses.field().to_string();
        match self {
            Self::Known(MeanLoss { mean, standard_error, images }) => Summary {
                field,
                nats: Some(mean.total),
                standard_error: Some(*standard_error),
                images: Some(*images),
                stages: whole.map(|plan| mean.stages(plan)),
                steps: whole.map(|_| mean.steps.clone()),
                tokens: whole.map(|_| mean.tokens.clone()),
                why: None,
            },
            Self::Unknown(why) => Summary {
                field,
                nats: None,
                standard_error: None,
                images: None,
                stages: None,
                steps: None,
                tokens: None,
                why: Some(why.clone()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_grids_need_an_explicit_field() {
        let [small, large] = [(16, 16), (64, 64)].map(|(height, width)| Grid::new(height, width).unwrap());
        let losses = Losses::new(None, None).unwrap();
        assert_eq!((losses.refusal(small), losses.images(small)), (None, 512));
        assert_eq!(losses.clone().roughly().images(small), FEW_IMAGES);
        assert!(losses.refusal(large).unwrap().contains("--field"));
        assert_eq!(Losses::new(Some("exponential:2"), None).unwrap().refusal(large), None);
    }

    #[test]
    fn invalid_fields_are_refused() {
        let error = Losses::new(Some("nothing"), None).unwrap_err().to_string();
        assert!(error.starts_with("--field: ") && error.contains("exponential:2:0.01"), "{error}");
    }
}
