//! Reads the tensors of a model from a checkpoint and checks that they are complete.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use gtr_kernels::{COLUMNS, PackedShape};

use super::packed::{Matrix, PackOrder, Packed, matrix_shape};
use super::{Checkpoint, Dtype};
use crate::error::Context;
use crate::{BackendError, Compute, ComputePath, Precision};

/// Names and shapes of the tensors of a model.
///
/// The function that loads a model runs twice, first to collect the tensors that it takes ([`WeightLayout::of`]). A
/// checkpoint is then compared with the whole layout before any tensor is read, and messages can distinguish a misnamed
/// tensor from a missing one.
#[derive(Clone, Debug, Default)]
pub struct WeightLayout(BTreeMap<String, Vec<usize>>);

impl WeightLayout {
    /// Collects the tensors that `build` takes.
    ///
    /// # Errors
    /// The error of `build`, or a failure of the tensor library.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::checkpoint::{WeightLayout, Weights};
    /// let layout = WeightLayout::of(|weights: &mut Weights| weights.take("norm.weight", &[8]))?;
    /// assert_eq!((layout.tensors().len(), layout.parameters()), (1, 8));
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn of<T>(build: impl FnOnce(&mut Weights) -> Result<T, BackendError>) -> Result<Self, BackendError> {
        let mut weights = Weights { source: Source::Collect(Self::default()), compute: (&Device::Cpu).into() };
        build(&mut weights)?;
        Ok(match weights.source {
            Source::Collect(layout) | Source::Read { left: layout, .. } => layout,
        })
    }

    /// Adds a tensor.
    pub fn add(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.0.insert(name.into(), shape.to_vec());
    }

    /// Names and shapes of all tensors.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, &[usize])> {
        self.0.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()))
    }

    /// Total number of values in all tensors.
    pub fn parameters(&self) -> usize {
        self.0.values().map(|shape| shape.iter().product::<usize>()).sum()
    }
}

/// Weights of a model, read one tensor at a time.
#[derive(Debug)]
pub struct Weights {
    source: Source,
    compute: Compute,
}

/// Source of tensors.
#[derive(Debug)]
enum Source {
    /// None: names and shapes are collected, and all tensors are placeholders.
    Collect(WeightLayout),
    /// A checkpoint that has all tensors.
    Read {
        checkpoint: Box<Checkpoint>,
        /// Tensors that were not taken yet.
        left: WeightLayout,
    },
}

impl Weights {
    /// Loads a model with `build`, which takes the tensors of the model. The checkpoint must have exactly these
    /// tensors.
    ///
    /// # Errors
    /// [`BackendError::MissingTensor`], [`BackendError::TensorShape`] or [`BackendError::UnexpectedTensors`]. Each
    /// names the file and the tensor. Otherwise the error of `build`.
    pub fn load<T>(
        checkpoint: Checkpoint,
        compute: impl Into<Compute>,
        build: impl Fn(&mut Self) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        Self::load_among(checkpoint, |_| false, compute, build)
    }

    /// Like [`Weights::load`], from a checkpoint with additional tensors: those for which `other` returns true are
    /// ignored.
    ///
    /// # Errors
    /// Those of [`Weights::load`].
    pub fn load_among<T>(
        checkpoint: Checkpoint,
        other: impl Fn(&str) -> bool,
        compute: impl Into<Compute>,
        build: impl Fn(&mut Self) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let layout = WeightLayout::of(&build)?;
        let mut weights = Self::new(checkpoint, layout, other, compute)?;
        build(&mut weights)
    }

    /// Checks that a checkpoint has exactly the tensors of `layout`; those for which `other` returns true are ignored.
    ///
    /// # Errors
    /// Those of [`Weights::load`].
    pub(crate) fn new(
        checkpoint: Checkpoint,
        layout: WeightLayout,
        other: impl Fn(&str) -> bool,
        compute: impl Into<Compute>,
    ) -> Result<Self, BackendError> {
        compare(&checkpoint, &layout, other)?;
        Ok(Self { source: Source::Read { checkpoint: Box::new(checkpoint), left: layout }, compute: compute.into() })
    }

