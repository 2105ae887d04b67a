//! A reverse diffusion step of many rows, with guidance.

use candle_core::{DType, Result, Shape, Tensor};

use super::{Argument, Call, Kernel, Operand, run3};

/// Number of columns of a step before its noise: factors of x and of the noise in the estimate of the clean values;
/// factors of the clean values and of x in the new values; bounds of the log-variance; factors of the clean values of the
/// step before, and of new noise.
pub(crate) const COLUMNS: usize = 8;

/// Reverse step of the first rows of a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReverseStep {
    /// Number of rows that take the step, the first ones. The others are copied.
    pub(crate) active: usize,
    /// Guidance scale; `None` without an unconditional half.
    pub(crate) guidance: Option<f32>,
    /// Factor of new noise.
    pub(crate) temperature: f32,
}

impl ReverseStep {
    /// Takes the step.
    ///
    /// # Shapes
    /// - `predicted`: `[halves * active, 2 * channels]`, the output of the network, conditional half first.
    /// - `state`: `[2, rows, channels]`: the values, and the clean values that the evaluation before predicted.
    /// - `steps`: `[rows, 8 + channels]`: the columns of each row's step, then its new noise.
    /// - returns: the new state.
    pub(crate) fn take(self, predicted: &Tensor, state: &Tensor, steps: &Tensor) -> Result<Tensor> {
        let (two, rows, channels) = state.dims3()?;
        let halves = if self.guidance.is_some() { 2 } else { 1 };
        let fits = two == 2 && self.active <= rows && steps.dims() == [rows, COLUMNS + channels];
        if !fits || predicted.dims() != [halves * self.active, 2 * channels] {
            let shapes = [predicted.dims(), state.dims(), steps.dims()];
            candle_core::bail!("prediction, state and steps of shapes {shapes:?} do not fit {self:?}");
        }
        if [predicted, state, steps].into_iter().any(|operand| operand.dtype() != DType::F32) {
            candle_core::bail!("expected operands of a reverse step in f32");
        }
        run3(self, [predicted, state, steps])
    }
}

impl Kernel<3> for ReverseStep {
    const NAME: &'static str = "reverse-step";

    fn call(&self, [_, (state, _), _]: [(&Shape, DType); 3]) -> Result<Call> {
        let (_, rows, channels) = state.dims3()?;
        let mut arguments: Vec<_> = (0..3).map(Argument::Operand).collect();
        for size in [self.active, rows, channels, usize::from(self.guidance.is_some())] {
            arguments.push(Argument::size(size)?);
        }
        arguments.extend([Argument::Float(self.guidance.unwrap_or(1.0)), Argument::Float(self.temperature)]);
        Call::elements("reverse_step", state, DType::F32, arguments)
    }

    fn reference(&self, [predicted, state, steps]: [Operand<'_>; 3]) -> Result<Vec<f32>> {
        let (rows, channels) = (state.dims()[1], state.dims()[2]);
        let (predicted, state, steps) = (predicted.floats()?, state.floats()?, steps.floats()?);
        let mut out = state.to_vec();
        for place in 0..self.active * channels {
            let (row, channel) = (place / channels, place % channels);
            let step = &steps[row * (COLUMNS + channels)..][..COLUMNS + channels];
            let [from_x, from_noise, mean_x0, mean_x, least, most, before, factor] =
                *step.first_chunk().unwrap_or(&[0.0; COLUMNS]);
            let at = |row: usize, channel: usize| predicted[row * 2 * channels + channel];
            let (mut noise, share) = (at(row, channel), f32::midpoint(at(row, channels + channel), 1.0));
            if let Some(guidance) = self.guidance {
                let without = at(self.active + row, channel);
                noise = without + guidance * (noise - without);
            }
            let (x, previous) = (state[place], state[rows * channels + place]);
            let x0 = from_x * x - from_noise * noise;
            let deviation = libm::expf(0.5 * (share * most + (1.0 - share) * least)) * factor;
            let new = deviation * step[COLUMNS + channel] * self.temperature;
            out[place] = mean_x0 * x0 + mean_x * x + before * previous + new;
            out[rows * channels + place] = x0;
        }
        Ok(out)
    }
}
