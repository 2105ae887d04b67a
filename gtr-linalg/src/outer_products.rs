//! Sums of outer products.

use nalgebra::DMatrix;

use crate::Symmetric;

/// Number of vectors whose products are summed at a time.
const CHUNK: usize = 512;

/// The sum of the outer products of vectors with themselves.
///
/// # Examples
/// ```
/// use gtr_linalg::OuterProducts;
///
/// let mut sum = OuterProducts::new(2);
/// sum.add(&[1.0, 2.0, 0.0, 3.0]);
/// assert_eq!(sum.divided_by(2.0).as_slice(), [0.5, 1.0, 1.0, 6.5]);
/// ```
#[derive(Clone, Debug)]
pub struct OuterProducts(DMatrix<f64>);

impl OuterProducts {
    /// Creates an empty sum for vectors of `width` values.
    pub fn new(width: usize) -> Self {
        Self(DMatrix::zeros(width, width))
    }

    /// Adds the outer products of vectors, `[n, width]`.
    ///
    /// # Panics
    /// If a vector is incomplete, or if the width is 0.
    pub fn add(&mut self, vectors: &[f32]) {
        let width = self.0.nrows();
        for vectors in vectors.chunks(CHUNK * width) {
            let count = vectors.len() / width;
            let columns = DMatrix::from_vec(width, count, vectors.iter().map(|value| f64::from(*value)).collect());
            self.0.gemm(1.0, &columns, &columns.transpose(), 1.0);
        }
    }

    /// Returns the sum divided by `divisor`.
    #[must_use]
    pub fn divided_by(self, divisor: f64) -> Symmetric {
        let mut matrix = self.0 / divisor;
        matrix.fill_lower_triangle_with_upper_triangle();
        Symmetric(matrix)
    }
}

/// Adds the outer product of `a` and `b` to `sums`, `[a.len(), b.len()]`. Values outside the shorter of `sums` and the product
/// are ignored.
pub fn add_outer_product(sums: &mut [f64], a: &[f32], b: &[f32]) {
    for (sums, a) in sums.chunks_exact_mut(b.len().max(1)).zip(a) {
        for (sum, b) in sums.iter_mut().zip(b) {
            *sum += f64::from(*a) * f64::from(*b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_equal_the_explicit_ones_over_several_chunks() {
        let count = u16::try_from(2 * CHUNK + 3).unwrap();
        let vectors: Vec<f32> = (0..count).flat_map(|at| [f32::from(at % 7), f32::from(at % 5) - 2.0]).collect();
        let mut sum = OuterProducts::new(2);
        sum.add(&vectors);
        let found = sum.divided_by(1.0);
        let mut expected = [0.0; 4];
        for vector in vectors.chunks_exact(2) {
            add_outer_product(&mut expected, vector, vector);
        }
        // Sums of whole numbers are exact.
        assert_eq!(found.as_slice(), expected);
    }

    #[test]
    fn an_outer_product_is_row_major() {
        let mut sums = [0.0; 6];
        add_outer_product(&mut sums, &[1.0, 2.0], &[3.0, 4.0, 5.0]);
        assert_eq!(sums, [3.0, 4.0, 5.0, 6.0, 8.0, 10.0]);
    }
}
