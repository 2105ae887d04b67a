//! Evaluation: generated and external images, the store, experiments.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Run, files, run_in, start_in, write_grey};

/// Flags for two rows of twenty digits with little computation.
const TWO: &str =
    "eval --presets gtr-8,mar-8 --diffusion constant --t 2 --detail none --count 20 --resamples 20 --untimed";

fn gtr(folder: &Path, line: &str) -> Run {
    run_in(folder, &line.split_whitespace().collect::<Vec<_>>())
}

fn json(folder: &Path, line: &str) -> Value {
    serde_json::from_str(&gtr(folder, line).succeeded()).unwrap()
}

/// Writes a NumPy archive from the name, type, shape and elements of each array.
fn write_npz(path: &Path, arrays: &[(&str, &str, &str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, descr, shape, elements) in arrays {
        zip.start_file(format!("{name}.npy"), options).unwrap();
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
        zip.write_all(&u16::try_from(header.len()).unwrap().to_le_bytes()).unwrap();
        zip.write_all(header.as_bytes()).unwrap();
        zip.write_all(elements).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn batch_store_and_threads_do_not_change_scores() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let plain = gtr(folder, TWO).succeeded();
    assert!(plain.contains("\n gtr-8 ") && plain.contains("\n mar-8 "), "{plain}");
    for flags in ["--batch 1", "--batch 7 --store a", "--store a", "--seeds 0"] {
        assert_eq!(gtr(folder, &format!("{TWO} {flags}")).succeeded(), plain, "{flags}");
    }
    // Two kinds of images, each with its key, its records and its lock.
    assert_eq!(files(&folder.join("a")).len(), 6);
    // A larger table reuses the images of the smaller one.
    gtr(folder, &format!("{} --store a", TWO.replace("--count 20", "--count 40"))).succeeded();
    assert_eq!(files(&folder.join("a")).len(), 6);
    assert_ne!(gtr(folder, &format!("{TWO} --seeds 1")).succeeded(), plain);
    assert_ne!(gtr(folder, &format!("{TWO} --reference second")).succeeded(), plain);
}

#[test]
fn json_and_csv_agree() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let report = json(folder, &format!("{TWO} --store a --format json"));
    let rows = report["rows"].as_array().unwrap();
    gtr(folder, &format!("{TWO} --store a --plot p.svg")).succeeded();
    let figure = fs::read_to_string(folder.join("p.svg")).unwrap();
    for part in ["<svg", ">gtr-8 (changed)<", ">mar-8 (changed)<", "Pareto front"] {
        assert!(figure.contains(part), "{part}");
    }
    gtr(folder, &format!("{TWO} --store a --plot p.png")).succeeded();
    assert!(crate::support::decode(&folder.join("p.png")).0 > 700);
    assert!(gtr(folder, &format!("{TWO} --plot p.pdf")).failed(2).contains("ending in .svg or .png"));
    assert_eq!(rows.len(), 2);
    let settings = &report["settings"];
    assert_eq!(
        (&settings["model"], &settings["dtype"], &settings["device"]),
        (&"digits".into(), &"f32".into(), &"cpu".into())
    );
    assert!(settings["model_sha256"].as_str().unwrap().len() == 64);
    for row in rows {
        for score in ["frechet", "inception_score", "class_accuracy"] {
            let [value, low, high] = ["value", "low", "high"].map(|part| row[score][part].as_f64().unwrap());
            assert!(low <= value && value <= high, "{score}: {row}");
        }
        assert_eq!((row["images"].as_u64(), row["ar_steps"].as_u64()), (Some(20), Some(8)));
        assert!(row.get("seconds").is_none());
    }
    assert!(rows[0]["frechet_against_first"].is_null());
    let difference = rows[1]["frechet"]["value"].as_f64().unwrap() - rows[0]["frechet"]["value"].as_f64().unwrap();
    assert!((rows[1]["frechet_against_first"]["value"].as_f64().unwrap() - difference).abs() < 1e-9);
    let csv = gtr(folder, &format!("{TWO} --store a --format csv --out rows.csv"));
    assert_eq!(csv.succeeded(), "");
    let csv = fs::read_to_string(folder.join("rows.csv")).unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert!(lines.iter().all(|line| line.len() == lines[0].len()) && lines.len() == 3);
    assert_eq!(lines[1][2].parse::<f64>().unwrap(), rows[0]["frechet"]["value"].as_f64().unwrap());
}

/// The type reaches the model: other scores, and other stored images.
#[test]
fn another_type_is_evaluated_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let [single, half] = ["f32", "bf16"].map(|dtype| {
        let report = json(folder.path(), &format!("{TWO} --dtype {dtype} --store {dtype} --format json"));
        assert_eq!(report["settings"]["dtype"], dtype);
        report["rows"][0]["frechet"]["value"].as_f64().unwrap()
    });
    assert!(single != half && (single - half).abs() < 0.2 * single, "{single} {half}");
}

