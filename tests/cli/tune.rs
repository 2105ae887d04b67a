//! The search for a schedule under a budget, with numbers of images that take seconds.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Run, files, gtr, run_in, run_with, start_in, write_tiny_model};

/// Few candidates, few images.
const TINY: &str =
    "tune --model tiny --random-weights --budget gtr-16 --candidates 4 --first-count 10 --count 20 --resamples 40";

/// Creates a folder with a tiny model, whose images have the format of `digits`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_tiny_model(&folder.path().join("tiny"));
    folder
}

/// Returns the cost of an image with a preset.
fn cost(folder: &Path, preset: &str) -> f64 {
    let counted = run_in(folder, &["cost", "--model", "tiny", "--preset", preset, "--format", "json"]).succeeded();
    serde_json::from_str::<Value>(&counted).unwrap()[0]["total"].as_f64().unwrap()
}

fn tune(folder: &Path, flags: &str) -> Run {
    line(folder, &format!("{TINY} {flags}"))
}

fn line(folder: &Path, line: &str) -> Run {
    run_in(folder, &line.split_whitespace().collect::<Vec<_>>())
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn results_keep_the_budget_and_are_reproducible() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("other")).unwrap();
    let budget = 0.9 * cost(folder.path(), "gtr-16");
    let flags = format!("{} --out found.json --store seen", TINY.replace("gtr-16", &budget.to_string()));
    let told = line(folder.path(), &flags).succeeded();
    // Neither the batch size, nor the number of threads, nor the store changes the result.
    let again = flags.replace("--out found.json --store seen", "--out other/found.json --batch 3");
    let again: Vec<&str> = again.split_whitespace().collect();
    assert_eq!(told, run_with(folder.path(), &again, &[("RAYON_NUM_THREADS", "1")]).succeeded());
    assert_eq!(fs::read(path("found.json")).unwrap(), fs::read(path("other/found.json")).unwrap());

    let preset = json(&path("found.json"));
    assert_eq!((preset["name"].as_str(), preset["status"].as_str()), (Some("found"), Some("ours")));
    let evidence = &preset["evidence"];
    assert_eq!(evidence["budget"]["operations"], budget);
    let (search, last) = (&evidence["search"], &evidence["final"]);
    let rounds = search["rounds"].as_array().unwrap();
    let size = |round: &Value| (round["images"].as_u64(), round["ranking"].as_array().map(Vec::len));
    assert_eq!(rounds.iter().map(size).collect::<Vec<_>>(), [(Some(10), Some(4)), (Some(20), Some(2))]);
    for candidate in rounds.iter().flat_map(|round| round["ranking"].as_array().unwrap()) {
        assert!(candidate["operations"].as_f64().unwrap() <= budget, "{candidate}");
    }
    assert_eq!(rounds[1]["ranking"][0]["candidate"], search["best"]);
    assert_eq!((&search["reference"], &last["reference"]), (&"first".into(), &"second".into()));
    assert_ne!(search["image_seeds"], last["image_seeds"]);
    assert!(told.contains(last["verdict"].as_str().unwrap()));

    // The plan is valid and has the cost in the evidence; other commands accept the file.
    line(folder.path(), "plan --schedule found.json --format json --out plan.json").succeeded();
    line(folder.path(), "verify plan.json").succeeded();
    let eval = "eval --model tiny --random-weights --schedule found.json --reference second --count 20 --resamples 40 \
                --format json --store seen";
    let table: Value = serde_json::from_str(&line(folder.path(), eval).succeeded()).unwrap();
    let (row, told) = (&table["rows"][0], &last["rows"][1]);
    assert_eq!((&row["frechet"], &row["operations"]), (&told["frechet"], &told["operations"]));
    assert!(row["operations"].as_f64().unwrap() <= budget);
}

/// Candidates with optional axes are named and recorded with them, and the result can be used.
#[test]
fn optional_axes_are_searched() {
    let folder = folder();
    let flags = TINY.replace("--candidates 4", "--candidates 16");
    line(folder.path(), &format!("{flags} --out found.json")).succeeded();
    let preset = json(&folder.path().join("found.json"));
    let first = &preset["evidence"]["search"]["rounds"][0]["ranking"];
    let with_axes: Vec<_> = first.as_array().unwrap().iter().filter(|it| it.get("axes").is_some()).collect();
    assert!((2..=11).contains(&with_axes.len()), "{first}");
    for candidate in with_axes {
        let name = candidate["candidate"].as_str().unwrap();
        for (axis, config) in candidate["axes"].as_object().unwrap() {
            assert!(name.contains(&format!(", {axis} {}", config["kind"].as_str().unwrap())), "{candidate}");
        }
    }
    // The axes of the best candidate are those of the schedule that is written.
    let best = first.as_array().unwrap().iter().find(|it| it["candidate"] == preset["evidence"]["search"]["best"]);
    let required = ["order", "pace", "diffusion", "detail", "adapt"];
    let mut axes = preset["schedule"].as_object().unwrap().clone();
    axes.retain(|name, _| !required.contains(&name.as_str()));
    assert_eq!(best.unwrap().get("axes").cloned().unwrap_or_else(|| serde_json::json!({})), Value::from(axes));
    line(folder.path(), "plan --schedule found.json --format json --out plan.json").succeeded();
    line(folder.path(), "verify plan.json").succeeded();
}

