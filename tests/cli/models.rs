//! Models that are not built in: published formats, small sizes.

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Read, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Run, decode, files, run_in};

pub(crate) fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "golden", name].iter().collect()
}

fn config(model: &str) -> String {
    let text = fs::read_to_string(golden(&format!("{model}/weights.json"))).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["config"].to_string()
}

/// A folder with a small MAR model in the published format (`mar/`, `kl16.safetensors`) and a small LightGen (`lightgen/`) with
/// its text encoder (`t5/`), which has no weights.
pub(crate) struct Models(pub(crate) TempDir);

impl Models {
    pub(crate) fn new() -> Self {
        let models = Self(tempfile::tempdir().unwrap());
        for folder in ["mar", "lightgen", "t5"] {
            fs::create_dir(models.path(folder)).unwrap();
        }
        let copy = |from: &str, to: &str| fs::copy(golden(from), models.path(to)).unwrap();
        fs::write(models.path("mar/config.json"), config("mar_tiny")).unwrap();
        copy("mar_tiny/checkpoint-last.pth", "mar/checkpoint-last.pth");
        copy("vae_kl16_tiny/weights_decoder.safetensors", "kl16.safetensors");
        let mut lightgen: Value = serde_json::from_str(&config("lightgen_tiny")).unwrap();
        lightgen["max_length"] = json!(128);
        lightgen["img_size"] = json!(64);
        fs::write(models.path("lightgen/config.json"), lightgen.to_string()).unwrap();
        let t5 = json!({
            "vocab_size": 8, "d_model": 24, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 4,
            "feed_forward_proj": "gated-gelu", "layer_norm_epsilon": 1e-6,
        });
        fs::write(models.path("t5/config.json"), t5.to_string()).unwrap();
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": { "<pad>": 0, "</s>": 1, "<unk>": 2, "cat": 3 }, "unk_token": "<unk>" },
        });
        fs::write(models.path("t5/tokenizer.json"), tokenizer.to_string()).unwrap();
        models
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `sample` with few steps, to `x.png`.
    fn sample(&self, flags: &str, more: &[&str]) -> Run {
        let steps = "sample --out x.png --preset gtr-8 --t-max 3 --t-min 2 --t-rec 2 --t-detail 4 --json";
        let args: Vec<&str> = steps.split(' ').chain(flags.split(' ')).chain(more.iter().copied()).collect();
        run_in(self.0.path(), &args)
    }
}

#[test]
fn a_published_checkpoint_can_be_sampled() {
    let models = Models::new();
    let run = models.sample("--model mar --vae kl16.safetensors --class 3", &[]);
    assert!(
        run.stderr.contains("using the averaged weights (`model_ema`); select another section with --section: `model`"),
        "{}",
        run.stderr
    );
    let summary: Value = serde_json::from_str(&run.succeeded()).unwrap();
    assert!(summary["peak_memory_bytes"].as_u64().is_none_or(|bytes| bytes > 1 << 20));
    assert_eq!(summary["parameters"]["vae"], "kl16.safetensors");
    let (width, height, bytes) = decode(&models.path("x.png"));
    assert_eq!((width, height, bytes.len()), (256, 256, 3 * 256 * 256));
    let before = fs::read(models.path("x.png")).unwrap();

    // Converted weights give the same pixels.
    let converted = run_in(models.0.path(), &["convert", "mar/checkpoint-last.pth", "mar.safetensors"]).succeeded();
    let expected = "mar.safetensors: 92 tensors, 84384 parameters, from model_ema (averaged weights)\n";
    assert_eq!(converted, expected);
    models.sample("--model mar --weights mar.safetensors --vae kl16.safetensors --class 3", &[]).succeeded();
    assert_eq!(decode(&models.path("x.png")).2, bytes);
    assert_ne!(fs::read(models.path("x.png")).unwrap(), before, "the file does not record its weights");
    let narrow = ["convert", "mar/checkpoint-last.pth", "half.safetensors", "--dtype", "bf16", "--section", "model"];
    assert!(run_in(models.0.path(), &narrow).succeeded().ends_with("from model (the requested section)\n"));
}

