//! Random numbers of a run, from counter-based streams.
//!
//! Each value is a pure function of (seed, purpose, image, place) and does not depend on earlier draws. An image
//! therefore has the same bits whether it is sampled alone, in a batch, in a shard, or by another process. Normal
//! values are computed with `libm`, so they do not depend on the math library of the platform.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::{ImageIndex, Seed, TokenIndex};

/// Source of the noise of the diffusion head.
///
/// The sampler uses [`Noise`]. A test that replays a recording supplies the recorded values.
pub trait NoiseSource: Sync {
    /// Fills `out` with standard normal values: the noise of one token in one draw.
    ///
    /// Draw 0 is the initial noise of the token's diffusion; draw `k` is added after the `k`-th evaluation. The values
    /// depend only on the arguments, not on the order of calls.
    fn fill_normal(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]);

    /// Fills `out` with uniformly distributed values, at least 0 and below 1. A categorical head draws codes with them.
    ///
    /// [`Noise`] has its own random words for them, independent of those of [`NoiseSource::fill_normal`]. This default, for
    /// sources that have normal values only, returns the normal distribution function of the values of `fill_normal` at
    /// the same address: such a source must not be asked for both at one address, because they are not independent.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::{Grid, ImageIndex, NoiseSource, TokenIndex};
    /// struct Recorded(f32);
    /// impl NoiseSource for Recorded {
    ///     fn fill_normal(&self, _: ImageIndex, _: TokenIndex, _: u32, out: &mut [f32]) {
    ///         out.fill(self.0);
    ///     }
    /// }
    /// let (token, mut out) = (Grid::new(1, 1)?.token(0)?, [9.0]);
    /// Recorded(0.0).fill_uniform(ImageIndex(0), token, 0, &mut out);
    /// assert_eq!(out, [0.5]);
    /// Recorded(99.0).fill_uniform(ImageIndex(0), token, 0, &mut out);
    /// assert!(out[0] < 1.0);
    /// # Ok::<(), gtr_core::GridError>(())
    /// ```
    fn fill_uniform(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        self.fill_normal(image, token, draw, out);
        for value in out {
            *value = distribution_function(*value);
        }
    }
}

/// Returns the normal distribution function of a value, at least 0 and below 1; a value that is not a number gives a value
/// in this range, too.
#[expect(clippy::cast_possible_truncation, reason = "a probability")]
fn distribution_function(normal: f32) -> f32 {
    const BELOW_ONE: f32 = 1.0 - f32::EPSILON / 2.0;
    let probability = 0.5 * libm::erfc(-f64::from(normal) * std::f64::consts::FRAC_1_SQRT_2);
    (probability as f32).clamp(0.0, BELOW_ONE).min(BELOW_ONE)
}

/// Noise derived from a seed.
///
/// # Examples
/// ```
/// use gtr_core::{Grid, ImageIndex, Noise, NoiseSource, Seed};
/// let token = Grid::new(8, 8)?.token(9)?;
/// let noise = Noise::new(Seed(7));
/// let (mut a, mut b) = ([0.0; 16], [0.0; 16]);
/// noise.fill_normal(ImageIndex(3), token, 0, &mut a);
/// noise.fill_normal(ImageIndex(3), token, 1, &mut b);
/// assert_ne!(a, b);
/// noise.fill_normal(ImageIndex(3), token, 0, &mut b);
/// assert_eq!(a, b);
/// # Ok::<(), gtr_core::GridError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    seed: Seed,
}

impl Noise {
    /// Creates the noise source of `seed`.
    pub fn new(seed: Seed) -> Self {
        Self { seed }
    }
}

impl NoiseSource for Noise {
    fn fill_normal(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        let mut stream = Stream::new(self.seed, StreamPurpose::TokenNoise, image, token.get().into());
        stream.seek(draw);
        stream.fill_normal(out);
    }

    fn fill_uniform(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        let mut stream = Stream::new(self.seed, StreamPurpose::TokenUniform, image, token.get().into());
        stream.seek(draw);
        stream.fill_uniform(out);
    }
}

/// Returns the Gumbel noise that is added to the confidence of a token in an AR step of a ranked stage.
#[expect(clippy::cast_precision_loss, reason = "52 bits fit an f64")]
pub(crate) fn choice_noise(seed: Seed, image: ImageIndex, token: TokenIndex, step: usize) -> f64 {
    const UNIT: f64 = 1.0 / (1u64 << 52) as f64;
    let mut stream = Stream::new(seed, StreamPurpose::Choice, image, token.get().into());
    // A plan has at most 2^24 steps.
    stream.seek(u32::try_from(step).unwrap_or(u32::MAX));
    // Between 0 and 1, both exclusive, so that the logarithms are finite.
    let uniform = ((stream.next_u64() >> 12) as f64 + 0.5) * UNIT;
    -libm::log(-libm::log(uniform))
}

