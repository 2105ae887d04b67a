//! The example of `gtr-cli`: the command line with a custom order.

use std::env;
use std::fs;
use std::process::{Command, ExitCode};

#[expect(dead_code, reason = "`main` is only for the example")]
#[path = "../../gtr-cli/examples/own_order.rs"]
mod program;

/// Environment variable with the words of a command line, one per line.
const WORDS: &str = "GTR_TEST_OWN_ORDER";

/// Runs the program if the variable is set; otherwise does nothing. Other tests start it as a process.
#[test]
fn program() {
    let Ok(words) = env::var(WORDS) else { return };
    let code = program::run(words.lines().map(Into::into));
    // The value of an `ExitCode` can only be compared through its debug format.
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}

/// Runs the program in a process. Returns true if it succeeds, and its output.
fn run(words: &[&str]) -> (bool, String) {
    let mut line = vec!["own_order"];
    line.extend(words);
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "own_order::program", "--nocapture"])
        .env(WORDS, line.join("\n"))
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

#[test]
fn a_custom_order_is_planned_verified_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let file = path.to_str().unwrap();
    let plan =
        ["plan", "--preset", "mar-16", "--grid", "6x9", "--order", "spiral", "--outwards", "true", "--out", file];
    let (succeeded, printed) = run(&plan);
    assert!(succeeded, "{printed}");
    let document = fs::read_to_string(&path).unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["schedule"]["order"], serde_json::json!({ "kind": "spiral", "outwards": true }));

    let (succeeded, printed) = run(&["verify", "--known-only", file]);
    assert!(succeeded && printed.contains("plan.json: valid, 6x9"), "{printed}");
    // Without the registration, the same plan is only partly verified.
    let built_in = Command::new(env!("CARGO_BIN_EXE_gtr-cli")).args(["verify", "--known-only", file]).output().unwrap();
    assert_eq!(built_in.status.code(), Some(1));

    let (succeeded, printed) = run(&["help", "plan"]);
    assert!(succeeded && printed.contains("--outwards") && printed.contains("Start in the centre instead"));
    assert!(printed.contains("spiral"), "{printed}");
    let (succeeded, printed) = run(&["schedulers", "spiral"]);
    assert!(succeeded && printed.contains("Ring by ring, from the border to the centre."), "{printed}");
}

#[test]
fn a_custom_order_is_sampled_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let [picture, trace] = ["seven.png", "seven.safetensors"].map(|name| folder.path().join(name));
    let (picture, trace) = (picture.to_str().unwrap(), trace.to_str().unwrap());
    let words = ["sample", "--class", "7", "--preset", "mar-8", "--t", "4", "--order", "spiral", "--out", picture];
    let (succeeded, printed) = run(&[&words[..], &["--trace", trace]].concat());
    assert!(succeeded, "{printed}");
    let (succeeded, printed) = run(&["inspect", picture]);
    assert!(succeeded && printed.contains("--order spiral"), "{printed}");
    let (succeeded, printed) = run(&["conform", trace]);
    assert!(succeeded && printed.contains("0 outside the tolerance"), "{printed}");
}
