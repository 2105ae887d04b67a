//! Pace by generation rate, or by number of steps, per stage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Pace, StageSizes, even};
use crate::{ArSteps, Component, Error, FitPolicy, Rate, count};

/// Generation rate, or number of steps, set separately for each stage.
///
/// A stage of n tokens at rate r takes round(n / r) steps, clamped to 1..n. The sizes of its steps differ by at most
/// one. Set either `rates` or `steps`, with one value per stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Mean number of tokens per AR step for each stage, first to last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Vec<Rate>>,
    /// Number of AR steps for each stage, first to last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<ArSteps>>,
}

impl Default for Rates {
    fn default() -> Self {
        Self { rates: Some([2.67, 10.67, 64.0].map(Rate::literal).to_vec()), steps: None }
    }
}

impl Component for Rates {
    const KIND: &'static str = "rates";
    const SOURCE: &'static str = "GtR (arXiv 2510.17171), section 4.1; the step sizes within a stage are ours";

    fn check(&self) -> Result<(), String> {
        match (&self.rates, &self.steps) {
            (Some(_), Some(_)) => Err("`rates` and `steps` are mutually exclusive".to_owned()),
            (None, None) => Err("missing `rates` or `steps`, with one value per stage".to_owned()),
            (Some(rates), None) if rates.is_empty() => Err("`rates` is empty; expected one value per stage".to_owned()),
            (None, Some(steps)) if steps.is_empty() => Err("`steps` is empty; expected one value per stage".to_owned()),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<(&'static str, Self)> {
        let steps = |steps: &[u32]| steps.iter().filter_map(|&steps| ArSteps::new(steps).ok()).collect();
        vec![("default", Self::default()), ("steps", Self { rates: None, steps: Some(steps(&[12, 3, 1])) })]
    }
}

impl Pace for Rates {
    fn steps(&self, stages: &StageSizes, fit: &mut FitPolicy) -> Result<Vec<Vec<usize>>, Error> {
        let counts = match (&self.rates, &self.steps) {
            (Some(rates), _) => {
                let rates = for_stages("rates", rates, stages, fit)?;
                stages.stages.iter().map(|stage| steps_at_rate(stage.tokens, rates[stage.number])).collect()
            }
            (None, steps) => given_steps(steps.as_deref().unwrap_or_default(), stages, fit)?,
        };
        Ok(stages.stages.iter().zip(counts).map(|(stage, steps)| even(stage.tokens, steps)).collect())
    }
}

/// Returns round(n / r), half away from zero, clamped to 1..=n.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to the tokens of the grid"
)]
fn steps_at_rate(tokens: usize, rate: Rate) -> usize {
    ((tokens as f64 / rate.get()).round() as usize).clamp(1, tokens)
}

fn given_steps(steps: &[ArSteps], stages: &StageSizes, fit: &mut FitPolicy) -> Result<Vec<usize>, Error> {
    let steps = for_stages("steps", steps, stages, fit)?;
    let empty = stages.asked - stages.stages.len();
    if empty > 0 {
        fit.instead(
            format!(
                "`steps` has values for {}, but the grid leaves {empty} of them empty",
                count(stages.asked, "stage")
            ),
            "the steps of the empty stages are dropped",
        )?;
    }
    let mut counts = Vec::with_capacity(stages.stages.len());
    for stage in &stages.stages {
        let (steps, tokens) = (steps[stage.number].get(), stage.tokens);
        if steps > tokens {
            let what = format!("stage {} has {}, too few for {steps} steps", stage.number + 1, count(tokens, "token"));
            fit.instead(what, &format!("using {tokens}"))?;
        }
        counts.push(steps.min(tokens));
    }
    Ok(counts)
}

fn for_stages<T: Copy>(what: &str, values: &[T], stages: &StageSizes, fit: &mut FitPolicy) -> Result<Vec<T>, Error> {
    let (given, asked) = (values.len(), stages.asked);
    if given != asked {
        fit.instead(
            format!("`{what}` has {} for {}", count(given, "value"), count(asked, "stage")),
            "the last two stages use the last two values, all others the first",
        )?;
    }
    Ok(per_stage(values, asked))
}

