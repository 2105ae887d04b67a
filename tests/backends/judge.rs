//! The judge of digits.

use candle_core::DType;
use gtr_backends::{Judge, Picture};

use crate::golden::Golden;

fn pictures(golden: &Golden) -> Vec<Picture> {
    let images: Vec<Vec<f32>> =
        golden.tensor("images_u8").to_dtype(DType::F32).unwrap().flatten_from(1).unwrap().to_vec2().unwrap();
    let scaled = |image: Vec<f32>| image.into_iter().map(|value| value / 255.0).collect();
    images.into_iter().map(|image| Picture::new(32, 32, 1, scaled(image)).unwrap()).collect()
}

#[test]
fn real_digits_are_read() {
    let golden = Golden::open("judge");
    let read = Judge::new().unwrap().classify(&pictures(&golden)).unwrap();
    let right = read.iter().zip(golden.u32s("labels")).filter(|(read, label)| *read == label).count();
    assert!(right >= 62, "{right} of 64");
}

#[test]
fn other_pictures_are_refused() {
    let picture = Picture::new(2, 1, 1, vec![0.0; 2]).unwrap();
    let error = Judge::new().unwrap().judge(&[picture]).unwrap_err().to_string();
    assert_eq!(error, "the judge sees grey pictures of 32x32 pixels, not 2x1 with 1 channels");
}
