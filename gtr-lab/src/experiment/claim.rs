//! Claims of the paper about two rows, and their test.

use gtr_backends::judge::{Interval, Measured};
use serde::Deserialize;

/// A claim of the paper that compares two schedules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The first row.
    pub row: String,
    /// Relation of the first row to the second.
    pub is: Relation,
    /// The second row.
    pub than: String,
    /// The claim in a few words.
    pub says: String,
}

/// Relation of a row to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// Better.
    Better,
    /// Cheaper and not worse. A missing difference could be due to too few images, so the claim is confirmed only if the row is
    /// significantly better.
    AsGood,
}

/// Result of the test of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimOutcome {
    /// The row is significantly better.
    Confirmed,
    /// The difference is not significant.
    Open,
    /// The row is significantly worse.
    Contradicted,
}

impl Relation {
    /// Returns the relation in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Better => "better than",
            Self::AsGood => "as good as",
        }
    }
}

impl ClaimOutcome {
    /// Tests a claim, given the distance of its first row minus that of its second. Returns the finding and its text.
    pub fn of(difference: &Measured) -> (Self, &'static str) {
        let Interval { low, high } = difference.interval();
        if low > 0.0 {
            (Self::Contradicted, "contradicted: worse")
        } else if high < 0.0 {
            (Self::Confirmed, "confirmed: better")
        } else {
            (Self::Open, "undecided: not significantly different")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_depend_on_the_interval() {
        let between = |low: f64, high: f64| Measured::new(f64::midpoint(low, high), vec![low, high]);
        assert_eq!(ClaimOutcome::of(&between(-3.0, -1.0)).0, ClaimOutcome::Confirmed);
        assert_eq!(ClaimOutcome::of(&between(-1.0, 1.0)).0, ClaimOutcome::Open);
        assert_eq!(ClaimOutcome::of(&between(1.0, 3.0)).0, ClaimOutcome::Contradicted);
        // Without resamples, nothing is significant.
        assert_eq!(ClaimOutcome::of(&Measured::new(-3.0, Vec::new())).0, ClaimOutcome::Open);
    }
}