/// Adapts per-stage values to another number of stages: the last two stages use the last two values, all earlier stages
/// the first value. Returns the values unchanged if the counts agree.
///
/// # Examples
/// ```
/// use gtr_core::pace::per_stage;
/// assert_eq!(per_stage(&[2.67, 10.67, 64.0], 5), [2.67, 2.67, 2.67, 10.67, 64.0]);
/// assert_eq!(per_stage(&[2.67, 10.67, 64.0], 2), [10.67, 64.0]);
/// ```
///
/// # Panics
/// Panics if `values` is empty.
pub fn per_stage<T: Copy>(values: &[T], stages: usize) -> Vec<T> {
    (0..stages)
        .map(|stage| match stages - stage {
            from_last @ 1..=2 if from_last <= values.len() => values[values.len() - from_last],
            _ if values.len() == stages => values[stage],
            _ => values[0],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AxisName;
    use crate::pace::StageSize;

    fn sizes(tokens: &[usize]) -> StageSizes {
        let stages = tokens.iter().enumerate().filter(|(_, tokens)| **tokens > 0);
        StageSizes {
            asked: tokens.len(),
            stages: stages.map(|(number, &tokens)| StageSize { number, tokens }).collect(),
        }
    }

    fn counts(pace: &Rates, tokens: &[usize], fit: &mut FitPolicy) -> Result<Vec<usize>, Error> {
        Ok(pace.steps(&sizes(tokens), fit)?.iter().map(Vec::len).collect())
    }

    fn by_steps(steps: &[u32]) -> Rates {
        Rates { rates: None, steps: Some(steps.iter().map(|&steps| ArSteps::new(steps).unwrap()).collect()) }
    }

    #[test]
    fn the_published_rates_give_24_6_and_2_steps() {
        let mut fit = FitPolicy::strict(AxisName::Pace);
        assert_eq!(counts(&Rates::default(), &[64, 64, 128], &mut fit), Ok(vec![24, 6, 2]));
    }

    #[test]
    fn empty_stages_skip_their_rate() {
        let mut fit = FitPolicy::strict(AxisName::Pace);
        assert_eq!(counts(&Rates::default(), &[1, 0, 1], &mut fit), Ok(vec![1, 1]));
        assert_eq!(counts(&Rates::default(), &[64, 0, 128], &mut fit), Ok(vec![24, 2]));
    }

    #[test]
    fn steps_beyond_the_tokens_are_refused_or_lowered() {
        let error = counts(&by_steps(&[9, 1]), &[8, 8], &mut FitPolicy::strict(AxisName::Pace)).unwrap_err();
        assert_eq!(error.to_string(), "pace: stage 1 has 8 tokens, too few for 9 steps");
        let mut fit = FitPolicy::lenient(AxisName::Pace);
        assert_eq!(counts(&by_steps(&[9, 1]), &[8, 8], &mut fit), Ok(vec![8, 1]));
        assert_eq!(fit.into_notes(), ["pace: stage 1 has 8 tokens, too few for 9 steps; using 8"]);
        let error = counts(&by_steps(&[2, 1]), &[1, 8], &mut FitPolicy::strict(AxisName::Pace)).unwrap_err();
        assert_eq!(error.to_string(), "pace: stage 1 has 1 token, too few for 2 steps");
        assert!(counts(&by_steps(&[1, 1, 1]), &[1, 0, 0], &mut FitPolicy::strict(AxisName::Pace)).is_err());
    }

    #[test]
    fn one_value_per_stage() {
        let error = counts(&by_steps(&[4]), &[8, 8], &mut FitPolicy::strict(AxisName::Pace)).unwrap_err();
        assert_eq!(error.to_string(), "pace: `steps` has 1 value for 2 stages");
        assert_eq!(per_stage(&[12, 3, 1], 1), [1]);
        assert_eq!(per_stage(&[12, 3, 1], 3), [12, 3, 1]);
        assert_eq!(per_stage(&[16, 32, 128, 256], 4), [16, 32, 128, 256]);
        assert_eq!(per_stage(&[5], 3), [5, 5, 5]);
    }
}
