//! Search over unstructured partitions.

use gtr_linalg::{Swept, Symmetric};

use super::{Design, Family, Problem, ar_steps};
use crate::loss::{covariances, loss, mean_loss};
use crate::order::Levels;
use crate::{AxisConfig, Component, Error, Grid, ImageIndex, Plan, Registry};

/// Maximum number of values in memory; the search keeps one covariance per step. 2^26 values are 512 MiB.
const MOST_NUMBERS: usize = 1 << 26;

/// Smallest change of the loss that is not a rounding error, in nats.
const LEAST_GAIN: f64 = 1e-9;

/// Improves a design by moving single tokens to other steps while that lowers the loss, in at most `rounds` passes over
/// the grid.
///
/// The search starts from the image of the design with the lowest loss and keeps the number of AR steps. The result is
/// a local optimum, or the state after the last pass. The difference in loss to `design` shows the cost of structure.
/// The schedule uses the order `levels` with one AR step per stage.
///
/// # Errors
/// [`Error::Field`] as for [`loss`](crate::loss::loss()). [`Error::Design`] for a field with several channels, more
/// than 52 AR steps, or a grid and number of steps that need more than 512 MiB.
///
/// # Examples
/// ```
/// use gtr_core::design::{Goal, Problem, free, structured};
/// use gtr_core::loss::Field;
/// use gtr_core::{ArSteps, Grid};
/// let problem = Problem { images: 4, ..Problem::new(Grid::new(6, 6)?, Field::default()) };
/// let structured = structured(&problem, Goal::ArSteps(ArSteps::new(4)?))?;
/// let free = free(&problem, &structured, 2)?;
/// assert_eq!(free.schedule.order.kind, "levels");
/// assert!(free.loss.mean.total <= structured.loss.mean.total);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn free(problem: &Problem, design: &Design, rounds: usize) -> Result<Design, Error> {
    let grid = problem.grid;
    if problem.field.channels() > 1 {
        return Err(Error::Design("the free search supports only fields with one channel".to_owned()));
    }
    let registry = Registry::builtin();
    let plan = design.schedule.plan(grid, &registry)?.plan;
    let steps = plan.steps().len();
    if steps > Levels::MOST_STAGES {
        let most = Levels::MOST_STAGES;
        return Err(Error::Design(format!("{steps} AR steps exceed the {most} stages of the order `levels`")));
    }
    if grid.tokens().saturating_mul(grid.tokens()).saturating_mul(steps) > MOST_NUMBERS {
        return Err(Error::Design(format!(
            "the free search on a grid of {grid} with {} needs more than 512 MiB",
            crate::count(steps, "AR step")
        )));
    }
    let start = best_image(problem, &plan)?;
    let mut search = Search::new(&start, steps, covariances(&problem.field, grid)?);
    for _ in 0..rounds {
        if !search.round() {
            break;
        }
    }
    let order = search.order(grid)?;
    let steps = vec![1; steps];
    let plan = problem.schedule(&order, &steps)?.plan(grid, &registry)?.plan;
    let loss = mean_loss(&plan, problem.seed, problem.images, &problem.field)?;
    Ok(Design {
        schedule: plan.schedule().clone(),
        ar_steps: ar_steps(plan.steps().len())?,
        field: problem.field.to_string(),
        candidates: search.tried,
        families: vec![Family { order, steps, loss: loss.mean.total }],
        loss,
    })
}

/// Returns the step of each token in the image with the lowest loss.
fn best_image(problem: &Problem, plan: &Plan) -> Result<Vec<usize>, Error> {
    let mut best: Option<(f64, ImageIndex)> = None;
    for image in (0..problem.images).map(ImageIndex) {
        let total = loss(plan, problem.seed, image, &problem.field)?.total;
        if best.is_none_or(|(least, _)| total < least) {
            best = Some((total, image));
        }
    }
    let image = best.map_or(ImageIndex(0), |(_, image)| image);
    let mut steps = vec![0; plan.grid().tokens()];
    let mut order = plan.order(problem.seed, image)?.into_iter();
    for (number, step) in plan.steps().iter().enumerate() {
        for token in order.by_ref().take(step.tokens()) {
            steps[token.index()] = number;
        }
    }
    Ok(steps)
}

/// State of the search: a partition into steps.
#[derive(Debug)]
struct Search {
    /// The step of each token.
    step_of: Vec<usize>,
    /// The tokens of each step.
    steps: Vec<Vec<usize>>,
    /// The covariance of each class.
    classes: Vec<Symmetric>,
    /// Number of moves evaluated.
    tried: u64,
}

impl Search {
    fn new(step_of: &[usize], count: usize, classes: Vec<Symmetric>) -> Self {
        let mut steps = vec![Vec::new(); count];
        for (token, &step) in step_of.iter().enumerate() {
            steps[step].push(token);
        }
        Self { step_of: step_of.to_vec(), steps, classes, tried: 0 }
    }

