//! The tokens of an AR step.

use crate::TokenIndex;

/// The tokens that one AR step generates, or that it draws to keep some of them. The number is the same for all images of a batch; the tokens may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    per_image: usize,
    tokens: Vec<TokenIndex>,
}

impl Targets {
    /// Creates the targets of a batch.
    ///
    /// # Shapes
    /// `images`: one list per image, all of the same length, with at least one token each.
    ///
    /// # Panics
    /// Panics if there is no image, a list is empty, or two lists differ in length. A plan never causes this.
    pub fn new<'a>(images: impl IntoIterator<Item = &'a [TokenIndex]>) -> Self {
        let mut images = images.into_iter();
        let first = images.next().expect("a batch has at least one image");
        assert!(!first.is_empty(), "an AR step generates at least one token");
        let mut tokens = first.to_vec();
        for image in images {
            assert_eq!(image.len(), first.len(), "all images of a batch follow the same plan");
            tokens.extend_from_slice(image);
        }
        Self { per_image: first.len(), tokens }
    }

    /// Returns the number of tokens per image.
    pub fn per_image(&self) -> usize {
        self.per_image
    }

    /// Returns the number of images.
    pub fn images(&self) -> usize {
        self.tokens.len() / self.per_image
    }

    /// Returns all tokens, image by image. Rows of features and token values have the same order.
    pub fn rows(&self) -> &[TokenIndex] {
        &self.tokens
    }

    /// Returns an iterator over the tokens of each image.
    pub fn by_image(&self) -> impl ExactSizeIterator<Item = &[TokenIndex]> {
        self.tokens.chunks_exact(self.per_image)
    }
}
