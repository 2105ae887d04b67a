//! What clap has to say, in one line.

use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;

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
                "an argument is not UTF-8: only files that are read or written may have such names, not a model's; rename it, or name a link to it",
            );
            ExitStatus::Usage
        }
        _ => {
            output::error(one_line(&error.render().to_string()));
            ExitStatus::Usage
        }
    }
}

/// The message without usage and without line breaks.
fn one_line(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    // A tip how to pass what looks like a flag as a value is of no use where there is no such value.
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

/// The message with a range of whole numbers in words: `0 is not in 1..=9` is `write a whole number, 1 to 9`.
fn in_range(message: &str) -> String {
    let words = || {
        let (before, range) = message.split_once(" is not in ")?;
        let (least, most) = range.split_once("..=")?;
        let (before, _) = before.rsplit_once(": ")?;
        let most = most.parse::<i64>().ok()?;
        Some(format!("{before}: write a whole number, {least} to {most}"))
    };
    words().unwrap_or_else(|| message.to_owned())
}

/// Words of a command line in which a value below 0 is tied to its flag, `--grid=-8x8`: on its own it would be taken for a flag, and
/// be refused without a word of what the flag wants.
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

/// Whether a word is a long flag without a value.
fn is_flag(word: &OsStr) -> bool {
    let bytes = word.as_encoded_bytes();
    bytes.len() > 2 && bytes.starts_with(b"--") && !bytes.contains(&b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_below_zero_are_tied_to_their_flag() {
        let tied = |line: &str| {
            let words = tied(line.split(' ').map(OsString::from));
            words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(tied("plan --grid -8x8 --seed -1 -h"), "plan --grid=-8x8 --seed=-1 -h");
        assert_eq!(tied("verify -- -1"), "verify -- -1");
        assert_eq!(tied("plan --grid=8x8 -1 - -x"), "plan --grid=8x8 -1 - -x");
    }

    #[test]
    fn ranges_are_told_in_words() {
        let text = "error: invalid value '0' for '--count <N>': 0 is not in 1..=4294967295\n";
        assert_eq!(one_line(text), "invalid value '0' for '--count <N>': write a whole number, 1 to 4294967295");
        assert_eq!(one_line("error: x is not in y"), "x is not in y");
    }

    #[test]
    fn a_message_of_several_paragraphs_becomes_one_line() {
        let text = "error: the following were not provided:\n  --out <FILE>\n\n  tip: try\n\nUsage: x\n\nFor more information, try '--help'.\n";
        assert_eq!(one_line(text), "the following were not provided: --out <FILE>; tip: try");
    }
}
