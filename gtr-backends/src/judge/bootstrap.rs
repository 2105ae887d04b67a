//! Bootstrap: resampling of images with replacement.

use gtr_core::{ImageIndex, Seed, Stream};
use rayon::prelude::*;

use super::RESAMPLING;

/// Number and seed of bootstrap resamples.
///
/// # Examples
/// ```
/// use gtr_backends::judge::Bootstrap;
/// let bootstrap = Bootstrap::default();
/// let drawn = bootstrap.draw(&[vec![0, 2], vec![1, 3, 4]], 5, |times| times.to_vec());
/// assert_eq!(drawn.len(), 1000);
/// assert!(drawn.iter().all(|times| times[0] + times[2] == 2 && times[1] + times[3] + times[4] == 3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: u32,
    /// Seed of the resamples. They do not depend on the measured quantity.
    pub seed: Seed,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1000, seed: Seed(0) }
    }
}

impl Bootstrap {
    /// Applies `measure` to each resample. Its argument holds the number of times that each of the `images` images is
    /// drawn. Resampling is stratified: each group keeps its size. An image in no group is never drawn.
    ///
    /// The resamples depend only on the seed and the groups, so measurements of images in the same groups are paired.
    pub fn draw<T: Send>(&self, groups: &[Vec<usize>], images: usize, measure: impl Fn(&[u32]) -> T + Sync) -> Vec<T> {
        let draw = |number: u32| {
            let mut times = vec![0; images];
            for (place, group) in (0..).zip(groups) {
                let mut stream = Stream::new(self.seed, RESAMPLING, ImageIndex(number.into()), place);
                for _ in group {
                    #[expect(clippy::cast_possible_truncation, reason = "an index")]
                    let drawn = stream.below(group.len() as u64) as usize;
                    times[group[drawn]] += 1;
                }
            }
            measure(&times)
        };
        (0..self.resamples).into_par_iter().map(draw).collect()
    }
}
