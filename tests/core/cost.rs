//! The cost model, compared with a count by hand and with the paper.

use gtr_core::cost::{ArchSpec, HeadSpec, StackSpec, TextSpec};
use gtr_core::{AxisConfig, Grid, Plan, Registry, Schedule, preset};

const SMALL: ArchSpec = ArchSpec {
    token_channels: 3,
    buffer: 2,
    encoder: StackSpec { width: 4, depth: 1, hidden: 8 },
    decoder: StackSpec { width: 5, depth: 2, hidden: 10 },
    text: None,
    head: HeadSpec { width: 6, depth: 1 },
};

fn arch(width: usize, depth: usize, head: (usize, usize)) -> ArchSpec {
    let stack = StackSpec { width, depth, hidden: 4 * width };
    let head = HeadSpec { width: head.0, depth: head.1 };
    ArchSpec { token_channels: 16, buffer: 64, encoder: stack, decoder: stack, text: None, head }
}

/// Two tokens, one after the other, with three diffusion steps each.
fn two_steps() -> Plan {
    let schedule = Schedule::from_configs(
        AxisConfig::new("raster"),
        AxisConfig::new("uniform").with("steps", 2),
        AxisConfig::new("constant").with("t", 3),
        AxisConfig::new("none"),
    );
    schedule.plan(Grid::new(1, 2).unwrap(), &Registry::builtin()).unwrap().plan
}

#[test]
fn the_count_of_a_small_model_agrees_with_a_count_by_hand() {
    let cost = SMALL.cost(&two_steps(), false);
    // Rows of the encoder: 2, then 3. A row: 4x16 for attention, 2 times 4x8. Tokens are embedded, 3x4, at each step.
    assert_eq!(cost.encoder, 2.0 * (5.0 * (64.0 + 64.0) + 2.0 * 2.0 * 12.0));
    // The rows of the encoder are embedded, 4x5; then 4 rows at each step, through two blocks of 5x20 and 2 times 5x10.
    assert_eq!(cost.decoder, 2.0 * (5.0 * 20.0 + 2.0 * 4.0 * 2.0 * (100.0 + 100.0)));
    // 2x2 and 3x3 of width 4, once; 4x4 of width 5, twice, at each step; keys and values, two operations each.
    assert_eq!(cost.attention, 4.0 * ((4.0 + 9.0) * 4.0 + 2.0 * 2.0 * 16.0 * 5.0));
    // Six evaluations: in, condition, timestep, a block, out.
    let evaluation = 3.0 * 6.0 + 5.0 * 6.0 + (256.0 * 6.0 + 36.0) + 5.0 * 36.0 + (2.0 * 36.0 + 6.0 * 6.0);
    assert_eq!(cost.head, 6.0 * 2.0 * evaluation);
    assert_eq!(cost.text, 0.0);
    assert_eq!(cost.total(), cost.encoder + cost.decoder + cost.attention + cost.head);
}

#[test]
fn guidance_doubles_everything_except_the_text() {
    let stack = StackSpec { width: 4, depth: 2, hidden: 8 };
    let text = TextSpec { length: 7, channels: 9, aligner: stack, decoder: stack };
    let arch = ArchSpec { text: Some(text), decoder: stack, buffer: 0, ..SMALL };
    let (plain, guided) = (arch.cost(&two_steps(), false), arch.cost(&two_steps(), true));
    assert_eq!(guided.total() - guided.text, 2.0 * (plain.total() - plain.text));
    assert_eq!(guided.text, plain.text);
    // 7 rows: 9x4 and 4x4; two blocks of 4x16 and 2 times 4x8 and 7 keys and values.
    assert_eq!(plain.text, 2.0 * 7.0 * (36.0 + 16.0 + 2.0 * (64.0 + 64.0)) + 2.0 * 4.0 * 49.0 * 4.0);
    // Texts also need the last decoder.
    let without = ArchSpec { text: None, ..arch }.cost(&two_steps(), false);
    assert!(plain.decoder > without.decoder && plain.attention > without.attention);
    assert_eq!(plain.head, without.head);
}

#[test]
fn more_work_costs_more() {
    let arch = arch(768, 12, (1024, 6));
    let head = |schedule: &Schedule| {
        let plan = schedule.plan(Grid::new(16, 16).unwrap(), &Registry::builtin()).unwrap().plan;
        arch.cost(&plan, true).head
    };
    let schedule = preset::find("gtr-16").unwrap().schedule.clone();
    let (mut without, mut full) = (schedule.clone(), schedule.clone());
    without.detail = AxisConfig::new("none");
    full.detail = AxisConfig::new("full").with("t_detail", 50);
    assert!(head(&without) < head(&schedule) && head(&schedule) < head(&full));
}
