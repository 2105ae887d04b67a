//! Encoder and decoder of the tiny model.

use candle_core::Tensor;
use gtr_backends::BackendError;
use gtr_backends::mar::Sequence;

use crate::golden::{assert_near, tiny};

#[test]
fn the_last_block_at_the_targets_equals_the_full_last_block() {
    let generator = tiny();
    let all: Vec<u32> = (0..64).collect();
    let ask = |targets: &[u32]| {
        let sequence = [Sequence { class: Some(3), known: &[], targets }];
        let encoded = generator.model().encode(&sequence, None).unwrap();
        generator.model().decode(&sequence, &encoded).unwrap()
    };
    let everywhere = ask(&all);
    let some = [40, 2, 63];
    let index = Tensor::new(&some, everywhere.device()).unwrap();
    assert_near("targets", &ask(&some), &everywhere.index_select(&index, 1).unwrap(), 1e-5);
}

#[test]
fn inconsistent_sequences_are_refused() {
    let generator = tiny();
    let refuse = |sequences: &[Sequence<'_>]| generator.model().encode(sequences, None).unwrap_err();
    let sequence = |class, known, targets| Sequence { class: Some(class), known, targets };
    assert!(matches!(refuse(&[]), BackendError::Request(_)));
    assert!(matches!(refuse(&[sequence(1, &[], &[64])]), BackendError::OffGrid { token: 64, .. }));
    assert!(matches!(refuse(&[sequence(1, &[], &[1]), sequence(1, &[], &[1, 2])]), BackendError::Request(_)));
    assert_eq!(
        refuse(&[sequence(12, &[], &[1])]).to_string(),
        "class 12 is out of range: the model has classes 0 to 9"
    );
}
