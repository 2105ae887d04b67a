//! DPM-Solver++.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LinearUpdate, NoiseLevel, Solver, Update};
use crate::Component;

/// DPM-Solver++ (2M): second-order multistep steps on the predicted clean value. Deterministic.
///
/// The first and the last step are of first order: the first has no earlier prediction, and the log signal-to-noise ratio
/// at the end of the last is infinite. The step to the lowest timestep is long in this ratio, where second order is unstable
/// with few steps, so it is of first order, too, unless `second_order_end` is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Dpm {
    /// Order of the steps between the first and the last, 1 or 2. Order 1 is the solver `ddim`.
    pub order: DpmOrder,
    /// Whether the step to the lowest timestep has the order `order`, too, as in the published code.
    pub second_order_end: bool,
}

/// Order of a multistep solver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schemars(with = "u8", extend("minimum" = 1, "maximum" = 2))]
pub enum DpmOrder {
    /// First order.
    First,
    /// Second order.
    #[default]
    Second,
}

impl TryFrom<u8> for DpmOrder {
    type Error = String;

    fn try_from(order: u8) -> Result<Self, String> {
        match order {
            1 => Ok(Self::First),
            2 => Ok(Self::Second),
            _ => Err(format!("an order must be 1 or 2, not {order}")),
        }
    }
}

impl From<DpmOrder> for u8 {
    fn from(order: DpmOrder) -> Self {
        match order {
            DpmOrder::First => 1,
            DpmOrder::Second => 2,
        }
    }
}

impl Component for Dpm {
    const KIND: &'static str = "dpm-solver++";
    const SOURCE: &'static str =
        "DPM-Solver++ (arXiv 2211.01095), algorithm 2; the order of the step to the lowest timestep is ours";

    fn examples() -> Vec<(&'static str, Self)> {
        let published = Self { second_order_end: true, ..Self::default() };
        vec![("default", Self::default()), ("published", published)]
    }
}

impl Solver for Dpm {
    fn update(&self, levels: &[NoiseLevel], evaluation: usize) -> Update {
        let (now, next) = (levels[evaluation], levels[evaluation + 1]);
        if next.noise == 0.0 {
            return Update::Linear(LinearUpdate { x0: next.signal, ..LinearUpdate::default() });
        }
        let step = next.log_ratio() - now.log_ratio();
        let gain = -next.signal * libm::expm1(-step);
        let ends = evaluation + 3 >= levels.len() && !self.second_order_end;
        let second = self.order == DpmOrder::Second && !ends;
        let before = second.then(|| evaluation.checked_sub(1)).flatten();
        // Half of the ratio of this step to the one before, both in log signal-to-noise.
        let slope = before.map_or(0.0, |before| 0.5 * step / (now.log_ratio() - levels[before].log_ratio()));
        Update::Linear(LinearUpdate {
            x: next.noise / now.noise,
            x0: gain * (1.0 + slope),
            previous_x0: -gain * slope,
            noise: 0.0,
        })
    }

    fn adds_noise(&self) -> bool {
        false
    }
}
