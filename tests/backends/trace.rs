//! Traces: tracing changes no bits, and a trace reproduces its run.

use std::convert::Infallible;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::conform::{ConformReport, Options, Tolerances, conform};
use gtr_backends::trace::{Provenance, Trace, Tracer};
use gtr_backends::{Compute, Device, Families, Picture, Precision};
use gtr_core::sampler::{Job, Observer, SampleError, Settings, StepEvent};
use gtr_core::{
    AxisConfig, AxisName, Grid, Guidance, GuidanceSchedule, ImageIndex, MaskedGenerator, Plan, Registry, Sampler, Seed,
    TokenIndex, TokenSet, preset,
};

fn plan(name: &str) -> Plan {
    let mut schedule = preset::find(name).unwrap().schedule.clone();
    let limit = gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu)
        .unwrap()
        .head_kind()
        .timesteps();
    schedule.set_default_timestep_limit(limit).unwrap();
    // Fewer evaluations than in the preset, because the size of the traced noise is proportional to them.
    schedule.diffusion = schedule.diffusion.with("t_max", 6).with("t_min", 4).with("t_rec", 3);
    schedule.detail = schedule.detail.with("t_detail", 7);
    schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan
}

fn settings(scale: f64) -> Settings {
    let guidance = Guidance::new(scale, GuidanceSchedule::Linear).unwrap();
    Settings { seed: Seed(9), guidance, temperature: 0.9 }
}

/// Generates images 3, 4 and 8 in two batches, traced or not.
fn pictures(plan: &Plan, settings: &Settings, trace: Option<&Path>) -> Vec<Picture> {
    batches(plan, settings, trace, &[&[3, 4], &[8]])
}

fn batches(plan: &Plan, settings: &Settings, trace: Option<&Path>, batches: &[&[u32]]) -> Vec<Picture> {
    let mut generator = gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu).unwrap();
    let sampler = Sampler::new(plan, &Registry::builtin()).unwrap();
    let provenance = Provenance { model: "digits".into(), weights: "built in".into(), ..Provenance::default() };
    let mut tracer = trace.map(|path| Tracer::create(path, plan, settings, &provenance).unwrap());
    let mut pictures = Vec::new();
    for batch in batches {
        let job = |&image| Job::new(generator.class(image).unwrap(), ImageIndex(image.into()));
        let jobs: Vec<_> = batch.iter().map(job).collect();
        pictures.extend(match &mut tracer {
            Some(tracer) => tracer.run(&sampler, &mut generator, &jobs, &mut ()).unwrap(),
            None => sampler.batch(&jobs, settings).run(&mut generator).unwrap(),
        });
    }
    if let Some(tracer) = tracer {
        tracer.finish().unwrap();
    }
    pictures
}

fn replay(path: &Path) -> ConformReport {
    conform(&[path.to_owned()], &Options::default(), &Registry::builtin(), &Families::builtin()).unwrap()
}

#[test]
fn a_trace_is_compared_on_the_device_and_in_the_type_that_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (plan, settings) = (plan("gtr-8"), settings(2.0));
    let mut generator = gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu).unwrap();
    let provenance = Provenance { model: "digits".into(), device: "cuda", ..Provenance::default() };
    let mut tracer = Tracer::create(&path, &plan, &settings, &provenance).unwrap();
    let jobs = [Job::new(generator.class(3).unwrap(), ImageIndex(3))];
    tracer.run(&Sampler::new(&plan, &Registry::builtin()).unwrap(), &mut generator, &jobs, &mut ()).unwrap();
    tracer.finish().unwrap();

    let registry = Registry::builtin();
    assert_eq!(Trace::open(&path, &registry).unwrap().description().device.as_deref(), Some("cuda"));
    let report = replay(&path);
    assert!(report.passed(), "{report}");
    assert_eq!(report.notes[0].text, "recorded on cuda in f32, compared on cpu in f32");

    let options = Options::default().with_compute(Compute::from(&Device::Cpu).with_precision(Precision::Bf16));
    let check = |options: &Options| conform(std::slice::from_ref(&path), options, &registry, &Families::builtin());
    let report = check(&options).unwrap();
    let failed: Vec<&str> = report.failures().map(|quantity| quantity.name.as_str()).collect();
    // Conditioning vectors depend on the type; orders, masks, timesteps and noise do not.
    assert!(failed.contains(&"z"), "{report}");
    for name in ["orders", "targets", "mask_before", "timesteps", "noise", "picked for detail"] {
        assert!(!failed.contains(&name), "{report}");
    }
    assert_eq!(report.notes[0].text, "recorded on cuda in f32, compared on cpu in bf16");
    let report = check(&options.with_tolerances(Tolerances::Rounding)).unwrap();
    assert!(report.passed(), "{report}");
}

