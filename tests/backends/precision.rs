//! 16-bit matrices: half the memory, nearly the same images.

use candle_core::Tensor;
use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::lightgen::{LightGenConfig, LightGenModel, Positions};
use gtr_backends::mar::MarGenerator;
use gtr_backends::{Compute, Device, Judge, Picture, Precision};
use gtr_core::sampler::{Job, Settings};
use gtr_core::{Guidance, GuidanceSchedule, ImageIndex, MaskedGenerator, Registry, Sampler, Seed, preset};

use crate::golden::{Golden, distance, floats, path};

fn compute(precision: Precision) -> Compute {
    Compute::from(&Device::Cpu).with_precision(precision)
}

fn digits(precision: Precision) -> MarGenerator {
    gtr_backends::open_mar("digits", &gtr_backends::Files::default(), compute(precision)).unwrap()
}

/// Generates images whose classes equal their indices, in batches of at most `batch`.
fn generate(precision: Precision, images: &[u32], batch: usize) -> Vec<Picture> {
    let (mut generator, registry) = (digits(precision), Registry::builtin());
    let plan = preset::find("gtr-8").unwrap().schedule.plan(generator.grid(), &registry).unwrap().plan;
    let guidance = Guidance::new(2.0, GuidanceSchedule::Linear).unwrap();
    let settings = Settings { seed: Seed(5), guidance, temperature: 1.0 };
    let class = |image: u32| generator.class(image % 10).unwrap();
    let job = |&image: &u32| Job::new(class(image), ImageIndex(image.into()));
    let jobs: Vec<_> = images.iter().map(job).collect();
    let sampler = Sampler::new(&plan, &registry).unwrap();
    jobs.chunks(batch).flat_map(|jobs| sampler.batch(jobs, &settings).run(&mut generator).unwrap()).collect()
}

#[test]
fn digits_stay_recognizable() {
    let all: Vec<u32> = (0..10).collect();
    let judge = Judge::new().unwrap();
    let expected = generate(Precision::F32, &all, 10);
    let read = judge.classify(&expected).unwrap();
    for precision in [Precision::Bf16, Precision::F16] {
        let found = generate(precision, &all, 10);
        // The weights of the model have 11 bits of precision, so f16 represents them exactly.
        assert!(precision == Precision::F16 || found != expected, "{precision} changes nothing: it is not used");
        let found = judge.classify(&found).unwrap();
        let same = found.iter().zip(&read).filter(|(found, read)| found == read).count();
        assert!(same >= 8, "{precision}: {found:?} {read:?}");
    }
}

#[test]
fn bits_do_not_depend_on_the_batch() {
    for precision in [Precision::Bf16, Precision::F16] {
        assert!(generate(precision, &[4, 7, 1], 3) == generate(precision, &[4, 7, 1], 1), "{precision}");
    }
}

#[test]
fn conditioning_vectors_differ_only_by_rounding() {
    let golden = Golden::open("lightgen_tiny/weights");
    let config = LightGenConfig::parse("lightgen_tiny", &golden.json["config"].to_string()).unwrap();
    let texts = Golden::open("lightgen_tiny/text").tensor("texts").get(0).unwrap();
    let vectors = |precision| {
        let checkpoint = Checkpoint::open(&path("lightgen_tiny/weights.safetensors")).unwrap();
        let model = LightGenModel::load(&config, checkpoint, compute(precision)).unwrap();
        let images = [Positions { known: &[], targets: &[0, 100, 255] }];
        let decoded = model.decode(&images, None).unwrap();
        let text = model.embed_text(&texts).unwrap();
        let vectors: Tensor = model.attend(&images, &decoded, &[&text]).unwrap();
        floats(&vectors)
    };
    let expected = vectors(Precision::F32);
    let [coarse, fine] = [Precision::Bf16, Precision::F16].map(|precision| distance(&vectors(precision), &expected));
    assert!(fine > 0.0 && fine < coarse && coarse < 0.1, "f16 {fine}, bf16 {coarse}");
}
