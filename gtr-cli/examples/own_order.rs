//! The command line with a custom order: `--order spiral` has its own flag and help, and can be planned, verified and sampled.
//!
//! ```sh
//! cargo run -p gtr-cli --example own_order -- plan --grid 6x9 --order spiral --outwards true --seed 0
//! ```

use std::ffi::OsString;
use std::process::ExitCode;

use gtr_core::{Component, Error, Grid, Order, Partition, Registry, TokenIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ring by ring, from the border to the centre.
///
/// Each ring runs clockwise from its top left corner.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Spiral {
    /// Start in the centre instead.
    outwards: bool,
}

impl Component for Spiral {
    const KIND: &'static str = "spiral";
    const SOURCE: &'static str = "gtr-cli/examples/own_order.rs";
}

impl Order for Spiral {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
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

/// Runs a command line. The first word is the name of the program.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    gtr_cli::run(Registry::builtin().with_order::<Spiral>(), gtr_backends::Families::builtin(), args)
}

fn main() -> ExitCode {
    run(std::env::args_os())
}
