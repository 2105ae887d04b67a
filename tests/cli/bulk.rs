//! Sharded runs: parts, manifests, resuming, merging.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::support::{Run, files, run_in};

/// Flags for twelve digits with little computation.
const TWELVE: &str = "sample --classes balanced --count 12 --order random --pace uniform --steps 1 --diffusion constant --t 1 \
     --detail none";

/// Flags for twice as many, one per batch, which takes a moment.
const IN_TURN: &str =
    "sample --classes balanced --count 24 --batch 1 --preset gtr-8 --diffusion constant --t 1 --detail none";

fn gtr(folder: &Path, line: &str) -> Run {
    run_in(folder, &line.split_whitespace().collect::<Vec<_>>())
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

fn manifest(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&read(folder, &format!("{name}/shards/0-of-1.json"))).unwrap()
}

/// Returns the files of a folder of images, without the files of the parts.
fn images(folder: &Path, name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder.join(name);
    let names = files(&folder).into_iter().filter(|name| name != "shards");
    names.map(|name| (name.clone(), read(&folder, &name))).collect()
}

/// Reads an array of an archive: its header and its elements.
fn array(archive: &Path, name: &str) -> (String, Vec<u8>) {
    let mut archive = zip::ZipArchive::new(fs::File::open(archive).unwrap()).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    let elements = bytes.split_off(128);
    (String::from_utf8_lossy(&bytes[10..]).into_owned(), elements)
}

#[test]
fn merged_parts_equal_the_output_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    gtr(folder, &format!("{TWELVE} --out whole")).succeeded();
    gtr(folder, &format!("{TWELVE} --out whole.npz")).succeeded();
    for (shard, batch) in [(2, 1), (0, 16), (1, 3)] {
        let told = gtr(folder, &format!("{TWELVE} --out parts --shard {shard}/3 --batch {batch}")).succeeded();
        assert!(told.starts_with(&format!("parts: part {shard}/3, 4 images, 4 generated now, ")), "{told}");
    }
    assert_eq!(gtr(folder, "merge parts").succeeded(), "parts: 12 images, 3 parts, complete\n");
    gtr(folder, "merge parts --out merged").succeeded();
    gtr(folder, "merge parts --out merged.npz").succeeded();
    let whole = images(folder, "whole");
    assert_eq!(whole.len(), 13);
    assert_eq!(whole, images(folder, "merged"));
    assert_eq!(read(folder, "whole.npz"), read(folder, "merged.npz"));
    // The temporary folder of the archive is removed.
    assert_eq!(files(folder), ["merged", "merged.npz", "parts", "whole", "whole.npz"]);

    // Merging in place only adds the labels.
    gtr(folder, "merge parts --out parts").succeeded();
    assert_eq!(images(folder, "parts"), whole);
    let labels = String::from_utf8(read(folder, "parts/labels.jsonl")).unwrap();
    assert_eq!(labels.lines().nth(11), Some(r#"{"file":"00011.png","class":1}"#));

    // The archive contains the pixels of the images.
    let (header, elements) = array(&folder.join("whole.npz"), "arr_0.npy");
    assert!(header.contains("'descr': '|u1', 'fortran_order': False, 'shape': (12, 32, 32, 1,)"), "{header}");
    let pixels: Vec<u8> =
        (0..12).flat_map(|number| crate::support::decode(&folder.join(format!("whole/{number:05}.png"))).2).collect();
    assert_eq!(elements, pixels);
    let (header, elements) = array(&folder.join("whole.npz"), "arr_1.npy");
    assert!(header.contains("'descr': '<i8', 'fortran_order': False, 'shape': (12,)"), "{header}");
    let classes: Vec<i64> =
        elements.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert_eq!(classes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
}

#[test]
fn deleted_or_changed_files_are_reported_and_regenerated() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    gtr(folder, &format!("{TWELVE} --out a")).succeeded();
    let (before, manifest_before) = (images(folder, "a"), manifest(folder, "a"));
    fs::remove_file(folder.join("a/00003.png")).unwrap();
    let mut changed = read(folder, "a/00007.png");
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(folder.join("a/00007.png"), changed).unwrap();
    let error = gtr(folder, "merge a --out b.npz").failed(1);
    for word in ["2 of 12 images are missing", "a/00003.png was deleted", "a/00007.png was changed", "--resume"] {
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(files(folder), ["a"]);
    let run = gtr(folder, &format!("{TWELVE} --out a --resume"));
    assert_eq!(run.stderr.lines().filter(|line| line.ends_with(": generating it again")).count(), 2, "{}", run.stderr);
    assert!(run.succeeded().contains("12 images, 2 generated now, "));
    assert_eq!(images(folder, "a"), before);
    assert_eq!(manifest(folder, "a"), manifest_before);
}

#[test]
fn a_missing_part_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    gtr(folder, &format!("{TWELVE} --out a --shard 0/3")).succeeded();
    gtr(folder, &format!("{TWELVE} --out b --shard 2/3")).succeeded();
    let error = gtr(folder, "merge a b --out all").failed(1);
    assert!(error.contains("4 of 12 images are missing: part 1/3 has no manifest and misses images 4..7;"), "{error}");
    gtr(folder, &format!("{TWELVE} --out c --shard 1/3")).succeeded();
    assert!(gtr(folder, "merge a b b").failed(1).contains("another folder also has"));
    // Hidden files of macOS and Windows do not make a folder belong to another run.
    fs::create_dir(folder.join("all")).unwrap();
    for companion in ["all/.DS_Store", "all/Thumbs.db", "a/._00000.png", "a/shards/._0-of-3.json"] {
        fs::write(folder.join(companion), "no image").unwrap();
    }
    gtr(folder, "merge c a b --out all").succeeded();
    fs::remove_file(folder.join("all/.DS_Store")).unwrap();
    fs::remove_file(folder.join("all/Thumbs.db")).unwrap();
    assert_eq!(images(folder, "all").len(), 13);
    assert!(gtr(folder, "merge c a b --out all").failed(1).contains("all is not empty"));
    assert!(gtr(folder, "merge all").failed(1).contains("all/shards"));
}

#[test]
fn a_part_of_another_run_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    gtr(folder, &format!("{TWELVE} --out a --shard 0/2")).succeeded();
    let before = images(folder, "a");
    for (flags, reason) in [
        ("--shard 0/2", "already exists (6 of 6 images): use --resume to continue it"),
        ("--shard 0/2 --resume --seed 1", "settings.seed is 0 there, 1 here"),
        ("--shard 1/2 --scale 2", "settings.scale is 1 there, 2 here"),
        ("--shard 1/2 --cfg 2", "settings.cfg is "),
        ("--shard 1/2 --max-timestep 900", "plan_sha256 differs"),
        ("--shard 1/2 --class 0..4", "numbering.subjects is 10 there, 5 here"),
        ("--shard 1/2 --random-weights", "model_sha256 differs"),
        ("--shard 0/3", "a has a run in 2 parts, this is one in 3"),
        ("--resume", "a has a run in 2 parts, this is one in 1"),
    ] {
        let run = gtr(folder, &format!("{TWELVE} --out a {flags}"));
        assert_eq!(run.code, 1, "{flags}: {}", run.stderr);
        assert!(run.stderr.contains(reason), "{flags}: {}", run.stderr);
    }
    assert_eq!(images(folder, "a"), before);
    gtr(folder, &format!("{TWELVE} --out b --shard 1/2 --seed 1")).succeeded();
    assert!(gtr(folder, "merge a b").failed(1).contains("settings.seed is 0 there, 1 here"));
}

