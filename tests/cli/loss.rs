//! The loss of plans, in every command that shows plans.

use serde_json::Value;

use crate::support::{gtr, plan_json, run_in};

fn json(line: &str) -> Value {
    serde_json::from_str(&gtr(line).succeeded()).unwrap()
}

/// Returns the loss of each preset of a comparison, from its JSON.
fn compared(presets: &str, flags: &str) -> Vec<f64> {
    let sides = json(&format!("plan --compare {presets} --format json {flags}"));
    sides.as_array().unwrap().iter().map(|side| side["loss"]["nats"].as_f64().unwrap()).collect()
}

#[test]
fn losses_equal_those_computed_by_hand() {
    let found = compared("mar-64,mar-16,gtr-paper,gtr-16,gtr-8", "--grid 16x16 --field exponential:2:0.01");
    for (found, expected) in found.iter().zip([0.63, 3.2, 0.62, 1.38, 3.3]) {
        assert!((found / expected - 1.0).abs() < 0.03, "{found} {expected}");
    }
    assert!(compared("cascade-8", "--grid 16x16 --field exponential:2:0.01")[0] <= 0.40);
    // Another field gives another loss.
    assert_ne!(compared("mar-16", "--grid 16x16 --field exponential:3:0.01")[0], found[1]);
}

#[test]
fn a_plan_shows_its_loss_and_the_field() {
    let text = gtr("plan --preset gtr-16 --grid 8x8").succeeded();
    let line = text.lines().find(|line| line.starts_with("Loss: ")).unwrap();
    assert!(line.ends_with(" images) on the field exponential:2:0.01"), "{line}");
    let one_by_one = gtr("plan --preset raster-64 --grid 8x8 --field gaussian:1:0.1").succeeded();
    assert!(one_by_one.contains("\nLoss: 0 nats on the field gaussian:1:0.1\n"), "{one_by_one}");

    let told = json("plan --preset gtr-16 --grid 8x8 --format summary");
    let sum =
        |name: &str| -> f64 { told["loss"][name].as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).sum() };
    let total = told["loss"]["nats"].as_f64().unwrap();
    for (name, count) in [("stages", 3), ("steps", 16), ("tokens", 64)] {
        assert_eq!(told["loss"][name].as_array().unwrap().len(), count, "{name}");
        assert!((sum(name) - total).abs() < 1e-9 * total, "{name}");
    }
    assert!(line.contains(&format!("Loss: {total:.3}")), "{line} {total}");
    // The plan itself does not contain the loss.
    assert!(plan_json("--preset gtr-16 --grid 8x8").get("loss").is_none());
}

#[test]
fn a_model_sets_grid_timesteps_and_field() {
    let told = json("plan --preset gtr-8 --model digits --format summary");
    assert_eq!((&told["grid"]["height"], &told["loss"]["field"]), (&8.into(), &"digits".into()));
    assert_eq!(told["schedule"]["diffusion"]["max_timestep"], 949);
    let other = json("plan --preset gtr-8 --model digits --field exponential:2 --format summary");
    assert_eq!(other["loss"]["field"], "exponential:2:0.01");
    // A field that was measured on another grid cannot be used.
    let elsewhere = gtr("plan --preset gtr-8 --model digits --grid 16x16").succeeded();
    assert!(elsewhere.contains("\nLoss: not computed on the field digits: "), "{elsewhere}");
    assert!(gtr("plan --model none").failed(2).contains("there is no model `none`"));
}

#[test]
fn large_grids_have_no_loss_unless_requested() {
    let large = gtr("plan --preset mar-16 --grid 40x40").succeeded();
    let line = large.lines().find(|line| line.starts_with("Loss: ")).unwrap();
    assert!(line.contains("not computed on the field exponential:2:0.01: 1600 values"), "{line}");
    let sides = json("plan --compare mar-16 --grid 40x40 --format json");
    assert_eq!((&sides[0]["loss"]["nats"], sides[0]["loss"]["why"].is_string()), (&Value::Null, true));
    // Above the upper limit of the computation.
    let larger = gtr("plan --preset mar-16 --grid 65x64 --field exponential:2").succeeded();
    assert!(larger.contains("\nLoss: not computed on the field exponential:2:0.01: "), "{larger}");
}

#[test]
fn invalid_fields_are_refused_in_one_line() {
    for (field, says) in [
        ("nothing", "expected KIND:LENGTH"),
        ("cubic:2", "unknown kernel `cubic`"),
        ("exponential:0", "a positive number of cells"),
        ("exponential:2:2", "the nugget must be 0 to 1"),
    ] {
        for line in ["plan", "cost", "presets", "design --ar-steps 4", "tune --budget gtr-16"] {
            let message = gtr(&format!("{line} --field {field}")).failed(2);
            assert!(message.contains("--field: ") && message.contains(says), "{line}: {message}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("no.safetensors"), "no field").unwrap();
    assert!(run_in(folder.path(), &["plan", "--field", "no.safetensors"]).failed(1).contains("no.safetensors"));
}

#[test]
fn cost_and_presets_show_losses() {
    let counted = json("cost --model mar-b --preset mar-64,gtr-8 --format json");
    let [many, few] = [0, 1].map(|at| counted[at]["loss"]["nats"].as_f64().unwrap());
    assert!(few > many && many > 0.0);
    let text = gtr("cost --model digits --preset gtr-8").succeeded();
    assert!(text.contains("loss: on the field digits, the mean of at most 64 images\n"), "{text}");
    let presets = gtr("presets gtr-16 --field exponential:2:0.01").succeeded();
    assert!(presets.contains("    Loss: 1.3") && presets.contains(" over 64 images) on the field\n"), "{presets}");
}

#[test]
fn figures_and_pages_show_losses() {
    for (format, one, none) in [
        ("svg", "Loss of each token, on the field exponential:2:0.01", "Loss of"),
        ("html", r#""field":"exponential:2:0.01""#, r#""field":"#),
    ] {
        for line in ["plan --preset gtr-16 --grid 8x8", "plan --compare gtr-8,mar-8 --grid 8x8"] {
            let file = gtr(&format!("{line} --format {format}")).succeeded();
            assert!(file.contains(one), "{line} {format}");
        }
        // Without a loss, none is drawn.
        let file = gtr(&format!("plan --preset mar-8 --grid 40x40 --format {format}")).succeeded();
        assert!(!file.contains(none), "{format}");
    }
}
