//! The field that losses are computed on.

use clap::Args;
use gtr_lab::losses::Losses;

use crate::error::CliError;

/// What losses are computed on.
#[derive(Debug, Args)]
pub(crate) struct LossArgs {
    /// Compute losses on this field: a kernel (exponential, matern-3/2 or gaussian), its length in cells and its nugget, the
    /// share that a token has to itself; or a file of `field` [default: the model's own if it has one, else
    /// exponential:2:0.01].
    #[arg(long, value_name = "KIND:LENGTH[:NUGGET]|FILE")]
    pub(crate) field: Option<String>,
}

impl LossArgs {
    /// Losses on the field, for a model if there is one.
    pub(crate) fn losses(&self, model: Option<&str>) -> Result<Losses, CliError> {
        Ok(Losses::new(self.field.as_deref(), model)?)
    }
}
