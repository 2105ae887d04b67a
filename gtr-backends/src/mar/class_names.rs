//! Names of classes: those that the configuration states, or `ImageNet`'s where there are a thousand.

use super::config::{Class, MarConfig};
use super::stated_names::plain;
use super::wordnet;
use crate::BackendError;

/// `ImageNet`'s, in the order in which the published models count them: one name a line; class n is line n, counted from 0.
const NAMES: &str = include_str!("../../data/imagenet-classes.txt");
/// How many classes a model of `ImageNet` has.
const CLASSES: usize = 1000;
/// How many close names an error suggests.
const SUGGESTIONS: usize = 3;

impl Class {
    /// The class of a model with this name: letters may be large or small, words may be parted by underscores. For a model of
    /// `ImageNet` a WordNet id names a class, too, and so does a name of WordNet that no other class has, or all its names there
    /// with commas between.
    ///
    /// # Errors
    /// [`BackendError::ClassName`] if the model's classes have no names or none has this one; the names that are close are said.
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

    /// The classes of a list of names whose commas may also stand within the names of one class: as many parts as possible are
    /// taken together.
    ///
    /// # Errors
    /// As [`Class::named`], for the first part that names no class, alone or with those after it.
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
        /// No class has more names.
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

    /// What the class is called, if the model's classes have names.
    pub fn name(self, config: &MarConfig) -> Option<&str> {
        names(config).nth(self.get() as usize)
    }
}

/// The names of a model's classes, in order; none where they have no names.
fn names(config: &MarConfig) -> impl Iterator<Item = &str> {
    let published = if is_imagenet(config) { NAMES } else { "" };
    config.class_names.iter().map(String::as_str).chain(published.lines())
}

/// Whether the classes are those of `ImageNet`.
fn is_imagenet(config: &MarConfig) -> bool {
    config.class_names.is_empty() && config.classes == CLASSES
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
    use crate::mar::stated_names::check;

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
    fn every_synset_is_one_class() {
        let config = MarConfig::named("mar-h").unwrap();
        let ids: Vec<&str> = wordnet::SYNSETS.lines().map(|synset| synset.split_once(' ').unwrap().0).collect();
        assert_eq!(ids.len(), CLASSES);
        // The models count in this order.
        assert!(ids.is_sorted());
        for ((synset, name), class) in wordnet::SYNSETS.lines().zip(NAMES.lines()).zip(0..) {
            let (id, names) = synset.split_once(' ').unwrap();
            assert_eq!(Class::named(id, &config).unwrap().get(), class);
            // Two cranes and two maillots have names that tell them apart.
            let told_apart = names.split(',').any(|known| plain(known) == plain(name));
            assert!(told_apart || [134, 517, 639].contains(&class), "{name}: {names}");
            let parts: Vec<&str> = names.split(", ").collect();
            if parts.len() > 1 {
                assert_eq!(Class::listed(&parts, &config).unwrap(), [Class::new(class, &config).unwrap()], "{names}");
            }
        }
    }

    #[test]
    fn names_of_two_classes_name_neither() {
        let config = MarConfig::named("mar-h").unwrap();
        // 54 and 66; a name that is listed first counts: 86, not 82.
        assert!(Class::named("sand viper", &config).is_err());
        assert_eq!(Class::named("partridge", &config).unwrap().get(), 86);
        assert_eq!(Class::named("Carassius auratus", &config).unwrap().get(), 1);
        assert!(Class::listed(&["tench", "nonsense"], &config).unwrap_err().to_string().contains("`nonsense`"));
    }

    #[test]
    fn close_names_are_suggested() {
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
