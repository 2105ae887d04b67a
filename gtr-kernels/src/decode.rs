//! Decoding of little-endian floating-point numbers.

use half::{bf16, f16};

/// Decodes 16-bit floating-point numbers. An incomplete number at the end is ignored.
///
/// # Examples
/// ```
/// assert_eq!(gtr_kernels::decode_f16(&[0x00, 0x3c, 0x00, 0xc0]), [1.0, -2.0]);
/// ```
pub fn decode_f16(bytes: &[u8]) -> Vec<f32> {
    decode(bytes, |bytes| f16::from_le_bytes(bytes).to_f32())
}

/// Decodes 16-bit floating-point numbers with the range of `f32`. An incomplete number at the end is ignored.
pub fn decode_bf16(bytes: &[u8]) -> Vec<f32> {
    decode(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32())
}

/// Decodes 32-bit floating-point numbers. An incomplete number at the end is ignored.
pub fn decode_f32(bytes: &[u8]) -> Vec<f32> {
    decode(bytes, f32::from_le_bytes)
}

fn decode<const SIZE: usize>(bytes: &[u8], value: impl Fn([u8; SIZE]) -> f32) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|chunk| value(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_equal_those_of_each_number() {
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let (half, brain) = (decode_f16(&bytes), decode_bf16(&bytes));
        for bits in 0..=u16::MAX {
            let same = |found: f32, expected: f32| found == expected || found.is_nan() && expected.is_nan();
            assert!(same(half[usize::from(bits)], f16::from_bits(bits).to_f32()), "{bits:#x}");
            assert!(same(brain[usize::from(bits)], f32::from_bits(u32::from(bits) << 16)), "{bits:#x}");
        }
        assert_eq!(decode_f32(&[0, 0, 0x80, 0x3f, 7]), [1.0]);
    }
}
