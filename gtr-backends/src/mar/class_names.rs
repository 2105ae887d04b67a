//! Names of classes: those that the configuration states, or `ImageNet`'s where there are a thousand.

use std::collections::BTreeSet;

use super::config::{Class, MarConfig};
use crate::BackendError;

/// `ImageNet`'s, in the order in which the published models count them: one name a line; class n is line n, counted from 0.
const NAMES: &str = include_str!("../../data/imagenet-classes.txt");
/// How many classes a model of `ImageNet` has.
const CLASSES: usize = 1000;
/// How many close names an error suggests.
const SUGGESTIONS: usize = 3;
/// Letters of a name.
const LONGEST: usize = 64;

impl Class {
    /// The class of a model with this name: letters may be large or small, words may be parted by underscores.
    ///
    /// # Errors
    /// [`BackendError::ClassName`] if the model's classes have no names or none has this one; the names that are close are said.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::mar::{Class, MarConfig};
    /// let config = MarConfig::named("mar-b").unwrap();
    /// assert_eq!(Class::named("Golden_Retriever", &config)?.get(), 207);
    /// let error = Class::named("golden retreiver", &config).unwrap_err();
    /// assert!(error.to_string().contains("`golden retriever`"));
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn named(name: &str, config: &MarConfig) -> Result<Self, BackendError> {
        let wanted = plain(name);
        match names(config).zip(0..).find(|(known, _)| plain(known) == wanted) {
            Some((_, class)) => Self::new(class, config),
            None => Err(BackendError::ClassName { name: name.to_owned(), close: close(&wanted, names(config)) }),
        }
    }

    /// What the class is called, if the model's classes have names.
    pub fn name(self, config: &MarConfig) -> Option<&str> {
        names(config).nth(self.get() as usize)
    }
}

/// The names of a model's classes, in order; none where they have no names.
fn names(config: &MarConfig) -> impl Iterator<Item = &str> {
    let published = if config.class_names.is_empty() && config.classes == CLASSES { NAMES } else { "" };
    config.class_names.iter().map(String::as_str).chain(published.lines())
}

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

fn plain(name: &str) -> String {
    name.trim().replace('_', " ").to_lowercase()
}

/// The names most like `wanted`, best first.
fn close<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    // A prompt is no class name; comparing it would only take time.
    let wanted: String = wanted.chars().take(64).collect();
    let similarity = |name: &str| {
        let name = plain(name);
        let contained = if wanted.len() > 2 && name.contains(&wanted) { 1.0 } else { 0.0 };
        strsim::jaro_winkler(&wanted, &name) + contained
    };
    let mut scored: Vec<_> = names.map(|name| (similarity(name), name)).collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.into_iter().take(SUGGESTIONS).filter(|(score, _)| *score > 0.7).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_the_name_of_one_class() {
        let config = MarConfig::named("mar-h").unwrap();
        assert_eq!(NAMES.lines().count(), CLASSES);
        for (name, class) in NAMES.lines().zip(0..) {
            let found = Class::named(name, &config).unwrap();
            assert_eq!((found.get(), found.name(&config)), (class, Some(name)));
        }
    }

    #[test]
    fn close_names_are_suggested() {
        let config = MarConfig::named("mar-h").unwrap();
        let message = |name: &str| Class::named(name, &config).unwrap_err().to_string();
        let text = message("crane");
        assert!(text.contains("`crane (bird)`") && text.contains("`crane (machine)`"), "{text}");
        assert_eq!(message("?"), "no class is called `?`");
    }

    #[test]
    fn a_configuration_names_its_classes() {
        let names = ["T-shirt/top", "Ankle boot"].map(str::to_owned).to_vec();
        let config = MarConfig { classes: 2, class_names: names.clone(), ..MarConfig::named("mar-b").unwrap() };
        assert!(check(&names, 2).is_ok());
        let boot = Class::named("ankle_boot", &config).unwrap();
        assert_eq!((boot.get(), boot.name(&config)), (1, Some("Ankle boot")));
        assert!(Class::named("boot", &config).unwrap_err().to_string().contains("`Ankle boot`"));
        for wrong in [&["a"][..], &["a", "A"], &["a", "7"], &["a", ""], &["a", "b,c"], &["a", "b\n"]] {
            let wrong: Vec<_> = wrong.iter().map(|&name| name.to_owned()).collect();
            assert!(check(&wrong, 2).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn other_models_have_no_names() {
        let config = MarConfig { classes: 10, ..MarConfig::named("mar-b").unwrap() };
        assert!(Class::named("tench", &config).is_err());
        assert_eq!(Class::new(0, &config).unwrap().name(&config), None);
    }
}
