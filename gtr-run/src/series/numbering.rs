//! Numbering of the images of a run.

use gtr_core::ImageIndex;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Prompts of the images (classes or texts), in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subjects {
    /// Classes, for a class-conditional model.
    Classes(Vec<u32>),
    /// Texts, for a text-conditional model.
    Prompts(Vec<String>),
}

impl Subjects {
    /// Returns true if there are no classes or texts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of classes or texts.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Prompts(prompts) => prompts.len(),
        }
    }

    /// Returns only the class or text at a position.
    pub(crate) fn only(&self, position: usize) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(classes.get(position).copied().into_iter().collect()),
            Self::Prompts(prompts) => Self::Prompts(prompts.get(position).cloned().into_iter().collect()),
        }
    }
}

/// Numbering of the images of a run. By default there are `count` images per class or prompt, grouped by class or prompt. If
/// balanced, there are `count` images in total, with all classes in turn.
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
    /// Creates the numbering for `subjects` classes or prompts. `first` is the number of the first image; `count` is the number of
    /// images per class or prompt, or the total number if `balanced`.
    ///
    /// # Errors
    /// [`Error::Request`] if there are no images, or if the image numbers overflow.
    pub fn new(subjects: usize, count: u64, first: ImageIndex, balanced: bool) -> Result<Self, Error> {
        let numbering = Self { subjects, count, first: first.0, balanced };
        if numbering.is_sound() {
            return Ok(numbering);
        }
        Err(Error::request(format_args!("--first-image {first} is too large for the number of images")))
    }

    /// Returns true if there is at least one image and the image numbers do not overflow.
    pub fn is_sound(self) -> bool {
        let factor = if self.balanced { 1 } else { self.subjects as u64 };
        let last = self.count.checked_mul(factor).and_then(|images| self.first.checked_add(images));
        self.subjects > 0 && self.count > 0 && last.is_some()
    }

    /// Returns true if there are several classes or prompts with several images each, grouped by class or prompt.
    pub fn is_class_after_class(self) -> bool {
        !self.balanced && self.subjects > 1 && self.count > 1
    }

    /// Number of classes or prompts.
    pub fn subjects(self) -> usize {
        self.subjects
    }

    /// Number of images per class or prompt, or the total number if balanced.
    pub fn count(self) -> u64 {
        self.count
    }

    /// Total number of images: at most 10^5 classes or prompts times 2^32.
    pub fn images(self) -> u64 {
        if self.balanced { self.count } else { self.subjects as u64 * self.count }
    }

    /// Returns the index of the class or prompt of an image.
    #[expect(clippy::cast_possible_truncation, reason = "an index")]
    pub fn subject(self, position: u64) -> usize {
        let position = if self.balanced { position % self.subjects as u64 } else { position / self.count };
        position as usize
    }

    /// Returns the index of an image among the images of its class or prompt.
    pub fn sample(self, position: u64) -> u64 {
        if self.balanced { position / self.subjects as u64 } else { position % self.count }
    }

    /// Returns the position of an image number; `None` if it is not part of the run.
    pub fn position(self, number: ImageIndex) -> Option<u64> {
        number.0.checked_sub(self.first).filter(|position| *position < self.images())
    }

    /// Returns the image number, which together with the seed determines the random numbers.
    pub fn number(self, position: u64) -> ImageIndex {
        ImageIndex(self.first + position)
    }
}

/// Returns the file name of an image in a folder.
pub fn file_name(ImageIndex(number): ImageIndex) -> String {
    format!("{number:05}.png")
}
