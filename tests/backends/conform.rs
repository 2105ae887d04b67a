//! Comparison with recordings of the published implementations, and changes that the comparison must detect.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gtr_backends::conform::{ConformReport, Options, Tolerance, Tolerances, conform};
use gtr_backends::{BackendError, Compute, Device, Families, Precision};
use gtr_core::{Component, Diffusion, DiffusionSteps, Error, FitPolicy, Grid, Order, Pace, Partition, Registry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::golden::{Golden, floats, path};

fn check(path: &Path) -> ConformReport {
    conform(&[path.to_owned()], &Options::default(), &Registry::builtin(), &Families::builtin()).unwrap()
}

/// A folder with a model and some of the recordings of the tiny model.
struct Copy {
    parent: TempDir,
    name: &'static str,
}

impl Copy {
    fn of(stems: &[&str]) -> Self {
        Self::of_model("mar_tiny", stems)
    }

    fn of_model(name: &'static str, stems: &[&str]) -> Self {
        let copy = Self { parent: tempfile::tempdir().unwrap(), name };
        fs::create_dir(copy.folder()).unwrap();
        for stem in stems {
            for ending in ["json", "safetensors"] {
                let file = format!("{stem}.{ending}");
                fs::copy(path(name).join(&file), copy.folder().join(&file)).unwrap();
            }
        }
        copy
    }

    fn folder(&self) -> PathBuf {
        self.parent.path().join(format!("{}_copy", self.name))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Changes one value of a tensor with four-byte elements.
    fn change(&self, stem: &str, tensor: &str, index: usize, new: impl Fn(f32) -> f32) {
        let file = self.file(&format!("{stem}.safetensors"));
        let mut bytes = fs::read(&file).unwrap();
        let header = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        let description: Value = serde_json::from_slice(&bytes[8..header]).unwrap();
        assert_eq!(description[tensor]["dtype"], "F32", "{tensor}");
        let start = header + usize::try_from(description[tensor]["data_offsets"][0].as_u64().unwrap()).unwrap();
        let place = &mut bytes[start + 4 * index..][..4];
        let old = f32::from_le_bytes(place.try_into().unwrap());
        assert_ne!(new(old), old);
        place.copy_from_slice(&new(old).to_le_bytes());
        fs::write(file, bytes).unwrap();
    }

    fn describe(&self, stem: &str, change: impl FnOnce(&mut Value)) {
        let file = self.file(&format!("{stem}.json"));
        let mut description: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        change(&mut description);
        fs::write(file, description.to_string()).unwrap();
    }
}

#[test]
fn all_recordings_pass() {
    let report = check(&path(""));
    assert!(report.passed(), "{report}");
    let notes: Vec<String> = report.notes.iter().map(|note| format!("{}: {}", note.recording, note.text)).collect();
    let expected = [
        "diffusion_coefs: 1 step: the reference keeps timestep 0 and cannot sample; this implementation uses the highest timestep",
        "lazymar_tiny/plain_it64_cfg2.9_linear: the run from start to end is not compared: the noise of some steps is not recorded",
        "lazymar_tiny/sample_it64_cfg2.9_linear: the run from start to end is not compared: the noise of some steps is not recorded",
        "mar_tiny/encdec: not compared: class_embedding",
    ];
    assert_eq!(notes, expected);
    // Every recording was compared.
    let compared: BTreeSet<&str> = report.quantities.iter().map(|quantity| quantity.recording.as_str()).collect();
    let mut count = 0;
    for prefix in ["", "lazymar_tiny/", "mar_tiny/", "lightgen_tiny/", "vae_kl16_tiny/"] {
        for file in fs::read_dir(path(prefix)).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let Some(stem) = name.strip_suffix(".json").filter(|stem| !stem.starts_with("weights")) else { continue };
            assert!(compared.contains(format!("{prefix}{stem}").as_str()), "{stem}");
            count += 1;
        }
    }
    assert_eq!((count, compared.len()), (30, 30));
    let has = |recording: &str, name: &str| {
        assert!(report.quantities.iter().any(|it| it.recording == recording && it.name == name), "{recording} {name}");
    };
    for state in ["allmasked.cond", "half.cond", "half.uncond", "onemasked.cond"] {
        has("mar_tiny/encdec", &format!("{state}.enc"));
        has("mar_tiny/encdec", &format!("{state}.dec"));
    }
    for name in ["t_freq", "t_emb", "c_emb", "h_in", "h_block0", "h_block1", "out", "cfg1.7.out", "cfg3.0.out"] {
        has("mar_tiny/head", name);
    }
    for chain in ["s5_T1.0_cfg1.0", "s20_T0.9_cfg2.5", "s100_T0.9_cfg1.0"] {
        has("mar_tiny/p_sample_loop", &format!("{chain}.out"));
        has("mar_tiny/p_sample_loop", &format!("{chain}.trace"));
    }
    for name in ["half.enc", "half.dec", "half.z_cond", "half.z_uncond", "allmasked.z_cond", "tokens_unpatchified"] {
        has("lightgen_tiny/encdec_h8w16", name);
    }
    for name in ["text_proj", "text_emb", "fake_latent_expanded"] {
        has("lightgen_tiny/text", name);
    }
    has("lightgen_tiny/pos_embed", "h20w12.last_pos_embed_learned");
    for name in ["post_quant", "image", "enc.mid.attn_1", "enc.moments", "enc.mean", "enc.logvar", "enc.sample"] {
        has("vae_kl16_tiny/golden", name);
    }
    for name in ["enc_out", "x0_after", "scores", "kept", "dec_last", "z", "z, unconditional"] {
        has("lazymar_tiny/caches_it64_cfg2.9_linear", name);
    }
    let names =
        ["complete steps", "number of kept tokens", "targets", "scores", "kept", "z", "z, unconditional", "sampled"];
    for name in names {
        has("lazymar_tiny/sample_it64_cfg2.9_linear", name);
    }
    let runs = compared.iter().filter(|recording| recording.contains("sample_it") && !recording.starts_with("lazymar"));
    for run in runs {
        for name in ["mask_len", "cosine pace", "masks", "cfg_iter", "z", "sampled", "tokens after a step", "output"] {
            has(run, name);
        }
    }
}

#[test]
fn a_change_of_a_cache_is_detected() {
    let (run, caches) = ("sample_it64_cfg2.9_linear", "caches_it64_cfg2.9_linear");
    let new = || Copy::of_model("lazymar_tiny", &["weights", run, caches]);
    let passes = |copy: &Copy| check(&copy.file(&format!("{caches}.json"))).passed();
    assert!(passes(&new()));
    let golden = Golden::open(&format!("lazymar_tiny/{run}"));
    let first_of = |name: &str| floats(golden.tensor(name)).iter().position(|value| *value == 1.0).unwrap();
    // The first target of image 0 in step 22.
    let target = golden.f32s("now")[22 * 512..].iter().position(|value| *value == 1.0).unwrap();
    let place = (64 + target) * 48 + 5;
    for (tensor, index) in [
        ("s22.enc0.k", 40),
        ("s22.enc5.v", 200),
        ("s22.x0", 100 * 48),
        ("s22.dec3.v", 90),
        ("s22.dec5.k", 700),
        ("s22.delta", place),
        ("s22.enc_out", 7),
        ("s22.x0_after", 9),
        ("s22.dec_last", place),
    ] {
        // Of the encoder, keys and values of the buffer are replaced, so the change is after it.
        let index = if tensor.starts_with("s22.enc") && tensor.len() < 11 { 64 * 12 + index } else { index };
        let copy = new();
        copy.change(caches, tensor, index, |value| value + 9.0);
        assert!(!passes(&copy), "{tensor}");
    }
    let kept = first_of("step22.kept");
    for (tensor, index) in [("step22.scores", 70), ("step22.kept", kept), ("step22.z", 50)] {
        let copy = new();
        copy.change(run, tensor, index, |value| if tensor.ends_with("kept") { 1.0 - value } else { value + 0.1 });
        assert!(!passes(&copy), "{tensor}");
    }
}

#[test]
fn one_weight_off_by_one_per_cent_fails() {
    for (tensor, index) in [("z_proj.weight", 3), ("diffloss.net.input_proj.weight", 40), ("decoder_norm.weight", 5)] {
        let copy = Copy::of(&["weights", "encdec", "head"]);
        assert!(check(&copy.folder()).passed());
        copy.change("weights", tensor, index, |value| value * 1.01);
        assert!(!check(&copy.folder()).passed(), "{tensor}");
    }
    let recordings = ["weights", "text", "encdec_h8w16"];
    for (tensor, index) in [
        ("text_emb.text_proj.linear_1.weight", 3),
        ("cross_attn_blocks.1.attn.query_linear.weight", 40),
        ("last_pos_embed_learned", 900),
    ] {
        let copy = Copy::of_model("lightgen_tiny", &recordings);
        assert!(check(&copy.folder()).passed());
        copy.change("weights", tensor, index, |value| value * 1.01);
        assert!(!check(&copy.folder()).passed(), "{tensor}");
    }
    let recordings = ["weights_decoder", "weights_encoder", "golden"];
    for (stem, tensor) in
        [("weights_decoder", "decoder.conv_out.weight"), ("weights_encoder", "encoder.mid.block_1.conv1.weight")]
    {
        let copy = Copy::of_model("vae_kl16_tiny", &recordings);
        assert!(check(&copy.folder()).passed());
        copy.change(stem, tensor, 1, |value| value * 1.01);
        assert!(!check(&copy.folder()).passed(), "{tensor}");
    }
}

#[test]
fn one_changed_value_of_a_recording_fails() {
    let run = "sample_it4_cfg2.9_linear";
    let stems = ["weights", "encdec", "head", "p_sample_loop", run];
    for (stem, tensor, index) in [
        ("encdec", "half.cond.enc", 700),
        ("encdec", "half.uncond.dec", 1),
        ("encdec", "allmasked.mask", 9),
        ("encdec", "latent_image", 100),
        ("encdec", "latent_patchified", 100),
        ("head", "x", 5),
        ("head", "c", 5),
        ("head", "t_freq", 300),
        ("head", "t_emb", 300),
        ("head", "h_block1", 20),
        ("head", "cfg1.7.out", 60),
        ("p_sample_loop", "s20_T0.9_cfg2.5.z", 9),
        ("p_sample_loop", "s100_T1.0_cfg1.0.init_noise", 9),
        ("p_sample_loop", "s100_T1.0_cfg1.0.trace", 4444),
        ("p_sample_loop", "s5_T1.0_cfg1.0.out", 90),
        (run, "step1.z", 10),
        (run, "step2.sampled", 11),
        (run, "step3.noise", 3000),
        (run, "step0.init_noise", 12),
        (run, "tokens_before", 5000),
        (run, "tokens_final", 40),
        (run, "cfg_iter", 2),
        (run, "mask_before", 70),
        (run, "output", 17),
    ] {
        let copy = Copy::of(&stems);
        copy.change(stem, tensor, index, |value| if value == 0.0 { 1.0 } else { value + 2.0 });
        let report = check(&copy.file(&format!("{stem}.json")));
        assert!(!report.passed(), "{stem} {tensor}");
    }
    let run = "sample_h8w8_it3_cfg4_constant";
    for (stem, tensor, index) in [
        ("text", "text_emb", 30),
        ("text", "texts", 30),
        ("pos_embed", "h8w8.decoder_pos_embed_learned", 77),
        ("encdec_h8w16", "half.dec", 500),
        ("encdec_h8w16", "half.z_uncond", 900),
        ("encdec_h8w16", "tokens_unpatchified", 12),
        (run, "step1.sampled", 11),
        (run, "step2.noise", 3000),
        (run, "texts", 40),
        (run, "output", 17),
    ] {
        let copy = Copy::of_model("lightgen_tiny", &["weights", "text", "pos_embed", "encdec_h8w16", run]);
        copy.change(stem, tensor, index, |value| value + 200.0);
        assert!(!check(&copy.file(&format!("{stem}.json"))).passed(), "{stem} {tensor}");
    }
    for tensor in ["latent", "post_quant", "image", "enc.image", "enc.moments", "enc.logvar", "enc.sample"] {
        let copy = Copy::of_model("vae_kl16_tiny", &["weights_decoder", "weights_encoder", "golden"]);
        copy.change("golden", tensor, 9, |value| value + 2.0);
        assert!(!check(&copy.folder()).passed(), "{tensor}");
    }
}

#[test]
fn a_tolerance_can_be_given() {
    let copy = Copy::of(&["weights", "head"]);
    let report = |tolerance| {
        conform(
            &[copy.folder()],
            &Options::default().with_tolerance(tolerance),
            &Registry::builtin(),
            &Families::builtin(),
        )
        .unwrap()
    };
    assert!(!report(1e-9).passed());
    copy.change("head", "out", 3, |value| value + 0.5);
    assert!(report(0.6).passed());
    assert!(!report(0.4).passed());
}

/// Compares a folder in a type and with some tolerances.
fn check_in(path: &Path, precision: Precision, tolerances: Tolerances) -> ConformReport {
    let compute = Compute::from(&Device::Cpu).with_precision(precision);
    let options = Options::default().with_compute(compute).with_tolerances(tolerances);
    conform(&[path.to_owned()], &options, &Registry::builtin(), &Families::builtin()).unwrap()
}

#[test]
fn sixteen_bits_fail_unless_the_tolerance_of_rounding_is_asked_for() {
    let copy = Copy::of(&["weights", "encdec"]);
    for precision in [Precision::Bf16, Precision::F16] {
        let report = check_in(&copy.folder(), precision, Tolerances::Recorded);
        assert!(!report.passed() && report.to_string().contains("tolerances: recorded\n"), "{report}");
        let report = check_in(&copy.folder(), precision, Tolerances::Rounding);
        assert!(report.passed(), "{report}");
        let (share, setting) = (Tolerances::share(precision), &report.setting);
        assert_eq!(setting.tolerances, format!("rounding of {precision}, {share} of the largest value"));
        assert_eq!((setting.device.as_str(), setting.dtype.as_str()), ("cpu", precision.name()));
    }
    // An error as large as the values is found in any type.
    copy.change("encdec", "half.cond.dec", 5, |value| value + 5.0);
    for precision in Precision::ALL {
        let report = check_in(&copy.folder(), precision, Tolerances::Rounding);
        assert_eq!(report.failures().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["half.cond.dec"], "{report}");
    }
}

#[test]
fn values_that_are_only_copied_stay_exact() {
    let copy = Copy::of(&["weights", "encdec"]);
    copy.change("encdec", "latent_image", 3, |value| value + 1e-4);
    for tolerances in [Tolerances::Recorded, Tolerances::Number(0.5), Tolerances::Rounding] {
        let report = check_in(&copy.folder(), Precision::Bf16, tolerances);
        let unpatchify = report.failures().find(|quantity| quantity.name == "unpatchify");
        assert_eq!(unpatchify.unwrap().tolerance, Tolerance::Exact, "{report}");
    }
}

#[test]
fn the_tolerance_of_rounding_spares_what_the_host_computes() {
    let allowed = |tolerances| {
        let report = check_in(&path("digits.json"), Precision::Bf16, tolerances);
        let scores = check_in(&path("judge.json"), Precision::Bf16, tolerances);
        let of = |report: &ConformReport, name: &str| {
            let found = report.quantities.iter().find(|quantity| quantity.name == name);
            found.unwrap_or_else(|| panic!("no {name}: {report}")).tolerance
        };
        [of(&report, "head.out"), of(&report, "timesteps"), of(&scores, "features"), of(&scores, "frechet_a_b")]
    };
    let (own, rounding) = (allowed(Tolerances::Recorded), allowed(Tolerances::Rounding));
    assert_ne!(own[0], rounding[0]);
    assert_eq!(own[1..], rounding[1..]);
}

#[test]
fn runs_of_sixteen_bits_are_compared_step_by_step() {
    let stem = "sample_it4_cfg1.0_linear";
    let copy = Copy::of(&["weights", stem]);
    let report = check_in(&copy.folder(), Precision::Bf16, Tolerances::Rounding);
    let has = |report: &ConformReport, name: &str| report.quantities.iter().any(|quantity| quantity.name == name);
    assert!(has(&report, "z") && !has(&report, "output"), "{report}");
    assert!(
        report.notes.iter().any(|note| note.text.contains("from start to end is not compared in bf16")),
        "{report}"
    );
    let report = check_in(&copy.folder(), Precision::F32, Tolerances::Rounding);
    assert!(report.passed() && has(&report, "output"), "{report}");
}

#[test]
fn nothing_to_check_is_an_error() {
    let empty = tempfile::tempdir().unwrap();
    let message = |path: PathBuf| {
        conform(&[path], &Options::default(), &Registry::builtin(), &Families::builtin()).unwrap_err().to_string()
    };
    assert!(message(empty.path().to_owned()).starts_with("there is nothing to check in"));
    assert!(conform(&[], &Options::default(), &Registry::builtin(), &Families::builtin()).is_err());
    assert!(message("no/such/folder".into()).starts_with("no/such/folder: cannot be read"));
    assert!(message(path("README.md")).contains("is not a recording"));
    let other = empty.path().join("other.json");
    fs::write(&other, "{}").unwrap();
    assert!(message(other).contains("is not a recording: unknown name"));
    fs::create_dir(empty.path().join("lightgen_x")).unwrap();
    let report = check(empty.path());
    assert!(!report.passed());
    assert!(report.problems[0].text.ends_with("lightgen_x: no recording has the `config` of the model"), "{report}");
}

#[test]
fn unsupported_respacings_are_skipped_and_named() {
    for respacing in ["10,15,20", "ddim25"] {
        let run = "sample_it4_cfg1.0_linear";
        let copy = Copy::of(&["weights", run]);
        copy.describe(run, |json| json["call"]["num_sampling_steps"] = json!(respacing));
        let error = conform(&[copy.folder()], &Options::default(), &Registry::builtin(), &Families::builtin())
            .unwrap_err()
            .to_string();
        let expected = format!("respacing \"{respacing}\" is not checked: expected a number of evenly spaced steps)");
        assert!(error.ends_with(&expected), "{error}");

        let file = copy.parent.path().join("diffusion_coefs.json");
        for ending in ["json", "safetensors"] {
            fs::copy(path(&format!("diffusion_coefs.{ending}")), file.with_extension(ending)).unwrap();
        }
        let mut description: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        description["timestep_respacing_strings"]["20"] = json!(respacing);
        fs::write(&file, description.to_string()).unwrap();
        let report = check(&file);
        assert!(report.passed());
        assert!(report.notes.iter().any(|note| note.text.contains(respacing)), "{report}");
    }
}

/// Losses on other grids and with other kernels, computed by another program.
const LOSSES: &str = r#"{"cases": [
    {"grid": {"height": 3, "width": 7}, "field": {"kind": "matern-3/2", "length": 1.7, "nugget": 0.05},
     "steps": [[0, 3, 6, 9, 12, 15, 18], [2, 5, 8, 11, 14, 17, 20], [1, 4, 7, 10, 13, 16, 19]],
     "loss_nats": 0.9952478697463987, "per_step": [0.9018331730239468, 0.08652321584314526, 0.006891480879306577]},
    {"grid": {"height": 6, "width": 2}, "field": {"kind": "gaussian", "length": 0.8, "nugget": 0.2},
     "steps": [[0, 3, 6, 9], [2, 5, 8, 11], [1, 4, 7, 10]],
     "loss_nats": 0.035894176565229155}]}"#;