#[test]
fn a_damaged_manifest_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    gtr(folder, &format!("{TWELVE} --out a")).succeeded();
    let path = folder.join("a/shards/0-of-1.json");
    let text = fs::read_to_string(&path).unwrap();
    for damaged in [&text[..text.len() / 2], "", "[]", &text.replace("\"count\":12", "\"count\":13")] {
        fs::write(&path, damaged).unwrap();
        for command in ["merge a".to_owned(), format!("{TWELVE} --out a --resume")] {
            let error = gtr(folder, &command).failed(1);
            assert!(error.contains("is not the manifest of a part"), "{error}");
        }
    }
}

#[test]
fn a_part_is_locked_by_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    gtr(folder, &format!("{TWELVE} --out a --shard 0/2")).succeeded();
    let held = fs::File::open(folder.join("a/shards/0-of-2.lock")).unwrap();
    held.lock().unwrap();
    let error = gtr(folder, &format!("{TWELVE} --out a --shard 0/2 --resume")).failed(1);
    assert!(error.contains("another process is generating this part"), "{error}");
    gtr(folder, &format!("{TWELVE} --out a --shard 1/2")).succeeded();
    drop(held);
    gtr(folder, &format!("{TWELVE} --out a --shard 0/2 --resume")).succeeded();
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_and_a_read_only_folder_are_one_line_errors() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let error = gtr(folder, &format!("{TWELVE} --out /proc/images")).failed(1);
    assert!(error.contains("cannot create the folder /proc/images"), "{error}");
    // Writing to this device fails with "no space left".
    fs::create_dir(folder.join("a")).unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.join("a/00005.png")).unwrap();
    let error = gtr(folder, &format!("{TWELVE} --out a")).failed(1);
    assert!(error.contains("cannot write a/00005.png") && error.contains("No space left on device"), "{error}");
    let finished = manifest(folder, "a")["finished"].as_object().unwrap().len();
    assert_eq!(finished, 5);
    fs::remove_file(folder.join("a/00005.png")).unwrap();
    let told = gtr(folder, &format!("{TWELVE} --out a --resume")).succeeded();
    assert!(told.contains("12 images, 7 generated now, "), "{told}");
}

