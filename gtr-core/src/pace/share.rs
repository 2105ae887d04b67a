//! Dividing a number of steps among stages.

use super::StageSizes;
use crate::{ArSteps, Error, FitPolicy};

/// Divides `steps` among the stages in proportion to their tokens by the largest-remainder method; ties go to the
/// earlier stage. A stage that would get no step takes one from the stage with the most. Every stage gets at least one step
/// and at most as many as it has tokens.
///
/// # Errors
/// [`Error::DoesNotFit`] from [`FitPolicy::instead`] if there are more steps than tokens, or fewer than stages; a lenient
/// policy adapts the number of steps instead.
///
/// # Examples
/// ```
/// use gtr_core::pace::{StageSize, StageSizes, among_stages};
/// use gtr_core::{ArSteps, AxisName, FitPolicy};
/// let stages = [64, 64, 128].into_iter().enumerate().map(|(number, tokens)| StageSize { number, tokens });
/// let sizes = StageSizes { asked: 3, stages: stages.collect() };
/// assert_eq!(among_stages(ArSteps::new(16)?, &sizes, &mut FitPolicy::strict(AxisName::Pace))?, [4, 4, 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn among_stages(steps: ArSteps, stages: &StageSizes, fit: &mut FitPolicy) -> Result<Vec<usize>, Error> {
    let (tokens, least) = (stages.tokens(), stages.stages.len());
    let mut steps = steps.get();
    if steps > tokens {
        fit.instead(format!("{steps} steps exceed the {tokens} tokens of the grid"), &format!("using {tokens}"))?;
        steps = tokens;
    }
    if steps < least {
        fit.instead(
            format!("{} cannot fill the {least} stages", crate::count(steps, "step")),
            &format!("using {least}"),
        )?;
        steps = least;
    }
    let mut shares: Vec<usize> = stages.stages.iter().map(|stage| steps * stage.tokens / tokens).collect();
    let mut by_remainder: Vec<usize> = (0..least).collect();
    by_remainder.sort_by_key(|&stage| std::cmp::Reverse(steps * stages.stages[stage].tokens % tokens));
    let left = steps - shares.iter().sum::<usize>();
    for &stage in by_remainder.iter().take(left) {
        shares[stage] += 1;
    }
    while let Some(empty) = shares.iter().position(|&share| share == 0) {
        // The largest share is two or more, because `steps` is at least the number of stages.
        if let Some(largest) = (0..least).max_by_key(|&stage| shares[stage]) {
            shares[largest] -= 1;
            shares[empty] += 1;
        }
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::StageSize;

    fn shares(steps: u32, tokens: &[usize]) -> Vec<usize> {
        let stages = tokens.iter().enumerate().map(|(number, &tokens)| StageSize { number, tokens }).collect();
        let stages = StageSizes { asked: tokens.len(), stages };
        among_stages(ArSteps::new(steps).unwrap(), &stages, &mut FitPolicy::strict(crate::AxisName::Pace)).unwrap()
    }

    #[test]
    fn shares_are_proportional() {
        assert_eq!(shares(16, &[64, 64, 128]), [4, 4, 8]);
        assert_eq!(shares(10, &[64, 64, 128]), [3, 2, 5]);
        assert_eq!(shares(7, &[100]), [7]);
    }

    #[test]
    fn no_stage_gets_more_steps_than_tokens() {
        for tokens in [[1, 1, 254], [1, 2, 3], [5, 1, 1], [2, 2, 2], [7, 3, 90]] {
            for steps in 3..=tokens.iter().sum::<usize>() {
                let shares = shares(u32::try_from(steps).unwrap(), &tokens);
                assert_eq!(shares.iter().sum::<usize>(), steps);
                assert!(shares.iter().zip(tokens).all(|(&share, tokens)| (1..=tokens).contains(&share)), "{shares:?}");
            }
        }
    }

    #[test]
    fn every_stage_gets_a_step() {
        assert_eq!(shares(4, &[1, 1, 254]), [1, 1, 2]);
        assert_eq!(shares(3, &[1, 1, 254]), [1, 1, 1]);
    }
}
