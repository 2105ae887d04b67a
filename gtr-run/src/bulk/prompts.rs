//! Reads prompts from JSON Lines files, text files, or folders of text files.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value};

use crate::Error;
use crate::path::is_companion;
use crate::reading::{self, open_regular};

/// Largest accepted size of a file, or of all files of a folder, in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// Largest accepted number of prompts.
const MOST: usize = 100_000;

/// A prompt with its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Text of the prompt.
    pub text: String,
    /// The whole line of a JSON Lines file.
    pub line: Option<String>,
    /// Name of the file without extension, if the prompt has its own file.
    pub name: Option<String>,
}

/// Reads prompts. A `.txt` file has one prompt per line; other files are JSON Lines with the field `prompt`. Empty lines are
/// skipped. A folder has one prompt per `.txt` file, sorted by name.
///
/// # Errors
/// [`Error::Failure`] if a file cannot be read, has more than 16 MiB, has no prompt or more than 100,000 prompts.
pub fn read(path: &Path) -> Result<Vec<Prompt>, Error> {
    let shown = path.display();
    let wrong = |error: String| Error::Failure(format!("{shown}: {error}"));
    let prompts = if path.is_dir() {
        folder(path)?
    } else {
        let text = text(path, reading::open(path)?, MOST_BYTES)?;
        let is_text = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt"));
        if is_text { lines(&text) } else { parse(&text).map_err(wrong)? }
    };
    if prompts.is_empty() || prompts.len() > MOST {
        let form = if path.is_dir() { "one per .txt file" } else { "one per line" };
        let count = prompts.len();
        return Err(wrong(format!("expected 1 to {MOST} prompts, {form}, found {count}")));
    }
    Ok(prompts)
}

/// Reads a text file of at most `most` bytes.
fn text(path: &Path, file: impl Read, most: u64) -> Result<String, Error> {
    let shown = path.display();
    let text = reading::text_of(path, file, most)?;
    String::from_utf8(text)
        .map_err(|error| Error::Failure(format!("{shown}: it is not UTF-8 text: {}", error.utf8_error())))
}

fn folder(path: &Path) -> Result<Vec<Prompt>, Error> {
    let cannot = |error: &io::Error| reading::failed(path, error);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| cannot(&error))? {
        let file = entry.map_err(|error| cannot(&error))?.path();
        if !is_companion(&file) && file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt")) {
            files.push(file);
        }
        if files.len() > MOST {
            return Err(Error::Failure(format!("{} has more than {MOST} prompts", path.display())));
        }
    }
    files.sort();
    let (mut prompts, mut left) = (Vec::with_capacity(files.len()), MOST_BYTES);
    for file in files {
        let opened = open_regular(&file).map_err(|error| reading::failed(&file, &error))?;
        let text = text(&file, opened, left)?;
        left = left.saturating_sub(text.len() as u64);
        let Some(name) = file.file_stem().and_then(|stem| stem.to_str()) else {
            return Err(Error::Failure(format!("{}: the file name is not UTF-8: rename it", file.display())));
        };
        if text.trim().is_empty() {
            return Err(Error::Failure(format!("{}: expected a prompt, found an empty file", file.display())));
        }
        prompts.push(Prompt { text: text.trim().to_owned(), line: None, name: Some(name.to_owned()) });
    }
    Ok(prompts)
}

/// Reads one prompt per line, up to the first tab, as in the lists of T2I-CompBench.
fn lines(text: &str) -> Vec<Prompt> {
    let prompts = text.lines().map(|line| line.split('\t').next().unwrap_or_default().trim());
    let prompts = prompts.filter(|prompt| !prompt.is_empty());
    prompts.map(|prompt| Prompt { text: prompt.to_owned(), line: None, name: None }).collect()
}

fn parse(text: &str) -> Result<Vec<Prompt>, String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let prompt = |(number, line): (usize, &str)| {
        let fields = serde_json::from_str::<Map<String, Value>>(line).map_err(|error| {
            format!("line {number} is not a JSON object: {error}; a list of plain prompts needs the extension .txt")
        })?;
        let Some(text) = fields.get("prompt").and_then(Value::as_str) else {
            return Err(format!("line {number} has no string `prompt`"));
        };
        Ok(Prompt { text: text.to_owned(), line: Some(line.trim().to_owned()), name: None })
    };
    lines.map(prompt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_are_kept() {
        let line =
            r#"{"tag": "single_object", "include": [{"class": "bench", "count": 1}], "prompt": "a photo of a bench"}"#;
        let prompts = parse(&format!("{line}\n\n{{\"prompt\": \"b\"}}\r\n")).unwrap();
        let prompt = |text: &str, line: &str| Prompt { text: text.to_owned(), line: Some(line.to_owned()), name: None };
        assert_eq!(prompts, [prompt("a photo of a bench", line), prompt("b", "{\"prompt\": \"b\"}")]);
    }

    #[test]
    fn plain_lines_are_prompts() {
        let prompts = lines("a green bench and a blue bowl\r\n\ntwo boys\tcolor\n");
        let texts: Vec<&str> = prompts.iter().map(|prompt| &prompt.text[..]).collect();
        assert_eq!(texts, ["a green bench and a blue bowl", "two boys"]);
    }

    #[test]
    fn a_folder_has_one_prompt_per_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        for (name, text) in [("10.txt", "ten\n"), ("0.txt", "zero"), ("._0.txt", "\0"), ("readme.md", "no")] {
            write(name, text);
        }
        let prompts = read(folder.path()).unwrap();
        let named: Vec<_> = prompts.iter().map(|prompt| (prompt.name.as_deref().unwrap(), &prompt.text[..])).collect();
        assert_eq!(named, [("0", "zero"), ("10", "ten")]);
        write("1.txt", " \n");
        assert!(
            read(folder.path()).unwrap_err().to_string().ends_with("1.txt: expected a prompt, found an empty file")
        );
    }

    #[test]
    fn a_line_without_prompt_is_reported() {
        for line in ["a red cat", "{}", "{\"prompt\": 3}", "[\"prompt\"]"] {
            assert!(parse(&format!("{{\"prompt\": \"\"}}\n{line}\n")).unwrap_err().starts_with("line 2 "), "{line}");
        }
    }

    #[test]
    fn an_empty_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().ends_with("found 0"));
        for name in ["metadata.jsonl", "prompts.txt"] {
            let path = folder.path().join(name);
            fs::write(&path, "\n").unwrap();
            assert!(read(&path).unwrap_err().to_string().ends_with("found 0"));
        }
    }
}
