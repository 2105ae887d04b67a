//! Random weights from a seed, to test and benchmark a model without a checkpoint.

/// Returns the values of a tensor, row-major. Biases are 0 and other vectors are 1. All other values are uniform, with
/// the variance that preserves the scale of activations through a matrix product.
///
/// The values depend only on seed, name and shape.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "24 bits of a hash; sizes are small")]
pub(super) fn values(seed: u64, name: &str, shape: &[usize]) -> impl Iterator<Item = f32> + use<> {
    let count: usize = shape.iter().product();
    let constant = (shape.len() < 2).then_some(if name.ends_with("bias") { 0.0 } else { 1.0 });
    // Embedding tables and tokens have a first dimension of 1 and start with small values, as in training.
    let fan_in: usize = shape.iter().skip(1).product();
    let deviation = if shape.first() == Some(&1) { 0.02 } else { (fan_in.max(1) as f64).sqrt().recip() };
    let bound = (deviation * 3.0_f64.sqrt()) as f32;
    let start = name.bytes().fold(mix(seed), |hash, byte| mix(hash ^ u64::from(byte)));
    let value = move |place: u64| {
        let bits = mix(start.wrapping_add(place)) >> 40;
        (bits as f32 / (1_u64 << 23) as f32 - 1.0) * bound
    };
    (0..count as u64).map(move |place| constant.unwrap_or_else(|| value(place)))
}

/// One step of the `SplitMix64` generator.
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variance_follows_the_shape() {
        let values: Vec<f32> = values(3, "fc1.weight", &[64, 400]).collect();
        let mean = values.iter().sum::<f32>() / 25_600.0;
        let variance = values.iter().map(|value| value * value).sum::<f32>() / 25_600.0;
        assert!(mean.abs() < 1e-3 && (variance * 400.0 - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn values_depend_on_seed_and_name() {
        let values = |seed, name, shape: &[usize]| super::values(seed, name, shape).collect::<Vec<_>>();
        let one = values(3, "a.weight", &[2, 2]);
        assert_eq!(one, values(3, "a.weight", &[2, 2]));
        assert_ne!(one, values(4, "a.weight", &[2, 2]));
        assert_ne!(one, values(3, "b.weight", &[2, 2]));
        assert_eq!(values(3, "norm.weight", &[2]), [1.0, 1.0]);
        assert_eq!(values(3, "norm.bias", &[2]), [0.0, 0.0]);
    }
}
