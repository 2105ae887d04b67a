//! `field`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Run, run_in, write_grey};

fn gtr(folder: &Path, line: &str) -> Run {
    run_in(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// Writes pictures of two classes, one folder per class.
fn pictures(folder: &Path, each: u32) {
    for class in 0..2 {
        let place = folder.join(format!("pictures/{class}"));
        fs::create_dir_all(&place).unwrap();
        for picture in 0..each {
            write_grey(&place.join(format!("{picture:03}.png")), 32, 32, |row, column| {
                let number = picture * 7919 + class * 613 + row * 37 + column * 101 + picture * row * column;
                u8::try_from(number % 251).unwrap()
            });
        }
    }
}

#[test]
fn a_measured_field_can_be_used_for_planning() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), 8);
    for form in ["averaged", "full"] {
        let told = gtr(folder.path(), &format!("field pictures --form {form} --out f.safetensors")).succeeded();
        let starts = format!(
            "f.safetensors: {form} covariance of 8x8 tokens of 16 channels, from 16 images, 2 means subtracted"
        );
        assert!(told.starts_with(&starts), "{told}");
        assert_eq!(told.contains("(OAS)"), form == "full", "{told}");
        let plan = gtr(folder.path(), "plan --preset gtr-8 --model digits --field f.safetensors --format summary");
        let plan: Value = serde_json::from_str(&plan.succeeded()).unwrap();
        assert_eq!(plan["loss"]["field"], "f.safetensors");
        assert!(plan["loss"]["nats"].as_f64().unwrap() > 0.0);
        // The same command writes the same bytes, which contain no folder name.
        let bytes = fs::read(folder.path().join("f.safetensors")).unwrap();
        gtr(folder.path(), &format!("field ./pictures --form {form} --out g.safetensors")).succeeded();
        assert_eq!(bytes, fs::read(folder.path().join("g.safetensors")).unwrap());
    }
}

#[test]
fn classes_have_separate_means() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), 4);
    // Without classes all pictures have one mean.
    fs::create_dir(folder.path().join("flat")).unwrap();
    for class in 0..2 {
        for picture in 0..4 {
            let from = folder.path().join(format!("pictures/{class}/{picture:03}.png"));
            fs::copy(from, folder.path().join(format!("flat/{class}{picture}.png"))).unwrap();
        }
    }
    let told = gtr(folder.path(), "field flat --out f.safetensors").succeeded();
    assert!(told.contains("8 images, 1 mean subtracted"), "{told}");
    let told = gtr(folder.path(), "field pictures --components 3 --out f.safetensors").succeeded();
    assert!(told.contains("8x8 tokens of 3 channels") && told.contains("components: 3 of 16, with"), "{told}");
}

#[test]
fn half_precision_fields_are_half_as_large_and_predict_alike() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), 6);
    let lost = |flags: &str| {
        gtr(folder.path(), &format!("field pictures --form full --nugget 0.1 {flags} --out f.safetensors")).succeeded();
        let size = fs::metadata(folder.path().join("f.safetensors")).unwrap().len();
        let told =
            gtr(folder.path(), "plan --preset gtr-8 --model digits --field f.safetensors --format summary").succeeded();
        let told: Value = serde_json::from_str(&told).unwrap();
        (told["loss"]["nats"].as_f64().unwrap(), size)
    };
    let ((whole, large), (half, small)) = (lost(""), lost("--half"));
    assert!((whole / half - 1.0).abs() < 0.01 && whole != half, "{whole} {half}");
    assert!((2 * 1024 * 1024..2 * 1024 * 1024 + 4096).contains(&small) && large > 2 * small - 4096);
}

#[test]
fn errors_are_one_line_and_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), 1);
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("no.npz"), "no archive").unwrap();
    write_grey(&folder.path().join("pictures/0/odd.png"), 30, 32, |_, _| 0);
    for (line, code, says) in [
        ("field empty --out f.safetensors", 1, "has no PNG files"),
        ("field nowhere --out f.safetensors", 1, "nowhere: cannot be read"),
        ("field no.npz --out f.safetensors", 1, "cannot be read as a NumPy archive"),
        ("field pictures --out f.safetensors", 1, "has 30x32 pixels"),
        ("field pictures --model none --out f.safetensors", 2, "there is no model `none`"),
        ("field pictures --model mar-h --out f.safetensors", 2, "--vae: mar-h generates latents"),
        ("field pictures --out no/f.safetensors", 1, "does not exist"),
    ] {
        let run = gtr(folder.path(), line);
        let message = run.failed(code);
        assert!(message.contains(says), "{line}: {message}");
    }
    fs::remove_file(folder.path().join("pictures/0/odd.png")).unwrap();
    let message = gtr(folder.path(), "field pictures --out f.safetensors").failed(1);
    assert!(message.contains("found 2 images of 2 classes"), "{message}");
    let message = gtr(folder.path(), "field pictures --components 17 --out f.safetensors").failed(2);
    assert!(message.contains("--components: "), "{message}");
    fs::remove_dir_all(folder.path().join("pictures")).unwrap();
    pictures(folder.path(), 2);
    let message = gtr(folder.path(), "field pictures --nugget 1.5 --out f.safetensors").failed(2);
    assert!(message.contains("--nugget: the nugget must be 0 to 1, not 1.5"), "{message}");
    assert!(!folder.path().join("f.safetensors").exists());
}

#[test]
fn damaged_fields_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path(), 4);
    gtr(folder.path(), "field pictures --out f.safetensors").succeeded();
    let good = fs::read(folder.path().join("f.safetensors")).unwrap();
    let changed = |from: &str, to: &str| {
        let at = good.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        let mut bytes = good.clone();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    for (bytes, says) in [
        (good[..good.len() - 4].to_vec(), "bytes of tensors"),
        (changed("gtr-field", "gtr-fjeld"), "expected format `gtr-field`"),
        (changed(r#""height":"8""#, r#""height":"9""#), "expected [17, 15, 16, 16]"),
    ] {
        fs::write(folder.path().join("bad.safetensors"), bytes).unwrap();
        let message = gtr(folder.path(), "plan --model digits --field bad.safetensors").failed(1);
        assert!(message.contains(says), "{message}");
    }
}
