//! Search space: drafts of schedules.

use std::cmp::Ordering;

use gtr_core::detail::{self, Fts, TokenSelection};
use gtr_core::diffusion::StageAware;
use gtr_core::order::{Bisection, Parity, Stages};
use gtr_core::pace::Rates;
use gtr_core::{ArSteps, AxisName, DiffusionSteps, Fraction, Schedule, StageOrder, Stream, order};
use serde_json::Value;

use super::one_of::one_of;
use super::optional_axes::{Choices, OptionalAxes};

/// Parameters of a schedule of *Generation then Reconstruction*, or of a cascade, except the number of AR steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    /// Cut between the stages.
    pub(super) cut: Cut,
    /// Shares of the AR steps, one per stage.
    pub(super) shares: Vec<u64>,
    /// Diffusion steps of the first generation step.
    pub(super) t_max: u64,
    /// Diffusion steps of the last generation step.
    pub(super) t_min: u64,
    /// Diffusion steps of the reconstruction.
    pub(super) t_rec: u64,
    /// Share of the reconstructed tokens that get more diffusion steps, in percent.
    pub(super) beta: u64,
    /// Choices on the optional axes.
    pub(super) axes: Choices,
}

/// Cut between stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The published cut: few stages, most of the steps in the first.
    Diagonal,
    /// A cascade: levels from coarse to fine, most of the steps in the last.
    Quincunx,
}

impl From<Cut> for order::Cut {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Diagonal => Self::Diagonal,
            Cut::Quincunx => Self::Quincunx,
        }
    }
}

/// Numbers of stages of a new draft.
const STAGES: [u64; 4] = [2, 3, 4, 5];
/// Numbers of levels of a new cascade.
const LEVELS: [u64; 6] = [3, 4, 5, 6, 7, 8];
/// Ladders of shares, diffusion steps and percentages. Neighbouring rungs differ by an amount that may matter.
const SHARES: [u64; 11] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48];
const DIFFUSION: [u64; 15] = [4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100];
const BETA: [u64; 6] = [0, 5, 10, 20, 30, 50];
/// Diffusion steps of the tokens that get more, as in the presets.
const T_DETAIL: u64 = 50;

impl Draft {
    /// Returns the known schedules near which others are drawn: `gtr-16`, `gtr-8`, `gtr-lightgen`, a cascade with one step per
    /// level, and one with more steps in the last levels.
    pub(super) fn known() -> Vec<Self> {
        let known = |shares: &[u64]| Self {
            cut: Cut::Diagonal,
            shares: shares.to_vec(),
            t_max: 50,
            t_min: 20,
            t_rec: 20,
            beta: 10,
            axes: Choices::default(),
        };
        let cascade = |shares: &[u64]| Self { cut: Cut::Quincunx, t_max: 20, beta: 0, ..known(shares) };
        vec![
            known(&[12, 3, 1]),
            known(&[6, 1, 1]),
            known(&[8, 4, 2, 2]),
            cascade(&[1, 1, 1, 1, 1]),
            cascade(&[1, 1, 1, 1, 2, 2]),
        ]
    }

    /// Draws a draft: with probability 1/2 from the whole space, else near a known one.
    pub(super) fn draw(stream: &mut Stream, known: &[Self], axes: &OptionalAxes) -> Self {
        if known.is_empty() || stream.below(2) == 0 {
            Self::anywhere(stream, axes)
        } else {
            one_of(stream, known).beside(stream, axes)
        }
    }

    /// Draws a draft from the whole space.
    fn anywhere(stream: &mut Stream, axes: &OptionalAxes) -> Self {
        let cut = one_of(stream, &[Cut::Diagonal, Cut::Quincunx]);
        let stages = match cut {
            Cut::Diagonal => one_of(stream, &STAGES),
            Cut::Quincunx => one_of(stream, &LEVELS),
        };
        let mut shares: Vec<u64> = (0..stages).map(|_| one_of(stream, &SHARES)).collect();
        match cut {
            // Later stages know more and need fewer steps: shares fall.
            Cut::Diagonal => shares.sort_unstable_by(|a, b| b.cmp(a)),
            // Later levels have more tokens: shares grow.
            Cut::Quincunx => shares.sort_unstable(),
        }
        let [t_max, t_min, t_rec] = [(); 3].map(|()| one_of(stream, &DIFFUSION));
        let beta = one_of(stream, &BETA);
        Self { cut, shares, t_max, t_min, t_rec, beta, axes: axes.draw(stream) }.ordered()
    }

