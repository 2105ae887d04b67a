//! A custom scheduler outside the crate: a spiral order that is registered, checked against the laws, planned, verified
//! and sampled.
//!
//! ```sh
//! cargo run -p gtr-core --example custom_order
//! ```

use std::convert::Infallible;
use std::error::Error;

use gtr_core::sampler::{Job, Settings};
use gtr_core::{
    Component, Denoise, Grid, Guidance, HeadKind, ImageIndex, MaskedGenerator, Order, Partition, Registry, Sampler,
    Schedule, Seed, StepContext, Targets, TokenIndex, laws, verify,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Spiral from the border to the centre, ring by ring.
///
/// Each ring is traversed clockwise from its top left corner.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Spiral {
    /// If true, reverses the order, so that it starts in the centre.
    outwards: bool,
}

impl Component for Spiral {
    const KIND: &'static str = "spiral";
    const SOURCE: &'static str = "examples/custom_order.rs";
}

impl Order for Spiral {
    fn partition(&self, grid: Grid) -> Result<Partition, gtr_core::Error> {
        let (height, width) = (grid.height(), grid.width());
        let mut tokens: Vec<TokenIndex> = Vec::with_capacity(grid.tokens());
        for ring in 0..height.min(width).div_ceil(2) {
            let (bottom, right) = (height - 1 - ring, width - 1 - ring);
            tokens.extend((ring..=right).filter_map(|column| grid.at(ring, column)));
            tokens.extend((ring + 1..=bottom).filter_map(|row| grid.at(row, right)));
            if bottom > ring {
                tokens.extend((ring..right).rev().filter_map(|column| grid.at(bottom, column)));
            }
            if right > ring {
                tokens.extend((ring + 1..bottom).rev().filter_map(|row| grid.at(row, ring)));
            }
        }
        if self.outwards {
            tokens.reverse();
        }
        Partition::whole(grid, tokens)
    }
}

/// A model that only records the call in which each token was generated; 0 for an unknown token.
struct Diary {
    grid: Grid,
    calls: u32,
}

impl MaskedGenerator for Diary {
    type Prompt = ();
    type Canvas = Vec<Vec<u32>>;
    type Features = ();
    type Tokens = Vec<f32>;
    type Image = Vec<u32>;
    type Error = Infallible;

    fn grid(&self) -> Grid {
        self.grid
    }

    fn head_kind(&self) -> HeadKind {
        HeadKind::DIFFUSION
    }

    fn canvas(&mut self, prompts: &[()], _guided: bool) -> Result<Vec<Vec<u32>>, Infallible> {
        Ok(vec![vec![0; self.grid.tokens()]; prompts.len()])
    }

    fn features(
        &mut self,
        _canvas: &mut Vec<Vec<u32>>,
        _targets: &Targets,
        _step: &StepContext,
    ) -> Result<(), Infallible> {
        self.calls += 1;
        Ok(())
    }

    fn denoise(&mut self, (): &(), request: &Denoise<'_>) -> Result<Vec<f32>, Infallible> {
        Ok(vec![0.0; request.rows.len()])
    }

    fn commit(&mut self, canvas: &mut Vec<Vec<u32>>, targets: &Targets, _tokens: Vec<f32>) -> Result<(), Infallible> {
        for (image, tokens) in canvas.iter_mut().zip(targets.by_image()) {
            for token in tokens {
                image[token.index()] = self.calls;
            }
        }
        Ok(())
    }

    fn is_known(&self, canvas: &Vec<Vec<u32>>, slot: usize, token: TokenIndex) -> bool {
        canvas[slot][token.index()] > 0
    }

    fn decode(&mut self, canvas: Vec<Vec<u32>>) -> Result<Vec<Vec<u32>>, Infallible> {
        Ok(canvas)
    }
}

#[expect(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let registry = Registry::builtin().with_order::<Spiral>();

    // Check the laws that the built-in implementations are tested with.
    let holds = |law: laws::Law| law.map_err(|broken| broken.to_string());
    for (height, width) in [(1, 1), (1, 9), (5, 4), (8, 8)] {
        holds(laws::order(&Spiral { outwards: false }, Grid::new(height, width)?))?;
        holds(laws::order(&Spiral { outwards: true }, Grid::new(height, width)?))?;
    }
    for entry in registry.orders() {
        holds(laws::is_documented(entry))?;
    }

    let schedule: Schedule = serde_json::from_str(
        r#"{
            "order": { "kind": "spiral" },
            "pace": { "kind": "uniform", "steps": 9 },
            "diffusion": { "kind": "constant", "t": 20 },
            "detail": { "kind": "none" }
        }"#,
    )?;
    let plan = schedule.plan(Grid::new(6, 9)?, &registry)?.plan;
    let verification = verify(&plan.to_document(), &registry);
    assert!(verification.is_sound(), "{:?}", verification.violations);

    let settings = Settings { seed: Seed(0), guidance: Guidance::NONE, temperature: 1.0 };
    let jobs = [Job::new((), ImageIndex(0))];
    let mut diary = Diary { grid: plan.grid(), calls: 0 };
    let images = Sampler::new(&plan, &registry)?.batch(&jobs, &settings).run(&mut diary)?;

    println!("AR step in which each token was generated:");
    for row in images[0].chunks(plan.grid().width() as usize) {
        let cells: Vec<String> = row.iter().map(|step| format!("{step:2}")).collect();
        println!("{}", cells.join(" "));
    }
    Ok(())
}
