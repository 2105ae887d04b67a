//! All randomness of a run: counter-based streams, addressed rather than drawn one after another.
//!
//! A value is a pure function of (seed, what it is for, image, place), never of what was drawn before it. So an image is
//! the same bits alone, in a batch, in a shard, or by another process. Normals are computed with `libm`, whose results do
//! not depend on the platform's mathematics library.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::{ImageIndex, Seed, TokenIndex};

/// Where the noise of the diffusion head comes from.
///
/// The sampler passes [`Noise`]; a test that replays a recording passes the recorded numbers.
pub trait NoiseSource: Sync {
    /// Fills `out` with standard normal values: the noise of one token at one draw.
    ///
    /// Draw 0 is what the token's diffusion starts from; draw `k` is added after its `k`-th evaluation. The values depend
    /// on the arguments alone, not on the order of calls.
    fn fill_normal(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]);
}

/// The noise of a seed.
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
    /// The noise that grows from `seed`.
    pub fn new(seed: Seed) -> Self {
        Self { seed }
    }
}

impl NoiseSource for Noise {
    fn fill_normal(&self, image: ImageIndex, token: TokenIndex, draw: u32, out: &mut [f32]) {
        let mut stream = Stream::new(self.seed, Purpose::TokenNoise, image, token.get() as u64);
        stream.seek(draw);
        stream.fill_normal(out);
    }
}

/// What a stream is for; two purposes never share values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Noise of the diffusion head; the place is the token.
    TokenNoise,
    /// The order of the tokens within a stage; the place is the stage.
    TokenOrder,
    /// Which tokens a detail rule picks; the place is the AR step.
    Detail,
    /// A purpose outside this crate, by a number that is its own among those of a program.
    Other(u8),
}

impl Purpose {
    /// The purposes of this crate come first.
    fn number(self) -> u16 {
        match self {
            Self::TokenNoise => 0,
            Self::TokenOrder => 1,
            Self::Detail => 2,
            Self::Other(number) => 3 + u16::from(number),
        }
    }
}

/// A random stream for one purpose, image and place.
pub struct Stream(ChaCha8Rng);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl Stream {
    /// The stream at its beginning. The key holds seed, purpose and image; the place is the stream of that key.
    pub fn new(seed: Seed, purpose: Purpose, image: ImageIndex, place: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.0.to_le_bytes());
        key[8..16].copy_from_slice(&image.0.to_le_bytes());
        key[16..18].copy_from_slice(&purpose.number().to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(place);
        Self(rng)
    }

    /// Goes to the beginning of a draw; a draw holds 2^32 words.
    fn seek(&mut self, draw: u32) {
        self.0.set_word_pos(u128::from(draw) << 32);
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, each equally likely (multiply and reject).
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below 0");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            #[expect(clippy::cast_possible_truncation, reason = "the low half is what is meant")]
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// Puts `items` into a random order, each order equally likely (Fisher and Yates, from the end).
    #[expect(clippy::cast_possible_truncation, reason = "a number below a usize is a usize")]
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// Fills `out` with standard normal values, two from each pair of 64-bit words (Box and Muller).
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "53 bits fit an f64; f32 is the result"
    )]
    pub fn fill_normal(&mut self, out: &mut [f32]) {
        const UNIT: f64 = 1.0 / (1u64 << 53) as f64;
        for pair in out.chunks_mut(2) {
            // In (0, 1], so that its logarithm is finite.
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
        let order = Stream::new(Seed(1), Purpose::TokenOrder, ImageIndex(2), 3).next_u64();
        assert_ne!(order, Stream::new(Seed(1), Purpose::Detail, ImageIndex(2), 3).next_u64());
    }

    #[test]
    fn purposes_never_share_values() {
        let first = |purpose| Stream::new(Seed(1), purpose, ImageIndex(2), 3).next_u64();
        let own = [Purpose::TokenNoise, Purpose::TokenOrder, Purpose::Detail];
        let mut all: Vec<u64> = own.into_iter().chain((0..=u8::MAX).map(Purpose::Other)).map(first).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 3 + 256);
    }

    #[test]
    fn a_longer_draw_begins_with_the_shorter_one() {
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
    fn normals_have_mean_0_variance_1_and_normal_tails() {
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
    fn shuffles_are_even() {
        let mut counts = [0u32; 6];
        for image in 0..6000 {
            let mut items = [0usize, 1, 2];
            Stream::new(Seed(3), Purpose::TokenOrder, ImageIndex(image), 0).shuffle(&mut items);
            counts[items[0] * 2 + usize::from(items[1] > items[2])] += 1;
        }
        // 1000 expected of each; the standard deviation is 29.
        assert!(counts.iter().all(|&count| (855..1145).contains(&count)), "{counts:?}");
    }
}
