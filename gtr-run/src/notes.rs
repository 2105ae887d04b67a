//! Remarks that are no errors, as a value that is passed in.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::sync::{Arc, Mutex, PoisonError};

/// Where remarks go: to a terminal, a log, or nowhere.
///
/// # Examples
/// ```
/// use gtr_run::Notes;
/// let notes = Notes::new(|text| eprintln!("note: {text}"));
/// notes.say("part 0/4 was begun before");
/// Notes::none().say("nobody reads this");
/// ```
#[derive(Clone, Default)]
pub struct Notes(Option<Arc<Inner>>);

struct Inner {
    say: Box<dyn Fn(&str) + Send + Sync>,
    /// What is to be said once and was.
    said: Mutex<BTreeSet<&'static str>>,
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Notes(said)" } else { "Notes(dropped)" })
    }
}

impl Notes {
    /// Hands each remark, a line without its end, to `say`.
    pub fn new(say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Inner { say: Box::new(say), said: Mutex::default() })))
    }

    /// Drops all remarks.
    pub fn none() -> Self {
        Self(None)
    }

    /// Says something.
    pub fn say(&self, text: impl Display) {
        if let Some(inner) = &self.0 {
            (inner.say)(&text.to_string());
        }
    }

    /// Says something once, however often it is called with the same `key`.
    pub fn say_once(&self, key: &'static str, text: impl Display) {
        let Some(inner) = &self.0 else { return };
        // A set of keys is whole, whatever the thread did that panicked.
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
    fn what_is_said_once_is_said_once() {
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
