//! Element types of tensors, and decoding of their values.

use std::fmt;

use half::f16;

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// Boolean, one byte per element.
    Bool,
    /// 8-bit unsigned integer.
    U8,
    /// 8-bit integer.
    I8,
    /// 16-bit unsigned integer.
    U16,
    /// 16-bit integer.
    I16,
    /// 32-bit unsigned integer.
    U32,
    /// 32-bit integer.
    I32,
    /// 64-bit unsigned integer.
    U64,
    /// 64-bit integer.
    I64,
    /// 8-bit floating point with a 4-bit exponent: largest value 448, no infinity.
    F8E4M3,
    /// 8-bit floating point with a 5-bit exponent: the upper byte of an `F16`.
    F8E5M2,
    /// 16-bit floating point.
    F16,
    /// 16-bit floating point with the range of `F32`.
    Bf16,
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
}

/// Names of a type: in this program, in safetensors and in Python.
struct Names {
    dtype: Dtype,
    ours: &'static str,
    safetensors: &'static str,
    /// `torch.float32`
    torch: &'static str,
    /// Class of its storages in `torch`, if there is one.
    storage: Option<&'static str>,
}

const NAMES: [Names; 15] = [
    names(Dtype::Bool, "bool", "BOOL", "bool", Some("BoolStorage")),
    names(Dtype::U8, "u8", "U8", "uint8", Some("ByteStorage")),
    names(Dtype::I8, "i8", "I8", "int8", Some("CharStorage")),
    names(Dtype::U16, "u16", "U16", "uint16", None),
    names(Dtype::I16, "i16", "I16", "int16", Some("ShortStorage")),
    names(Dtype::U32, "u32", "U32", "uint32", None),
    names(Dtype::I32, "i32", "I32", "int32", Some("IntStorage")),
    names(Dtype::U64, "u64", "U64", "uint64", None),
    names(Dtype::I64, "i64", "I64", "int64", Some("LongStorage")),
    names(Dtype::F8E4M3, "f8_e4m3", "F8_E4M3", "float8_e4m3fn", None),
    names(Dtype::F8E5M2, "f8_e5m2", "F8_E5M2", "float8_e5m2", None),
    names(Dtype::F16, "f16", "F16", "float16", Some("HalfStorage")),
    names(Dtype::Bf16, "bf16", "BF16", "bfloat16", Some("BFloat16Storage")),
    names(Dtype::F32, "f32", "F32", "float32", Some("FloatStorage")),
    names(Dtype::F64, "f64", "F64", "float64", Some("DoubleStorage")),
];

const fn names(
    dtype: Dtype,
    ours: &'static str,
    safetensors: &'static str,
    torch: &'static str,
    storage: Option<&'static str>,
) -> Names {
    Names { dtype, ours, safetensors, torch, storage }
}

impl Dtype {
    /// Size of an element in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 | Self::F8E4M3 | Self::F8E5M2 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Returns true for integers and booleans, which a conversion of weights leaves unchanged.
    pub fn is_whole(self) -> bool {
        !matches!(self, Self::F8E4M3 | Self::F8E5M2 | Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }

    /// Name of the type in safetensors.
    pub(crate) fn code(self) -> &'static str {
        self.names().safetensors
    }

    /// Returns the type with this name in safetensors.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        NAMES.iter().find(|names| names.safetensors == code).map(|names| names.dtype)
    }

    /// Returns the type of a Python name, such as `torch.float32` or `torch.FloatStorage`.
    pub(super) fn of_python(name: &str) -> Option<Self> {
        let name = name.strip_prefix("torch.")?;
        NAMES.iter().find(|names| names.torch == name || names.storage == Some(name)).map(|names| names.dtype)
    }

    fn names(self) -> &'static Names {
        // A test checks that the table holds every type.
        NAMES.iter().find(|names| names.dtype == self).unwrap_or(&NAMES[0])
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().ours)
    }
}

