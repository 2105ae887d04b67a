//! `sample`.

use std::fs;

use serde_json::Value;

use crate::support::{decode, files, plan_json, run_in, sample};

/// Flags for a schedule with little computation.
const QUICK: &str = "--preset gtr-8 --diffusion constant --t 3 --detail none";

#[test]
fn the_same_command_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.png", "b.png"] {
        let summary = sample(folder.path(), &format!("--class 7 --out {name}"));
        let words: Vec<&str> = summary.split(", ").collect();
        assert_eq!(words[0], format!("{name}: 1 image"));
        assert_eq!(words[1], "8 AR steps");
        assert!(
            words[2].ends_with("network evaluations")
                && words[3].ends_with(" s")
                && words[4].starts_with("peak memory "),
            "{summary}"
        );
    }
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("a.png"), read("b.png"));
    assert_eq!(decode(&folder.path().join("a.png")).0, 256);
    assert_eq!(files(folder.path()), ["a.png", "b.png"]);
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["together", "alone"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let flags = format!("--class 4 --seed 9 {QUICK}");
    sample(folder.path(), &format!("{flags} --count 4 --out together"));
    for number in 0..4 {
        sample(folder.path(), &format!("{flags} --first-image {number} --out alone"));
    }
    let names = ["00000.png", "00001.png", "00002.png", "00003.png"];
    assert_eq!(files(&folder.path().join("together")), names);
    assert_eq!(files(&folder.path().join("alone")), names);
    for name in names {
        // Each file records only its own settings, so the files are equal including their metadata.
        let read = |run: &str| fs::read(folder.path().join(run).join(name)).unwrap();
        assert_eq!(read("together"), read("alone"), "{name}");
    }
    let sheet = |batch: u32| {
        let name = format!("{batch}.png");
        sample(folder.path(), &format!("{flags} --count 5 --batch {batch} --out {name}"));
        fs::read(folder.path().join(name)).unwrap()
    };
    assert_eq!(sheet(1), sheet(3));
    assert_eq!(sheet(3), sheet(16));
}

#[test]
fn sheets_have_one_column_per_class() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path(), &format!("--class 1,5,3 --count 2 --scale 1 {QUICK} --out sheet.png"));
    let (width, height, _) = decode(&folder.path().join("sheet.png"));
    assert_eq!((width, height), (3 * 34 - 2, 2 * 34 - 2));
    sample(folder.path(), &format!("--class 5 --first-image 3 --scale 1 {QUICK} --out one.png"));
    let pixels = |name: &str, left: usize, top: usize| -> Vec<u8> {
        let (width, _, bytes) = decode(&folder.path().join(name));
        (0..32).flat_map(|row| bytes[(top + row) * width + left..][..32].to_vec()).collect()
    };
    assert_eq!(pixels("sheet.png", 34, 34), pixels("one.png", 0, 0));
}

#[test]
fn a_file_records_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path(), &format!("--class 2..3 --count 2 --seed 11 --cfg 2.5 {QUICK} --out sheet.png"));
    let file = fs::File::open(folder.path().join("sheet.png")).unwrap();
    let reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
    let info = reader.info();
    let text = |keyword: &str| {
        let text = info.uncompressed_latin1_text.iter().find(|text| text.keyword == keyword);
        text.unwrap().text.clone()
    };
    assert_eq!(text("Software"), concat!("gtr-cli ", env!("CARGO_PKG_VERSION")));
    let parameters: Value = serde_json::from_str(&text("gtr.parameters")).unwrap();
    let expected = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"), "model": "digits", "classes": [2, 3], "count": 2, "first_image": 0,
        "seed": 11, "cfg": 2.5, "cfg_schedule": "linear", "temperature": 1.0, "scale": 3,
    });
    assert_eq!(parameters, expected);
    let plan = info.compressed_latin1_text.iter().find(|text| text.keyword == "gtr.plan").unwrap();
    let plan: Value = serde_json::from_str(&plan.get_text().unwrap()).unwrap();
    // The recorded plan contains the timestep limit of the model.
    assert_eq!(plan, plan_json(&format!("--grid 8x8 --max-timestep 949 {QUICK}")));
}

#[test]
fn a_saved_plan_gives_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_json(&format!("--grid 8x8 {QUICK}"));
    fs::write(folder.path().join("p.json"), plan.to_string()).unwrap();
    sample(folder.path(), "--class 6 --plan p.json --out plan.png");
    sample(folder.path(), &format!("--class 6 {QUICK} --out flags.png"));
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("plan.png"), read("flags.png"));
}

#[test]
fn a_plan_of_an_unknown_order_can_be_sampled() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan_json(&format!("--grid 8x8 {QUICK}"));
    plan["schedule"]["order"]["kind"] = "elsewhere".into();
    fs::write(folder.path().join("p.json"), plan.to_string()).unwrap();
    sample(folder.path(), "--class 6 --plan p.json --scale 1 --out plan.png");
    sample(folder.path(), &format!("--class 6 {QUICK} --scale 1 --out flags.png"));
    assert_eq!(decode(&folder.path().join("plan.png")), decode(&folder.path().join("flags.png")));
}

#[test]
fn the_summary_can_be_printed_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let summary: Value =
        serde_json::from_str(&sample(folder.path(), &format!("--class 0..1 --json {QUICK} --out a.png"))).unwrap();
    assert_eq!((&summary["out"], &summary["images"]), (&"a.png".into(), &2.into()));
    assert_eq!((&summary["ar_steps"], &summary["network_evaluations"]), (&8.into(), &32.into()));
    assert!(summary["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(summary["parameters"]["classes"], serde_json::json!([0, 1]));
}

#[test]
fn the_log_shows_loading_planning_and_sampling() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("--verbose sample --class 1 {QUICK} --out a.png");
    let run = run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
    for word in ["loaded", "planning", "running", "AR step"] {
        assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
    }
    assert_eq!(run.stdout.lines().count(), 1);
}

#[test]
fn an_existing_file_is_replaced_atomically() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    fs::write(&path, "before").unwrap();
    let args = ["sample", "--class", "1", "--temperature", "-1", "--out", "a.png"];
    run_in(folder.path(), &args).failed(2);
    assert_eq!(fs::read(&path).unwrap(), b"before");
    sample(folder.path(), &format!("--class 1 {QUICK} --out a.png"));
    assert_eq!(decode(&path).0, 256);
}
