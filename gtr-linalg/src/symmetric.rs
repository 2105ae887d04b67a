//! Dense symmetric matrices.

use std::ops::Index;

use nalgebra::DMatrix;

/// Largest difference between a value and its mirror image, relative to the largest value, that counts as rounding.
const ROUNDING: f64 = 1e-9;

/// A dense matrix that is symmetric up to rounding.
///
/// # Examples
/// ```
/// use gtr_linalg::Symmetric;
///
/// let matrix = Symmetric::from_fn(2, |row, column| if row == column { 5.0 } else { 4.0 });
/// assert_eq!((matrix.side(), matrix[(0, 1)], matrix.trace()), (2, 4.0, 10.0));
/// let mut eigenvalues = matrix.eigenvalues();
/// eigenvalues.sort_by(f64::total_cmp);
/// assert!((eigenvalues[0] - 1.0).abs() < 1e-12 && (eigenvalues[1] - 9.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Symmetric(pub(crate) DMatrix<f64>);

/// Eigenvalues and eigenvectors of a symmetric matrix, in no particular order.
#[derive(Clone, Debug)]
pub struct Eigen {
    /// The eigenvalues.
    pub values: Vec<f64>,
    /// The eigenvector of each eigenvalue, of length 1.
    pub vectors: Vec<Vec<f64>>,
}

impl Symmetric {
    /// Creates a matrix from its values, `[side, side]`. Returns `None` if their number is not the square of `side`, if a
    /// value is not finite, or if the matrix is not symmetric.
    pub fn new(side: usize, values: Vec<f64>) -> Option<Self> {
        if side.checked_mul(side) != Some(values.len()) || !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let matrix = DMatrix::from_vec(side, side, values);
        let largest = matrix.amax();
        ((&matrix - matrix.transpose()).amax() <= ROUNDING * largest).then_some(Self(matrix))
    }

    /// Creates a matrix from a function of row and column, which is called with `column <= row`.
    pub fn from_fn(side: usize, value: impl FnMut(usize, usize) -> f64) -> Self {
        Self::from_lower(side, lower_triangle(side, value))
    }

    fn from_lower(side: usize, values: Vec<f64>) -> Self {
        let mut matrix = DMatrix::from_vec(side, side, values);
        matrix.fill_upper_triangle_with_lower_triangle();
        Self(matrix)
    }

    /// Number of rows.
    pub fn side(&self) -> usize {
        self.0.nrows()
    }

    /// The values, `[side, side]`.
    pub fn as_slice(&self) -> &[f64] {
        self.0.as_slice()
    }

    /// Sum of the diagonal.
    pub fn trace(&self) -> f64 {
        self.0.trace()
    }

    /// Returns the rows and columns `first..end`.
    ///
    /// # Panics
    /// If the range is not within the matrix.
    #[must_use]
    pub fn principal(&self, first: usize, end: usize) -> Self {
        Self(self.0.view((first, first), (end - first, end - first)).into_owned())
    }

    /// Returns the eigenvalues.
    pub fn eigenvalues(&self) -> Vec<f64> {
        self.0.symmetric_eigenvalues().as_slice().to_vec()
    }

    /// Returns the eigenvalues and eigenvectors.
    pub fn eigen(&self) -> Eigen {
        let eigen = self.0.clone().symmetric_eigen();
        let vectors = eigen.eigenvectors.column_iter().map(|column| column.iter().copied().collect()).collect();
        Eigen { values: eigen.eigenvalues.as_slice().to_vec(), vectors }
    }

    /// Returns the square root of a positive semidefinite matrix. Eigenvalues that are negative due to rounding count as 0.
    #[must_use]
    pub fn root(&self) -> Self {
        let mut eigen = self.0.clone().symmetric_eigen();
        eigen.eigenvalues.apply(|value| *value = value.max(0.0).sqrt());
        Self(eigen.recompose())
    }

    /// Returns `self * inner * self`.
    ///
    /// # Panics
    /// If the sides differ.
    #[must_use]
    pub fn congruent(&self, inner: &Self) -> Self {
        Self(&self.0 * &inner.0 * &self.0)
    }
}

/// Returns a square matrix, column by column, whose lower triangle is given by a function of row and column and whose other
/// values are zero.
pub(crate) fn lower_triangle(side: usize, mut value: impl FnMut(usize, usize) -> f64) -> Vec<f64> {
    let mut values = vec![0.0; side * side];
    for column in 0..side {
        for (row, place) in (column..side).zip(&mut values[column * side + column..]) {
            *place = value(row, column);
        }
    }
    values
}

impl Index<(usize, usize)> for Symmetric {
    type Output = f64;

    fn index(&self, at: (usize, usize)) -> &f64 {
        &self.0[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_values_are_refused() {
        assert!(Symmetric::new(2, vec![1.0, 0.5, 0.5, 1.0]).is_some());
        assert!(Symmetric::new(2, vec![1.0; 3]).is_none());
        assert!(Symmetric::new(2, vec![1.0, 0.5, 0.0, 1.0]).is_none());
        assert!(Symmetric::new(1, vec![f64::NAN]).is_none());
        assert!(Symmetric::new(usize::MAX, Vec::new()).is_none());
    }

    #[test]
    fn the_root_squares_to_the_matrix() {
        let matrix = Symmetric::new(2, vec![2.0, 1.0, 1.0, 3.0]).unwrap();
        let unit = Symmetric::from_fn(2, |row, column| f64::from(u8::from(row == column)));
        let square = matrix.root().congruent(&unit);
        assert!((square.0 - &matrix.0).amax() < 1e-12);
        // [[4, 2], [2, 1]] has no full rank.
        let flat = Symmetric::new(2, vec![4.0, 2.0, 2.0, 1.0]).unwrap();
        assert!((flat.root().congruent(&unit).0 - &flat.0).amax() < 1e-12);
    }

    #[test]
    fn eigenvectors_belong_to_their_eigenvalues() {
        let matrix = Symmetric::new(3, vec![2.0, 1.0, 0.0, 1.0, 3.0, -1.0, 0.0, -1.0, 1.0]).unwrap();
        let Eigen { values, vectors } = matrix.eigen();
        assert!((values.iter().sum::<f64>() - matrix.trace()).abs() < 1e-12);
        for (value, vector) in values.iter().zip(&vectors) {
            for row in 0..3 {
                let product: f64 = (0..3).map(|column| matrix[(row, column)] * vector[column]).sum();
                assert!((product - value * vector[row]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_principal_part_keeps_its_values() {
        let matrix = Symmetric::from_fn(3, |row, column| f64::from(u8::try_from(10 * row + column).unwrap()));
        assert_eq!(matrix.principal(1, 3).as_slice(), [11.0, 21.0, 21.0, 22.0]);
    }
}
