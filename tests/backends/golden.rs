//! Reads recordings.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use gtr_backends::checkpoint::{Checkpoint, WeightLayout};
use gtr_backends::mar::{MarConfig, MarGenerator, MarModel};
use serde_json::Value;

pub(crate) fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "golden", name].iter().collect()
}

/// A recording: its tensors and its JSON description.
pub(crate) struct Golden {
    pub name: String,
    pub json: Value,
    tensors: HashMap<String, Tensor>,
}

impl Golden {
    /// Opens a recording; `name` is the path below `tests/golden` without extension.
    pub(crate) fn open(name: &str) -> Self {
        let text = std::fs::read_to_string(path(&format!("{name}.json"))).unwrap();
        let tensors = candle_core::safetensors::load(path(&format!("{name}.safetensors")), &Device::Cpu).unwrap();
        Self { name: name.to_owned(), json: serde_json::from_str(&text).unwrap(), tensors }
    }

    pub(crate) fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no tensor {name}", self.name))
    }

    pub(crate) fn f32s(&self, name: &str) -> Vec<f32> {
        floats(self.tensor(name))
    }

    /// Reads integers: classes, timesteps, orders.
    pub(crate) fn u32s(&self, name: &str) -> Vec<u32> {
        self.tensor(name).to_dtype(DType::U32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Returns a number of the description.
    pub(crate) fn number(&self, pointer: &str) -> f64 {
        self.json.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{} has no {pointer}", self.name))
    }
}

pub(crate) fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Returns the masked and the known positions of an f32 mask (1 = masked), ascending.
pub(crate) fn positions(mask: &[f32]) -> (Vec<u32>, Vec<u32>) {
    let all = 0..u32::try_from(mask.len()).unwrap();
    all.partition(|&position| mask[position as usize] > 0.5)
}

/// Returns the tiny model of the recordings, which has random weights.
pub(crate) fn tiny() -> MarGenerator {
    tiny_from(Checkpoint::open(&path("mar_tiny/weights.safetensors")).unwrap())
}

pub(crate) fn tiny_config() -> MarConfig {
    MarConfig::parse("mar_tiny", &Golden::open("mar_tiny/weights").json["config"].to_string()).unwrap()
}

pub(crate) fn tiny_from(checkpoint: Checkpoint) -> MarGenerator {
    let section = checkpoint.section().clone();
    MarGenerator::new(MarModel::load(&tiny_config(), checkpoint, &Device::Cpu).unwrap(), section)
}

/// Returns the largest absolute difference between two lists.
pub(crate) fn distance(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).fold(0.0, |largest, (found, expected)| {
        let difference = f64::from((found - expected).abs());
        if difference.is_nan() { f64::INFINITY } else { largest.max(difference) }
    })
}

#[track_caller]
pub(crate) fn assert_near(what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
    assert_eq!(found.dims(), expected.dims(), "shape of {what}");
    let distance = distance(&floats(found), &floats(expected));
    assert!(distance <= tolerance, "{what}: differs by {distance:e}, at most {tolerance:e} is allowed");
}

/// Writes the tensors of a layout with random values.
pub(crate) fn write_random(layout: &WeightLayout, seed: u64, file: &Path) {
    candle_core::safetensors::save(&random_tensors(layout, seed), file).unwrap();
}

/// Returns the tensors of a layout with random values.
pub(crate) fn random_tensors(layout: &WeightLayout, seed: u64) -> HashMap<String, Tensor> {
    let mut checkpoint = Checkpoint::random("test", layout, seed);
    let mut tensor = |(name, shape): (&str, &[usize])| {
        let values = checkpoint.read_f32(name).unwrap();
        (name.to_owned(), Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
    };
    layout.tensors().map(&mut tensor).collect()
}
