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
    fn values_follow_the_definitions_of_the_types() {
        let defined = |bits: u16| {
            let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023) / 1024.0);
            let size = match exponent {
                31 if mantissa == 0.0 => f32::INFINITY,
                31 => f32::NAN,
                0 => mantissa * 2.0_f32.powi(-14),
                _ => (1.0 + mantissa) * 2.0_f32.powi(exponent - 15),
            };
            if bits >> 15 == 0 { size } else { -size }
        };
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let (half, brain) = (decode_f16(&bytes), decode_bf16(&bytes));
        for bits in 0..=u16::MAX {
            let same = |found: f32, expected: f32| found == expected || found.is_nan() && expected.is_nan();
            assert!(same(half[usize::from(bits)], defined(bits)), "{bits:#x}");
            assert!(same(brain[usize::from(bits)], f32::from_bits(u32::from(bits) << 16)), "{bits:#x}");
        }
        assert_eq!(decode_f32(&[0, 0, 0x80, 0x3f, 7]), [1.0]);
    }
}
