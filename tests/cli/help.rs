//! Help, lists and completions.

use std::fs;

use insta::assert_snapshot;

use crate::support::{files, gtr, run_in};

const COMMANDS: [&str; 18] = [
    "plan",
    "sample",
    "merge",
    "verify",
    "cost",
    "design",
    "field",
    "eval",
    "experiment",
    "tune",
    "bench",
    "conform",
    "convert",
    "inspect",
    "schedulers",
    "presets",
    "schema",
    "completions",
];

#[test]
fn help_fits_into_80_columns_and_has_examples() {
    for command in [""].into_iter().chain(COMMANDS) {
        let long = gtr(&format!("{command} --help")).succeeded();
        assert!(long.contains("Examples:"), "{command}");
        let wide = long.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{command}: too wide for a terminal of 80 columns");
        let name = if command.is_empty() { "program" } else { command };
        assert_snapshot!(format!("help_{name}"), gtr(&format!("{command} -h")).succeeded());
    }
    assert_snapshot!("help_plan_long", gtr("plan --help").succeeded());
}

#[test]
fn without_a_command_the_commands_are_listed() {
    let run = gtr("");
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("Commands:"));
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(gtr("--version").succeeded(), concat!("gtr-cli ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn lists_show_all_choices() {
    assert_snapshot!("schedulers_bisection", gtr("schedulers bisection").succeeded());
    assert_snapshot!("presets", gtr("presets").succeeded());
    let page = gtr("schedulers --format markdown").succeeded();
    let all: Vec<serde_json::Value> = serde_json::from_str(&gtr("schedulers --format json").succeeded()).unwrap();
    let text = gtr("schedulers").succeeded();
    let help = gtr("plan --help").succeeded();
    for it in &all {
        let kind = it["kind"].as_str().unwrap();
        assert!(text.contains(&format!("\n  {kind}\n")), "{kind}");
        assert!(help.contains(&format!("- {kind}:")), "{kind}");
        assert!(page.contains(&format!("\n### `{kind}`\n")), "{kind}");
        for parameter in it["parameters"].as_array().unwrap() {
            let flag = parameter["name"].as_str().unwrap().replace('_', "-");
            assert!(help.contains(&format!("--{flag} <")), "{kind}: {flag}");
            assert!(page.contains(&format!("\n| `{}` | ", parameter["name"].as_str().unwrap())), "{kind}: {flag}");
        }
    }
}

/// `man` is for packages, so the list of commands does not show it.
#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["man", "--out-dir", "man1"]).succeeded();
    let mut expected: Vec<_> = COMMANDS.iter().map(|command| format!("gtr-cli-{command}.1")).collect();
    expected.push("gtr-cli.1".to_owned());
    expected.sort();
    assert_eq!(files(&folder.path().join("man1")), expected);
    let page = fs::read_to_string(folder.path().join("man1/gtr-cli-sample.1")).unwrap();
    assert!(page.contains(".SH OPTIONS") && page.contains("Examples:"), "{page}");
    assert!(!gtr("--help").succeeded().contains("\n  man "));
}

#[test]
fn completions_contain_all_registered_names() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = gtr(&format!("completions {shell}")).succeeded();
        for word in ["quincunx", "gtr-paper", "all-presets"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
