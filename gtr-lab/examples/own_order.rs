//! Evaluates a custom order next to `gtr-16` on the built-in digits model, without the command line.
//!
//! ```sh
//! cargo run -p gtr-lab --example own_order
//! ```

use std::error::Error;

use gtr_backends::judge::{Bootstrap, Judge, Origin, Reference};
use gtr_core::{Component, Grid, Order, Partition, Registry, preset};
use gtr_lab::evaluation::{EvaluationReport, EvaluationRow, Evaluator, Identity, ImageSet, Options, Scorer, Subject};
use gtr_lab::model::ClassModel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From the last token to the first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Backwards {}

impl Component for Backwards {
    const KIND: &'static str = "backwards";
    const SOURCE: &'static str = "gtr-lab/examples/own_order.rs";
}

impl Order for Backwards {
    fn partition(&self, grid: Grid) -> Result<Partition, gtr_core::Error> {
        let mut tokens: Vec<_> = grid.iter().collect();
        tokens.reverse();
        Partition::whole(grid, tokens)
    }
}

/// Returns the table of both schedules, with `images` images per row.
pub(crate) fn compare(images: u64) -> Result<String, Box<dyn Error>> {
    let registry = Registry::builtin().with_order::<Backwards>();
    let model = ClassModel::new(gtr_backends::open("digits", None, &gtr_backends::Device::Cpu)?)?;
    let judge = Judge::open(&Origin::BuiltIn)?;
    let mut evaluator = Evaluator::new(Box::new(model), Identity::digits()?, judge, &registry, Options::default())?;

    let ours = preset::find("gtr-16")?.schedule.clone();
    let mut own = preset::find("mar-16")?.schedule.clone();
    own.order = Backwards {}.into();
    let guidance = evaluator.guidance(None)?;
    let mut subjects = Vec::new();
    for (name, schedule) in [("gtr-16", ours), ("backwards", own)] {
        let plan = evaluator.plan(&schedule)?.plan;
        subjects.push(Subject { name: name.to_owned(), plan, guidance, temperature: 1.0 });
    }
    let reference = evaluator.reference(Reference::All);
    let scorer = Scorer { reference, bootstrap: Bootstrap { resamples: 200, ..Bootstrap::default() } };
    let rows = EvaluationRow::all(&mut evaluator, &subjects, &ImageSet::new(images, &[0], 10)?, &scorer)?;
    Ok(EvaluationReport { settings: evaluator.settings().into(), rows }.text())
}

#[expect(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", compare(50)?);
    Ok(())
}
