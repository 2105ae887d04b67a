//! Arithmetic of operation counts.

/// Converts a count to a floating-point number.
#[expect(clippy::cast_precision_loss, reason = "counts of operations need no more than 53 bits")]
pub(crate) fn float(number: usize) -> f64 {
    number as f64
}

/// Returns the number of operations of a matrix product: a multiplication and an addition per weight and row.
pub(crate) fn product(rows: f64, inputs: usize, outputs: usize) -> f64 {
    2.0 * rows * float(inputs) * float(outputs)
}
