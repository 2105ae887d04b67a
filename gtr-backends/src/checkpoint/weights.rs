//! Reads the tensors of a model from a checkpoint and checks that they are complete.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use gtr_kernels::{COLUMNS, PackedShape};

use super::Checkpoint;
use super::packed::{Matrix, Order, Packed, matrix_shape};
use crate::error::Context;
use crate::{BackendError, Compute, Precision};

/// Names and shapes of the tensors of a model.
///
/// The layers of a model declare the tensors that they need. A checkpoint is then compared with the whole layout before any
/// tensor is read, and messages can distinguish a misnamed tensor from a missing one.
#[derive(Clone, Debug, Default)]
pub struct Layout(BTreeMap<String, Vec<usize>>);

impl Layout {
    /// Declares a tensor.
    pub fn add(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.0.insert(name.into(), shape.to_vec());
    }

    /// Changes the name of a declared tensor.
    pub(crate) fn rename(&mut self, name: &str, other: &str) {
        if let Some(shape) = self.0.remove(name) {
            self.0.insert(other.to_owned(), shape);
        }
    }

    /// Names and shapes of all declared tensors.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, &[usize])> {
        self.0.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()))
    }

    /// Total number of values in all declared tensors.
    pub fn parameters(&self) -> usize {
        self.0.values().map(|shape| shape.iter().product::<usize>()).sum()
    }
}

/// Weights of a model, read one tensor at a time.
#[derive(Debug)]
pub struct Weights {
    checkpoint: Checkpoint,
    layout: Layout,
    compute: Compute,
}

impl Weights {
    /// Checks that a checkpoint has exactly the tensors of the layout, with their shapes.
    ///
    /// # Errors
    /// [`BackendError::MissingTensor`], [`BackendError::TensorShape`] or [`BackendError::UnexpectedTensors`]. Each names the
    /// file and the tensor.
    pub fn new(checkpoint: Checkpoint, layout: Layout, compute: impl Into<Compute>) -> Result<Self, BackendError> {
        Self::with_others(checkpoint, layout, |_| false, compute)
    }

    /// Like [`Weights::new`], for a checkpoint with additional tensors: those for which `other` returns true are ignored.
    ///
    /// # Errors
    /// Those of [`Weights::new`].
    pub fn with_others(
        checkpoint: Checkpoint,
        layout: Layout,
        other: impl Fn(&str) -> bool,
        compute: impl Into<Compute>,
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
                    closest: closest(name, &unexpected).map(String::into_boxed_str),
                    hint: checkpoint.hint(name).map(String::into_boxed_str),
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
        Ok(Self { checkpoint, layout, compute: compute.into() })
    }

    /// Device of the weights.
    pub fn device(&self) -> &Device {
        self.compute.device()
    }

    /// Precision of matrices.
    pub fn precision(&self) -> Precision {
        self.compute.precision()
    }

    /// Reads a tensor as f32. Each tensor can be taken once.
    ///
    /// # Errors
    /// [`BackendError::Tensor`] if it cannot be read, is not declared or was taken before;
    /// [`BackendError::NonFiniteWeight`] if it holds a value that is not finite.
    pub fn take(&mut self, name: &str) -> Result<Tensor, BackendError> {
        let shape = self.claim(name)?;
        let values = self.checkpoint.read_f32(name)?;
        let bad = values.iter().position(|value| !value.is_finite());
        bad.map_or(Ok(()), |index| Err(self.not_finite(name, index, values[index])))?;
        Tensor::from_vec(values, shape, self.device()).context("moving weights to the device")
    }

    /// Reads a matrix in the precision of the model. Each tensor can be taken once.
    ///
    /// # Errors
    /// Those of [`Weights::take`]; also [`BackendError::NonFiniteWeight`] for a value that overflows in the precision.
    pub fn take_matrix(&mut self, name: &str) -> Result<Tensor, BackendError> {
        let shape = self.claim(name)?;
        let matrix = Matrix { shape: matrix_shape(&shape), first: 0, order: Order::Rows };
        let precision = self.precision();
        let packed = self.checkpoint.decode(name, |dtype, bytes| matrix.pack(dtype, bytes, precision))?;
        self.tensor(name, packed, &shape)
    }

