//! Parts of a run.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// More parts than this are a mistake.
const MOST: u32 = 100_000;

/// Part `index` of `of`, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "(u32, u32)", into = "(u32, u32)")]
pub(crate) struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// The run in one piece.
    pub(crate) const WHOLE: Self = Self { index: 0, of: 1 };

    /// A part; nothing if there is no such one, or if there are more parts than make sense.
    pub(crate) fn new(index: u32, of: u32) -> Option<Self> {
        (index < of && of <= MOST).then_some(Self { index, of })
    }

    /// Into how many parts the run is cut.
    pub(crate) fn of(self) -> u32 {
        self.of
    }

    /// All parts of a run that is cut like this one.
    pub(crate) fn all(self) -> impl Iterator<Item = Self> {
        (0..self.of).map(move |index| Self { index, ..self })
    }

    /// The positions of its images in a run of so many; the parts follow each other and differ by one image at most.
    #[expect(clippy::cast_possible_truncation, reason = "not above the number of images")]
    pub(crate) fn range(self, images: u64) -> Range<u64> {
        let cut = |index: u32| (u128::from(images) * u128::from(index) / u128::from(self.of)) as u64;
        cut(self.index)..cut(self.index + 1)
    }

    /// What its files are called.
    pub(crate) fn stem(self) -> String {
        format!("{}-of-{}", self.index, self.of)
    }

    /// The part whose files are called like this.
    pub(crate) fn from_stem(stem: &str) -> Option<Self> {
        let (index, of) = stem.split_once("-of-")?;
        Self::new(index.parse().ok()?, of.parse().ok()?).filter(|shard| shard.stem() == stem)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl TryFrom<(u32, u32)> for Shard {
    type Error = &'static str;

    fn try_from((index, of): (u32, u32)) -> Result<Self, Self::Error> {
        Self::new(index, of).ok_or("a shard is numbered from 0, below their number")
    }
}

impl From<Shard> for (u32, u32) {
    fn from(shard: Shard) -> Self {
        (shard.index, shard.of)
    }
}

/// What `--shard` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShardFlag {
    /// The part itself.
    Given(Shard),
    /// The scheduler of the machines knows which part, and of how many unless that is said.
    Auto(Option<u32>),
}

impl FromStr for ShardFlag {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SYNTAX: &str = "write I/N, counted from 0, as 0/4 to 3/4; or auto, or auto/N";
        let number = |text: &str| text.parse::<u32>().map_err(|_| SYNTAX);
        match text.split_once('/') {
            None if text == "auto" => Ok(Self::Auto(None)),
            Some(("auto", of)) => {
                number(of).and_then(|of| if of == 0 { Err(SYNTAX) } else { Ok(Self::Auto(Some(of))) })
            }
            Some((index, of)) => Shard::new(number(index)?, number(of)?).map(Self::Given).ok_or(SYNTAX),
            None => Err(SYNTAX),
        }
    }
}

impl ShardFlag {
    /// The part that is meant where these are the variables of the environment.
    pub(crate) fn resolve(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, CliError> {
        let of = match self {
            Self::Given(shard) => return Ok(shard),
            Self::Auto(of) => of,
        };
        let number = |name: &str| -> Result<Option<u32>, CliError> {
            let parse = |text: String| {
                text.parse()
                    .map_err(|_| CliError::usage(format_args!("--shard auto: {name} is `{text}`, not a number")))
            };
            variable(name).map(parse).transpose()
        };
        let (slurm, kubernetes) = (number("SLURM_ARRAY_TASK_ID")?, number("JOB_COMPLETION_INDEX")?);
        let Some(index) = slurm.or(kubernetes) else {
            return Err(CliError::usage(
                "--shard auto: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set: write --shard I/N",
            ));
        };
        let of = match of {
            Some(of) => of,
            // A part of an array, as `--array=2`, has another count than the array that it repairs.
            None if slurm.is_some() && number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0) == 0 => {
                number("SLURM_ARRAY_TASK_COUNT")?.ok_or_else(|| {
                    CliError::usage("--shard auto: SLURM_ARRAY_TASK_COUNT is not set: write --shard auto/N")
                })?
            }
            None if slurm.is_some() => {
                return Err(CliError::usage(
                    "--shard auto: the Slurm array does not count from 0: submit --array=0-(N-1), or write --shard auto/N",
                ));
            }
            None => {
                return Err(CliError::usage(
                    "--shard auto: Kubernetes tells the index, not the number of parts: write --shard auto/N",
                ));
            }
        };
        Shard::new(index, of)
            .ok_or_else(|| CliError::usage(format_args!("--shard auto: task {index} is not one of 0 to {}", of - 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_run() {
        for (images, of) in [(0, 3), (1, 4), (10, 3), (1000, 4), (u64::MAX, 7)] {
            let ranges: Vec<_> = Shard::new(0, of).unwrap().all().map(|shard| shard.range(images)).collect();
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, images));
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            let lengths = ranges.iter().map(|range| range.end - range.start);
            assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let shard = Shard::new(2, 12).unwrap();
        assert_eq!(Shard::from_stem(&shard.stem()), Some(shard));
        for stem in ["2-of-02", "3-of-3", "-of-", "2", "+2-of-3"] {
            assert_eq!(Shard::from_stem(stem), None, "{stem}");
        }
    }

    #[test]
    fn flags_name_a_part() {
        let given = |index, of| Ok(ShardFlag::Given(Shard::new(index, of).unwrap()));
        assert_eq!("3/4".parse(), given(3, 4));
        assert_eq!("auto".parse(), Ok(ShardFlag::Auto(None)));
        assert_eq!("auto/8".parse(), Ok(ShardFlag::Auto(Some(8))));
        for text in ["", "4/4", "0/0", "auto/0", "1", "-1/4", "auto/", "x/4"] {
            assert!(text.parse::<ShardFlag>().is_err(), "{text}");
        }
    }

    #[test]
    fn schedulers_tell_the_part() {
        let resolve = |flag: &str, variables: &[(&str, &str)]| {
            let variable =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, text)| (*text).to_owned());
            flag.parse::<ShardFlag>().unwrap().resolve(variable).ok()
        };
        let slurm = [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "4"), ("SLURM_ARRAY_TASK_MIN", "0")];
        assert_eq!(resolve("auto", &slurm), Shard::new(2, 4));
        assert_eq!(resolve("auto/8", &slurm), Shard::new(2, 8));
        assert_eq!(resolve("auto/2", &slurm), None);
        assert_eq!(resolve("1/3", &slurm), Shard::new(1, 3));
        let partial = [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "1"), ("SLURM_ARRAY_TASK_MIN", "2")];
        assert_eq!(resolve("auto", &partial), None);
        assert_eq!(resolve("auto/4", &partial), Shard::new(2, 4));
        let kubernetes = [("JOB_COMPLETION_INDEX", "1")];
        assert_eq!(resolve("auto", &kubernetes), None);
        assert_eq!(resolve("auto/4", &kubernetes), Shard::new(1, 4));
        assert_eq!(resolve("auto", &[]), None);
        assert_eq!(resolve("auto", &[("SLURM_ARRAY_TASK_ID", "two")]), None);
    }
}
