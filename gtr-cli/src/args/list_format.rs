//! Output format of lists and summaries.

use clap::ValueEnum;

/// Output format of a list or a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// Text.
    Text,
    /// JSON.
    Json,
}
