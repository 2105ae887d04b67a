//! The judge of digits and its statistics.

use candle_core::DType;
use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::judge::{
    Bootstrap, FEATURES, Frechet, Interval, Measured, Moments, Reference, Scores, inception_score,
};
use gtr_backends::{Classification, Judge, Picture};
use gtr_core::{ImageIndex, Seed, Stream, StreamPurpose};

use crate::golden::Golden;

fn pictures(golden: &Golden) -> Vec<Picture> {
    let images: Vec<Vec<f32>> =
        golden.tensor("images_u8").to_dtype(DType::F32).unwrap().flatten_from(1).unwrap().to_vec2().unwrap();
    let scaled = |image: Vec<f32>| image.into_iter().map(|value| value / 255.0).collect();
    images.into_iter().map(|image| Picture::new(32, 32, 1, scaled(image)).unwrap()).collect()
}

fn features(verdicts: &[Classification]) -> Vec<f64> {
    verdicts.iter().flat_map(|it| it.features.map(f64::from)).collect()
}

#[test]
fn real_digits_are_classified() {
    let golden = Golden::open("judge");
    let read = Judge::new().unwrap().classify(&pictures(&golden)).unwrap();
    let right = read.iter().zip(golden.u32s("labels")).filter(|(read, label)| *read == label).count();
    assert!(right >= 62, "{right} of 64");
}

#[test]
fn other_pictures_are_refused() {
    let picture = Picture::new(2, 1, 1, vec![0.0; 2]).unwrap();
    let error = Judge::new().unwrap().judge(&[picture]).unwrap_err().to_string();
    assert_eq!(error, "the judge needs grey images of 32x32 pixels, found 2x1 with 1 channel");
}

#[test]
fn other_pictures_do_not_affect_a_score() {
    let (judge, pictures) = (Judge::new().unwrap(), pictures(&Golden::open("judge")));
    let together = judge.judge(&pictures).unwrap();
    for size in [1, 3, 16, 17] {
        let apart: Vec<Classification> = pictures.chunks(size).flat_map(|part| judge.judge(part).unwrap()).collect();
        assert_eq!(apart, together, "{size} at a time");
    }
    assert_ne!(together[0], together[1]);
}

#[test]
fn scores_equal_the_recorded_ones() {
    let golden = Golden::open("judge");
    let number = |name: &str| golden.number(&format!("/{name}"));
    let floats = |name: &str| golden.tensor(name).flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let close = |found: f64, expected: f64, tolerance: f64| {
        assert!((found / expected - 1.0).abs() < tolerance, "{found} {expected}");
    };
    let (a, b) = (floats("set_a"), floats("set_b"));
    let [a, b] = [a, b].map(|set| Moments::of(&set, 8).unwrap());
    close(Frechet::from(&a).to(&b).unwrap(), number("frechet_a_b"), 1e-9);
    close(Frechet::from(&b).to(&a).unwrap(), number("frechet_a_b"), 1e-9);
    let judge = Judge::new().unwrap();
    let verdicts = judge.judge(&pictures(&golden)).unwrap();
    let reference = Frechet::from(judge.reference(Reference::All));
    let seen = Moments::of(&features(&verdicts), FEATURES).unwrap();
    close(reference.to(&seen).unwrap(), number("frechet_64_digits_vs_reference"), 1e-5);
    let logits: Vec<_> = verdicts.iter().map(|verdict| verdict.logits).collect();
    close(inception_score(&logits), number("inception_score_64_digits"), 1e-5);
    // A single batch gives the same result.
    let labels = golden.u32s("labels");
    let scores = Scores::of(&verdicts, Some(&labels), &reference, &Bootstrap { resamples: 20, seed: Seed(0) }).unwrap();
    close(scores.frechet.value(), number("frechet_64_digits_vs_reference"), 1e-5);
    close(scores.inception.value(), number("inception_score_64_digits"), 1e-5);
    assert!(scores.accuracy.unwrap().share >= 62.0 / 64.0);
}

/// Both halves together have the moments of the reference.
#[test]
fn halves_add_up_to_the_reference() {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/digit-classifier/halves.safetensors"));
    let mut file = Checkpoint::from_bytes("halves", bytes.unwrap()).unwrap();
    let judge = Judge::new().unwrap();
    let mut half = |name: &str, reference: Reference| {
        let count = file.read_f64(&format!("{name}.count")).unwrap()[0];
        (count, judge.reference(reference))
    };
    let halves = [half("first", Reference::First), half("second", Reference::Second)];
    let whole = judge.reference(Reference::All);
    let all: f64 = halves.iter().map(|(count, _)| count).sum();
    assert_eq!(all, 10_000.0);
    let mean = |place: usize| halves.iter().map(|(count, half)| half.mean()[place] * count).sum::<f64>() / all;
    for row in 0..FEATURES {
        assert!((mean(row) - whole.mean()[row]).abs() < 1e-6);
        for column in 0..FEATURES {
            let parts = halves.iter().map(|(count, half)| {
                let off = |place: usize| half.mean()[place] - mean(place);
                half.covariance()[row * FEATURES + column] * (count - 1.0) + off(row) * off(column) * count
            });
            let covariance = parts.sum::<f64>() / (all - 1.0);
            assert!((covariance - whole.covariance()[row * FEATURES + column]).abs() < 1e-5);
        }
    }
    // The halves differ, and their distance is that of two halves of real digits.
    let apart = Frechet::from(halves[0].1).to(halves[1].1).unwrap();
    assert!((0.1..2.0).contains(&apart), "{apart}");
}

