//! Rules that rank tokens by the spectrum of their conditioning vectors.

use std::fmt::Debug;

use super::spectrum::scores;
use super::{Candidates, Detail, DetailShare, TokenSelection};
use crate::{Capability, TokenIndex};

/// Picks a share of the tokens from one end of their scores.
pub(super) trait Ranking: Debug + Send + Sync {
    /// Returns the share of tokens to pick and their diffusion steps.
    fn selection(&self) -> &TokenSelection;

    /// Converts a score to the sort key. Tokens are picked in ascending order of the key.
    fn key(score: f64) -> f64;
}

impl<R: Ranking> Detail for R {
    fn share(&self, tokens: usize) -> Option<DetailShare> {
        self.selection().share(tokens)
    }

    fn requirements(&self) -> &'static [Capability] {
        &[Capability::HostFeatures]
    }

    fn scores(&self, candidates: &Candidates<'_>) -> Option<Vec<f64>> {
        Some(scores(candidates.features, candidates.width))
    }

    fn pick(&self, candidates: Candidates<'_>, count: usize) -> Vec<usize> {
        let scores = scores(candidates.features, candidates.width);
        first_by(&candidates, count, |position| R::key(scores[position]))
    }
}

/// Returns the positions of the `count` tokens with the smallest keys, ascending. Ties go to the lower token. `key` is called
/// with the position of each token.
///
/// A [`Detail::pick`] that uses it does not depend on the order of the tokens.
///
/// # Examples
/// ```
/// use gtr_core::detail::{Candidates, first_by};
/// use gtr_core::{Grid, ImageIndex, Seed, Stream, StreamPurpose};
/// let tokens: Vec<_> = Grid::new(1, 4)?.iter().collect();
/// let stream = Stream::new(Seed(0), StreamPurpose::Detail, ImageIndex(0), 0);
/// let candidates = Candidates { tokens: &tokens, width: 1, features: &[0.3, 0.9, 0.1, 0.3], stream };
/// // The tokens with the largest values.
/// assert_eq!(first_by(&candidates, 2, |position| -f64::from(candidates.features[position])), [0, 1]);
/// # Ok::<(), gtr_core::GridError>(())
/// ```
pub fn first_by(candidates: &Candidates<'_>, count: usize, key: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut ranked: Vec<(f64, TokenIndex, usize)> =
        candidates.tokens.iter().enumerate().map(|(position, &token)| (key(position), token, position)).collect();
    ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut picked: Vec<usize> = ranked.into_iter().take(count).map(|(.., position)| position).collect();
    picked.sort_unstable();
    picked
}