/// Images from `sample` get the same scores as the images that `eval` generates.
#[test]
fn external_pictures_get_the_same_scores() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let how = "--preset gtr-8 --diffusion constant --t 2 --detail none --classes balanced --count 20";
    gtr(folder, &format!("sample {how} --out digits")).succeeded();
    gtr(folder, &format!("sample {how} --out digits.npz")).succeeded();
    let made = json(folder, &format!("{TWO} --format json"))["rows"][0].clone();
    for images in ["digits", "digits.npz"] {
        let seen = json(folder, &format!("eval --images {images} --resamples 20 --format json"))["rows"][0].clone();
        for score in ["frechet", "inception_score", "class_accuracy", "images"] {
            assert_eq!(seen[score], made[score], "{images}: {score}");
        }
    }
    // Hidden files of operating systems are ignored.
    for name in ["._00000.png", ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.PNG"] {
        fs::write(folder.join("digits").join(name), "no picture").unwrap();
    }
    let run = gtr(folder, "eval --images digits --resamples 20");
    assert_eq!(run.stderr, "");
    run.succeeded();
    // Files that are not in the list are not evaluated, and a note says so.
    let all = fs::read_to_string(folder.join("digits/labels.jsonl")).unwrap();
    fs::write(folder.join("digits/labels.jsonl"), all.lines().skip(2).collect::<Vec<_>>().join("\n")).unwrap();
    let run = gtr(folder, "eval --images digits --resamples 20");
    assert!(run.stderr.contains("does not list 2 PNG files of digits"), "{}", run.stderr);
    assert!(run.succeeded().contains(" 18 "));
    // Without labels the class accuracy is unknown.
    fs::remove_file(folder.join("digits/labels.jsonl")).unwrap();
    let report = json(folder, "eval --images digits --resamples 20 --format json");
    let seen = report["rows"][0].clone();
    assert!(seen["class_accuracy"].is_null());
    // The report names no model.
    assert!(report["settings"].get("model").is_none() && report["settings"].get("seeds").is_none());
    assert_eq!(seen["frechet"]["value"], made["frechet"]["value"]);
    // Rows with different numbers of images are shown with a note that they are not comparable.
    fs::remove_file(folder.join("digits/00019.png")).unwrap();
    let run = gtr(folder, "eval --images digits --images digits.npz --resamples 20");
    assert!(run.stderr.contains("note: rows with different numbers of images"), "{}", run.stderr);
    run.succeeded();
}