/// Renames a section of the checkpoint; the new name has the same length.
fn renamed(checkpoint: &Path, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut archive = zip::ZipArchive::new(Cursor::new(fs::read(checkpoint).unwrap())).unwrap();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let (mut bytes, name) = (Vec::new(), entry.name().unwrap().into_owned());
        entry.read_to_end(&mut bytes).unwrap();
        if name.ends_with("data.pkl") {
            while let Some(place) = bytes.windows(from.len()).position(|window| window == from) {
                bytes[place..place + from.len()].copy_from_slice(to);
            }
        }
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file(name, options).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn without_averaged_weights_the_raw_ones_are_used_with_a_note() {
    let models = Models::new();
    let raw = renamed(&models.path("mar/checkpoint-last.pth"), b"model_ema", b"model_old");
    fs::write(models.path("raw.pth"), raw).unwrap();
    let run = models.sample("--model mar --weights raw.pth --vae kl16.safetensors --class 3", &[]);
    let expected = "note: raw.pth: using the raw weights (`model`): there are no averaged weights; select another section with \
         --section: `model_old`\n";
    assert_eq!((run.code, run.stderr.as_str()), (0, expected));
}

#[test]
fn prompts_can_be_sampled_at_any_size() {
    let models = Models::new();
    let flags = "--model lightgen --random-weights=3 --text-encoder t5 --size 32x64 --count 2 --trace run.safetensors";
    let long = "cat ".repeat(200);
    let run = models.sample(flags, &["--prompt", "caf\u{e9} cat", "--prompt", &long]);
    let notes = "note: prompt 2 is longer than 128 tokens and is truncated\n\
                 note: lightgen has random weights: its images are noise\n";
    assert_eq!(run.code, 0);
    assert!(run.stderr.starts_with(notes), "{}", run.stderr);
    let summary: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(summary["parameters"]["random_weights"], 3);
    assert_eq!(summary["parameters"]["prompts"][0], "caf\u{e9} cat");
    assert_eq!(summary["parameters"]["size"], json!([32, 64]));
    assert_eq!(decode(&models.path("x.png")).0, 2 * 64 + 2);
    // The trace is replayed from its recorded noise.
    let replay = ["conform", "run.safetensors", "--model", "lightgen", "--random-weights=3", "--format", "json"];
    let report: Value = serde_json::from_str(&run_in(models.0.path(), &replay).succeeded()).unwrap();
    assert!(report["quantities"].as_array().unwrap().len() >= 9);
    let other = run_in(models.0.path(), &["conform", "run.safetensors", "--model", "lightgen", "--random-weights=4"]);
    assert_eq!(other.code, 1);
    assert!(other.stdout.contains("FAIL"), "{}", other.stdout);
}

#[test]
fn geneval_prompts_have_the_layout_of_its_scorer() {
    let models = Models::new();
    let lines = [r#"{"tag": "colors", "prompt": "a red cat"}"#, r#"{"tag": "counting", "prompt": "two cats"}"#];
    fs::write(models.path("metadata.jsonl"), lines.join("\n") + "\n").unwrap();
    let sample = |out: &str, shard: &str| {
        let flags = "--model lightgen --random-weights=3 --text-encoder t5 --size 32x64 --layout geneval --samples 2";
        let line = format!(
            "sample {flags} --prompts metadata.jsonl --preset gtr-8 --diffusion constant --t 2 --detail none --out {out} {shard}"
        );
        run_in(models.0.path(), &line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>()).succeeded()
    };
    sample("whole", "");
    sample("parts", "--shard 1/3");
    sample("parts", "--shard 0/3");
    sample("parts", "--shard 2/3");
    run_in(models.0.path(), &["merge", "parts", "--out", "merged"]).succeeded();
    assert_eq!(files(&models.path("merged")), ["00000", "00001", "labels.jsonl"]);
    for (prompt, line) in lines.iter().enumerate() {
        let name = |file: &str| models.path("merged").join(format!("{prompt:05}/{file}"));
        assert_eq!(fs::read_to_string(name("metadata.jsonl")).unwrap(), format!("{line}\n"));
        assert_eq!(files(&name("samples")), ["0000.png", "0001.png"]);
        for image in ["samples/0000.png", "samples/0001.png"] {
            assert_eq!(decode(&name(image)).0, 64);
            let whole = models.path("whole").join(format!("{prompt:05}/{image}"));
            assert_eq!(fs::read(name(image)).unwrap(), fs::read(whole).unwrap());
        }
    }
    let labels = fs::read_to_string(models.path("merged/labels.jsonl")).unwrap();
    assert_eq!(labels.lines().last(), Some(r#"{"file":"00001/samples/0001.png","prompt":"two cats"}"#));
}

#[test]
fn random_weights_need_no_files() {
    let models = Models::new();
    let text = models.sample("--model lightgen --random-weights", &[]);
    assert_eq!(text.code, 0);
    assert!(text.stderr.starts_with("note: lightgen has random weights"), "{}", text.stderr);
    let words = run_in(models.0.path(), &["sample", "--random-weights", "--out", "y.png"]).succeeded();
    assert!(words.trim_end().ends_with(", random weights (seed 0)"), "{words}");
}

#[test]
fn sixteen_bits_are_recorded() {
    let models = Models::new();
    let trace = ["--class", "4", "--dtype", "bf16", "--trace", "four.safetensors"];
    let summary: Value = serde_json::from_str(&models.sample("--cfg 2", &trace).succeeded()).unwrap();
    assert_eq!(summary["parameters"]["dtype"], "bf16");
    let report = run_in(models.0.path(), &["conform", "four.safetensors"]).succeeded();
    assert!(report.ends_with(" quantities compared, 0 outside the tolerance\n"), "{report}");
    // In another type the vectors differ, and only the tolerance of rounding covers that.
    let compare = |words: &[&str]| run_in(models.0.path(), &[&["conform", "four.safetensors"], words].concat());
    let other = compare(&["--dtype", "f32", "--device", "cpu"]);
    assert_eq!(other.code, 1, "{}", other.stdout);
    assert!(other.stdout.contains("recorded on cpu in bf16, compared on cpu in f32"), "{}", other.stdout);
    let rounding = compare(&["--dtype", "bf16", "--tolerance", "rounding", "--format", "json"]).succeeded();
    let rounding: Value = serde_json::from_str(&rounding).unwrap();
    assert_eq!((&rounding["dtype"], &rounding["device"]), (&"bf16".into(), &"cpu".into()));
    assert_eq!(rounding["tolerances"], "rounding of bf16, 0.3 of the largest value");
    assert_eq!(compare(&["--tolerance", "loose"]).code, 2);
    assert!(compare(&["--device", "gpu"]).failed(1).contains("expected cpu, cuda:N or auto"));
}

#[test]
fn unsuitable_models_are_one_line_errors() {
    let models = Models::new();
    let path = |name: &str| models.path(name);
    let whole = fs::read(path("mar/checkpoint-last.pth")).unwrap();
    fs::write(path("cut.pth"), &whole[..whole.len() / 2]).unwrap();
    fs::copy(golden("lightgen_tiny/weights.safetensors"), path("lightgen.safetensors")).unwrap();
    let global = renamed(&path("mar/checkpoint-last.pth"), b"_rebuild_tensor_v2", b"_rebuild_tensor_v9");
    fs::write(path("global.pth"), global).unwrap();
    let mut vae: Value = serde_json::from_str(&config("mar_tiny")).unwrap();
    vae["vae_embed_dim"] = json!(4);
    vae["token_embed_dim"] = json!(4);
    fs::create_dir(path("four")).unwrap();
    fs::write(path("four/config.json"), vae.to_string()).unwrap();
    fs::create_dir(path("empty")).unwrap();
    fs::write(path("empty/notes.txt"), "").unwrap();
    fs::write(path("none.pth"), "").unwrap();
    let before = files(models.0.path());
    let mut lines = String::new();
    for (code, flags) in [
        (2, "--model mar --class 3"),
        (1, "--model mar --weights cut.pth --class 3"),
        (1, "--model mar --weights lightgen.safetensors --class 3"),
        (1, "--model mar --weights global.pth --vae kl16.safetensors --class 3"),
        (1, "--model mar --vae lightgen.safetensors --class 3"),
        (1, "--model mar --vae empty --class 3"),
        (1, "--model four --random-weights --vae kl16.safetensors --class 3"),
        (1, "--model mar-b --class 3"),
        (1, "--model mar-b --weights mar/checkpoint-last.pth --class 3"),
        (1, "--model mar-b --weights lightgen.safetensors --class 3"),
        (2, "--model mar --prompt cat"),
        (2, "--model mar --class seven"),
        (2, "--model mar --class 3 --size 64x64"),
        (2, "--model mar --class 3 --text-encoder t5"),
        (2, "--model mar --class 3 --random-weights --weights cut.pth"),
        (2, "--model mar --class 3 --dtype f64"),
        (2, "--model lightgen --prompt cat"),
        (2, "--model lightgen --class 3"),
        (1, "--model lightgen --text-encoder t5 --prompt cat"),
        (1, "--model lightgen --text-encoder empty --prompt cat"),
        (2, "--model lightgen --random-weights --text-encoder t5 --prompt cat --size 60x64"),
        (2, "--model lightgen --random-weights --text-encoder t5 --prompt cat --size big"),
        (1, "--class 3 --device cuda:0"),
        (1, "--class 3 --device gpu"),
        (1, "--class 3 --trace none/run.safetensors"),
    ] {
        if cfg!(feature = "cuda") && flags.contains("cuda") {
            continue;
        }
        let line = models.sample(flags, &[]).failed(code);
        // Writing to a String cannot fail.
        let _ = write!(lines, "{flags}\n  {line}");
    }
    for (code, line) in [
        (1, "conform empty"),
        (1, "conform none"),
        (2, "conform"),
        (2, "conform mar --tolerance -1"),
        (2, "conform mar --weights cut.pth"),
        (1, "convert none.pth out.safetensors"),
        (1, "convert cut.pth out.safetensors"),
        (1, "convert mar/checkpoint-last.pth none/out.safetensors"),
        (1, "convert kl16.safetensors kl16.safetensors"),
        (2, "convert mar/checkpoint-last.pth out.safetensors --dtype i8"),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let _ = write!(lines, "{line}\n  {}", run_in(models.0.path(), &args).failed(code));
    }
    insta::assert_snapshot!("models_refused", lines);
    assert_eq!(files(models.0.path()), before, "nothing is left behind");
}

#[test]
fn the_exit_code_reports_conformance() {
    let folder = golden("");
    let text = run_in(&folder, &["conform", "vae_kl16_tiny", "fts.json"]).succeeded();
    assert!(text.lines().any(|line| line.starts_with("ok    vae_kl16_tiny/golden  image ")), "{text}");
    let strict = run_in(&folder, &["conform", "vae_kl16_tiny", "--tolerance", "1e-12"]);
    assert_eq!(strict.code, 1);
    assert!(strict.stdout.contains("\nFAIL  "), "{}", strict.stdout);
}
