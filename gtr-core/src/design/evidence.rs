//! Conversion of a design to a preset.

use serde_json::{Map, Value, json};

use super::Design;
use crate::Grid;
use crate::preset::{Preset, Status};

/// Number of families that the evidence lists.
const LISTED: usize = 8;

impl Design {
    /// Converts the design to a preset for `grid`, which must be the grid that it was designed for.
    ///
    /// The evidence of the preset contains the field, the loss, the number of candidate schedules, the best families
    /// and, if given, the comparison with `free`, an unstructured partition.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::design::{Goal, Problem, structured};
    /// use gtr_core::loss::Field;
    /// use gtr_core::{ArSteps, Grid};
    /// let problem = Problem { images: 4, ..Problem::new(Grid::new(8, 8)?, Field::default()) };
    /// let design = structured(&problem, Goal::ArSteps(ArSteps::new(5)?))?;
    /// let preset = design.preset("mine", problem.grid, None);
    /// assert_eq!(preset.schedule, design.schedule);
    /// assert_eq!(preset.evidence.unwrap()["field"], "exponential:2:0.01");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn preset(&self, name: &str, grid: Grid, free: Option<&Design>) -> Preset {
        let steps: Vec<String> =
            self.families.first().into_iter().flat_map(|best| &best.steps).map(ToString::to_string).collect();
        Preset {
            name: name.to_owned(),
            summary: format!(
                "Designed for low loss: {} = {}",
                steps.join(" + "),
                crate::count(self.ar_steps.get(), "AR step")
            ),
            source: format!(
                "ours: a loss of {:.4} nats on the field {}; see the evidence",
                self.loss.mean.total, self.field
            ),
            status: Status::Ours,
            home_grid: grid,
            schedule: self.schedule.clone(),
            evidence: Some(self.evidence(free)),
        }
    }

    fn evidence(&self, free: Option<&Design>) -> Map<String, Value> {
        let loss = self.loss.mean.total;
        let mut evidence = Map::new();
        let mut say = |name: &str, value: Value| evidence.insert(name.to_owned(), value);
        say("field", self.field.clone().into());
        say("loss_nats", loss.into());
        say("standard_error", self.loss.standard_error.into());
        say("images", self.loss.images.into());
        say("candidates", self.candidates.into());
        say("families", self.families.iter().take(LISTED).map(|family| json!(family)).collect());
        if let Some(free) = free {
            let free_loss = free.loss.mean.total;
            say("free", json!({ "loss_nats": free_loss, "gap_nats": loss - free_loss, "moves": free.candidates }));
        }
        evidence
    }
}
