//! Snapshots of the plans of presets and examples, token by token, because plans are part of the interface.

use gtr_core::{AxisName, Entry, Grid, ImageIndex, Plan, Registry, Seed, preset};

/// Draws the stage of every token, one symbol per token and one line per row.
fn drawing(plan: &Plan) -> String {
    let mut symbols = vec![' '; plan.grid().tokens()];
    for (stage, symbol) in plan.stages().iter().zip('1'..) {
        for token in stage.tokens() {
            symbols[token.index()] = symbol;
        }
    }
    symbols.chunks(plan.grid().width() as usize).map(|row| row.iter().collect::<String>() + "\n").collect()
}

#[test]
fn presets() {
    for preset in preset::all() {
        let plan = preset.schedule.plan(preset.home_grid, &Registry::builtin()).unwrap().plan;
        let order: Vec<usize> = plan.order(Seed(0), ImageIndex(0)).iter().map(|token| token.index()).collect();
        let text =
            format!("{}\n{}\norder of image 0 under seed 0: {order:?}\n", drawing(&plan), plan.to_document().to_json());
        insta::assert_snapshot!(preset.name.clone(), text);
    }
}

#[test]
fn examples() {
    let registry = Registry::builtin();
    let grid = Grid::new(6, 7).unwrap();
    let pin = |axis: AxisName, kind: &str, examples: Vec<(&'static str, gtr_core::AxisConfig)>| {
        for (name, config) in examples {
            let mut schedule = preset::find("gtr-paper").unwrap().schedule.clone();
            *schedule.axis_mut(axis) = config;
            let plan = schedule.plan(grid, &registry).unwrap().plan;
            let order: Vec<usize> = plan.order(Seed(3), ImageIndex(1)).iter().map(|token| token.index()).collect();
            let text = format!(
                "{}\n{}\norder of image 1 under seed 3: {order:?}\n",
                drawing(&plan),
                plan.to_document().to_json()
            );
            insta::assert_snapshot!(format!("{axis}_{kind}_{name}"), text);
        }
    };
    registry.orders().iter().for_each(|it: &Entry<_>| pin(AxisName::Order, it.kind(), it.examples()));
    registry.paces().iter().for_each(|it| pin(AxisName::Pace, it.kind(), it.examples()));
    registry.diffusions().iter().for_each(|it| pin(AxisName::Diffusion, it.kind(), it.examples()));
    registry.details().iter().for_each(|it| pin(AxisName::Detail, it.kind(), it.examples()));
}
