//! That the final figure is measured on what the search never saw: the best of many is in part the luckiest, and a figure
//! by which it was chosen flatters it.

use gtr_backends::judge::Reference;

use crate::error::CliError;

/// What scores are measured on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Seeds of the images.
    pub(crate) seeds: Vec<u64>,
    /// The real digits that they are compared with.
    pub(crate) reference: Reference,
}

/// A sight that shares nothing with that of a search; no final figure is measured on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unseen(Sight);

impl Unseen {
    /// Refuses what the search has seen.
    pub(crate) fn by(search: &Sight, last: Sight) -> Result<Self, CliError> {
        if let Some(seed) = last.seeds.iter().find(|seed| search.seeds.contains(seed)) {
            return Err(CliError::usage(format_args!(
                "--seeds {seed}: the search sees images of that seed, so they cannot judge what it finds: give other --seeds, \
                 or another --seed to the search"
            )));
        }
        let (seen, other) = (search.reference, last.reference);
        if seen == other || [seen, other].contains(&Reference::All) {
            return Err(CliError::usage(format_args!(
                "the search sees the {seen} reference, so the {other} one cannot judge what it finds: they share digits"
            )));
        }
        Ok(Self(last))
    }

    /// What is to be measured on.
    pub(crate) fn sight(&self) -> &Sight {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(seeds: &[u64], reference: Reference) -> Sight {
        Sight { seeds: seeds.to_vec(), reference }
    }

    #[test]
    fn what_the_search_saw_is_refused() {
        let search = sight(&[1], Reference::First);
        let unseen = sight(&[0, 2], Reference::Second);
        assert_eq!(Unseen::by(&search, unseen.clone()).unwrap().sight(), &unseen);
        for seen in [sight(&[0, 1], Reference::Second), sight(&[0], Reference::First), sight(&[0], Reference::All)] {
            assert!(Unseen::by(&search, seen.clone()).is_err(), "{seen:?}");
        }
        assert!(Unseen::by(&sight(&[1], Reference::All), unseen).is_err());
    }
}
