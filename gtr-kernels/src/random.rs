//! Random weights, to test and benchmark models without a checkpoint.

/// Appends `count` uniform random numbers between `-bound` and `bound` to `bytes`, as little-endian `f32`. Number `i` depends
/// only on `seed`, `bound` and `i`.
///
/// # Examples
/// ```
/// let mut bytes = Vec::new();
/// gtr_kernels::append_uniform(&mut bytes, 3, 0.5, 100);
/// let numbers = gtr_kernels::decode_f32(&bytes);
/// assert!(numbers.len() == 100 && numbers.iter().all(|number| number.abs() <= 0.5));
/// ```
#[expect(clippy::cast_precision_loss, reason = "24 bits of a hash")]
pub fn append_uniform(bytes: &mut Vec<u8>, seed: u64, bound: f32, count: usize) {
    bytes.reserve(count * size_of::<f32>());
    for place in 0..count as u64 {
        let bits = splitmix64(seed.wrapping_add(place)) >> 40;
        let number = (bits as f32 / (1_u64 << 23) as f32 - 1.0) * bound;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
}

/// One step of the `SplitMix64` generator: a hash of a number.
pub fn splitmix64(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
