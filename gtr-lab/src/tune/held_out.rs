//! Held-out data for the final figure. The best of many candidates is partly the luckiest, so the score that selected it is too
//! optimistic.

use gtr_backends::judge::Reference;

use crate::Error;

/// Data on which scores are measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSplit {
    /// Seeds of the images.
    pub seeds: Vec<u64>,
    /// Real images that they are compared with.
    pub reference: Reference,
}

/// Data that shares nothing with the data of a search. Final figures can only be measured on such data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOut(DataSplit);

impl HeldOut {
    /// Checks that `last` shares nothing with the data of the search.
    ///
    /// # Errors
    /// [`Error::Request`] if they share a seed or real images.
    pub fn by(search: &DataSplit, last: DataSplit) -> Result<Self, Error> {
        if let Some(seed) = last.seeds.iter().find(|seed| search.seeds.contains(seed)) {
            return Err(Error::request(format_args!(
                "--seeds {seed}: the search uses this seed, so the final figure needs another: give other --seeds, or another \
                 --seed"
            )));
        }
        let (seen, other) = (search.reference, last.reference);
        if seen == other || [seen, other].contains(&Reference::All) {
            return Err(Error::request(format_args!(
                "the search uses the {seen} reference, so the final figure cannot use the {other} one: they share digits"
            )));
        }
        Ok(Self(last))
    }

    /// Returns the data.
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
    fn data_of_the_search_is_refused() {
        let search = split(&[1], Reference::First);
        let held_out = split(&[0, 2], Reference::Second);
        assert_eq!(HeldOut::by(&search, held_out.clone()).unwrap().split(), &held_out);
        for seen in [split(&[0, 1], Reference::Second), split(&[0], Reference::First), split(&[0], Reference::All)] {
            assert!(HeldOut::by(&search, seen.clone()).is_err(), "{seen:?}");
        }
        assert!(HeldOut::by(&split(&[1], Reference::All), held_out).is_err());
    }
}
