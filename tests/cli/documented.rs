//! Every command in the help and in the documentation runs, with few images and a small model in place of the large ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::models::{Models, golden};
use crate::support::write_tiny_model;
use crate::support::{gtr, run_in};

/// The pages with commands, except those in `docs/results`, which experiments write.
const PAGES: [&str; 20] = [
    "README.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
    "docs/commands.md",
    "docs/evaluation.md",
    "docs/figure-3.md",
    "docs/gallery.md",
    "docs/gpu.md",
    "docs/inpainting.md",
    "docs/many-images.md",
    "docs/models.md",
    "docs/pages.md",
    "docs/performance.md",
    "docs/plans.md",
    "docs/schedulers.md",
    "docs/theory.md",
    "docs/tuning.md",
    "docs/results/README.md",
    "models/mar-digits/README.md",
    "tests/golden/README.md",
];

fn repository(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", name].iter().collect()
}

/// Returns the commands of a text: lines that start with the program or with `cargo run`, joined with the next line after `\`.
fn commands_in(text: &str) -> BTreeSet<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.trim().trim_start_matches("$ "));
    let lines = lines.map(|line| line.trim_start_matches("RAYON_NUM_THREADS=1 ").trim_end_matches(" &"));
    let program = |line: &str| line.replace("cargo run -p gtr-cli -- ", "gtr-cli ");
    lines.map(program).filter(|line| line.starts_with("gtr-cli ") && !line.starts_with("gtr-cli  ")).collect()
}

/// Returns the contents of fenced code blocks.
fn blocks(page: &str) -> String {
    let odd = page.split("\n```").skip(1).step_by(2);
    odd.map(|block| block.split_once('\n').map_or("", |(_, lines)| lines)).collect::<Vec<_>>().join("\n")
}

/// Returns all documented commands.
fn documented() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let help = gtr("--help").succeeded();
    let names = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<&str> =
        names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(names.len() >= 16, "{names:?}");
    let examples = |help: &str| help.split_once("Examples:\n").unwrap().1.to_owned();
    // In this help a description follows each command.
    all.extend(commands_in(&examples(&help)).iter().map(|line| line.split("    ").next().unwrap().to_owned()));
    for name in names {
        let found = commands_in(&examples(&gtr(&format!("{name} --help")).succeeded()));
        assert!(!found.is_empty(), "{name} has no example");
        all.extend(found);
    }
    for page in PAGES {
        all.extend(commands_in(&blocks(&fs::read_to_string(repository(page)).unwrap())));
    }
    all
}

