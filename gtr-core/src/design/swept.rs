//! Conditional covariances that can be asked what one token more or less would change.

use nalgebra::DMatrix;

/// A covariance swept on the tokens that are known.
///
/// Its block of unknown tokens is their covariance given the known ones, that of known tokens the negative inverse of their
/// covariance. Sweeping a token again takes it back out.
///
/// # Source
/// Beaton, "The use of special matrix operators in statistical calculus" (1964).
#[derive(Clone, Debug)]
pub(super) struct Swept {
    matrix: DMatrix<f64>,
    known: Vec<bool>,
}

impl Swept {
    /// Nothing is known yet.
    pub(super) fn new(covariance: DMatrix<f64>) -> Self {
        let known = vec![false; covariance.nrows()];
        Self { matrix: covariance, known }
    }

    /// Makes an unknown token known, or a known one unknown.
    pub(super) fn toggle(&mut self, token: usize) {
        let pivot = self.matrix[(token, token)];
        let column = self.matrix.column(token).into_owned();
        // One sign for both directions: a token that is taken out was swept with the other.
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

    /// The variance of a token given the known ones, other than itself.
    pub(super) fn variance(&self, token: usize) -> f64 {
        let number = self.matrix[(token, token)];
        if self.known[token] { -1.0 / number } else { number }
    }

    /// The variance of an unknown token if `other` were known, or unknown where it is known.
    pub(super) fn variance_without_or_with(&self, token: usize, other: usize) -> f64 {
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

    /// The variance of `token` given `known`, from determinants.
    fn expected(known: &[usize], token: usize) -> f64 {
        let covariance = covariance(6);
        let determinant = |tokens: &[usize]| covariance.select_rows(tokens).select_columns(tokens).determinant();
        determinant(&[known, &[token]].concat()) / if known.is_empty() { 1.0 } else { determinant(known) }
    }

    #[test]
    fn variances_are_those_of_determinants() {
        let mut swept = Swept::new(covariance(6));
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
