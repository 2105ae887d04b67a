//! `inspect` of images.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{plan_json, run_in, sample, write_grey};

const QUICK: &str = "--preset gtr-8 --diffusion constant --t 3 --detail none";

fn inspect(folder: &Path, args: &[&str]) -> String {
    run_in(folder, &[&["inspect"], args].concat()).succeeded()
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

/// Runs the command of a report in a shell.
#[cfg(unix)]
fn carry_out(folder: &Path, report: &str) {
    let commands: Vec<&str> = report.lines().skip_while(|line| *line != "Generate it again with").skip(1).collect();
    assert!(!commands.is_empty(), "{report}");
    let folder_of = Path::new(env!("CARGO_BIN_EXE_gtr-cli")).parent().unwrap().to_str().unwrap().to_owned();
    let path = format!("{folder_of}:{}", std::env::var("PATH").unwrap());
    for command in commands {
        let done =
            std::process::Command::new("sh").args(["-c", command]).current_dir(folder).env("PATH", &path).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{command}\n{}", String::from_utf8_lossy(&done.stderr));
    }
}

#[cfg(unix)]
#[test]
fn the_printed_command_reproduces_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let plan = plan_json(&format!("--grid 8x8 {QUICK}"));
    let mut elsewhere = plan;
    elsewhere["schedule"]["order"]["kind"] = "elsewhere".into();
    fs::write(folder.join("p.json"), elsewhere.to_string()).unwrap();
    write_grey(&folder.join("my mask.png"), 256, 256, |row, _| if row < 128 { 0 } else { 255 });
    for (name, flags) in [
        ("preset.png", "--class 3 --preset gtr-8 --t-max 9 --t-min 3 --t-rec 3 --t-detail 5"),
        (
            "sheet.png",
            &format!(
                "--class 2..4,7 --count 2 --seed 18446744073709551615 --cfg 2.5 --cfg-schedule constant --temperature 0.9 --scale 1 {QUICK}"
            ),
        ),
        (
            "flags.png",
            &format!("--class 1 --first-image 9 {QUICK} --order halton --pace uniform --steps 5 --max-timestep 900"),
        ),
        (
            "cut.png",
            "--class 1 --cut quincunx --stages 4 --within farthest --steps 2,2,1,1 --diffusion disa --strategy cosine --t-max 4 --t-min 2 --detail none",
        ),
        ("plan.png", "--class 5 --plan p.json"),
        ("variants.png", &format!("--class 5 --reseed-reconstruction 3 {QUICK}")),
    ] {
        if run_in(folder, &[&["sample", "--out", name], &flags.split_whitespace().collect::<Vec<_>>()[..]].concat())
            .code
            == 0
        {
            let report = inspect(folder, &[name]);
            carry_out(folder, &report);
            let again = name.replace(".png", "-again.png");
            assert!(read(folder, name) == read(folder, &again), "{report}");
        } else {
            panic!("{name}: {flags}");
        }
    }
    // An image that starts from another image, with a mask whose name must be quoted.
    let args = [
        "sample",
        "--class",
        "8",
        "--init",
        "preset.png",
        "--mask",
        "my mask.png",
        "--dilate",
        "--preset",
        "gtr-8",
        "--out",
        "on.png",
    ];
    run_in(folder, &args).succeeded();
    let report = inspect(folder, &["on.png"]);
    assert!(report.contains("--mask 'my mask.png' --dilate 1"), "{report}");
    carry_out(folder, &report);
    assert!(read(folder, "on.png") == read(folder, "on-again.png"), "{report}");
    // The command uses no --plan, which excludes --mask, because the bytes record the mask.
    let report = inspect(folder, &["on.png", "--plan-out", "on.json"]);
    assert!(report.contains("--mask 'my mask.png'"), "{report}");
    // With only the plan, which contains the known tokens.
    run_in(folder, &["sample", "--class", "8", "--init", "preset.png", "--plan", "on.json", "--out", "rest.png"])
        .succeeded();
    let report = inspect(folder, &["rest.png"]);
    carry_out(folder, &report);
    assert!(read(folder, "rest.png") == read(folder, "rest-again.png"), "{report}");
}

#[cfg(unix)]
#[test]
fn images_of_folders_and_of_saved_plans_are_reproduced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("all")).unwrap();
    sample(folder, &format!("--class 4,9 --count 2 --seed 3 {QUICK} --out all"));
    carry_out(folder, &inspect(folder, &["all/00002.png", "--plan-out", "kept plan.json"]));
    assert_eq!(read(folder, "all/00002.png"), read(folder, "all/00002-again.png"));
    let plan = run_in(folder, &["verify", "kept plan.json"]).succeeded();
    assert_eq!(plan, "kept plan.json: valid, 8x8, 3 stages, 8 AR steps\n");
}

#[test]
fn reports_can_be_printed_as_text_and_json() {
    let folder = tempfile::tempdir().unwrap();
    sample(
        folder.path(),
        "--class 2..3 --count 2 --seed 11 --preset gtr-8 --t-max 4 --t-min 2 --t-rec 2 --t-detail 3 --out a.png",
    );
    assert_snapshot!("inspect_image", inspect(folder.path(), &["a.png"]));
    let report: Value = serde_json::from_str(&inspect(folder.path(), &["a.png", "--format", "json"])).unwrap();
    assert_eq!((&report["parameters"]["seed"], &report["width"]), (&11.into(), &194.into()));
    assert_eq!(report["plan"]["grid"]["height"], 8);
    let words: Vec<&str> = report["arguments"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(words[..4], ["gtr-cli", "sample", "--class", "2,3"]);
    inspect(folder.path(), &["a.png", "--out", "a.txt"]);
    assert_eq!(fs::read_to_string(folder.path().join("a.txt")).unwrap(), inspect(folder.path(), &["a.png"]));
}

/// Writes a small image with text entries.
fn write(path: &Path, texts: &[(&str, &str)]) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), 1, 1);
    encoder.set_color(png::ColorType::Grayscale);
    for (keyword, text) in texts {
        match *keyword {
            "gtr.plan" => encoder.add_ztxt_chunk((*keyword).to_owned(), (*text).to_owned()).unwrap(),
            _ => encoder.add_text_chunk((*keyword).to_owned(), (*text).to_owned()).unwrap(),
        }
    }
    encoder.write_header().unwrap().write_image_data(&[0]).unwrap();
}

