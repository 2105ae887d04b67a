//! `sample --animate`.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use crate::support::{decode, files, plan_json, run_in, sample, write_grey};

const QUICK: &str = "--preset gtr-8 --diffusion constant --t 3 --detail none";

/// Decodes the frames of an animated PNG, all with the size of the first.
fn frames(path: &Path) -> (usize, Vec<Vec<u8>>) {
    let mut reader = png::Decoder::new(Cursor::new(fs::read(path).unwrap())).read_info().unwrap();
    let count = reader.info().animation_control().unwrap().num_frames;
    let width = reader.info().width as usize;
    let frame = |_| {
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut bytes).unwrap();
        bytes
    };
    (width, (0..count).map(frame).collect())
}

#[test]
fn frames_show_the_checkerboard_being_filled() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    sample(folder.path(), &format!("--class 3 {QUICK} --scale 2 --animate three.png --out end.png"));
    let (width, frames) = frames(&path("three.png"));
    // One frame before the first step and one after each step.
    assert_eq!((frames.len(), width), (9, 64));
    assert!(frames[0].iter().all(|&byte| byte == 128));
    let cell = |frame: &[u8], row: usize, column: usize| -> Vec<u8> {
        (0..8).flat_map(|line| frame[(row * 8 + line) * width + column * 8..][..8].to_vec()).collect()
    };
    let known = |frame: &[u8], row, column| cell(frame, row, column).iter().any(|&byte| byte != 128);
    // After the two generation stages exactly the even cells are known.
    let plan = plan_json(&format!("--grid 8x8 {QUICK}"));
    let generation = plan["steps"].as_array().unwrap().iter().filter(|step| step["stage"] != 2).count();
    for row in 0..8 {
        for column in 0..8 {
            assert_eq!(known(&frames[generation], row, column), (row + column) % 2 == 0, "{row} {column}");
            assert!((1..9).all(|step| !known(&frames[step - 1], row, column)
                || cell(&frames[step - 1], row, column) == cell(&frames[step], row, column)));
        }
    }
    assert_eq!(frames[8], decode(&path("end.png")).2);
}

#[test]
fn observers_do_not_change_the_images() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path(), &format!("--class 0..1 --count 2 {QUICK} --out plain.png"));
    sample(folder.path(), &format!("--class 0..1 --count 2 {QUICK} --animate a.gif --preview --out watched.png"));
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("plain.png"), read("watched.png"));
    let gif = read("a.gif");
    let mut decoder = gif::DecodeOptions::new().read_info(gif.as_slice()).unwrap();
    let (width, height, _) = decode(&folder.path().join("plain.png"));
    assert_eq!((usize::from(decoder.width()), usize::from(decoder.height())), (width, height));
    let mut count = 0;
    while decoder.read_next_frame().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 9);
}

#[test]
fn known_tokens_are_in_the_first_frame() {
    let folder = tempfile::tempdir().unwrap();
    write_grey(&folder.path().join("init.png"), 32, 32, |row, column| u8::try_from(row * 4 + column).unwrap());
    write_grey(&folder.path().join("mask.png"), 32, 32, |row, _| if row < 16 { 0 } else { 255 });
    sample(
        folder.path(),
        &format!("--class 3 {QUICK} --scale 1 --init init.png --mask mask.png --animate a.apng --out b.png"),
    );
    let (_, frames) = frames(&folder.path().join("a.apng"));
    assert_eq!(frames[0][..512], decode(&folder.path().join("init.png")).2[..512]);
    assert!(frames[0][512..].iter().all(|&byte| byte == 128));
}

#[test]
fn unsupported_animations_are_refused_and_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for (flags, says) in [
        ("--animate a.mp4", "error: --animate a.mp4: expected a file name ending in .gif or .png\n"),
        ("--animate none/a.gif", "error: cannot write none/a.gif: the folder none does not exist; create it first\n"),
        (
            "--animate a.gif --count 3 --batch 2",
            "error: --animate requires all images in one batch: use --batch 3, or fewer images\n",
        ),
    ] {
        let line = format!("sample --class 3 {QUICK} --out b.png {flags}");
        let run = run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", says));
    }
    assert!(files(folder.path()).is_empty());
}
