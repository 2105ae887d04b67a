//! The Cholesky factor of a covariance in the order of generation, and what can be read from it.

use nalgebra::DMatrix;

use super::blocked;
use super::covariance::Covariance;
use super::small::Symmetric;
use crate::TokenIndex;

/// What must be left of a variance once all numbers before are known, as a share of it: less is rounding.
const LEAST_LEFT: f64 = 1e-10;

/// The lower triangular `L` with `L L^T` = covariance of tokens in the order of generation.
#[derive(Debug)]
pub(crate) struct Factor {
    lower: DMatrix<f64>,
    channels: usize,
}

/// The position in the order of a token of which nothing is left once those before it are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Degenerate(pub(crate) usize);

impl Factor {
    /// Factorises the covariance of `order`, whose tokens have `channels` numbers each.
    pub(super) fn of(covariance: &Covariance<'_>, channels: usize, order: &[TokenIndex]) -> Result<Self, Degenerate> {
        let numbers: Vec<usize> =
            order.iter().flat_map(|token| (0..channels).map(move |channel| token.get() * channels + channel)).collect();
        let side = numbers.len();
        let lower = |row: usize, column: usize| {
            if column <= row { covariance.at(numbers[row], numbers[column]) } else { 0.0 }
        };
        Self::of_lower(DMatrix::from_fn(side, side, lower), channels)
    }

    /// Factorises the lower half of a covariance, whose upper half holds zeros.
    fn of_lower(mut lower: DMatrix<f64>, channels: usize) -> Result<Self, Degenerate> {
        let least: Vec<f64> = lower.diagonal().iter().map(|variance| LEAST_LEFT * variance).collect();
        match blocked::cholesky(lower.as_view_mut(), &least) {
            Ok(()) => Ok(Self { lower, channels }),
            Err(row) => Err(Degenerate(row / channels)),
        }
    }

    /// What is lost on the token at `position` when it is drawn together with tokens right before it: none so far.
    pub(crate) fn together(&self, position: usize) -> Together<'_> {
        Together { factor: self, position, first: position, shared: Symmetric::zero(self.channels) }
    }

    /// What each token of a step knows of the rest of the step beyond what is known before, in nats; the step is `first..end`.
    pub(super) fn shared_in_step(&self, first: usize, end: usize) -> Vec<f64> {
        let (channels, tokens) = (self.channels, end - first);
        let side = tokens * channels;
        let start = first * channels;
        let mut inverse = self.lower.view((start, start), (side, side)).into_owned();
        blocked::invert(inverse.as_view_mut());
        let nats = |token: usize| {
            // The token's block of the inverse of the step's covariance: its inverse is what is left once all others are known.
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

    /// The covariance of the tokens from `first` to before `end`, given those before `first`.
    pub(crate) fn conditional(&self, first: usize, end: usize) -> Conditional {
        let (start, side) = (first * self.channels, (end - first) * self.channels);
        let lower = self.lower.view((start, start), (side, side));
        Conditional { covariance: lower * lower.transpose(), channels: self.channels }
    }
}

/// The covariance of some tokens, given others.
#[derive(Debug)]
pub(crate) struct Conditional {
    covariance: DMatrix<f64>,
    channels: usize,
}

impl Conditional {
    /// Factorises it with its tokens in another order, which lists their positions.
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

/// What is lost on a token when it is drawn together with tokens right before it, instead of after them.
#[derive(Debug)]
pub(crate) struct Together<'a> {
    factor: &'a Factor,
    position: usize,
    /// The first of the tokens that it is drawn together with.
    first: usize,
    /// What those tell of it, in units of what is left of it once they are known.
    shared: Symmetric,
}

impl Together<'_> {
    /// Draws it together with all tokens from `first` on, which may not be later than before.
    pub(crate) fn extend(&mut self, first: usize) {
        let Self { factor, position, .. } = *self;
        let (channels, lower) = (factor.channels, &factor.lower);
        let row = position * channels;
        let mut whitened = vec![0.0; channels];
        for column in (first * channels..self.first * channels).rev() {
            // Forward substitution with the token's own block.
            for channel in 0..channels {
                let known: f64 = (0..channel).map(|other| lower[(row + channel, row + other)] * whitened[other]).sum();
                whitened[channel] = (lower[(row + channel, column)] - known) / lower[(row + channel, row + channel)];
            }
            self.shared.add_square(|channel| whitened[channel]);
        }
        self.first = first;
    }

    /// The loss in nats, 0 or more.
    pub(crate) fn nats(&self) -> f64 {
        0.5 * self.shared.log_determinant_of_one_more()
    }
}
