//! File systems without locks, such as many Lustre and NFS mounts. `flock` fails there; here a preloaded library makes it fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{files, run_in, run_with, start_with};

/// Flags for twenty-four digits, one per batch, which takes a moment.
const IN_TURN: &str =
    "sample --classes balanced --count 24 --batch 1 --preset gtr-8 --diffusion constant --t 1 --detail none";

/// Builds a library whose `flock` fails. Returns nothing without a C compiler; then only the unit tests of `bulk/lock.rs` and
/// `bulk/owner.rs` cover this case.
fn without_locks(folder: &Path, error: &str) -> Option<PathBuf> {
    let (source, library) = (folder.join("flock.c"), folder.join(format!("{error}.so")));
    fs::write(&source, format!("#include <errno.h>\nint flock(int file, int how) {{ (void)file; (void)how; errno = {error}; return -1; }}\n"))
        .unwrap();
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).stderr(Stdio::null()).status();
    built.is_ok_and(|status| status.success()).then_some(library)
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn parts_can_be_killed_and_resumed_without_locks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(library) = without_locks(folder, "ENOLCK") else { return };
    let preload = [("LD_PRELOAD", library.to_str().unwrap())];
    run_in(folder, &words(&format!("{IN_TURN} --out whole.npz"))).succeeded();
    for (shard, signal) in [("0/2", Signal::SIGKILL), ("1/2", Signal::SIGTERM)] {
        let line = format!("{IN_TURN} --out parts --shard {shard}");
        let before = if shard == "0/2" { 0 } else { 12 };
        let mut child = start_with(folder, &words(&line), &preload);
        while !folder.join(format!("parts/{:05}.png", before + 2)).exists() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        // While it runs, other processes are refused, and the error names the lock owner.
        let error = run_with(folder, &words(&format!("{line} --resume")), &preload).failed(1);
        assert!(error.starts_with(&format!("error: process {} on ", child.id())), "{error}");
        assert!(
            error.contains(" is generating this part: wait for it or end it first; if it has already ended, remove "),
            "{error}"
        );
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        child.wait().unwrap();
        let run = run_with(folder, &words(&format!("{line} --resume")), &preload);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(
            run.stderr.contains("note: the file system has no locks (No locks available (os error 37)): "),
            "{}",
            run.stderr
        );
        let taken_over = run.stderr.contains(" has ended: taking over its part");
        assert_eq!(taken_over, signal == Signal::SIGKILL, "{}", run.stderr);
    }
    // The files that named the lock owners are removed.
    assert_eq!(files(&folder.join("parts/shards")), ["0-of-2.json", "0-of-2.lock", "1-of-2.json", "1-of-2.lock"]);
    run_in(folder, &words("merge parts --out parts.npz")).succeeded();
    assert!(fs::read(folder.join("parts.npz")).unwrap() == fs::read(folder.join("whole.npz")).unwrap());
}

#[test]
fn a_part_of_a_process_on_another_host_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(library) = without_locks(folder, "ENOSYS") else { return };
    let preload = [("LD_PRELOAD", library.to_str().unwrap())];
    fs::create_dir_all(folder.join("a/shards")).unwrap();
    let holder = folder.join("a/shards/0-of-1.holder");
    fs::write(&holder, r#"{"host":"node7","pid":123,"origin":{"boot":"b","namespace":"pid:[1]","start":5}}"#).unwrap();
    let line = IN_TURN.replace("24", "2");
    let error = run_with(folder, &words(&format!("{line} --out a")), &preload).failed(1);
    assert_eq!(
        error,
        "error: process 123 on node7 is generating this part: wait for it or end it first; if it has already ended, remove \
         a/shards/0-of-1.holder\n"
    );
    // --no-lock overrides the check.
    assert_eq!(run_with(folder, &words(&format!("{line} --out a --no-lock")), &preload).stderr, "");
    assert!(holder.exists());
    // Stores also work without locks.
    let eval = "eval --presets gtr-8 --diffusion constant --t 1 --detail none --count 10 --resamples 20 --untimed --store seen";
    let plain = run_with(folder, &words(eval), &preload).succeeded();
    assert_eq!(run_in(folder, &words(eval)).succeeded(), plain);
}