/// Decodes little-endian elements as f32.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the conversion is intended")]
pub(super) fn to_f32(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    match dtype {
        Dtype::Bool => elements(bytes, |[b]| f32::from(b != 0)),
        Dtype::U8 => elements(bytes, |[b]| f32::from(b)),
        Dtype::I8 => elements(bytes, |b| f32::from(i8::from_le_bytes(b))),
        Dtype::U16 => elements(bytes, |b| f32::from(u16::from_le_bytes(b))),
        Dtype::I16 => elements(bytes, |b| f32::from(i16::from_le_bytes(b))),
        Dtype::U32 => elements(bytes, |b| u32::from_le_bytes(b) as f32),
        Dtype::I32 => elements(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::U64 => elements(bytes, |b| u64::from_le_bytes(b) as f32),
        Dtype::I64 => elements(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::F8E4M3 => elements(bytes, |[b]| e4m3(b)),
        Dtype::F8E5M2 => elements(bytes, |[b]| e5m2(b)),
        Dtype::F16 => gtr_kernels::decode_f16(bytes),
        Dtype::Bf16 => gtr_kernels::decode_bf16(bytes),
        Dtype::F32 => gtr_kernels::decode_f32(bytes),
        Dtype::F64 => elements(bytes, |b| f64::from_le_bytes(b) as f32),
    }
}

/// Decodes little-endian elements as f64.
#[expect(clippy::cast_precision_loss, reason = "the conversion is intended")]
pub(super) fn to_f64(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    match dtype {
        Dtype::U32 => elements(bytes, |b| f64::from(u32::from_le_bytes(b))),
        Dtype::I32 => elements(bytes, |b| f64::from(i32::from_le_bytes(b))),
        Dtype::U64 => elements(bytes, |b| u64::from_le_bytes(b) as f64),
        Dtype::I64 => elements(bytes, |b| i64::from_le_bytes(b) as f64),
        Dtype::F64 => elements(bytes, f64::from_le_bytes),
        // All other types convert to f32 without loss.
        _ => to_f32(dtype, bytes).into_iter().map(f64::from).collect(),
    }
}

fn elements<const N: usize, T>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
}

/// Decodes 1 sign bit, 4 exponent bits with bias 7 and 3 mantissa bits. All bits set means NaN; there is no infinity.
fn e4m3(byte: u8) -> f32 {
    let (exponent, mantissa) = (i32::from(byte >> 3 & 15), f32::from(byte & 7));
    let size = match (exponent, byte & 7) {
        (15, 7) => f32::NAN,
        (0, _) => mantissa / 512.0,
        _ => (1.0 + mantissa / 8.0) * 2.0_f32.powi(exponent - 7),
    };
    if byte & 0x80 == 0 { size } else { -size }
}

fn e5m2(byte: u8) -> f32 {
    f16::from_bits(u16::from(byte) << 8).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_in_the_table_once() {
        for names in &NAMES {
            assert_eq!(names.dtype.to_string(), names.ours);
            assert_eq!(Dtype::of_code(names.safetensors), Some(names.dtype));
            assert_eq!(Dtype::of_python(&format!("torch.{}", names.torch)), Some(names.dtype));
            assert_eq!(NAMES.iter().filter(|other| other.dtype == names.dtype).count(), 1);
        }
        assert_eq!(Dtype::of_python("torch.ShortStorage"), Some(Dtype::I16));
        assert_eq!(Dtype::of_python("numpy.float32"), None);
    }

    #[test]
    fn small_floating_point_numbers_are_widened() {
        assert_eq!([0x00, 0x01, 0x08, 0x38, 0x7e, 0xb8].map(e4m3), [0.0, 0.001_953_125, 0.015_625, 1.0, 448.0, -1.0]);
        assert!(e4m3(0x7f).is_nan() && e4m3(0xff).is_nan());
        assert_eq!([0x00, 0x3c, 0xbc, 0x7b, 0x7c].map(e5m2), [0.0, 1.0, -1.0, 57_344.0, f32::INFINITY]);
    }

    #[test]
    fn whole_numbers_keep_their_sign() {
        assert_eq!(to_f32(Dtype::I8, &[0xff, 1]), [-1.0, 1.0]);
        assert_eq!(to_f32(Dtype::Bool, &[0, 1, 2]), [0.0, 1.0, 1.0]);
        assert_eq!(to_f64(Dtype::I16, &[0xfe, 0xff]), [-2.0]);
        assert_eq!(to_f64(Dtype::U32, &[0xff; 4]), [4_294_967_295.0]);
    }
}
