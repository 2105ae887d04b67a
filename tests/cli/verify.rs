//! `verify`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{gtr, plan_json, presets, run_in, run_with_input};

/// Returns the rules that a document violates.
fn broken(document: &Value) -> Vec<u64> {
    let run = run_with_input(&["verify", "-", "--format", "json"], document.to_string().as_bytes());
    let findings: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(run.code, i32::from(!findings.is_empty()));
    findings.iter().map(|finding| finding["rule"].as_u64().unwrap()).collect()
}

#[test]
fn every_preset_survives_a_round_trip() {
    for preset in presets() {
        let plan = gtr(&format!("plan --preset {preset} --format json")).succeeded();
        let report = run_with_input(&["verify", "-"], plan.as_bytes()).succeeded();
        assert!(report.starts_with("-: valid, "), "{preset}: {report}");
    }
}

#[test]
fn all_presets_are_valid_on_all_grids() {
    let report = gtr("verify --all-presets").succeeded();
    let names = presets();
    assert_eq!(report.lines().count(), names.len());
    for (line, name) in report.lines().zip(names) {
        assert!(line.starts_with(&format!("preset {name}: valid on ")), "{line}");
        assert!(line.ends_with("8x8, 1x1, 1x16, 5x9, 7x7, 24x16, 33x17"), "{line}");
    }
    assert_eq!(gtr("verify --all-presets --format json").succeeded(), "[]\n");
}

/// Standard output alone must not suggest that an unreadable file is valid.
#[test]
fn unreadable_files_are_invalid_plans() {
    let json = gtr("verify none.json --format json");
    let findings: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &findings[0]["rule"], &findings[0]["file"]), (1, &1.into(), &"none.json".into()));
    let github = gtr("verify none.json --format github");
    assert!(github.code == 1 && github.stdout.starts_with("::error file=none.json"), "{}", github.stdout);
    let text = gtr("verify none.json");
    assert_eq!((text.code, text.stdout.as_str()), (1, ""));
    assert!(text.stderr.starts_with("error: none.json: cannot be read"), "{}", text.stderr);
}

#[test]
fn an_edit_of_a_plan_names_the_rule() {
    for preset in presets() {
        let plan = plan_json(&format!("--preset {preset}"));
        let edited = |edit: &dyn Fn(&mut Value)| {
            let mut plan = plan.clone();
            edit(&mut plan);
            broken(&plan)
        };
        assert_eq!(edited(&|_| ()), [0; 0], "{preset}");
        let names = |rules: Vec<u64>, rule: u64| assert!(rules.contains(&rule), "{preset}: {rules:?} without {rule}");
        // After the swap the tokens are not ascending, or are not those that the order produces.
        let swapped = edited(&|plan| plan["stages"][0]["tokens"].as_array_mut().unwrap().swap(1, 2));
        let listed = ["raster", "subsample", "halton"].contains(&plan["schedule"]["order"]["kind"].as_str().unwrap());
        names(swapped, if listed { 15 } else { 8 });
        names(edited(&|plan| plan["stages"][0]["tokens"][1] = plan["stages"][0]["tokens"][0].clone()), 6);
        names(edited(&|plan| drop(plan["stages"][0]["tokens"].as_array_mut().unwrap().pop())), 7);
        names(edited(&|plan| plan["steps"][0]["tokens"] = json!(999)), 11);
        names(edited(&|plan| plan["steps"][0]["diffusion_steps"] = json!(1001)), 12);
        names(edited(&|plan| plan["steps"][0]["diffusion_steps"] = json!(77)), 17);
        names(edited(&|plan| plan["stages"][0]["role"] = json!("regeneration")), 1);
        names(edited(&|plan| plan["format_version"] = json!(2)), 2);
        names(edited(&|plan| plan["stages"][0]["role"] = json!("reconstruction")), 9);
        names(edited(&|plan| plan["grid"]["height"] = json!(4_000_000_000_u64)), 3);
        names(edited(&|plan| plan["stages"][0]["tokens"][0] = json!(4_000_000)), 5);
        names(edited(&|plan| plan["schedule"]["diffusion"]["max_timestep"] = json!(5000)), 14);
    }
}

