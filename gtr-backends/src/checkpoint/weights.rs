//! From a checkpoint to the tensors of a model, complete and checked.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::Checkpoint;
use crate::BackendError;
use crate::error::Context;

/// The tensors that a model consists of: names and shapes.
///
/// The layers of a model declare what they need, so that a checkpoint can be compared as a whole before anything is read
/// from it, and a misnamed tensor can be told from a missing one.
#[derive(Clone, Debug, Default)]
pub struct Layout(BTreeMap<String, Vec<usize>>);

impl Layout {
    /// Declares a tensor.
    pub fn add(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.0.insert(name.into(), shape.to_vec());
    }

    /// All names and shapes.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, &[usize])> {
        self.0.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()))
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.0.values().map(|shape| shape.iter().product::<usize>()).sum()
    }
}

/// The weights of a model, handed out one tensor at a time.
#[derive(Debug)]
pub struct Weights {
    checkpoint: Checkpoint,
    layout: Layout,
    device: Device,
}

impl Weights {
    /// Compares a checkpoint with what a model needs: every tensor with its shape, and no others.
    ///
    /// # Errors
    /// [`BackendError::MissingTensor`], [`BackendError::TensorShape`] or [`BackendError::UnexpectedTensors`], each naming
    /// the file and the tensor.
    pub fn new(checkpoint: Checkpoint, layout: Layout, device: &Device) -> Result<Self, BackendError> {
        Self::with_others(checkpoint, layout, |_| false, device)
    }

    /// As [`Weights::new`], for a checkpoint that holds more than the model: `other` tells the names of what is left alone.
    ///
    /// # Errors
    /// As [`Weights::new`].
    pub fn with_others(
        checkpoint: Checkpoint,
        layout: Layout,
        other: impl Fn(&str) -> bool,
        device: &Device,
    ) -> Result<Self, BackendError> {
        let file = || checkpoint.name().to_owned();
        let unexpected: Vec<&str> = checkpoint
            .tensors()
            .map(|(name, _)| name)
            .filter(|name| !layout.0.contains_key(*name) && !other(name))
            .collect();
        for (name, expected) in &layout.0 {
            let Some(info) = checkpoint.info(name) else {
                return Err(BackendError::MissingTensor {
                    file: file(),
                    name: name.clone(),
                    expected: expected.clone(),
                    closest: closest(name, &unexpected),
                });
            };
            if info.dtype.is_some() && info.shape != *expected {
                let (name, found, expected) = (name.clone(), info.shape.clone(), expected.clone());
                return Err(BackendError::TensorShape { file: file(), name, found, expected });
            }
        }
        if let Some(first) = unexpected.first() {
            let (count, first) = (unexpected.len(), (*first).to_owned());
            return Err(BackendError::UnexpectedTensors { file: file(), count, first });
        }
        Ok(Self { checkpoint, layout, device: device.clone() })
    }

    /// Where the weights are put.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Reads a tensor; each can be had once.
    ///
    /// # Errors
    /// [`BackendError::Tensor`] if it can not be read or was not declared, [`BackendError::NonFiniteWeight`] if it holds a
    /// value that is not a finite number.
    pub fn take(&mut self, name: &str) -> Result<Tensor, BackendError> {
        let file = self.checkpoint.name().to_owned();
        let Some(shape) = self.layout.0.remove(name) else {
            let reason = "the model has not declared it, or has it already".to_owned();
            return Err(BackendError::Tensor { file, name: name.to_owned(), reason });
        };
        let values = self.checkpoint.read_f32(name)?;
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let value = values[index];
            return Err(BackendError::NonFiniteWeight { file, name: name.to_owned(), index, value });
        }
        Tensor::from_vec(values, shape, &self.device).context("moving weights to the device")
    }

    /// The declared tensors that nothing has taken: none, unless a model declares what it does not use.
    pub fn finish(self) -> Vec<String> {
        self.layout.0.into_keys().collect()
    }
}

/// The most similar of `names`, if one is similar at all.
fn closest(name: &str, names: &[&str]) -> Option<String> {
    let similarity = |other: &str| strsim::jaro_winkler(name, other);
    let best = names.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)))?;
    (similarity(best) > 0.8).then(|| (*best).to_owned())
}
