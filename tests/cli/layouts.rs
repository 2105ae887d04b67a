//! Formats of scoring programs: layouts of folders, channels and order of archives.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::models::Models;
use crate::support::{Run, decode, files, run_in, run_with};

/// Flags for images of a small LightGen with little computation.
const QUICK: &str = "sample --model lightgen --random-weights=3 --text-encoder t5 --size 32x64 --preset gtr-8 --diffusion constant \
     --t 2 --detail none";

/// Flags for digits with little computation.
const DIGITS: &str = "sample --order random --pace uniform --steps 1 --diffusion constant --t 1 --detail none";

fn gtr(folder: &Path, line: &str) -> Run {
    run_in(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// Runs in one process, to `whole`, and in three parts, merged to `merged`.
fn make(models: &Models, flags: &str) {
    let folder = models.0.path();
    gtr(folder, &format!("{QUICK} {flags} --out whole")).succeeded();
    for shard in ["1/3", "0/3", "2/3"] {
        gtr(folder, &format!("{QUICK} {flags} --out parts --shard {shard}")).succeeded();
    }
    gtr(folder, "merge parts --out merged").succeeded();
}

#[test]
fn compbench_files_are_named_by_their_prompts() {
    let models = Models::new();
    fs::write(models.path("color_val.txt"), "a green bench and a blue bowl\r\ntwo boys\r\n").unwrap();
    make(&models, "--prompts color_val.txt --layout compbench --samples 2");
    let names = [
        "a green bench and a blue bowl_000000.png",
        "a green bench and a blue bowl_000001.png",
        "two boys_000002.png",
        "two boys_000003.png",
    ];
    assert_eq!(files(&models.path("merged")), ["labels.jsonl", "samples"]);
    // The scorers read every file in this folder.
    for folder in ["merged", "whole", "parts"] {
        assert_eq!(files(&models.path(folder).join("samples")), names, "{folder}");
    }
    for name in names {
        let read = |folder: &str| fs::read(models.path(folder).join("samples").join(name)).unwrap();
        assert_eq!(read("merged"), read("whole"));
        // The scorers parse a name as the prompt up to the first `_` and the number up to the dot.
        let (prompt, number) = name.split_once('_').unwrap();
        assert!(["a green bench and a blue bowl", "two boys"].contains(&prompt));
        assert!(number.strip_suffix(".png").unwrap().parse::<u32>().is_ok());
    }
    let labels = fs::read_to_string(models.path("merged/labels.jsonl")).unwrap();
    assert_eq!(labels.lines().last(), Some(r#"{"file":"samples/two boys_000003.png","prompt":"two boys"}"#));
}

#[test]
fn dpg_files_are_grids_named_by_their_prompts() {
    let models = Models::new();
    fs::create_dir(models.path("prompts")).unwrap();
    for (name, text) in [("10.txt", "a cat\n"), ("partiprompts203.txt", "two cats"), ("._10.txt", "no prompt")] {
        fs::write(models.path("prompts").join(name), text).unwrap();
    }
    make(&models, "--prompts prompts --layout dpg --samples 4");
    // The scorer reads every file in this folder.
    assert_eq!(files(&models.path("merged")), ["10.png", "partiprompts203.png"]);
    for name in ["10", "partiprompts203"] {
        let whole = models.path("whole").join(format!("{name}.png"));
        assert_eq!(fs::read(models.path("merged").join(format!("{name}.png"))).unwrap(), fs::read(&whole).unwrap());
        let (width, height, bytes) = decode(&whole);
        assert_eq!((width, height), (2 * 64, 2 * 32));
        for sample in 0..4 {
            let (_, _, single) = decode(&models.path("whole").join(format!("samples/{name}_{sample}.png")));
            let (top, left) = (sample / 2 * 32, sample % 2 * 64);
            let cut: Vec<u8> =
                (top..top + 32).flat_map(|row| bytes[(row * width + left) * 3..][..64 * 3].to_vec()).collect();
            assert_eq!(cut, single, "{name} {sample}");
        }
    }
}

#[test]
fn unsuitable_prompts_are_one_line_errors() {
    let models = Models::new();
    let folder = models.0.path();
    let write = |name: &str, text: &str| fs::write(models.path(name), text).unwrap();
    fs::create_dir(models.path("dots")).unwrap();
    fs::create_dir(models.path("none")).unwrap();
    fs::create_dir(models.path("fine")).unwrap();
    for (name, text) in [
        ("lines.txt", "a cat\na_cat\n"),
        ("slash.txt", "a cat/dog\n"),
        ("long.txt", &"cat ".repeat(80)),
        ("lines.jsonl", "{\"prompt\": \"a cat\"}\n"),
        ("plain.jsonl", "a cat\n"),
        ("dots/v1.0.txt", "a cat"),
        ("fine/1.txt", "a cat"),
    ] {
        write(name, text);
    }
    let mut lines = String::new();
    for (flags, code) in [
        ("--prompts lines.txt --layout compbench", 2),
        ("--prompts slash.txt --layout compbench", 2),
        ("--prompts long.txt --layout compbench", 2),
        ("--prompts lines.txt --layout geneval", 2),
        ("--prompts lines.jsonl --layout dpg --samples 4", 2),
        ("--prompts dots --layout dpg --samples 4", 2),
        ("--prompts fine --layout dpg --samples 2", 2),
        ("--prompts none --layout dpg --samples 4", 1),
        ("--prompts plain.jsonl", 1),
        ("--prompt cat --layout dpg", 2),
        ("--prompt cat --layout geneval", 2),
        ("--prompts lines.jsonl --channels 3", 2),
        ("--prompts lines.jsonl --layout compbench --out x.npz", 2),
    ] {
        let out = if flags.contains("--out") { "" } else { "--out x" };
        let line = format!("sample --model lightgen --random-weights --text-encoder t5 {flags} {out}");
        let _ = write!(lines, "{flags}\n  {}", gtr(folder, &line).failed(code));
    }
    for flags in ["--class 3 --layout compbench --out x", "--class 3 --channels 2 --out x.npz"] {
        let _ = write!(lines, "{flags}\n  {}", gtr(folder, &format!("sample {flags}")).failed(2));
    }
    insta::assert_snapshot!("layouts_refused", lines);
    assert!(!files(folder).contains(&"x".to_owned()));
}

/// Returns the elements of `arr_0`, and its header.
fn pixels(path: &Path) -> (String, Vec<u8>) {
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name("arr_0.npy").unwrap(), &mut bytes).unwrap();
    let elements = bytes.split_off(128);
    (String::from_utf8_lossy(&bytes[10..]).into_owned(), elements)
}

#[test]
fn grey_pictures_can_have_three_channels() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = "--classes balanced --count 4";
    gtr(folder, &format!("{DIGITS} {run} --out grey.npz")).succeeded();
    gtr(folder, &format!("{DIGITS} {run} --out three.npz --channels 3")).succeeded();
    gtr(folder, &format!("{DIGITS} {run} --out folder")).succeeded();
    gtr(folder, "merge folder --out merged.npz --channels 3").succeeded();
    let (_, grey) = pixels(&folder.join("grey.npz"));
    let (header, three) = pixels(&folder.join("three.npz"));
    assert!(header.contains("'shape': (4, 32, 32, 3,)"), "{header}");
    assert_eq!(three, grey.iter().flat_map(|&byte| [byte; 3]).collect::<Vec<u8>>());
    assert_eq!(pixels(&folder.join("merged.npz")).1, three);
    // The judge gives both the same scores.
    let judged = |name: &str| {
        let report = gtr(folder, &format!("eval --images {name} --resamples 20 --format csv")).succeeded();
        report.replace(name, "")
    };
    assert_eq!(judged("grey.npz"), judged("three.npz"));
    let error = gtr(folder, "merge folder --out other --channels 3").failed(2);
    assert_eq!(error, "error: --channels needs an archive: use a .npz file as --out\n");
}

#[test]
fn an_archive_sorted_by_class_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let note = "note: the images of the archive are grouped by class: evaluation tools that split it in file order, such as ADM's \
                for the inception score, then get few classes per split; --classes balanced mixes them\n";
    for (flags, said) in [
        ("--class 0..4 --count 2 --out a.npz", note),
        ("--class 0..4 --count 10 --classes balanced --out b.npz", ""),
        ("--class 0..4 --out c.npz", ""),
        ("--class 7 --count 3 --out d.npz", ""),
        ("--class 0..1 --count 2 --out e --resume", ""),
    ] {
        let run = gtr(folder, &format!("{DIGITS} {flags}"));
        assert_eq!(run.stderr, said, "{flags}");
        run.succeeded();
    }
    assert_eq!(gtr(folder, "merge e --out f.npz").stderr, note);
}

#[test]
fn slurm_arrays_are_supported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = format!("{DIGITS} --classes balanced --count 8 --shard auto --out x");
    let words: Vec<&str> = line.split_whitespace().collect();
    for (task, min, max, step, expected) in
        [("1", "1", "4", "1", "0/4"), ("4", "1", "4", "1", "3/4"), ("8", "0", "12", "4", "2/4")]
    {
        let environment = [
            ("SLURM_ARRAY_TASK_ID", task),
            ("SLURM_ARRAY_TASK_MIN", min),
            ("SLURM_ARRAY_TASK_MAX", max),
            ("SLURM_ARRAY_TASK_STEP", step),
            ("SLURM_ARRAY_TASK_COUNT", "4"),
        ];
        let said = run_with(folder, &words, &environment).succeeded();
        assert!(said.starts_with(&format!("x: part {expected}, 2 images")), "{said}");
    }
    for (task, min, max, count, expected) in [
        ("3", "2", "3", "2", "the Slurm array starts at 2, so it may be part of another array: use --shard auto/N"),
        ("3", "0", "7", "3", "the 3 tasks of the Slurm array are not evenly spaced"),
    ] {
        let environment = [
            ("SLURM_ARRAY_TASK_ID", task),
            ("SLURM_ARRAY_TASK_MIN", min),
            ("SLURM_ARRAY_TASK_MAX", max),
            ("SLURM_ARRAY_TASK_STEP", "1"),
            ("SLURM_ARRAY_TASK_COUNT", count),
        ];
        let error = run_with(folder, &words, &environment).failed(2);
        assert!(error.contains(expected), "{error}");
    }
}

