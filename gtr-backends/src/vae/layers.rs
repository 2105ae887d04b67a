//! Layers of autoencoders, computed by `gtr-kernels` on the host path and by candle on the device path.

use std::collections::HashMap;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{GroupNorm, Module};
use gtr_kernels::{COLUMNS, Convolution, Image};

use super::{EPS, GROUPS};
use crate::ComputePath;
use crate::host_slice::numbers;

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
    fn new(weight: &Tensor, bias: Tensor, how: Convolution, path: ComputePath) -> Result<Self> {
        let (outputs, channels, high, wide) = weight.dims4()?;
        if (high, wide) != (how.side, how.side) || bias.dims() != [outputs] {
            candle_core::bail!("the shape {:?} is not a kernel of {} x {}", weight.dims(), how.side, how.side);
        }
        let weight = match path {
            ComputePath::Host => pack(weight, how)?,
            ComputePath::Device => weight.contiguous()?,
        };
        Ok(Self { weight, bias, channels, how })
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
        x = x.pad_with_zeros(D::Minus1, before, after)?.pad_with_zeros(D::Minus2, before, after)?;
        let (images, channels, rows, columns) = x.dims4()?;
        if rows < side || columns < side {
            candle_core::bail!("a kernel of {side} x {side} does not fit {rows} x {columns} pixels");
        }
        let (high, wide) = ((rows - side) / stride + 1, (columns - side) / stride + 1);
        let band = (largest / (images * channels * side * side * wide).max(1)).clamp(1, high);
        let bands = (0..high).step_by(band).map(|first| {
            let count = band.min(high - first);
            let taken = x.narrow(2, first * stride, (count - 1) * stride + side)?;
            taken.conv2d(&self.weight, 0, stride, 1, 1)
        });
        let bands = bands.collect::<Result<Vec<_>>>()?;
        let whole = if let [whole] = bands.as_slice() { whole.clone() } else { Tensor::cat(&bands, 2)? };
        whole.broadcast_add(&self.bias.reshape((1, (), 1, 1))?)
    }
}

/// Largest number of values of a matrix of inputs on the device path: 256 MiB.
const LARGEST: usize = 1 << 26;

/// Packs weights `[outputs, channels, side, side]` for [`gtr_kernels::convolution`].
fn pack(weight: &Tensor, how: Convolution) -> Result<Tensor> {
    let (outputs, channels, _, _) = weight.dims4()?;
    let (weight, taps) = (weight.contiguous()?, how.side * how.side);
    let numbers = numbers(&weight)?;
    let shape = how.weights(channels, outputs);
    let mut packed = vec![0.0; shape.len()];
    for (output, weights) in numbers.f32()?.chunks_exact(channels * taps).enumerate() {
        for (channel, weights) in weights.chunks_exact(taps).enumerate() {
            for (tap, &weight) in weights.iter().enumerate() {
                packed[shape.place(tap * channels + channel, output)] = weight;
            }
        }
    }
    Tensor::from_vec(packed, (shape.blocks(), shape.inputs, COLUMNS), &Device::Cpu)
}

/// Group normalisation.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    scale: Tensor,
    shift: Tensor,
}

impl Norm {
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
    /// Returns the output of the block and the output of its attention.
    pub(super) fn forward(&self, x: &Map) -> Result<(Map, Map)> {
        let mixed = self.attention.forward(&self.first.forward(x)?)?;
        Ok((self.second.forward(&mixed)?, mixed))
    }
}

/// Tensors by their names in latent diffusion, from which layers are created.
pub(super) struct Parts {
    pub(super) tensors: HashMap<String, Tensor>,
    pub(super) path: ComputePath,
}

impl Parts {
    fn part(&mut self, name: &str) -> Result<Tensor> {
        self.tensors.remove(name).ok_or_else(|| candle_core::Error::Msg(format!("`{name}` was not loaded")))
    }

    /// A convolution layer.
    pub(super) fn conv(&mut self, name: &str, how: Convolution) -> Result<Conv> {
        Conv::new(&self.part(&format!("{name}.weight"))?, self.part(&format!("{name}.bias"))?, how, self.path)
    }

    pub(super) fn norm(&mut self, name: &str) -> Result<Norm> {
        Ok(Norm { scale: self.part(&format!("{name}.weight"))?, shift: self.part(&format!("{name}.bias"))? })
    }

