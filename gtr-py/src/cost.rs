//! The cost of a plan on an architecture.

use gtr_core::cost::{ArchSpec, Cost, HeadSpec, StackSpec, TextSpec};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Deserialize;

/// The dictionary form of an architecture.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Architecture {
    token_channels: usize,
    buffer: usize,
    encoder: Stack,
    decoder: Stack,
    #[serde(default)]
    text: Option<Text>,
    head: Head,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stack {
    width: usize,
    depth: usize,
    hidden: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    length: usize,
    channels: usize,
    aligner: Stack,
    decoder: Stack,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    width: usize,
    depth: usize,
}

impl From<Stack> for StackSpec {
    fn from(Stack { width, depth, hidden }: Stack) -> Self {
        Self { width, depth, hidden }
    }
}

/// Reads an architecture from JSON.
pub(crate) fn architecture(json: &str) -> PyResult<ArchSpec> {
    let wrong = |error: serde_json::Error| PyValueError::new_err(format!("invalid architecture: {error}"));
    let read: Architecture = serde_json::from_str(json).map_err(wrong)?;
    let text = |Text { length, channels, aligner, decoder }| TextSpec {
        length,
        channels,
        aligner: aligner.into(),
        decoder: decoder.into(),
    };
    let spec = ArchSpec {
        token_channels: read.token_channels,
        buffer: read.buffer,
        encoder: read.encoder.into(),
        decoder: read.decoder.into(),
        text: read.text.map(text),
        head: HeadSpec { width: read.head.width, depth: read.head.depth },
    };
    if sizes(&spec).any(|size| size > LARGEST) {
        return Err(PyValueError::new_err(format!("invalid architecture: a size must be 0 to {LARGEST}")));
    }
    Ok(spec)
}

/// Largest accepted size. Larger sizes are mistakes, and their products would overflow.
const LARGEST: usize = 1 << 24;

fn sizes(spec: &ArchSpec) -> impl Iterator<Item = usize> {
    let stack = |stack: StackSpec| [stack.width, stack.depth, stack.hidden];
    let text = spec.text.map(|text| [[text.length, text.channels, 0], stack(text.aligner), stack(text.decoder)]);
    [[spec.token_channels, spec.buffer, 0], stack(spec.encoder), stack(spec.decoder)]
        .into_iter()
        .chain(text.into_iter().flatten())
        .chain([[spec.head.width, spec.head.depth, 0]])
        .flatten()
}

/// Returns the parts of a cost by name, and their total.
pub(crate) fn parts(cost: &Cost) -> [(&'static str, f64); 6] {
    [
        ("encoder", cost.encoder),
        ("decoder", cost.decoder),
        ("attention", cost.attention),
        ("text", cost.text),
        ("head", cost.head),
        ("total", cost.total()),
    ]
}
