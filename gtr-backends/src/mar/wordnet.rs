//! WordNet names of the classes of `ImageNet`.

/// WordNet id and names of each class, in the format of `LOC_synset_mapping.txt` of `ImageNet`.
pub(super) const SYNSETS: &str = include_str!("../../data/imagenet-synsets.txt");

/// Returns the class with this WordNet id, name or list of names, if it is unique. `plain` normalises names; `wanted`
/// is already normalised.
pub(super) fn class(wanted: &str, plain: fn(&str) -> String) -> Option<u32> {
    let names_it = |synset: &str| {
        let (id, names) = synset.split_once(' ').unwrap_or((synset, ""));
        id == wanted || plain(names) == wanted || names.split(',').any(|name| plain(name) == wanted)
    };
    let mut classes = SYNSETS.lines().zip(0..).filter(|(synset, _)| names_it(synset)).map(|(_, class)| class);
    classes.next().filter(|_| classes.next().is_none())
}
