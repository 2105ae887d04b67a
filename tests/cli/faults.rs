//! Regression tests: no file is lost without an explicit request, and errors are reported before any work is done.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::support::{Run, files, run_in, run_with_input};

/// Flags for digits with little computation.
const QUICK: &str = "--preset gtr-8 --diffusion constant --t 2 --detail none";

fn gtr(folder: &Path, line: &str) -> Run {
    run_in(folder, &line.split_whitespace().collect::<Vec<_>>())
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| fs::read(folder.join(&name)).ok().map(|bytes| (name, bytes));
    files(folder).into_iter().filter_map(read).collect()
}

#[test]
fn images_of_another_run_are_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let balanced = format!("sample --classes balanced --count 8 {QUICK} --out rt/");
    gtr(folder, &balanced).succeeded();
    let before = contents(&folder.join("rt"));
    for line in [
        format!("sample --class 0..7 --seed 5 {QUICK} --out rt/"),
        format!("sample --class 0..7 {QUICK} --out rt"),
        format!("{balanced} --seed 5"),
        format!("{balanced} --shard 0/2"),
        balanced.clone(),
    ] {
        let error = gtr(folder, &line).failed(1);
        assert!(error.contains("--overwrite"), "{line}: {error}");
        assert_eq!(contents(&folder.join("rt")), before, "{line}");
    }
    gtr(folder, "merge rt").succeeded();

    // With the flag, the files are replaced and nothing of the other run remains.
    gtr(folder, &format!("{} --seed 5 --overwrite", balanced.replace("--count 8", "--count 6"))).succeeded();
    assert_eq!(gtr(folder, "merge rt").succeeded(), "rt: 6 images, 1 part, complete\n");
    assert_eq!(files(&folder.join("rt")).iter().filter(|name| name.len() == 9).count(), 6);
    gtr(folder, &format!("sample --class 0..7 --seed 5 {QUICK} --out rt --overwrite")).succeeded();
    assert!(gtr(folder, "merge rt").failed(1).contains("no manifests"));
}

#[test]
fn other_files_are_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let names = [("a", "00003.png"), ("b", "00003.png"), ("c", "labels.jsonl")];
    for (out, name) in names {
        fs::create_dir(folder.join(out)).unwrap();
        fs::write(folder.join(out).join(name), "mine").unwrap();
    }
    let class = format!("sample --class 0..7 {QUICK} --out a");
    let part = format!("sample --classes balanced --count 8 {QUICK} --shard 0/2 --out b");
    let whole = format!("sample --classes balanced --count 8 {QUICK} --out c");
    for (line, (out, name)) in [&class, &part, &whole].into_iter().zip(names) {
        let error = gtr(folder, line).failed(1);
        assert!(error.contains(&format!("{out}/{name} is not from this run")), "{error}");
        assert_eq!(fs::read(folder.join(out).join(name)).unwrap(), b"mine");
        gtr(folder, &format!("{line} --overwrite")).succeeded();
        assert_ne!(fs::read(folder.join(out).join(name)).unwrap(), b"mine");
    }
    // A part that does not contain this image is not affected, and a run may be repeated.
    fs::write(folder.join("b/00003.png"), "mine").unwrap();
    gtr(folder, &part.replace("0/2", "1/2")).succeeded();
    let before = contents(&folder.join("a"));
    gtr(folder, &class).succeeded();
    assert_eq!(contents(&folder.join("a")), before);
    // Several runs may write to one folder.
    gtr(folder, &format!("sample --class 0 --first-image 8 {QUICK} --out a")).succeeded();
    assert_eq!(files(&folder.join("a")).len(), before.len() + 1);
}

#[test]
fn resuming_a_finished_archive_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = format!("sample --classes balanced --count 4 {QUICK} --out x");
    for out in ["", ".npz"] {
        gtr(folder, &format!("{line}{out}")).succeeded();
        let again = gtr(folder, &format!("{line}{out} --resume")).succeeded();
        assert!(again.contains("0 generated now"), "{again}");
    }
    let before = fs::read(folder.join("x.npz")).unwrap();
    assert!(gtr(folder, &format!("{line}.npz --seed 1")).failed(1).contains("x.npz already exists"));
    assert_eq!(fs::read(folder.join("x.npz")).unwrap(), before);
    gtr(folder, &format!("{line}.npz --seed 1 --overwrite")).succeeded();
    assert_ne!(fs::read(folder.join("x.npz")).unwrap(), before);
}

