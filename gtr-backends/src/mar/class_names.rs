//! Class names: those of the configuration, or those of `ImageNet` for models with 1000 classes.

use super::config::{Class, MarConfig};
use super::stated_names::plain;
use super::wordnet;
use crate::BackendError;

/// Class names of `ImageNet`, one per line, in the order of the published models; line n, counted from 0, is class n.
const NAMES: &str = include_str!("../../data/imagenet-classes.txt");
/// Number of classes of `ImageNet`.
const CLASSES: usize = 1000;
/// Number of similar names that an error suggests.
const SUGGESTIONS: usize = 3;

impl Class {
    /// Looks up a class by name, ignoring case; underscores count as spaces. For a model of `ImageNet`, a WordNet id, a
    /// unique WordNet name, or the comma-separated list of all WordNet names of a class is also accepted.
    ///
    /// # Errors
    /// [`BackendError::ClassName`], with similar names, if no class has this name or if the classes have no names.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::mar::{Class, MarConfig};
    /// let config = MarConfig::named("mar-b").unwrap();
    /// for name in ["Golden_Retriever", "n02099601"] {
    ///     assert_eq!(Class::named(name, &config)?.get(), 207);
    /// }
    /// assert_eq!(Class::named("tench, Tinca tinca", &config)?.get(), 0);
    /// let error = Class::named("golden retreiver", &config).unwrap_err();
    /// assert!(error.to_string().contains("`golden retriever`"));
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn named(name: &str, config: &MarConfig) -> Result<Self, BackendError> {
        let wanted = plain(name);
        let by_name = names(config).zip(0..).find(|(known, _)| plain(known) == wanted).map(|(_, class)| class);
        let by_wordnet = || if is_imagenet(config) { wordnet::class(&wanted, plain) } else { None };
        match by_name.or_else(by_wordnet) {
            Some(class) => Self::new(class, config),
            None => Err(BackendError::ClassName { name: name.to_owned(), close: close(&wanted, names(config)) }),
        }
    }

    /// Looks up the parts of a comma-separated list of names. A name may itself contain commas: the longest sequence of
    /// parts that names a class is taken.
    ///
    /// # Errors
    /// Those of [`Class::named`], for the first part that does not start a class name.
    ///
    /// # Examples
    /// ```
    /// use gtr_backends::mar::{Class, MarConfig};
    /// let config = MarConfig::named("mar-b").unwrap();
    /// let classes = Class::listed(&["tench", "Tinca tinca", "goldfish"], &config)?;
    /// assert_eq!(classes.iter().map(|class| class.get()).collect::<Vec<_>>(), [0, 1]);
    /// # Ok::<(), gtr_backends::BackendError>(())
    /// ```
    pub fn listed(parts: &[&str], config: &MarConfig) -> Result<Vec<Self>, BackendError> {
        /// Largest number of names of a class.
        const MOST_NAMES: usize = 16;
        let (mut classes, mut rest) = (Vec::new(), parts);
        while !rest.is_empty() {
            let together = (2..=rest.len().min(MOST_NAMES)).rev().find_map(|count| {
                let class = Self::named(&rest[..count].join(", "), config).ok()?;
                Some((class, count))
            });
            let (class, count) = together.map_or_else(|| Self::named(rest[0], config).map(|class| (class, 1)), Ok)?;
            classes.push(class);
            rest = &rest[count..];
        }
        Ok(classes)
    }

    /// Returns the name of the class, if the classes of the model have names.
    pub fn name(self, config: &MarConfig) -> Option<&str> {
        names(config).nth(self.get() as usize)
    }
}

/// Returns the class names of a model in order; empty if the classes have no names.
fn names(config: &MarConfig) -> impl Iterator<Item = &str> {
    let published = if is_imagenet(config) { NAMES } else { "" };
    config.class_names.iter().map(String::as_str).chain(published.lines())
}

/// Returns true if the classes are those of `ImageNet`.
fn is_imagenet(config: &MarConfig) -> bool {
    config.class_names.is_empty() && config.classes == CLASSES
}

/// Returns the names most similar to `wanted`, most similar first.
fn close<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    // Limits the time for long input, such as a text prompt.
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
    use crate::mar::stated_names::check;

    #[test]
    fn every_name_identifies_one_class() {
        let config = MarConfig::named("mar-h").unwrap();
        assert_eq!(NAMES.lines().count(), CLASSES);
        for (name, class) in NAMES.lines().zip(0..) {
            let found = Class::named(name, &config).unwrap();
            assert_eq!((found.get(), found.name(&config)), (class, Some(name)));
        }
    }

    #[test]
    fn every_synset_identifies_one_class() {
        let config = MarConfig::named("mar-h").unwrap();
        let ids: Vec<&str> = wordnet::SYNSETS.lines().map(|synset| synset.split_once(' ').unwrap().0).collect();
        assert_eq!(ids.len(), CLASSES);
        // The models number their classes in this order.
        assert!(ids.is_sorted());
        for ((synset, name), class) in wordnet::SYNSETS.lines().zip(NAMES.lines()).zip(0..) {
            let (id, names) = synset.split_once(' ').unwrap();
            assert_eq!(Class::named(id, &config).unwrap().get(), class);
            // The names of the two cranes and the two maillots have a suffix that distinguishes them.
            let same = names.split(',').any(|known| plain(known) == plain(name));
            assert!(same || [134, 517, 639].contains(&class), "{name}: {names}");
            let parts: Vec<&str> = names.split(", ").collect();
            if parts.len() > 1 {
                assert_eq!(Class::listed(&parts, &config).unwrap(), [Class::new(class, &config).unwrap()], "{names}");
            }
        }
    }

    #[test]
    fn ambiguous_names_are_refused() {
        let config = MarConfig::named("mar-h").unwrap();
        // Classes 54 and 66. The first name of a class has priority: 86, not 82.
        assert!(Class::named("sand viper", &config).is_err());
        assert_eq!(Class::named("partridge", &config).unwrap().get(), 86);
        assert_eq!(Class::named("Carassius auratus", &config).unwrap().get(), 1);
        assert!(Class::listed(&["tench", "nonsense"], &config).unwrap_err().to_string().contains("`nonsense`"));
    }

    #[test]
    fn similar_names_are_suggested() {
        let config = MarConfig::named("mar-h").unwrap();
        let message = |name: &str| Class::named(name, &config).unwrap_err().to_string();
        let text = message("crane");
        assert!(text.contains("`crane (bird)`") && text.contains("`crane (machine)`"), "{text}");
        assert_eq!(message("?"), "no class has the name `?`");
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
