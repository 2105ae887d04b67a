//! Names of the classes of `ImageNet`, in the order in which the published models count them.

use super::config::{Class, MarConfig};
use crate::BackendError;

/// One name a line; class n is line n, counted from 0.
const NAMES: &str = include_str!("../../data/imagenet-classes.txt");
/// How many names of a model there must be.
const CLASSES: usize = 1000;
/// How many close names an error suggests.
const SUGGESTIONS: usize = 3;

impl Class {
    /// The class of `ImageNet` with this name, for a model that has those: letters may be large or small, words may be
    /// parted by underscores.
    ///
    /// # Errors
    /// [`BackendError::ClassName`] if the model has other classes or none has this name; the names that are close are said.
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
        let wrong = |close| BackendError::ClassName { name: name.to_owned(), close };
        if config.classes != CLASSES {
            return Err(wrong(Vec::new()));
        }
        let wanted = plain(name);
        match NAMES.lines().zip(0..).find(|(known, _)| plain(known) == wanted) {
            Some((_, class)) => Self::new(class, config),
            None => Err(wrong(close(&wanted))),
        }
    }

    /// What the class is called, if it is one of `ImageNet`'s.
    pub fn name(self, config: &MarConfig) -> Option<&'static str> {
        NAMES.lines().nth(self.get() as usize).filter(|_| config.classes == CLASSES)
    }
}

fn plain(name: &str) -> String {
    name.trim().replace('_', " ").to_lowercase()
}

/// The names most like `wanted`, best first.
fn close(wanted: &str) -> Vec<&'static str> {
    // A prompt is no class name; comparing it would only take time.
    let wanted: String = wanted.chars().take(64).collect();
    let similarity = |name: &str| {
        let name = plain(name);
        let contained = if wanted.len() > 2 && name.contains(&wanted) { 1.0 } else { 0.0 };
        strsim::jaro_winkler(&wanted, &name) + contained
    };
    let mut scored: Vec<_> = NAMES.lines().map(|name| (similarity(name), name)).collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.into_iter().take(SUGGESTIONS).filter(|(score, _)| *score > 0.7).map(|(_, name)| name).collect()
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
    fn other_models_have_no_names() {
        let config = MarConfig { classes: 10, ..MarConfig::named("mar-b").unwrap() };
        assert!(Class::named("tench", &config).is_err());
        assert_eq!(Class::new(0, &config).unwrap().name(&config), None);
    }
}
