//! The count of executed operations, compared with the published code.

use gtr_backends::{executed, published_cost};
use gtr_core::cost::{ArchSpec, HeadSpec, StackSpec};
use gtr_core::{AxisConfig, Grid, Plan, Registry, Schedule, preset};

fn plan(schedule: &Schedule, grid: Grid) -> Plan {
    schedule.plan(grid, &Registry::builtin()).unwrap().plan
}

#[test]
fn the_count_of_a_small_model_agrees_with_a_count_by_hand() {
    let arch = ArchSpec {
        token_channels: 3,
        buffer: 2,
        encoder: StackSpec { width: 4, depth: 1, hidden: 8 },
        decoder: StackSpec { width: 5, depth: 2, hidden: 10 },
        text: None,
        head: HeadSpec { width: 6, depth: 1 },
    };
    let schedule = Schedule {
        order: AxisConfig::new("raster"),
        pace: AxisConfig::new("uniform").with("steps", 2),
        diffusion: AxisConfig::new("constant").with("t", 3),
        detail: AxisConfig::new("none"),
        adapt: Vec::new(),
    };
    let cost = executed(&arch, &plan(&schedule, Grid::new(1, 2).unwrap()), true);
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
    assert_eq!(compared, 27);
    assert_eq!(published_cost("mar-b", "gtr-16"), None);
    assert_eq!(published_cost("digits", "mar-64"), None);
}
