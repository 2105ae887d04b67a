//! That the final figure is measured on what the search never saw: the best of many is in part the luckiest, and a figure
//! by which it was chosen flatters it.

use gtr_backends::judge::Reference;

use crate::Error;

/// What scores are measured on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSplit {
    /// Seeds of the images.
    pub seeds: Vec<u64>,
    /// The real digits that they are compared with.
    pub reference: Reference,
}

/// What shares nothing with what a search has seen; no final figure is measured on anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOut(DataSplit);

impl HeldOut {
    /// Refuses what the search has seen.
    ///
    /// # Errors
    /// [`Error::Request`] if they share a seed or real pictures.
    pub fn by(search: &DataSplit, last: DataSplit) -> Result<Self, Error> {
        if let Some(seed) = last.seeds.iter().find(|seed| search.seeds.contains(seed)) {
            return Err(Error::request(format_args!(
                "--seeds {seed}: the search sees images of that seed, so they cannot judge what it finds: give other --seeds, \
                 or another --seed to the search"
            )));
        }
        let (seen, other) = (search.reference, last.reference);
        if seen == other || [seen, other].contains(&Reference::All) {
            return Err(Error::request(format_args!(
                "the search sees the {seen} reference, so the {other} one cannot judge what it finds: they share digits"
            )));
        }
        Ok(Self(last))
    }

    /// What is to be measured on.
    pub fn split(&self) -> &DataSplit {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(seeds: &[u64], reference: Reference) -> DataSplit {
        DataSplit { seeds: seeds.to_vec(), reference }
    }

    #[test]
    fn what_the_search_saw_is_refused() {
        let search = split(&[1], Reference::First);
        let held_out = split(&[0, 2], Reference::Second);
        assert_eq!(HeldOut::by(&search, held_out.clone()).unwrap().split(), &held_out);
        for seen in [split(&[0, 1], Reference::Second), split(&[0], Reference::First), split(&[0], Reference::All)] {
            assert!(HeldOut::by(&search, seen.clone()).is_err(), "{seen:?}");
        }
        assert!(HeldOut::by(&split(&[1], Reference::All), held_out).is_err());
    }
}
