//! Roles of stages.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Purpose of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Slow generation of the image content.
    Generation,
    /// Fast generation of the remaining tokens.
    Reconstruction,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generation => "generation",
            Self::Reconstruction => "reconstruction",
        })
    }
}
