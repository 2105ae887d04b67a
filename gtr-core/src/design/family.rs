//! Families of schedules: recursive bisections with the same cut, number of stages and order within the stages.

use gtr_linalg::Conditional;

use super::runs::Runs;
use super::{Problem, ar_steps};
use crate::loss::{Field, degenerate, factors};
use crate::order::{Bisection, Cut, Parity, Stages};
use crate::pace::Rates;
use crate::{AxisConfig, Error, ImageIndex, Plan, Registry, Schedule, StageOrder, TokenIndex};

/// Upper bound on the stages of a bisection of any grid that is small enough for a loss.
const MOST_STAGES: u32 = 32;

/// Maximum number of values (tokens times channels) for which random orders are searched: they need one factorisation
/// per image.
const MOST_DRAWN: usize = 1024;

/// A family and the losses of its stages.
#[derive(Debug)]
pub(super) struct Searched {
    /// Configuration of the order axis.
    pub(super) order: AxisConfig,
    /// Loss of each stage for any division into steps.
    pub(super) stages: Vec<Runs>,
}

impl Problem {
    /// Returns the schedule with `order` and `steps[i]` AR steps in stage i.
    ///
    /// # Errors
    /// Returns an error if a stage has no step.
    pub(super) fn schedule(&self, order: &AxisConfig, steps: &[usize]) -> Result<Schedule, Error> {
        let steps = steps.iter().map(|&steps| ar_steps(steps)).collect::<Result<_, _>>()?;
        let pace = Rates { rates: None, steps: Some(steps) }.into();
        Ok(Schedule::from_configs(order.clone(), pace, self.diffusion.clone(), self.detail.clone()))
    }

    /// Returns the orders within a stage to search.
    fn orders_within(&self) -> &'static [StageOrder] {
        if self.grid.tokens() * self.field.channels() <= MOST_DRAWN {
            &[StageOrder::Lattice, StageOrder::Farthest, StageOrder::Random]
        } else {
            &[StageOrder::Lattice]
        }
    }

    /// Returns all families that fit the grid.
    ///
    /// # Errors
    /// Returns the error of the field, or the error of the last schedule if no schedule gives a plan.
    pub(super) fn families(&self) -> Result<Vec<Searched>, Error> {
        let mut families = Vec::new();
        let mut refused = None;
        for cut in [Cut::Quincunx, Cut::Diagonal] {
            // A single stage is the same for both cuts; search it once.
            let least = if cut == Cut::Quincunx { 1 } else { 2 };
            let mut plans = Vec::new();
            for stages in least..=MOST_STAGES {
                for &within in self.orders_within() {
                    let order = Bisection { cut, stages: Stages::new(stages)?, within, first: Parity::Even };
                    let (order, one_each) = (AxisConfig::from(order), vec![1; stages as usize]);
                    let schedule = self.schedule(&order, &one_each)?;
                    match schedule.plan(self.grid, &Registry::builtin()) {
                        Ok(planned) => plans.push((order, planned.plan)),
                        Err(error) => refused = Some(error),
                    }
                }
            }
            if let Some((_, deepest)) = plans.last() {
                let levels = Levels::of(self, deepest);
                for (order, plan) in plans {
                    families.push(levels.search(self, order, &plan)?);
                }
            }
        }
        match refused {
            Some(error) if families.is_empty() => Err(error),
            _ => Ok(families),
        }
    }
}

/// The tokens of a cut, from coarse to fine.
///
/// The stages of every bisection with this cut are contiguous in this order. Fewer stages only merge the coarsest
/// levels.
struct Levels {
    order: Vec<TokenIndex>,
    /// Position of each token in `order`.
    places: Vec<usize>,
}

impl Levels {
    fn of(problem: &Problem, deepest: &Plan) -> Self {
        let order: Vec<TokenIndex> = deepest.stages().iter().flat_map(|stage| stage.tokens().to_vec()).collect();
        let mut places = vec![0; problem.grid.tokens()];
        for (place, token) in order.iter().enumerate() {
            places[token.index()] = place;
        }
        Self { order, places }
    }

    fn search(&self, problem: &Problem, order: AxisConfig, plan: &Plan) -> Result<Searched, Error> {
        let orders: Vec<Vec<TokenIndex>> = (0..if plan.within().is_drawn() { problem.images } else { 1 })
            .map(|image| plan.order(problem.seed, ImageIndex(image)))
            .collect::<Result<_, _>>()?;
        let mut stages: Vec<Runs> = plan.stages().iter().map(|stage| Runs::new(stage.tokens().len())).collect();
        for factor in factors(&problem.field, problem.grid, &self.order)? {
            let factor = factor?;
            let mut first = 0;
            for runs in &mut stages {
                let end = first + runs.tokens();
                let conditional = factor.conditional(first, end);
                for order in &orders {
                    self.add(&conditional, &order[first..end], first, &problem.field, runs)?;
                }
                first = end;
            }
        }
        Ok(Searched { order, stages })
    }

    /// Adds the losses of one order of the tokens of a stage.
    fn add(
        &self,
        conditional: &Conditional,
        tokens: &[TokenIndex],
        first: usize,
        field: &Field,
        runs: &mut Runs,
    ) -> Result<(), Error> {
        let places: Vec<usize> = tokens.iter().map(|token| self.places[token.index()] - first).collect();
        let factor = conditional.in_order(&places).map_err(|at| degenerate(at, field, tokens))?;
        runs.add(&factor);
        Ok(())
    }
}