    /// Moves each token to its best step. Returns true if any token moved.
    fn round(&mut self) -> bool {
        // Recomputed each round, so that rounding errors do not accumulate.
        let mut before: Vec<Vec<Swept>> = self.classes.iter().map(|class| self.before(class)).collect();
        let mut moved = false;
        for token in 0..self.step_of.len() {
            let from = self.step_of[token];
            if self.steps[from].len() == 1 {
                continue;
            }
            let mut best = (-LEAST_GAIN, from);
            for to in (0..self.steps.len()).filter(|&to| to != from) {
                self.tried += 1;
                let change: f64 = before.iter().map(|before| self.change(before, token, to)).sum();
                if change < best.0 {
                    best = (change, to);
                }
            }
            if best.1 != from {
                for class in &mut before {
                    for swept in &mut class[from.min(best.1) + 1..=from.max(best.1)] {
                        swept.toggle(token);
                    }
                }
                self.steps[from].retain(|&other| other != token);
                self.steps[best.1].push(token);
                self.step_of[token] = best.1;
                moved = true;
            }
        }
        moved
    }

    /// Returns, for each step, the covariance given the tokens of all earlier steps.
    fn before(&self, class: &Symmetric) -> Vec<Swept> {
        let mut swept = Swept::new(class);
        let mut all = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            all.push(swept.clone());
            for &token in step {
                swept.toggle(token);
            }
        }
        all
    }

    /// Returns the change of the loss if a token moves to another step, in nats.
    fn change(&self, before: &[Swept], token: usize, to: usize) -> f64 {
        let from = self.step_of[token];
        let mut ratio = Product::of(before[to].variance(token) / before[from].variance(token));
        let between = from.min(to) + 1..=from.max(to);
        for (swept, step) in before[between.clone()].iter().zip(&self.steps[between]) {
            for &other in step.iter().filter(|&&other| other != token) {
                ratio.times(swept.variance_without_or_with(other, token) / swept.variance(other));
            }
        }
        0.5 * ratio.logarithm()
    }

    /// Returns the partition as a configuration of the order `levels`.
    fn order(&self, grid: Grid) -> Result<AxisConfig, Error> {
        let letter = |&step: &usize| Levels::letter(step);
        let row = |steps: &[usize]| steps.iter().filter_map(letter).collect();
        let rows: Vec<String> = self.step_of.chunks(grid.width() as usize).map(row).collect();
        let order = AxisConfig::new(Levels::KIND).with("rows", rows);
        Registry::builtin().build_order(&order)?;
        Ok(order)
    }
}

/// Logarithm of a product of many positive numbers, with few calls of `log`.
#[derive(Debug)]
struct Product {
    number: f64,
    logarithm: f64,
}

impl Product {
    fn of(number: f64) -> Self {
        Self { number, logarithm: 0.0 }
    }

    fn times(&mut self, factor: f64) {
        self.number *= factor;
        if !(1e-100..1e100).contains(&self.number) {
            self.logarithm += libm::log(self.number);
            self.number = 1.0;
        }
    }

    fn logarithm(&self) -> f64 {
        self.logarithm + libm::log(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::{Field, loss_of_steps};
    use crate::{TokenIndex, TokenSet};

    fn total(grid: Grid, search: &Search) -> f64 {
        let token = |&token: &usize| grid.token(token).unwrap();
        let steps: Vec<Vec<TokenIndex>> = search.steps.iter().map(|step| step.iter().map(token).collect()).collect();
        loss_of_steps(&TokenSet::empty(grid), &steps, &Field::default()).unwrap().total
    }

    #[test]
    fn predicted_changes_equal_those_of_the_loss() {
        let grid = Grid::new(4, 5).unwrap();
        let step_of: Vec<usize> = (0..20).map(|token| token * 7 % 4).collect();
        let classes = covariances(&Field::default(), grid).unwrap();
        let mut search = Search::new(&step_of, 4, classes);
        let before = search.before(&search.classes[0]);
        let whole = total(grid, &search);
        for (token, to) in [(0, 3), (3, 0), (6, 1), (13, 2), (11, 0)] {
            let from = search.step_of[token];
            let expected = {
                let mut moved = search.step_of.clone();
                moved[token] = to;
                total(grid, &Search::new(&moved, 4, Vec::new())) - whole
            };
            let found = search.change(&before, token, to);
            assert!((found - expected).abs() < 1e-10, "{token} from {from} to {to}: {found} {expected}");
        }
        let mut last = whole;
        while search.round() {
            let now = total(grid, &search);
            assert!(now < last);
            last = now;
        }
        assert!(search.tried > 0 && last < 0.9 * whole);
    }
}