    /// Device of the weights.
    pub fn device(&self) -> &Device {
        self.compute.device()
    }

    /// Precision of matrices.
    pub fn precision(&self) -> Precision {
        self.compute.precision()
    }

    /// Device, precision and path of the model.
    pub(crate) fn compute(&self) -> &Compute {
        &self.compute
    }

    /// How the operations of the model are computed.
    pub(crate) fn path(&self) -> ComputePath {
        self.compute.path()
    }

    /// Loads a part of the model whose matrices are f32 in every precision.
    pub(crate) fn in_f32<T>(
        &mut self,
        load: impl FnOnce(&mut Self) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let compute = self.compute.clone();
        self.compute = compute.clone().with_precision(Precision::F32);
        let loaded = load(self);
        self.compute = compute;
        loaded
    }

    /// Reads a tensor of this shape as f32. Each tensor can be taken once.
    ///
    /// # Errors
    /// [`BackendError::Tensor`] if it cannot be read or was taken before; [`BackendError::NonFiniteWeight`] if it has a
    /// value that is not finite.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, BackendError> {
        let device = self.device().clone();
        let Some(checkpoint) = self.claim(name, shape)? else { return placeholder(shape) };
        let values = checkpoint.read_f32(name)?;
        let bad = values.iter().position(|value| !value.is_finite());
        bad.map_or(Ok(()), |index| Err(not_finite(checkpoint, name, (index, values[index]))))?;
        Tensor::from_vec(values, shape, &device).context("moving weights to the device")
    }

    /// Reads a matrix in the precision of the model. Each tensor can be taken once.
    ///
    /// # Errors
    /// Those of [`Weights::take`]; also [`BackendError::NonFiniteWeight`] for a value that overflows in the precision.
    pub fn take_matrix(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, BackendError> {
        let matrix = Matrix { shape: matrix_shape(shape), first: 0, order: PackOrder::Rows };
        let [tensor] = self.pack(name, shape, &[(matrix, shape.to_vec())])?;
        Ok(tensor)
    }

    /// Like [`Weights::take_matrix`], for a matrix `[outputs, inputs]` used by [`ComputePath::linear`].
    pub(crate) fn take_linear(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, BackendError> {
        let rows = matrix_shape(shape)[0];
        let [tensor] = self.pack(name, shape, &[self.linear(shape, 0, rows)])?;
        Ok(tensor)
    }

    /// Like [`Weights::take_linear`], split into the first `rows` outputs and the others.
    pub(crate) fn take_linear_parts(
        &mut self,
        name: &str,
        shape: &[usize],
        rows: usize,
    ) -> Result<(Tensor, Tensor), BackendError> {
        let rest = matrix_shape(shape)[0].saturating_sub(rows);
        let [first, second] = self.pack(name, shape, &[self.linear(shape, 0, rows), self.linear(shape, rows, rest)])?;
        Ok((first, second))
    }

    /// Computes a value from tensors that were taken. Returns nothing while names are collected.
    pub(crate) fn computed(
        &self,
        compute: impl FnOnce() -> Result<Tensor, BackendError>,
    ) -> Result<Tensor, BackendError> {
        match self.source {
            Source::Collect(_) => placeholder(&[0]),
            Source::Read { .. } => compute(),
        }
    }

    /// Returns the packing of some rows of a matrix for a matrix product, and the shape of the packed tensor.
    fn linear(&self, shape: &[usize], first: usize, rows: usize) -> (Matrix, Vec<usize>) {
        let order = match self.path() {
            ComputePath::Host => PackOrder::Blocks,
            ComputePath::Device => PackOrder::Columns,
        };
        let columns = matrix_shape(shape)[1];
        (Matrix { shape: [rows, columns], first, order }, linear_shape(order, rows, columns))
    }

    /// Reads a tensor once and packs matrices from it.
    fn pack<const N: usize>(
        &mut self,
        name: &str,
        shape: &[usize],
        parts: &[(Matrix, Vec<usize>); N],
    ) -> Result<[Tensor; N], BackendError> {
        let (precision, device) = (self.precision(), self.device().clone());
        let tensors: Vec<Tensor> = if let Some(checkpoint) = self.claim(name, shape)? {
            let pack = |dtype: Dtype, bytes: &[u8]| -> Vec<_> {
                parts.iter().map(|(matrix, shape)| (matrix.pack(dtype, bytes, precision), shape)).collect()
            };
            let packed = checkpoint.decode(name, pack)?;
            let tensor = |(packed, shape): (Result<Packed, (usize, f32)>, &Vec<usize>)| {
                let packed = packed.map_err(|bad| not_finite(checkpoint, name, bad))?;
                packed.tensor(shape, &device).context("moving weights to the device")
            };
            packed.into_iter().map(tensor).collect::<Result<_, _>>()?
        } else {
            parts.iter().map(|(_, shape)| placeholder(shape)).collect::<Result<_, _>>()?
        };
        tensors
            .try_into()
            .map_err(|_| BackendError::Request(format!("`{name}` was packed into the wrong number of parts")))
    }

    /// Marks a tensor as taken and returns its checkpoint; `None` while names are collected.
    fn claim(&mut self, name: &str, shape: &[usize]) -> Result<Option<&mut Checkpoint>, BackendError> {
        match &mut self.source {
            Source::Collect(layout) => {
                layout.add(name, shape);
                Ok(None)
            }
            Source::Read { checkpoint, left } => match left.0.remove(name) {
                Some(declared) if declared == shape => Ok(Some(checkpoint)),
                _ => Err(BackendError::Tensor {
                    file: checkpoint.name().to_owned(),
                    name: name.to_owned(),
                    reason: "the model has not declared it, or has already taken it".to_owned(),
                }),
            },
        }
    }
}

/// Refuses a checkpoint that does not have exactly the tensors of `layout`, apart from those for which `other` returns
/// true.
fn compare(checkpoint: &Checkpoint, layout: &WeightLayout, other: impl Fn(&str) -> bool) -> Result<(), BackendError> {
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
    match unexpected.first() {
        Some(first) => {
            let (count, first) = (unexpected.len(), (*first).to_owned());
            Err(BackendError::UnexpectedTensors { file: file(), count, first })
        }
        None => Ok(()),
    }
}

/// Returns a placeholder of this shape, which takes no memory.
fn placeholder(shape: &[usize]) -> Result<Tensor, BackendError> {
    let nothing = Tensor::zeros((), DType::F32, &Device::Cpu).and_then(|zero| zero.broadcast_as(shape));
    nothing.context("collecting the tensors of a model")
}

fn not_finite(checkpoint: &Checkpoint, name: &str, (index, value): (usize, f32)) -> BackendError {
    BackendError::NonFiniteWeight { file: checkpoint.name().to_owned(), name: name.to_owned(), index, value }
}

/// Shape of the weights of a linear layer in an order.
fn linear_shape(order: PackOrder, outputs: usize, inputs: usize) -> Vec<usize> {
    match order {
        PackOrder::Rows => vec![outputs, inputs],
        PackOrder::Columns => vec![inputs, outputs],
        PackOrder::Blocks => vec![PackedShape { inputs, outputs }.blocks(), inputs, COLUMNS],
    }
}

/// Returns the most similar of `names`, if its Jaro-Winkler similarity exceeds 0.8.
fn closest(name: &str, names: &[&str]) -> Option<String> {
    let similarity = |other: &str| strsim::jaro_winkler(name, other);
    let best = names.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)))?;
    (similarity(best) > 0.8).then(|| (*best).to_owned())
}
