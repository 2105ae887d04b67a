//! Reports the errors of clap on one line.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::ExitStatus;
use crate::output;

/// Reports help, a version, or an error of the command line.
pub(crate) fn report(error: &clap::Error) -> ExitStatus {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match output::print(&error.render().ansi().to_string()) {
            Ok(()) => ExitStatus::Success,
            Err(error) => {
                output::error(&error);
                error.status()
            }
        },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitStatus::Usage
        }
        ErrorKind::InvalidUtf8 => {
            output::error(
                "an argument is not valid UTF-8: only input and output files may have such names; rename it, or use a symbolic link",
            );
            ExitStatus::Usage
        }
        ErrorKind::InvalidValue if let Some(message) = unknown_preset(error) => {
            output::error(message);
            ExitStatus::Usage
        }
        _ => {
            output::error(one_line(&error.render().to_string()));
            ExitStatus::Usage
        }
    }
}

/// Returns the message for an unknown preset. The list of all presets does not fit a line.
fn unknown_preset(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    text(ContextKind::InvalidArg).filter(|flag| flag.starts_with("--preset "))?;
    let close = text(ContextKind::SuggestedValue).map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    let name = text(ContextKind::InvalidValue)?;
    Some(format!("unknown preset `{name}`: `gtr-cli presets` lists all presets{close}"))
}

/// Returns the message without the usage and without line breaks.
fn one_line(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    // Drop the tip on passing a value that starts with a hyphen: it is usually a misspelt flag.
    let is_said = |line: &&str| !line.starts_with("For more information") && !line.starts_with("tip: to pass '");
    let lines = lines.filter(|line| !line.is_empty()).filter(is_said);
    let mut message = String::new();
    for line in lines {
        if !message.is_empty() {
            message.push_str(if line.starts_with("tip:") { "; " } else { " " });
        }
        message.push_str(line);
    }
    in_range(&message)
}

/// Replaces the message of an integer range: `0 is not in 1..=9` becomes `expected a whole number, 1 to 9`.
fn in_range(message: &str) -> String {
    let words = || {
        let (before, range) = message.split_once(" is not in ")?;
        let (least, most) = range.split_once("..=")?;
        let (before, _) = before.rsplit_once(": ")?;
        let most = most.parse::<i64>().ok()?;
        Some(format!("{before}: expected a whole number, {least} to {most}"))
    };
    words().unwrap_or_else(|| message.to_owned())
}

/// Joins negative values with their flags, as in `--grid=-8x8`. Otherwise clap takes the value for a flag, and its message does
/// not say what the flag expects.
pub(crate) fn tied(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut tied: Vec<OsString> = Vec::new();
    let mut is_over = false;
    for word in words {
        let bytes = word.as_encoded_bytes();
        let is_below_zero = bytes.first() == Some(&b'-') && bytes.get(1).is_some_and(u8::is_ascii_digit);
        match tied.last_mut() {
            Some(flag) if is_below_zero && !is_over && is_flag(flag) => {
                flag.push("=");
                flag.push(word);
            }
            _ => {
                is_over |= word == "--";
                tied.push(word);
            }
        }
    }
    tied
}

/// Returns true if a word is a long flag without a value.
fn is_flag(word: &OsStr) -> bool {
    let bytes = word.as_encoded_bytes();
    bytes.len() > 2 && bytes.starts_with(b"--") && !bytes.contains(&b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_values_are_joined_with_their_flag() {
        let tied = |line: &str| {
            let words = tied(line.split(' ').map(OsString::from));
            words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(tied("plan --grid -8x8 --seed -1 -h"), "plan --grid=-8x8 --seed=-1 -h");
        assert_eq!(tied("verify -- -1"), "verify -- -1");
        assert_eq!(tied("plan --grid=8x8 -1 - -x"), "plan --grid=8x8 -1 - -x");
    }

    #[test]
    fn ranges_are_described_in_words() {
        let text = "error: invalid value '0' for '--count <N>': 0 is not in 1..=4294967295\n";
        assert_eq!(one_line(text), "invalid value '0' for '--count <N>': expected a whole number, 1 to 4294967295");
        assert_eq!(one_line("error: x is not in y"), "x is not in y");
    }

    #[test]
    fn a_message_of_several_paragraphs_becomes_one_line() {
        let text = "error: the following were not provided:\n  --out <FILE>\n\n  tip: try\n\nUsage: x\n\nFor more information, try '--help'.\n";
        assert_eq!(one_line(text), "the following were not provided: --out <FILE>; tip: try");
    }
}
