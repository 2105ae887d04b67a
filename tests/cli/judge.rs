//! The images show the classes of their prompts.

use gtr_backends::{Judge, Picture};

use crate::support::{decode, run_in};

#[test]
fn the_judge_recognizes_the_digit_in_93_of_100_pictures() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["sample", "--class", "0..9", "--count", "10", "--out", "."]).succeeded();
    let picture = |number: u32| {
        let (width, height, bytes) = decode(&folder.path().join(format!("{number:05}.png")));
        let pixels = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        Picture::new(width, height, 1, pixels).unwrap()
    };
    let pictures: Vec<Picture> = (0..100).map(picture).collect();
    let read = Judge::new().unwrap().classify(&pictures).unwrap();
    let right = (0..100).zip(&read).filter(|(number, class)| number / 10 == **class).count();
    assert!(right >= 93, "{right} of 100 are read as what was asked for: {read:?}");
}
