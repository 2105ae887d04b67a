//! The generation order of a plan, step by step.

use gtr_linalg::{Covariance, Degenerate, Factor, Symmetric};

use super::{Field, Loss};
use crate::{Error, Grid, ImageIndex, Plan, Seed, TokenIndex, TokenSet};

/// Tokens in generation order: the known tokens, then those of each step.
#[derive(Clone, Debug)]
pub(super) struct DrawOrder {
    grid: Grid,
    tokens: Vec<TokenIndex>,
    /// Number of tokens known before each step, followed by the total number of tokens.
    bounds: Vec<usize>,
}

impl DrawOrder {
    /// Returns the order of one image of a plan.
    ///
    /// # Errors
    /// [`Error::Ranked`] if the order is decided while sampling.
    pub(super) fn of_plan(plan: &Plan, seed: Seed, image: ImageIndex) -> Result<Self, Error> {
        let mut tokens = plan.known().to_vec();
        let mut bounds = vec![tokens.len()];
        tokens.extend(plan.order(seed, image)?);
        for step in plan.steps() {
            bounds.push(bounds[bounds.len() - 1] + step.tokens());
        }
        Ok(Self { grid: plan.grid(), tokens, bounds })
    }

    /// Returns the order given by explicit steps.
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

    /// Returns the loss, averaged over the classes of the field.
    pub(super) fn loss(&self, field: &Field) -> Result<Loss, Error> {
        let mut mean = super::Mean::default();
        for factor in factors(field, self.grid, &self.tokens)? {
            mean.add(&self.loss_of_class(&factor?));
        }
        Ok(mean.finish().0)
    }

    fn loss_of_class(&self, factor: &Factor) -> Loss {
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
                // A loss at the level of rounding errors cannot be attributed; divide it equally.
                let equal = 1.0 / crate::float(end - first);
                for (token, shared) in self.tokens[first..end].iter().zip(shared) {
                    tokens[token.index()] = step * if all > 0.0 { shared / all } else { equal };
                }
            }
        }
        Loss { total: steps.iter().sum(), steps, tokens }
    }
}

/// Returns an iterator over the Cholesky factors of the covariance of `order`, one per class.
pub(crate) fn factors<'a>(
    field: &'a Field,
    grid: Grid,
    order: &'a [TokenIndex],
) -> Result<impl Iterator<Item = Result<Factor, Error>> + 'a, Error> {
    let (classes, channels) = (field.covariances(grid)?, field.channels());
    let numbers: Vec<usize> =
        order.iter().flat_map(|token| (0..channels).map(move |channel| token.index() * channels + channel)).collect();
    Ok(classes
        .into_iter()
        .map(move |class| Factor::of(&class, channels, &numbers).map_err(|at| degenerate(at, field, order))))
}

/// Returns the covariance of each class.
pub(crate) fn covariances(field: &Field, grid: Grid) -> Result<Vec<Symmetric>, Error> {
    Ok(field.covariances(grid)?.iter().map(Covariance::dense).collect())
}

/// Returns an error that names the token at a position of `order` with no variance left.
pub(crate) fn degenerate(at: Degenerate, field: &Field, order: &[TokenIndex]) -> Error {
    let token = order[at.0];
    Error::Field(format!(
        "`{field}` is not positive definite: token {token} has no variance left given the tokens before it; use a larger \
         nugget or measure the covariance on more images"
    ))
}
