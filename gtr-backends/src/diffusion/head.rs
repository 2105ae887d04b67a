//! Network of the diffusion head: a residual MLP modulated by timestep and conditioning vector.

use candle_core::{DType, Device, Tensor};
use gtr_core::DiffusionSteps;
use gtr_core::cost::HeadSpec;

use crate::checkpoint::Weights;
use crate::error::Context;
use crate::layers::{LayerNorm, Linear, NORM_EPS};
use crate::ops::Epilogue;
use crate::{BackendError, Compute, ComputePath};

/// Sizes of a diffusion head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSize {
    /// Number of channels of a token.
    pub channels: usize,
    /// Length of a conditioning vector.
    pub condition: usize,
    /// Width of the network.
    pub width: usize,
    /// Number of residual blocks.
    pub depth: usize,
}

impl HeadSize {
    /// The same sizes for the cost model.
    pub(crate) fn spec(self) -> HeadSpec {
        HeadSpec { width: self.width, depth: self.depth }
    }
}

/// Length of the sinusoidal embedding of a timestep.
const FREQUENCIES: usize = 256;
/// Number of timesteps of a head.
const TIMESTEPS: u32 = DiffusionSteps::MAX;

/// Network of a diffusion head: from noisy token, timestep and conditioning vector to predicted noise and variance.
///
/// Rows are independent: the bits of a row do not depend on the number of rows.
///
/// # Source
/// LTH14/mar, `models/diffloss.py`, `SimpleMLPAdaLN`.
#[derive(Clone, Debug)]
pub struct DiffusionHead {
    size: HeadSize,
    compute: Compute,
    /// `[1000, width]`: embeddings of all timesteps, computed once.
    timesteps: Tensor,
    condition: Linear,
    input: Linear,
    blocks: Vec<Residual>,
    modulation: Linear,
    output: Linear,
}

/// A residual block.
#[derive(Clone, Debug)]
pub(super) struct Residual {
    norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    modulation: Linear,
}

impl Residual {
    /// Returns shift, scale and gate, `[rows, 3 * width]`, from the embedded timestep and condition.
    pub(super) fn modulate(&self, y: &Tensor) -> candle_core::Result<Tensor> {
        self.modulation.forward(y)
    }

    /// Returns the output of the MLP, to which the gate is still to be applied.
    pub(super) fn mlp(&self, x: &Tensor, modulation: &Tensor) -> candle_core::Result<Tensor> {
        let hidden = self.norm.modulated(x, modulation)?;
        self.fc2.forward(&self.fc1.finished(&hidden, Epilogue::Silu)?)
    }
}

impl DiffusionHead {
    /// Loads a head whose tensor names start with `name`. Its matrices are f32 in every [`Precision`](crate::Precision):
    /// at timestep 999 an error of the predicted noise is multiplied by several hundreds.
    ///
    /// # Errors
    /// Those of [`Weights::take`], or a failure of the device.
    pub fn load(weights: &mut Weights, name: &str, size: HeadSize) -> Result<Self, BackendError> {
        let compute = weights.compute().clone();
        weights.in_f32(|weights| Self::build(weights, name, size, compute))
    }

    fn build(weights: &mut Weights, name: &str, size: HeadSize, compute: Compute) -> Result<Self, BackendError> {
        let (device, width) = (weights.device().clone(), size.width);
        let fc1 = Linear::load(weights, &format!("{name}.time_embed.mlp.0"), FREQUENCIES, width)?;
        let fc2 = Linear::load(weights, &format!("{name}.time_embed.mlp.2"), width, width)?;
        let timesteps = weights.computed(|| {
            all_timesteps(&device)
                .and_then(|waves| fc1.finished(&waves, Epilogue::Silu))
                .and_then(|hidden| fc2.forward(&hidden))
                .context("embedding the timesteps")
        })?;
        let blocks = (0..size.depth).map(|block| {
            let name = format!("{name}.res_blocks.{block}");
            Ok(Residual {
                norm: LayerNorm::load(weights, &format!("{name}.in_ln"), width)?,
                fc1: Linear::load(weights, &format!("{name}.mlp.0"), width, width)?,
                fc2: Linear::load(weights, &format!("{name}.mlp.2"), width, width)?,
                modulation: Linear::load(weights, &format!("{name}.adaLN_modulation.1"), width, 3 * width)?,
            })
        });
        let blocks = blocks.collect::<Result<_, BackendError>>()?;
        let last = format!("{name}.final_layer");
        Ok(Self {
            size,
            compute,
            timesteps,
            blocks,
            condition: Linear::load(weights, &format!("{name}.cond_embed"), size.condition, width)?,
            input: Linear::load(weights, &format!("{name}.input_proj"), size.channels, width)?,
            modulation: Linear::load(weights, &format!("{last}.adaLN_modulation.1"), width, 2 * width)?,
            output: Linear::load(weights, &format!("{last}.linear"), width, 2 * size.channels)?,
        })
    }