/// Opening a pipe would block until another process writes to it.
#[cfg(unix)]
#[test]
fn pipes_among_the_files_of_a_run_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    gtr(folder, &format!("{TWELVE} --out a")).succeeded();
    let replace = |name: &str| {
        fs::remove_file(folder.join(name)).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(folder.join(name)).status().unwrap().success());
    };
    replace("a/00003.png");
    let error = gtr(folder, "merge a").failed(1);
    assert!(error.contains("a/00003.png: cannot be read: it is not a regular file"), "{error}");
    let error = gtr(folder, "eval --images a").failed(1);
    assert!(error.contains("a/00003.png: cannot be read: it is not a regular file"), "{error}");
    replace("a/shards/0-of-1.lock");
    let error = gtr(folder, &format!("{TWELVE} --out a --resume")).failed(1);
    assert_eq!(error, "error: cannot write a/shards/0-of-1.lock: it is not a regular file\n");
    replace("a/shards/0-of-1.json");
    let error = gtr(folder, "merge a").failed(1);
    assert_eq!(error, "error: a/shards/0-of-1.json: cannot be read: it is not a regular file\n");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_run_after_the_current_batch() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    gtr(folder, &format!("{IN_TURN} --out whole")).succeeded();
    for (signal, code, out) in [
        (Signal::SIGINT, 130, "a"),
        (Signal::SIGTERM, 143, "b"),
        (Signal::SIGHUP, 143, "c"),
        (Signal::SIGUSR1, 143, "d"),
        (Signal::SIGUSR2, 143, "e"),
        (Signal::SIGKILL, -1, "f"),
    ] {
        let line = format!("{IN_TURN} --out {out}");
        let child = crate::support::start_in(folder, &line.split_whitespace().collect::<Vec<_>>());
        // After the third image the run is in the middle.
        while !folder.join(out).join("00002.png").exists() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code().unwrap_or(-1), code, "{stderr}");
        let finished = manifest(folder, out)["finished"].as_object().unwrap().len();
        let there = files(&folder.join(out))
            .iter()
            .filter(|name| std::path::Path::new(name).extension().is_some_and(|ending| ending == "png"))
            .count();
        if code == -1 {
            assert!(finished <= there && there < 24, "{finished} {there}");
        } else {
            let asked = if code == 130 {
                "finishing the current batch; press Ctrl-C again to stop now"
            } else {
                "stop requested: finishing the current batch"
            };
            // Their order depends on when the batch finishes.
            let mut lines: Vec<&str> = stderr.lines().collect();
            lines.retain(|line| *line != format!("note: {asked}"));
            assert_eq!(
                lines,
                [format!(
                    "note: stopped after {finished} of 24 images: run the same command with --resume to generate the others"
                )]
            );
            assert!(finished == there && there < 24, "{finished} {there}");
        }
        gtr(folder, &format!("{line} --resume")).succeeded();
        // The unfinished file of a killed process keeps its temporary name.
        let whole = images(folder, out).into_iter().filter(|(name, _)| !name.starts_with('.'));
        assert!(whole.eq(images(folder, "whole")), "{out}");
    }
}

#[test]
fn numbers_out_of_range_are_one_line_errors() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for flags in [
        "--shard 0/4 --out x",
        "--classes even --out x",
        "--classes balanced --out x.png",
        "--classes balanced --prompt cat --out x",
        "--classes balanced --trace t.safetensors --out x",
        "--classes balanced --out none/x",
        "--classes balanced --shard 4/4 --out x",
        "--classes balanced --shard 0 --out x",
        "--classes balanced --shard auto --out x",
        "--class 1 --layout geneval --out x",
        "--class 1 --layout tree --out x",
        "--class 1 --trace t.safetensors --out x.npz",
        "--class 10 --out x.npz",
        "--prompts none.jsonl --out x",
        "--classes balanced --first-image 18446744073709551615 --out x",
    ] {
        let run = gtr(folder.path(), &format!("sample {flags}"));
        let code = run.code;
        // Writing to a String cannot fail.
        let _ = write!(lines, "{flags}\n  {code} {}", run.failed(code));
    }
    insta::assert_snapshot!("bulk_refused", lines);
    assert!(files(folder.path()).is_empty());
}

/// Run it alone: `cargo test --test cli -- --ignored more_than_four_gigabytes`.
#[test]
#[ignore = "slow, and takes 5 GB on the disk"]
fn an_archive_of_more_than_four_gigabytes_takes_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let line = "sample --classes balanced --count 1030 --scale 64 --order random --pace uniform --steps 1 --diffusion constant --t 1 --detail none --json";
    let told = gtr(folder.path(), &format!("{line} --out big.npz")).succeeded();
    let peak = serde_json::from_str::<Value>(&told).unwrap()["peak_memory_bytes"].as_u64().unwrap();
    let path = folder.path().join("big.npz");
    let mut archive = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
    let size = archive.by_name("arr_0.npy").unwrap().size();
    let told =
        format!("{} bytes, {size} of images, at most {peak} bytes of memory\n", fs::metadata(&path).unwrap().len());
    std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes()).unwrap();
    assert_eq!(size, 128 + 1030 * 2048 * 2048);
    assert!(size > 1 << 32 && peak < 300_000_000);
    assert_eq!(array(&path, "arr_1.npy").1.len(), 1030 * 8);
}
