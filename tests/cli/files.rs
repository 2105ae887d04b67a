//! Common files: checkpoints, placeholder files, byte order marks.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{run, run_in};

fn made(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "golden", "files", name].iter().collect()
}

/// Creates a folder with copies of such files.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(made(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// Returns both output streams of each command line.
fn transcript(folder: &Path, lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let run = run_in(folder, &line.split(' ').collect::<Vec<_>>());
        let _ = writeln!(text, "$ gtr-cli {line}\n{}{}", run.stdout, run.stderr);
    }
    text
}

#[test]
fn inspect_lists_the_contents_of_a_checkpoint() {
    let names = [
        "section_ema.pth",
        "ema_pytorch.pth",
        "prefix_both.pth",
        "types.safetensors",
        "views_legacy.pth",
        "two_models.pth",
        "lfs.pth",
        "half.safetensors",
        "whole_module.pth",
    ];
    let folder = folder(&names);
    let lines: Vec<String> = names.iter().map(|name| format!("inspect {name}")).collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.push("inspect section_ema.pth --format html");
    lines.push("inspect section_ema.pth --plan-out p.json");
    insta::assert_snapshot!("inspect_checkpoints", transcript(folder.path(), &lines));
    let json = run_in(folder.path(), &["inspect", "section_ema.pth", "--format", "json"]).succeeded();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["taken"]["section"], "ema");
    assert_eq!(json["sections"][1]["tensors"][0]["shape"], serde_json::json!([3, 2]));
    assert_eq!(json["kind"], "a MAR model");
}

#[test]
fn convert_selects_a_section_and_reports_it() {
    let folder = folder(&["section_ema.pth", "prefix_ddp.pth", "types.pth", "two_models.pth"]);
    let lines = [
        "convert section_ema.pth a.safetensors",
        "convert section_ema.pth b.safetensors --section model",
        "convert section_ema.pth c.safetensors --section none",
        "convert prefix_ddp.pth d.safetensors",
        "convert types.pth e.safetensors --dtype bf16",
        "convert two_models.pth f.safetensors",
        "inspect e.safetensors",
    ];
    insta::assert_snapshot!("convert_sections", transcript(folder.path(), &lines));
}

/// Placeholder files in place of every kind of file that is read.
#[test]
fn placeholder_files_are_reported_by_every_command() {
    let folder = folder(&["lfs.pth", "page.pth", "empty.pth", "denied.safetensors", "half.pth"]);
    let at = |name: &str| folder.path().join(name);
    for name in ["config", "bom"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::copy(made("lfs.pth"), at("config/config.json")).unwrap();
    let lines = [
        "sample --class 7 --weights lfs.pth --out x.png",
        "sample --class 7 --weights page.pth --out x.png",
        "sample --class 7 --weights empty.pth --out x.png",
        "sample --class 7 --weights half.pth --out x.png",
        "sample --class 7 --weights denied.safetensors --out x.png",
        "sample --class 7 --model config --out x.png",
        "sample --class 7 --plan lfs.pth --out x.png",
        "sample --class 7 --schedule page.pth --out x.png",
        "sample --class 7 --init lfs.pth --mask lfs.pth --out x.png",
        "verify lfs.pth",
        "eval --images page.pth",
        "inspect page.pth",
        "sample --model lightgen-base --random-weights --prompts denied.safetensors --out x.npz",
        "sample --model lightgen-base --random-weights --text-encoder config --prompt a --out x.png",
    ];
    insta::assert_snapshot!("stand_ins", transcript(folder.path(), &lines));
}

#[test]
fn byte_order_marks_are_ignored_and_utf_16_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let plan = run(&["plan", "--preset", "gtr-8", "--grid", "8x8", "--format", "json"]).succeeded();
    let schedule = serde_json::from_str::<Value>(&plan).unwrap()["schedule"].to_string();
    let prompts = "{\"prompt\": \"a red cat\"}\n";
    for (name, text) in [("plan.json", plan.as_str()), ("schedule.json", &schedule), ("prompts.jsonl", prompts)] {
        fs::write(at(name), ["\u{feff}", text].concat()).unwrap();
        let wide: Vec<u8> = [0xfeff_u16].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        fs::write(at(&format!("wide_{name}")), wide).unwrap();
    }
    run_in(folder.path(), &["verify", "plan.json"]).succeeded();
    let plan_of = |flag: &str, name: &str| run_in(folder.path(), &["plan", flag, name, "--format", "json"]);
    assert_eq!(plan_of("--plan", "plan.json").succeeded(), plan);
    plan_of("--schedule", "schedule.json").succeeded();
    for wrong in [
        run_in(folder.path(), &["verify", "wide_plan.json"]),
        plan_of("--plan", "wide_plan.json"),
        plan_of("--schedule", "wide_schedule.json"),
        run_in(
            folder.path(),
            &[
                "sample",
                "--model",
                "lightgen-base",
                "--random-weights",
                "--prompts",
                "wide_prompts.jsonl",
                "--out",
                "x.npz",
            ],
        ),
    ] {
        assert_eq!(wrong.code, 1);
        let wrong = wrong.stdout + &wrong.stderr;
        assert!(wrong.contains("the text is encoded as UTF-16") && wrong.contains("save it as UTF-8"), "{wrong}");
    }
}
