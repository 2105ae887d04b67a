//! Uniform draws.

use gtr_core::Stream;

/// Draws one of `values`, of which there must be at least one.
pub(super) fn one_of<T: Clone>(stream: &mut Stream, values: &[T]) -> T {
    #[expect(clippy::cast_possible_truncation, reason = "an index into a slice")]
    let at = stream.below(values.len() as u64) as usize;
    values[at].clone()
}