#[test]
fn recorded_losses_pass_and_changes_are_detected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loss-elsewhere.json");
    let report = |change: &dyn Fn(&mut Value)| {
        let mut recorded: Value = serde_json::from_str(LOSSES).unwrap();
        change(&mut recorded);
        fs::write(&file, recorded.to_string()).unwrap();
        check(folder.path())
    };
    let met = report(&|_| ());
    assert!(met.passed(), "{met}");
    let names: Vec<&str> = met.quantities.iter().map(|quantity| quantity.name.as_str()).collect();
    assert_eq!(names, ["matern-3/2 3x7", "matern-3/2 3x7 by step", "gaussian 6x2"]);
    for (pointer, value) in [
        ("/cases/0/loss_nats", json!(0.995_247_90)),
        ("/cases/0/per_step/2", json!(0.0)),
        ("/cases/1/field/nugget", json!(0.201)),
        ("/cases/1/steps/0/0", json!(2)),
        ("/cases/0/field/kind", json!("cubic")),
        ("/cases/0/field/length", json!("long")),
        ("/cases/0/grid/height", json!(700)),
        ("/cases/0/steps/1", json!([])),
        ("/cases/0/field", json!({"kind": "measured", "tensor": "none"})),
    ] {
        let changed = report(&|recorded| *recorded.pointer_mut(pointer).unwrap() = value.clone());
        assert!(!changed.passed(), "{pointer}: {changed}");
        assert!(changed.problems.iter().all(|problem| !problem.text.contains('\n')), "{changed}");
    }
}

