//! What a model is told about an AR step.

use crate::{Role, StepReuse};

/// The AR step that a model computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepContext {
    /// Index of the step in the plan, from 0.
    pub index: usize,
    /// Number of AR steps of the plan.
    pub steps: usize,
    /// Number of tokens of the grid.
    pub tokens: usize,
    /// Number of tokens that are known before the step.
    pub known: usize,
    /// Role of the step's stage.
    pub role: Role,
    /// Scale of classifier-free guidance; exactly 1 if the step is not guided.
    pub guidance: f64,
    /// Factor of the noise that updates of a token add.
    pub temperature: f64,
    /// What the step takes from earlier steps and, within the head, from earlier evaluations; `None` if nothing.
    pub reuse: Option<StepReuse>,
    /// Whether the next step takes parts of the transformer from this one, which then must be kept.
    pub keeps: bool,
}

impl StepContext {
    /// Returns the context of an unguided step of a run, of which only the number of tokens of the grid and the number of
    /// known tokens are given.
    ///
    /// # Examples
    /// ```
    /// use gtr_core::StepContext;
    /// let step = StepContext { guidance: 3.0, ..StepContext::single(64, 10) };
    /// assert!(step.is_guided());
    /// assert_eq!((step.index, step.steps, step.temperature), (0, 1, 1.0));
    /// ```
    pub fn single(tokens: usize, known: usize) -> Self {
        let role = Role::Generation;
        let (reuse, keeps) = (None, false);
        Self { index: 0, steps: 1, tokens, known, role, guidance: 1.0, temperature: 1.0, reuse, keeps }
    }

    /// Returns true if the unconditional half is needed.
    #[expect(clippy::float_cmp, reason = "the sampling loop sets exactly 1")]
    pub fn is_guided(&self) -> bool {
        self.guidance != 1.0
    }
}