    /// Draws a draft at most two rungs away in each parameter, most of the optional axes unchanged; with probability 1/4 it has one
    /// stage more or less.
    fn beside(&self, stream: &mut Stream, axes: &OptionalAxes) -> Self {
        let mut shares = self.shares.clone();
        match stream.below(8) {
            0 if shares.len() > 2 => shares.truncate(shares.len() - 1),
            1 => shares.extend(shares.last().copied()),
            _ => {}
        }
        for share in &mut shares {
            *share = neighbour(stream, &SHARES, *share);
        }
        let [t_max, t_min, t_rec] = [self.t_max, self.t_min, self.t_rec].map(|t| neighbour(stream, &DIFFUSION, t));
        let beta = neighbour(stream, &BETA, self.beta);
        Self { cut: self.cut, shares, t_max, t_min, t_rec, beta, axes: axes.beside(stream, &self.axes) }.ordered()
    }

    /// Swaps `t_max` and `t_min` if necessary: diffusion steps decrease over the generation.
    fn ordered(self) -> Self {
        Self { t_max: self.t_max.max(self.t_min), t_min: self.t_max.min(self.t_min), ..self }
    }

    /// Returns the schedule with `steps` AR steps, given the tokens of each stage. Returns `None` if the stages cannot have that
    /// many steps.
    pub(super) fn schedule(&self, steps: u64, tokens: &[u64]) -> Option<Schedule> {
        let steps = share_out(steps, &self.shares, tokens)?;
        let stages = Stages::new(u32::try_from(steps.len()).ok()?).ok()?;
        let order = Bisection { cut: self.cut.into(), stages, within: StageOrder::Random, first: Parity::Even };
        let steps = steps.into_iter().map(|steps| ArSteps::new(u32::try_from(steps).ok()?).ok());
        let pace = Rates { rates: None, steps: Some(steps.collect::<Option<_>>()?) };
        let t = |steps: u64| DiffusionSteps::new(u32::try_from(steps).ok()?).ok();
        let diffusion = StageAware { t_max: t(self.t_max)?, t_min: t(self.t_min)?, t_rec: t(self.t_rec)? };
        let mut schedule = Schedule::of(order, pace, diffusion, detail::None {});
        if self.beta > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a percentage")]
            let beta = Fraction::new(self.beta as f64 / 100.0).ok()?;
            schedule.detail = Fts(TokenSelection { beta, t_detail: t(T_DETAIL)? }).into();
        }
        self.axes.set(&mut schedule);
        schedule.adapt = vec![AxisName::Order, AxisName::Pace, AxisName::Detail];
        Some(schedule)
    }

    /// Returns a short name of one of its schedules.
    pub(super) fn name(&self, schedule: &Schedule) -> String {
        let steps = schedule.pace.params.get("steps").and_then(Value::as_array);
        let steps: Vec<String> = steps.into_iter().flatten().map(Value::to_string).collect();
        let Self { t_max, t_min, t_rec, beta, .. } = self;
        let cascade = if self.cut == Cut::Quincunx { "quincunx " } else { "" };
        format!("{cascade}{} steps, T {t_max}..{t_min}/{t_rec}, beta 0.{beta:02}{}", steps.join("+"), self.axes)
    }
}