#[test]
fn pictures_are_untrusted_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    sample(folder.path(), &format!("--class 2 {QUICK} --out good.png"));
    let good: Value = serde_json::from_str(&inspect(folder.path(), &["good.png", "--format", "json"])).unwrap();
    let settings = good["parameters"].to_string();
    let plan = plan_json(&format!("--grid 8x8 {QUICK}")).to_string();
    fs::write(path("empty.png"), "").unwrap();
    fs::write(path("text.png"), "no picture at all").unwrap();
    let bytes = fs::read(path("good.png")).unwrap();
    fs::write(path("short.png"), &bytes[..60]).unwrap();
    write(&path("plain.png"), &[]);
    write(&path("noplan.png"), &[("gtr.parameters", &settings)]);
    write(&path("nojson.png"), &[("gtr.parameters", "{"), ("gtr.plan", &plan)]);
    write(&path("other.png"), &[("gtr.parameters", "{\"model\": 3}"), ("gtr.plan", &plan)]);
    let newer = settings.replacen('{', "{\"colour\":\"blue\",", 1);
    write(&path("newer.png"), &[("gtr.parameters", &newer), ("gtr.plan", &plan)]);
    write(&path("badplan.png"), &[("gtr.parameters", &settings), ("gtr.plan", "{}")]);
    let unsound = plan.replacen("\"tokens\":[0", "\"tokens\":[1", 1);
    write(&path("unsound.png"), &[("gtr.parameters", &settings), ("gtr.plan", &unsound)]);
    // 80 MB of spaces in a small compressed text.
    write(&path("bomb.png"), &[("gtr.parameters", &settings), ("gtr.plan", &" ".repeat(80 << 20))]);
    fs::create_dir(path("folder")).unwrap();
    let mut lines = String::new();
    for name in [
        "none.png",
        "folder",
        "empty.png",
        "text.png",
        "short.png",
        "plain.png",
        "noplan.png",
        "nojson.png",
        "other.png",
        "newer.png",
        "badplan.png",
        "unsound.png",
        "bomb.png",
    ] {
        let _ = write!(lines, "{name}\n  {}", run_in(folder.path(), &["inspect", name]).failed(1));
    }
    assert_snapshot!("inspect_failures", lines);
    // Text that a shell would interpret is quoted, and control characters of terminals are not printed.
    let model = |model: &str| settings.replace("\"digits\"", &format!("\"{model}\""));
    write(&path("shell.png"), &[("gtr.parameters", &model("$(touch x); --out")), ("gtr.plan", &plan)]);
    let report = inspect(folder.path(), &["shell.png"]);
    assert!(report.contains("--model '$(touch x); --out' --class 2"), "{report}");
    write(&path("cursor.png"), &[("gtr.parameters", &model("\\u001b[2J\\u009b")), ("gtr.plan", &plan)]);
    let report = inspect(folder.path(), &["cursor.png"]);
    assert!(!report.contains(['\u{1b}', '\u{9b}']) && report.contains("--format json lists its arguments"), "{report}");
    let absent = run_in(folder.path(), &["inspect", "absent.safetensors", "--format", "html"]).failed(1);
    assert!(absent.contains("absent.safetensors") && !absent.contains("page"), "{absent}");
    let run = run_in(folder.path(), &["inspect", "good.png", "--format", "html"]).failed(2);
    assert_eq!(
        run,
        "error: --format html is not available for images: use inspect --plan-out FILE, then plan --plan FILE --format html\n"
    );
}

/// Two outputs with the same name would overwrite each other.
#[test]
fn duplicate_file_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sample(folder, &format!("--class 3 {QUICK} --out a.png --trace a.safetensors"));
    fs::write(folder.join("p.json"), plan_json(&format!("--grid 8x8 {QUICK}")).to_string()).unwrap();
    fs::create_dir(folder.join("b")).unwrap();
    let names = ["a.png", "a.safetensors", "p.json"];
    let before = names.map(|name| read(folder, name));
    for line in [
        "sample --class 3 --out y.png --trace y.png",
        "sample --class 3 --out y.png --animate b/../y.png",
        "sample --class 3 --plan p.json --out p.json",
        "sample --class 3 --init a.png --mask a.png --out a.png",
        "inspect a.png --out a.png",
        "inspect a.png --plan-out ./a.png",
        "inspect a.safetensors --format html --out a.safetensors",
        "inspect a.png --format json --out o.json --plan-out o.json",
        "eval --out x.svg --plot x.svg",
        "eval --plan p.json --out p.json",
        "plan --schedule p.json --out p.json",
    ] {
        let error = run_in(folder, &line.split_whitespace().collect::<Vec<_>>()).failed(2);
        assert!(error.contains("are the same file"), "{line}: {error}");
    }
    assert_eq!(names.map(|name| read(folder, name)), before);
    assert_eq!(crate::support::files(folder), ["a.png", "a.safetensors", "b", "p.json"]);
}
