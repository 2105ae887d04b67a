//! Attention: agreement with the formula, and bits that do not depend on the other queries.

use gtr_kernels::{Attention, attention};
use proptest::prelude::*;

use crate::{bits, numbers, with_threads};

/// Computes one head of one sequence in f64.
fn by_formula(query: &[f32], keys: &[&[f32]], values: &[&[f32]]) -> Vec<f64> {
    let wide = |x: &f32| f64::from(*x);
    let scale = f64::from(u16::try_from(query.len()).unwrap()).powf(-0.5);
    let score = |key: &&[f32]| scale * query.iter().zip(*key).map(|(a, b)| wide(a) * wide(b)).sum::<f64>();
    let weights: Vec<f64> = keys.iter().map(score).map(f64::exp).collect();
    let total: f64 = weights.iter().sum();
    let channel = |channel: usize| {
        values.iter().zip(&weights).map(|(value, weight)| wide(&value[channel]) * weight).sum::<f64>() / total
    };
    (0..query.len()).map(channel).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn attention_agrees_with_the_formula(
        batch in 1..3_usize, heads in 1..4_usize, depth in 1..90_usize, m in 1..15_usize, n in 1..140_usize, seed: u32,
    ) {
        let width = heads * depth;
        let queries = numbers(seed, batch * m * width);
        let looked_at = numbers(!seed, batch * n * 2 * width);
        let found = attention(&queries, &looked_at, Attention { batch, heads, depth });
        for (row, found) in found.chunks_exact(width).enumerate() {
            let rows: Vec<&[f32]> = looked_at[row / m * n * 2 * width..].chunks_exact(2 * width).take(n).collect();
            for head in 0..heads {
                let part = |offset: usize| -> Vec<&[f32]> {
                    rows.iter().map(|row| &row[offset + head * depth..][..depth]).collect()
                };
                let query = &queries[row * width + head * depth..][..depth];
                let expected = by_formula(query, &part(0), &part(width));
                for (found, expected) in found[head * depth..].iter().zip(expected) {
                    prop_assert!((f64::from(*found) - expected).abs() < 2e-6, "{found} {expected}");
                }
            }
        }
    }
}

#[test]
fn queries_do_not_depend_on_other_queries_sequences_or_threads() {
    let sides = Attention { batch: 3, heads: 2, depth: 20 };
    let (m, n, width) = (17, 70, 40);
    let (queries, looked_at) = (numbers(1, 3 * m * width), numbers(2, 3 * n * 2 * width));
    let together = attention(&queries, &looked_at, sides);
    for (row, expected) in together.chunks_exact(width).enumerate() {
        let sequence = &looked_at[row / m * n * 2 * width..][..n * 2 * width];
        let alone = attention(&queries[row * width..][..width], sequence, Attention { batch: 1, ..sides });
        assert_eq!(bits(&alone), bits(expected), "row {row}");
    }
    let one = with_threads(1, || attention(&queries, &looked_at, sides));
    assert_eq!(bits(&one), bits(&together));
    assert_eq!(bits(&with_threads(5, || attention(&queries, &looked_at, sides))), bits(&together));
}

#[test]
fn large_scores_do_not_overflow() {
    let sides = Attention { batch: 1, heads: 1, depth: 1 };
    assert_eq!(attention(&[300.0], &[300.0, 1.0, -300.0, 2.0], sides), [1.0]);
}

#[test]
#[should_panic(expected = "expected at least one key")]
fn attention_to_no_keys_is_refused() {
    attention(&[1.0], &[], Attention { batch: 1, heads: 1, depth: 1 });
}
