//! A recording: a JSON description and a file of tensors. Both are untrusted input.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use gtr_core::unmarked;
use serde_json::Value;

use crate::checkpoint::{Checkpoint, TensorInfo, Wanted};
use crate::error::Context;
use crate::{BackendError, Compute};

/// Largest accepted description, in bytes.
const LARGEST_JSON: u64 = 64 << 20;
/// Ratio of the tolerance to the recorded rounding noise.
const NOISE_FACTOR: f64 = 10.0;

pub(super) struct Recording {
    /// Path without the file extension, for messages.
    pub(super) name: String,
    pub(super) json: Value,
    tensors: Option<RefCell<Checkpoint>>,
    used: RefCell<BTreeSet<String>>,
    /// Device of the tensors that are read.
    compute: Compute,
}

impl Recording {
    /// Opens `path.json`, and `path.safetensors` if it exists. Its tensors are read to the device.
    pub(super) fn open(path: &Path, compute: &Compute) -> Result<Self, BackendError> {
        let (json, tensors) = (ending(path, "json"), ending(path, "safetensors"));
        let value = if json.exists() { read_json(&json)? } else { Value::Null };
        let tensors = tensors.exists().then(|| Checkpoint::open_section(&tensors, &Wanted::AsWritten)).transpose()?;
        Ok(Self {
            name: path.display().to_string(),
            json: value,
            tensors: tensors.map(RefCell::new),
            used: RefCell::default(),
            compute: compute.clone(),
        })
    }

    pub(super) fn wrong(&self, reason: impl Into<String>) -> BackendError {
        BackendError::Recording { file: self.name.clone(), reason: reason.into() }
    }

    fn tensor_wrong(&self, name: &str, reason: impl Into<String>) -> BackendError {
        let file = format!("{}.safetensors", self.name);
        BackendError::Tensor { file, name: name.to_owned(), reason: reason.into() }
    }

