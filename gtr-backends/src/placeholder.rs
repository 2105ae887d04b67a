//! Placeholder files: a Git LFS pointer, an HTML page or an error message in place of the expected file.
//!
//! Failed downloads leave small files of a few known kinds. A message that names the kind is more helpful than one
//! about a damaged header.

/// Number of bytes from the start of a file that identify it.
pub const PLACEHOLDER_BYTES: usize = 4096;

/// Identifies a placeholder or a file of another kind, and advises what to do. Returns `None` if the file is not
/// recognised.
///
/// `start` is the first [`PLACEHOLDER_BYTES`] bytes of the file, or all bytes of a shorter file. JSON is recognised
/// only if it states an error; other text may be valid input, which the caller has to decide.
///
/// # Examples
/// ```
/// let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3769000000\n";
/// assert_eq!(
///     gtr_backends::placeholder(pointer).unwrap(),
///     "it is a Git LFS pointer to a file of 3769000000 bytes; fetch it with `git lfs pull`"
/// );
/// assert!(gtr_backends::placeholder(b"<!DOCTYPE html><title>Sign in</title>").unwrap().contains("a web page (Sign in)"));
/// assert_eq!(gtr_backends::placeholder(br#"{"depth": 3}"#), None);
/// ```
pub fn placeholder(start: &[u8]) -> Option<String> {
    if start.is_empty() {
        return Some("it is empty; download or copy it again".to_owned());
    }
    if start.len() >= 64 && start.iter().all(|&byte| byte == 0) {
        return Some("it starts with zeros, like an incomplete download; download it again".to_owned());
    }
    binary(start).or_else(|| text(start))
}

/// Identifies unsupported binary formats by their first bytes.
fn binary(start: &[u8]) -> Option<String> {
    const UNPACK: &str = "extract it first";
    const OTHER: &str = "use a .safetensors or .pth file";
    let known: [(&[u8], &str, &str); 9] = [
        (b"\x1f\x8b", "a gzip archive", UNPACK),
        (b"BZh", "a bzip2 archive", UNPACK),
        (b"\xfd7zXZ\x00", "an xz archive", UNPACK),
        (b"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
        (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as written by Keras", OTHER),
        (b"GGUF", "a GGUF file, as used by llama.cpp", OTHER),
        (b"\xff\xd8\xff", "a JPEG image", "if an image is expected, convert it to PNG"),
    ];
    let found = known.iter().find(|(bytes, ..)| start.starts_with(bytes));
    if start.get(257..262) == Some(b"ustar") {
        return Some(format!("it is a tar archive; {UNPACK}"));
    }
    if start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP") {
        return Some("it is a WebP image; if an image is expected, convert it to PNG".to_owned());
    }
    found.map(|(_, what, advice)| format!("it is {what}; {advice}"))
}

fn text(start: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if text.starts_with("version https://git-lfs.github.com/spec/") {
        let size = text.lines().find_map(|line| line.strip_prefix("size ")?.trim().parse::<u64>().ok());
        let size = size.map_or_else(String::new, |size| format!(" to a file of {}", gtr_core::count(size, "byte")));
        return Some(format!("it is a Git LFS pointer{size}; fetch it with `git lfs pull`"));
    }
    let lower = text.get(..text.len().min(512)).unwrap_or(text).to_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") || lower.contains("<head>") {
        let title = between(text, "<title>", "</title>").map_or_else(String::new, |title| format!(" ({title})"));
        return Some(format!("it is a web page{title}, not the file; download the file from its direct URL"));
    }
    if lower.starts_with("<?xml") || lower.starts_with("<error>") {
        let message = between(text, "<Message>", "</Message>").map_or_else(String::new, |it| format!(" ({it})"));
        return Some(format!("it is an XML message{message}, not the file; check the URL it was downloaded from"));
    }
    json_error(text).map(|message| {
        format!("it is an error message ({message}), not the file; check the URL it was downloaded from")
    })
}

/// Extracts the error from a small JSON object, as web APIs return it. Schedules and steps also have a `detail`, but
/// there it is an object.
fn json_error(text: &str) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text.trim_end()).ok()?;
    if object.len() > 4 {
        return None;
    }
    let field = ["error", "message", "errors", "error_message"].iter().find_map(|name| object.get(*name));
    let field = field.or_else(|| object.get("detail").filter(|detail| !detail.is_object()))?;
    Some(short(field.as_str().map_or_else(|| field.to_string(), str::to_owned).as_str()))
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let from = lower.find(&start.to_ascii_lowercase())? + start.len();
    let length = lower[from..].find(&end.to_ascii_lowercase())?;
    let found = short(text[from..from + length].trim());
    (!found.is_empty()).then_some(found)
}

/// Shortens untrusted text to one line for a message.
fn short(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::placeholder;

    #[test]
    fn each_kind_is_named_with_advice() {
        for (bytes, expected) in [
            (&b""[..], "it is empty"),
            (&[0; 100], "starts with zeros"),
            (b"\n<HTML><head><title>\nDrive</title>", "a web page (Drive)"),
            (b"<html>", "a web page, not"),
            (b"\xef\xbb\xbf<!doctype HTML>", "a web page"),
            (
                b"<?xml version=\"1.0\"?><Error><Code>403</Code><Message>Access Denied</Message></Error>",
                "(Access Denied)",
            ),
            (br#"{"error":"Invalid username or password."}"#, "an error message (Invalid username or password.)"),
            (b"{\"message\": \"Not Found\", \"status\": \"404\"}\n", "(Not Found)"),
            (br#"{"error": {"code": 5}}"#, r#"({"code":5})"#),
            (b"\x1f\x8b\x08", "extract it first"),
        ] {
            let said = placeholder(bytes).unwrap_or_default();
            assert!(said.contains(expected), "`{said}` does not contain `{expected}`");
        }
    }

    #[test]
    fn supported_files_are_not_placeholders() {
        for bytes in [
            &br#"{"message": 1, "a": 1, "b": 2, "c": 3, "d": 4}"#[..],
            b"PK\x03\x04",
            b"\x80\x02",
            b"\x89PNG\r\n\x1a\n",
            b"{}",
            b"[]",
            b"\0\0",
        ] {
            assert_eq!(placeholder(bytes), None, "{bytes:?}");
        }
    }
}
