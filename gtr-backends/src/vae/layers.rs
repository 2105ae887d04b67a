//! Layers of autoencoders, computed by `gtr-kernels` on the host path and by candle on the device path.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{GroupNorm, Module};
use gtr_core::float;
use gtr_kernels::{COLUMNS, Convolution, Image};

use super::names::NamedWeights;
use super::{EPS, GROUPS};
use crate::host_slice::numbers;
use crate::layers::concatenate;
use crate::{BackendError, ComputePath};

/// Activations of images: channels-last `[images, rows, columns, channels]` on the host path, as its kernels require, and
/// `[images, channels, rows, columns]` on the device path.
#[derive(Clone, Debug)]
pub(super) struct Map {
    values: Tensor,
    path: ComputePath,
}

impl Map {
    /// Creates a map from `[images, channels, rows, columns]`.
    pub(super) fn from_planes(planes: &Tensor, path: ComputePath) -> Result<Self> {
        let values = match path {
            ComputePath::Host => planes.permute((0, 2, 3, 1))?.contiguous()?,
            ComputePath::Device => planes.contiguous()?,
        };
        Ok(Self { values, path })
    }

    /// Converts the map to `[images, channels, rows, columns]`.
    pub(super) fn to_planes(&self) -> Result<Tensor> {
        match self.path {
            ComputePath::Host => self.values.permute((0, 3, 1, 2))?.contiguous(),
            ComputePath::Device => Ok(self.values.clone()),
        }
    }

    fn channels(&self) -> Result<usize> {
        self.values.dim(match self.path {
            ComputePath::Host => 3,
            ComputePath::Device => 1,
        })
    }

    /// Returns one row per pixel: `[images * rows * columns, channels]`.
    fn to_rows(&self) -> Result<Tensor> {
        match self.path {
            ComputePath::Host => self.values.flatten_to(2),
            ComputePath::Device => self.values.permute((0, 2, 3, 1))?.contiguous()?.flatten_to(2),
        }
    }

    /// The inverse of [`Map::to_rows`], with the number of images, rows and columns of `like`.
    fn from_rows(rows: &Tensor, like: &Self) -> Result<Self> {
        let (images, a, b, c) = like.values.dims4()?;
        let (channels, path) = (rows.dim(1)?, like.path);
        let values = match path {
            ComputePath::Host => rows.reshape((images, a, b, channels))?,
            ComputePath::Device => rows.reshape((images, b, c, channels))?.permute((0, 3, 1, 2))?.contiguous()?,
        };
        Ok(Self { values, path })
    }

    /// Calls `compute` with the index of each image and its pixels, `[rows, columns, channels]`.
    fn each(&self, mut compute: impl FnMut(usize, Image<'_>) -> Result<Vec<f32>>) -> Result<Vec<f32>> {
        let (images, rows, columns, channels) = self.values.dims4()?;
        let all = numbers(&self.values)?;
        let size = rows * columns * channels;
        let mut images = all.f32()?.chunks_exact(size.max(1)).take(images).enumerate();
        let mut next = || {
            let (number, pixels) = images.next()?;
            Some(compute(number, Image { rows, columns, channels, pixels }))
        };
        let mut out = next().unwrap_or(Ok(Vec::new()))?;
        while let Some(more) = next() {
            out.extend(more?);
        }
        Ok(out)
    }
}

/// What loading a layer returns.
type Loaded<T> = std::result::Result<T, BackendError>;

/// A convolution layer.
#[derive(Clone, Debug)]
pub(super) struct Conv {
    /// Packed on the host path (see [`gtr_kernels`]), `[blocks, inputs, 64]`, and `[outputs, channels, side, side]` on the
    /// device path.
    weight: Tensor,
    bias: Tensor,
    channels: usize,
    how: Convolution,
}

impl Conv {
    pub(super) fn load(
        weights: &mut NamedWeights<'_>,
        name: &str,
        channels: usize,
        outputs: usize,
        how: Convolution,
    ) -> Loaded<Self> {
        Self::load_joined(weights, &[name], channels, outputs, how)
    }

