//! `design`.

use std::fs;

use serde_json::Value;

use crate::support::{gtr, run_in};

fn json(line: &str) -> Value {
    serde_json::from_str(&gtr(&format!("{line} --format json")).succeeded()).unwrap()
}

fn nats(design: &Value) -> f64 {
    let evidence = &design["evidence"];
    evidence["free"]["loss_nats"].as_f64().or(evidence["loss_nats"].as_f64()).unwrap()
}

#[test]
fn designs_lose_less_than_presets_and_are_reproducible() {
    let line = "design --grid 8x8 --ar-steps 8";
    let design = json(line);
    assert_eq!(gtr(&format!("{line} --format json")).succeeded(), gtr(&format!("{line} --format json")).succeeded());
    let preset: Value =
        serde_json::from_str(&gtr("plan --preset gtr-8 --grid 8x8 --format summary").succeeded()).unwrap();
    assert!(nats(&design) < 0.2 * preset["loss"]["nats"].as_f64().unwrap());
    let text = gtr(line).succeeded();
    assert!(text.contains("8 AR steps on 8x8, on the field exponential:2:0.01"), "{text}");
}

#[test]
fn a_target_loss_is_met_with_the_fewest_steps() {
    let design = json("design --grid 8x8 --loss 0.3");
    let steps =
        design["schedule"]["pace"]["steps"].as_array().unwrap().iter().map(|it| it.as_u64().unwrap()).sum::<u64>();
    assert!(nats(&design) <= 0.3);
    assert!(nats(&json(&format!("design --grid 8x8 --ar-steps {}", steps - 1))) > 0.3);
    assert!(gtr("design --grid 8x8 --ar-steps 65").failed(2).contains("65"));
}

#[test]
fn free_partitions_lose_no_more_and_are_valid_plans() {
    let folder = tempfile::tempdir().unwrap();
    let line = "design --grid 6x6 --ar-steps 4 --free --out free.json --format json";
    let words: Vec<&str> = line.split_whitespace().collect();
    let free: Value = serde_json::from_str(&run_in(folder.path(), &words).succeeded()).unwrap();
    let structured = free["evidence"]["loss_nats"].as_f64().unwrap();
    assert!(nats(&free) <= structured, "{} {structured}", nats(&free));
    let run = |line: &str| run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>()).succeeded();
    run("plan --schedule free.json --grid 6x6 --format json --out plan.json");
    run("verify plan.json");
    // The loss in the file is the loss of the plan.
    let told: Value = serde_json::from_str(&run("plan --schedule free.json --grid 6x6 --format summary")).unwrap();
    assert!((told["loss"]["nats"].as_f64().unwrap() - nats(&free)).abs() < 1e-9);
}

#[test]
fn designs_support_other_grids_and_fields() {
    let design = json("design --grid 5x9 --ar-steps 5 --field matern-3/2:3 --t 50");
    assert_eq!(design["home_grid"]["width"], 9);
    assert_eq!(design["schedule"]["diffusion"]["t"], 50);
    assert_eq!(design["evidence"]["field"], "matern-3/2:3:0.01");
    let own = json("design --model digits --ar-steps 3");
    assert_eq!((&own["home_grid"]["height"], &own["evidence"]["field"]), (&8.into(), &"digits".into()));
}

#[test]
fn errors_are_one_line() {
    assert!(gtr("design").failed(2).contains("--ar-steps"));
    assert!(gtr("design --ar-steps 4 --loss 1").failed(2).contains("cannot be used with"));
    assert!(gtr("design --ar-steps 0").failed(2).contains("expected a whole number, 1 or more"));
    assert!(gtr("design --loss -1").failed(2).contains("expected a number of nats, 0 or more"));
    assert!(gtr("design --grid 128x128 --ar-steps 8").failed(2).contains("16384"));
    let folder = tempfile::tempdir().unwrap();
    let refused = run_in(folder.path(), &["design", "--ar-steps", "4", "--grid", "4x4", "--out", "no/x.json"]);
    assert!(refused.failed(1).contains("does not exist"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
