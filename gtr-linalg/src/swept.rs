//! Conditional covariances that update when one token is added to or removed from the known set.

use nalgebra::DMatrix;

use crate::Symmetric;

/// A covariance to which the sweep operator has been applied for each known token.
///
/// The block of the unknown tokens is their covariance given the known tokens. The block of the known tokens is the
/// negative inverse of their covariance. Sweeping a token again removes it from the known set.
///
/// # Source
/// Beaton, "The use of special matrix operators in statistical calculus" (1964).
///
/// # Examples
/// ```
/// use gtr_linalg::{Swept, Symmetric};
///
/// let covariance = Symmetric::from_fn(2, |row, column| if row == column { 1.0 } else { 0.5 });
/// let mut swept = Swept::new(&covariance);
/// swept.toggle(0);
/// assert!((swept.variance(1) - 0.75).abs() < 1e-12);
/// swept.toggle(0);
/// assert!((swept.variance(1) - 1.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct Swept {
    matrix: DMatrix<f64>,
    known: Vec<bool>,
}

impl Swept {
    /// Starts with no known tokens.
    pub fn new(covariance: &Symmetric) -> Self {
        Self { matrix: covariance.0.clone(), known: vec![false; covariance.side()] }
    }

    /// Adds a token to the known set, or removes it.
    pub fn toggle(&mut self, token: usize) {
        let pivot = self.matrix[(token, token)];
        let column = self.matrix.column(token).into_owned();
        // The inverse sweep differs only in this sign.
        let sign = if self.known[token] { -1.0 } else { 1.0 };
        self.matrix.ger(-1.0 / pivot, &column, &column, 1.0);
        for row in 0..column.len() {
            let number = sign * column[row] / pivot;
            self.matrix[(row, token)] = number;
            self.matrix[(token, row)] = number;
        }
        self.matrix[(token, token)] = -1.0 / pivot;
        self.known[token] = !self.known[token];
    }

    /// Returns the variance of a token given all other known tokens.
    pub fn variance(&self, token: usize) -> f64 {
        let number = self.matrix[(token, token)];
        if self.known[token] { -1.0 / number } else { number }
    }

    /// Returns the variance that an unknown token would have after toggling `other`.
    pub fn variance_without_or_with(&self, token: usize, other: usize) -> f64 {
        let both = self.matrix[(token, other)];
        self.matrix[(token, token)] - both * both / self.matrix[(other, other)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covariance(side: usize) -> DMatrix<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a few rows")]
        DMatrix::from_fn(side, side, |row, column| (-(row.abs_diff(column) as f64) / 2.0).exp())
    }

    /// Returns the variance of `token` given `known`, computed from determinants.
    fn expected(known: &[usize], token: usize) -> f64 {
        let covariance = covariance(6);
        let determinant = |tokens: &[usize]| covariance.select_rows(tokens).select_columns(tokens).determinant();
        determinant(&[known, &[token]].concat()) / if known.is_empty() { 1.0 } else { determinant(known) }
    }

    #[test]
    fn variances_equal_ratios_of_determinants() {
        let mut swept = Swept::new(&Symmetric(covariance(6)));
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        swept.toggle(1);
        swept.toggle(4);
        close(swept.variance(2), expected(&[1, 4], 2));
        close(swept.variance(4), expected(&[1], 4));
        close(swept.variance_without_or_with(2, 5), expected(&[1, 4, 5], 2));
        close(swept.variance_without_or_with(2, 4), expected(&[1], 2));
        swept.toggle(1);
        close(swept.variance(2), expected(&[4], 2));
        swept.toggle(4);
        close(swept.variance(3), expected(&[], 3));
        let unchanged = covariance(6);
        assert!((swept.matrix - unchanged).amax() < 1e-12);
    }
}
