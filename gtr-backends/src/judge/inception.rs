//! What is called the inception score, of a classifier that is not Inception.

use super::classifier::CLASSES;

/// How surely a classifier tells a class, and how evenly it tells all of them: `exp(mean KL(p(y|x) || p(y)))`, 1 to 10.
///
/// # Source
/// Salimans et al., arXiv 1606.03498, over all images at once.
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

/// What the score needs to know of each image.
#[derive(Clone, Debug)]
pub(super) struct Sharpness {
    /// Of each class, and the negative entropy.
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

    /// The score, each image counted so many times.
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
        // The mean divergence: what images tell, less what their mean tells.
        libm::exp(sharpness / all - mean.iter().map(|share| information(share / all)).sum::<f64>())
    }
}

fn softmax(logits: &[f32; CLASSES]) -> [f64; CLASSES] {
    let largest = logits.iter().fold(f32::NEG_INFINITY, |largest, &logit| largest.max(logit));
    let powers = logits.map(|logit| libm::exp(f64::from(logit) - f64::from(largest)));
    let sum: f64 = powers.iter().sum();
    powers.map(|power| power / sum)
}

/// `p ln p`, which is 0 where nothing is left.
fn information(share: f64) -> f64 {
    if share > 0.0 { share * libm::log(share) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images, one sure, one that knows nothing: `p(y)` is 0.55 for one class and 0.05 for the other nine.
    #[test]
    fn a_mixed_pair_scores_as_derived() {
        let sure = std::array::from_fn(|at| if at == 3 { 200.0 } else { 0.0 });
        let divergence = (-f64::ln(0.55) + 0.1 * f64::ln(0.1 / 0.55) + 0.9 * f64::ln(0.1 / 0.05)) / 2.0;
        assert!((inception_score(&[sure, [0.0; CLASSES]]) - divergence.exp()).abs() < 1e-12);
    }
}