#[test]
fn the_extension_selects_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    gtr(folder, &format!("sample --classes balanced --count 2 {QUICK} --shard 0/1 --out kd")).succeeded();
    gtr(folder, "plan --preset gtr-8 --grid 8x8 --out p.json").succeeded();
    let before = files(folder);
    let mut lines = String::new();
    for (code, line) in [
        (2, "sample --class 1 --out q.jpg"),
        (2, "sample --class 1 --out q"),
        (2, "sample --class 1 --trace t --out q.png"),
        (2, "sample --class 1 --trace - --out q.png"),
        (2, "sample --classes balanced --count 2 --out q.jpg"),
        (2, "sample --classes balanced --count 2 --out q.png"),
        (2, "sample --classes balanced --count 2 --out -"),
        (1, "sample --class 1 --out p.json/q.png"),
        (1, "sample --class 1 --out p.json/"),
        (1, "sample --class 1 --out none/q/"),
        (2, "merge kd --out m.png"),
        (2, "merge kd --out -"),
        (2, "plan --out q.pdf"),
        (2, "plan --out q"),
        (2, "plan --format svg --out q.png"),
        (2, "plan --compare gtr-8,gtr-16 --out q.pdf"),
        (2, "schedulers --out q.pdf"),
        (2, "eval --out q.pdf"),
        (2, "eval --plot q.pdf"),
        (2, "tune --budget gtr-16 --out q.txt"),
        (2, "inspect kd/00000.png --out q.pdf"),
        (2, "inspect kd/00000.png --plan-out q.txt"),
        (2, "inspect kd/00000.png --plan-out -"),
        (2, "convert p.json q.pth"),
        (2, "convert p.json -"),
        (2, "experiment table-3 --out q.md"),
    ] {
        let _ = write!(lines, "{line}\n  {}", gtr(folder, line).failed(code));
    }
    insta::assert_snapshot!("endings", lines);
    assert_eq!(files(folder), before);
    // A device accepts every format.
    gtr(folder, "plan --preset gtr-8 --out /dev/null").succeeded();
    gtr(folder, &format!("sample --class 1 {QUICK} --out /dev/null")).succeeded();
}

#[test]
fn a_dash_is_standard_input_or_output() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sample = format!("sample --class 1 {QUICK}");
    let summary = gtr(folder, &format!("{sample} --out x.png")).succeeded();
    assert!(summary.starts_with("x.png: 1 image, "), "{summary}");
    let picture = fs::read(folder.join("x.png")).unwrap();
    let mut child = crate::support::start_in(folder, &format!("{sample} --out -").split(' ').collect::<Vec<_>>());
    let mut found = Vec::new();
    std::io::Read::read_to_end(&mut child.stdout.take().unwrap(), &mut found).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && found == picture, "{stderr}");
    assert!(stderr.starts_with("-: 1 image, "), "{stderr}");

    let plan = gtr(folder, "plan --preset gtr-8 --grid 8x8 --format json").succeeded();
    assert_eq!(gtr(folder, "plan --preset gtr-8 --grid 8x8 --format json --out -").succeeded(), plan);
    assert_eq!(
        gtr(folder, "schedulers bisection --out -").succeeded(),
        gtr(folder, "schedulers bisection").succeeded()
    );
    let schedule = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/presets/gtr-8.json")).unwrap();
    let read = |args: &str, input: &[u8]| run_with_input(&args.split(' ').collect::<Vec<_>>(), input).succeeded();
    let told = read("plan --schedule - --grid 8x8 --format json", &schedule);
    assert_eq!(told, plan);
    assert!(read("verify -", plan.as_bytes()).starts_with("-: valid"));
    assert!(read("plan --plan -", plan.as_bytes()).starts_with("- on 8x8"));
    for file in ["-", "/dev/stdin"] {
        let told = read(&format!("inspect {file}"), &picture);
        assert!(told.starts_with(&format!("{file}: 256x256 pixels")) && told.contains("picture-again.png"), "{told}");
    }
    assert_eq!(files(folder), ["x.png"]);
    for line in [
        format!("{sample} --out - --preview"),
        format!("{sample} --out - --animate -"),
        format!("{sample} --init - --mask - --out y.png"),
        "inspect - --plan-out -".to_owned(),
    ] {
        gtr(folder, &line).failed(2);
    }
}

