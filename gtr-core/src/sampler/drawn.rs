//! Noise that is drawn before it is needed, while a device computes the conditioning vectors of a step.

use std::collections::BTreeMap;

use crate::{ImageIndex, NoiseSource, Solver, Targets, Timesteps, TokenIndex};

/// A source whose first draws of some tokens are already drawn. All values are those of the source.
pub(super) struct Drawn<'a> {
    source: &'a dyn NoiseSource,
    /// Number of values of a draw.
    width: usize,
    /// Number of draws of each token.
    draws: usize,
    /// Index of each token in `values`.
    places: BTreeMap<(ImageIndex, TokenIndex), usize>,
    /// `[tokens, draws, width]`.
    values: Vec<f32>,
}

impl<'a> Drawn<'a> {
    /// Draws nothing.
    pub(super) fn nothing(source: &'a dyn NoiseSource) -> Self {
        Self { source, width: 0, draws: 0, places: BTreeMap::new(), values: Vec::new() }
    }

    /// Draws what every candidate needs, whichever of the `groups` of timesteps it takes.
    pub(super) fn new(
        source: &'a dyn NoiseSource,
        width: usize,
        (images, candidates): (impl Iterator<Item = ImageIndex>, &Targets),
        (groups, solver): (&[Timesteps], &dyn Solver),
    ) -> Self {
        // The last evaluation adds no noise.
        let most = groups.iter().map(Timesteps::evaluations).min().unwrap_or(0);
        let draws = if solver.adds_noise() { most } else { most.min(1) };
        let tokens =
            images.zip(candidates.by_image()).flat_map(|(image, tokens)| tokens.iter().map(move |&it| (image, it)));
        let tokens: Vec<_> = tokens.collect();
        let mut values = vec![0.0; tokens.len() * draws * width];
        for (&(image, token), values) in tokens.iter().zip(values.chunks_exact_mut((draws * width).max(1))) {
            for (draw, values) in (0..).zip(values.chunks_exact_mut(width)) {
                source.fill_normal(image, token, draw, values);
            }
        }
        Self { source, width, draws, places: tokens.into_iter().zip(0..).collect(), values }
    }

    /// Returns the values of a draw if they are already drawn.
    fn values(&self, image: ImageIndex, token: TokenIndex, draw: u32) -> Option<&[f32]> {
        let (draw, place) = (draw as usize, self.places.get(&(image, token))?);
        (draw < self.draws).then(|| &self.values[(place * self.draws + draw) * self.width..][..self.width])
    }
}

impl NoiseSource for Drawn<'_> {
    fn fill_normal(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        match self.values(image, token, draw) {
            Some(values) if values.len() == out.len() => out.copy_from_slice(values),
            _ => self.source.fill_normal(image, token, draw, out),
        }
    }

    fn fill_uniform(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        self.source.fill_uniform(image, token, draw, out);
    }
}
