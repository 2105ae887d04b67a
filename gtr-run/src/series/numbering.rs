//! Which images a run makes.

use gtr_core::ImageIndex;
use serde::{Deserialize, Serialize};

use crate::Error;

/// What images are asked for by, in the order in which it was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subjects {
    /// Classes of a model of classes.
    Classes(Vec<u32>),
    /// Prompts of a model of texts.
    Prompts(Vec<String>),
}

impl Subjects {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Prompts(prompts) => prompts.len(),
        }
    }

    /// One of them alone.
    pub(crate) fn only(&self, position: usize) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(classes.get(position).copied().into_iter().collect()),
            Self::Prompts(prompts) => Self::Prompts(prompts.get(position).cloned().into_iter().collect()),
        }
    }
}

/// Which images a run makes, numbered from the first on: `count` of each class or prompt, one after the other; balanced,
/// `count` in all, of each class in turn.
///
/// # Examples
/// ```
/// use gtr_core::ImageIndex;
/// use gtr_run::series::Numbering;
///
/// let numbering = Numbering::new(10, 3, ImageIndex(100), false)?;
/// assert_eq!((numbering.images(), numbering.subject(4), numbering.number(4)), (30, 1, ImageIndex(104)));
/// # Ok::<(), gtr_run::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbering {
    subjects: usize,
    count: u64,
    first: u64,
    balanced: bool,
}

impl Numbering {
    /// Images of so many classes or prompts, of which the first has the number `first`: `count` of each, or balanced in all.
    ///
    /// # Errors
    /// [`Error::Request`] if there are none, or the numbers do not reach for all of them.
    pub fn new(subjects: usize, count: u64, first: ImageIndex, balanced: bool) -> Result<Self, Error> {
        let numbering = Self { subjects, count, first: first.0, balanced };
        if numbering.is_sound() {
            return Ok(numbering);
        }
        Err(Error::request(format_args!("--first-image {first} leaves too few numbers: choose a lower one")))
    }

    /// Whether there are images, and numbers for all of them.
    pub fn is_sound(self) -> bool {
        let factor = if self.balanced { 1 } else { self.subjects as u64 };
        let last = self.count.checked_mul(factor).and_then(|images| self.first.checked_add(images));
        self.subjects > 0 && self.count > 0 && last.is_some()
    }

    /// Whether there are several images of each of several classes or prompts, and those of one follow those of another.
    pub fn is_class_after_class(self) -> bool {
        !self.balanced && self.subjects > 1 && self.count > 1
    }

    /// How many classes or prompts there are.
    pub fn subjects(self) -> usize {
        self.subjects
    }

    /// How many images there are of each class or prompt; balanced, of all.
    pub fn count(self) -> u64 {
        self.count
    }

    /// How many images there are: at most 10^5 classes or prompts times 2^32.
    pub fn images(self) -> u64 {
        if self.balanced { self.count } else { self.subjects as u64 * self.count }
    }

    /// Position, in the list of classes or prompts, of that of an image.
    #[expect(clippy::cast_possible_truncation, reason = "a position in a list")]
    pub fn subject(self, position: u64) -> usize {
        let position = if self.balanced { position % self.subjects as u64 } else { position / self.count };
        position as usize
    }

    /// Which of the images of its class or prompt an image is.
    pub fn sample(self, position: u64) -> u64 {
        if self.balanced { position / self.subjects as u64 } else { position % self.count }
    }

    /// The position of the image of a number, if it is one of the run.
    pub fn position(self, number: ImageIndex) -> Option<u64> {
        number.0.checked_sub(self.first).filter(|position| *position < self.images())
    }

    /// The number that keys an image's randomness.
    pub fn number(self, position: u64) -> ImageIndex {
        ImageIndex(self.first + position)
    }
}

/// The file of an image among others.
pub fn file_name(ImageIndex(number): ImageIndex) -> String {
    format!("{number:05}.png")
}