    pub(super) fn residual(&mut self, name: &str) -> Result<Residual> {
        let shortcut = format!("{name}.nin_shortcut");
        let has_shortcut = self.tensors.contains_key(&format!("{shortcut}.weight"));
        Ok(Residual {
            norm1: self.norm(&format!("{name}.norm1"))?,
            conv1: self.conv(&format!("{name}.conv1"), Convolution::same(3))?,
            norm2: self.norm(&format!("{name}.norm2"))?,
            conv2: self.conv(&format!("{name}.conv2"), Convolution::same(3))?,
            shortcut: has_shortcut.then(|| self.conv(&shortcut, Convolution::same(1))).transpose()?,
        })
    }

    pub(super) fn attention(&mut self, name: &str) -> Result<Attention> {
        let pixel = Convolution::same(1);
        let mut both = |kind: &str| {
            Tensor::cat(&[self.part(&format!("{name}.k.{kind}"))?, self.part(&format!("{name}.v.{kind}"))?], 0)
        };
        let key_value = Conv::new(&both("weight")?, both("bias")?, pixel, self.path)?;
        Ok(Attention {
            norm: self.norm(&format!("{name}.norm"))?,
            query: self.conv(&format!("{name}.q"), pixel)?,
            key_value,
            projection: self.conv(&format!("{name}.proj_out"), pixel)?,
        })
    }

    pub(super) fn middle(&mut self, name: &str) -> Result<Middle> {
        Ok(Middle {
            first: self.residual(&format!("{name}.block_1"))?,
            attention: self.attention(&format!("{name}.attn_1"))?,
            second: self.residual(&format!("{name}.block_2"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                let conv = Conv::new(&weight, bias.clone(), how, path).unwrap();
                (conv.clone(), conv.forward(&Map::from_planes(&planes, path).unwrap()).unwrap())
            });
            close(&device.1, &host.1);
            // Bands of one row, of several rows, and the whole image.
            for largest in [1, 2 * 4 * 9 * 10 * 3, usize::MAX] {
                let values = device.0.by_library(&planes, largest).unwrap();
                close(&Map { values, path: ComputePath::Device }, &host.1);
            }
        }
        let too_small =
            Conv::new(&values(&[6, 4, 3, 3], 0.0), values(&[6], 1.0), convolutions()[2], ComputePath::Device);
        assert!(too_small.unwrap().by_library(&values(&[1, 4, 1, 1], 0.0), 1).is_err());
    }

    #[test]
    fn residuals_and_attention_agree() {
        let channels = 2 * GROUPS;
        let planes = values(&[2, channels, 4, 6], 0.0);
        let outputs = PATHS.map(|path| {
            let named = [
                ("a.norm.weight", vec![channels]),
                ("a.norm.bias", vec![channels]),
                ("a.q.weight", vec![channels, channels, 1, 1]),
                ("a.q.bias", vec![channels]),
                ("a.k.weight", vec![channels, channels, 1, 1]),
                ("a.k.bias", vec![channels]),
                ("a.v.weight", vec![channels, channels, 1, 1]),
                ("a.v.bias", vec![channels]),
                ("a.proj_out.weight", vec![channels, channels, 1, 1]),
                ("a.proj_out.bias", vec![channels]),
                ("r.norm1.weight", vec![channels]),
                ("r.norm1.bias", vec![channels]),
                ("r.conv1.weight", vec![GROUPS, channels, 3, 3]),
                ("r.conv1.bias", vec![GROUPS]),
                ("r.norm2.weight", vec![GROUPS]),
                ("r.norm2.bias", vec![GROUPS]),
                ("r.conv2.weight", vec![GROUPS, GROUPS, 3, 3]),
                ("r.conv2.bias", vec![GROUPS]),
                ("r.nin_shortcut.weight", vec![GROUPS, channels, 1, 1]),
                ("r.nin_shortcut.bias", vec![GROUPS]),
            ];
            let scaled = |shape: &[usize]| (values(shape, 1.0) * 0.1).unwrap();
            let tensors = named.into_iter().map(|(name, shape)| (name.to_owned(), scaled(&shape))).collect();
            let mut parts = Parts { tensors, path };
            let (attention, residual) = (parts.attention("a").unwrap(), parts.residual("r").unwrap());
            let x = Map::from_planes(&planes, path).unwrap();
            residual.forward(&attention.forward(&x).unwrap()).unwrap()
        });
        let [host, device] = outputs;
        close(&device, &host);
    }
}
