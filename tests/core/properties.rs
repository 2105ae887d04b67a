//! A property test for every rule of `spec/SPEC.md`: each rule, implemented again independently of the library, holds for every
//! plan of any combination of implementations.

use std::collections::{BTreeMap, BTreeSet};

use gtr_core::{Grid, Plan, PlanDocument, Registry, Role, Rule, Seed, Spectrum, StageOrder, TokenSet, laws, preset};
use proptest::prelude::*;

/// Plans of whole grids and of grids with known tokens.
fn documents() -> impl Strategy<Value = (Plan, PlanDocument)> {
    let plans = prop_oneof![laws::plans(&Registry::builtin()), laws::plans_of_a_rest(&Registry::builtin())];
    plans.prop_map(|plan| (plan.clone(), plan.to_document()))
}

/// Returns the known tokens and those of all stages.
fn tokens(document: &PlanDocument) -> Vec<u64> {
    let stages = document.stages.iter().flat_map(|stage| &stage.tokens);
    document.known.iter().chain(stages).map(|&token| token.into()).collect()
}

/// Plans the schedule of a document.
fn made_again(document: &PlanDocument) -> PlanDocument {
    let grid = Grid::new(document.grid.height as u32, document.grid.width as u32).unwrap();
    let known = document.known.iter().map(|&token| grid.token(token as usize).unwrap());
    document.schedule.plan_rest(&TokenSet::from_tokens(grid, known), &Registry::builtin()).unwrap().plan.to_document()
}