#[test]
fn at_its_own_cost_the_baseline_is_gtr_16() {
    let folder = folder();
    let told = tune(folder.path(), "--out p.json").succeeded();
    let preset = json(&folder.path().join("p.json"));
    assert_eq!(preset["evidence"]["final"]["rows"][0]["name"], "gtr-16");
    assert_eq!(preset["evidence"]["budget"]["operations"], cost(folder.path(), "gtr-16"));
    assert!(told.contains("gtr-16"), "{told}");

    let alone = TINY.replace("--candidates 4", "--candidates 1 --out alone.json");
    let told = line(folder.path(), &alone).succeeded();
    assert!(told.contains("The search found nothing better than gtr-16."), "{told}");
    let known: Value = serde_json::from_str(&gtr("presets gtr-16 --format json").succeeded()).unwrap();
    assert_eq!(json(&folder.path().join("alone.json"))["schedule"], known.get(0).unwrap_or(&known)["schedule"]);
}

#[test]
fn seconds_can_be_the_budget() {
    let folder = folder();
    // A budget that is too small is refused, by the number of operations or by the measured time.
    let refused = line(folder.path(), &TINY.replace("gtr-16", "1e-9s"));
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("--budget: "), "{}", refused.stderr);
    line(folder.path(), &(TINY.replace("gtr-16", "10s") + " --store seen --out p.json")).succeeded();
    let evidence = &json(&folder.path().join("p.json"))["evidence"];
    let budget = &evidence["budget"];
    assert_eq!((&budget["asked"], &budget["seconds"]), (&"10s".into(), &10.0.into()));
    assert!(budget["seconds_of_gtr-16"].as_f64().unwrap() > 0.0);
    assert!(evidence["final"]["rows"][1]["seconds"].as_f64().unwrap() > 0.0);
}

/// A search that is killed and resumed writes the same file as an uninterrupted one, and generates no finished image
/// again.
#[cfg(unix)]
#[test]
fn a_resumed_search_finds_the_same() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    tune(folder.path(), "--out whole.json --store whole").succeeded();
    let again = format!("{TINY} --out killed.json --store killed --batch 5");
    let again: Vec<&str> = again.split_whitespace().collect();
    let mut child = start_in(folder.path(), &again);
    let kept = || -> u64 {
        let Ok(entries) = fs::read_dir(path("killed")) else { return 0 };
        let verdicts = entries.flatten().filter(|it| it.path().extension().is_some_and(|it| it == "verdicts"));
        verdicts.filter_map(|it| it.metadata().ok()).map(|it| it.len()).sum()
    };
    while kept() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "the search ended before it was killed");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!path("killed.json").exists());
    // The store after the kill is a prefix of the final store, byte for byte, including the time of each image.
    let before: Vec<(String, Vec<u8>)> = verdicts(&path("killed"));
    run_in(folder.path(), &again).succeeded();
    for (name, bytes) in before {
        let whole = bytes.len() / RECORD * RECORD;
        assert_eq!(fs::read(path("killed").join(&name)).unwrap()[..whole], bytes[..whole], "{name}");
    }
    let (killed, whole) = (json(&path("killed.json")), json(&path("whole.json")));
    for part in ["schedule", "evidence"] {
        assert_eq!(killed[part], whole[part]);
    }
}

/// Size of the record of an image in a store, in bytes: number, seconds, 64 features, 10 logits, checksum.
const RECORD: usize = 8 + 4 * (1 + 64 + 10) + 8;