#[test]
fn a_plan_without_a_limit_is_traced_with_the_limit_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let resolved = plan("gtr-8");
    let mut schedule = resolved.schedule().clone();
    schedule.diffusion.params.remove("max_timestep").unwrap();
    let open = schedule.plan(resolved.grid(), &Registry::builtin()).unwrap().plan;
    assert_ne!(open, resolved);
    assert_eq!(pictures(&open, &settings(1.0), Some(&path)), pictures(&resolved, &settings(1.0), None));
    assert_eq!(Trace::open(&path, &Registry::builtin()).unwrap().description().plan, resolved);
    assert!(replay(&path).passed());
}

#[test]
fn tracing_changes_nothing_and_the_trace_can_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    for scale in [1.0, 2.0] {
        let (plan, settings) = (plan("gtr-8"), settings(scale));
        assert!(plan.steps().iter().any(|step| step.detail().is_some()));
        assert_eq!(pictures(&plan, &settings, Some(&path)), pictures(&plan, &settings, None));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let report = replay(&path);
        assert!(report.passed() && report.notes.is_empty(), "{report}");
        // The same program on the same machine gives the same bits.
        assert!(report.quantities.iter().all(|quantity| quantity.absolute == 0.0), "{report}");
        let names: Vec<&str> = report.quantities.iter().map(|quantity| quantity.name.as_str()).collect();
        for name in
            ["orders", "targets", "mask_before", "timesteps", "guidance", "picked for detail", "z", "sampled", "tokens"]
        {
            assert!(names.contains(&name), "{name}");
        }
        assert_eq!(names.contains(&"z, unconditional"), scale > 1.0);
    }
}

