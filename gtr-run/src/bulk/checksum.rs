//! Checksums of files.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 checksum, serialized as 64 hexadecimal digits.
///
/// # Examples
/// ```
/// use gtr_run::bulk::Checksum;
/// assert!(Checksum::of(b"abc").to_string().starts_with("ba7816bf"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Computes the checksum of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the first `N` bytes.
    pub fn first<const N: usize>(self) -> [u8; N] {
        std::array::from_fn(|place| self.0[place])
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        let mut text = Self::with_capacity(64);
        // Writing to a String cannot fail.
        let _ = write!(text, "{checksum}");
        text
    }
}

impl TryFrom<String> for Checksum {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "expected a checksum of 64 hexadecimal digits";
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(WRONG);
        }
        for (byte, digits) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[digits..digits + 2], 16).map_err(|_| WRONG)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_round_trip() {
        let checksum = Checksum::of(b"abc");
        let text = String::from(checksum);
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Checksum::try_from(text.clone()), Ok(checksum));
        for wrong in [&text[1..], "", &format!("{}\u{e9}", &text[2..]), &format!("+{}", &text[1..])] {
            assert!(Checksum::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
