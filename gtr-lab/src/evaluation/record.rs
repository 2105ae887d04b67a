//! Binary record of a scored image.

use gtr_backends::Classification;
use gtr_backends::judge::{CLASSES, FEATURES};
use gtr_run::bulk::Checksum;

/// Classifier output for an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    /// Index of the image within its seed.
    pub(super) number: u64,
    /// Generation time: seconds of the batch divided by its size.
    pub(super) seconds: f32,
    /// Output of the classifier.
    pub(super) verdict: Classification,
}

/// Bytes before the checksum: number, seconds, features, logits, all little-endian.
const CONTENT: usize = 8 + 4 * (1 + FEATURES + CLASSES);
/// Bytes of the truncated checksum.
const CHECK: usize = 8;
/// Length of a record in bytes.
pub(super) const LENGTH: usize = CONTENT + CHECK;

impl Record {
    /// Returns the encoded record.
    pub(super) fn bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        let Classification { features, logits } = &self.verdict;
        let floats = [self.seconds].into_iter().chain(*features).chain(*logits);
        for (place, float) in bytes[8..CONTENT].chunks_exact_mut(4).zip(floats) {
            place.copy_from_slice(&float.to_le_bytes());
        }
        let check = check(&bytes[..CONTENT]);
        bytes[CONTENT..].copy_from_slice(&check);
        bytes
    }

    /// Decodes a record. Returns `None` if the checksum does not match or a value is not finite.
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
        finite.then(|| Self {
            number: u64::from_le_bytes(*number),
            seconds,
            verdict: Classification { features, logits },
        })
    }
}

fn check(content: &[u8]) -> [u8; CHECK] {
    Checksum::of(content).first()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip_and_damaged_ones_are_refused() {
        let verdict = Classification {
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
