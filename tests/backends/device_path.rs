//! The device path of a whole model on the CPU, compared with the host path.

use gtr_backends::diffusion::{Conditions, sample};
use gtr_backends::mar::MarGenerator;
use gtr_backends::{Compute, Device, Files, Picture, Precision, device_kind, device_memory, device_name, synchronize};
use gtr_core::sampler::{Job, Settings};
use gtr_core::solver::Ddpm;
use gtr_core::{
    Denoise, DiffusionSteps, Guidance, GuidanceSchedule, HeadRow, ImageIndex, MaskedGenerator, Noise, Registry,
    Sampler, Seed, StepContext, TimestepLimit, Timesteps, preset,
};

use crate::golden::distance;

fn host() -> Compute {
    Compute::from(&Device::Cpu)
}

fn digits(compute: Compute) -> MarGenerator {
    gtr_backends::open_mar("digits", &Files::default(), compute).unwrap()
}

/// Generates two guided images. The plan has no detail rule, because it could pick another token after another rounding.
fn generate(compute: Compute) -> Vec<Picture> {
    let (mut generator, registry) = (digits(compute), Registry::builtin());
    let schedule = &preset::find("mar-16").unwrap().schedule;
    let plan = schedule.plan(generator.grid(), &registry).unwrap().plan;
    let guidance = Guidance::new(2.0, GuidanceSchedule::Linear).unwrap();
    let settings = Settings { seed: Seed(5), guidance, temperature: 1.0 };
    let jobs = [3, 8].map(|class| Job::new(generator.class(class).unwrap(), ImageIndex(class.into())));
    Sampler::new(&plan, &registry).unwrap().batch(&jobs, &settings).run(&mut generator).unwrap()
}

#[test]
fn images_agree() {
    let expected = generate(host());
    for (precision, tolerance) in [(Precision::F32, 1e-3), (Precision::F16, 0.1)] {
        let found = generate(host().with_precision(precision).through_device_path());
        for (found, expected) in found.iter().zip(&expected) {
            let distance = distance(found.pixels(), expected.pixels());
            assert!(distance > 0.0 && distance < tolerance, "{precision}: {distance}");
        }
    }
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    let generator = digits(host().through_device_path());
    let head = generator.model().head();
    let conditions = |rows: usize| {
        let conditional = candle_core::Tensor::zeros((rows, 128), candle_core::DType::F32, &Device::Cpu).unwrap();
        Conditions { conditional, unconditional: None }
    };
    let timesteps = [Timesteps::new(DiffusionSteps::new(2).unwrap(), TimestepLimit::NONE).unwrap()];
    let (noise, step) = (Noise::new(Seed(1)), StepContext::single(64, 0));
    let token = generator.grid().token(0).unwrap();
    let refused = |rows: &[HeadRow], vectors: usize| {
        let request = Denoise { timesteps: &timesteps, rows, step: &step, solver: &Ddpm {}, noise: &noise };
        sample(head, &conditions(vectors), &request).unwrap_err().to_string()
    };
    let row = HeadRow { image: ImageIndex(0), token, group: 0 };
    assert!(refused(&[row], 2).contains("expected conditions of 1 rows, found the shape [2, 128]"));
    assert!(refused(&[HeadRow { group: 1, ..row }], 1).contains("the request has no timesteps of group 1"));
    assert!(refused(&[], 0).contains("expected at least one row"));
}

#[test]
fn the_cpu_has_no_memory_of_its_own_and_nothing_to_wait_for() {
    assert_eq!(device_memory(&Device::Cpu), None);
    synchronize(&Device::Cpu).unwrap();
    assert_eq!((device_name(&Device::Cpu).as_str(), device_kind(&Device::Cpu)), ("cpu", "cpu"));
    let types = Precision::ALL.map(|precision| host().with_precision(precision).without_f16().precision());
    assert_eq!(types, [Precision::F32, Precision::Bf16, Precision::Bf16]);
}
