//! `plan`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{gtr, plan_json, run_in};

/// Returns the table of a plan and the notes.
fn shown(flags: &str) -> String {
    let run = gtr(&format!("plan {flags}"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    format!("{}{}", run.stderr, run.stdout)
}

#[test]
fn tables_show_stages_summary_and_partition() {
    assert_snapshot!("plan_16x16", shown("--grid 16x16"));
    assert_snapshot!("plan_quincunx", shown("--cut quincunx --stages 4"));
    assert_snapshot!("plan_5x9", shown("--grid 5x9 --seed 1"));
    assert_snapshot!("plan_1x1", shown("--grid 1x1"));
    assert_snapshot!("plan_one_stage", shown("--grid 4x4 --stages 1"));
    assert_snapshot!("plan_large", shown("--grid 65x2 --preset mar-8"));
    assert_snapshot!("plan_compare", shown("--compare gtr-paper,mar-64,disa-24 --grid 16x16"));
}

/// The order of a ranked plan is decided while sampling, so whatever shows an order refuses the plan with one line.
#[test]
fn a_ranked_plan_is_described_but_not_drawn() {
    let ranked = "--preset mar-8 --order ranked --choice-temperature 2 --grid 4x4";
    assert_snapshot!("plan_ranked", shown(ranked));
    let why = "the order of a ranked stage is decided while sampling, so it is not known from the plan";
    for drawn in ["--seed 1", "--format html", "--format svg"] {
        let run = gtr(&format!("plan {ranked} {drawn}"));
        assert_ne!(run.code, 0, "{drawn}");
        assert!(run.stderr.contains(why), "{drawn}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{drawn}");
    }
    let plan = plan_json(ranked);
    assert_eq!(plan["format_version"], 3);
    assert_eq!(plan["schedule"]["order"], json!({"kind": "ranked", "choice_temperature": 2.0}));
    let summary: Value = serde_json::from_str(&gtr(&format!("plan {ranked} --format summary")).succeeded()).unwrap();
    assert_eq!(summary["loss"]["why"], why);
    // 8 steps of the cosine draw 16, 15, 14, 13, 11, 8, 6 and 3 tokens.
    assert_eq!(summary["token_evaluations"], 100 * (16 + 15 + 14 + 13 + 11 + 8 + 6 + 3));
}

#[test]
fn output_is_plain_unless_it_goes_to_a_terminal() {
    assert!(!shown("").contains('\u{1b}'));
}

#[test]
fn a_large_grid_is_fast() {
    let run = gtr("plan --grid 1024x1024");
    assert!(run.succeeded().contains("1048576 tokens"));
}

#[test]
fn flags_change_the_preset() {
    let plan = plan_json("--stages 4 --t-max 40 --beta 0.2 --within farthest");
    let schedule = &plan["schedule"];
    assert_eq!(schedule["order"], json!({"kind": "bisection", "cut": "diagonal", "stages": 4, "within": "farthest"}));
    assert_eq!(schedule["pace"], json!({"kind": "rates", "rates": [2.67, 2.67, 10.67, 64.0]}));
    assert_eq!(schedule["diffusion"], json!({"kind": "stage-aware", "t_max": 40, "t_min": 20, "t_rec": 20}));
    assert_eq!(schedule["detail"], json!({"kind": "fts", "beta": 0.2, "t_detail": 50}));
}

#[test]
fn steps_and_rates_replace_each_other() {
    assert_eq!(plan_json("--steps 12,3,1")["schedule"]["pace"], json!({"kind": "rates", "steps": [12, 3, 1]}));
    let pace = &plan_json("--preset gtr-16 --rates 4,8,16")["schedule"]["pace"];
    assert_eq!(*pace, json!({"kind": "rates", "rates": [4.0, 8.0, 16.0]}));
    assert_eq!(plan_json("--preset gtr-16 --stages 2")["schedule"]["pace"]["steps"], json!([3, 1]));
}

#[test]
fn another_kind_starts_from_its_own_defaults() {
    let pace = |flags: &str| plan_json(flags)["schedule"]["pace"].clone();
    assert_eq!(pace("--pace cosine --steps 10"), json!({"kind": "cosine", "steps": 10}));
    assert_eq!(pace("--pace uniform"), json!({"kind": "uniform", "steps": 64}));
    let rates = pace("--preset mar-64 --order bisection --pace rates");
    assert_eq!(rates, json!({"kind": "rates", "rates": [2.67, 10.67, 64.0]}));
    let diffusion = &plan_json("--preset disa-24 --diffusion constant --t 7")["schedule"]["diffusion"];
    assert_eq!(*diffusion, json!({"kind": "constant", "t": 7}));
}

#[test]
fn timestep_limits_replace_each_other() {
    let diffusion = |flags: &str| plan_json(flags)["schedule"]["diffusion"].clone();
    let max = diffusion("--preset disa-24 --max-timestep 900");
    assert_eq!((&max["max_timestep"], &max["clip_timestep"]), (&json!(900), &Value::Null));
    assert_eq!(diffusion("--clip-timestep 800")["clip_timestep"], 800);
}

#[test]
fn any_parameter_can_be_set_by_its_name() {
    assert_eq!(plan_json("--set order.stages=2 --set order.cut=quincunx"), plan_json("--stages 2 --cut quincunx"));
    assert_eq!(plan_json("--set pace.steps=[12,3,1]"), plan_json("--steps 12,3,1"));
}

#[test]
fn conflicting_or_useless_flags_are_refused() {
    for (flags, said) in [
        ("--t-rec 5 --set diffusion.t_rec=7", "diffusion.t_rec is given twice"),
        ("--set order.stages=4 --set order.stages=5", "order.stages is given twice"),
        ("--image 3", "--seed"),
    ] {
        let error = gtr(&format!("plan {flags}")).failed(2);
        assert!(error.contains(said), "{flags}: {error}");
    }
}

#[test]
fn a_schedule_is_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let schedule = plan_json("--preset gtr-8 --grid 8x8")["schedule"].clone();
    let values: Value = schedule.as_object().unwrap().values().cloned().collect();
    std::fs::write(folder.path().join("s.json"), values.to_string()).unwrap();
    let error = run_in(folder.path(), &["plan", "--schedule", "s.json"]).failed(1);
    assert!(error.contains("s.json: it is not a schedule: it is an array, not an object"), "{error}");
}

#[test]
fn a_schedule_file_gives_the_same_plan() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_json("--preset disa-16 --grid 8x8");
    std::fs::write(folder.path().join("s.json"), plan["schedule"].to_string()).unwrap();
    let args = ["plan", "--schedule", "s.json", "--grid", "8x8", "--format", "json", "--out", "p.json"];
    assert_eq!(run_in(folder.path(), &args).succeeded(), "");
    let written = std::fs::read_to_string(folder.path().join("p.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), plan);
}

#[test]
fn a_seed_is_not_part_of_a_plan() {
    let run = gtr("plan --format json --seed 3");
    assert_eq!(run.stderr, "note: the seed is not part of a plan; give it to `sample`\n");
    assert_eq!(run.stdout, gtr("plan --format json").stdout);
}

#[test]
fn comparisons_can_be_printed_as_json() {
    let run = gtr("plan --compare mar-8,gtr-8 --grid 8x8 --format json");
    let sides: Vec<Value> = serde_json::from_str(&run.succeeded()).unwrap();
    assert_eq!(sides[0]["preset"], "mar-8");
    assert_eq!(sides[1]["ar_steps"], 8);
    let gaps = sides[1]["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 8);
    assert_eq!(gaps[7], json!({"ar_step": 8, "largest_gap": 0.0}));
}