#[test]
fn a_bad_recording_is_a_one_line_error() {
    let problem = |copy: &Copy, stem: &str| {
        let report = check(&copy.file(&format!("{stem}.json")));
        let [problem] = &report.problems[..] else { panic!("{report}") };
        assert!(!report.passed() && !problem.text.contains('\n'), "{report}");
        problem.text.clone()
    };
    let stems = ["weights", "head", "encdec", "sample_it4_cfg2.9_linear"];
    let run = stems[3];

    let copy = Copy::of(&stems);
    fs::write(copy.file("head.json"), "{").unwrap();
    assert!(problem(&copy, "head").contains("head.json: it is not JSON"));
    let whole = fs::read(copy.file("encdec.safetensors")).unwrap();
    fs::write(copy.file("encdec.safetensors"), &whole[..whole.len() - 5]).unwrap();
    assert!(problem(&copy, "encdec").contains("encdec.safetensors: "));

    for (field, value, expected) in [
        ("num_sampling_steps", json!("0"), "must be 1 to 1000, not 0"),
        ("num_sampling_steps", json!("4000"), "must be 1 to 1000, not 4000"),
        ("num_sampling_steps", json!("60"), "expected at least 60 draws of 10 rows of 16 channels"),
        ("cfg", json!(1.0), "tensor `step0.z`"),
        ("cfg", json!("much"), "`/call/cfg` of its description is \"much\", not a number"),
        ("cfg_schedule", json!("cubic"), "expected linear or constant as `cfg_schedule`"),
        ("temperature", Value::Null, "`/call/temperature` of its description is null, not a number"),
    ] {
        let copy = Copy::of(&stems);
        copy.describe(run, |json| {
            json["call"][field] = value.clone();
            json["timestep_map"] = Value::Null;
            json.as_object_mut().unwrap().remove("timestep_map");
        });
        let found = problem(&copy, run);
        assert!(found.contains(expected), "{field} {value}: {found}");
    }

    let copy = Copy::of(&stems);
    copy.change(run, "mask_before", 3, |_| 0.5);
    assert!(problem(&copy, run).contains("expected only 0 and 1 in a mask"));

    let copy = Copy::of(&["head"]);
    assert!(problem(&copy, "head").contains("there are no weights next to the recordings"));
    let copy = Copy::of(&stems);
    copy.describe("weights", |json| json["config"]["encoder_depth"] = json!(3));
    assert!(problem(&copy, "head").contains("it has no tensor `encoder_blocks.2.attn.proj.bias`"));
    copy.describe("weights", |json| json["config"]["seq_h"] = json!(4096));
    assert!(problem(&copy, "head").contains("mar_tiny_copy"));
}