#[test]
fn a_pipe_accepts_a_picture_but_not_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    gtr(folder, &format!("sample --class 1 {QUICK} --trace t.safetensors --out x.png")).succeeded();
    let trace = fs::read(folder.join("t.safetensors")).unwrap();
    assert!(
        run_with_input(&["inspect", "-"], &trace)
            .failed(1)
            .contains("cannot read tensors from a pipe: give their file")
    );
    for nothing in [&b""[..], b"\x89PNG\r\n\x1a\n", b"GIF89a"] {
        run_with_input(&["inspect", "-"], nothing).failed(1);
    }
}

#[test]
fn the_initial_picture_may_come_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    gtr(folder.path(), &format!("sample --class 3 {QUICK} --scale 1 --out a.png")).succeeded();
    crate::support::write_grey(&folder.path().join("m.png"), 32, 32, |row, _| if row < 16 { 255 } else { 0 });
    let run = |init: &str, out: &str| {
        let line = format!("sample --class 3 {QUICK} --init {init} --mask {} --out {}", path("m.png"), path(out));
        run_with_input(&line.split(' ').collect::<Vec<_>>(), &fs::read(path("a.png")).unwrap())
    };
    run("-", "b.png").succeeded();
    run(&path("a.png"), "c.png").succeeded();
    let pixels = |name: &str| crate::support::decode(Path::new(&path(name)));
    assert_eq!(pixels("b.png"), pixels("c.png"));
    let mask = path("m.png");
    let nothing =
        run_with_input(&["sample", "--class", "3", "--init", "-", "--mask", &mask, "--out", &path("x.png")], b"");
    assert!(nothing.failed(1).contains("-: it is empty"));
}

#[test]
fn a_batch_too_large_for_memory_is_refused_first() {
    let folder = tempfile::tempdir().unwrap();
    for out in ["--out a/", "--classes balanced --out b"] {
        let class = if out.contains("balanced") { "" } else { "--class 1" };
        let line = format!("sample {class} --count 4294967295 --batch 4294967295 {QUICK} {out}");
        let error = gtr(folder.path(), &line).failed(2);
        assert!(
            error.contains("--batch 4294967295: an image needs about ") && error.contains(" of this machine"),
            "{error}"
        );
    }
    assert!(files(folder.path()).is_empty());
    // The batch size is limited by the number of images.
    gtr(folder.path(), &format!("sample --class 1 --count 2 --batch 4294967295 {QUICK} --out x.png")).succeeded();
}

#[cfg(unix)]
mod signals {
    use std::process::{Child, Output};
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    /// Longest time until a run ends after a signal: five seconds, and some more for a busy machine.
    const SOON: Duration = Duration::from_secs(12);

    fn send(child: &Child, signal: Signal) {
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
    }

    fn start(folder: &Path, line: &str) -> Child {
        crate::support::start_in(folder, &line.split_whitespace().collect::<Vec<_>>())
    }

    /// Waits for the end, and fails after the limit.
    fn end(child: Child) -> (Option<i32>, String) {
        let started = Instant::now();
        let Output { status, stderr, .. } = child.wait_with_output().unwrap();
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
        (status.code(), String::from_utf8(stderr).unwrap())
    }