#[test]
fn other_files_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let eval = |images: &str| gtr(folder, &format!("eval --images {images} --resamples 20")).failed(1);
    let black = [0; 2 * 1024];
    let pictures = ("arr_0", "|u1", "(2, 32, 32, 1)", &black[..]);
    #[expect(clippy::type_complexity, reason = "a table")]
    let archives: [(&[(&str, &str, &str, &[u8])], &str); 10] = [
        (&[], "arr_0"),
        (&[("arr_0", "|u1", "(2, 28, 28, 1)", &black)], "of shape [2, 28, 28, 1]"),
        (&[("arr_0", "<f4", "(2, 32, 32, 1)", &black)], "found `<f4`"),
        (&[("arr_0", "|u1", "(3, 32, 32, 1)", &black)], "arr_0 cannot be read"),
        (&[("arr_0", "|u1", "(1, 32, 32, 1)", &black)], "more elements than its header states"),
        (&[("arr_0", "|u1", "(18446744073709551615, 32, 32, 1)", &black)], "at most"),
        (&[("arr_0", "|u1", "(-2, 32, 32, 1)", &black)], "its header"),
        (&[pictures, ("arr_1", "<i8", "(3,)", &[0; 24])], "expected classes of shape [2], found [3]"),
        (&[pictures, ("arr_1", "<i8", "(2,)", &[200; 16])], "is not in 0 to 9"),
        (&[pictures, ("arr_1", "<f8", "(2,)", &[0; 16])], "found `<f8`"),
    ];
    for (arrays, expected) in archives {
        write_npz(&folder.join("a.npz"), arrays);
        let error = eval("a.npz");
        assert!(error.contains(expected), "{expected}: {error}");
    }
    fs::write(folder.join("b.npz"), b"PK\x03\x04 and nothing more").unwrap();
    assert!(eval("b.npz").contains("cannot be read as a NumPy archive"));
    assert!(eval("none").contains("none: cannot be read"));
    fs::create_dir(folder.join("c")).unwrap();
    assert!(eval("c").contains("c has no PNG files"));
    write_grey(&folder.join("c/0.png"), 64, 64, |_, _| 0);
    assert!(eval("c").contains("has 64x64 pixels, expected 32x32"));
    fs::write(folder.join("c/0.png"), b"\x89PNG and nothing more").unwrap();
    assert!(eval("c").contains("as PNG"));
    write_grey(&folder.join("c/0.png"), 32, 32, |_, _| 0);
    assert!(eval("c").contains("c: found 1 image, a distance needs at least two"));
    for (labels, expected) in [
        (r#"{"file":"../a.npz","class":1}"#, "line 1: ../a.npz is not a file name relative to this folder"),
        (r#"{"file":"/etc/hostname","class":1}"#, "is not a file name relative to this folder"),
        (r#"{"file":"0.png","class":10}"#, "the class is not in 0 to 9"),
        (r#"{"file":"1.png","class":1}"#, "c/1.png: cannot be read"),
        ("{\"file\":\"0.png\"}\n{\"file\":\"0.png\"}", "line 2: 0.png is listed twice"),
        (&format!("{{\"file\":\"{}\"}}", "0".repeat(1 << 16)), "line 1: longer than 65536 bytes"),
        ("{", "line 1"),
        ("", "c has no PNG files"),
    ] {
        fs::write(folder.join("c/labels.jsonl"), labels).unwrap();
        let error = eval("c");
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn unsupported_subjects_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (line, expected) in [
        ("eval --count 25", "--count 25: expected a multiple of 10 "),
        ("eval --count 20 --seeds 1,1", "--seeds contains 1 twice"),
        ("eval --presets gtr-9 --count 20 --store new", "unknown preset `gtr-9`"),
        ("eval --model lightgen-base --count 20", "is text-conditional"),
        ("eval --count 20 --cfg -1 --store new", "--cfg"),
        ("eval --count 20 --temperature NaN --store new", "expected a number, 0 to 100"),
        ("eval --images x --cfg 2", "--cfg: no effect on the images of --images"),
        ("eval --images x --beta 0.2", "axis flags: no effect on the images"),
        ("eval --images x --store new", "--store: no effect on the images"),
        ("eval --images x --plot x.svg", "--plot: no effect on the images"),
        ("experiment table-2", "unknown experiment `table-2`"),
        ("experiment table-4 --count 5", "expected a multiple of 10"),
    ] {
        let error = gtr(folder, line).failed(2);
        assert!(error.contains(expected), "{line}: {error}");
    }
    assert!(gtr(folder, "eval --count 20 --out none/x.csv").failed(1).contains("does not exist"));
    assert!(gtr(folder, "experiment table-4 --count 20 --out none/none").failed(1).contains("does not exist"));
    fs::write(folder.join("plan.json"), "{}").unwrap();
    assert!(gtr(folder, "eval --plan plan.json --count 20").failed(1).contains("invalid plan"));
    assert_eq!(files(folder), ["plan.json"]);
}

#[test]
fn a_plan_gets_the_scores_of_its_preset() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let flags = "--diffusion constant --t 2 --detail none --max-timestep 949";
    gtr(folder, &format!("plan --grid 8x8 --preset gtr-8 {flags} --format json --out p.json")).succeeded();
    let common = "--count 20 --resamples 20 --untimed --format json --store a";
    let preset = json(folder, &format!("eval --presets gtr-8 {flags} {common}"))["rows"][0].clone();
    let plan = json(folder, &format!("eval --plan p.json {common}"))["rows"][0].clone();
    assert_eq!((plan["name"].as_str(), &plan["frechet"]), (Some("p.json"), &preset["frechet"]));
    assert_eq!(files(&folder.join("a")).len(), 3);
    let rows = json(folder, &format!("eval --plan p.json {common} --cfg 1,3"))["rows"].clone();
    assert_eq!([&rows[0]["name"], &rows[1]["name"]], ["p.json, cfg 1", "p.json, cfg 3"]);
    assert!(rows[0]["operations"].as_f64() < rows[1]["operations"].as_f64());
}

/// A run that is killed several times and then completed gives the same table.
#[test]
fn a_killed_evaluation_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = TWO.replace("--t 2", "--t 20") + " --batch 2";
    let whole = gtr(folder, &line).succeeded();
    let kept = format!("{line} --store seen");
    let verdicts = || {
        let names = files(&folder.join("seen")).into_iter().filter(|name| name.ends_with(".verdicts"));
        names.map(|name| fs::metadata(folder.join("seen").join(name)).unwrap().len()).sum::<u64>()
    };
    let mut before = 0;
    for _ in 0..2 {
        let mut child = start_in(folder, &kept.split_whitespace().collect::<Vec<_>>());
        let started = Instant::now();
        // Wait until it has generated an image.
        while !folder.join("seen").is_dir() || verdicts() <= before {
            assert!(started.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(verdicts() > before);
        before = verdicts();
    }
    assert!(before < 40 * 316);
    // Truncate the last batch in the middle of a record.
    let torn = files(&folder.join("seen")).into_iter().find(|name| name.ends_with(".verdicts")).unwrap();
    let torn = folder.join("seen").join(torn);
    let bytes = fs::read(&torn).unwrap();
    if bytes.len() > 100 {
        fs::write(&torn, &bytes[..bytes.len() - 100]).unwrap();
    }
    assert_eq!(gtr(folder, &kept).succeeded(), whole);
    assert_eq!(verdicts(), 40 * 316);
    // All images are in the store.
    assert_eq!(gtr(folder, &kept).succeeded(), whole);
    assert_eq!(verdicts(), 40 * 316);
}

/// Two processes with the same rows generate each image only once.
#[test]
fn processes_share_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = gtr(folder, TWO).succeeded();
    let kept = format!("{TWO} --batch 2 --store seen");
    let mut other = start_in(folder, &kept.split_whitespace().collect::<Vec<_>>());
    assert_eq!(gtr(folder, &kept).succeeded(), whole);
    assert!(other.wait().unwrap().success());
    let names = files(&folder.join("seen")).into_iter().filter(|name| name.ends_with(".verdicts"));
    let bytes: u64 = names.map(|name| fs::metadata(folder.join("seen").join(name)).unwrap().len()).sum();
    assert_eq!(bytes, 40 * 316);
}

#[test]
fn an_experiment_writes_a_page_and_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let names = gtr(folder, "experiment").succeeded();
    for name in ["table-1", "table-3", "table-4", "table-5", "cuts", "steps", "loss", "cascade"] {
        assert!(names.contains(name), "{names}");
    }
    fs::create_dir(folder.join("results")).unwrap();
    let line = "experiment table-4 --count 10 --resamples 20 --store seen --out results";
    let run = gtr(folder, line);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    assert_eq!(files(&folder.join("results")), ["table-4.csv", "table-4.json", "table-4.md", "table-4.svg"]);
    let page = fs::read_to_string(folder.join("results/table-4.md")).unwrap();
    for part in
        ["# Which tokens", "gtr-cli experiment table-4 --model digits --count 10", "10 images per row", "Of 4 claims, "]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    let data: Value = serde_json::from_slice(&fs::read(folder.join("results/table-4.json")).unwrap()).unwrap();
    assert_eq!(data["rows"].as_array().unwrap().len(), 5);
    // An output that cannot be written is an error before any image is generated.
    fs::create_dir_all(folder.join("other/table-4.json")).unwrap();
    let error = gtr(folder, "experiment table-4 --count 10 --store new --out other").failed(1);
    assert!(error.contains("other/table-4.json: expected a file, found a folder"), "{error}");
    assert!(!folder.join("new").exists());
    assert_eq!(files(&folder.join("other")), ["table-4.json"]);
    // Without a folder the page is printed, from the images in the store.
    let before = files(&folder.join("seen"));
    assert_eq!(gtr(folder, "experiment table-4 --count 10 --resamples 20 --store seen").succeeded(), page);
    assert_eq!(files(&folder.join("seen")), before);
}