const WIDTH: usize = 6;

/// Returns vectors of independent normal values; the first value has the given mean.
fn normal(seed: u64, count: usize, mean: f32) -> Vec<f64> {
    let mut stream = Stream::new(Seed(seed), StreamPurpose::TokenNoise, ImageIndex(0), 0);
    let mut numbers = vec![0.0; count * WIDTH];
    stream.fill_normal(&mut numbers);
    numbers.iter_mut().step_by(WIDTH).for_each(|number| *number += mean);
    numbers.into_iter().map(f64::from).collect()
}

/// Converts the vectors to verdicts, whose other features are constant.
fn verdicts(numbers: &[f64]) -> Vec<Classification> {
    let verdict = |numbers: &[f64]| {
        let mut features = [0.0; FEATURES];
        for (feature, number) in features.iter_mut().zip(numbers) {
            #[expect(clippy::cast_possible_truncation, reason = "the values came from f32")]
            let number = *number as f32;
            *feature = number;
        }
        Classification { features, logits: [0.0; 10] }
    };
    numbers.chunks_exact(WIDTH).map(verdict).collect()
}

fn unit() -> Frechet {
    let mut covariance = vec![0.0; FEATURES * FEATURES];
    (0..WIDTH).for_each(|place| covariance[place * (FEATURES + 1)] = 1.0);
    Frechet::from(&Moments::new(vec![0.0; FEATURES], covariance).unwrap())
}

fn measured(seed: u64, count: usize, mean: f32) -> Measured {
    in_classes(seed, count, mean, None)
}

fn in_classes(seed: u64, count: usize, mean: f32, classes: Option<&[u32]>) -> Measured {
    let bootstrap = Bootstrap { resamples: 100, seed: Seed(1) };
    Scores::of(&verdicts(&normal(seed, count, mean)), classes, &unit(), &bootstrap).unwrap().frechet
}

#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn mean_of(sets: &[Measured]) -> f64 {
    sets.iter().map(Measured::value).sum::<f64>() / sets.len() as f64
}

/// Counts how many confidence intervals of random sets contain the mean distance of such sets.
#[test]
fn intervals_have_their_nominal_coverage() {
    const SETS: u64 = 200;
    const COUNT: usize = 80;
    for mean in [0.0, 0.5] {
        let sets: Vec<Measured> = (0..SETS).map(|seed| measured(seed, COUNT, mean)).collect();
        let truth = mean_of(&sets);
        let held = sets.iter().filter(|it| it.interval().contains(truth)).count();
        assert!((174..=200).contains(&held), "mean {mean}: {held} of {SETS}");
        // The uncorrected percentile interval rarely contains it, so the check can fail.
        let naive = |it: &&Measured| {
            let moved = it.minus(&Measured::new(0.0, vec![0.0; 100])).interval();
            let shift = it.mean() - it.value();
            (moved.low + shift..=moved.high + shift).contains(&truth)
        };
        let naively = sets.iter().filter(naive).count();
        assert!(naively < 150, "mean {mean}: {naively} of {SETS} with the uncorrected interval");
    }
}

/// Resampling few images per class underestimates the variance; the intervals correct for it.
#[test]
fn intervals_for_two_images_per_class_are_not_too_narrow() {
    const SETS: u64 = 200;
    const COUNT: u32 = 80;
    let classes: Vec<u32> = (0..COUNT).map(|image| image / 2).collect();
    let sets: Vec<Measured> = (0..SETS).map(|seed| in_classes(seed, COUNT as usize, 0.5, Some(&classes))).collect();
    let truth = mean_of(&sets);
    let held = sets.iter().filter(|it| it.interval().contains(truth)).count();
    assert!((174..=200).contains(&held), "{held} of {SETS}");
    // Without the correction, two images per class have half the variance, so the check can fail.
    let narrow = |it: &&Measured| {
        let (Interval { low, high }, value) = (it.interval(), it.value());
        let end = |end: f64| value + (end - value) * 0.5_f64.sqrt();
        (end(low)..=end(high)).contains(&truth)
    };
    let narrowly = sets.iter().filter(narrow).count();
    assert!(narrowly < 174, "{narrowly} of {SETS} as drawn");
    // One image per class cannot be resampled, and there is no interval.
    let alone: Vec<u32> = (0..COUNT).collect();
    let [far, near] = [5.0, 0.0].map(|mean| in_classes(1, COUNT as usize, mean, Some(&alone)));
    assert!(far.minus(&near).interval().contains(0.0));
}

/// The difference of two sets with common noise is significant although the intervals of the sets overlap.
#[test]
fn differences_resample_the_same_images() {
    let (far, near) = (measured(7, 100, 0.55), measured(7, 100, 0.45));
    assert!(far.interval().low < near.interval().high);
    assert!(far.minus(&near).interval().low > 0.0);
    let same = far.minus(&measured(7, 100, 0.55)).interval();
    assert_eq!((same.low, same.high), (0.0, 0.0));
}
