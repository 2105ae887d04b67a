//! What the paper says of two rows, and whether it came out.

use gtr_backends::judge::{Interval, Measured};
use serde::Deserialize;

/// Of two schedules, how the paper finds the first beside the second.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The first row.
    pub row: String,
    /// How it is beside the second.
    pub is: Relation,
    /// The second row.
    pub than: String,
    /// What the paper says, in short.
    pub says: String,
}

/// How a row is beside another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// It is better.
    Better,
    /// It is cheaper and not worse. Too few images would not show that rows differ, so that is confirmed only where it is
    /// better.
    AsGood,
}

/// What a measurement says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// It came out.
    Confirmed,
    /// The images are too few to tell.
    Open,
    /// It came out the other way round.
    Contradicted,
}

impl Relation {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Better => "better than",
            Self::AsGood => "as good as",
        }
    }
}

impl Finding {
    /// What is found, and what is said of it, where the row's distance is by so much larger than the other's.
    pub fn of(difference: &Measured) -> (Self, &'static str) {
        let Interval { low, high } = difference.interval();
        if low > 0.0 {
            (Self::Contradicted, "no: it is worse")
        } else if high < 0.0 {
            (Self::Confirmed, "yes: it is better")
        } else {
            (Self::Open, "not told apart")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_found_by_the_ends_of_the_interval() {
        let between = |low: f64, high: f64| Measured::new(f64::midpoint(low, high), vec![low, high]);
        assert_eq!(Finding::of(&between(-3.0, -1.0)).0, Finding::Confirmed);
        assert_eq!(Finding::of(&between(-1.0, 1.0)).0, Finding::Open);
        assert_eq!(Finding::of(&between(1.0, 3.0)).0, Finding::Contradicted);
        // Too few images confirm nothing.
        assert_eq!(Finding::of(&Measured::new(-3.0, Vec::new())).0, Finding::Open);
    }
}
