//! Text as editors of all kinds write it: some put a mark of the encoding before it.

/// What UTF-8 is marked with, where it is.
const UTF_8: &[u8] = b"\xef\xbb\xbf";

/// Text that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is text in UTF-16, as some editors on Windows write it: save it as UTF-8")]
pub struct Utf16;

/// Bytes of text without the byte order mark of UTF-8, if they have one.
///
/// # Errors
/// [`Utf16`] for bytes that begin as text in UTF-16 does, with a byte order mark or without.
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
        // The mark, or one character of ASCII in two bytes.
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'{' | b'[' | b' ', ..] | [b'{' | b'[' | b' ', 0, ..] => Err(Utf16),
        _ => Ok(bytes.strip_prefix(UTF_8).unwrap_or(bytes)),
    }
}