proptest! {
    #[test]
    fn r01_document((_, document) in documents()) {
        let value: serde_json::Value = serde_json::from_str(&document.to_json()).unwrap();
        let fields: BTreeSet<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = BTreeSet::from(["format_version", "grid", "schedule", "stages", "steps"]);
        if !document.known.is_empty() {
            expected.insert("known");
        }
        prop_assert_eq!(fields, expected);
    }

    #[test]
    fn r02_version((plan, document) in documents()) {
        let optional = document.schedule.axes().count() > 4 || plan.is_ranked();
        prop_assert_eq!(document.format_version, if optional { 3 } else if document.known.is_empty() { 1 } else { 2 });
    }

    #[test]
    fn r03_grid((_, document) in documents()) {
        prop_assert!((1..=1 << 24).contains(&(document.grid.height * document.grid.width)));
    }

    #[test]
    fn r04_stages((_, document) in documents()) {
        prop_assert!(!document.stages.is_empty());
        prop_assert!(document.stages.iter().all(|stage| !stage.tokens.is_empty()));
    }

    #[test]
    fn r05_on_grid((_, document) in documents()) {
        prop_assert!(tokens(&document).into_iter().all(|token| token < document.grid.height * document.grid.width));
    }

    #[test]
    fn r06_disjoint((_, document) in documents()) {
        let tokens = tokens(&document);
        prop_assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), tokens.len());
    }

    #[test]
    fn r07_covering((_, document) in documents()) {
        let all: BTreeSet<u64> = (0..document.grid.height * document.grid.width).collect();
        prop_assert_eq!(tokens(&document).into_iter().collect::<BTreeSet<_>>(), all);
    }

    #[test]
    fn r08_listing((plan, document) in documents()) {
        prop_assert!(document.known.is_sorted());
        if plan.within() != StageOrder::Listed {
            prop_assert!(document.stages.iter().all(|stage| stage.tokens.is_sorted()));
        }
    }

    #[test]
    fn r09_roles((_, document) in documents()) {
        let last = document.stages.len() - 1;
        for (position, stage) in document.stages.iter().enumerate() {
            prop_assert!(stage.role == Role::Generation || (position == last && last > 0));
        }
    }

    #[test]
    fn r10_step_order((_, document) in documents()) {
        let stages: Vec<u64> = document.steps.iter().map(|step| step.stage).collect();
        prop_assert!(stages.is_sorted());
        let all: BTreeSet<u64> = (0..document.stages.len() as u64).collect();
        prop_assert_eq!(stages.into_iter().collect::<BTreeSet<_>>(), all);
    }

    #[test]
    fn r11_step_tokens((_, document) in documents()) {
        let mut sums = BTreeMap::new();
        for step in &document.steps {
            prop_assert!(step.tokens > 0);
            *sums.entry(step.stage).or_insert(0) += step.tokens;
        }
        for (stage, sum) in sums {
            prop_assert_eq!(sum as usize, document.stages[stage as usize].tokens.len());
        }
    }

    #[test]
    fn r12_diffusion_steps((_, document) in documents()) {
        prop_assert!(document.steps.iter().all(|step| (1..=1000).contains(&step.diffusion_steps)));
    }

    #[test]
    fn r13_detail((_, document) in documents()) {
        for step in &document.steps {
            let Some(detail) = step.detail else { continue };
            prop_assert_eq!(document.stages[step.stage as usize].role, Role::Reconstruction);
            prop_assert!((1..=step.tokens).contains(&detail.tokens));
            prop_assert!((1..=1000).contains(&detail.diffusion_steps));
        }
    }

    #[test]
    fn r14_schedule((plan, document) in documents()) {
        let known = TokenSet::from_tokens(plan.grid(), plan.known().iter().copied());
        prop_assert!(document.schedule.plan_rest(&known, &Registry::builtin()).is_ok());
    }

    #[test]
    fn r15_order_produced((_, document) in documents()) {
        prop_assert_eq!(made_again(&document).stages, document.stages);
    }

    #[test]
    fn r16_pace_produced((_, document) in documents()) {
        let sizes = |document: &PlanDocument| document.steps.iter().map(|it| (it.stage, it.tokens)).collect::<Vec<_>>();
        prop_assert_eq!(sizes(&made_again(&document)), sizes(&document));
    }

    #[test]
    fn r17_diffusion_produced((_, document) in documents()) {
        let curve = |document: &PlanDocument| document.steps.iter().map(|it| it.diffusion_steps).collect::<Vec<_>>();
        prop_assert_eq!(curve(&made_again(&document)), curve(&document));
    }

    #[test]
    fn r18_detail_produced((_, document) in documents()) {
        let details = |document: &PlanDocument| document.steps.iter().map(|it| it.detail).collect::<Vec<_>>();
        prop_assert_eq!(details(&made_again(&document)), details(&document));
    }

    #[test]
    fn r19_axes_produced((_, document) in documents()) {
        let axes = |document: &PlanDocument| document.steps.iter().map(|it| it.axes).collect::<Vec<_>>();
        prop_assert_eq!(axes(&made_again(&document)), axes(&document));
    }

    /// The reconstruction of a bisection consists of all odd cells, and each of them is adjacent only to tokens generated before.
    #[test]
    fn reconstruction_is_the_odd_cells(grid in laws::grids(), stages in 2..6u32, quincunx: bool) {
        let mut schedule = preset::find("gtr-paper").unwrap().schedule.clone();
        schedule.order = schedule.order.with("stages", stages).with("cut", if quincunx { "quincunx" } else { "diagonal" });
        let plan = schedule.plan(grid, &Registry::builtin()).unwrap().plan;
        let odd = |token: &gtr_core::TokenIndex| {
            let at = grid.position(*token);
            (at.row + at.column) % 2 == 1
        };
        let expected: Vec<_> = grid.iter().filter(odd).collect();
        if expected.is_empty() {
            prop_assert_eq!(grid.tokens(), 1);
            return Ok(());
        }
        let last = plan.stages().last().unwrap();
        prop_assert_eq!(last.role(), Role::Reconstruction);
        prop_assert_eq!(last.tokens(), &expected[..]);
        let earlier: BTreeSet<_> = plan.stages().iter().rev().skip(1).flat_map(gtr_core::Stage::tokens).collect();
        for &token in last.tokens() {
            let at = grid.position(token);
            let neighbours = [
                at.row.checked_sub(1).and_then(|row| grid.at(row, at.column)),
                grid.at(at.row + 1, at.column),
                at.column.checked_sub(1).and_then(|column| grid.at(at.row, column)),
                grid.at(at.row, at.column + 1),
            ];
            prop_assert!(neighbours.iter().flatten().all(|neighbour| earlier.contains(neighbour)));
        }
    }

    /// With known tokens, the stages are those of the whole grid without the known tokens; empty stages are dropped.
    #[test]
    fn an_inpainting_plan_has_the_stages_of_the_whole_grid(plan in laws::plans_of_a_rest(&Registry::builtin())) {
        let mut schedule = plan.schedule().clone();
        schedule.adapt = gtr_core::AxisName::ALL.to_vec();
        let whole = schedule.plan(plan.grid(), &Registry::builtin()).unwrap().plan;
        let rest = |stage: &gtr_core::Stage| -> Vec<_> {
            stage.tokens().iter().copied().filter(|token| !plan.known().contains(token)).collect()
        };
        let expected: Vec<_> = whole.stages().iter().map(rest).filter(|tokens| !tokens.is_empty()).collect();
        prop_assert_eq!(plan.stages().iter().map(|stage| stage.tokens().to_vec()).collect::<Vec<_>>(), expected);
    }

    /// With `rates`, a stage has round(n / r) steps, which differ by at most one token.
    #[test]
    fn step_counts_follow_the_rates(grid in laws::grids(), rates in prop::collection::vec(0.3..200.0f64, 3)) {
        let mut schedule = preset::find("gtr-paper").unwrap().schedule.clone();
        schedule.pace = gtr_core::AxisConfig::new("rates").with("rates", rates.clone());
        let planned = schedule.plan(grid, &Registry::builtin()).unwrap();
        for (position, stage) in planned.plan.stages().iter().enumerate() {
            let sizes: Vec<usize> =
                planned.plan.steps().iter().filter(|it| it.stage() == position).map(gtr_core::Step::tokens).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            if planned.plan.stages().len() == 3 {
                let n = stage.tokens().len();
                prop_assert_eq!(sizes.len(), ((n as f64 / rates[position]).round() as usize).clamp(1, n));
            }
        }
    }

    /// The curve starts at T_max, decreases to T_min at the last generation step, and is T_rec afterwards.
    #[test]
    fn the_diffusion_curve_decreases_between_its_ends(grid in laws::grids(), a in 1..200u32, b in 1..200u32, t_rec in 1..200u32) {
        let (t_max, t_min) = (a.max(b), a.min(b));
        let mut schedule = preset::find("gtr-paper").unwrap().schedule.clone();
        let curve = gtr_core::AxisConfig::new("stage-aware");
        schedule.diffusion = curve.with("t_max", t_max).with("t_min", t_min).with("t_rec", t_rec);
        let plan = schedule.plan(grid, &Registry::builtin()).unwrap().plan;
        let of = |role| -> Vec<u32> {
            plan.steps().iter().filter(|it| plan.role(it) == role).map(|it| it.diffusion_steps().get()).collect()
        };
        let generation = of(Role::Generation);
        prop_assert_eq!(generation[0], t_max);
        prop_assert!(generation.len() == 1 || *generation.last().unwrap() == t_min);
        prop_assert!(generation.is_sorted_by(|a, b| a >= b));
        prop_assert!(of(Role::Reconstruction).iter().all(|&steps| steps == t_rec));
    }

    /// FTS picks exactly the fraction beta with the highest scores; ties go to the lower index.
    #[test]
    fn fts_picks_the_highest_scores(
        beta in 0.0..=1.0f64,
        count in 1..30usize,
        // Few distinct vectors, so that there are ties.
        kinds in prop::collection::vec(0..4usize, 30),
        vectors in prop::collection::vec(prop::collection::vec(-2.0..2.0f32, 7), 4),
    ) {
        let grid = Grid::new(6, 5).unwrap();
        let tokens: Vec<_> = grid.iter().rev().take(count).collect();
        let features: Vec<f32> = kinds[..count].iter().flat_map(|&kind| vectors[kind].clone()).collect();
        let rule = Registry::builtin().build_detail(&gtr_core::AxisConfig::new("fts").with("beta", beta)).unwrap();
        let expected = (beta * count as f64).round() as usize;
        let share = rule.share(count);
        prop_assert_eq!(share.map_or(0, |share| share.tokens), expected);
        let stream = gtr_core::Stream::new(Seed(0), gtr_core::StreamPurpose::Detail, gtr_core::ImageIndex(0), 0);
        let candidates = gtr_core::detail::Candidates { tokens: &tokens, width: 7, features: &features, stream };
        let picked: BTreeSet<usize> = rule.pick(candidates, expected).into_iter().collect();
        prop_assert_eq!(picked.len(), expected);
        let mut spectrum = Spectrum::new(7);
        let rank: Vec<(f64, usize)> =
            features.chunks(7).zip(&tokens).map(|(row, token)| (-spectrum.score(row), token.index())).collect();
        for inside in &picked {
            for outside in (0..count).filter(|it| !picked.contains(it)) {
                prop_assert!(rank[*inside] < rank[outside], "{:?} and {:?}", rank[*inside], rank[outside]);
            }
        }
    }

    /// Scores agree with a discrete Fourier transform computed term by term.
    #[test]
    fn scores_equal_those_of_a_direct_transform(vector in prop::collection::vec(-5.0..5.0f32, 0..70)) {
        let d = vector.len();
        let half = d / 2;
        let mut expected = 0.0;
        for n in 1..=half {
            let (mut re, mut im) = (0.0, 0.0);
            for (k, &x) in vector.iter().enumerate() {
                let angle = -std::f64::consts::TAU * (n * k % d) as f64 / d as f64;
                re += f64::from(x) * angle.cos();
                im += f64::from(x) * angle.sin();
            }
            expected += re.hypot(im) * (1.0 + n as f64 / half as f64);
        }
        let score = Spectrum::new(d).score(&vector);
        prop_assert!((score - expected).abs() <= 1e-9 * (1.0 + expected), "{score} and {expected}");
    }

    /// In farthest order every token is as far as possible from the tokens before it.
    #[test]
    fn farthest_order_is_greedy(grid in laws::grids(), seed: u64) {
        let mut schedule = preset::find("gtr-paper").unwrap().schedule.clone();
        schedule.order = schedule.order.with("within", "farthest");
        let plan = schedule.plan(grid, &Registry::builtin()).unwrap().plan;
        let order = plan.order(Seed(seed), gtr_core::ImageIndex(3)).unwrap();
        let squared = |a, b| {
            let (a, b) = (grid.position(a), grid.position(b));
            a.row.abs_diff(b.row).pow(2) + a.column.abs_diff(b.column).pow(2)
        };
        // Squared distance of each token from the nearest known token.
        let mut gaps = vec![u32::MAX; grid.tokens()];
        let mut start = 0;
        for stage in plan.stages() {
            let end = start + stage.tokens().len();
            for next in start..end {
                let best = order[next..end].iter().map(|token| gaps[token.index()]).max().unwrap();
                prop_assert_eq!(gaps[order[next].index()], best);
                for token in grid.iter() {
                    gaps[token.index()] = gaps[token.index()].min(squared(order[next], token));
                }
            }
            start = end;
        }
    }
}

/// Every rule has a property test above and a mutation test in `mutations.rs`.
#[test]
fn every_rule_has_its_tests() {
    let (properties, mutations) = (include_str!("properties.rs"), include_str!("mutations.rs"));
    for rule in Rule::ALL {
        let name = format!("fn r{:02}_{}(", rule.number(), rule.name().replace('-', "_"));
        assert!(mutations.contains(&name), "no mutation test `{name}`");
        assert!(properties.contains(&name), "no property test `{name}`");
    }
}