/// Creates a folder with the files that commands name.
fn prepared() -> Models {
    let models = Models::new();
    let path = |name: &str| models.path(name);
    write_tiny_model(&path("tiny"));
    let run = |line: &str| run_in(&path(""), &line.split_whitespace().collect::<Vec<_>>()).succeeded();
    for folder in [
        "bin",
        "plans",
        "docs",
        "docs/images",
        "docs/results",
        "dpg_bench/prompts",
        "examples/dataset",
        "models/mar-digits",
        "pictures",
        "spec",
        "spec/schema",
        "tests",
        ".local/share/bash-completion/completions",
        ".config/fish/completions",
    ] {
        fs::create_dir_all(path(folder)).unwrap();
    }
    for folder in ["recordings", "tests/golden"] {
        symlink(golden(""), path(folder)).unwrap();
    }
    symlink(env!("CARGO_BIN_EXE_gtr-cli"), path("bin/gtr-cli")).unwrap();
    run("plan --preset gtr-8 --grid 8x8 --out p.json");
    run("schema --out-dir spec/schema");
    for plan in ["plan.json", "plans/a.json", "inpainting.json"] {
        fs::copy(path("p.json"), path(plan)).unwrap();
    }
    fs::copy(repository("spec/presets/gtr-8.json"), path("tuned.json")).unwrap();
    let quick = "--model tiny --random-weights --preset gtr-8 --diffusion constant --t 2 --detail none";
    run(&format!("sample {quick} --class 3 --scale 1 --out three.png --trace three.safetensors"));
    for (from, to) in [
        ("three.png", "seven.png"),
        ("three.png", "docs/images/three.png"),
        ("three.png", "docs/images/inpainting.png"),
        ("three.safetensors", "seven.safetensors"),
        ("mar/checkpoint-last.pth", "checkpoint-last.pth"),
        ("mar/checkpoint-last.pth", "lightgen.pth"),
    ] {
        fs::copy(path(from), path(to)).unwrap();
    }
    let mask = |name: &str| crate::support::write_grey(&path(name), 32, 32, |row, _| if row < 16 { 255 } else { 0 });
    mask("mask.png");
    mask("docs/images/lower-half.png");
    for prompts in ["metadata.jsonl", "evaluation_metadata.jsonl"] {
        fs::write(path(prompts), "{\"prompt\": \"a cat\"}\n").unwrap();
    }
    for (folder, parts) in [("images", &[0, 1][..]), ("digits", &[0, 1]), ("node1", &[0]), ("node2", &[1])] {
        for part in parts {
            run(&format!("sample {quick} --classes balanced --count 10 --shard {part}/2 --out {folder}"));
        }
    }
    fs::write(path("dpg_bench/prompts/0.txt"), "a cat").unwrap();
    fs::write(path("examples/dataset/color_val.txt"), "a red cat\n").unwrap();
    for number in 0..3_u32 {
        let shade = move |row: u32, column: u32| (row * 40 + column * 9 + number * 31).to_le_bytes()[0];
        crate::support::write_grey(&path(&format!("pictures/{number}.png")), 128, 128, shade);
    }
    let lightgen = "--model lightgen --random-weights --text-encoder t5/ --diffusion constant --t 2 --detail none";
    run(&format!("sample {lightgen} --prompts dpg_bench/prompts --layout dpg --samples 4 --out parts/"));
    run(&format!("sample {quick} --classes balanced --count 20 --out few.npz"));
    run("field few.npz --form averaged --out digits.safetensors");
    run("design --grid 8x8 --ar-steps 4 --out eight.json");
    models
}

/// Small replacements for large things: files of published models, their classes, and sizes.
const STANDS_FOR: [(&str, &str); 21] = [
    ("--device cuda:0", "--device cpu"),
    // The small model has no field of its own.
    ("experiment cascade", "experiment table-4"),
    ("field digits.npz", "field few.npz"),
    ("--model mar-h --vae kl16.ckpt", "--model mar --vae tests/golden/vae_kl16_tiny/weights_encoder.safetensors"),
    // The trace is from the small model, and the machine may be slow.
    ("conform seven.safetensors", "conform seven.safetensors --model tiny --random-weights"),
    ("--budget 0.5s", "--budget 60s"),
    ("--model mar-h --weights checkpoint-last.pth --vae kl16.ckpt", "--model mar --vae kl16.safetensors"),
    ("--class 'golden retriever,207,88..91'", "--class 3,1,0..2"),
    ("--class 'golden retriever'", "--class 3"),
    (
        "--model lightgen-large --weights lightgen.pth --vae vae/ --text-encoder t5/",
        "--model lightgen --random-weights --text-encoder t5/",
    ),
    ("--size 512x512", "--size 32x64"),
    ("--model mar-b --random-weights", "--model tiny --random-weights"),
    ("--count 50000", "--count 10"),
    ("--count 2000", "--count 20"),
    ("--count 1000", "--count 20"),
    ("--count 500", "--count 20"),
    ("--count 100", "--count 1"),
    ("--rounds 9", "--rounds 1"),
    // The small model has no field, whose loss takes the time.
    ("cost --model digits", "cost --model tiny"),
    // One experiment instead of all.
    ("experiment all", "experiment table-4"),
    ("experiment NAME", "experiment table-4"),
];

