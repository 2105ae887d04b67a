//! The count of executed operations, compared with the published code.

use gtr_backends::{executed, published_cost};
use gtr_core::cost::{ArchSpec, HeadSpec, StackSpec};
use gtr_core::{AxisConfig, AxisName, Grid, Plan, Registry, Schedule, preset};

fn plan(schedule: &Schedule, grid: Grid) -> Plan {
    schedule.plan(grid, &Registry::builtin()).unwrap().plan
}

/// A model whose products can be counted by hand.
const SMALL: ArchSpec = ArchSpec {
    token_channels: 3,
    buffer: 2,
    encoder: StackSpec { width: 4, depth: 1, hidden: 8 },
    decoder: StackSpec { width: 5, depth: 2, hidden: 10 },
    text: None,
    head: HeadSpec { width: 6, depth: 1 },
};

fn small_schedule(steps: u32) -> Schedule {
    Schedule::from_configs(
        AxisConfig::new("raster"),
        AxisConfig::new("uniform").with("steps", steps),
        AxisConfig::new("constant").with("t", 3),
        AxisConfig::new("none"),
    )
}

#[test]
fn the_count_of_a_small_model_agrees_with_a_count_by_hand() {
    let schedule = small_schedule(2);
    let cost = executed(&SMALL, &plan(&schedule, Grid::new(1, 2).unwrap()), true);
    // Both halves; the second step embeds the one known token.
    assert_eq!(cost.encoder, 2.0 * 2.0 * (5.0 * (64.0 + 64.0) + 12.0));
    // A whole block for 4 rows; keys and values of 4 rows, the rest of the block for one row.
    let last = (4.0 + 1.0) * 50.0 + 2.0 * 50.0;
    assert_eq!(cost.decoder, 2.0 * 2.0 * (5.0 * 20.0 + 2.0 * (4.0 * 200.0 + last)));
    assert_eq!(cost.attention, 2.0 * 4.0 * (13.0 * 4.0 + 2.0 * (16.0 + 4.0) * 5.0));
    // One condition per step and half; six evaluations, whose tokens are embedded once for both halves.
    let evaluation = 18.0 + 2.0 * (5.0 * 36.0 + 2.0 * 36.0 + 36.0);
    assert_eq!(cost.head, 2.0 * (2.0 * 2.0 * 30.0 + 6.0 * evaluation));
}

#[test]
fn steps_that_are_not_guided_compute_one_half() {
    let mut schedule = small_schedule(2);
    schedule.set_axis(AxisName::Guidance, AxisConfig::new("interval").with("guided_from", 0.5));
    let cost = executed(&SMALL, &plan(&schedule, Grid::new(1, 2).unwrap()), true);
    // One half without known tokens, then both halves with one.
    assert_eq!(cost.encoder, 2.0 * 256.0 + 2.0 * (24.0 + 3.0 * 256.0));
    let blocks = 4.0 * 400.0 + (4.0 * 100.0 + 300.0);
    assert_eq!(cost.decoder, (2.0 * 40.0 + blocks) + 2.0 * (3.0 * 40.0 + blocks));
    assert_eq!(cost.attention, 16.0 * (4.0 + 2.0 * 9.0) + 3.0 * 20.0 * (16.0 + 4.0));
    let evaluation = |halves: f64| 36.0 + halves * (360.0 + 216.0);
    assert_eq!(cost.head, 3.0 * 60.0 + 3.0 * (evaluation(1.0) + evaluation(2.0)));
    // Without guidance, the interval makes no difference.
    let unguided = executed(&SMALL, &plan(&schedule, Grid::new(1, 2).unwrap()), false);
    assert_eq!(unguided, executed(&SMALL, &plan(&small_schedule(2), Grid::new(1, 2).unwrap()), false));
}

#[test]
fn steps_that_keep_nothing_cost_what_they_cost_without_reuse() {
    let plain = executed(&SMALL, &plan(&small_schedule(3), Grid::new(1, 6).unwrap()), true);
    let mut schedule = small_schedule(3);
    let fresh = AxisConfig::new("lazymar").with("refresh_period", 1).with("reuse_head", false);
    schedule.set_axis(AxisName::Reuse, fresh);
    assert_eq!(executed(&SMALL, &plan(&schedule, Grid::new(1, 6).unwrap()), true), plain);
}

