//! The Cholesky factor of a covariance in generation order, and the quantities derived from it.

use nalgebra::DMatrix;

use crate::block::Block;
use crate::symmetric::lower_triangle;
use crate::{Covariance, Symmetric, blocked};

/// Smallest conditional variance, relative to the variance, that is distinguishable from rounding errors.
const LEAST_LEFT: f64 = 1e-10;

/// The lower triangular `L` with `L L^T` equal to the covariance of the tokens in generation order.
///
/// # Examples
/// ```
/// use gtr_linalg::{Covariance, Factor};
///
/// // Two tokens with correlation 0.5.
/// let pair = |correlation| Covariance::Displacement { width: 2, table: vec![1.0, correlation] };
/// let factor = Factor::of(&pair(0.5), 1, &[0, 1]).expect("a positive definite covariance");
/// // Sampled in parallel, they lose their mutual information.
/// let mut together = factor.together(1);
/// together.extend(0);
/// assert!((together.nats() + 0.5 * (1.0 - 0.25_f64).ln()).abs() < 1e-12);
/// // A token that equals the one before it has no variance left.
/// assert_eq!(Factor::of(&pair(1.0), 1, &[0, 1]).err().map(|token| token.0), Some(1));
/// ```
#[derive(Debug)]
pub struct Factor {
    lower: DMatrix<f64>,
    channels: usize,
}

/// Position in the order of a token that has no variance left given the tokens before it.
#[derive(Clone, Copy, Debug)]
pub struct Degenerate(pub usize);

impl Factor {
    /// Factorises the covariance of tokens with `channels` values each. `numbers` has the numbers of all values, token by token,
    /// in generation order.
    ///
    /// # Errors
    /// [`Degenerate`] if the covariance is not positive definite.
    ///
    /// # Panics
    /// If there is no value with one of the numbers.
    pub fn of(covariance: &Covariance<'_>, channels: usize, numbers: &[usize]) -> Result<Self, Degenerate> {
        Self::new(numbers.len(), channels, |row, column| covariance.at(numbers[row], numbers[column]))
    }

    /// Factorises a covariance of `side` values, which is called with `column <= row`.
    fn new(side: usize, channels: usize, covariance: impl FnMut(usize, usize) -> f64) -> Result<Self, Degenerate> {
        let mut lower = DMatrix::from_vec(side, side, lower_triangle(side, covariance));
        let least: Vec<f64> = lower.diagonal().iter().map(|variance| LEAST_LEFT * variance).collect();
        match blocked::cholesky(lower.as_view_mut(), &least) {
            Ok(()) => Ok(Self { lower, channels }),
            Err(row) => Err(Degenerate(row / channels)),
        }
    }

    /// Starts computing the loss of the token at `position` if it is sampled in parallel with the tokens directly
    /// before it. Initially there are no such tokens; see [`Together::extend`].
    ///
    /// # Panics
    /// The methods of the result panic if there is no such token.
    pub fn together(&self, position: usize) -> Together<'_> {
        Together { factor: self, position, first: position, shared: Block::zero(self.channels) }
    }

    /// Returns, for each token of the step `first..end`, the mutual information in nats between the token and the rest
    /// of the step, given all tokens before the step.
    ///
    /// # Panics
    /// If the range is not within the tokens.
    pub fn shared_in_step(&self, first: usize, end: usize) -> Vec<f64> {
        let (channels, tokens) = (self.channels, end - first);
        let side = tokens * channels;
        let start = first * channels;
        let mut inverse = self.lower.view((start, start), (side, side)).into_owned();
        blocked::invert(inverse.as_view_mut());
        let nats = |token: usize| {
            // The token's block of the inverse of the step's covariance. Its inverse is the covariance of the token
            // given all other tokens of the step.
            let mut precision = Block::zero(channels);
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
    ///
    /// # Panics
    /// If the range is not within the tokens.
    pub fn conditional(&self, first: usize, end: usize) -> Conditional {
        let (start, side) = (first * self.channels, (end - first) * self.channels);
        let lower = self.lower.view((start, start), (side, side));
        Conditional { covariance: Symmetric(lower * lower.transpose()), channels: self.channels }
    }
}

/// Conditional covariance of a range of tokens, given the tokens before it.
#[derive(Debug)]
pub struct Conditional {
    covariance: Symmetric,
    channels: usize,
}

impl Conditional {
    /// Factorises the covariance with the tokens rearranged; `order` lists their positions in the range.
    ///
    /// # Errors
    /// [`Degenerate`] if the covariance is not positive definite.
    ///
    /// # Panics
    /// If a position is not in the range.
    pub fn in_order(&self, order: &[usize]) -> Result<Factor, Degenerate> {
        let (covariance, channels) = (&self.covariance.0, self.channels);
        let number = |row: usize| order[row / channels] * channels + row % channels;
        Factor::new(order.len() * channels, channels, |row, column| covariance[(number(row), number(column))])
    }
}

/// Loss of a token that is sampled in parallel with the tokens directly before it, instead of after them.
#[derive(Debug)]
pub struct Together<'a> {
    factor: &'a Factor,
    position: usize,
    /// Position of the first token sampled in parallel with it.
    first: usize,
    /// The part of the token's covariance that those tokens explain, whitened by its covariance given all tokens before
    /// it.
    shared: Block,
}

impl Together<'_> {
    /// Samples the token in parallel with all tokens from `first` on. `first` must not exceed its previous value.
    pub fn extend(&mut self, first: usize) {
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
    pub fn nats(&self) -> f64 {
        0.5 * self.shared.log_determinant_of_one_more()
    }
}
