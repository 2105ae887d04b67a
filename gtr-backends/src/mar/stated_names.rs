//! The names of classes that a configuration states.

use std::collections::BTreeSet;

/// Letters of a name.
const LONGEST: usize = 64;

/// Checks the names that a configuration states: one a class, none twice, and none that could be read as a number.
pub(super) fn check(names: &[String], classes: usize) -> Result<(), String> {
    if names.len() != classes {
        return Err(format!("`class_names` has {} names for {classes} classes", names.len()));
    }
    let mut seen = BTreeSet::new();
    for name in names {
        let fits = name.starts_with(char::is_alphabetic) && name.chars().count() <= LONGEST;
        if !fits || name.contains(|letter: char| letter == ',' || letter.is_control()) {
            return Err(format!(
                "`class_names`: a name begins with a letter and has at most {LONGEST}, none of them a comma, not {name:?}"
            ));
        }
        if !seen.insert(plain(name)) {
            return Err(format!("`class_names` has {name:?} twice"));
        }
    }
    Ok(())
}

/// A name as names are compared.
pub(super) fn plain(name: &str) -> String {
    name.trim().replace('_', " ").to_lowercase()
}
