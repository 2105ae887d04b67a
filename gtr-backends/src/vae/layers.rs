//! Layers of autoencoders, computed by `gtr-kernels` on the CPU and by the tensor library on other devices.

use std::collections::HashMap;

use candle_core::{D, Device, Result, Tensor};
use candle_nn::{GroupNorm, Module};
use gtr_kernels::{COLUMNS, Convolution, Image};

use super::{EPS, GROUPS};
use crate::host_slice::numbers;
use crate::matmul;

/// Activations of images: channels-last `[images, rows, columns, channels]` on the CPU, as its kernels require, and
/// `[images, channels, rows, columns]` on other devices.
#[derive(Clone, Debug)]
pub(super) struct Map(Tensor);

impl Map {
    /// Creates a map from `[images, channels, rows, columns]`.
    pub(super) fn from_planes(planes: &Tensor) -> Result<Self> {
        let on_cpu = planes.device().is_cpu();
        Ok(Self(if on_cpu { planes.permute((0, 2, 3, 1))?.contiguous()? } else { planes.contiguous()? }))
    }

    /// Converts the map to `[images, channels, rows, columns]`.
    pub(super) fn to_planes(&self) -> Result<Tensor> {
        if self.0.device().is_cpu() { self.0.permute((0, 3, 1, 2))?.contiguous() } else { Ok(self.0.clone()) }
    }

    fn channels(&self) -> Result<usize> {
        self.0.dim(if self.0.device().is_cpu() { 3 } else { 1 })
    }

    /// Returns one row per pixel: `[images * rows * columns, channels]`.
    fn to_rows(&self) -> Result<Tensor> {
        let last =
            if self.0.device().is_cpu() { self.0.clone() } else { self.0.permute((0, 2, 3, 1))?.contiguous()? };
        last.flatten_to(2)
    }

    /// The inverse of [`Map::to_rows`], with the number of images, rows and columns of `like`.
    fn from_rows(rows: &Tensor, like: &Self) -> Result<Self> {
        let (images, a, b, c) = like.0.dims4()?;
        let channels = rows.dim(1)?;
        if like.0.device().is_cpu() {
            return Ok(Self(rows.reshape((images, a, b, channels))?));
        }
        Ok(Self(rows.reshape((images, b, c, channels))?.permute((0, 3, 1, 2))?.contiguous()?))
    }

    /// Calls `compute` with the index of each image and its pixels, `[rows, columns, channels]`.
    fn each(&self, mut compute: impl FnMut(usize, Image<'_>) -> Result<Vec<f32>>) -> Result<Vec<f32>> {
        let (images, rows, columns, channels) = self.0.dims4()?;
        let all = numbers(&self.0)?;
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
    /// Packed on the CPU (see [`gtr_kernels`]), `[blocks, inputs, 64]`, and `[outputs, channels, side, side]` on other
    /// devices.
    weight: Tensor,
    bias: Tensor,
    channels: usize,
    how: Convolution,
}

impl Conv {
    fn new(weight: &Tensor, bias: Tensor, how: Convolution) -> Result<Self> {
        let (outputs, channels, high, wide) = weight.dims4()?;
        if (high, wide) != (how.side, how.side) || bias.dims() != [outputs] {
            candle_core::bail!("the shape {:?} is not a kernel of {} x {}", weight.dims(), how.side, how.side);
        }
        let weight = if weight.device().is_cpu() { pack(weight, how)? } else { weight.contiguous()? };
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
        if !x.0.device().is_cpu() {
            let found = self.by_library(&x.0)?;
            return Ok(Map(if let Some(to) = to { (found + &to.0)? } else { found }));
        }
        let (images, rows, columns, _) = x.0.dims4()?;
        let (how, outputs) = (self.how, self.bias.dim(0)?);
        let shape = (images, how.length(rows), how.length(columns), outputs);
        if let Some(to) = to
            && to.0.dims4()? != shape
        {
            candle_core::bail!("the shape {:?} cannot be added to {shape:?}", to.0.dims());
        }
        let (weight, bias) = (numbers(&self.weight)?, numbers(&self.bias)?);
        let (weight, bias) = (weight.f32()?, bias.f32()?);
        let added = to.map(|to| numbers(&to.0)).transpose()?;
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
        Ok(Map(Tensor::from_vec(out, shape, &Device::Cpu)?))
    }

    fn by_library(&self, planes: &Tensor) -> Result<Tensor> {
        let Convolution { stride, padding: (before, after), enlarged, .. } = self.how;
        let mut x = planes.clone();
        if enlarged > 1 {
            let (_, _, rows, columns) = x.dims4()?;
            x = x.upsample_nearest2d(rows * enlarged, columns * enlarged)?;
        }
        let even = before.min(after);
        if before != after {
            let (before, after) = (before - even, after - even);
            x = x.pad_with_zeros(D::Minus1, before, after)?.pad_with_zeros(D::Minus2, before, after)?;
        }
        x.conv2d(&self.weight, even, stride, 1, 1)?.broadcast_add(&self.bias.reshape((1, (), 1, 1))?)
    }
}

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
        if x.0.device().is_cpu() {
            let (scale, shift) = (numbers(&self.scale)?, numbers(&self.shift)?);
            let affine = (scale.f32()?, shift.f32()?);
            let out = x.each(|_, image| Ok(gtr_kernels::group_norm(image.pixels, GROUPS, affine, EPS, activated)))?;
            return Ok(Map(Tensor::from_vec(out, x.0.shape(), &Device::Cpu)?));
        }
        let norm = GroupNorm::new(self.scale.clone(), self.shift.clone(), width, GROUPS, EPS)?;
        let normed = norm.forward(&x.0)?;
        Ok(Map(if activated { normed.silu()? } else { normed }))
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
        let mixed = matmul::attention(&query, &key_value, x.0.dim(0)?, 1)?; // (images * rows * columns, width)
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
pub(super) struct Parts(pub(super) HashMap<String, Tensor>);

impl Parts {
    fn part(&mut self, name: &str) -> Result<Tensor> {
        self.0.remove(name).ok_or_else(|| candle_core::Error::Msg(format!("`{name}` was not loaded")))
    }

    /// A convolution layer.
    pub(super) fn conv(&mut self, name: &str, how: Convolution) -> Result<Conv> {
        Conv::new(&self.part(&format!("{name}.weight"))?, self.part(&format!("{name}.bias"))?, how)
    }

    pub(super) fn norm(&mut self, name: &str) -> Result<Norm> {
        Ok(Norm { scale: self.part(&format!("{name}.weight"))?, shift: self.part(&format!("{name}.bias"))? })
    }

    pub(super) fn residual(&mut self, name: &str) -> Result<Residual> {
        let shortcut = format!("{name}.nin_shortcut");
        let has_shortcut = self.0.contains_key(&format!("{shortcut}.weight"));
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
        let key_value = Conv::new(&both("weight")?, both("bias")?, pixel)?;
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
