//! Noise from a recording in place of a seed.

use std::collections::HashMap;

use candle_core::Tensor;
use gtr_core::{HeadRow, ImageIndex, NoiseSource, TokenIndex};

use crate::BackendError;
use crate::error::Context;

/// Noise of recorded rows. Rows and draws that are not recorded are NaN, so every comparison with them fails.
pub(super) struct RecordedNoise {
    rows: HashMap<(ImageIndex, TokenIndex), usize>,
    /// `[rows, channels]`: start of the chains.
    first: Vec<f32>,
    /// `[draws, stride, channels]`: noise added after each evaluation.
    rest: Vec<f32>,
    /// Number of rows per draw in the recording. Larger than the number of rows if both halves are recorded.
    stride: usize,
    channels: usize,
}

impl RecordedNoise {
    /// `first` is `[rows, channels]`; `rest` is `[draws, at least as many rows, channels]`.
    pub(super) fn new(rows: &[HeadRow], first: &Tensor, rest: &Tensor) -> Result<Self, BackendError> {
        let list = |tensor: &Tensor| tensor.flatten_all().and_then(|values| values.to_vec1());
        let (_, channels) = first.dims2().context("reading recorded noise")?;
        let (_, stride, _) = rest.dims3().context("reading recorded noise")?;
        Ok(Self {
            rows: rows.iter().enumerate().map(|(number, row)| ((row.image, row.token), number)).collect(),
            first: list(first).context("reading recorded noise")?,
            rest: list(rest).context("reading recorded noise")?,
            stride,
            channels,
        })
    }

    /// `draws` is `[draws, rows, channels]`; the first draw is the start of the chains.
    pub(super) fn of_draws(rows: &[HeadRow], draws: &Tensor) -> Result<Self, BackendError> {
        let (_, stride, channels) = draws.dims3().context("reading recorded noise")?;
        let mut first: Vec<f32> =
            draws.flatten_all().and_then(|values| values.to_vec1()).context("reading recorded noise")?;
        let rest = first.split_off((stride * channels).min(first.len()));
        let rows = rows.iter().enumerate().map(|(number, row)| ((row.image, row.token), number)).collect();
        Ok(Self { rows, first, rest, stride, channels })
    }

    fn find(&self, image: ImageIndex, token: TokenIndex, draw: u32) -> Option<&[f32]> {
        let row = *self.rows.get(&(image, token))?;
        let (values, row) = match (draw as usize).checked_sub(1) {
            None => (&self.first, row),
            Some(draw) => (&self.rest, draw * self.stride + row),
        };
        values.get(row * self.channels..(row + 1) * self.channels)
    }
}

impl NoiseSource for RecordedNoise {
    fn fill_normal(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        match self.find(image, token, draw) {
            Some(values) if values.len() == out.len() => out.copy_from_slice(values),
            _ => out.fill(f32::NAN),
        }
    }
}