    /// Number of rows of a declared matrix; 0 if it is not declared.
    pub(crate) fn rows(&self, name: &str) -> usize {
        self.layout.0.get(name).and_then(|shape| shape.first()).copied().unwrap_or(0)
    }

    /// Like [`Weights::take_matrix`], for a matrix `[outputs, inputs]` used by [`crate::product::linear`].
    pub(crate) fn take_linear(&mut self, name: &str) -> Result<Tensor, BackendError> {
        let [rows, columns] = matrix_shape(&self.claim(name)?);
        let (precision, order) = (self.precision(), self.order());
        let matrix = Matrix { shape: [rows, columns], first: 0, order };
        let packed = self.checkpoint.decode(name, |dtype, bytes| matrix.pack(dtype, bytes, precision))?;
        self.tensor(name, packed, &linear_shape(order, rows, columns))
    }

    /// Like [`Weights::take_linear`], split into the first `rows` outputs and the others.
    pub(crate) fn take_linear_parts(&mut self, name: &str, rows: usize) -> Result<(Tensor, Tensor), BackendError> {
        let [all, columns] = matrix_shape(&self.claim(name)?);
        let rest = all.saturating_sub(rows);
        let (precision, order) = (self.precision(), self.order());
        let part = |first: usize, rows: usize| Matrix { shape: [rows, columns], first, order };
        let (first, second) = self.checkpoint.decode(name, |dtype, bytes| {
            (part(0, rows).pack(dtype, bytes, precision), part(rows, rest).pack(dtype, bytes, precision))
        })?;
        let shape = |rows| linear_shape(order, rows, columns);
        Ok((self.tensor(name, first, &shape(rows))?, self.tensor(name, second, &shape(rest))?))
    }

    /// Order of the weights in matrix products on this device.
    fn order(&self) -> Order {
        if self.device().is_cpu() { Order::Blocks } else { Order::Columns }
    }

    /// Removes a tensor from the layout and returns its shape.
    fn claim(&mut self, name: &str) -> Result<Vec<usize>, BackendError> {
        self.layout.0.remove(name).ok_or_else(|| BackendError::Tensor {
            file: self.checkpoint.name().to_owned(),
            name: name.to_owned(),
            reason: "the model has not declared it, or has already taken it".to_owned(),
        })
    }

    fn tensor(
        &self,
        name: &str,
        packed: Result<Packed, (usize, f32)>,
        shape: &[usize],
    ) -> Result<Tensor, BackendError> {
        let packed = packed.map_err(|(index, value)| self.not_finite(name, index, value))?;
        packed.tensor(shape, self.device()).context("moving weights to the device")
    }

    fn not_finite(&self, name: &str, index: usize, value: f32) -> BackendError {
        BackendError::NonFiniteWeight { file: self.checkpoint.name().to_owned(), name: name.to_owned(), index, value }
    }

    /// Returns the names of declared tensors that were not taken. Empty unless a model declares unused tensors.
    pub fn finish(self) -> Vec<String> {
        self.layout.0.into_keys().collect()
    }
}

/// Shape of the weights of a linear layer in an order.
fn linear_shape(order: Order, outputs: usize, inputs: usize) -> Vec<usize> {
    match order {
        Order::Rows => vec![outputs, inputs],
        Order::Columns => vec![inputs, outputs],
        Order::Blocks => vec![PackedShape { inputs, outputs }.blocks(), inputs, COLUMNS],
    }
}

/// Returns the most similar of `names`, if its Jaro-Winkler similarity exceeds 0.8.
fn closest(name: &str, names: &[&str]) -> Option<String> {
    let similarity = |other: &str| strsim::jaro_winkler(name, other);
    let best = names.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)))?;
    (similarity(best) > 0.8).then(|| (*best).to_owned())
}
