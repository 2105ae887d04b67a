//! The Cholesky factor of a covariance in generation order, and the quantities derived from it.

use nalgebra::DMatrix;

use super::blocked;
use super::covariance::Covariance;
use super::small_matrix::Symmetric;
use crate::TokenIndex;

/// Smallest conditional variance, relative to the variance, that is distinguishable from rounding errors.
const LEAST_LEFT: f64 = 1e-10;

/// The lower triangular `L` with `L L^T` equal to the covariance of the tokens in generation order.
#[derive(Debug)]
pub(crate) struct Factor {
    lower: DMatrix<f64>,
    channels: usize,
}

/// Position in the order of a token that has no variance left given the tokens before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Degenerate(pub(crate) usize);

impl Factor {
    /// Factorises the covariance of the tokens of `order`, with `channels` values per token.
    pub(super) fn of(covariance: &Covariance<'_>, channels: usize, order: &[TokenIndex]) -> Result<Self, Degenerate> {
        let numbers: Vec<usize> = order
            .iter()
            .flat_map(|token| (0..channels).map(move |channel| token.index() * channels + channel))
            .collect();
        let side = numbers.len();
        let lower = |row: usize, column: usize| {
            if column <= row { covariance.at(numbers[row], numbers[column]) } else { 0.0 }
        };
        Self::of_lower(DMatrix::from_fn(side, side, lower), channels)
    }

    /// Factorises a covariance given by its lower triangle; everything above the diagonal must be zero.
    fn of_lower(mut lower: DMatrix<f64>, channels: usize) -> Result<Self, Degenerate> {
        let least: Vec<f64> = lower.diagonal().iter().map(|variance| LEAST_LEFT * variance).collect();
        match blocked::cholesky(lower.as_view_mut(), &least) {
            Ok(()) => Ok(Self { lower, channels }),
            Err(row) => Err(Degenerate(row / channels)),
        }
    }

    /// Starts computing the loss of the token at `position` if it is sampled in parallel with the tokens directly
    /// before it. Initially there are no such tokens; see [`Together::extend`].
    pub(crate) fn together(&self, position: usize) -> Together<'_> {
        Together { factor: self, position, first: position, shared: Symmetric::zero(self.channels) }
    }

    /// Returns, for each token of the step `first..end`, the mutual information in nats between the token and the rest
    /// of the step, given all tokens before the step.
    pub(super) fn shared_in_step(&self, first: usize, end: usize) -> Vec<f64> {
        let (channels, tokens) = (self.channels, end - first);
        let side = tokens * channels;
        let start = first * channels;
        let mut inverse = self.lower.view((start, start), (side, side)).into_owned();
        blocked::invert(inverse.as_view_mut());
        let nats = |token: usize| {
            // The token's block of the inverse of the step's covariance. Its inverse is the covariance of the token
            // given all other tokens of the step.
            let mut precision = Symmetric::zero(channels);
            for row in token * channels..side {
                precision.add_square(|channel| inverse[(row, token * channels + channel)]);
            }
            let mut together = self.together(first + token);
            together.extend(first);
            let left: f64 = (0..channels).map(|channel| libm::log(self.diagonal(first + token, channel))).sum();
            (together.nats() + left + 0.5 * precision.log_determinant()).max(0.0)
        };
        (0..tokens).map(nats).collect()
    }

    fn diagonal(&self, position: usize, channel: usize) -> f64 {
        let row = position * self.channels + channel;
        self.lower[(row, row)]
    }

    /// Returns the covariance of the tokens `first..end`, given the tokens before `first`.
    pub(crate) fn conditional(&self, first: usize, end: usize) -> Conditional {
        let (start, side) = (first * self.channels, (end - first) * self.channels);
        let lower = self.lower.view((start, start), (side, side));
        Conditional { covariance: lower * lower.transpose(), channels: self.channels }
    }
}

/// Conditional covariance of a range of tokens, given the tokens before it.
#[derive(Debug)]
pub(crate) struct Conditional {
    covariance: DMatrix<f64>,
    channels: usize,
}

impl Conditional {
    /// Factorises the covariance with the tokens rearranged; `order` lists their positions.
    pub(crate) fn in_order(&self, order: &[usize]) -> Result<Factor, Degenerate> {
        let channels = self.channels;
        let number = |row: usize| order[row / channels] * channels + row % channels;
        let side = self.covariance.nrows();
        let lower = |row: usize, column: usize| {
            if column <= row { self.covariance[(number(row), number(column))] } else { 0.0 }
        };
        Factor::of_lower(DMatrix::from_fn(side, side, lower), channels)
    }
}

/// Loss of a token that is sampled in parallel with the tokens directly before it, instead of after them.
#[derive(Debug)]
pub(crate) struct Together<'a> {
    factor: &'a Factor,
    position: usize,
    /// Position of the first token sampled in parallel with it.
    first: usize,
    /// The part of the token's covariance that those tokens explain, whitened by its covariance given all tokens before
    /// it.
    shared: Symmetric,
}

impl Together<'_> {
    /// Samples the token in parallel with all tokens from `first` on. `first` must not exceed its previous value.
    pub(crate) fn extend(&mut self, first: usize) {
        let Self { factor, position, .. } = *self;
        let (channels, lower) = (factor.channels, &factor.lower);
        let row = position * channels;
        let mut whitened = vec![0.0; channels];
        for column in (first * channels..self.first * channels).rev() {
            // Forward substitution with the token's diagonal block.
            for channel in 0..channels {
                let known: f64 = (0..channel).map(|other| lower[(row + channel, row + other)] * whitened[other]).sum();
                whitened[channel] = (lower[(row + channel, column)] - known) / lower[(row + channel, row + channel)];
            }
            self.shared.add_square(|channel| whitened[channel]);
        }
        self.first = first;
    }

    /// Returns the loss in nats, 0 or more.
    pub(crate) fn nats(&self) -> f64 {
        0.5 * self.shared.log_determinant_of_one_more()
    }
}