    /// Sizes of the head.
    pub fn size(&self) -> HeadSize {
        self.size
    }

    /// Device of the head.
    pub fn device(&self) -> &Device {
        self.compute.device()
    }

    /// Device, precision and path of the model.
    pub(crate) fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Returns the embeddings of timesteps.
    ///
    /// # Shapes
    /// returns: `[timesteps, width]`.
    ///
    /// # Errors
    /// A timestep above 999, or a failure of the device.
    pub fn embed_timesteps(&self, timesteps: &[u32]) -> Result<Tensor, BackendError> {
        Tensor::new(timesteps, self.device())
            .and_then(|index| self.timesteps.index_select(&index, 0))
            .context("embedding timesteps")
    }

    /// Embeds conditioning vectors. The embeddings are the same at every timestep.
    ///
    /// # Shapes
    /// `vectors`: `[rows, condition]`; returns: `[rows, width]`.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn embed_conditions(&self, vectors: &Tensor) -> Result<Tensor, BackendError> {
        self.condition.forward(vectors).context("embedding conditioning vectors")
    }

    /// Embeds noisy tokens for the first block.
    ///
    /// # Shapes
    /// `x`: `[rows, channels]`; returns: `[rows, width]`.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn embed_tokens(&self, x: &Tensor) -> Result<Tensor, BackendError> {
        self.input.forward(x).context("embedding noisy tokens")
    }

    /// Predicts noise and variance.
    ///
    /// # Shapes
    /// `x` (from [`DiffusionHead::embed_tokens`]), `timesteps` and `conditions` (embeddings): `[rows, width]`;
    /// returns: `[rows, 2 * channels]`, first the noise, then the position of the log-variance between its bounds.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn predict(&self, x: &Tensor, timesteps: &Tensor, conditions: &Tensor) -> Result<Tensor, BackendError> {
        self.trace(x, timesteps, conditions, |_| ())
    }

    /// Like [`DiffusionHead::predict`], and passes the output of each block to `look`.
    ///
    /// # Errors
    /// A wrong shape, or a failure of the device.
    pub fn trace(
        &self,
        x: &Tensor,
        timesteps: &Tensor,
        conditions: &Tensor,
        look: impl FnMut(&Tensor),
    ) -> Result<Tensor, BackendError> {
        let all = || {
            // Each row has its own timestep.
            let count = u32::try_from(timesteps.dim(0)?).unwrap_or(u32::MAX);
            let y = self.path().silu_of_sum(timesteps, &Tensor::arange(0, count, self.device())?, conditions)?;
            self.evaluate(x, &y, look)
        };
        all().context("evaluating the diffusion head")
    }

    /// Activates the sum of embedded timesteps and conditions.
    ///
    /// # Shapes
    /// `timesteps`: `[rows]` of u32, below 1000; `conditions`: `[halves * rows, width]`; returns the same shape.
    pub(super) fn activated(&self, timesteps: &Tensor, conditions: &Tensor) -> candle_core::Result<Tensor> {
        self.path().silu_of_sum(&self.timesteps, timesteps, conditions)
    }

    /// Predicts noise and variance from embedded tokens `x` and the result `y` of [`DiffusionHead::activated`].
    pub(super) fn evaluate(
        &self,
        x: &Tensor,
        y: &Tensor,
        mut look: impl FnMut(&Tensor),
    ) -> candle_core::Result<Tensor> {
        let mut x = x.clone();
        for block in &self.blocks {
            let modulation = block.modulate(y)?;
            x = self.path().gated_sum(&x, &modulation, &block.mlp(&x, &modulation)?)?;
            look(&x);
        }
        self.finish(&x, y)
    }

    /// How operations are computed.
    pub(super) fn path(&self) -> ComputePath {
        self.compute.path()
    }

    /// The residual blocks.
    pub(super) fn blocks(&self) -> &[Residual] {
        &self.blocks
    }

    /// Computes noise and variance from the output of the last block and the embedded timestep and condition.
    pub(super) fn finish(&self, x: &Tensor, y: &Tensor) -> candle_core::Result<Tensor> {
        let modulation = self.modulation.forward(y)?; // (rows, shift | scale)
        self.output.forward(&self.path().layer_norm(x, None, Some(&modulation), NORM_EPS, DType::F32)?)
    }
}

