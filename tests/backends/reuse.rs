//! Reuse between AR steps.

use gtr_backends::{Device, Files, Picture, open_mar};
use gtr_core::sampler::{Job, Settings};
use gtr_core::{
    AxisConfig, AxisName, Capability, Grid, Guidance, GuidanceSchedule, ImageIndex, Plan, Registry, Sampler, Seed,
    TokenSet, preset,
};

use crate::lightgen;

/// A plan of 12 steps with a reuse.
fn plan(reuse: Option<AxisConfig>) -> Plan {
    let mut schedule = preset::find("mar-64").unwrap().schedule.clone();
    schedule.pace = schedule.pace.with("steps", 12);
    schedule.diffusion = AxisConfig::new("constant").with("t", 4).with("max_timestep", 949);
    if let Some(reuse) = reuse {
        schedule.set_axis(AxisName::Reuse, reuse);
    }
    schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan
}

/// Reuse of the transformer alone, with the first step and every fourth one complete.
fn lazymar() -> AxisConfig {
    let short = AxisConfig::new("lazymar")
        .with("complete_steps", 1)
        .with("refresh_period", 4)
        .with("decoder_keep", "stretched");
    short.with("decoder_block", 1).with("decoder_slack", 3).with("reuse_head", false)
}

fn generate(plan: &Plan, images: &[u32], scale: f64) -> Vec<Picture> {
    let mut generator = open_mar("digits", &Files::default(), &Device::Cpu).unwrap();
    let guidance = Guidance::new(scale, GuidanceSchedule::Linear).unwrap();
    let settings = Settings { seed: Seed(3), guidance, temperature: 1.0 };
    let job = |&image: &u32| Job::new(generator.class(image % 10).unwrap(), ImageIndex(image.into()));
    let jobs: Vec<_> = images.iter().map(job).collect();
    Sampler::new(plan, &Registry::builtin()).unwrap().batch(&jobs, &settings).run(&mut generator).unwrap()
}

/// Root mean square of the differences of pixels.
fn distance(a: &[Picture], b: &[Picture]) -> f64 {
    let pixels =
        |pictures: &[Picture]| pictures.iter().flat_map(|picture| picture.pixels().to_vec()).collect::<Vec<_>>();
    let (a, b) = (pixels(a), pixels(b));
    let squares: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (squares / f64::from(u32::try_from(a.len()).unwrap())).sqrt()
}

#[test]
fn complete_steps_change_nothing() {
    for scale in [1.0, 3.0] {
        let expected = generate(&plan(None), &[4, 7], scale);
        let complete = lazymar().with("complete_steps", 12);
        let off = lazymar().with("reuse_encoder", false).with("decoder_keep", "all").with("reuse_guidance", false);
        for reuse in [complete, off, lazymar().with("refresh_period", 1)] {
            assert!(generate(&plan(Some(reuse.clone())), &[4, 7], scale) == expected, "{reuse:?}, scale {scale}");
        }
    }
}

#[test]
fn each_part_changes_the_images_a_little() {
    for scale in [1.0, 3.0] {
        let expected = generate(&plan(None), &[4, 7, 2, 9], scale);
        let others = generate(&plan(None), &[14, 17, 12, 19], scale);
        let none = lazymar().with("reuse_encoder", false).with("decoder_keep", "all").with("reuse_guidance", false);
        let parts = [
            (none.clone().with("reuse_encoder", true), false),
            (none.clone().with("decoder_keep", "stretched"), false),
            (none.clone().with("reuse_guidance", true), true),
            (none.with("reuse_encoder", true).with("decoder_keep", "stretched"), false),
            (lazymar(), false),
        ];
        for (reuse, only_difference) in parts {
            let found = generate(&plan(Some(reuse.clone())), &[4, 7, 2, 9], scale);
            if scale == 1.0 && only_difference {
                // There is no unconditional half.
                assert!(found == expected);
                continue;
            }
            assert!(found != expected, "{reuse:?}");
            let (near, far) = (distance(&found, &expected), distance(&others, &expected));
            assert!(near < 0.7 * far, "{reuse:?}, scale {scale}: {near}, but {far} to other images");
        }
    }
}

/// The published table keeps everything in the first 20 steps.
#[test]
fn a_selection_of_everything_changes_nothing() {
    for scale in [1.0, 3.0] {
        let of = |keep: &str| generate(&plan(Some(lazymar().with("decoder_keep", keep))), &[5], scale);
        assert!(of("published") == of("all"));
    }
}

#[test]
fn an_image_does_not_depend_on_batch_and_threads() {
    let with_threads = |threads: usize, plan: &Plan, images: &[u32]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| generate(plan, images, 3.0))
    };
    for reuse in [lazymar(), lazymar().with("reuse_guidance", false)] {
        let plan = plan(Some(reuse));
        let together = with_threads(2, &plan, &[4, 7, 2]);
        assert!(together == with_threads(1, &plan, &[4, 7, 2]));
        for (picture, image) in together.iter().zip([4, 7, 2]) {
            assert!(with_threads(2, &plan, &[image])[0] == *picture, "image {image}");
        }
    }
}

#[test]
fn known_tokens_from_the_start_are_kept() {
    let registry = Registry::builtin();
    let whole = plan(Some(lazymar()));
    let picture = generate(&plan(None), &[6], 3.0).remove(0);
    let known = TokenSet::from_tokens(whole.grid(), whole.grid().iter().filter(|token| token.index() % 8 < 3));
    let plan = |reuse: AxisConfig| {
        let mut schedule = whole.schedule().clone();
        schedule.set_axis(AxisName::Reuse, reuse);
        schedule.plan_rest(&known, &registry).unwrap().plan
    };
    let mut generator = open_mar("digits", &Files::default(), &Device::Cpu).unwrap();
    let job = Job::new(generator.class(6).unwrap(), ImageIndex(2)).starting_from(picture.clone());
    let guidance = Guidance::new(3.0, GuidanceSchedule::Linear).unwrap();
    let settings = Settings { seed: Seed(3), guidance, temperature: 1.0 };
    let mut run = |plan: &Plan| {
        Sampler::new(plan, &registry).unwrap().batch(std::slice::from_ref(&job), &settings).run(&mut generator).unwrap()
    };
    let expected = run(&plan(lazymar().with("complete_steps", 12)));
    assert!(run(&plan(AxisConfig::new("none"))) == expected);
    let found = run(&plan(lazymar()));
    assert!(found != expected && distance(&found, &expected) < 0.3, "{}", distance(&found, &expected));
    // Twelve columns of pixels are known.
    let left = |picture: &Picture| picture.pixels().chunks(32).flat_map(|row| row[..12].to_vec()).collect::<Vec<_>>();
    let difference = left(&found[0]).iter().zip(left(&picture)).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn models_that_keep_nothing_refuse_the_plan() {
    let grid = Grid::new(8, 8).unwrap();
    let mut generator = lightgen::generator(grid);
    assert!(!Capability::Reuse.is_provided_by(&generator));
    let plan = plan(Some(lazymar()));
    let text = candle_core::Tensor::zeros((32, 32), candle_core::DType::F32, &Device::Cpu).unwrap();
    let text = generator.model().text_of_embedded(&text).unwrap();
    let jobs = [Job::new(text, ImageIndex(0))];
    let settings = Settings { seed: Seed(0), guidance: Guidance::NONE, temperature: 1.0 };
    let error = Sampler::new(&plan, &Registry::builtin()).unwrap().batch(&jobs, &settings).run(&mut generator);
    let message = error.unwrap_err().to_string();
    assert!(message.contains("reuse between AR steps"), "{message}");
}
