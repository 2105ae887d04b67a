//! The order of generation of a plan, step by step.

use super::covariance::Covariance;
use super::factor::{Degenerate, Factor};
use super::{Field, Loss};
use crate::{Error, Grid, ImageIndex, Plan, Seed, TokenIndex, TokenSet};

/// Tokens in the order of generation: the known ones, then those of each step.
#[derive(Clone, Debug)]
pub(super) struct Order {
    grid: Grid,
    tokens: Vec<TokenIndex>,
    /// How many tokens are known before each step, and at last all.
    bounds: Vec<usize>,
}

impl Order {
    /// That of an image of a plan.
    pub(super) fn of_plan(plan: &Plan, seed: Seed, image: ImageIndex) -> Self {
        let mut tokens = plan.known().to_vec();
        let mut bounds = vec![tokens.len()];
        tokens.extend(plan.order(seed, image));
        for step in plan.steps() {
            bounds.push(bounds[bounds.len() - 1] + step.tokens());
        }
        Self { grid: plan.grid(), tokens, bounds }
    }

    /// That of steps which are written out.
    pub(super) fn of_steps(known: &TokenSet, steps: &[Vec<TokenIndex>]) -> Result<Self, Error> {
        let grid = known.grid();
        let mut tokens: Vec<TokenIndex> = known.iter().collect();
        let mut bounds = vec![tokens.len()];
        for step in steps {
            tokens.extend(step);
            bounds.push(tokens.len());
        }
        let partition = crate::Partition::whole(grid, tokens)?;
        Ok(Self { grid, tokens: partition.into_subsets().swap_remove(0), bounds })
    }

    /// What is lost, on average over the classes of the field.
    pub(super) fn loss(&self, field: &Field) -> Result<Loss, Error> {
        let covariances = field.covariances(self.grid)?;
        let mut mean = super::Mean::default();
        for covariance in &covariances {
            mean.add(&self.loss_of_class(field, covariance)?);
        }
        Ok(mean.finish().0)
    }

    fn loss_of_class(&self, field: &Field, covariance: &Covariance<'_>) -> Result<Loss, Error> {
        let factor = Factor::of(covariance, field.channels(), &self.tokens)
            .map_err(|Degenerate(position)| not_positive_definite(field, self.tokens[position]))?;
        let mut tokens = vec![0.0; self.grid.tokens()];
        let mut steps = Vec::with_capacity(self.bounds.len() - 1);
        for bounds in self.bounds.windows(2) {
            let (first, end) = (bounds[0], bounds[1]);
            let together = |position: usize| {
                let mut together = factor.together(position);
                together.extend(first);
                together.nats()
            };
            let step: f64 = (first..end).map(together).sum();
            steps.push(step);
            if step > 0.0 {
                let shared = factor.shared_in_step(first, end);
                let all: f64 = shared.iter().sum();
                // Of a loss at the level of rounding nobody knows whose it is.
                let equal = 1.0 / crate::cost::float(end - first);
                for (token, shared) in self.tokens[first..end].iter().zip(shared) {
                    tokens[token.get()] = step * if all > 0.0 { shared / all } else { equal };
                }
            }
        }
        Ok(Loss { total: steps.iter().sum(), steps, tokens })
    }
}

/// Says which token is at fault.
pub(crate) fn not_positive_definite(field: &Field, token: TokenIndex) -> Error {
    Error::Field(format!(
        "`{field}` is not positive definite: nothing is left of token {token} once the tokens before it are known; a larger \
         nugget, or a covariance of more pictures, would help"
    ))
}