    #[test]
    fn a_signal_does_not_wait_for_a_long_batch() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let child = start(folder, "sample --classes balanced --count 20000 --batch 20000 --preset gtr-16 --out a");
        while !folder.join("a/shards/0-of-1.json").exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(500));
        send(&child, Signal::SIGTERM);
        let (code, stderr) = end(child);
        assert_eq!(code, Some(143), "{stderr}");
        assert!(stderr.starts_with("note: stop requested: finishing the current batch\nnote: stopped "), "{stderr}");
        assert!(files(&folder.join("a")) == ["shards"]);
    }

    #[test]
    fn a_second_signal_ends_immediately() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let child = start(folder, "eval --presets mar-64 --count 1000 --batch 1000 --store seen");
        // Before that, the first signal already ends the run.
        std::thread::sleep(Duration::from_secs(4));
        send(&child, Signal::SIGINT);
        std::thread::sleep(Duration::from_millis(500));
        send(&child, Signal::SIGINT);
        let (code, stderr) = end(child);
        assert_eq!(code, Some(130), "{stderr}");
        assert!(!stderr.contains("stopped"), "{stderr}");
    }

    #[test]
    fn an_unfinished_trace_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let child = start(folder, "sample --class 0..9 --count 9 --trace t.safetensors --out x.png");
            while files(folder).is_empty() {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(300));
            send(&child, signal);
            let (code, stderr) = end(child);
            assert!(code == Some(130) || code == Some(143), "{stderr}");
            assert!(files(folder).is_empty(), "{:?}", files(folder));
        }
    }

    #[test]
    fn ignored_signals_stay_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let script = format!(
            "trap '' HUP; exec {} sample --class 1 --count 4 {QUICK} --batch 1 --out a/",
            env!("CARGO_BIN_EXE_gtr-cli")
        );
        let mut shell = std::process::Command::new("sh");
        let child = shell.args(["-c", &script]).current_dir(folder).spawn().unwrap();
        while !folder.join("a").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        send(&child, Signal::SIGHUP);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(files(&folder.join("a")).len(), 4);
    }
}

#[cfg(unix)]
#[test]
fn links_to_missing_files_are_followed() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("real")).unwrap();
    for (link, to) in [("dangling.json", "real/new.json"), ("loop.json", "loop.json"), ("gone", "none")] {
        symlink(to, folder.join(link)).unwrap();
    }
    gtr(folder, "plan --grid 4x4 --out dangling.json").succeeded();
    assert!(folder.join("real/new.json").is_file());
    assert!(fs::symlink_metadata(folder.join("dangling.json")).unwrap().is_symlink());
    for (line, says) in [
        ("plan --grid 4x4 --out loop.json", "cannot write loop.json: "),
        ("plan --grid 4x4 --out loop.json/p.json", "Too many levels of symbolic links"),
        ("plan --grid 4x4 --out gone/p.json", "gone is a dangling link"),
        ("plan --grid 4x4 --out real/new.json/p.json", "real/new.json is a file, not a folder"),
        ("plan --grid 4x4 --out /dev/null/p.json", "/dev/null is a device or a pipe, not a folder"),
        ("plan --grid 4x4 --out none/p.json", "the folder none does not exist; create it first"),
    ] {
        let error = gtr(folder, line).failed(1);
        assert!(error.contains(says), "{line}: {error}");
    }
}

#[test]
fn names_that_are_too_long_are_refused_first() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let name = "n".repeat(252);
    for line in [
        format!("sample --class 1 --out {name}.png"),
        format!("sample --class 1 --out x.png --trace {name}.safetensors"),
        format!("sample --class 1 --out x.png --animate {name}.gif"),
        format!("sample --class 1 --out {name}nnnn/"),
        format!("sample --classes balanced --count 2 --out {name}.npz"),
        format!("sample --classes balanced --count 2 --out {name}nnnn"),
        format!("plan --out {name}.json"),
        format!("experiment table-3 --out {name}nnnn"),
    ] {
        let error = gtr(folder, &line).failed(1);
        assert!(error.contains("File name too long"), "{error}");
    }
    assert!(files(folder).is_empty());
    // The longest possible name.
    gtr(folder, &format!("sample --class 1 {QUICK} --out {}.png", &name[..251])).succeeded();
}

#[test]
fn values_below_zero_are_refused_with_the_range() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for line in [
        "plan --grid -8x8",
        "plan --rates -1,1,1",
        "plan --steps -1,1,1",
        "plan --beta -0.5",
        "plan --max-timestep -1",
        "eval --seeds -1",
        "eval --cfg -1",
        "tune --budget -1",
        "bench --count -1",
        "bench --cfg -2",
        "cost --grid -4x4",
        "sample --class -1 --out x.png",
        "sample --class 1 --count -1 --out x.png",
        "sample --class 1 --batch 0 --out x.png",
        "sample --class 1 --size -1x1 --out x.png",
        "sample --class 1 --shard -1/2 --out x",
        "sample --class 1 --random-weights=-1 --out x.png",
        "sample --class 1 --format --json --out x.png",
        "plan --json",
        "plan -8",
    ] {
        let _ = write!(lines, "{line}\n  {}", gtr(folder.path(), line).failed(2));
    }
    insta::assert_snapshot!("below_zero", lines);
}

