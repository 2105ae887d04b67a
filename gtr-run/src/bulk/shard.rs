//! Shards of a run.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Largest accepted number of shards.
const MOST: u32 = 100_000;

/// Shard `index` of `of`, counted from 0.
///
/// # Examples
/// ```
/// use gtr_run::bulk::Shard;
/// let shard = Shard::new(1, 4).unwrap();
/// assert_eq!(shard.range(10), 2..5);
/// assert_eq!(Shard::new(4, 4), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "(u32, u32)", into = "(u32, u32)")]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// The only shard of a run.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Creates a shard. Returns `None` if the index is not below the number, or if there are too many shards.
    pub fn new(index: u32, of: u32) -> Option<Self> {
        (index < of && of <= MOST).then_some(Self { index, of })
    }

    /// Number of shards of the run.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Returns all shards of the run.
    pub fn all(self) -> impl Iterator<Item = Self> {
        (0..self.of).map(move |index| Self { index, ..self })
    }

    /// Returns the positions of the shard in a run of `images` images. Shards are contiguous and differ by at most one image.
    #[expect(clippy::cast_possible_truncation, reason = "at most the number of images")]
    pub fn range(self, images: u64) -> Range<u64> {
        let cut = |index: u32| (u128::from(images) * u128::from(index) / u128::from(self.of)) as u64;
        cut(self.index)..cut(self.index + 1)
    }

    /// Base name of the shard's files.
    pub fn stem(self) -> String {
        format!("{}-of-{}", self.index, self.of)
    }

    /// Returns the shard with this base name of files.
    pub fn from_stem(stem: &str) -> Option<Self> {
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
        Self::new(index, of).ok_or("the index of a shard must be below the number of shards")
    }
}

impl From<Shard> for (u32, u32) {
    fn from(shard: Shard) -> Self {
        (shard.index, shard.of)
    }
}

/// Requested shard: `1/4`, or `auto` to read it from the environment variables of a job scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardChoice {
    /// An explicit shard.
    Given(Shard),
    /// The job scheduler determines the shard, and also the number of shards unless it is given.
    Auto(Option<u32>),
}

impl FromStr for ShardChoice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SYNTAX: &str = "expected I/N counted from 0, for example 0/4 to 3/4, or auto or auto/N";
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

impl ShardChoice {
    /// Determines the shard from environment variables.
    ///
    /// # Errors
    /// [`Error::Request`] if the variables are missing or do not determine a shard.
    pub fn resolve(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, Error> {
        let of = match self {
            Self::Given(shard) => return Ok(shard),
            Self::Auto(of) => of,
        };
        let number = |name: &str| -> Result<Option<u32>, Error> {
            let parse = |text: String| {
                text.parse().map_err(|_| {
                    Error::request(format_args!("--shard auto: expected a number in {name}, found `{text}`"))
                })
            };
            variable(name).map(parse).transpose()
        };
        let (index, of) = match (number("SLURM_ARRAY_TASK_ID")?, number("JOB_COMPLETION_INDEX")?, of) {
            (Some(task), _, of) => {
                let array = Array {
                    task,
                    min: number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0),
                    step: number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1),
                    max: number("SLURM_ARRAY_TASK_MAX")?,
                    count: number("SLURM_ARRAY_TASK_COUNT")?,
                };
                array.part(of)?
            }
            (None, Some(index), Some(of)) => (index, of),
            (None, Some(_), None) => {
                return Err(Error::request(
                    "--shard auto: Kubernetes sets the index but not the number of parts: use --shard auto/N",
                ));
            }
            (None, None, _) => {
                return Err(Error::request(
                    "--shard auto: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set: use --shard I/N",
                ));
            }
        };
        Shard::new(index, of).ok_or_else(|| {
            Error::request(format_args!(
                "--shard auto: expected a task of 0 to {} for auto/{of}, found {index}",
                of - 1
            ))
        })
    }
}

/// Variables of a Slurm array task.
#[derive(Clone, Copy, Debug)]
struct Array {
    task: u32,
    min: u32,
    step: u32,
    max: Option<u32>,
    count: Option<u32>,
}

impl Array {
    /// Returns the index of the shard and the number of shards.
    ///
    /// The tasks of a complete array are numbered in order: `0-7`, `1-8` and `0-28:4` all have eight shards. If the number of shards
    /// is given, an array with fewer tasks repeats tasks of an array that started at 0: `--array=2` generates shard 2.
    fn part(self, of: Option<u32>) -> Result<(u32, u32), Error> {
        let ordinal = self.ordinal();
        match (of, ordinal, self.count) {
            (Some(of), Some(ordinal), Some(count)) if count == of => Ok((ordinal, of)),
            (Some(of), _, _) => Ok((self.task, of)),
            (None, _, None) => {
                Err(Error::request("--shard auto: SLURM_ARRAY_TASK_COUNT is not set: use --shard auto/N"))
            }
            // An array that starts later probably repeats tasks of another array.
            (None, Some(ordinal), Some(count)) if self.min <= 1 => Ok((ordinal, count)),
            (None, Some(_), Some(count)) => Err(Error::request(format_args!(
                "--shard auto: the Slurm array starts at {}, so it may be part of another array: use --shard auto/N with the total \
                 number of parts, or submit --array=0-{}",
                self.min,
                count.saturating_sub(1)
            ))),
            (None, None, Some(count)) => Err(Error::request(format_args!(
                "--shard auto: the {count} tasks of the Slurm array are not evenly spaced: submit --array=0-{}, or use --shard \
                 auto/N with the total number of parts",
                count.saturating_sub(1)
            ))),
        }
    }

