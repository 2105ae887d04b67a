//! Arguments of `convert`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gtr_backends::checkpoint::Dtype;

/// Convert a checkpoint to safetensors, tensor by tensor.
///
/// No more than one tensor is in memory at a time.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConvertArgs {
    /// The checkpoint: .pth, .ckpt or .safetensors.
    #[arg(value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The safetensors file to write.
    #[arg(value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// The section of the checkpoint, `whole` for the outermost [default: the averaged weights, else the raw ones, as names
    /// tell].
    #[arg(long, value_name = "NAME")]
    pub(crate) section: Option<String>,
    /// Type of the weights [default: as they are].
    #[arg(long, value_enum, value_name = "TYPE")]
    pub(crate) dtype: Option<DtypeName>,
}

/// A type of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DtypeName {
    /// 32 bits.
    F32,
    /// 16 bits with the range of f32.
    Bf16,
    /// 16 bits, up to 65504.
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