fn verdicts(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = files(folder).into_iter().filter(|name| name.ends_with(".verdicts"));
    names.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn errors_are_one_line() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    for (flags, code, said) in [
        (
            "tune --budget 1e3",
            2,
            "1.000e3 operations per image are too few for the baseline: gtr-16 in 4 AR steps, its cheapest form, takes",
        ),
        ("tune --budget gtr-7", 2, "expected operations per image (2e10)"),
        ("tune --budget -1", 2, "expected operations per image (2e10)"),
        ("tune --budget gtr-16 --seed 3 --seeds 2,3", 2, "the search uses this seed"),
        ("tune --budget gtr-16 --first-count 15", 2, "expected a multiple of 10"),
        ("tune --budget gtr-16 --count 15", 2, "expected a multiple of 10"),
        ("tune --budget gtr-16 --candidates 0", 2, "--candidates"),
        ("tune --budget gtr-16 --temperature NaN --store new", 2, "expected a number, 0 to 100"),
        ("tune --budget 1e1 --store new", 2, "operations per image are too few"),
        ("tune --budget gtr-16 --store file", 1, "cannot create the folder file"),
        ("tune --budget gtr-16 --out none/p.json", 1, "create it first"),
        ("tune --budget gtr-16 --model mar-b", 2, "the judge needs a model of 10 classes"),
    ] {
        let error = line(folder.path(), flags).failed(code);
        assert!(error.contains(said), "{flags}: {error}");
    }
    assert_eq!(files(folder.path()), ["file", "tiny"]);
}

#[test]
fn a_modified_store_is_refused_or_regenerated() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    tune(folder.path(), "--out a.json --store seen").succeeded();
    let some: Vec<String> = files(&path("seen")).into_iter().filter(|name| name.ends_with(".verdicts")).collect();
    let damaged = path("seen").join(&some[0]);
    let mut bytes = fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let again = tune(folder.path(), "--out a2.json --store seen");
    assert!(again.stderr.contains("damaged records: their images will be generated again"), "{}", again.stderr);
    again.succeeded();
    assert_eq!(json(&path("a.json"))["evidence"], json(&path("a2.json"))["evidence"]);

    // Larger than the file of any search, so it is not read.
    fs::File::options().write(true).open(&damaged).unwrap().set_len(3 << 30).unwrap();
    let refused = tune(folder.path(), "--out b.json --store seen");
    assert_eq!(refused.code, 1);
    let last = refused.stderr.lines().last().unwrap_or_default();
    assert!(last.contains(".verdicts: cannot be read: the file is larger than"), "{}", refused.stderr);
    assert!(!path("b.json").exists());
}

#[test]
fn other_files_are_not_presets() {
    let folder = folder();
    for (text, said) in [
        (r#"{"schedule": {}}"#, "p.json: it is not a schedule: "),
        (r#"{"schedule": 1, "name": "x"}"#, "p.json: it is not a schedule: "),
        (r#"{"name": "x"}"#, "p.json: it is not a schedule: "),
        ("[", "p.json: it is not a schedule: "),
    ] {
        fs::write(folder.path().join("p.json"), text).unwrap();
        let error = run_in(folder.path(), &["plan", "--schedule", "p.json"]).failed(1);
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn the_documented_result_is_readable_and_keeps_its_budget() {
    let found = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/results/tuned-digits.json");
    let plan = run_in(folder().path(), &["plan", "--schedule", found, "--grid", "8x8", "--format", "json"]).succeeded();
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let preset: Value = serde_json::from_str(&fs::read_to_string(found).unwrap()).unwrap();
    assert_eq!(plan["schedule"]["pace"], preset["schedule"]["pace"]);
    let costs = gtr("cost --model digits --preset gtr-16 --format json").succeeded();
    let costs: Value = serde_json::from_str(&costs).unwrap();
    assert_eq!(preset["evidence"]["budget"]["operations"], costs[0]["total"]);
}

/// The command on a page contains everything that determines the page.
#[test]
fn the_command_on_a_page_reproduces_the_page() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::rename(path("tiny"), path("ti ny")).unwrap();
    fs::create_dir_all(path("docs/results")).unwrap();
    let words =
        ["experiment", "steps", "--model", "ti ny", "--random-weights=7", "--dtype", "bf16", "--device", "auto"];
    let more = ["--count", "20", "--resamples", "20", "--store", "seen"];
    let page = run_in(folder.path(), &[&words[..], &more[..]].concat()).succeeded();
    let command = page.lines().find_map(|line| line.strip_prefix("gtr-cli ")).unwrap();
    run_in(folder.path(), &shlex::split(command).unwrap().iter().map(String::as_str).collect::<Vec<_>>()).succeeded();
    assert_eq!(fs::read_to_string(path("docs/results/steps.md")).unwrap(), page);
    let settings = &json(&path("docs/results/steps.json"))["settings"];
    assert_eq!((&settings["dtype"], &settings["random_weights"]), (&"bf16".into(), &7.into()));
}
