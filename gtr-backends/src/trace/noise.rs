//! A source of noise that records its values.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gtr_core::{HeadRow, ImageIndex, NoiseSource, TokenIndex};

/// Draws from another source and keeps the values until they are collected.
pub(super) struct RememberedNoise<'a> {
    source: &'a dyn NoiseSource,
    drawn: Mutex<Drawn>,
}

/// Values of each draw of a token.
type Drawn = HashMap<(ImageIndex, TokenIndex), Vec<Vec<f32>>>;

impl<'a> RememberedNoise<'a> {
    pub(super) fn new(source: &'a dyn NoiseSource) -> Self {
        Self { source, drawn: Mutex::default() }
    }

    /// Returns the values drawn for `rows` since the last call, `[draws, rows, channels]`, with zeros for draws that
    /// did not happen.
    pub(super) fn collect(&self, rows: &[HeadRow], draws: usize, channels: usize) -> Vec<f32> {
        // The values are consistent even if another thread panicked.
        let remembered = std::mem::take(&mut *self.drawn.lock().unwrap_or_else(PoisonError::into_inner));
        let mut all = vec![0.0; draws * rows.len() * channels];
        for (number, row) in rows.iter().enumerate() {
            for (draw, values) in remembered.get(&(row.image, row.token)).into_iter().flatten().take(draws).enumerate()
            {
                let place = (draw * rows.len() + number) * channels;
                for (to, value) in all[place..place + channels].iter_mut().zip(values) {
                    *to = *value;
                }
            }
        }
        all
    }
}

impl NoiseSource for RememberedNoise<'_> {
    fn fill_normal(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        self.source.fill_normal(image, token, draw, out);
        let mut remembered = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let values = remembered.entry((image, token)).or_default();
        let draw = draw as usize;
        if values.len() <= draw {
            values.resize(draw + 1, Vec::new());
        }
        values[draw] = out.to_vec();
    }
}