/// Errors explain the flags and conventions of other programs.
#[test]
fn other_conventions_are_one_line_errors() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let error = gtr(folder, &format!("{DIGITS} --class 3 --seed -1 --out x.png")).failed(2);
    assert!(
        error.contains("expected a whole number, 0 to 18446744073709551615; for a random seed, use $RANDOM"),
        "{error}"
    );
    let run = gtr(folder, &format!("{DIGITS} --class 3 --cfg 0 --out x.png"));
    assert_eq!(run.stderr, "note: --cfg 0 reduces the effect of the class or prompt; --cfg 1 disables guidance\n");
    run.succeeded();
    assert_eq!(gtr(folder, &format!("{DIGITS} --class 3 --cfg 1 --out x.png")).stderr, "");
}

#[test]
fn imagenet_classes_have_several_names() {
    let models = Models::new();
    let mut config: serde_json::Value =
        serde_json::from_slice(&fs::read(models.path("mar/config.json")).unwrap()).unwrap();
    config["class_num"] = 1000.into();
    fs::write(models.path("mar/config.json"), config.to_string()).unwrap();
    let classes = |class: &str| -> (String, Vec<String>) {
        let args =
            ["sample", "--model", "mar", "--random-weights", "--preset", "gtr-8", "--t-max", "1", "--t-min", "1"];
        let more = ["--t-rec", "1", "--detail", "none", "--json", "--out", "x.png", "--class", class];
        let run = run_in(models.0.path(), &[&args[..], &more[..]].concat());
        let said = run.stderr.lines().filter(|line| !line.contains("random weights")).map(str::to_owned).collect();
        let summary: serde_json::Value = serde_json::from_str(&run.succeeded()).unwrap();
        (summary["parameters"]["classes"].to_string(), said)
    };
    assert_eq!(classes("n02099601"), ("[207]".to_owned(), vec![]));
    assert_eq!(classes("tench,goldfish,7"), ("[0,1,7]".to_owned(), vec![]));
    let note = "note: `tench, Tinca tinca, golden retriever` are the classes 0, 207".to_owned();
    assert_eq!(classes("tench, Tinca tinca, golden retriever"), ("[0,207]".to_owned(), vec![note]));
}
