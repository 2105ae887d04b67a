//! Prompts in files of JSON lines.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::CliError;
use crate::reading;

/// A file of more bytes than this is refused.
const MOST_BYTES: u64 = 16 << 20;

/// More prompts than this are a mistake.
const MOST: usize = 100_000;

/// A prompt with what its line says besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// What the picture shows.
    pub(crate) text: String,
    /// The whole line.
    pub(crate) line: String,
}

/// The prompts of a file, one a line that is not empty.
pub(crate) fn read(path: &Path) -> Result<Vec<Prompt>, CliError> {
    let shown = path.display();
    let wrong = |error: String| CliError::Failure(format!("{shown}: {error}"));
    let text = reading::text(path, MOST_BYTES)?;
    let text = std::str::from_utf8(&text).map_err(|error| wrong(format!("it is not text in UTF-8: {error}")))?;
    let prompts = parse(text).map_err(wrong)?;
    if prompts.is_empty() || prompts.len() > MOST {
        let count = prompts.len();
        return Err(wrong(format!("it has {count} prompts, it must have 1 to {MOST}, one a line")));
    }
    Ok(prompts)
}

fn parse(text: &str) -> Result<Vec<Prompt>, String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let prompt = |(number, line): (usize, &str)| {
        let fields = serde_json::from_str::<Map<String, Value>>(line)
            .map_err(|error| format!("line {number} is not a JSON object: {error}"))?;
        let Some(text) = fields.get("prompt").and_then(Value::as_str) else {
            return Err(format!("line {number} has no text `prompt`"));
        };
        Ok(Prompt { text: text.to_owned(), line: line.trim().to_owned() })
    };
    lines.map(prompt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_what_they_say() {
        let line =
            r#"{"tag": "single_object", "include": [{"class": "bench", "count": 1}], "prompt": "a photo of a bench"}"#;
        let prompts = parse(&format!("{line}\n\n{{\"prompt\": \"b\"}}\r\n")).unwrap();
        assert_eq!(prompts[0], Prompt { text: "a photo of a bench".to_owned(), line: line.to_owned() });
        assert_eq!(prompts[1], Prompt { text: "b".to_owned(), line: "{\"prompt\": \"b\"}".to_owned() });
    }

    #[test]
    fn a_line_without_prompt_is_named() {
        for line in ["a red cat", "{}", "{\"prompt\": 3}", "[\"prompt\"]"] {
            assert!(parse(&format!("{{\"prompt\": \"\"}}\n{line}\n")).unwrap_err().starts_with("line 2 "), "{line}");
        }
    }

    #[test]
    fn an_empty_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metadata.jsonl");
        std::fs::write(&path, "\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("it has 0 prompts"));
        assert!(read(folder.path()).is_err());
    }
}
