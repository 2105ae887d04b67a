//! What was seen in an image, as it is kept.

use gtr_backends::Verdict;
use gtr_backends::judge::{CLASSES, FEATURES};
use gtr_run::bulk::Checksum;

/// What the judge saw in an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    /// The number of the image under its seed.
    pub(super) number: u64,
    /// What it took to make: the share of its batch.
    pub(super) seconds: f32,
    pub(super) verdict: Verdict,
}

/// Bytes before the checksum: number, seconds, features, logits, each the lowest byte first.
const CONTENT: usize = 8 + 4 * (1 + FEATURES + CLASSES);
/// Bytes of the checksum that are kept.
const CHECK: usize = 8;
/// Bytes of a record.
pub(super) const LENGTH: usize = CONTENT + CHECK;

impl Record {
    /// Its bytes.
    pub(super) fn bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        let Verdict { features, logits } = &self.verdict;
        let floats = [self.seconds].into_iter().chain(*features).chain(*logits);
        for (place, float) in bytes[8..CONTENT].chunks_exact_mut(4).zip(floats) {
            place.copy_from_slice(&float.to_le_bytes());
        }
        let check = check(&bytes[..CONTENT]);
        bytes[CONTENT..].copy_from_slice(&check);
        bytes
    }

    /// The record of some bytes, unless they are damaged.
    pub(super) fn read(bytes: &[u8; LENGTH]) -> Option<Self> {
        let (content, kept) = bytes.split_at(CONTENT);
        if kept != check(content) {
            return None;
        }
        let (number, floats) = content.split_first_chunk::<8>()?;
        let (floats, _) = floats.as_chunks::<4>();
        let mut floats = floats.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let seconds = floats.next()?;
        let mut next = || floats.next().unwrap_or(f32::NAN);
        let features = std::array::from_fn(|_| next());
        let logits = std::array::from_fn(|_| next());
        let finite = [seconds].iter().chain(&features).chain(&logits).all(|float| float.is_finite());
        finite.then(|| Self { number: u64::from_le_bytes(*number), seconds, verdict: Verdict { features, logits } })
    }
}

fn check(content: &[u8]) -> [u8; CHECK] {
    Checksum::of(content).first()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_are_written_and_no_damaged_one() {
        let verdict = Verdict {
            features: std::array::from_fn(|at| f32::from(u8::try_from(at).unwrap())),
            logits: [0.5; CLASSES],
        };
        let record = Record { number: 1 << 40, seconds: 0.25, verdict };
        let bytes = record.bytes();
        assert_eq!(Record::read(&bytes), Some(record.clone()));
        for place in 0..LENGTH {
            let mut damaged = bytes;
            damaged[place] ^= 16;
            assert_eq!(Record::read(&damaged), None, "{place}");
        }
        let endless = Record { seconds: f32::INFINITY, ..record };
        assert_eq!(Record::read(&endless.bytes()), None);
    }
}