/// Frequencies that are one unit in the last place above the nearest f32 in the reference, because the exponential of
/// `PyTorch` on the CPU is not always correctly rounded. At timestep 999 the effect on the embedding is 3e-5.
const ROUNDED_UP: [usize; 2] = [13, 44];

/// Returns the sinusoidal embedding of a timestep: cosines of 128 frequencies, then sines, in f32 arithmetic.
///
/// # Shapes
/// returns: `[256]`.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "timesteps and frequencies are small")]
pub fn waves(timestep: u32) -> Vec<f32> {
    let half = FREQUENCIES / 2;
    let slope = -(libm::log(10_000.0) as f32);
    let angle = |index: usize| {
        let nearest = libm::exp(f64::from(slope * index as f32 / half as f32)) as f32;
        let frequency = if ROUNDED_UP.contains(&index) { nearest.next_up() } else { nearest };
        f64::from(timestep as f32 * frequency)
    };
    let cosines = (0..half).map(|index| libm::cos(angle(index)) as f32);
    cosines.chain((0..half).map(|index| libm::sin(angle(index)) as f32)).collect()
}

fn all_timesteps(device: &Device) -> candle_core::Result<Tensor> {
    let values: Vec<f32> = (0..TIMESTEPS).flat_map(waves).collect();
    Tensor::from_vec(values, (TIMESTEPS as usize, FREQUENCIES), device)
}

#[cfg(test)]
mod tests {
    use gtr_core::{TimestepLimit, Timesteps};

    use super::*;
    use crate::Precision;
    use crate::checkpoint::{Checkpoint, WeightLayout};
    use crate::diffusion::Process;

    /// A head of the width of MAR-H, with two of its blocks.
    const SIZE: HeadSize = HeadSize { channels: 16, condition: 1280, width: 1536, depth: 2 };

    fn build(weights: &mut Weights) -> Result<DiffusionHead, BackendError> {
        DiffusionHead::load(weights, "net", SIZE)
    }

    fn waves_of(width: usize, phase: f32) -> Tensor {
        let values = (0_u16..).map(|place| (f32::from(place) * 0.7 + phase).sin()).take(3 * width);
        Tensor::from_vec(values.collect(), (3, width), &Device::Cpu).unwrap()
    }

    /// Predicted noise of three rows at timestep 999.
    fn noise(head: &DiffusionHead) -> Vec<f32> {
        let (x, times) = (head.embed_tokens(&waves_of(16, 0.0)).unwrap(), head.embed_timesteps(&[999; 3]).unwrap());
        let out = head.predict(&x, &times, &head.embed_conditions(&waves_of(1280, 1.0)).unwrap()).unwrap();
        out.narrow(1, 0, 16).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[expect(clippy::cast_precision_loss, reason = "few values")]
    fn root_mean_square(values: impl Iterator<Item = f32>) -> f32 {
        let values: Vec<f32> = values.collect();
        (values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32).sqrt()
    }

    /// Error of the values after the first of 20 evaluations, in standard deviations of the values: noise has variance 1,
    /// so the error of the noise is taken relative to its size.
    fn deviations(found: &[f32], exact: &[f32]) -> f32 {
        let process = Process::new(&Timesteps::new(DiffusionSteps::new(20).unwrap(), TimestepLimit::NONE).unwrap());
        let first = process.coefficients(0);
        assert_eq!(first.timestep, 999);
        let error = root_mean_square(found.iter().zip(exact).map(|(found, exact)| found - exact));
        error / root_mean_square(exact.iter().copied()) * first.x0_from_noise * first.mean_from_x0
    }

    #[test]
    fn the_first_evaluation_is_exact_in_every_precision() {
        let layout = WeightLayout::of(build).unwrap();
        let load = |compute: Compute| Weights::load(Checkpoint::random("head", &layout, 3), compute, build).unwrap();
        let exact = noise(&load((&Device::Cpu).into()));
        for precision in [Precision::Bf16, Precision::F16] {
            let compute = Compute::from(&Device::Cpu).with_precision(precision);
            assert_eq!(noise(&load(compute.clone())), exact, "{precision}");
            let found = noise(&load(compute.through_device_path()));
            assert!(deviations(&found, &exact) < 0.01, "{precision}: {}", deviations(&found, &exact));
        }
        // The bound can fail: with matrices in bf16 the values are off.
        let compute = Compute::from(&Device::Cpu).with_precision(Precision::Bf16);
        let in_bf16 = |weights: &mut Weights| DiffusionHead::build(weights, "net", SIZE, compute.clone());
        let rounded = Weights::load(Checkpoint::random("head", &layout, 3), compute.clone(), in_bf16).unwrap();
        let off = deviations(&noise(&rounded), &exact);
        assert!(off > 0.5, "{off}");
    }
}