    /// Loads several convolutions as one, which returns the outputs of the first, then those of the next.
    fn load_joined(
        weights: &mut NamedWeights<'_>,
        names: &[&str],
        channels: usize,
        outputs: usize,
        how: Convolution,
    ) -> Loaded<Self> {
        let mut take = |part: &str, shape: &[usize]| -> Loaded<Vec<Tensor>> {
            names.iter().map(|name| weights.take(&format!("{name}.{part}"), shape)).collect()
        };
        let (kernels, biases) = (take("weight", &[outputs, channels, how.side, how.side])?, take("bias", &[outputs])?);
        let path = weights.path();
        Ok(Self {
            weight: weights.computed(|| arrange(&concatenate(&kernels)?, how, path))?,
            bias: weights.computed(|| concatenate(&biases))?,
            channels,
            how,
        })
    }

    /// Number of operations for a result of this many pixels. A multiplication and an addition are two operations.
    pub(super) fn operations(&self, pixels: usize) -> f64 {
        let taps = self.how.side * self.how.side;
        2.0 * float(pixels) * float(taps * self.channels * self.bias.elem_count())
    }

    pub(super) fn forward(&self, x: &Map) -> Result<Map> {
        self.added(x, None)
    }

    /// [`Conv::forward`], then adds `to`.
    fn added(&self, x: &Map, to: Option<&Map>) -> Result<Map> {
        if x.channels()? != self.channels {
            candle_core::bail!("a convolution expects {} channels, found {}", self.channels, x.channels()?);
        }
        match x.path {
            ComputePath::Host => self.by_kernels(x, to),
            ComputePath::Device => {
                let found = self.by_library(&x.values, LARGEST)?;
                let values = if let Some(to) = to { (found + &to.values)? } else { found };
                Ok(Map { values, path: x.path })
            }
        }
    }

    fn by_kernels(&self, x: &Map, to: Option<&Map>) -> Result<Map> {
        let (images, rows, columns, _) = x.values.dims4()?;
        let (how, outputs) = (self.how, self.bias.dim(0)?);
        let shape = (images, how.length(rows), how.length(columns), outputs);
        if let Some(to) = to
            && to.values.dims4()? != shape
        {
            candle_core::bail!("the shape {:?} cannot be added to {shape:?}", to.values.dims());
        }
        let (weight, bias) = (numbers(&self.weight)?, numbers(&self.bias)?);
        let (weight, bias) = (weight.f32()?, bias.f32()?);
        let added = to.map(|to| numbers(&to.values)).transpose()?;
        let added = added.as_ref().map(|added| added.f32()).transpose()?;
        let out = x.each(|number, image| {
            let first = number * shape.1 * shape.2;
            Ok(gtr_kernels::convolution(image, weight, bias, how, &|pixel, out| {
                if let Some(added) = added {
                    let added = &added[(first + pixel) * outputs..];
                    out.iter_mut().zip(added).for_each(|(out, added)| *out += added);
                }
            }))
        })?;
        Ok(Map { values: Tensor::from_vec(out, shape, &Device::Cpu)?, path: x.path })
    }

