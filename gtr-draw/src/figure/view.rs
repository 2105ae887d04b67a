//! A plan with the order of one image, as figures show it.

use gtr_core::loss::Loss;
use gtr_core::{ImageIndex, Plan, Seed, TokenIndex};

use crate::Error;
use crate::loss::FieldLoss;
use crate::palette::{self, Colour};

/// Largest number of rows and of columns that are drawn. Of a larger grid, only the upper left corner is drawn.
pub(super) const MOST_CELLS: u32 = 64;

/// Share of the background in the colour of the last step of a stage.
const FADE: f64 = 0.38;

/// A plan with the order of one image.
///
/// # Examples
/// ```
/// use gtr_core::{Grid, ImageIndex, Registry, Seed, preset};
/// use gtr_draw::figure::{PlanView, compare};
///
/// let (registry, grid) = (Registry::builtin(), Grid::new(8, 8)?);
/// let plan = |name: &str| preset::find(name)?.schedule.plan(grid, &registry).map(|planned| planned.plan);
/// let (ours, theirs) = (plan("gtr-16")?, plan("mar-16")?);
/// let order = (Seed(0), ImageIndex(0));
/// let svg = compare(&[PlanView::new("gtr-16", &ours, order)?, PlanView::new("mar-16", &theirs, order)?])?;
/// assert!(svg.contains("gtr-16 on 8x8") && svg.contains("mar-16 on 8x8"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PlanView<'a> {
    /// Display name of the plan.
    pub(super) name: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) seed: Seed,
    pub(super) image: ImageIndex,
    /// Index of the AR step that generates each token; `None` for tokens that are known before the first step.
    step_of_token: Vec<Option<usize>>,
    /// First AR step and number of AR steps of each stage.
    spans: Vec<(usize, usize)>,
    /// Loss of the plan on the image, if it is computed.
    loss: Option<FieldLoss>,
}

impl<'a> PlanView<'a> {
    /// Creates the view of a plan with the order of an image.
    ///
    /// # Errors
    /// [`Error::Plan`] if the order is decided while sampling.
    pub fn new(name: &'a str, plan: &'a Plan, (seed, image): (Seed, ImageIndex)) -> Result<Self, Error> {
        let mut step_of_token = vec![None; plan.grid().tokens()];
        let mut spans = vec![(0, 0); plan.stages().len()];
        let order = plan.order(seed, image)?;
        let mut known = 0;
        for (position, step) in plan.steps().iter().enumerate() {
            for token in &order[known..known + step.tokens()] {
                step_of_token[token.index()] = Some(position);
            }
            known += step.tokens();
            let (first, steps) = &mut spans[step.stage()];
            if *steps == 0 {
                *first = position;
            }
            *steps += 1;
        }
        Ok(Self { name, plan, seed, image, step_of_token, spans, loss: None })
    }

    /// Adds the loss of the plan on this image, if it is computed.
    #[must_use]
    pub fn with_loss(self, loss: Option<FieldLoss>) -> Self {
        Self { loss, ..self }
    }

    /// Loss of the plan on the image, if it is computed.
    pub(super) fn loss(&self) -> Option<&Loss> {
        self.loss.as_ref().map(|it| &it.loss)
    }

    /// Display name of the field that the loss is computed on.
    pub(super) fn field(&self) -> &str {
        self.loss.as_ref().map_or("", |it| &it.field)
    }

    /// Returns the contribution of a cell to the loss.
    pub(super) fn loss_at(&self, row: u32, column: u32) -> Option<f64> {
        let token = self.plan.grid().at(row, column)?;
        self.loss()?.tokens.get(token.index()).copied()
    }

    /// Returns the number of rows and columns that are drawn.
    pub(super) fn window(&self) -> (u32, u32) {
        let grid = self.plan.grid();
        (grid.height().min(MOST_CELLS), grid.width().min(MOST_CELLS))
    }

    /// Returns true if only a part of the grid is drawn.
    pub(super) fn is_cut(&self) -> bool {
        let grid = self.plan.grid();
        self.window() != (grid.height(), grid.width())
    }

    /// Returns the index of the AR step of a cell; `None` if its token is known before the first step.
    pub(super) fn step_at(&self, row: u32, column: u32) -> Option<usize> {
        self.plan.grid().at(row, column).and_then(|token: TokenIndex| self.step_of_token[token.index()])
    }

    /// Returns the first AR step and the number of AR steps of each stage.
    pub(super) fn spans(&self) -> &[(usize, usize)] {
        &self.spans
    }

    /// Returns true if there are several stages. Colours then show the stage, otherwise the AR step.
    pub(super) fn is_staged(&self) -> bool {
        self.spans.len() > 1
    }

    /// Returns the colour of a stage.
    pub(super) fn stage_colour(stage: usize) -> Colour {
        palette::category(stage)
    }

    /// Returns the colour of an AR step: that of its stage, paler for later steps. With a single stage, a colour of the ramp.
    pub(super) fn step_colour(&self, step: usize) -> Colour {
        if !self.is_staged() {
            return palette::ramp(share(step, self.plan.steps().len()));
        }
        let stage = self.plan.steps()[step].stage();
        let (first, steps) = self.spans[stage];
        Self::stage_colour(stage).pale(FADE * share(step - first, steps))
    }

    /// Returns the number of known tokens after each AR step, including those known before the first.
    pub(super) fn known(&self) -> Vec<usize> {
        let steps = self.plan.steps().iter();
        let known = steps.scan(self.plan.known().len(), |known, step| {
            *known += step.tokens();
            Some(*known)
        });
        known.collect()
    }
}

/// Returns the position among `of` positions as a share: 0 for the first, 1 for the last.
#[expect(clippy::cast_precision_loss, reason = "at most 2^24 steps")]
fn share(position: usize, of: usize) -> f64 {
    if of < 2 { 0.0 } else { position as f64 / (of - 1) as f64 }
}

#[cfg(test)]
pub(super) mod tests {
    use gtr_core::{Grid, Registry, TokenSet, preset};

    use super::*;

    /// Returns the plan of a preset for a grid whose first `known` tokens are known.
    pub(in crate::figure) fn plan(preset: &str, grid: &str, known: usize) -> Plan {
        let grid: Grid = grid.parse().unwrap();
        let known = TokenSet::from_tokens(grid, grid.iter().take(known));
        preset::find(preset).unwrap().schedule.plan_rest(&known, &Registry::builtin()).unwrap().plan
    }

    #[test]
    fn steps_are_those_of_the_order() {
        let plan = plan("gtr-16", "8x8", 8);
        let shown = PlanView::new("gtr-16", &plan, (Seed(3), ImageIndex(2))).unwrap();
        assert!((0..8).all(|column| shown.step_at(0, column).is_none()));
        let order = plan.order(Seed(3), ImageIndex(2)).unwrap();
        let at = plan.grid().position(order[0]);
        assert_eq!(shown.step_at(at.row, at.column), Some(0));
        assert_eq!(shown.known().last(), Some(&64));
        let steps: usize = shown.spans().iter().map(|(_, steps)| steps).sum();
        assert_eq!(steps, plan.steps().len());
    }

    #[test]
    fn colours_show_the_stage() {
        let plan = plan("gtr-16", "16x16", 0);
        let shown = PlanView::new("gtr-16", &plan, (Seed(0), ImageIndex(0))).unwrap();
        assert_eq!(shown.step_colour(0), palette::category(0));
        assert_eq!(shown.step_colour(12), palette::category(1));
        assert_ne!(shown.step_colour(0), shown.step_colour(11));
    }
}