#[test]
fn a_plan_of_unknown_kinds_is_verified_with_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut plan: serde_json::Value =
        serde_json::from_str(&gtr(folder, "plan --preset gtr-8 --grid 8x8 --format json").succeeded()).unwrap();
    let long = format!("no\u{202e}such{}", "x".repeat(5000));
    plan["schedule"]["pace"]["kind"] = long.into();
    fs::write(folder.join("p.json"), plan.to_string()).unwrap();
    let run = gtr(folder, "verify p.json");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.starts_with("p.json: valid, but only partly verified (unknown pace `no\\u{202e}such"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.len() < 200 && run.stderr.len() < 300, "{}{}", run.stdout, run.stderr);
    for format in ["text", "json", "github"] {
        let run = gtr(folder, &format!("verify --known-only p.json --format {format}"));
        assert_eq!(run.code, 1);
        assert!(run.stdout.contains("--known-only"), "{}", run.stdout);
    }
    gtr(folder, "plan --preset gtr-8 --grid 8x8 --out q.json").succeeded();
    assert!(gtr(folder, "verify --known-only q.json").succeeded().starts_with("q.json: valid, "));
}

#[test]
fn early_errors_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("vae")).unwrap();
    fs::create_dir(folder.join("array")).unwrap();
    fs::write(folder.join("array/config.json"), "[1, 2]").unwrap();
    fs::write(folder.join("x.json"), "").unwrap();
    fs::write(folder.join("y.json"), "nothing").unwrap();
    let mut lines = String::new();
    for (code, line) in [
        (2, "sample --model lightgen-huge --random-weights --size 17x16 --out x.png"),
        (1, "sample --class 1 --vae vae --out x.png"),
        (1, "bench --vae vae"),
        (1, "eval --vae vae --count 10"),
        (1, "sample --class 1 --plan x.json --out x.png"),
        (1, "sample --class 1 --plan y.json --out x.png"),
        (1, "cost --model array"),
    ] {
        let _ = write!(lines, "{line}\n  {}", gtr(folder, line).failed(code));
    }
    insta::assert_snapshot!("told_first", lines);
}

#[test]
fn planning_a_large_grid_shows_progress() {
    let run =
        gtr(&std::env::temp_dir(), "cost --model digits --grid 1024x1024 --preset raster-64 --baseline raster-64");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.starts_with("note: planning on 1024x1024 takes a while\nnote: counting raster-64\n"),
        "{}",
        run.stderr
    );
    assert_eq!(gtr(&std::env::temp_dir(), "cost --model digits --preset mar-8").stderr, "");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;
    let folder = tempfile::tempdir().unwrap();
    let run = |flag: &str, end: &[u8]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gtr-cli"));
        let line = format!("sample --class 1 {QUICK} {flag}");
        command.current_dir(folder.path()).args(line.split(' ')).arg(OsStr::from_bytes(end)).output().unwrap()
    };
    assert!(run("--out", b"\xff.png").status.success());
    let refused = run("--out x.png --model", b"\xff");
    assert_eq!(refused.status.code(), Some(2));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.starts_with("error: an argument is not valid UTF-8") && error.lines().count() == 1, "{error}");
}

#[test]
fn json_is_a_format_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let sample = format!("sample --class 1 {QUICK} --out x.png");
    for flag in ["--format json", "--json"] {
        let summary = gtr(folder.path(), &format!("{sample} {flag}")).succeeded();
        assert!(serde_json::from_str::<serde_json::Value>(&summary).unwrap()["images"] == 1);
    }
    gtr(folder.path(), &format!("{sample} --format json --json")).failed(2);
    assert!(!gtr(folder.path(), "sample --help").succeeded().contains("--json"));
}
