//! Strategies for the parameters of the implementations of this crate.

use proptest::prelude::*;

use crate::detail::{Fts, Full, LowFrequency, TokenSelection};
use crate::diffusion::{Annealing, Constant, Disa, StageAware};
use crate::guidance::{Inside, Interval};
use crate::order::{Bisection, Block, Cut, Levels, Parity, Ranked, Stages};
use crate::pace::{Cosine, Rates, Uniform};
use crate::reuse::{Keep, LazyMar};
use crate::solver::{Ddim, Dpm, DpmOrder};
use crate::{
    AnyEntry, ArSteps, AxisConfig, AxisName, Component, DiffusionSteps, Fraction, Rate, StageOrder, cooling, detail,
    guidance,
};

/// Strategy for configurations of an entry: all valid parameters for implementations of this crate, and the examples
/// for all others.
///
/// If the examples are not enough, pass your own strategy to [`schedules_with`](super::schedules_with).
pub fn configs(entry: impl Into<AnyEntry>) -> BoxedStrategy<AxisConfig> {
    let entry = entry.into();
    let own =
        STRATEGIES.iter().find(|it| (it.axis, it.kind, it.source) == (entry.axis(), entry.kind(), entry.source()));
    if let Some(own) = own {
        return (own.strategy)();
    }
    let examples: Vec<AxisConfig> = entry.examples().into_iter().map(|(_, example)| example).collect();
    prop::sample::select(examples).boxed()
}

/// An implementation with a strategy for its valid parameters.
trait Arbitrary: Component {
    fn arbitrary() -> BoxedStrategy<Self>;
}

/// Type-erased strategy of an implementation.
struct Configs {
    axis: AxisName,
    kind: &'static str,
    source: &'static str,
    strategy: fn() -> BoxedStrategy<AxisConfig>,
}

const fn of<T: Arbitrary>(axis: AxisName) -> Configs {
    Configs { axis, kind: T::KIND, source: T::SOURCE, strategy: || T::arbitrary().prop_map(AxisConfig::from).boxed() }
}

/// One line per implementation that has parameters.
const STRATEGIES: &[Configs] = &[
    of::<Bisection>(AxisName::Order),
    of::<Block>(AxisName::Order),
    of::<Levels>(AxisName::Order),
    of::<Ranked>(AxisName::Order),
    of::<Cosine>(AxisName::Pace),
    of::<Rates>(AxisName::Pace),
    of::<Uniform>(AxisName::Pace),
    of::<Constant>(AxisName::Diffusion),
    of::<Disa>(AxisName::Diffusion),
    of::<StageAware>(AxisName::Diffusion),
    of::<Fts>(AxisName::Detail),
    of::<Full>(AxisName::Detail),
    of::<LowFrequency>(AxisName::Detail),
    of::<detail::Random>(AxisName::Detail),
    of::<guidance::Cosine>(AxisName::Guidance),
    of::<Interval>(AxisName::Guidance),
    of::<Ddim>(AxisName::Solver),
    of::<Dpm>(AxisName::Solver),
    of::<LazyMar>(AxisName::Reuse),
    of::<cooling::Linear>(AxisName::Cooling),
];

impl Arbitrary for Bisection {
    fn arbitrary() -> BoxedStrategy<Self> {
        let cut = prop_oneof![Just(Cut::Diagonal), Just(Cut::Quincunx)];
        let within = prop_oneof![Just(StageOrder::Random), Just(StageOrder::Farthest), Just(StageOrder::Lattice)];
        let first = prop_oneof![Just(Parity::Even), Just(Parity::Odd)];
        (cut, stages(), within, first)
            .prop_map(|(cut, stages, within, first)| Self { cut, stages, within, first })
            .boxed()
    }
}

impl Arbitrary for Block {
    fn arbitrary() -> BoxedStrategy<Self> {
        let within = prop_oneof![Just(StageOrder::Random), Just(StageOrder::Farthest), Just(StageOrder::Lattice)];
        (stages(), within).prop_map(|(stages, within)| Self { stages, within }).boxed()
    }
}

impl Arbitrary for Levels {
    fn arbitrary() -> BoxedStrategy<Self> {
        let within = prop_oneof![Just(StageOrder::Random), Just(StageOrder::Farthest), Just(StageOrder::Lattice)];
        let cells = (1..5usize, 1..5usize)
            .prop_flat_map(|(height, width)| (prop::collection::vec(0..4usize, height * width), Just(width)));
        (cells, within)
            .prop_map(|((cells, width), within)| {
                let mut used = cells.clone();
                used.sort_unstable();
                used.dedup();
                let letter = |stage: &usize| used.binary_search(stage).ok().and_then(Self::letter);
                let rows = cells.chunks(width).map(|row| row.iter().filter_map(letter).collect()).collect();
                Self { rows, within }
            })
            .boxed()
    }
}

impl Arbitrary for Ranked {
    fn arbitrary() -> BoxedStrategy<Self> {
        prop_oneof![Just(0.0), 0.0..=100.0f64].prop_map(|choice_temperature| Self { choice_temperature }).boxed()
    }
}

impl Arbitrary for Cosine {
    fn arbitrary() -> BoxedStrategy<Self> {
        (1..100u32).prop_map(|steps| Self { steps: ArSteps::literal(steps) }).boxed()
    }
}

impl Arbitrary for Rates {
    fn arbitrary() -> BoxedStrategy<Self> {
        let rates = prop::collection::vec((0.2..300.0f64).prop_map(Rate::literal), 1..6);
        let steps = prop::collection::vec((1..80u32).prop_map(ArSteps::literal), 1..6);
        prop_oneof![
            rates.prop_map(|rates| Self { rates: Some(rates), steps: None }),
            steps.prop_map(|steps| Self { rates: None, steps: Some(steps) }),
        ]
        .boxed()
    }
}

