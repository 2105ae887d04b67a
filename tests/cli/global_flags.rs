//! Flags of all commands, and the short flags.

use std::fs;

use crate::support::{gtr, run_in};

#[test]
fn short_flags_and_threads_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let sample = |line: &str| run_in(folder.path(), &line.split_whitespace().collect::<Vec<_>>()).succeeded();
    sample("sample --class 1 --preset gtr-8 --t-max 8 --t-min 6 --t-rec 6 --count 2 --out long.png --threads 2");
    sample("sample --class 1 --preset gtr-8 --t-max 8 --t-min 6 --t-rec 6 -n 2 -o short.png --threads 1");
    assert!(fs::read(folder.path().join("long.png")).unwrap() == fs::read(folder.path().join("short.png")).unwrap());
}

#[test]
fn quiet_leaves_out_notes_but_not_errors() {
    let loud = gtr("plan --preset mar-64 --grid 4");
    assert!(loud.stderr.starts_with("note: ") && loud.code == 0, "{}", loud.stderr);
    let quiet = gtr("plan --preset mar-64 --grid 4 -q");
    assert_eq!((quiet.stderr.as_str(), quiet.stdout), ("", loud.stdout));
    assert!(gtr("plan --grid 0x4 --quiet").failed(2).contains("invalid grid"));
}

#[test]
fn colours_can_be_forced_and_disabled() {
    let has_styles = |when: &str| gtr(&format!("plan --grid 4 --color {when}")).succeeded().contains('\u{1b}');
    // Standard output of the test is not a terminal.
    assert_eq!(["always", "never", "auto"].map(has_styles), [true, false, false]);
}

#[test]
fn one_side_is_a_square_grid() {
    assert_eq!(gtr("plan --grid 8").succeeded(), gtr("plan --grid 8x8").succeeded());
}
