//! Converts the bytes of a checkpoint to matrices in the precision of a run, without an intermediate copy.

use candle_core::{Device, Tensor};
use half::{bf16, f16};

use gtr_kernels::PackedShape;

use super::dtype::{Dtype, to_f32};
use crate::Precision;

/// Rows that are converted to f32 at a time. More rows only use more memory.
const ROWS: usize = 16;

/// Consecutive rows of a tensor, to be read as a matrix.
#[derive(Clone, Copy)]
pub(super) struct Matrix {
    /// Number of rows and columns as stored.
    pub(super) shape: [usize; 2],
    /// Index of the first row.
    pub(super) first: usize,
    /// Order of the values in the result.
    pub(super) order: PackOrder,
}

/// Order of the values of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PackOrder {
    /// Row-major, as stored.
    Rows,
    /// Column-major.
    Columns,
    /// Packed for [`gtr_kernels`]; the rows are the outputs.
    Blocks,
}

/// Values of a matrix in one of the precisions.
pub(super) enum Packed {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    F16(Vec<f16>),
}

/// Number of rows (first dimension) and columns (product of all other dimensions) of a tensor.
pub(super) fn matrix_shape(shape: &[usize]) -> [usize; 2] {
    [shape.first().copied().unwrap_or(1), shape.iter().skip(1).product()]
}

impl Matrix {
    /// Converts and reorders the values. The error is the index and value of one that is not finite in this precision.
    pub(super) fn pack(self, dtype: Dtype, bytes: &[u8], precision: Precision) -> Result<Packed, (usize, f32)> {
        Ok(match precision {
            Precision::F32 => Packed::F32(self.numbers(dtype, bytes, |value| value)?),
            Precision::Bf16 => Packed::Bf16(self.numbers(dtype, bytes, bf16::from_f32)?),
            Precision::F16 => Packed::F16(self.numbers(dtype, bytes, f16::from_f32)?),
        })
    }

    fn numbers<T: Copy + Default + Into<f32>>(
        self,
        dtype: Dtype,
        bytes: &[u8],
        narrow: impl Fn(f32) -> T,
    ) -> Result<Vec<T>, (usize, f32)> {
        let [rows, columns] = self.shape;
        let blocks = PackedShape { inputs: columns, outputs: rows };
        let length = if self.order == PackOrder::Blocks { blocks.len() } else { rows * columns };
        let mut numbers = vec![T::default(); length];
        let row_size = (columns * dtype.size()).max(1);
        let mine = bytes.get(self.first * row_size..(self.first + rows) * row_size).unwrap_or_default();
        for (piece, bytes) in mine.chunks(row_size * ROWS).enumerate() {
            let values = to_f32(dtype, bytes);
            for (offset, row) in values.chunks_exact(columns.max(1)).enumerate() {
                let number = piece * ROWS + offset;
                for (column, &value) in row.iter().enumerate() {
                    let narrowed = narrow(value);
                    if !narrowed.into().is_finite() {
                        return Err(((self.first + number) * columns + column, value));
                    }
                    let place = match self.order {
                        PackOrder::Rows => number * columns + column,
                        PackOrder::Columns => column * rows + number,
                        PackOrder::Blocks => blocks.place(column, number),
                    };
                    numbers[place] = narrowed;
                }
            }
        }
        Ok(numbers)
    }
}

impl Packed {
    pub(super) fn tensor(self, shape: &[usize], device: &Device) -> candle_core::Result<Tensor> {
        match self {
            Self::F32(numbers) => Tensor::from_vec(numbers, shape, device),
            Self::Bf16(numbers) => Tensor::from_vec(numbers, shape, device),
            Self::F16(numbers) => Tensor::from_vec(numbers, shape, device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().copied().flat_map(f32::to_le_bytes).collect()
    }

    fn pack(values: &[f32], matrix: Matrix, precision: Precision) -> Result<Vec<f32>, (usize, f32)> {
        Ok(match matrix.pack(Dtype::F32, &bytes(values), precision)? {
            Packed::F32(numbers) => numbers,
            Packed::Bf16(numbers) => numbers.into_iter().map(f32::from).collect(),
            Packed::F16(numbers) => numbers.into_iter().map(f32::from).collect(),
        })
    }

    #[test]
    fn rows_are_selected_and_transposed() {
        let values: Vec<f32> = (0_u8..200).map(f32::from).collect();
        for precision in Precision::ALL {
            let plain = Matrix { shape: [40, 5], first: 0, order: PackOrder::Rows };
            assert_eq!(pack(&values, plain, precision).unwrap(), values);
            let part = Matrix { shape: [20, 5], first: 15, order: PackOrder::Columns };
            let turned = pack(&values, part, precision).unwrap();
            for (row, column) in (0..20).flat_map(|row| (0..5).map(move |column| (row, column))) {
                assert_eq!(turned[column * 20 + row].to_bits(), values[(15 + row) * 5 + column].to_bits());
            }
            let packed = pack(&values, Matrix { order: PackOrder::Blocks, ..part }, precision).unwrap();
            assert_eq!(packed.len(), 5 * 64);
            assert_eq!(packed[64 + 2].to_bits(), values[17 * 5 + 1].to_bits());
            assert_eq!(packed[64 + 20].to_bits(), 0);
        }
    }

    #[test]
    fn values_that_overflow_are_reported() {
        let matrix = Matrix { shape: [1, 3], first: 1, order: PackOrder::Columns };
        let values = [f32::NAN, 0.0, 0.0, 1.0, 2.0, 1e5];
        assert_eq!(pack(&values, matrix, Precision::Bf16).unwrap(), [1.0, 2.0, 99_840.0]);
        assert_eq!(pack(&values, matrix, Precision::F16), Err((5, 1e5)));
        assert!(pack(&values, Matrix { first: 0, ..matrix }, Precision::F32).is_err());
    }
}
