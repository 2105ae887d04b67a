//! Inception score, computed with the classifier of the judge instead of the Inception network.

use super::classifier::CLASSES;

/// Inception score `exp(mean KL(p(y|x) || p(y)))`, from 1 to 10. It is high if each image has a confident class and all
/// classes are equally frequent.
///
/// # Source
/// Salimans et al., arXiv 1606.03498, computed over all images in one split.
///
/// # Examples
/// ```
/// use gtr_backends::judge::inception_score;
/// let sure = |class: usize| std::array::from_fn(|at| if at == class { 100.0 } else { 0.0 });
/// let all: Vec<[f32; 10]> = (0..10).map(sure).collect();
/// assert!((inception_score(&all) - 10.0).abs() < 1e-9);
/// assert!((inception_score(&[[0.0; 10]; 3]) - 1.0).abs() < 1e-12);
/// ```
pub fn inception_score(logits: &[[f32; CLASSES]]) -> f64 {
    Sharpness::of(logits).score(&vec![1; logits.len()])
}

/// Quantities of each image for the score.
#[derive(Clone, Debug)]
pub(super) struct Sharpness {
    /// Class probabilities and negative entropy.
    images: Vec<([f64; CLASSES], f64)>,
}

impl Sharpness {
    pub(super) fn of(logits: &[[f32; CLASSES]]) -> Self {
        let image = |logits: &[f32; CLASSES]| {
            let shares = softmax(logits);
            (shares, shares.iter().map(|share| information(*share)).sum())
        };
        Self { images: logits.iter().map(image).collect() }
    }

    /// Returns the score with image `i` counted `times[i]` times.
    pub(super) fn score(&self, times: &[u32]) -> f64 {
        let (mut mean, mut sharpness, mut all) = ([0.0; CLASSES], 0.0, 0.0);
        for ((shares, information), &times) in self.images.iter().zip(times) {
            let times = f64::from(times);
            for (mean, share) in mean.iter_mut().zip(shares) {
                *mean += times * share;
            }
            sharpness += times * information;
            all += times;
        }
        // The mean divergence is the mean negative entropy minus the negative entropy of the mean.
        libm::exp(sharpness / all - mean.iter().map(|share| information(share / all)).sum::<f64>())
    }
}

fn softmax(logits: &[f32; CLASSES]) -> [f64; CLASSES] {
    let largest = logits.iter().fold(f32::NEG_INFINITY, |largest, &logit| largest.max(logit));
    let powers = logits.map(|logit| libm::exp(f64::from(logit) - f64::from(largest)));
    let sum: f64 = powers.iter().sum();
    powers.map(|power| power / sum)
}

/// `p ln p`, with the limit 0 at `p = 0`.
fn information(share: f64) -> f64 {
    if share > 0.0 { share * libm::log(share) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One confident and one uniform image: `p(y)` is 0.55 for one class and 0.05 for the other nine.
    #[test]
    fn a_mixed_pair_matches_the_closed_form() {
        let sure = std::array::from_fn(|at| if at == 3 { 200.0 } else { 0.0 });
        let divergence = (-f64::ln(0.55) + 0.1 * f64::ln(0.1 / 0.55) + 0.9 * f64::ln(0.1 / 0.05)) / 2.0;
        assert!((inception_score(&[sure, [0.0; CLASSES]]) - divergence.exp()).abs() < 1e-12);
    }
}
