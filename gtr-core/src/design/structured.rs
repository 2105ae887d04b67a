//! Search for the bisection with the lowest loss.

use std::cmp::Reverse;

use super::family::Searched;
use super::sharing::Sharing;
use super::{Design, Family, Goal, Problem, ar_steps};
use crate::loss::{default_images, mean_loss};
use crate::{Error, Registry};

/// Number of families whose losses are averaged over more images in the final comparison.
const FINALISTS: usize = 4;

/// Relative difference of losses below which they are considered equal.
const TIE: f64 = 1e-9;

/// Returns the schedule with the lowest loss among all recursive bisections.
///
/// Every family is searched on [`Problem::images`] images. The best families are averaged again over at least
/// [`default_images`] images, and the one with the lowest loss is the result.
///
/// # Errors
/// [`Error::Field`] as for [`loss`](crate::loss::loss()). [`Error::Design`] if the goal is out of range or cannot be
/// met on this grid.
///
/// # Examples
/// ```
/// use gtr_core::design::{Goal, Problem, structured};
/// use gtr_core::loss::Field;
/// use gtr_core::{ArSteps, Grid};
/// let problem = Problem { images: 4, ..Problem::new(Grid::new(8, 8)?, Field::default()) };
/// let design = structured(&problem, Goal::ArSteps(ArSteps::new(5)?))?;
/// assert_eq!(design.ar_steps.get(), 5);
/// let fewest = structured(&problem, Goal::Loss(design.loss.mean.total))?;
/// assert!(fewest.ar_steps <= design.ar_steps);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn structured(problem: &Problem, goal: Goal) -> Result<Design, Error> {
    let tokens = problem.grid.tokens();
    if problem.images < 2 {
        return Err(Error::Design(format!("the mean over images needs at least 2 images, not {}", problem.images)));
    }
    if let Goal::ArSteps(steps) = goal
        && steps.get() > tokens
    {
        return Err(Error::Design(format!(
            "{steps} AR steps exceed the {tokens} tokens of a grid of {}",
            problem.grid
        )));
    }
    if let Goal::Loss(nats) = goal
        && !(nats.is_finite() && nats >= 0.0)
    {
        return Err(Error::Design(format!("a loss must be 0 nats or more, not {nats}")));
    }
    let families = problem.families()?;
    match goal {
        Goal::ArSteps(steps) => {
            let shared = share(&families, steps.get());
            best(problem, &families, &shared, steps.get())?.ok_or_else(|| {
                let steps = crate::count(steps.get(), "AR step");
                Error::Design(format!("no bisection of a grid of {} has {steps}", problem.grid))
            })
        }
        Goal::Loss(nats) => fewest(problem, &families, nats),
    }
}

/// Returns, for each family, the optimal divisions of up to `most` steps.
fn share(families: &[Searched], most: usize) -> Vec<Sharing> {
    let of = |family: &Searched| {
        let losses: Vec<Vec<f64>> = family
            .stages
            .iter()
            .map(|runs| (1..=runs.tokens().min(most)).map(|steps| runs.in_steps(steps)).collect())
            .collect();
        Sharing::new(&losses, most)
    };
    families.iter().map(of).collect()
}

/// Returns the design with the lowest loss in `steps` steps, or `None` if no family has that many steps.
fn best(problem: &Problem, families: &[Searched], shared: &[Sharing], steps: usize) -> Result<Option<Design>, Error> {
    let mut ranked: Vec<Family> = families
        .iter()
        .zip(shared)
        .filter_map(|(family, sharing)| {
            let loss = sharing.loss(steps)?;
            Some(Family { order: family.order.clone(), steps: sharing.shares(steps), loss })
        })
        .collect();
    rank(&mut ranked, |family| family);
    let images = problem.images.max(default_images(problem.grid, &problem.field));
    let finalists = ranked.len().min(FINALISTS);
    let mut averaged = Vec::with_capacity(finalists);
    for mut family in ranked.drain(..finalists) {
        let plan = problem.schedule(&family.order, &family.steps)?.plan(problem.grid, &Registry::builtin())?.plan;
        let loss = mean_loss(&plan, problem.seed, images, &problem.field)?;
        family.loss = loss.mean.total;
        averaged.push((family, plan, loss));
    }
    rank(&mut averaged, |(family, ..)| family);
    let Some((_, plan, loss)) = averaged.first() else { return Ok(None) };
    let (schedule, ar_steps, loss) = (plan.schedule().clone(), ar_steps(plan.steps().len())?, loss.clone());
    let candidates = shared.iter().fold(0_u64, |sum, sharing| sum.saturating_add(sharing.ways(steps)));
    let families = averaged.into_iter().map(|(family, ..)| family).chain(ranked).collect();
    Ok(Some(Design { schedule, ar_steps, loss, field: problem.field.to_string(), candidates, families }))
}

/// Sorts by loss. Different families may sample the same tokens in parallel; among such ties, the family with more
/// stages comes first because it describes the partition in more detail.
fn rank<T>(all: &mut [T], family: impl Fn(&T) -> &Family) {
    all.sort_by(|a, b| family(a).loss.total_cmp(&family(b).loss));
    if let Some(least) = all.first().map(|best| family(best).loss) {
        let ties = all.iter().take_while(|other| family(other).loss <= least * (1.0 + TIE)).count();
        all[..ties].sort_by_key(|tie| Reverse(family(tie).steps.len()));
    }
}

/// Returns the design with the fewest steps and a loss of at most `nats`.
fn fewest(problem: &Problem, families: &[Searched], nats: f64) -> Result<Design, Error> {
    let tokens = problem.grid.tokens();
    let mut steps = 1;
    let mut most = 16.min(tokens);
    loop {
        let shared = share(families, most);
        while steps <= most {
            // The loss over more images may be a little lower than the one found by the search.
            let hopeful = |sharing: &Sharing| sharing.loss(steps).is_some_and(|loss| loss <= 1.2 * nats);
            if shared.iter().any(hopeful)
                && let Some(design) = best(problem, families, &shared, steps)?
                && design.loss.mean.total <= nats
            {
                return Ok(design);
            }
            steps += 1;
        }
        if most == tokens {
            return Err(Error::Design(format!(
                "no bisection of a grid of {} has a loss of at most {nats} nats",
                problem.grid
            )));
        }
        most = (2 * most).min(tokens);
    }
}