    fn checkpoint(&self) -> Result<RefMut<'_, Checkpoint>, BackendError> {
        match &self.tensors {
            Some(checkpoint) => Ok(checkpoint.borrow_mut()),
            None => Err(self.wrong("there is no `.safetensors` file next to it")),
        }
    }

    /// Names of all tensors.
    pub(super) fn names(&self) -> Result<Vec<String>, BackendError> {
        Ok(self.checkpoint()?.tensors().map(|(name, _)| name.to_owned()).collect())
    }

    /// Returns the parts `X` of all names `{prefix}X{suffix}`.
    pub(super) fn between(&self, prefix: &str, suffix: &str) -> Result<Vec<String>, BackendError> {
        let names = self.names()?;
        let part = |name: &String| name.strip_prefix(prefix)?.strip_suffix(suffix).map(str::to_owned);
        Ok(names.iter().filter_map(part).collect())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.checkpoint().is_ok_and(|checkpoint| checkpoint.info(name).is_some())
    }

    /// Marks a tensor as used.
    pub(super) fn skip(&self, name: &str) {
        self.used.borrow_mut().insert(name.to_owned());
    }

    /// Names of the unused tensors.
    pub(super) fn unused(&self) -> Vec<String> {
        let used = self.used.borrow();
        self.names().unwrap_or_default().into_iter().filter(|name| !used.contains(name)).collect()
    }

    fn info(&self, name: &str) -> Result<TensorInfo, BackendError> {
        let checkpoint = self.checkpoint()?;
        let info = checkpoint.info(name).cloned().ok_or_else(|| self.tensor_wrong(name, "there is no such tensor"))?;
        self.skip(name);
        Ok(info)
    }

    /// Returns the shape of a tensor with `N` dimensions.
    pub(super) fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N], BackendError> {
        let shape = self.info(name)?.shape;
        let reason = || format!("expected {N} dimensions, found the shape {shape:?}");
        <[usize; N]>::try_from(&shape[..]).map_err(|_| self.tensor_wrong(name, reason()))
    }

    /// Reads a tensor of any shape as f32.
    pub(super) fn tensor(&self, name: &str) -> Result<Tensor, BackendError> {
        let info = self.info(name)?;
        let values = self.checkpoint()?.read_f32(name)?;
        Tensor::from_vec(values, info.shape, self.compute.device()).context("reading a recording")
    }

    /// Reads a tensor of a known shape as f32.
    pub(super) fn shaped(&self, name: &str, expected: &[usize]) -> Result<Tensor, BackendError> {
        let found = self.info(name)?.shape;
        if found != expected {
            let (file, expected) = (format!("{}.safetensors", self.name), expected.to_vec());
            return Err(BackendError::TensorShape { file, name: name.to_owned(), found, expected });
        }
        self.tensor(name)
    }

    /// Reads all values of a tensor as f64.
    pub(super) fn f64s(&self, name: &str) -> Result<Vec<f64>, BackendError> {
        self.info(name)?;
        self.checkpoint()?.read_f64(name)
    }

    /// Reads all values of a tensor of integers below 2^24.
    pub(super) fn whole(&self, name: &str) -> Result<Vec<usize>, BackendError> {
        let wrong = |value| self.tensor_wrong(name, format!("{value} is not an integer below 2^24"));
        self.f64s(name)?.into_iter().map(|value| whole(value).ok_or_else(|| wrong(value))).collect()
    }

    /// Like [`Recording::whole`], as u32.
    pub(super) fn u32s(&self, name: &str) -> Result<Vec<u32>, BackendError> {
        let values = self.whole(name)?;
        Ok(values.into_iter().filter_map(|value| u32::try_from(value).ok()).collect())
    }

    /// Returns the value of the description at a JSON pointer.
    pub(super) fn value(&self, pointer: &str) -> Result<&Value, BackendError> {
        self.json.pointer(pointer).ok_or_else(|| self.wrong(format!("its description has no `{pointer}`")))
    }

    /// Returns a finite number of the description.
    pub(super) fn number(&self, pointer: &str) -> Result<f64, BackendError> {
        let value = self.value(pointer)?;
        let wrong = || self.wrong(format!("`{pointer}` of its description is {}, not a number", short(value)));
        value.as_f64().filter(|value| value.is_finite()).ok_or_else(wrong)
    }

    /// Returns the recorded rounding noise of a quantity (`state/part` if it is nested), or of the whole recording.
    pub(super) fn noise(&self, quantity: &str) -> Option<f64> {
        let (_, noise) = self.json.as_object()?.iter().find(|(key, _)| key.starts_with("f32_rounding_noise"))?;
        let noise = quantity.split('/').try_fold(noise, |noise, part| noise.get(part)).unwrap_or(noise);
        let noise = noise.get("max_abs_err").unwrap_or(noise).as_f64()?;
        (noise.is_finite() && noise >= 0.0).then_some(noise)
    }

    /// Returns `least`, or ten times the recorded rounding noise if that is larger.
    pub(super) fn tolerance_of(&self, quantity: &str, least: f64) -> f64 {
        self.noise(quantity).map_or(least, |noise| least.max(NOISE_FACTOR * noise))
    }

    /// Returns ten times the recorded rounding noise of the result of chains. If none is recorded, returns a thousandth
    /// of the largest absolute value.
    pub(super) fn chain_tolerance(&self, quantity: &str, expected: &Tensor) -> Result<f64, BackendError> {
        match self.noise(quantity) {
            Some(noise) => Ok(NOISE_FACTOR * noise),
            None => Ok(1e-3 * magnitude(expected)?),
        }
    }
}

/// Appends a file extension to a path. A dot in the file name does not start an extension.
pub(super) fn ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

/// Returns the largest absolute value.
pub(super) fn magnitude(tensor: &Tensor) -> Result<f64, BackendError> {
    let largest = tensor.flatten_all().and_then(|values| values.to_vec1::<f32>()).context("reading a recording")?;
    Ok(largest.iter().fold(0.0_f64, |largest, value| largest.max(f64::from(value.abs()))))
}

/// Converts an integer from 0 to 2^24 - 1.
pub(super) fn whole(value: f64) -> Option<usize> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    (value.fract() == 0.0 && (0.0..16_777_216.0).contains(&value)).then_some(value as usize)
}

pub(super) fn whole_list(value: &Value) -> Option<Vec<usize>> {
    value.as_array()?.iter().map(|value| value.as_f64().and_then(whole)).collect()
}

/// Returns the number of steps of a respacing, given as a number or a string; `None` for lists and other kinds.
pub(super) fn plain_respacing(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => u32::try_from(other.as_u64()?).ok(),
    }
}

/// Formats a JSON value in at most 43 characters.
pub(super) fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 40 { text.chars().take(40).chain("...".chars()).collect() } else { text }
}

fn read_json(path: &Path) -> Result<Value, BackendError> {
    let read = |source| BackendError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(read)?;
    file.take(LARGEST_JSON + 1).read_to_string(&mut text).map_err(read)?;
    let wrong = |reason: String| BackendError::Recording { file: path.display().to_string(), reason };
    if text.len() as u64 > LARGEST_JSON {
        return Err(wrong(format!("it is larger than {LARGEST_JSON} bytes")));
    }
    let text = unmarked(text.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_slice(text).map_err(|error| wrong(format!("it is not JSON: {error}")))
}
