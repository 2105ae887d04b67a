//! The types of a tensor's elements, and their values.

use std::fmt;

use half::{bf16, f16};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// True or false, a byte each.
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
    /// 8-bit floating point with 4 bits of exponent: up to 448, no infinity.
    F8E4M3,
    /// 8-bit floating point with 5 bits of exponent: the upper half of `F16`.
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

/// What a type is called: here, in safetensors, and in Python.
struct Names {
    dtype: Dtype,
    ours: &'static str,
    safetensors: &'static str,
    /// `torch.float32`
    torch: &'static str,
    /// The class of its storages in `torch`, where it has one.
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
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 | Self::F8E4M3 | Self::F8E5M2 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether elements are whole numbers, or true and false: converting weights leaves them as they are.
    pub fn is_whole(self) -> bool {
        !matches!(self, Self::F8E4M3 | Self::F8E5M2 | Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }

    /// What safetensors calls it.
    pub(crate) fn code(self) -> &'static str {
        self.names().safetensors
    }

    /// The type that safetensors calls so.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        NAMES.iter().find(|names| names.safetensors == code).map(|names| names.dtype)
    }

    /// The type of a Python name, `torch.float32` or `torch.FloatStorage`.
    pub(super) fn of_python(name: &str) -> Option<Self> {
        let name = name.strip_prefix("torch.")?;
        NAMES.iter().find(|names| names.torch == name || names.storage == Some(name)).map(|names| names.dtype)
    }

    fn names(self) -> &'static Names {
        // The table holds every type, which a test checks.
        NAMES.iter().find(|names| names.dtype == self).unwrap_or(&NAMES[0])
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().ours)
    }
}

/// Elements, little endian, as f32.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "what is asked for")]
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
        Dtype::F16 => elements(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::Bf16 => elements(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::F32 => elements(bytes, f32::from_le_bytes),
        Dtype::F64 => elements(bytes, |b| f64::from_le_bytes(b) as f32),
    }
}

/// Elements, little endian, as f64.
#[expect(clippy::cast_precision_loss, reason = "what is asked for")]
pub(super) fn to_f64(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    match dtype {
        Dtype::U32 => elements(bytes, |b| f64::from(u32::from_le_bytes(b))),
        Dtype::I32 => elements(bytes, |b| f64::from(i32::from_le_bytes(b))),
        Dtype::U64 => elements(bytes, |b| u64::from_le_bytes(b) as f64),
        Dtype::I64 => elements(bytes, |b| i64::from_le_bytes(b) as f64),
        Dtype::F64 => elements(bytes, f64::from_le_bytes),
        // All others are f32 without a loss.
        _ => to_f32(dtype, bytes).into_iter().map(f64::from).collect(),
    }
}

fn elements<const N: usize, T>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
}

/// A sign, 4 bits of exponent with bias 7, 3 bits of mantissa; all bits set are no number, and nothing is infinite.
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
