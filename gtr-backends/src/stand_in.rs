//! What lies where a file should be: a pointer to it, a page that says where it is, a message that it is not to be had.
//!
//! Downloads go wrong in few ways, and each leaves a small file of its own. A reader that was given one should say so, and
//! not that a header is damaged.

/// Bytes from the start of a file that tell what it is.
pub const STAND_IN_BYTES: usize = 4096;

/// What a file is instead of what it should be, and what to do about it; `None` if it is nothing that is known.
///
/// `start` is the first [`STAND_IN_BYTES`] bytes of the file, or all of a shorter one. Text that may be what is wanted is the
/// caller's to tell: JSON counts as a stand-in only where it states an error.
///
/// # Examples
/// ```
/// let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3769000000\n";
/// assert_eq!(
///     gtr_backends::stand_in(pointer).unwrap(),
///     "it is a pointer of Git LFS to a file of 3769000000 bytes; fetch that with `git lfs pull`"
/// );
/// assert!(gtr_backends::stand_in(b"<!DOCTYPE html><title>Sign in</title>").unwrap().contains("a web page (Sign in)"));
/// assert_eq!(gtr_backends::stand_in(br#"{"depth": 3}"#), None);
/// ```
pub fn stand_in(start: &[u8]) -> Option<String> {
    if start.is_empty() {
        return Some("it is empty; download or copy it again".to_owned());
    }
    if start.len() >= 64 && start.iter().all(|&byte| byte == 0) {
        return Some("it begins with zeros, as a download that did not finish; download it again".to_owned());
    }
    binary(start).or_else(|| text(start))
}

/// Formats that are told by their first bytes, and that nothing here reads.
fn binary(start: &[u8]) -> Option<String> {
    const UNPACK: &str = "unpack it first";
    const OTHER: &str = "name a .safetensors or .pth file";
    let known: [(&[u8], &str, &str); 9] = [
        (b"\x1f\x8b", "a gzip archive", UNPACK),
        (b"BZh", "a bzip2 archive", UNPACK),
        (b"\xfd7zXZ\x00", "an xz archive", UNPACK),
        (b"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
        (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them", OTHER),
        (b"GGUF", "a GGUF file, as llama.cpp reads them", OTHER),
        (b"\xff\xd8\xff", "a JPEG picture", "convert it to PNG where a picture is wanted"),
    ];
    let found = known.iter().find(|(bytes, ..)| start.starts_with(bytes));
    if start.get(257..262) == Some(b"ustar") {
        return Some(format!("it is a tar archive; {UNPACK}"));
    }
    if start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP") {
        return Some("it is a WebP picture; convert it to PNG where a picture is wanted".to_owned());
    }
    found.map(|(_, what, advice)| format!("it is {what}; {advice}"))
}

fn text(start: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if text.starts_with("version https://git-lfs.github.com/spec/") {
        let size = text.lines().find_map(|line| line.strip_prefix("size ")?.trim().parse::<u64>().ok());
        let size = size.map_or_else(String::new, |size| format!(" to a file of {size} bytes"));
        return Some(format!("it is a pointer of Git LFS{size}; fetch that with `git lfs pull`"));
    }
    let lower = text.get(..text.len().min(512)).unwrap_or(text).to_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") || lower.contains("<head>") {
        let title = between(text, "<title>", "</title>").map_or_else(String::new, |title| format!(" ({title})"));
        return Some(format!("it is a web page{title}, not the file; download it from the address of the file itself"));
    }
    if lower.starts_with("<?xml") || lower.starts_with("<error>") {
        let message = between(text, "<Message>", "</Message>").map_or_else(String::new, |it| format!(" ({it})"));
        return Some(format!("it is an XML message{message}, not the file; look at where it was downloaded from"));
    }
    json_error(text).map(|message| {
        format!("it is an error message ({message}), not the file; look at where it was downloaded from")
    })
}

/// What a small JSON object says of an error, as the interfaces of web sites do. Schedules and steps have a `detail`, too, which
/// is an object.
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

/// Foreign text for a message: one short line.
fn short(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::stand_in;

    #[test]
    fn each_kind_is_named_with_what_to_do() {
        for (bytes, expected) in [
            (&b""[..], "it is empty"),
            (&[0; 100], "begins with zeros"),
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
            (b"\x1f\x8b\x08", "unpack it first"),
        ] {
            let said = stand_in(bytes).unwrap_or_default();
            assert!(said.contains(expected), "{said} does not say {expected}");
        }
    }

    #[test]
    fn files_that_are_read_are_no_stand_ins() {
        for bytes in [
            &br#"{"message": 1, "a": 1, "b": 2, "c": 3, "d": 4}"#[..],
            b"PK\x03\x04",
            b"\x80\x02",
            b"\x89PNG\r\n\x1a\n",
            b"{}",
            b"[]",
            b"\0\0",
        ] {
            assert_eq!(stand_in(bytes), None, "{bytes:?}");
        }
    }
}
