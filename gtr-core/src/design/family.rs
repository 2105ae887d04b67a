//! Families of schedules: recursive bisections of a cut, a number of stages and an order within them.

use super::runs::Runs;
use super::{Problem, ar_steps};
use crate::loss::{Conditional, Field, factors};
use crate::order::{Bisection, Cut, Parity, Stages};
use crate::pace::Rates;
use crate::{Config, Error, ImageIndex, Plan, Registry, Schedule, TokenIndex, Within};

/// More stages than a bisection of any grid has whose loss can be computed.
const MOST_STAGES: u32 = 32;

/// Above so many numbers, orders that are drawn by seed are not searched: each of their images takes a factorisation.
const MOST_DRAWN: usize = 1024;

/// A cut, a number of stages and an order within them, with what each stage loses.
#[derive(Debug)]
pub(super) struct Searched {
    /// The configuration.
    pub(super) order: Config,
    /// What each stage loses, however it is cut into steps.
    pub(super) stages: Vec<Runs>,
}

impl Problem {
    /// The schedule of an order whose stages take `steps`.
    ///
    /// # Errors
    /// A stage without a step.
    pub(super) fn schedule(&self, order: &Config, steps: &[usize]) -> Result<Schedule, Error> {
        let steps = steps.iter().map(|&steps| ar_steps(steps)).collect::<Result<_, _>>()?;
        Ok(Schedule {
            order: order.clone(),
            pace: Rates { rates: None, steps: Some(steps) }.into(),
            diffusion: self.diffusion.clone(),
            detail: self.detail.clone(),
            adapt: Vec::new(),
        })
    }

    /// The orders within a stage that are searched.
    fn orders_within(&self) -> &'static [Within] {
        if self.grid.tokens() * self.field.channels() <= MOST_DRAWN {
            &[Within::Lattice, Within::Farthest, Within::Random]
        } else {
            &[Within::Lattice]
        }
    }

    /// All families that the grid has room for.
    ///
    /// # Errors
    /// That of the field, or of the last schedule if none makes a plan.
    pub(super) fn families(&self) -> Result<Vec<Searched>, Error> {
        let mut families = Vec::new();
        let mut refused = None;
        for cut in [Cut::Quincunx, Cut::Diagonal] {
            // One stage is the same for both cuts.
            let least = if cut == Cut::Quincunx { 1 } else { 2 };
            let mut plans = Vec::new();
            for stages in least..=MOST_STAGES {
                for &within in self.orders_within() {
                    let order = Bisection { cut, stages: Stages::new(stages)?, within, first: Parity::Even };
                    let (order, one_each) = (Config::from(order), vec![1; stages as usize]);
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

/// The tokens of a cut, coarse to fine.
///
/// The stages of every bisection of the cut lie side by side in this order: fewer stages only join the coarsest.
struct Levels {
    order: Vec<TokenIndex>,
    /// Where each token is in the order.
    places: Vec<usize>,
}

impl Levels {
    fn of(problem: &Problem, deepest: &Plan) -> Self {
        let order: Vec<TokenIndex> = deepest.stages().iter().flat_map(|stage| stage.tokens().to_vec()).collect();
        let mut places = vec![0; problem.grid.tokens()];
        for (place, token) in order.iter().enumerate() {
            places[token.get()] = place;
        }
        Self { order, places }
    }

    fn search(&self, problem: &Problem, order: Config, plan: &Plan) -> Result<Searched, Error> {
        let orders: Vec<Vec<TokenIndex>> = (0..if plan.within().is_drawn() { problem.images } else { 1 })
            .map(|image| plan.order(problem.seed, ImageIndex(image)))
            .collect();
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

    /// Adds an order of a stage's tokens.
    fn add(
        &self,
        conditional: &Conditional,
        tokens: &[TokenIndex],
        first: usize,
        field: &Field,
        runs: &mut Runs,
    ) -> Result<(), Error> {
        let places: Vec<usize> = tokens.iter().map(|token| self.places[token.get()] - first).collect();
        let factor = conditional.in_order(&places).map_err(|at| at.in_order(field, tokens))?;
        runs.add(&factor);
        Ok(())
    }
}
