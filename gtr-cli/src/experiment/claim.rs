//! What the paper says of two rows, and whether it came out.

use gtr_backends::judge::{Interval, Measured};
use serde::Deserialize;

/// Of two schedules, how the paper finds the first beside the second.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    pub(crate) row: String,
    pub(crate) is: Relation,
    pub(crate) than: String,
    /// What the paper says, in short.
    pub(crate) says: String,
}

/// How a row is beside another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Relation {
    /// It is better.
    Better,
    /// It is cheaper and not worse.
    AsGood,
}

/// What a measurement says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Finding {
    /// It came out.
    Confirmed,
    /// The images are too few to tell.
    Open,
    /// It came out the other way round.
    Contradicted,
}

impl Relation {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Better => "better than",
            Self::AsGood => "as good as",
        }
    }

    /// What is found, and what is said of it, where the row's distance is by so much larger than the other's.
    pub(crate) fn finding(self, difference: &Measured) -> (Finding, &'static str) {
        let Interval { low, high } = difference.interval();
        match self {
            _ if low > 0.0 => (Finding::Contradicted, "no: it is worse"),
            _ if high < 0.0 => (Finding::Confirmed, "yes: it is better"),
            Self::Better => (Finding::Open, "not told apart"),
            // Nothing speaks against it; that two rows are equal no number of images can show.
            Self::AsGood => (Finding::Confirmed, "yes: not told apart"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_found_by_the_ends_of_the_interval() {
        use Finding::{Confirmed, Contradicted, Open};
        let between = |low: f64, high: f64| Measured::new(f64::midpoint(low, high), vec![low, high]);
        for (low, high, better, as_good) in
            [(-3.0, -1.0, Confirmed, Confirmed), (-1.0, 1.0, Open, Confirmed), (1.0, 3.0, Contradicted, Contradicted)]
        {
            assert_eq!(Relation::Better.finding(&between(low, high)).0, better);
            assert_eq!(Relation::AsGood.finding(&between(low, high)).0, as_good);
        }
    }
}
