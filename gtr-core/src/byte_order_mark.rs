//! Byte order marks, which some editors write at the start of a text file.

/// Byte order mark of UTF-8.
const UTF_8: &[u8] = b"\xef\xbb\xbf";

/// Error for text that is encoded as UTF-16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is encoded as UTF-16; save it as UTF-8")]
pub struct Utf16;

/// Removes the UTF-8 byte order mark from the start of a text, if there is one.
///
/// # Errors
/// [`Utf16`] if the bytes look like the start of JSON text in UTF-16, with or without a byte order mark.
///
/// # Examples
/// ```
/// use gtr_core::{Utf16, unmarked};
/// assert_eq!(unmarked(b"\xef\xbb\xbf{}"), Ok(&b"{}"[..]));
/// assert_eq!(unmarked(b"{}"), Ok(&b"{}"[..]));
/// assert_eq!(unmarked(b"\xff\xfe{\0}\0"), Err(Utf16));
/// ```
pub fn unmarked(bytes: &[u8]) -> Result<&[u8], Utf16> {
    match bytes {
        // A byte order mark, or one ASCII character in two bytes.
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'{' | b'[' | b' ', ..] | [b'{' | b'[' | b' ', 0, ..] => Err(Utf16),
        _ => Ok(bytes.strip_prefix(UTF_8).unwrap_or(bytes)),
    }
}
