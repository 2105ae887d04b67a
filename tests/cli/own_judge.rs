//! Models with their own judge, and models in a clone of the repository.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Run, run_in, write_tiny_model};

const EVAL: &str = "--random-weights --presets gtr-8 --count 20 --resamples 20 --untimed --format json";

fn eval(folder: &Path, model: &str, more: &str) -> Run {
    run_in(folder, &format!("eval --model {model} {EVAL} {more}").split_whitespace().collect::<Vec<_>>())
}

fn json(run: Run) -> Value {
    serde_json::from_str(&run.succeeded()).unwrap()
}

/// Creates a folder `tiny` with a model and a judge, a copy of the judge of digits.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_tiny_model(&folder.path().join("tiny"));
    copy_judge(&folder.path().join("tiny/judge"));
    folder
}

fn copy_judge(to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/digit-classifier");
    fs::create_dir_all(to).unwrap();
    fs::copy(from.join("digit-classifier.safetensors"), to.join("classifier.safetensors")).unwrap();
    fs::copy(from.join("halves.safetensors"), to.join("halves.safetensors")).unwrap();
}

#[test]
fn the_judge_belongs_to_the_model() {
    let folder = folder();
    let (folder, judge) = (folder.path(), folder.path().join("tiny/judge"));
    let own = eval(folder, "tiny", "");
    assert!(!own.stderr.contains("judge of its own"), "{}", own.stderr);
    let own = json(own);
    fs::rename(&judge, folder.join("away")).unwrap();
    let without = eval(folder, "tiny", "");
    assert!(without.stderr.contains("note: `tiny` has no judge of its own"), "{}", without.stderr);
    // The judge is the same, whatever its folder.
    assert_eq!(own, json(without));

    // Another classifier gives other scores: the last values are weights of the last class.
    fs::rename(folder.join("away"), &judge).unwrap();
    let path = judge.join("classifier.safetensors");
    let bytes = fs::read(&path).unwrap();
    let changed: Vec<u8> = [&bytes[..bytes.len() - 256], &1000_f32.to_le_bytes().repeat(64)].concat();
    fs::write(&path, changed).unwrap();
    let other = json(eval(folder, "tiny", ""));
    assert_ne!(own["settings"]["judge_sha256"], other["settings"]["judge_sha256"]);
    assert_eq!(own["settings"]["model_sha256"], other["settings"]["model_sha256"]);
    assert_ne!(own["rows"], other["rows"]);
}

#[test]
fn the_halves_belong_to_the_judge() {
    let folder = folder();
    let half = |which: &str| json(eval(folder.path(), "tiny", &format!("--reference {which}")))["rows"].clone();
    let (all, first) = (half("all"), half("first"));
    assert_ne!(all, first);
    fs::remove_file(folder.path().join("tiny/judge/halves.safetensors")).unwrap();
    let error = eval(folder.path(), "tiny", "").failed(1);
    assert!(error.contains("halves.safetensors"), "{error}");
}

#[test]
fn a_damaged_judge_is_refused_in_one_line() {
    let folder = folder();
    let judge = folder.path().join("tiny/judge");
    let whole = fs::read(judge.join("classifier.safetensors")).unwrap();
    let replaced = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).position(|window| window == from).unwrap();
        [&whole[..at], to, &whole[at + from.len()..]].concat()
    };
    for (bytes, expected) in [
        (Vec::new(), "classifier.safetensors"),
        (whole[..whole.len() / 2].to_vec(), "classifier.safetensors"),
        (replaced(b"reference.mean", b"reference.mole"), "`reference.mean`"),
        (replaced(b"fc2.bias", b"fc3.bias"), "`fc2.bias`"),
    ] {
        fs::write(judge.join("classifier.safetensors"), bytes).unwrap();
        let error = eval(folder.path(), "tiny", "").failed(1);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_model_of_the_repository_is_found_in_a_clone() {
    let clone = tempfile::tempdir().unwrap();
    let (fashion, below) = (clone.path().join("models/mar-fashion"), clone.path().join("some/where"));
    fs::create_dir_all(&below).unwrap();
    write_tiny_model(&fashion);
    let config = fs::read_to_string(fashion.join("config.json")).unwrap();
    let names = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot";
    let names = serde_json::to_string(&names.split(',').collect::<Vec<_>>()).unwrap();
    fs::write(fashion.join("config.json"), config.replacen('{', &format!("{{ \"class_names\": {names},"), 1)).unwrap();

    let error = eval(&below, "fashion", "").failed(1);
    assert!(error.contains("models/mar-fashion/judge/classifier.safetensors"), "{error}");
    copy_judge(&fashion.join("judge"));
    let found = json(eval(&below, "fashion", ""));
    assert_eq!(found["settings"]["model"], "fashion");
    let line = "sample --model fashion --random-weights --preset gtr-8 --out";
    let sample = |class: &str, out: &str| {
        let line = format!("{line} {out} --class");
        run_in(&below, &line.split_whitespace().chain([class]).collect::<Vec<_>>())
    };
    sample("ankle_boot", "name.png").succeeded();
    sample("9", "number.png").succeeded();
    let pixels = |name: &str| crate::support::decode(&below.join(name));
    assert_eq!(pixels("name.png"), pixels("number.png"));
    assert!(sample("boot", "none.png").failed(2).contains("similar names: `Ankle boot`"));
}
