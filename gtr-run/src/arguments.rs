//! Builds command lines of this program.

use std::fmt::Display;

/// Unquoted arguments of a command line.
///
/// # Examples
/// ```
/// use gtr_run::arguments::{Arguments, quoted};
/// let mut arguments = Arguments::default();
/// arguments.add("--prompt", "a red cat");
/// assert_eq!(quoted(&arguments.into_words()).as_deref(), Some("--prompt 'a red cat'"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments(Vec<String>);

impl Arguments {
    /// Adds a flag with its value.
    pub fn add(&mut self, flag: &str, value: impl Display) {
        let value = value.to_string();
        // clap takes a separate value with a leading hyphen for a flag.
        if value.starts_with('-') {
            self.tie(flag, value);
        } else {
            self.0.extend([flag.to_owned(), value]);
        }
    }

    /// Adds a flag with its value, if there is one.
    pub fn add_some(&mut self, flag: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.add(flag, value);
        }
    }

    /// Adds a flag and its value as one word. Required for flags with an optional value.
    pub fn tie(&mut self, flag: &str, value: impl Display) {
        self.0.push(format!("{flag}={value}"));
    }

    /// Adds complete arguments.
    pub fn extend(&mut self, words: impl IntoIterator<Item = impl Into<String>>) {
        self.0.extend(words.into_iter().map(Into::into));
    }

    /// Returns the arguments.
    pub fn into_words(self) -> Vec<String> {
        self.0
    }
}

/// Quotes the words for a shell. Returns `None` if a word has control characters, which cannot be pasted into a terminal.
pub fn quoted(words: &[String]) -> Option<String> {
    if words.iter().any(|word| word.contains(char::is_control)) {
        return None;
    }
    shlex::try_join(words.iter().map(String::as_str)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_a_hyphen_are_joined_with_their_flag() {
        let mut arguments = Arguments::default();
        arguments.add("--prompt", "--out");
        arguments.add("--prompt", "a cat");
        arguments.add_some("--seed", None::<u64>);
        arguments.tie("--random-weights", 3);
        assert_eq!(arguments.into_words(), ["--prompt=--out", "--prompt", "a cat", "--random-weights=3"]);
    }

    #[test]
    fn commands_are_quoted_for_the_shell() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(quoted(&words(&["a", "b c", "$(d)"])).unwrap(), "a 'b c' '$(d)'");
        assert_eq!(quoted(&words(&["it's"])).unwrap(), "\"it's\"");
        assert_eq!(quoted(&words(&["a\nb"])), None);
        assert_eq!(quoted(&words(&["\u{1b}[31m"])), None);
    }
}
