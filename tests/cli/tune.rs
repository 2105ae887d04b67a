//! The search for a schedule under a budget, with counts that take seconds.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{files, gtr, run_in, start_in};

/// Few candidates, few images, few steps.
const TINY: &str = "tune --budget 2e8 --candidates 4 --first-count 10 --count 20 --resamples 40";

fn tune(folder: &Path, flags: &str) -> crate::support::Run {
    let line = format!("{TINY} {flags}");
    run_in(folder, &line.split_whitespace().collect::<Vec<_>>())
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn what_is_found_keeps_the_budget_and_is_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("other")).unwrap();
    let told = tune(folder.path(), "--out found.json --store seen").succeeded();
    // Neither the batch, nor the threads, nor what is kept changes it.
    let line = format!("{TINY} --out other/found.json --batch 3");
    let line: Vec<&str> = line.split_whitespace().collect();
    let again = crate::support::run_with(folder.path(), &line, &[("RAYON_NUM_THREADS", "1")]).succeeded();
    assert_eq!(told, again);
    assert_eq!(fs::read(path("found.json")).unwrap(), fs::read(path("other/found.json")).unwrap());

    let preset = json(&path("found.json"));
    assert_eq!((preset["name"].as_str(), preset["status"].as_str()), (Some("found"), Some("ours")));
    let evidence = &preset["evidence"];
    assert_eq!(evidence["budget"]["operations"], 2e8);
    let rounds = evidence["search"]["rounds"].as_array().unwrap();
    let sizes: Vec<_> =
        rounds.iter().map(|it| (it["images"].as_u64(), it["ranking"].as_array().unwrap().len())).collect();
    assert_eq!(sizes, [(Some(10), 4), (Some(20), 2)]);
    for candidate in rounds.iter().flat_map(|round| round["ranking"].as_array().unwrap()) {
        assert!(candidate["operations"].as_f64().unwrap() <= 2e8, "{candidate}");
    }
    assert_eq!(rounds[1]["ranking"][0]["candidate"], evidence["search"]["best"]);
    let (search, last) = (&evidence["search"], &evidence["final"]);
    assert_eq!((&search["reference"], &last["reference"]), (&"first".into(), &"second".into()));
    assert_ne!(search["image_seeds"], last["image_seeds"]);
    assert!(told.contains(last["verdict"].as_str().unwrap()));

    // The plan is sound and costs what the evidence says; other commands take the file as it is.
    let plan = run_in(folder.path(), &["plan", "--schedule", "found.json", "--format", "json", "--out", "plan.json"]);
    plan.succeeded();
    run_in(folder.path(), &["verify", "plan.json"]).succeeded();
    let line = "eval --schedule found.json --reference second --count 20 --resamples 40 --format json --store seen";
    let row = run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>()).succeeded();
    let row: Value = serde_json::from_str(&row).unwrap();
    assert_eq!(row["rows"][0]["frechet"], last["rows"][1]["frechet"]);
    assert_eq!(row["rows"][0]["operations"], last["rows"][1]["operations"]);
    assert!(row["rows"][0]["operations"].as_f64().unwrap() <= 2e8);
}

#[test]
fn at_its_own_cost_the_baseline_is_gtr_16_itself() {
    let folder = tempfile::tempdir().unwrap();
    let line = "tune --budget gtr-16 --candidates 1 --first-count 10 --count 10 --resamples 20 --out p.json";
    let told = run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>()).succeeded();
    assert!(told.contains("The search found nothing that is better than gtr-16."), "{told}");
    let (found, known) = (json(&folder.path().join("p.json")), gtr("presets gtr-16 --format json").succeeded());
    let known: Value = serde_json::from_str(&known).unwrap();
    let known = known.get(0).unwrap_or(&known);
    assert_eq!(found["schedule"], known["schedule"]);
}

#[test]
fn seconds_are_a_limit_too() {
    let folder = tempfile::tempdir().unwrap();
    let line =
        "tune --budget 1000s --candidates 1 --first-count 10 --count 10 --resamples 20 --store seen --out p.json";
    run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>()).succeeded();
    let budget = &json(&folder.path().join("p.json"))["evidence"]["budget"];
    assert_eq!((&budget["asked"], &budget["seconds"]), (&"1000s".into(), &1000.0.into()));
    assert!(budget["seconds_of_gtr-16"].as_f64().unwrap() > 0.0);
}