    /// Computes the convolution in bands of rows, each with at most `largest` values of the matrix that candle creates:
    /// the inputs of each output pixel.
    fn by_library(&self, planes: &Tensor, largest: usize) -> Result<Tensor> {
        let Convolution { side, stride, padding: (before, after), enlarged } = self.how;
        let mut x = planes.clone();
        if enlarged > 1 {
            let (_, _, rows, columns) = x.dims4()?;
            x = x.upsample_nearest2d(rows * enlarged, columns * enlarged)?;
        }
        let (images, channels, rows, columns) = x.dims4()?;
        let (rows, columns) = (rows + before + after, columns + before + after);
        if rows < side || columns < side {
            candle_core::bail!("a kernel of {side} x {side} does not fit {rows} x {columns} pixels");
        }
        let (high, wide) = ((rows - side) / stride + 1, (columns - side) / stride + 1);
        let band = (largest / (images * channels * side * side * wide).max(1)).clamp(1, high);
        let whole = if band == high && before == after {
            // The library pads without a copy, by the same number of rows and columns on all sides.
            x.conv2d(&self.weight, before, stride, 1, 1)?
        } else {
            let x = x.pad_with_zeros(D::Minus1, before, after)?.pad_with_zeros(D::Minus2, before, after)?;
            let bands = (0..high).step_by(band).map(|first| {
                let count = band.min(high - first);
                let taken = x.narrow(2, first * stride, (count - 1) * stride + side)?;
                taken.conv2d(&self.weight, 0, stride, 1, 1)
            });
            Tensor::cat(&bands.collect::<Result<Vec<_>>>()?, 2)?
        };
        whole.broadcast_add(&self.bias.reshape((1, (), 1, 1))?)
    }
}

/// Largest number of values of a matrix of inputs on the device path: 256 MiB.
const LARGEST: usize = 1 << 26;

/// Arranges weights `[outputs, channels, side, side]` for a path.
fn arrange(weight: &Tensor, how: Convolution, path: ComputePath) -> Result<Tensor> {
    match path {
        ComputePath::Host => pack(weight, how),
        ComputePath::Device => weight.contiguous(),
    }
}

/// Packs weights `[outputs, channels, side, side]` for [`gtr_kernels::convolution`].
fn pack(weight: &Tensor, how: Convolution) -> Result<Tensor> {
    let (outputs, channels, _, _) = weight.dims4()?;
    let weight = weight.contiguous()?;
    let numbers = numbers(&weight)?;
    let (shape, packed) = (how.weights(channels, outputs), how.pack(numbers.f32()?, channels, outputs));
    Tensor::from_vec(packed, (shape.blocks(), shape.inputs, COLUMNS), &Device::Cpu)
}

/// Group normalisation.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    scale: Tensor,
    shift: Tensor,
}

impl Norm {
    pub(super) fn load(weights: &mut NamedWeights<'_>, name: &str, width: usize) -> Loaded<Self> {
        let mut take = |part: &str| weights.take(&format!("{name}.{part}"), &[width]);
        Ok(Self { scale: take("weight")?, shift: take("bias")? })
    }

    fn forward(&self, x: &Map) -> Result<Map> {
        self.finished(x, false)
    }

    /// [`Norm::forward`], then `SiLU`.
    pub(super) fn activated(&self, x: &Map) -> Result<Map> {
        self.finished(x, true)
    }

    fn finished(&self, x: &Map, activated: bool) -> Result<Map> {
        let width = self.scale.dim(0)?;
        if x.channels()? != width {
            candle_core::bail!("a normalisation expects {width} channels, found {}", x.channels()?);
        }
        let values = match x.path {
            ComputePath::Host => {
                let (scale, shift) = (numbers(&self.scale)?, numbers(&self.shift)?);
                let affine = (scale.f32()?, shift.f32()?);
                let out =
                    x.each(|_, image| Ok(gtr_kernels::group_norm(image.pixels, GROUPS, affine, EPS, activated)))?;
                Tensor::from_vec(out, x.values.shape(), &Device::Cpu)?
            }
            ComputePath::Device => {
                let norm = GroupNorm::new(self.scale.clone(), self.shift.clone(), width, GROUPS, EPS)?;
                let normed = norm.forward(&x.values)?;
                if activated { normed.silu()? } else { normed }
            }
        };
        Ok(Map { values, path: x.path })
    }
}

/// Two convolutions with a residual connection.
#[derive(Clone, Debug)]
pub(super) struct Residual {
    norm1: Norm,
    conv1: Conv,
    norm2: Norm,
    conv2: Conv,
    shortcut: Option<Conv>,
}

impl Residual {
    pub(super) fn load(weights: &mut NamedWeights<'_>, name: &str, channels: usize, outputs: usize) -> Loaded<Self> {
        let shortcut = format!("{name}.nin_shortcut");
        let shortcut =
            (channels != outputs).then(|| Conv::load(weights, &shortcut, channels, outputs, Convolution::same(1)));
        Ok(Self {
            shortcut: shortcut.transpose()?,
            norm1: Norm::load(weights, &format!("{name}.norm1"), channels)?,
            conv1: Conv::load(weights, &format!("{name}.conv1"), channels, outputs, Convolution::same(3))?,
            norm2: Norm::load(weights, &format!("{name}.norm2"), outputs)?,
            conv2: Conv::load(weights, &format!("{name}.conv2"), outputs, outputs, Convolution::same(3))?,
        })
    }