/// Purpose of a stream. Streams with different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamPurpose {
    /// Noise of the diffusion head; `place` is the token.
    TokenNoise,
    /// Order of the tokens within a stage; `place` is the stage.
    TokenOrder,
    /// Tokens picked by a detail rule; `place` is the AR step.
    Detail,
    /// A purpose outside this crate. Its number must be unique within a program.
    Other(u8),
    /// Noise that is added to the confidence of a token in a ranked stage; `place` is the token.
    Choice,
    /// Uniform values of a categorical head; `place` is the token.
    TokenUniform,
}

impl StreamPurpose {
    /// Returns the number that addresses the stream. Numbers never change: the bits of images depend on them.
    fn number(self) -> u16 {
        match self {
            Self::TokenNoise => 0,
            Self::TokenOrder => 1,
            Self::Detail => 2,
            Self::Other(number) => 3 + u16::from(number),
            Self::Choice => 3 + 256,
            Self::TokenUniform => 3 + 257,
        }
    }
}

/// Random stream for one purpose, image and place.
pub struct Stream(ChaCha8Rng);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl Stream {
    /// Creates a stream at its start. Seed, purpose and image form the key of the generator; the place selects the
    /// stream of that key.
    pub fn new(seed: Seed, purpose: StreamPurpose, image: ImageIndex, place: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.0.to_le_bytes());
        key[8..16].copy_from_slice(&image.0.to_le_bytes());
        key[16..18].copy_from_slice(&purpose.number().to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(place);
        Self(rng)
    }

    /// Seeks to the start of a draw; each draw has 2^32 words.
    fn seek(&mut self, draw: u32) {
        self.0.set_word_pos(u128::from(draw) << 32);
    }

    /// Returns the next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a uniformly distributed number below `bound` (multiplication with rejection).
    ///
    /// # Panics
    /// Panics if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "the bound must be above 0");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            #[expect(clippy::cast_possible_truncation, reason = "only the low half is compared")]
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// Shuffles `items` uniformly (Fisher-Yates, from the end).
    #[expect(clippy::cast_possible_truncation, reason = "a number below a usize is a usize")]
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// Fills `out` with uniformly distributed values, at least 0 and below 1: the upper 24 bits of one 64-bit word each.
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32")]
    pub fn fill_uniform(&mut self, out: &mut [f32]) {
        const UNIT: f32 = 1.0 / (1u32 << 24) as f32;
        for value in out {
            *value = (self.next_u64() >> 40) as f32 * UNIT;
        }
    }