    /// Returns the index of the task in its array, if the array is evenly spaced.
    fn ordinal(self) -> Option<u32> {
        let count = self.count?;
        let last = self.step.checked_mul(count.checked_sub(1)?)?.checked_add(self.min)?;
        let from = self.task.checked_sub(self.min)?;
        let is_range = self.max.is_none_or(|max| max == last) && from.is_multiple_of(self.step.max(1));
        Some(from / self.step.max(1)).filter(|ordinal| is_range && *ordinal < count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_a_run() {
        for (images, of) in [(0, 3), (1, 4), (10, 3), (1000, 4), (u64::MAX, 7)] {
            let ranges: Vec<_> = Shard::new(0, of).unwrap().all().map(|shard| shard.range(images)).collect();
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, images));
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            let lengths = ranges.iter().map(|range| range.end - range.start);
            assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
        }
    }

    #[test]
    fn names_round_trip() {
        let shard = Shard::new(2, 12).unwrap();
        assert_eq!(Shard::from_stem(&shard.stem()), Some(shard));
        for stem in ["2-of-02", "3-of-3", "-of-", "2", "+2-of-3"] {
            assert_eq!(Shard::from_stem(stem), None, "{stem}");
        }
    }

    #[test]
    fn flags_select_a_shard() {
        let given = |index, of| Ok(ShardChoice::Given(Shard::new(index, of).unwrap()));
        assert_eq!("3/4".parse(), given(3, 4));
        assert_eq!("auto".parse(), Ok(ShardChoice::Auto(None)));
        assert_eq!("auto/8".parse(), Ok(ShardChoice::Auto(Some(8))));
        for text in ["", "4/4", "0/0", "auto/0", "1", "-1/4", "auto/", "x/4"] {
            assert!(text.parse::<ShardChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn slurm_arrays_may_start_at_1_and_have_steps() {
        for (first, step) in [(0, 1), (1, 1), (0, 4), (1, 3)] {
            let last = first + 7 * step;
            let parts: Vec<_> = (first..=last)
                .step_by(step as usize)
                .flat_map(|task| {
                    let array = Array { task, min: first, step, max: Some(last), count: Some(8) };
                    [array.part(None).unwrap(), array.part(Some(8)).unwrap()]
                })
                .collect();
            let expected: Vec<_> = (0..8).flat_map(|part| [(part, 8), (part, 8)]).collect();
            assert_eq!(parts, expected, "{first}-{last}:{step}");
        }
        // Two tasks that repeat tasks of an array of eight.
        let repair = Array { task: 3, min: 2, step: 1, max: Some(3), count: Some(2) };
        assert_eq!(repair.part(Some(8)).unwrap(), (3, 8));
        assert!(repair.part(None).unwrap_err().to_string().contains("starts at 2"));
        let odd = Array { task: u32::MAX, min: 0, step: 0, max: None, count: Some(u32::MAX) };
        assert_eq!(odd.ordinal(), None);
    }

    #[test]
    fn schedulers_select_the_shard() {
        let resolve = |flag: &str, variables: &[(&str, &str)]| {
            let variable =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, text)| (*text).to_owned());
            flag.parse::<ShardChoice>().unwrap().resolve(variable).ok()
        };
        let slurm = [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "4"), ("SLURM_ARRAY_TASK_MIN", "0")];
        assert_eq!(resolve("auto", &slurm), Shard::new(2, 4));
        assert_eq!(resolve("auto/8", &slurm), Shard::new(2, 8));
        assert_eq!(resolve("auto/2", &slurm), None);
        assert_eq!(resolve("1/3", &slurm), Shard::new(1, 3));
        let partial = [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "1"), ("SLURM_ARRAY_TASK_MIN", "2")];
        assert_eq!(resolve("auto", &partial), None);
        assert_eq!(resolve("auto/4", &partial), Shard::new(2, 4));
        let irregular = [
            ("SLURM_ARRAY_TASK_ID", "2"),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
            ("SLURM_ARRAY_TASK_MIN", "0"),
            ("SLURM_ARRAY_TASK_MAX", "3"),
            ("SLURM_ARRAY_TASK_STEP", "1"),
        ];
        assert_eq!(resolve("auto", &irregular), None);
        assert_eq!(resolve("auto/4", &irregular), Shard::new(2, 4));
        let kubernetes = [("JOB_COMPLETION_INDEX", "1")];
        assert_eq!(resolve("auto", &kubernetes), None);
        assert_eq!(resolve("auto/4", &kubernetes), Shard::new(1, 4));
        assert_eq!(resolve("auto", &[]), None);
        assert_eq!(resolve("auto", &[("SLURM_ARRAY_TASK_ID", "two")]), None);
    }
}
