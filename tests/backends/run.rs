//! Repeats recorded runs, step by step from the recorded state and free running.

use candle_core::Tensor;
use gtr_backends::diffusion::Conditions;
use gtr_backends::lightgen::LightGenGenerator;
use gtr_backends::mar::MarGenerator;
use gtr_backends::{BackendError, Canvas};
use gtr_core::{
    Denoise, DiffusionSteps, ImageIndex, MaskedGenerator, Row, Targets, TimestepLimit, Timesteps, TokenIndex,
};

use crate::golden::{Golden, Recorded, assert_near, floats, positions};
use crate::loops::halves;

/// A generator whose latent images can be looked at.
pub(crate) trait Model:
    MaskedGenerator<
        Prompt: Clone,
        Canvas = Canvas<<Self as MaskedGenerator>::Prompt>,
        Features = Conditions,
        Tokens = Tensor,
        Error = BackendError,
    >
{
    fn latents(&self, canvas: &Self::Canvas) -> Tensor;
}

impl Model for MarGenerator {
    fn latents(&self, canvas: &Self::Canvas) -> Tensor {
        self.latents(canvas).unwrap()
    }
}

impl Model for LightGenGenerator {
    fn latents(&self, canvas: &Self::Canvas) -> Tensor {
        self.latents(canvas).unwrap()
    }
}

/// A recorded run and how to repeat it.
pub(crate) struct Run<G: Model> {
    golden: Golden,
    generator: G,
    prompts: Vec<Option<G::Prompt>>,
    timesteps: Timesteps,
    images: usize,
    steps: usize,
    guided: bool,
}

impl<G: Model> Run<G> {
    /// The run that is recorded in `golden`; `prompt` gives the prompt of each image.
    pub(crate) fn new(golden: Golden, generator: G, prompt: impl Fn(&Golden, &G, usize) -> Option<G::Prompt>) -> Self {
        let count = golden.json["call"]["num_sampling_steps"].as_str().unwrap().parse().unwrap();
        let timesteps = Timesteps::new(DiffusionSteps::new(count).unwrap(), TimestepLimit::NONE).unwrap();
        let (steps, images, _) = golden.tensor("mask_before").dims3().unwrap();
        let guided = (golden.number("/call/cfg") - 1.0).abs() > 1e-9;
        let prompts = (0..images).map(|image| prompt(&golden, &generator, image)).collect();
        Self { golden, generator, prompts, timesteps, images, steps, guided }
    }

    fn tolerance(&self) -> f64 {
        10.0 * self.golden.number("/f32_rounding_noise_vs_f64/max_abs_err")
    }

    fn empty(&self) -> Canvas<G::Prompt> {
        Canvas::new(self.prompts.clone(), self.guided)
    }

    /// Masked and known positions of each image before a step; after the last step nothing is masked.
    fn masks(&self, step: usize) -> Vec<(Vec<u32>, Vec<u32>)> {
        if step == self.steps {
            return vec![
                (Vec::new(), (0..u32::try_from(self.generator.grid().tokens()).unwrap()).collect());
                self.images
            ];
        }
        let masks: Vec<Vec<f32>> = self.golden.tensor("mask_before").get(step).unwrap().to_vec2().unwrap();
        masks.iter().map(|mask| positions(mask)).collect()
    }

    fn targets(&self, images: &[Vec<u32>]) -> Targets {
        let token = |&position: &u32| self.generator.grid().token(position as usize).unwrap();
        let tokens: Vec<Vec<TokenIndex>> = images.iter().map(|image| image.iter().map(token).collect()).collect();
        Targets::new(tokens.iter().map(Vec::as_slice))
    }

    /// What a step generates: masked before, known after.
    fn generated(&self, step: usize) -> Targets {
        let (before, after) = (self.masks(step), self.masks(step + 1));
        let new = before.iter().zip(&after).map(|((masked, _), (_, known))| {
            masked.iter().copied().filter(|position| known.contains(position)).collect()
        });
        self.targets(&new.collect::<Vec<_>>())
    }

    /// The recorded state before a step.
    fn state(&mut self, step: usize) -> Canvas<G::Prompt> {
        let mut canvas = self.empty();
        let known: Vec<Vec<u32>> = self.masks(step).into_iter().map(|(_, known)| known).collect();
        if known[0].is_empty() {
            return canvas;
        }
        let tokens = self.golden.tensor("tokens_before").get(step).unwrap();
        let rows = known.iter().enumerate().map(|(image, known)| {
            tokens
                .get(image)
                .unwrap()
                .index_select(&Tensor::new(known.as_slice(), tokens.device()).unwrap(), 0)
                .unwrap()
        });
        let values = Tensor::cat(&rows.collect::<Vec<_>>(), 0).unwrap();
        let targets = self.targets(&known);
        self.generator.commit(&mut canvas, &targets, values).unwrap();
        canvas
    }

    /// Draws the values of a step with the recorded noise.
    fn draw(&mut self, step: usize, features: &Conditions, targets: &Targets) -> Tensor {
        let rows: Vec<Row> = (0_u64..)
            .zip(targets.by_image())
            .flat_map(|(image, tokens)| {
                tokens.iter().map(move |&token| Row { image: ImageIndex(image), token, group: 0 })
            })
            .collect();
        let recorded = self.golden.tensor(&format!("step{step}.noise"));
        let noise = Recorded {
            rows: rows.iter().enumerate().map(|(number, row)| ((row.image, row.token), number)).collect(),
            first: self.golden.f32s(&format!("step{step}.init_noise")),
            rest: floats(recorded),
            stride: recorded.dim(1).unwrap(),
        };
        let request = Denoise {
            timesteps: std::slice::from_ref(&self.timesteps),
            rows: &rows,
            guidance: self.golden.json["cfg_iter"][step].as_f64().unwrap(),
            temperature: self.golden.number("/call/temperature"),
            noise: &noise,
        };
        self.generator.denoise(features, &request).unwrap()
    }

    pub(crate) fn step_by_step(&mut self) {
        for step in 0..self.steps {
            let (canvas, targets) = (self.state(step), self.generated(step));
            let features = self.generator.features(&canvas, &targets).unwrap();
            let recorded = self.golden.tensor(&format!("step{step}.z")).clone();
            let halves = halves(&recorded, targets.rows().len());
            assert_near("z", &features.conditional, &halves.conditional, 1e-5);
            assert_eq!(features.unconditional.is_some(), halves.unconditional.is_some());
            if let (Some(found), Some(expected)) = (&features.unconditional, &halves.unconditional) {
                assert_near("z without class", found, expected, 1e-5);
            }
            let drawn = self.draw(step, &halves, &targets);
            let expected = self.golden.tensor(&format!("step{step}.sampled"));
            let expected = expected.narrow(0, 0, targets.rows().len()).unwrap();
            assert_near(&format!("{} step {step}", self.golden.name), &drawn, &expected, self.tolerance());
        }
    }

    pub(crate) fn free_running(&mut self) {
        let mut canvas = self.empty();
        for step in 0..self.steps {
            let targets = self.generated(step);
            let features = self.generator.features(&canvas, &targets).unwrap();
            let drawn = self.draw(step, &features, &targets);
            self.generator.commit(&mut canvas, &targets, drawn).unwrap();
        }
        assert_eq!(self.generator.find_non_finite(&canvas).unwrap(), None);
        let latents = Model::latents(&self.generator, &canvas);
        assert_near(&self.golden.name, &latents, self.golden.tensor("output"), self.tolerance());
    }
}