#[test]
fn reuse_computes_what_has_changed() {
    let mut schedule = small_schedule(3);
    let lazymar = AxisConfig::new("lazymar")
        .with("complete_steps", 0)
        .with("refresh_period", 3)
        .with("decoder_keep", "stretched");
    let lazymar = lazymar.with("decoder_block", 0).with("decoder_slack", 0).with("head_period", 2);
    schedule.set_axis(AxisName::Reuse, lazymar);
    let cost = executed(&SMALL, &plan(&schedule, Grid::new(1, 6).unwrap()), true);
    // The first step is complete. The others embed the two tokens of the step before, in one half.
    assert_eq!(cost.encoder, 2.0 * 2.0 * 256.0 + 2.0 * (48.0 + 4.0 * 256.0));
    // The first step computes all 8 rows of both blocks. The others compute keys and values of 8 rows and the rest of 4 kept
    // ones in the first block; keys and values of 4 rows and the rest of 2 targets in the last one.
    let cached = (8.0 * 100.0 + 4.0 * 300.0) + (4.0 * 100.0 + 2.0 * 300.0);
    assert_eq!(cost.decoder, 2.0 * (2.0 * 40.0 + 2.0 * 8.0 * 400.0) + 2.0 * (4.0 * 40.0 + cached));
    let encoder = 16.0 * (2.0 * 2.0 * 2.0 + 4.0 * 4.0 + 4.0 * 6.0);
    assert_eq!(cost.attention, encoder + 20.0 * 8.0 * (2.0 * 2.0 * 8.0 + 2.0 * (4.0 + 2.0)));
    // Of the three evaluations of a token, the first and the last are complete. The other one computes the modulation.
    let evaluations = 2.0 * (36.0 + 2.0 * (360.0 + 216.0)) + (36.0 + 216.0 + 216.0);
    assert_eq!(cost.head, 6.0 * (2.0 * 60.0 + evaluations));
}

#[test]
fn reuse_executes_less_than_the_published_code() {
    for model in ["mar-b", "mar-h", "digits"] {
        let spec = gtr_backends::spec(model).unwrap();
        for (kind, tenths) in [("default", 6.0), ("none", 10.0)] {
            let mut schedule = preset::find("mar-64").unwrap().schedule.clone();
            if kind == "default" {
                schedule.set_axis(AxisName::Reuse, AxisConfig::new("lazymar"));
            }
            let plan = plan(&schedule, spec.grid);
            let (ours, theirs) = (executed(&spec.arch, &plan, true), spec.arch.cost(&plan, true));
            assert!(ours.encoder <= theirs.encoder && ours.decoder < theirs.decoder, "{model} {kind}");
            assert!(ours.attention <= theirs.attention && ours.head < theirs.head, "{model} {kind}");
            let whole = executed(&spec.arch, &self::plan(&preset::find("mar-64").unwrap().schedule, spec.grid), true);
            assert!(10.0 * ours.total() <= tenths * whole.total(), "{model} {kind}: {}", ours.total() / whole.total());
        }
    }
}

#[test]
fn every_part_executes_less_than_the_published_code() {
    for model in ["mar-b", "mar-h", "lightgen-large", "digits"] {
        let spec = gtr_backends::spec(model).unwrap();
        for preset in preset::all() {
            let plan = plan(&preset.schedule, spec.grid);
            for guided in [false, true] {
                let (ours, theirs) = (executed(&spec.arch, &plan, guided), spec.arch.cost(&plan, guided));
                assert!(ours.encoder <= theirs.encoder && ours.decoder < theirs.decoder, "{model} {}", preset.name);
                assert!(ours.attention <= theirs.attention && ours.head < theirs.head, "{model} {}", preset.name);
                assert!(ours.total() > 0.5 * theirs.total() || spec.arch.text.is_some(), "{model} {}", preset.name);
            }
        }
    }
}

#[test]
fn the_papers_figures_are_met() {
    let mut compared = 0;
    for name in ["mar-b", "mar-l", "mar-h"] {
        let arch = gtr_backends::spec(name).unwrap().arch;
        let schedule = |preset: &str| &preset::find(preset).unwrap().schedule;
        let total = |preset: &str| arch.cost(&plan(schedule(preset), Grid::new(16, 16).unwrap()), true).total();
        let whole = total("mar-64");
        for preset in preset::all() {
            let Some(paper) = published_cost(name, &preset.name) else { continue };
            let found = total(&preset.name);
            if let Some(tera) = paper.tera {
                assert!((found / 1e12 / tera - 1.0).abs() < 0.015, "{name} {}: {found:e}", preset.name);
            }
            let off = (whole / found / paper.speed - 1.0).abs();
            // Inconsistent figures are marked as such.
            assert_eq!(off < 0.02, paper.fits, "{name} {}: {}", preset.name, whole / found);
            compared += 1;
        }
    }
    assert_eq!(compared, 33);
    assert_eq!(published_cost("mar-b", "gtr-16"), None);
    assert_eq!(published_cost("digits", "mar-64"), None);
}
