//! Random weights from a seed, to test and benchmark a model without a checkpoint.

use gtr_kernels::{append_uniform, splitmix64};

/// Appends the values of a tensor to `bytes`, row-major, as little-endian f32. Biases are 0 and other vectors are 1. All
/// other values are uniform, with the variance that preserves the scale of activations through a matrix product.
///
/// The values depend only on seed, name and shape.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "sizes are small")]
pub(super) fn append(bytes: &mut Vec<u8>, seed: u64, name: &str, shape: &[usize]) {
    let count: usize = shape.iter().product();
    if shape.len() < 2 {
        let value: f32 = if name.ends_with("bias") { 0.0 } else { 1.0 };
        return bytes.extend(value.to_le_bytes().repeat(count));
    }
    // Embedding tables and tokens have a first dimension of 1 and start with small values, as in training.
    let fan_in: usize = shape.iter().skip(1).product();
    let deviation = if shape.first() == Some(&1) { 0.02 } else { (fan_in.max(1) as f64).sqrt().recip() };
    let bound = (deviation * 3.0_f64.sqrt()) as f32;
    let start = name.bytes().fold(splitmix64(seed), |hash, byte| splitmix64(hash ^ u64::from(byte)));
    append_uniform(bytes, start, bound, count);
}

#[cfg(test)]
mod tests {
    fn values(seed: u64, name: &str, shape: &[usize]) -> Vec<f32> {
        let mut bytes = Vec::new();
        super::append(&mut bytes, seed, name, shape);
        gtr_kernels::decode_f32(&bytes)
    }

    #[test]
    fn the_variance_follows_the_shape() {
        let values = values(3, "fc1.weight", &[64, 400]);
        let mean = values.iter().sum::<f32>() / 25_600.0;
        let variance = values.iter().map(|value| value * value).sum::<f32>() / 25_600.0;
        assert!(mean.abs() < 1e-3 && (variance * 400.0 - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn values_depend_on_seed_and_name() {
        let one = values(3, "a.weight", &[2, 2]);
        assert_eq!(one, values(3, "a.weight", &[2, 2]));
        assert_ne!(one, values(4, "a.weight", &[2, 2]));
        assert_ne!(one, values(3, "b.weight", &[2, 2]));
        assert_eq!(values(3, "norm.weight", &[2]), [1.0, 1.0]);
        assert_eq!(values(3, "norm.bias", &[2]), [0.0, 0.0]);
    }
}