impl Arbitrary for Uniform {
    fn arbitrary() -> BoxedStrategy<Self> {
        (1..100u32).prop_map(|steps| Self { steps: ArSteps::literal(steps) }).boxed()
    }
}

impl Arbitrary for Constant {
    fn arbitrary() -> BoxedStrategy<Self> {
        (1..=500u32).prop_map(|t| Self { t: DiffusionSteps::literal(t) }).boxed()
    }
}

impl Arbitrary for Disa {
    fn arbitrary() -> BoxedStrategy<Self> {
        let strategies = [Annealing::Linear, Annealing::Cosine, Annealing::TwoStage, Annealing::Constant];
        (prop::sample::select(strategies.to_vec()), 1..=500u32, 1..=500u32)
            .prop_map(|(strategy, a, b)| {
                let [t_max, t_min] = [a.max(b), a.min(b)].map(DiffusionSteps::literal);
                Self { strategy, t_max, t_min }
            })
            .boxed()
    }
}

impl Arbitrary for StageAware {
    fn arbitrary() -> BoxedStrategy<Self> {
        (1..=500u32, 1..=500u32, 1..=500u32)
            .prop_map(|(a, b, t_rec)| {
                let [t_max, t_min, t_rec] = [a.max(b), a.min(b), t_rec].map(DiffusionSteps::literal);
                Self { t_max, t_min, t_rec }
            })
            .boxed()
    }
}

impl Arbitrary for Fts {
    fn arbitrary() -> BoxedStrategy<Self> {
        selections().prop_map(Self).boxed()
    }
}

impl Arbitrary for Full {
    fn arbitrary() -> BoxedStrategy<Self> {
        (1..=500u32).prop_map(|t| Self { t_detail: DiffusionSteps::literal(t) }).boxed()
    }
}

impl Arbitrary for LowFrequency {
    fn arbitrary() -> BoxedStrategy<Self> {
        selections().prop_map(Self).boxed()
    }
}

impl Arbitrary for detail::Random {
    fn arbitrary() -> BoxedStrategy<Self> {
        selections().prop_map(Self).boxed()
    }
}

impl Arbitrary for guidance::Cosine {
    fn arbitrary() -> BoxedStrategy<Self> {
        (0.01..=100.0f64).prop_map(|power| Self { power }).boxed()
    }
}

impl Arbitrary for Interval {
    fn arbitrary() -> BoxedStrategy<Self> {
        let inside = prop_oneof![Just(Inside::Constant), Just(Inside::Linear)];
        (0.0..=1.0f64, 0.0..=1.0f64, inside)
            .prop_filter_map("is not empty", |(a, b, inside)| {
                let [guided_from, guided_to] = [a.min(b), a.max(b)].map(Fraction::literal);
                (guided_from < guided_to).then_some(Self { guided_from, guided_to, inside })
            })
            .boxed()
    }
}

impl Arbitrary for cooling::Linear {
    fn arbitrary() -> BoxedStrategy<Self> {
        (0.0..=1.0f64, 0.0..=1.0f64)
            .prop_map(|(start, end)| Self {
                cooling_start: Fraction::literal(start),
                cooling_end: Fraction::literal(end),
            })
            .boxed()
    }
}

impl Arbitrary for Ddim {
    fn arbitrary() -> BoxedStrategy<Self> {
        (0.0..=1.0f64).prop_map(|eta| Self { eta: Fraction::literal(eta) }).boxed()
    }
}

impl Arbitrary for Dpm {
    fn arbitrary() -> BoxedStrategy<Self> {
        (prop_oneof![Just(DpmOrder::First), Just(DpmOrder::Second)], any::<bool>())
            .prop_map(|(order, second_order_end)| Self { order, second_order_end })
            .boxed()
    }
}

impl Arbitrary for LazyMar {
    fn arbitrary() -> BoxedStrategy<Self> {
        let keep = prop_oneof![Just(Keep::All), Just(Keep::Published), Just(Keep::Stretched)];
        let sizes = (0..8u32, 1..12u32, 0..6u32, 0..40u32, 1..20u32, 0.0..=1.0f64);
        (sizes, any::<[bool; 3]>(), keep)
            .prop_map(|((start, period, block, slack, head_period, warm), parts, keep)| Self {
                complete_steps: start,
                refresh_period: ArSteps::literal(period),
                reuse_encoder: parts[0],
                decoder_keep: keep,
                decoder_block: block,
                decoder_slack: slack,
                reuse_guidance: parts[1],
                reuse_head: parts[2],
                head_period: DiffusionSteps::literal(head_period),
                head_warm: Fraction::literal(warm),
            })
            .boxed()
    }
}

/// Small numbers of stages, because most stages of a larger number are empty on the grids of the tests.
fn stages() -> impl Strategy<Value = Stages> {
    (1..8u32).prop_filter_map("is possible", |stages| Stages::new(stages).ok())
}

/// Shares of tokens and their diffusion steps.
fn selections() -> impl Strategy<Value = TokenSelection> {
    (0.0..=1.0f64, 1..=500u32)
        .prop_map(|(beta, t)| TokenSelection { beta: Fraction::literal(beta), t_detail: DiffusionSteps::literal(t) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    /// An implementation without a strategy is tested only on its examples.
    #[test]
    fn every_implementation_with_parameters_has_a_strategy() {
        for it in Registry::builtin().describe() {
            let has = STRATEGIES.iter().any(|own| (own.axis, own.kind) == (it.axis, it.kind));
            assert_eq!(has, !it.parameters.is_empty(), "{} `{}`", it.axis, it.kind);
        }
    }
}
