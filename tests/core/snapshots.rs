//! Snapshots of the plans of presets and examples, token by token, because plans are part of the interface.

use gtr_core::{AxisName, Grid, ImageIndex, Plan, Registry, Seed, preset};

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

/// Returns the order of an image as a list of token indices, or why there is none.
fn order(plan: &Plan, seed: Seed, image: ImageIndex) -> String {
    match plan.order(seed, image) {
        Ok(order) => format!("{:?}", order.iter().map(|token| token.index()).collect::<Vec<_>>()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn presets() {
    for preset in preset::all() {
        let plan = preset.schedule.plan(preset.home_grid, &Registry::builtin()).unwrap().plan;
        let order = order(&plan, Seed(0), ImageIndex(0));
        let text =
            format!("{}\n{}\norder of image 0 under seed 0: {order}\n", drawing(&plan), plan.to_document().to_json());
        insta::assert_snapshot!(preset.name.clone(), text);
    }
}

#[test]
fn examples() {
    let registry = Registry::builtin();
    let grid = Grid::new(6, 7).unwrap();
    for entry in AxisName::ALL.into_iter().flat_map(|axis| registry.entries(axis)) {
        let (axis, kind) = (entry.axis(), entry.kind());
        for (name, config) in entry.examples() {
            let mut schedule = preset::find("gtr-paper").unwrap().schedule.clone();
            schedule.set_axis(axis, config);
            let plan = schedule.plan(grid, &registry).unwrap().plan;
            let order = order(&plan, Seed(3), ImageIndex(1));
            let text = format!(
                "{}\n{}\norder of image 1 under seed 3: {order}\n",
                drawing(&plan),
                plan.to_document().to_json()
            );
            insta::assert_snapshot!(format!("{axis}_{kind}_{name}"), text);
        }
    }
}