#[test]
fn a_trace_has_the_specified_names_and_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let plan = plan("gtr-8");
    pictures(&plan, &settings(2.0), Some(&path));
    let trace = Checkpoint::open(&path).unwrap();
    let metadata = trace.metadata();
    for (name, text) in [
        ("format", "gtr-trace"),
        ("version", "1"),
        ("batches", "2"),
        ("model", "digits"),
        ("weights", "built in"),
        ("seed", "9"),
        ("temperature", "0.9"),
        ("guidance", "2"),
        ("guidance_schedule", "linear"),
    ] {
        assert_eq!(metadata[name], text);
    }
    let shape = |name: &str| trace.info(name).unwrap_or_else(|| panic!("{name}")).shape.clone();
    let last = plan.steps().len() - 1;
    let count = plan.steps()[last].tokens();
    assert_eq!(shape("batch0.images"), [2]);
    assert_eq!(shape("batch1.classes"), [1]);
    assert_eq!(shape("batch0.orders"), [2, 64]);
    assert_eq!(shape("batch0.tokens"), [2, 64, 16]);
    assert_eq!(shape("batch0.pictures"), [2, 32, 32, 1]);
    let step = |part: &str| shape(&format!("batch0.step{last}.{part}"));
    assert_eq!(step("mask_before"), [2, 64]);
    assert_eq!(step("targets"), [2, count]);
    assert_eq!(step("groups"), [2, count]);
    assert_eq!(step("timesteps0"), [3]);
    assert_eq!(step("timesteps1"), [7]);
    assert_eq!(step("guidance"), [1]);
    assert_eq!(step("seconds"), [1]);
    assert_eq!(step("z"), [2 * count, 128]);
    assert_eq!(step("z_unconditional"), [2 * count, 128]);
    assert_eq!(step("noise"), [7, 2 * count, 16]);
    assert_eq!(step("sampled"), [2 * count, 16]);
    let per_step: usize = plan.steps().iter().map(|step| 10 + usize::from(step.detail().is_some())).sum();
    assert_eq!(trace.tensors().len(), 2 * (5 + per_step));
    // The specification names all of them.
    let specification = fs::read_to_string(crate::golden::path("../../spec/TRACE.md")).unwrap();
    for (name, _) in trace.tensors() {
        let part = name.rsplit('.').next().unwrap();
        assert!(specification.contains(&format!("`{part}`")), "{part}");
    }
    for name in metadata.keys() {
        assert!(specification.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn a_trace_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    // The file name needs no extension.
    let path = folder.path().join("run");
    let plan = plan("gtr-8");
    let made = pictures(&plan, &settings(2.0), Some(&path));
    let mut trace = Trace::open(&path, &Registry::builtin()).unwrap();
    let description = trace.description().clone();
    assert_eq!((&description.plan, description.batches), (&plan, 2));
    assert_eq!((description.seed, description.guidance), (Seed(9), settings(2.0).guidance));
    assert_eq!((description.model.as_str(), description.weights.as_str()), ("digits", "built in"));
    let mut images = 0;
    for number in 0..2 {
        let batch = trace.batch(number).unwrap();
        let bytes: Vec<_> = trace.pictures(&batch).unwrap().unwrap().iter().map(Picture::to_u8).collect();
        for (slot, image) in batch.images.iter().enumerate() {
            assert_eq!(batch.classes.as_ref().unwrap()[slot], u32::try_from(image.0).unwrap());
            assert_eq!(batch.orders[slot], plan.order(Seed(9), *image).unwrap());
            assert_eq!(bytes[slot], made[images + slot].to_u8());
        }
        images += batch.images.len();
        for (index, step) in plan.steps().iter().enumerate() {
            let record = trace.step(&batch, index).unwrap();
            assert!(record.seconds.unwrap() > 0.0 && record.guidance >= 1.0);
            let scores = trace.scores(&batch, index).unwrap().unwrap();
            for ((tokens, scores), picked) in batch.targets(index).zip(&scores).zip(&record.picked) {
                assert_eq!((scores.len(), picked.len()), (step.tokens(), step.detail().map_or(0, |it| it.tokens)));
                // The picked tokens have the highest scores.
                let score = |token: &TokenIndex| scores[tokens.iter().position(|other| other == token).unwrap()];
                let least = picked.iter().map(score).fold(f64::INFINITY, f64::min);
                assert_eq!(tokens.iter().filter(|token| score(token) >= least).count(), picked.len());
            }
        }
    }
    assert_eq!(images, 3);
    assert!(trace.batch(2).unwrap_err().to_string().contains("there is no such tensor"));
}

#[test]
fn a_run_with_reuse_is_replayed_from_start_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let mut schedule = plan("gtr-8").schedule().clone();
    let lazymar = AxisConfig::new("lazymar")
        .with("complete_steps", 1)
        .with("refresh_period", 3)
        .with("decoder_keep", "stretched");
    schedule.set_axis(AxisName::Reuse, lazymar.with("decoder_block", 1));
    let plan = schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan;
    for scale in [1.0, 2.0] {
        let traced = pictures(&plan, &settings(scale), Some(&path));
        assert!(pictures(&plan, &settings(scale), None) == traced);
        let report = replay(&path);
        assert!(report.passed(), "{report}");
        assert!(report.quantities.iter().all(|quantity| quantity.absolute == 0.0), "{report}");
        let names: Vec<&str> = report.quantities.iter().map(|quantity| quantity.name.as_str()).collect();
        assert!(names.contains(&"tokens") && names.contains(&"sampled") && !names.contains(&"z"), "{report}");
        assert!(report.notes.iter().all(|note| note.text.contains("the plan reuses results")), "{report}");
        assert_eq!(report.notes.len(), 2);
    }
    // The sign of a final value.
    let mut bytes = fs::read(&path).unwrap();
    let header = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let description: serde_json::Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    let tokens = usize::try_from(description["batch1.tokens"]["data_offsets"][0].as_u64().unwrap()).unwrap();
    bytes[header + tokens + 3] ^= 0x80;
    fs::write(&path, &bytes).unwrap();
    let report = replay(&path);
    assert!(!report.passed(), "{report}");
}

#[test]
fn a_run_from_a_picture_is_traced_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (whole, settings, registry) = (plan("gtr-8"), settings(2.0), Registry::builtin());
    let grid = whole.grid();
    let known = TokenSet::from_tokens(grid, grid.iter().filter(|token| token.index() % 3 == 1));
    let plan = whole.schedule().plan_rest(&known, &registry).unwrap().plan;
    let picture = pictures(&whole, &settings, None).remove(0);
    let mut generator = gtr_backends::open("digits", None, &Device::Cpu).unwrap();
    let job = |image: u32| Job::new(generator.class(image).unwrap(), ImageIndex(image.into()));
    let jobs = [job(4), job(8)].map(|job| job.starting_from(picture.clone()));
    let sampler = Sampler::new(&plan, &registry).unwrap();
    let made = sampler.batch(&jobs, &settings).run(&mut generator).unwrap();
    let provenance = Provenance { model: "digits".into(), ..Provenance::default() };
    let mut tracer = Tracer::create(&path, &plan, &settings, &provenance).unwrap();
    assert!(tracer.run(&sampler, &mut generator, &jobs, &mut ()).unwrap() == made);
    tracer.finish().unwrap();

    let report = replay(&path);
    assert!(report.passed() && report.notes.is_empty(), "{report}");
    assert!(report.quantities.iter().all(|quantity| quantity.absolute == 0.0), "{report}");
    let mut trace = Trace::open(&path, &registry).unwrap();
    assert_eq!((&trace.description().plan, &trace.description().unchecked), (&plan, &None));
    let batch = trace.batch(0).unwrap();
    for (image, order) in batch.images.iter().zip(&batch.orders) {
        assert_eq!(order, &plan.order(Seed(9), *image).unwrap());
    }
    for (index, step) in plan.steps().iter().enumerate() {
        assert!(batch.targets(index).all(|targets| targets.len() == step.tokens()));
        trace.step(&batch, index).unwrap();
    }
    // The tokens known from the start are in the trace: a changed value is detected.
    let mut changed = fs::read(&path).unwrap();
    let header = 8 + usize::try_from(u64::from_le_bytes(changed[..8].try_into().unwrap())).unwrap();
    let description: serde_json::Value = serde_json::from_slice(&changed[8..header]).unwrap();
    let tokens = usize::try_from(description["batch0.tokens"]["data_offsets"][0].as_u64().unwrap()).unwrap();
    // The sign of the first channel of token 1, which is known.
    changed[header + tokens + 16 * 4 + 3] ^= 0x80;
    fs::write(&path, &changed).unwrap();
    assert!(!replay(&path).passed());
}

