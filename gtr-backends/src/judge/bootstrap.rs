//! Images, drawn anew from those that there are.

use gtr_core::{ImageIndex, Seed, Stream};
use rayon::prelude::*;

use super::RESAMPLING;

/// How often images are drawn anew, and what the draws grow from.
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
    /// How often.
    pub resamples: u32,
    /// The same seed draws the same, whatever is measured.
    pub seed: Seed,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1000, seed: Seed(0) }
    }
}

impl Bootstrap {
    /// What `measure` makes of each draw: it is told how often each of `images` images was drawn. As many are drawn of each
    /// group as it has; what is in no group is never drawn.
    ///
    /// The draws depend on seed and groups alone, so two measurements of as many images in the same groups can be compared
    /// draw by draw.
    pub fn draw<T: Send>(&self, groups: &[Vec<usize>], images: usize, measure: impl Fn(&[u32]) -> T + Sync) -> Vec<T> {
        let draw = |number: u32| {
            let mut times = vec![0; images];
            for (place, group) in (0..).zip(groups) {
                let mut stream = Stream::new(self.seed, RESAMPLING, ImageIndex(number.into()), place);
                for _ in group {
                    #[expect(clippy::cast_possible_truncation, reason = "a place in a list")]
                    let drawn = stream.below(group.len() as u64) as usize;
                    times[group[drawn]] += 1;
                }
            }
            measure(&times)
        };
        (0..self.resamples).into_par_iter().map(draw).collect()
    }
}