/// Reduces the work of a command.
fn small(command: &str) -> String {
    let mut words = shlex_words(command).join(" ");
    for (large, small) in STANDS_FOR {
        words = words.replace(large, small);
    }
    // Flags go before a pipe, and each may be given only once.
    let (first, rest) = words.split_once(" | ").map_or((words.as_str(), ""), |(first, rest)| (first, rest));
    let mut first = first.to_owned();
    let mut add = |flags: &str| {
        let flag = flags.split(' ').next().unwrap().to_owned();
        if !first.split(' ').any(|word| word == flag) {
            first = format!("{first} {flags}");
        }
    };
    match words.split(' ').nth(1).unwrap() {
        "sample" => {
            add("--model tiny --random-weights");
            if !words.contains("--plan ") && !words.contains("--schedule ") {
                add("--diffusion constant --t 2 --detail none");
            }
        }
        "eval" if words.contains("--images ") && !words.contains("--presets") => {}
        "eval" | "experiment" if words != "gtr-cli experiment" => {
            add("--model tiny --random-weights");
            add("--count 20");
            add("--resamples 20");
        }
        // Budgets are for the built-in model.
        "tune" => {
            first = replaced(&first, "--candidates", "1");
            first = replaced(&first, "--first-count", "10");
            first = replaced(&first, "--count", "20");
            first = replaced(&first, "--resamples", "20");
        }
        "bench" => {
            first = replaced(&first, "--count", "1");
            first = replaced(&first, "--rounds", "1");
        }
        _ => {}
    }
    if rest.is_empty() { first } else { format!("{first} | {rest}") }
}

/// Replaces the value of a flag.
fn replaced(line: &str, flag: &str, value: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    match words.iter().position(|word| *word == flag) {
        Some(place) => words[place + 1] = value,
        None => words.extend([flag, value]),
    }
    words.join(" ")
}

/// Returns the words of a line up to its comment, quoted again with single quotes.
fn shlex_words(line: &str) -> Vec<String> {
    let quote = |word: String| {
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:,=|><*$~+".contains(c));
        if plain { word } else { format!("'{word}'") }
    };
    let line = line.split(" # ").next().unwrap().replace("\"$part/2\"", "0/2");
    shlex::split(&line).unwrap().into_iter().map(quote).collect()
}

/// Runs a shell line in the folder; returns its output if it fails.
fn fails(folder: &Path, line: &str) -> Option<String> {
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(folder).env("PATH", path).env("HOME", folder);
    let output = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then_some(said)
}

/// Removes the output of a command, so that it runs as for the first time.
fn make_room(folder: &Path, line: &str) {
    let mut words = line.split(' ');
    let is_kept = line.contains("--resume") || line.contains("merge digits/ --out digits/") || line.contains("--shard");
    while let Some(word) = words.next() {
        if word == "--out" && !is_kept {
            let out = folder.join(words.next().unwrap_or_default());
            if out.join("shards").is_dir() {
                fs::remove_dir_all(&out).unwrap();
            }
        }
    }
    // The prepared run has another number of parts.
    if line.contains("--shard") {
        fs::remove_dir_all(folder.join("digits")).unwrap();
    }
}

#[test]
fn every_documented_command_runs() {
    let all = documented();
    assert!(all.len() > 90, "{}", all.len());
    let models = prepared();
    // Several commands are the same when reduced.
    let lines: BTreeMap<String, &String> = all.iter().map(|command| (small(command), command)).collect();
    let mut failed = Vec::new();
    for (line, command) in lines {
        // Every command starts with the same files.
        let folder = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-R").arg(models.path(".")).arg(folder.path()).status().unwrap();
        assert!(copied.success());
        make_room(folder.path(), &line);
        if let Some(said) = fails(folder.path(), &line) {
            failed.push(format!("{command}\n  as {line}\n  {said}"));
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), all.len(), failed.join("\n"));
}

#[test]
fn commands_are_found_and_reduced() {
    let page = "Text `gtr-cli x`.\n```sh\n$ gtr-cli sample --class 7 \\\n    --out a.png   # a seven\nls\n```\nmore\n```console\n$ cargo run -p gtr-cli -- plan\n```\n";
    let found = commands_in(&blocks(page));
    assert_eq!(found.len(), 2, "{found:?}");
    let line = small(found.iter().next_back().unwrap());
    assert_eq!(
        line,
        "gtr-cli sample --class 7 --out a.png --model tiny --random-weights --diffusion constant --t 2 --detail none"
    );
}
