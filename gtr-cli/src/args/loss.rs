//! Argument for the field on which losses are computed.

use clap::Args;
use gtr_lab::losses::Losses;

use crate::error::CliError;

/// Argument for the field on which losses are computed.
#[derive(Debug, Args)]
pub(crate) struct LossArgs {
    /// Field for losses: a kernel (exponential, matern-3/2 or gaussian) with its length in tokens and its nugget (share of
    /// independent noise, 0 to 1), or a file written by `field` [default: the field of the model if it has one, otherwise
    /// exponential:2:0.01].
    #[arg(long, value_name = "KIND:LENGTH[:NUGGET]|FILE")]
    pub(crate) field: Option<String>,
}

impl LossArgs {
    /// Prepares losses on the field, or on the field of the model.
    pub(crate) fn losses(&self, model: Option<&str>) -> Result<Losses, CliError> {
        Ok(Losses::new(self.field.as_deref(), model)?)
    }
}
