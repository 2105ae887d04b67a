//! Small symmetric matrices, with one row per channel.

/// Small symmetric positive semidefinite matrix.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    side: usize,
    /// Row-major; only the lower triangle is used.
    numbers: Vec<f64>,
}

impl Block {
    pub(crate) fn zero(side: usize) -> Self {
        Self { side, numbers: vec![0.0; side * side] }
    }

    /// Adds the outer product of a column with itself.
    pub(crate) fn add_square(&mut self, column: impl Fn(usize) -> f64) {
        for row in 0..self.side {
            for other in 0..=row {
                self.numbers[row * self.side + other] += column(row) * column(other);
            }
        }
    }

    /// Returns the logarithm of the determinant.
    pub(crate) fn log_determinant(&self) -> f64 {
        self.pivots(0.0).into_iter().map(libm::log).sum()
    }

    /// Returns the logarithm of the determinant of `self + I`, 0 or more.
    pub(crate) fn log_determinant_of_one_more(&self) -> f64 {
        match *self.numbers.as_slice() {
            [number] => libm::log1p(number),
            // Pivots are at least 1 except for rounding errors.
            _ => self.pivots(1.0).into_iter().map(|pivot| libm::log(pivot).max(0.0)).sum(),
        }
    }

    /// Returns the squares of the diagonal of the Cholesky factor of `self + more * I`.
    fn pivots(&self, more: f64) -> Vec<f64> {
        let (side, mut rest) = (self.side, self.numbers.clone());
        for row in 0..side {
            rest[row * side + row] += more;
        }
        for pivot in 0..side {
            for row in pivot + 1..side {
                let factor = rest[row * side + pivot] / rest[pivot * side + pivot];
                for column in pivot + 1..=row {
                    rest[row * side + column] -= factor * rest[column * side + pivot];
                }
            }
        }
        (0..side).map(|row| rest[row * side + row]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn determinants_equal_the_explicit_ones() {
        let mut matrix = Block::zero(2);
        for column in [[1.0, 2.0], [3.0, -1.0]] {
            matrix.add_square(|row| column[row]);
        }
        // [[10, -1], [-1, 5]], and [[11, -1], [-1, 6]].
        assert!((matrix.log_determinant() - 49.0_f64.ln()).abs() < 1e-14);
        assert!((matrix.log_determinant_of_one_more() - 65.0_f64.ln()).abs() < 1e-14);
        assert_eq!(Block::zero(3).log_determinant_of_one_more(), 0.0);
    }
}