#[test]
fn a_changed_trace_is_detected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let mut schedule = plan("gtr-8").schedule().clone();
    schedule.pace = AxisConfig::new("rates").with("steps", vec![2, 1, 1]);
    let plan = schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan;
    batches(&plan, &settings(2.0), Some(&path), &[&[3], &[8]]);
    let whole = fs::read(&path).unwrap();
    let header = 8 + usize::try_from(u64::from_le_bytes(whole[..8].try_into().unwrap())).unwrap();
    let description: serde_json::Value = serde_json::from_slice(&whole[8..header]).unwrap();
    for name in [
        "batch0.orders",
        "batch0.step0.targets",
        "batch0.step1.groups",
        "batch0.step2.mask_before",
        "batch1.step3.z",
        "batch1.step3.z_unconditional",
        "batch0.step2.noise",
        "batch0.step2.sampled",
        "batch1.tokens",
        "batch0.step1.guidance",
        "batch0.step1.timesteps0",
        "batch0.classes",
        "batch1.images",
    ] {
        let offset = |end: usize| usize::try_from(description[name]["data_offsets"][end].as_u64().unwrap()).unwrap();
        let mut changed = whole.clone();
        // The high byte of a float, the low byte of an integer.
        let high = matches!(description[name]["dtype"].as_str().unwrap(), "F32" | "F64");
        let width = if description[name]["dtype"] == "F64" { 8 } else { 4 };
        // The last element: for noise, one that is added late and affects the result.
        let last = header + offset(1) - width;
        changed[if high { last + width - 1 } else { header + offset(0) }] ^= if high { 0x05 } else { 0x01 };
        fs::write(&path, &changed).unwrap();
        let report =
            conform(std::slice::from_ref(&path), &Options::default(), &Registry::builtin(), &Families::builtin());
        assert!(report.is_ok_and(|report| !report.passed()), "{name}");
    }
    for place in (8..header).step_by(1499).chain([0, 1, 3]) {
        let mut changed = whole.clone();
        changed[place] ^= 0x11;
        fs::write(&path, &changed).unwrap();
        let _ = conform(std::slice::from_ref(&path), &Options::default(), &Registry::builtin(), &Families::builtin());
    }
}

#[test]
fn the_model_path_in_a_trace_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (plan, settings) = (plan("gtr-8"), settings(1.0));
    let provenance = Provenance { model: "somewhere/else".into(), ..Provenance::default() };
    let tracer = Tracer::create(&path, &plan, &settings, &provenance).unwrap();
    tracer.finish().unwrap();
    let report = replay(&path);
    assert!(report.problems[0].text.ends_with("its model `somewhere/else` is not built in: give the model"));
}

struct StopAt(usize);

impl<G: MaskedGenerator> Observer<G> for StopAt {
    type Error = Infallible;

    fn step(&mut self, event: &StepEvent<'_, G>) -> Result<ControlFlow<()>, Infallible> {
        Ok(if event.index == self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

#[test]
fn an_unfinished_trace_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let (plan, settings) = (plan("gtr-8"), settings(1.0));
    let mut generator = gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu).unwrap();
    let sampler = Sampler::new(&plan, &Registry::builtin()).unwrap();
    let mut tracer = Tracer::create(&path, &plan, &settings, &Provenance::default()).unwrap();
    let jobs = [Job::new(generator.class(0).unwrap(), ImageIndex(0))];
    let stopped = tracer.run(&sampler, &mut generator, &jobs, &mut StopAt(1)).unwrap_err();
    assert!(matches!(stopped, SampleError::Stopped { step: 2, .. }));
    drop(tracer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