#[test]
fn hostile_files_are_one_line_errors() {
    let plan = gtr("plan --grid 8x8 --format json").succeeded();
    let texts = [
        String::new(),
        "null".to_owned(),
        "[".repeat(1_000_000),
        r#"{"schedule":{"order":{"kind":"x","a":"#.to_owned() + &"[".repeat(100_000),
        plan.replace("\"height\":8", "\"height\":4000000000"),
        plan.replace("\"height\":8", "\"height\":\"8\""),
        plan.replace("\"height\":8", "\"height\":-8"),
        plan.replace("\"height\":8", "\"height\":1e999"),
        plan.replace("\"format_version\"", "\"format\""),
        plan.replace("\"stages\": [", "\"stages\": [], \"x\": ["),
        plan.clone() + &plan,
    ];
    for text in texts {
        let start: String = text.chars().take(60).collect();
        let run = run_with_input(&["verify", "-"], text.as_bytes());
        assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{start}");
        assert_eq!(run.stdout.lines().count(), 1, "{start}: {}", run.stdout);
        assert!(run.stdout.starts_with("-: R"), "{start}: {}", run.stdout);
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    // A sparse file of 100 MB.
    std::fs::File::create(folder.path().join("large.json")).unwrap().set_len(100_000_000).unwrap();
    let started = Instant::now();
    let run = run_in(folder.path(), &["verify", "large.json"]);
    assert!(started.elapsed() < Duration::from_secs(1));
    let line = "large.json: R1 document at the file: found 100000000 bytes, expected at most 64 MB\n";
    assert_eq!((run.code, run.stdout.as_str()), (1, line));
}

#[test]
fn a_stream_is_not_read_beyond_the_limit() {
    let text = " ".repeat((64 << 20) + 2);
    let run = run_with_input(&["verify", "-"], text.as_bytes());
    assert_eq!(run.code, 1);
    assert_eq!(run.stdout, "-: R1 document at the file: found more than 67108864 bytes, expected at most 64 MB\n");
}

#[test]
fn every_file_is_checked_after_an_invalid_one() {
    let folder = tempfile::tempdir().unwrap();
    let plan = gtr("plan --grid 4x4 --format json").succeeded();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("good.json", &plan);
    write("bad, new.json", &plan.replace("\"format_version\": 1", "\"format_version\": 2"));
    let run = run_in(folder.path(), &["verify", "none.json", "bad, new.json", "good.json"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with("error: none.json: cannot be read: "), "{}", run.stderr);
    assert_eq!(
        run.stdout,
        "good.json: valid, 4x4, 3 stages, 3 AR steps\nbad, new.json: R2 version at format_version: found 2, \
         expected 1, 2 if tokens are known, or 3 if the schedule sets an optional axis or its order is ranked; other versions of \
         the plan format are not supported\n"
    );
    let run = run_in(folder.path(), &["verify", "--format", "github", "bad, new.json", "good.json"]);
    assert_eq!(
        run.stdout,
        "::error file=bad%2C new.json,title=R2 version::format_version: found 2, expected 1, 2 if tokens are known, or 3 if \
         the schedule sets an optional axis or its order is ranked; other versions of the plan format are not supported\n"
    );
}

#[test]
fn an_unknown_schedule_is_noted() {
    let mut plan = plan_json("--grid 8x8");
    plan["schedule"]["detail"] = json!({"kind": "elsewhere", "depth": 3});
    let run = run_with_input(&["verify", "-"], plan.to_string().as_bytes());
    assert_eq!(run.code, 0, "{}", run.stdout);
    let note = "note: -: not registered here: detail `elsewhere`; rules 14 to 19 were not checked\n";
    assert_eq!(run.stderr, note);
}