    /// Number of operations for this many pixels.
    pub(super) fn operations(&self, pixels: usize) -> f64 {
        let convolutions = [&self.conv1, &self.conv2].into_iter().chain(&self.shortcut);
        convolutions.map(|convolution| convolution.operations(pixels)).sum()
    }

    pub(super) fn forward(&self, x: &Map) -> Result<Map> {
        let hidden = self.conv1.forward(&self.norm1.activated(x)?)?;
        let hidden = self.norm2.activated(&hidden)?;
        match &self.shortcut {
            Some(shortcut) => self.conv2.added(&hidden, Some(&shortcut.forward(x)?)),
            None => self.conv2.added(&hidden, Some(x)),
        }
    }
}

/// Single-head attention over all pixels of an image, with a residual connection.
#[derive(Clone, Debug)]
pub(super) struct Attention {
    norm: Norm,
    query: Conv,
    key_value: Conv,
    projection: Conv,
}

impl Attention {
    pub(super) fn load(weights: &mut NamedWeights<'_>, name: &str, width: usize) -> Loaded<Self> {
        let mut conv = |parts: &[&str]| {
            let names: Vec<String> = parts.iter().map(|part| format!("{name}.{part}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Conv::load_joined(weights, &names, width, width, Convolution::same(1))
        };
        Ok(Self {
            query: conv(&["q"])?,
            key_value: conv(&["k", "v"])?,
            projection: conv(&["proj_out"])?,
            norm: Norm::load(weights, &format!("{name}.norm"), width)?,
        })
    }

    /// Number of operations for an image of this many pixels.
    fn operations(&self, pixels: usize) -> f64 {
        let convolutions = [&self.query, &self.key_value, &self.projection];
        let products = 4.0 * float(pixels) * float(pixels) * float(self.query.channels);
        convolutions.map(|convolution| convolution.operations(pixels)).iter().sum::<f64>() + products
    }

    pub(super) fn forward(&self, x: &Map) -> Result<Map> {
        let normed = self.norm.forward(x)?;
        let (query, key_value) = (self.query.forward(&normed)?.to_rows()?, self.key_value.forward(&normed)?.to_rows()?);
        // (images * rows * columns, width)
        let mixed = x.path.attention(&query, &key_value, x.values.dim(0)?, 1, DType::F32)?;
        self.projection.added(&Map::from_rows(&mixed, x)?, Some(x))
    }
}

/// Middle block of encoder and decoder, at the lowest resolution.
#[derive(Clone, Debug)]
pub(super) struct Middle {
    first: Residual,
    attention: Attention,
    second: Residual,
}

impl Middle {
    pub(super) fn load(weights: &mut NamedWeights<'_>, name: &str, width: usize) -> Loaded<Self> {
        Ok(Self {
            first: Residual::load(weights, &format!("{name}.block_1"), width, width)?,
            attention: Attention::load(weights, &format!("{name}.attn_1"), width)?,
            second: Residual::load(weights, &format!("{name}.block_2"), width, width)?,
        })
    }

    /// Number of operations for an image of this many pixels.
    pub(super) fn operations(&self, pixels: usize) -> f64 {
        self.first.operations(pixels) + self.attention.operations(pixels) + self.second.operations(pixels)
    }

    /// Returns the output of the block and the output of its attention.
    pub(super) fn forward(&self, x: &Map) -> Result<(Map, Map)> {
        let mixed = self.attention.forward(&self.first.forward(x)?)?;
        Ok((self.second.forward(&mixed)?, mixed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Compute;
    use crate::checkpoint::{Checkpoint, WeightLayout, Weights};
    use crate::vae::names::Naming;

    fn values(shape: &[usize], phase: f32) -> Tensor {
        let values = (0_u16..).map(|place| (f32::from(place) * 0.7 + phase).sin());
        Tensor::from_vec(values.take(shape.iter().product()).collect(), shape, &Device::Cpu).unwrap()
    }

    fn close(found: &Map, expected: &Map) {
        let list = |map: &Map| map.to_planes().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (found, expected) = (list(found), list(expected));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 2e-5, "{found} {expected}");
        }
    }

    const PATHS: [ComputePath; 2] = [ComputePath::Host, ComputePath::Device];

    /// Convolutions of an autoencoder: the usual one, one per pixel, those that halve and double the resolution.
    fn convolutions() -> [Convolution; 4] {
        let halving = Convolution { side: 3, stride: 2, padding: (0, 1), enlarged: 1 };
        let doubling = Convolution { side: 3, stride: 1, padding: (1, 1), enlarged: 2 };
        [Convolution::same(3), Convolution::same(1), halving, doubling]
    }

    #[test]
    fn convolutions_agree_in_bands_of_any_size() {
        for how in convolutions() {
            let (weight, bias) = (values(&[6, 4, how.side, how.side], 0.0), values(&[6], 1.0));
            let planes = values(&[2, 4, 8, 10], 2.0);
            let [host, device] = PATHS.map(|path| {
                let weight = arrange(&weight, how, path).unwrap();
                let conv = Conv { weight, bias: bias.clone(), channels: 4, how };
                (conv.clone(), conv.forward(&Map::from_planes(&planes, path).unwrap()).unwrap())
            });
            close(&device.1, &host.1);
            // Bands of one row, of several rows, and the whole image.
            for largest in [1, 2 * 4 * 9 * 10 * 3, usize::MAX] {
                let values = device.0.by_library(&planes, largest).unwrap();
                close(&Map { values, path: ComputePath::Device }, &host.1);
            }
        }
        let (weight, bias) = (values(&[6, 4, 3, 3], 0.0), values(&[6], 1.0));
        let conv = Conv { weight, bias, channels: 4, how: convolutions()[2] };
        assert!(conv.by_library(&values(&[1, 4, 1, 1], 0.0), 1).is_err());
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        fn refused<T>(result: Result<T>, message: &str) {
            let error = result.err().expect("a wrong size is accepted").to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let (how, bias) = (Convolution::same(3), values(&[6], 1.0));
        for path in PATHS {
            let weight = arrange(&values(&[6, 4, 3, 3], 0.0), how, path).unwrap();
            let conv = Conv { weight, bias: bias.clone(), channels: 4, how };
            let map = |channels| Map::from_planes(&values(&[1, channels, 4, 4], 0.0), path).unwrap();
            refused(conv.forward(&map(5)), "a convolution expects 4 channels, found 5");
            let norm = Norm { scale: values(&[GROUPS], 0.0), shift: values(&[GROUPS], 0.0) };
            refused(norm.forward(&map(5)), "a normalisation expects 32 channels, found 5");
            assert!(conv.added(&map(4), Some(&map(7))).is_err());
        }
    }

    #[test]
    fn residuals_and_attention_agree() {
        let channels = 2 * GROUPS;
        let planes = values(&[2, channels, 4, 6], 0.0);
        let build = |weights: &mut Weights| {
            let weights = &mut NamedWeights { weights, naming: Naming::LatentDiffusion };
            Ok((Attention::load(weights, "a", channels)?, Residual::load(weights, "r", channels, GROUPS)?))
        };
        let layout = WeightLayout::of(build).unwrap();
        assert_eq!(layout.tensors().len(), 20);
        let scaled = |shape: &[usize]| (values(shape, 1.0) * 0.1).unwrap();
        let tensors: Vec<_> = layout.tensors().map(|(name, shape)| (name, scaled(shape))).collect();
        let bytes = safetensors::serialize(tensors, None).unwrap();
        let compute = Compute::from(&Device::Cpu);
        let [host, device] = [compute.clone(), compute.through_device_path()].map(|compute| {
            let checkpoint = Checkpoint::from_bytes("layers", bytes.clone()).unwrap();
            let x = Map::from_planes(&planes, compute.path()).unwrap();
            let (attention, residual) = Weights::load(checkpoint, compute, build).unwrap();
            residual.forward(&attention.forward(&x).unwrap()).unwrap()
        });
        close(&device, &host);
    }
}
