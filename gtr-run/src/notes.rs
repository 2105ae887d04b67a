//! Messages that are not errors. The caller passes in their receiver.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::sync::{Arc, Mutex, PoisonError};

/// Receiver of notes, for example a terminal or a log.
///
/// # Examples
/// ```
/// use gtr_run::Notes;
/// let notes = Notes::new(|text| eprintln!("note: {text}"));
/// notes.say("part 0/4 was started by an earlier run");
/// Notes::none().say("this is dropped");
/// ```
#[derive(Clone, Default)]
pub struct Notes(Option<Arc<Inner>>);

struct Inner {
    say: Box<dyn Fn(&str) + Send + Sync>,
    /// Keys of the notes that were already sent once.
    said: Mutex<BTreeSet<&'static str>>,
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Notes(said)" } else { "Notes(dropped)" })
    }
}

impl Notes {
    /// Creates a receiver that calls `say` with each note, a line without its line break.
    pub fn new(say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Inner { say: Box::new(say), said: Mutex::default() })))
    }

    /// Returns a receiver that drops all notes.
    pub fn none() -> Self {
        Self(None)
    }

    /// Sends a note.
    pub fn say(&self, text: impl Display) {
        if let Some(inner) = &self.0 {
            (inner.say)(&text.to_string());
        }
    }

    /// Sends a note only at the first call with this `key`.
    pub fn say_once(&self, key: &'static str, text: impl Display) {
        let Some(inner) = &self.0 else { return };
        // A panic cannot leave the set in an invalid state.
        let is_new = inner.said.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        if is_new {
            (inner.say)(&text.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_with_a_key_are_sent_once() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let notes = Notes::new(move |text| ears.lock().unwrap().push(text.to_owned()));
        for number in 0..2 {
            notes.say(number);
            notes.say_once("locks", format_args!("once {number}"));
        }
        assert_eq!(*heard.lock().unwrap(), ["0", "once 0", "1"]);
    }
}
