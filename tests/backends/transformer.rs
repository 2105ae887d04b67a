//! Encoder and decoder of the tiny model.

use candle_core::Tensor;
use gtr_backends::BackendError;
use gtr_backends::mar::{MarModel, Sequence};

use crate::golden::{Golden, assert_near, positions, tiny};

/// The tokens at `positions` of each image: `[images, known, channels]`.
fn known_values(tokens: &Tensor, known: &[Vec<u32>]) -> Option<Tensor> {
    if known[0].is_empty() {
        return None;
    }
    let images = known.iter().enumerate().map(|(image, known)| {
        let index = Tensor::new(known.as_slice(), tokens.device()).unwrap();
        tokens.get(image).unwrap().index_select(&index, 0).unwrap()
    });
    Some(Tensor::stack(&images.collect::<Vec<_>>(), 0).unwrap())
}

/// Encoder output and conditioning vectors of all tokens.
fn compute(model: &MarModel, golden: &Golden, mask: &str, labels: Option<&str>) -> (Tensor, Tensor) {
    let masks: Vec<Vec<f32>> = golden.tensor(mask).to_vec2().unwrap();
    let known: Vec<Vec<u32>> = masks.iter().map(|mask| positions(mask).1).collect();
    let all: Vec<u32> = (0..u32::try_from(masks[0].len()).unwrap()).collect();
    let labels = labels.map(|labels| golden.u32s(labels));
    let sequences: Vec<_> = known
        .iter()
        .enumerate()
        .map(|(n, known)| Sequence { class: labels.as_ref().map(|labels| labels[n]), known, targets: &all })
        .collect();
    let encoded = model.encode(&sequences, known_values(golden.tensor("tokens"), &known).as_ref()).unwrap();
    let decoded = model.decode(&sequences, &encoded).unwrap();
    (encoded, decoded)
}

#[test]
fn encoder_and_decoder_match_the_reference() {
    let (golden, generator) = (Golden::open("mar_tiny/encdec"), tiny());
    let names = golden.names();
    let recorded: Vec<_> = names.iter().filter_map(|name| name.strip_suffix(".enc")).collect();
    assert_eq!(recorded.len(), 4);
    for case in recorded {
        let (state, half) = case.split_once('.').unwrap();
        let labels = (half == "cond").then_some("labels");
        let (encoded, decoded) = compute(generator.model(), &golden, &format!("{state}.mask"), labels);
        for (quantity, found) in [("enc", encoded), ("dec", decoded)] {
            let name = format!("{case}.{quantity}");
            let noise = golden.json["f32_rounding_noise_max_abs_vs_f64"][name.as_str()].as_f64().unwrap();
            assert_near(&name, &found, golden.tensor(&name), 1e-5_f64.max(10.0 * noise));
        }
    }
}

#[test]
fn digits_conditioning_vectors_match_the_reference() {
    let golden = Golden::open("digits");
    let generator = gtr_backends::open("digits", None, &gtr_backends::Device::Cpu).unwrap();
    let mut compared = 0;
    for state in ["allmasked", "half", "onemasked"] {
        for (half, labels) in [("cond", Some("labels")), ("uncond", None)] {
            let (_, decoded) = compute(generator.model(), &golden, &format!("{state}.mask"), labels);
            assert_near(state, &decoded, golden.tensor(&format!("{state}.{half}.z")), 1e-5);
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

#[test]
fn the_last_block_at_the_targets_is_the_last_block_everywhere() {
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
fn sequences_that_do_not_fit_are_refused() {
    let generator = tiny();
    let refuse = |sequences: &[Sequence<'_>]| generator.model().encode(sequences, None).unwrap_err();
    let sequence = |class, known, targets| Sequence { class: Some(class), known, targets };
    assert!(matches!(refuse(&[]), BackendError::Request(_)));
    assert!(matches!(refuse(&[sequence(1, &[], &[64])]), BackendError::Request(_)));
    assert!(matches!(refuse(&[sequence(1, &[], &[1]), sequence(1, &[], &[1, 2])]), BackendError::Request(_)));
    assert_eq!(refuse(&[sequence(12, &[], &[1])]).to_string(), "class 12 is outside the model: it has classes 0 to 9");
}
