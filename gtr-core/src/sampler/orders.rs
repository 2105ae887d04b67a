//! The order in which a batch generates its tokens, as far as it is known.

use crate::{Step, Targets, TokenIndex};

/// The tokens of each image of a batch: those generated so far in the order of generation, then all others.
///
/// The others are in the order of generation if the plan determines it, otherwise stage by stage in ascending order.
#[derive(Debug)]
pub(super) struct Orders {
    images: Vec<Vec<TokenIndex>>,
    /// Number of tokens per image that are generated.
    generated: usize,
}

impl Orders {
    pub(super) fn new(images: Vec<Vec<TokenIndex>>) -> Self {
        Self { images, generated: 0 }
    }

    /// Returns the tokens that a step draws.
    pub(super) fn candidates(&self, step: &Step) -> Targets {
        let end = self.generated + step.candidates();
        Targets::new(self.images.iter().map(|tokens| &tokens[self.generated..end]))
    }

    /// Records the tokens that a step has generated, some of its candidates in the same order.
    pub(super) fn advance(&mut self, step: &Step, kept: &Targets) {
        if kept.per_image() < step.candidates() {
            let end = self.generated + step.candidates();
            for (tokens, kept) in self.images.iter_mut().zip(kept.by_image()) {
                let candidates = &mut tokens[self.generated..end];
                // False sorts before true, and the sort keeps the order within both parts.
                candidates.sort_by_key(|token| kept.binary_search(token).is_err());
            }
        }
        self.generated += kept.per_image();
    }
}