    /// Fills `out` with standard normal values, two from each pair of 64-bit words (Box-Muller).
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "53 bits fit an f64; f32 is the result"
    )]
    pub fn fill_normal(&mut self, out: &mut [f32]) {
        const UNIT: f64 = 1.0 / (1u64 << 53) as f64;
        for pair in out.chunks_mut(2) {
            // In (0, 1], so that the logarithm is finite.
            let radius = ((self.next_u64() >> 11) + 1) as f64 * UNIT;
            let angle = (self.next_u64() >> 11) as f64 * UNIT * std::f64::consts::TAU;
            let radius = (-2.0 * libm::log(radius)).sqrt();
            let (sine, cosine) = libm::sincos(angle);
            pair[0] = (radius * cosine) as f32;
            if let Some(second) = pair.get_mut(1) {
                *second = (radius * sine) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grid;

    fn normals(seed: u64, image: u64, token: usize, draw: u32, count: usize) -> Vec<f32> {
        let token = Grid::new(64, 64).unwrap().token(token).unwrap();
        let mut out = vec![0.0; count];
        Noise::new(Seed(seed)).fill_normal(ImageIndex(image), token, draw, &mut out);
        out
    }

    fn uniforms(seed: u64, image: u64, token: usize, draw: u32, count: usize) -> Vec<f32> {
        let token = Grid::new(64, 64).unwrap().token(token).unwrap();
        let mut out = vec![-1.0; count];
        Noise::new(Seed(seed)).fill_uniform(ImageIndex(image), token, draw, &mut out);
        out
    }

    #[test]
    fn every_part_of_the_address_of_a_uniform_value_matters() {
        let here = uniforms(1, 2, 3, 4, 8);
        assert_eq!(here, uniforms(1, 2, 3, 4, 8));
        for other in
            [uniforms(0, 2, 3, 4, 8), uniforms(1, 0, 3, 4, 8), uniforms(1, 2, 0, 4, 8), uniforms(1, 2, 3, 0, 8)]
        {
            assert!(here.iter().zip(&other).all(|(a, b)| a.to_bits() != b.to_bits()));
        }
    }

    /// The values are part of the interface: a change here changes every image of a categorical head.
    #[test]
    fn the_uniform_values_are_pinned() {
        let bits: Vec<u32> = uniforms(0, 0, 0, 0, 4).iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, [0x3ee2_73fe, 0x3eaf_e312, 0x3f6c_cf72, 0x3f30_b292]);
        let noise = [(0, 0), (0, 1), (7, 0)].map(|(token, step)| {
            let token = Grid::new(4, 4).unwrap().token(token).unwrap();
            choice_noise(Seed(0), ImageIndex(0), token, step).to_bits()
        });
        assert_eq!(noise, [0x3ffc_68b1_e97b_bb75, 0x3ff3_547d_8295_5134, 0x3ff9_07bf_c387_38b7]);
    }

    #[test]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 9")]
    fn uniform_values_are_uniform_and_below_1() {
        let values: Vec<f64> = (0..2000).flat_map(|token| uniforms(9, 1, token, 2, 64)).map(f64::from).collect();
        assert!(values.iter().all(|value| (0.0..1.0).contains(value)));
        let mut tenths = [0_u32; 10];
        for value in &values {
            tenths[(value * 10.0) as usize] += 1;
        }
        // 12,800 of each are expected; five standard deviations are 537.
        assert!(tenths.iter().all(|&count| (12_263..=13_337).contains(&count)), "{tenths:?}");
    }

    #[test]
    fn the_distribution_function_is_exact_and_below_1() {
        for (normal, expected) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.0, 0.158_655_3), (-40.0, 0.0)] {
            assert!((distribution_function(normal) - expected).abs() < 1e-7, "{normal}");
        }
        for extreme in [40.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            assert!((0.0..1.0).contains(&distribution_function(extreme)), "{extreme}");
        }
    }

    /// Gumbel noise has the mean 0.5772 and the variance pi^2 / 6.
    #[test]
    fn choice_noise_is_gumbel() {
        let grid = Grid::new(64, 64).unwrap();
        let noise = |step| grid.iter().map(move |token| choice_noise(Seed(2), ImageIndex(1), token, step));
        let values: Vec<f64> = (0..16).flat_map(noise).collect();
        #[expect(clippy::cast_precision_loss, reason = "a small count")]
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        // Five standard errors at 65,536 values.
        assert!((mean - 0.577_216).abs() < 0.0251, "{mean}");
        assert!((variance - 1.644_934).abs() < 0.0675, "{variance}");
    }

    #[test]
    fn every_part_of_the_address_matters() {
        let here = normals(1, 2, 3, 4, 8);
        assert_eq!(here, normals(1, 2, 3, 4, 8));
        for other in [normals(0, 2, 3, 4, 8), normals(1, 0, 3, 4, 8), normals(1, 2, 0, 4, 8), normals(1, 2, 3, 0, 8)] {
            assert!(here.iter().zip(&other).all(|(a, b)| a.to_bits() != b.to_bits()));
        }
        let order = Stream::new(Seed(1), StreamPurpose::TokenOrder, ImageIndex(2), 3).next_u64();
        assert_ne!(order, Stream::new(Seed(1), StreamPurpose::Detail, ImageIndex(2), 3).next_u64());
    }

    #[test]
    fn purposes_never_share_values() {
        let first = |purpose| Stream::new(Seed(1), purpose, ImageIndex(2), 3).next_u64();
        let own = [
            StreamPurpose::TokenNoise,
            StreamPurpose::TokenOrder,
            StreamPurpose::Detail,
            StreamPurpose::Choice,
            StreamPurpose::TokenUniform,
        ];
        let mut all: Vec<u64> = own.into_iter().chain((0..=u8::MAX).map(StreamPurpose::Other)).map(first).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5 + 256);
    }

    #[test]
    fn a_shorter_draw_is_a_prefix_of_a_longer_one() {
        assert_eq!(normals(5, 0, 0, 0, 32)[..16], normals(5, 0, 0, 0, 16));
        assert_eq!(normals(5, 0, 0, 0, 7)[..6], normals(5, 0, 0, 0, 6));
    }

    /// The values are part of the interface: a change here changes every image.
    #[test]
    fn the_values_are_pinned() {
        let bits: Vec<u32> = normals(0, 0, 0, 0, 4).iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, [0xbecf_22b3, 0xbee0_9249, 0x3fa1_a660, 0x3f93_4259]);
    }

    #[test]
    fn normals_have_mean_0_variance_1_and_kurtosis_3() {
        let values: Vec<f64> = (0..2000).flat_map(|token| normals(9, 1, token, 2, 64)).map(f64::from).collect();
        #[expect(clippy::cast_precision_loss, reason = "a small count")]
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        let kurtosis = values.iter().map(|v| (v - mean).powi(4)).sum::<f64>() / count / variance.powi(2);
        // Five standard errors of each moment at 128,000 values.
        assert!(mean.abs() < 0.014, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
        assert!((kurtosis - 3.0).abs() < 0.07, "{kurtosis}");
    }

    #[test]
    fn shuffles_are_uniform() {
        let mut counts = [0u32; 6];
        for image in 0..6000 {
            let mut items = [0usize, 1, 2];
            Stream::new(Seed(3), StreamPurpose::TokenOrder, ImageIndex(image), 0).shuffle(&mut items);
            counts[items[0] * 2 + usize::from(items[1] > items[2])] += 1;
        }
        // 1000 of each are expected; the standard deviation is 29.
        assert!(counts.iter().all(|&count| (855..1145).contains(&count)), "{counts:?}");
    }
}
