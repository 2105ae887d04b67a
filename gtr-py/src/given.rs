//! An order and a pace with precomputed results: the output of a scheduler written in Python.
//!
//! Planning treats them like any other implementation. The plan then records the name of the Python scheduler. Outside of
//! the process that registered it, this name is an unknown kind.

use gtr_core::pace::StageSizes;
use gtr_core::{AxisName, Component, Error, FitPolicy, Grid, Order, Pace, Partition, StageOrder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An order with precomputed stages.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenOrder {
    /// The tokens of each stage.
    pub(crate) stages: Vec<Vec<u64>>,
    /// Order of the tokens within a stage; the listed order if absent.
    pub(crate) within: Option<StageOrder>,
    /// True if the last stage is a reconstruction.
    pub(crate) reconstructs: bool,
}

impl Component for GivenOrder {
    const KIND: &'static str = "given-order";
    const SOURCE: &'static str = "gtr-py";
}

impl Order for GivenOrder {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        let token = |&token: &u64| grid.token(usize::try_from(token).unwrap_or(usize::MAX));
        let stage = |stage: &Vec<u64>| stage.iter().map(token).collect::<Result<Vec<_>, _>>();
        Partition::new(grid, self.stages.iter().map(stage).collect::<Result<_, _>>()?)
    }

    fn reconstructs(&self) -> bool {
        self.reconstructs
    }

    fn within(&self) -> StageOrder {
        self.within.unwrap_or(StageOrder::Listed)
    }
}

/// A pace with precomputed steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenPace {
    /// Token counts of the steps, one list per stage.
    pub(crate) steps: Vec<Vec<u64>>,
}

impl Component for GivenPace {
    const KIND: &'static str = "given-pace";
    const SOURCE: &'static str = "gtr-py";
}

impl Pace for GivenPace {
    fn steps(&self, stages: &StageSizes, _fit: &mut FitPolicy) -> Result<Vec<Vec<usize>>, Error> {
        let refused = |message: String| Error::DoesNotFit { axis: AxisName::Pace, message };
        let (found, wanted) = (self.steps.len(), stages.stages.len());
        if found != wanted {
            return Err(refused(format!(
                "the pace has steps for {}, expected one list for each of {wanted}",
                gtr_core::count(found, "stage")
            )));
        }
        let counts = self.steps.iter().zip(&stages.stages).map(|(steps, stage)| {
            let (number, tokens) = (stage.number + 1, stage.tokens);
            let counts: Vec<usize> = steps.iter().map(|&count| usize::try_from(count).unwrap_or(usize::MAX)).collect();
            if counts.contains(&0) {
                return Err(refused(format!(
                    "a step of stage {number} generates no token, every step needs at least one"
                )));
            }
            match counts.iter().try_fold(0_usize, |sum, &count| sum.checked_add(count)) {
                Some(sum) if sum == tokens => Ok(counts),
                _ => {
                    let tokens = gtr_core::count(tokens, "token");
                    Err(refused(format!("the steps of stage {number} do not add up to its {tokens}")))
                }
            }
        });
        counts.collect()
    }
}
