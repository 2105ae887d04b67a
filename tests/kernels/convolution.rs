//! Convolutions: agreement with the formula, and bits that do not depend on the number of threads.

use gtr_kernels::{Convolution, Image, convolution};
use proptest::prelude::*;

use crate::{bits, numbers, with_threads};

/// Packs weights `[outputs, channels, side, side]`.
fn packed(weights: &[f32], how: Convolution, channels: usize, outputs: usize) -> Vec<f32> {
    let shape = how.weights(channels, outputs);
    let mut packed = vec![0.0; shape.len()];
    for (index, &weight) in weights.iter().enumerate() {
        let (output, channel, tap) =
            (index / shape.inputs, index % shape.inputs / (how.side * how.side), index % (how.side * how.side));
        packed[shape.place(tap * channels + channel, output)] = weight;
    }
    packed
}

/// Computes one value of the result in f64, from an image that is explicitly enlarged and padded.
fn by_formula(image: Image<'_>, weights: &[f32], how: Convolution, [row, column, output]: [usize; 3]) -> f64 {
    let mut sum = 0.0;
    for (down, right) in (0..how.side).flat_map(|down| (0..how.side).map(move |right| (down, right))) {
        let at = |place: usize, step: usize| (place * how.stride + step).checked_sub(how.padding.0);
        let (Some(y), Some(x)) = (at(row, down), at(column, right)) else { continue };
        if y >= image.rows * how.enlarged || x >= image.columns * how.enlarged {
            continue;
        }
        let pixel = (y / how.enlarged * image.columns + x / how.enlarged) * image.channels;
        for channel in 0..image.channels {
            let place = ((output * image.channels + channel) * how.side + down) * how.side + right;
            sum += f64::from(image.pixels[pixel + channel]) * f64::from(weights[place]);
        }
    }
    sum
}

fn sides() -> impl Strategy<Value = Convolution> {
    (prop_oneof![Just(1_usize), Just(3)], 1..3_usize, (0..2_usize, 0..2_usize), 1..3_usize)
        .prop_map(|(side, stride, padding, enlarged)| Convolution { side, stride, padding, enlarged })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn convolution_agrees_with_the_formula(
        how in sides(), rows in 2..9_usize, columns in 2..20_usize, channels in 1..150_usize, outputs in 1..70_usize, seed: u32,
    ) {
        let pixels = numbers(seed, rows * columns * channels);
        let image = Image { rows, columns, channels, pixels: &pixels };
        let plain = numbers(!seed, outputs * channels * how.side * how.side);
        let bias = numbers(seed ^ 5, outputs);
        let found = convolution(image, &packed(&plain, how, channels, outputs), &bias, how, &|pixel, out| {
            out[0] += f32::from(u16::try_from(pixel).unwrap());
        });
        let (high, wide) = (how.length(rows), how.length(columns));
        prop_assert_eq!(found.len(), high * wide * outputs);
        for (place, &found) in found.iter().enumerate().step_by(7) {
            let (pixel, output) = (place / outputs, place % outputs);
            let mut expected = by_formula(image, &plain, how, [pixel / wide, pixel % wide, output]) + f64::from(bias[output]);
            if output == 0 {
                expected += f64::from(u32::try_from(pixel).unwrap());
            }
            prop_assert!((f64::from(found) - expected).abs() < 2e-4, "{found} {expected} at {place}");
        }
    }
}

#[test]
fn pixels_do_not_depend_on_threads() {
    let (how, channels, outputs) = (Convolution::same(3), 20, 70);
    let pixels = numbers(1, 40 * 31 * channels);
    let image = Image { rows: 40, columns: 31, channels, pixels: &pixels };
    let (weights, bias) = (numbers(2, how.weights(channels, outputs).len()), numbers(3, outputs));
    let run = || convolution(image, &weights, &bias, how, &|_, _| ());
    let one = with_threads(1, run);
    assert_eq!(bits(&with_threads(5, run)), bits(&one));
    // Rows at a distance of more than two do not matter either.
    let part = Image { rows: 8, pixels: &pixels[..8 * 31 * channels], ..image };
    let few = convolution(part, &weights, &bias, how, &|_, _| ());
    let same = 7 * 31 * outputs;
    assert_eq!(bits(&few[..same]), bits(&one[..same]));
    assert_ne!(bits(&few[same..]), bits(&one[same..few.len()]));
}

#[test]
fn an_image_smaller_than_the_kernel_gives_no_pixels() {
    let how = Convolution { side: 3, stride: 1, padding: (0, 0), enlarged: 1 };
    let image = Image { rows: 2, columns: 9, channels: 1, pixels: &[0.0; 18] };
    assert!(convolution(image, &vec![0.0; how.weights(1, 1).len()], &[1.0], how, &|_, _| ()).is_empty());
}
