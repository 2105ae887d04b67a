//! Arguments of `convert`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_backends::checkpoint::Dtype;

/// Convert a checkpoint to safetensors.
///
/// At most one tensor is in memory at a time.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConvertArgs {
    /// Checkpoint to convert: .pth, .ckpt or .safetensors.
    #[arg(value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Safetensors file to write.
    #[arg(value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Section of the checkpoint; `whole` is the outermost [default: the averaged weights, or the raw weights if there are no
    /// averaged ones].
    #[arg(long, value_name = "NAME")]
    pub(crate) section: Option<String>,
    /// Type of the converted weights [default: unchanged].
    #[arg(long, value_enum, value_name = "TYPE")]
    pub(crate) dtype: Option<DtypeName>,
}

/// Type of converted weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DtypeName {
    /// 32 bits.
    F32,
    /// 16 bits with the range of f32.
    Bf16,
    /// 16 bits with more precision than bf16; largest value 65504.
    F16,
}

impl From<DtypeName> for Dtype {
    fn from(name: DtypeName) -> Self {
        match name {
            DtypeName::F32 => Self::F32,
            DtypeName::Bf16 => Self::Bf16,
            DtypeName::F16 => Self::F16,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  gtr-cli convert checkpoint-last.pth mar-h.safetensors
  gtr-cli convert checkpoint-last.pth mar-h-bf16.safetensors --dtype bf16
  gtr-cli convert lightgen.pth lightgen.safetensors --section model";