#[test]
fn damaged_recordings_never_panic() {
    let stems = ["weights", "head"];
    let copy = Copy::of(&stems);
    for stem in stems {
        for ending in ["json", "safetensors"] {
            let file = copy.file(&format!("{stem}.{ending}"));
            let whole = fs::read(&file).unwrap();
            for place in (0..whole.len().min(4000)).step_by(if stem == "head" { 97 } else { 331 }) {
                let mut changed = whole.clone();
                changed[place] ^= 0x13;
                fs::write(&file, &changed).unwrap();
                let _: Result<ConformReport, BackendError> =
                    conform(&[copy.folder()], &Options::default(), &Registry::builtin(), &Families::builtin());
            }
            fs::write(&file, &whole).unwrap();
        }
    }
    let copy = tempfile::tempdir().unwrap();
    for (name, texts) in [
        ("fts", [r#"{"cases": [{"x": [], "score": 0}]}"#, r#"{"cases": [{"x": ["a"], "score": 0}]}"#, "[]"]),
        ("halton", [r#"{"grids": {"4096": {"size": 4096}}}"#, r#"{"grids": {"a": [1]}}"#, r#"{"grids": {"0": [1]}}"#]),
        ("disa", [r#"{"runs": [{"num_iter": 1e300}]}"#, r#"{"runs": [], "timestep_map_clip": {"5": []}}"#, "null"]),
        ("judge", ["{}", "0", "[[]]"]),
        ("loss", [r#"{"cases": [{"grid": {"height": 9e9, "width": 1}}]}"#, r#"{"cases": 1}"#, r#"{"cases": [[]]}"#]),
    ] {
        for text in texts {
            let file = copy.path().join(format!("{name}.json"));
            fs::write(&file, text).unwrap();
            let _: Result<ConformReport, BackendError> =
                conform(&[file], &Options::default(), &Registry::builtin(), &Families::builtin());
        }
    }
}

#[test]
fn a_report_is_a_table_and_json() {
    let report = check(&path("fts.json"));
    let text = report.to_string();
    assert!(
        text.starts_with("device cpu, type f32, tolerances: recorded\n\n")
            && text.lines().nth(3).unwrap().starts_with("ok    fts        score"),
        "{text}"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["quantities"][0]["name"], &json["quantities"][0]["passed"]), (&json!("score"), &json!(true)));
    assert_eq!(json["quantities"][0]["tolerance"]["relative"], json!(1e-6));
    assert_eq!([&json["device"], &json["dtype"], &json["tolerances"]], ["cpu", "f32", "recorded"]);
}

/// Implementations with the names of others.
macro_rules! replacements {
    ($($name:ident $kind:literal;)*) => {
        $(/// Replaces another implementation.
        #[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
        struct $name {}

        impl Component for $name {
            const KIND: &'static str = $kind;
            const SOURCE: &'static str = "a test";
        })*
    };
}

replacements! {
    OtherDisa "disa";
    OtherHalton "halton";
    OtherCosine "cosine";
}

impl Diffusion for OtherDisa {
    fn curve(&self, steps: &[gtr_core::diffusion::StepShape]) -> Vec<DiffusionSteps> {
        vec![DiffusionSteps::new(7).unwrap(); steps.len()]
    }
}

impl Order for OtherHalton {
    fn partition(&self, grid: Grid) -> Result<Partition, Error> {
        gtr_core::order::Raster {}.partition(grid)
    }
}

impl Pace for OtherCosine {
    fn steps(&self, stages: &gtr_core::pace::StageSizes, fit: &mut FitPolicy) -> Result<Vec<Vec<usize>>, Error> {
        gtr_core::pace::Uniform::default().steps(stages, fit)
    }
}

#[test]
fn recordings_of_schedulers_are_compared_with_the_given_registry() {
    let registry =
        Registry::builtin().with_diffusion::<OtherDisa>().with_order::<OtherHalton>().with_pace::<OtherCosine>();
    let run = Copy::of(&["weights", "sample_it4_cfg1.0_linear"]);
    for (path, quantity) in
        [(path("disa.json"), "nominal_steps"), (path("halton.json"), "order 16x16"), (run.folder(), "cosine pace")]
    {
        let passed = |registry: &Registry| {
            let report =
                conform(std::slice::from_ref(&path), &Options::default(), registry, &Families::builtin()).unwrap();
            let mut found = report.quantities.iter().filter(|it| it.name == quantity).map(|it| it.passed).peekable();
            assert!(found.peek().is_some(), "{quantity}: {report}");
            found.all(|passed| passed)
        };
        assert!(passed(&Registry::builtin()), "{quantity}");
        assert!(!passed(&registry), "{quantity}");
    }
}
