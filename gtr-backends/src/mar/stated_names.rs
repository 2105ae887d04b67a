//! Class names in a configuration.

use std::collections::BTreeSet;

/// Largest number of characters of a name.
const LONGEST: usize = 64;

/// Checks class names: one per class, no duplicates, and none that could be read as a number.
pub(super) fn check(names: &[String], classes: usize) -> Result<(), String> {
    if names.len() != classes {
        let (names, classes) = (gtr_core::count(names.len(), "name"), gtr_core::count(classes, "class"));
        return Err(format!("`class_names` has {names} for {classes}"));
    }
    let mut seen = BTreeSet::new();
    for name in names {
        let fits = name.starts_with(char::is_alphabetic) && name.chars().count() <= LONGEST;
        if !fits || name.contains(|letter: char| letter == ',' || letter.is_control()) {
            return Err(format!(
                "`class_names`: expected a letter, then at most {LONGEST} characters in all without commas, found {name:?}"
            ));
        }
        if !seen.insert(plain(name)) {
            return Err(format!("`class_names` has {name:?} twice"));
        }
    }
    Ok(())
}

/// Normalises a name for comparison.
pub(super) fn plain(name: &str) -> String {
    name.trim().replace('_', " ").to_lowercase()
}
