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
}

impl StreamPurpose {
    /// Returns the number that addresses the stream. The purposes of this crate come first.
    fn number(self) -> u16 {
        match self {
            Self::TokenNoise => 0,
            Self::TokenOrder => 1,
            Self::Detail => 2,
            Self::Other(number) => 3 + u16::from(number),
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
        let own = [StreamPurpose::TokenNoise, StreamPurpose::TokenOrder, StreamPurpose::Detail];
        let mut all: Vec<u64> = own.into_iter().chain((0..=u8::MAX).map(StreamPurpose::Other)).map(first).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 3 + 256);
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
