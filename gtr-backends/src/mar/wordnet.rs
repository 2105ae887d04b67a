//! Names of `ImageNet`'s classes in `WordNet`.

/// The WordNet id of each class and all its names there, as `LOC_synset_mapping.txt` of `ImageNet` lists them.
pub(super) const SYNSETS: &str = include_str!("../../data/imagenet-synsets.txt");

/// The class that WordNet knows by this id, or by this name or these names and no other class. `plain` is how names are
/// compared; `wanted` is plain.
pub(super) fn class(wanted: &str, plain: fn(&str) -> String) -> Option<u32> {
    let names_it = |synset: &str| {
        let (id, names) = synset.split_once(' ').unwrap_or((synset, ""));
        id == wanted || plain(names) == wanted || names.split(',').any(|name| plain(name) == wanted)
    };
    let mut classes = SYNSETS.lines().zip(0..).filter(|(synset, _)| names_it(synset)).map(|(_, class)| class);
    classes.next().filter(|_| classes.next().is_none())
}
