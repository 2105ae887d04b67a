//! The set of images to generate.

use crate::Error;

/// Maximum number of images.
const MOST: u64 = 1 << 20;

/// The images to generate of each subject, distributed equally over seeds and, within a seed, over classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    seeds: Vec<u64>,
    /// Images per seed, numbered from 0; image m has class m modulo the number of classes.
    each: u64,
    classes: u32,
}

impl ImageSet {
    /// Distributes `count` images equally over seeds and classes.
    ///
    /// # Errors
    /// [`Error::Request`] if `count` is not a multiple of seeds times classes, is 0 or above 2^20, or if a seed occurs twice.
    pub fn new(count: u64, seeds: &[u64], classes: u32) -> Result<Self, Error> {
        let parts = seeds.len() as u64 * u64::from(classes);
        if let Some(twice) = seeds.iter().enumerate().find(|(at, seed)| seeds[..*at].contains(seed)) {
            return Err(Error::request(format_args!("--seeds contains {} twice", twice.1)));
        }
        if parts == 0 || count == 0 || !count.is_multiple_of(parts) || count > MOST {
            return Err(Error::request(format_args!(
                "--count {count}: expected a multiple of {parts} (equal numbers for {} and {}), at most {MOST}",
                gtr_core::count(seeds.len(), "seed"),
                gtr_core::count(classes, "class"),
            )));
        }
        Ok(Self { seeds: seeds.to_vec(), each: count / seeds.len() as u64, classes })
    }

    /// Returns the seeds.
    pub fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    /// Returns the number of images per seed.
    pub fn each(&self) -> u64 {
        self.each
    }

    /// Returns the class of an image of a seed.
    #[expect(clippy::cast_possible_truncation, reason = "below a number of classes")]
    pub fn class(&self, number: u64) -> u32 {
        (number % u64::from(self.classes)) as u32
    }

    /// Returns the class of each image, seed by seed.
    pub fn labels(&self) -> Vec<u32> {
        self.seeds.iter().flat_map(|_| (0..self.each).map(|number| self.class(number))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_and_classes_share_the_images() {
        let images = ImageSet::new(60, &[3, 1], 10).unwrap();
        assert_eq!((images.each(), images.labels().len()), (30, 60));
        assert!((0..10).all(|class| images.labels().iter().filter(|it| **it == class).count() == 6));
        for (count, seeds) in [(0, &[0][..]), (15, &[0]), (30, &[0, 1]), (20, &[]), (20, &[1, 1]), (u64::MAX, &[0])] {
            assert!(ImageSet::new(count, seeds, 10).is_err(), "{count} {seeds:?}");
        }
    }
}