/// Distributes steps by the largest remainder method; ties go to the earlier stage. Each stage gets at least one step and at most one
/// per token.
fn share_out(steps: u64, shares: &[u64], tokens: &[u64]) -> Option<Vec<u64>> {
    let all: u64 = shares.iter().sum();
    if shares.len() != tokens.len() || all == 0 || steps < shares.len() as u64 || steps > tokens.iter().sum() {
        return None;
    }
    let bounded = |(share, most): (&u64, &u64)| (steps * share / all).clamp(1, *most);
    let mut counts: Vec<u64> = shares.iter().zip(tokens).map(bounded).collect();
    loop {
        let given: u64 = counts.iter().sum();
        let lacking = |&stage: &usize| i128::from(steps * shares[stage]) - i128::from(counts[stage] * all);
        let stages = 0..counts.len();
        match given.cmp(&steps) {
            Ordering::Less => {
                let stage = stages.filter(|&it| counts[it] < tokens[it]).rev().max_by_key(lacking)?;
                counts[stage] += 1;
            }
            Ordering::Greater => {
                let stage = stages.filter(|&it| counts[it] > 1).min_by_key(lacking)?;
                counts[stage] -= 1;
            }
            Ordering::Equal => return Some(counts),
        }
    }
}

/// Draws a rung at most two away from the first rung that is not below `value`.
fn neighbour(stream: &mut Stream, ladder: &[u64], value: u64) -> u64 {
    let at = ladder.partition_point(|rung| *rung < value).min(ladder.len() - 1);
    one_of(stream, &ladder[at.saturating_sub(2)..(at + 3).min(ladder.len())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use gtr_core::{ImageIndex, Registry, Seed, preset};

    use crate::tune::search_space::SEARCH;

    #[test]
    fn known_drafts_match_the_presets() {
        for (draft, (name, steps)) in Draft::known().iter().zip([("gtr-16", 16), ("gtr-8", 8)]) {
            let schedule = draft.schedule(steps, &[64, 64, 128]).unwrap();
            assert_eq!(schedule, preset::find(name).unwrap().schedule, "{name}");
        }
    }

    #[test]
    fn steps_are_distributed_within_bounds() {
        assert_eq!(share_out(16, &[12, 3, 1], &[16, 16, 32]), Some(vec![12, 3, 1]));
        assert_eq!(share_out(3, &[48, 1, 1], &[16, 16, 32]), Some(vec![1, 1, 1]));
        assert_eq!(share_out(20, &[48, 1, 1], &[16, 16, 32]), Some(vec![16, 2, 2]));
        assert_eq!(share_out(64, &[48, 1, 1], &[16, 16, 32]), Some(vec![16, 16, 32]));
        for (steps, shares, tokens) in
            [(2, &[1, 1, 1][..], &[9, 9, 9][..]), (28, &[1, 1, 1], &[9, 9, 9]), (3, &[1], &[9, 9])]
        {
            assert_eq!(share_out(steps, shares, tokens), None, "{steps}");
        }
    }

    #[test]
    fn draws_depend_only_on_seed_and_number_and_stay_on_the_ladders() {
        let axes = OptionalAxes::of(&Registry::builtin());
        let draw = |seed, number| {
            let mut stream = Stream::new(Seed(seed), SEARCH, ImageIndex(number), 0);
            Draft::draw(&mut stream, &Draft::known(), &axes)
        };
        let drafts: Vec<Draft> = (0..200).map(|number| draw(3, number)).collect();
        assert!((0..200).rev().zip(drafts.iter().rev()).all(|(number, it)| draw(3, number) == *it));
        assert_ne!(drafts, (0..200).map(|number| draw(4, number)).collect::<Vec<_>>());
        for draft in &drafts {
            assert!((2..=9).contains(&draft.shares.len()) && draft.t_max >= draft.t_min, "{draft:?}");
            assert!(draft.shares.iter().all(|share| SHARES.contains(share)), "{draft:?}");
            assert!([draft.t_max, draft.t_min, draft.t_rec].iter().all(|t| DIFFUSION.contains(t)), "{draft:?}");
            assert!(BETA.contains(&draft.beta), "{draft:?}");
        }
        let stages = |stages| drafts.iter().any(|draft| draft.shares.len() == stages);
        assert!((2..=8).all(stages));
        assert!([Cut::Diagonal, Cut::Quincunx].iter().all(|cut| drafts.iter().any(|draft| draft.cut == *cut)));
    }
}