/// Killed with no chance to finish anything, then continued, it makes the file that it makes in one go, and no image that
/// was finished is made again.
#[cfg(unix)]
#[test]
fn killed_and_continued_it_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    tune(folder.path(), "--out whole.json --store whole").succeeded();
    let line = format!("{TINY} --out killed.json --store killed --batch 5");
    let line: Vec<&str> = line.split_whitespace().collect();
    let mut child = start_in(folder.path(), &line);
    let kept = || -> u64 {
        let Ok(entries) = fs::read_dir(path("killed")) else { return 0 };
        let verdicts = entries.flatten().filter(|it| it.path().extension().is_some_and(|it| it == "verdicts"));
        verdicts.filter_map(|it| it.metadata().ok()).map(|it| it.len()).sum()
    };
    while kept() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!path("killed.json").exists());
    // A marker in place of time: what was kept then is, byte for byte, the beginning of what is kept in the end.
    let before: Vec<(String, Vec<u8>)> = verdicts(&path("killed"));
    run_in(folder.path(), &line).succeeded();
    for (name, bytes) in before {
        let whole = bytes.len() / RECORD * RECORD;
        assert_eq!(fs::read(path("killed").join(&name)).unwrap()[..whole], bytes[..whole], "{name}");
    }
    let (killed, whole) = (json(&path("killed.json")), json(&path("whole.json")));
    for part in ["schedule", "evidence"] {
        assert_eq!(killed[part], whole[part]);
    }
}

/// Bytes of an image in a store: number, seconds, 64 features, 10 logits, checksum.
const RECORD: usize = 8 + 4 * (1 + 64 + 10) + 8;

fn verdicts(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = files(folder).into_iter().filter(|name| name.ends_with(".verdicts"));
    names.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn what_cannot_be_done_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for (flags, code, said) in [
        ("tune --budget 1e6", 2, "1.000e6 operations an image are too few: gtr-16 in its fewest steps, 3, takes"),
        ("tune --budget gtr-7", 2, "operations an image, as 1.2e9"),
        ("tune --budget -1", 2, "operations an image, as 1.2e9"),
        ("tune --budget gtr-16 --seed 3 --seeds 2,3", 2, "the search sees images of that seed"),
        ("tune --budget gtr-16 --first-count 15", 2, "give a multiple of 10"),
        ("tune --budget gtr-16 --count 15", 2, "give a multiple of 10"),
        ("tune --budget gtr-16 --candidates 0", 2, "--candidates"),
        ("tune --budget gtr-16 --store file", 1, "cannot make the folder file"),
        ("tune --budget gtr-16 --out none/p.json", 1, "create it first"),
        ("tune --budget gtr-16 --model mar-b", 2, "the judge sees ten digits"),
    ] {
        let line: Vec<&str> = flags.split_whitespace().collect();
        let error = run_in(folder.path(), &line).failed(code);
        assert!(error.contains(said), "{flags}: {error}");
    }
    assert_eq!(files(folder.path()), ["file"]);
}

#[test]
fn a_store_that_was_tampered_with_is_refused_or_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    tune(folder.path(), "--out a.json --store seen").succeeded();
    let some: Vec<String> = files(&path("seen")).into_iter().filter(|name| name.ends_with(".verdicts")).collect();
    let damaged = path("seen").join(&some[0]);
    let mut bytes = fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let again = tune(folder.path(), "--out a2.json --store seen");
    assert!(again.stderr.contains("damaged images: they are made again"), "{}", again.stderr);
    again.succeeded();
    assert_eq!(json(&path("a.json"))["evidence"], json(&path("a2.json"))["evidence"]);

    // More than any search writes: nothing of it is read.
    fs::File::options().write(true).open(&damaged).unwrap().set_len(3 << 30).unwrap();
    let refused = tune(folder.path(), "--out b.json --store seen");
    assert_eq!(refused.code, 1);
    let last = refused.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: cannot read ") && last.contains("it has more than"), "{}", refused.stderr);
    assert!(!path("b.json").exists());
}

#[test]
fn a_file_that_is_no_preset_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (text, said) in [
        (r#"{"schedule": {}}"#, "p.json is no schedule: "),
        (r#"{"schedule": 1, "name": "x"}"#, "p.json is no schedule: "),
        (r#"{"name": "x"}"#, "p.json is no schedule: "),
        ("[", "p.json is no schedule: "),
    ] {
        fs::write(folder.path().join("p.json"), text).unwrap();
        let error = run_in(folder.path(), &["plan", "--schedule", "p.json"]).failed(1);
        assert!(error.contains(said), "{text}: {error}");
    }
}
