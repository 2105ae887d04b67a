//! Noise of tokens that are drawn in several AR steps.

use crate::{ImageIndex, NoiseSource, TokenIndex};

/// Number of draws of an AR step, above the number of draws of any token.
const DRAWS: u32 = 1024;

/// Noise of one AR step: new noise for a token that an earlier step has already drawn.
pub(super) struct Redrawn<'a> {
    source: &'a dyn NoiseSource,
    first: u32,
}

impl<'a> Redrawn<'a> {
    /// Returns the noise of the AR step at `index`, in which draw k is draw k + 1024 `index` of the source.
    #[expect(clippy::cast_possible_truncation, reason = "draws repeat after 2^22 steps")]
    pub(super) fn new(source: &'a dyn NoiseSource, index: usize) -> Self {
        Self { source, first: (index as u32).wrapping_mul(DRAWS) }
    }
}

impl NoiseSource for Redrawn<'_> {
    fn fill_normal(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        self.source.fill_normal(image, token, self.first.wrapping_add(draw), out);
    }

    fn fill_uniform(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        self.source.fill_uniform(image, token, self.first.wrapping_add(draw), out);
    }
}
