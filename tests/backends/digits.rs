//! The digits model generates digits.

use candle_core::{Device, Tensor};
use gtr_backends::{BackendError, Judge};
use gtr_core::solver::Ddpm;
use gtr_core::{
    Capability, Denoise, DiffusionSteps, HeadRow, ImageIndex, MaskedGenerator, Noise, NonFinite, Seed, StepContext,
    Targets, Timestep, TimestepLimit, Timesteps, TokenIndex,
};

#[test]
fn the_judge_recognizes_the_classes_of_the_prompts() {
    let mut generator = gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu).unwrap();
    let grid = generator.grid();
    let classes: Vec<_> = (0..10).map(|class| generator.class(class).unwrap()).collect();
    let mut canvas = generator.canvas(&classes, true).unwrap();
    let timesteps = [Timesteps::new(DiffusionSteps::new(20).unwrap(), generator.head_kind().timesteps()).unwrap()];
    let noise = Noise::new(Seed(0));
    // A hand-written order: far jumps, four tokens per step.
    let order: Vec<TokenIndex> = (0..64).map(|place| grid.token((place * 29 + 7) % 64).unwrap()).collect();
    for (step, tokens) in (1_u32..).zip(order.chunks(4)) {
        let targets = Targets::new((0..10).map(|_| tokens));
        let rows: Vec<_> = (0..10)
            .flat_map(|image| tokens.iter().map(move |&token| HeadRow { image: ImageIndex(image), token, group: 0 }))
            .collect();
        let guidance = 1.0 + 2.0 * f64::from(step) / 16.0;
        let context = StepContext { guidance, ..StepContext::single(64, 4 * (step as usize - 1)) };
        let features = generator.features(&mut canvas, &targets, &context).unwrap();
        let request = Denoise { timesteps: &timesteps, rows: &rows, step: &context, solver: &Ddpm {}, noise: &noise };
        let values = generator.denoise(&features, &request).unwrap();
        generator.commit(&mut canvas, &targets, values).unwrap();
    }
    assert_eq!(generator.find_non_finite(&canvas).unwrap(), None);
    let pictures = generator.decode(canvas).unwrap();
    let read = Judge::new().unwrap().classify(&pictures).unwrap();
    let right = read.iter().zip(0..10).filter(|(read, class)| *read == class).count();
    assert!(right >= 8, "{right} of 10 are read right: {read:?}");
}

#[test]
fn the_model_describes_itself() {
    let generator = gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu).unwrap();
    assert_eq!(generator.head_kind().timesteps(), TimestepLimit::Max(Timestep::new(949).unwrap()));
    for capability in [Capability::HostFeatures, Capability::LearnedVariance, Capability::Encoding, Capability::Reuse] {
        assert!(capability.is_provided_by(&generator), "{capability}");
    }
    assert!(!Capability::Confidence.is_provided_by(&generator));
    assert!(generator.previewer().is_some());
    assert_eq!(generator.grid().tokens(), 64);
    assert_eq!(generator.config().guidance, Some(3.0));
    let parameters = gtr_backends::mar::MarModel::layout(generator.config()).unwrap().parameters();
    assert_eq!(parameters, 2_933_024);
}

#[test]
fn classes_outside_the_model_are_refused() {
    let generator = gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu).unwrap();
    let error = generator.class(12).unwrap_err();
    assert_eq!(error.to_string(), "class 12 is out of range: the model has classes 0 to 9");
}

#[test]
fn inconsistent_calls_are_refused() {
    let mut generator = gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu).unwrap();
    let class = generator.class(1).unwrap();
    let mut canvas = generator.canvas(&[class], false).unwrap();
    let token = generator.grid().token(5).unwrap();
    let one = Targets::new([[token].as_slice()]);
    let two = Targets::new([[token].as_slice(), [token].as_slice()]);
    let values = |rows| Tensor::zeros((rows, 16), candle_core::DType::F32, &Device::Cpu).unwrap();
    let refused = |result: Result<(), BackendError>, expected: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let step = StepContext::single(64, 0);
    refused(generator.features(&mut canvas, &two, &step).map(drop), "expected targets of 1 image, found 2");
    refused(generator.commit(&mut canvas, &one, values(2)), "expected values of 1 token with 16 channels");
    generator.commit(&mut canvas, &one, values(1)).unwrap();
    refused(generator.commit(&mut canvas, &one, values(1)), "token 5 is already known");
    let elsewhere = gtr_core::Grid::new(9, 9).unwrap().token(80).unwrap();
    let elsewhere = Targets::new([[elsewhere].as_slice()]);
    refused(generator.commit(&mut canvas, &elsewhere, values(1)), "token 80 is not on the model's grid of 8x8");
    refused(generator.features(&mut canvas, &elsewhere, &step).map(drop), "token 80 is not on the model's grid of 8x8");
    refused(generator.decode(canvas).map(drop), "known tokens: 1 of 64");
}

#[test]
fn non_finite_values_are_found() {
    let mut generator = gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu).unwrap();
    let class = generator.class(1).unwrap();
    let mut canvas = generator.canvas(&[class, class], false).unwrap();
    let tokens: Vec<_> = [9, 3].map(|token| generator.grid().token(token).unwrap()).to_vec();
    let targets = Targets::new([tokens.as_slice(), tokens.as_slice()]);
    let mut values = vec![0.5_f32; 4 * 16];
    values[3 * 16 + 2] = f32::NAN;
    generator.commit(&mut canvas, &targets, Tensor::from_vec(values, (4, 16), &Device::Cpu).unwrap()).unwrap();
    let found = generator.find_non_finite(&canvas).unwrap();
    assert_eq!(found, Some(NonFinite { slot: 1, token: tokens[1] }));
}
