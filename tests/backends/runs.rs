//! Whole recorded runs, step by step from the recorded state and free running.

use candle_core::Tensor;
use gtr_backends::mar::{Canvas, MarGenerator};
use gtr_core::{
    Denoise, DiffusionSteps, ImageIndex, MaskedGenerator, Row, Targets, TimestepLimit, Timesteps, TokenIndex,
};

use crate::golden::{Golden, Recorded, assert_near, floats, positions, tiny};
use crate::loops::halves;

/// A recorded run and how to repeat it.
struct Run {
    golden: Golden,
    generator: MarGenerator,
    timesteps: Timesteps,
    images: usize,
    steps: usize,
    guided: bool,
}

impl Run {
    fn open(name: &str) -> Self {
        let golden = Golden::open(&format!("mar_tiny/{name}"));
        let count = golden.json["call"]["num_sampling_steps"].as_str().unwrap().parse().unwrap();
        let timesteps = Timesteps::new(DiffusionSteps::new(count).unwrap(), TimestepLimit::NONE).unwrap();
        let (steps, images, _) = golden.tensor("mask_before").dims3().unwrap();
        let guided = (golden.number("/call/cfg") - 1.0).abs() > 1e-9;
        Self { golden, generator: tiny(), timesteps, images, steps, guided }
    }

    fn tolerance(&self) -> f64 {
        10.0 * self.golden.number("/f32_rounding_noise_vs_f64/max_abs_err")
    }

    fn empty(&self) -> Canvas {
        let classes = if self.golden.json["call"]["labels"].is_null() {
            vec![None; self.images]
        } else {
            self.golden.u32s("labels").iter().map(|&label| Some(self.generator.class(label).unwrap())).collect()
        };
        Canvas::new(classes, self.guided)
    }

    /// Masked and known positions of each image before a step; after the last step nothing is masked.
    fn masks(&self, step: usize) -> Vec<(Vec<u32>, Vec<u32>)> {
        if step == self.steps {
            return vec![(Vec::new(), (0..64).collect()); self.images];
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
    fn state(&mut self, step: usize) -> Canvas {
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
    fn draw(&mut self, step: usize, features: &gtr_backends::diffusion::Conditions, targets: &Targets) -> Tensor {
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

    fn step_by_step(&mut self) {
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

    fn free_running(&mut self) {
        let mut canvas = self.empty();
        for step in 0..self.steps {
            let targets = self.generated(step);
            let features = self.generator.features(&canvas, &targets).unwrap();
            let drawn = self.draw(step, &features, &targets);
            self.generator.commit(&mut canvas, &targets, drawn).unwrap();
        }
        assert_eq!(self.generator.find_non_finite(&canvas).unwrap(), None);
        let latents = self.generator.latents(&canvas).unwrap();
        assert_near(&self.golden.name, &latents, self.golden.tensor("output"), self.tolerance());
    }
}

macro_rules! runs {
    ($($test:ident: $name:literal),* $(,)?) => {
        const NAMES: &[&str] = &[$($name),*];
        $(#[test]
        fn $test() {
            let mut run = Run::open($name);
            run.step_by_step();
            run.free_running();
        })*
    };
}

runs! {
    unguided_constant: "sample_it4_cfg1.0_constant",
    unguided_linear: "sample_it4_cfg1.0_linear",
    without_class: "sample_it4_cfg1.0_nolabels",
    guided_constant: "sample_it4_cfg2.9_constant",
    guided_linear: "sample_it4_cfg2.9_linear",
    cooler: "sample_it4_cfg2.9_linear_T0.9",
    unguided_more_steps: "sample_it8_cfg1.0_linear",
    guided_more_steps: "sample_it8_cfg2.9_linear",
    one_token_a_step: "sample_it64_cfg2.9_linear",
}

#[test]
fn every_recorded_run_is_repeated() {
    let mut files: Vec<String> = std::fs::read_dir(crate::golden::path("mar_tiny"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".safetensors").map(str::to_owned))
        .filter(|name| name.starts_with("sample_"))
        .collect();
    files.sort();
    let mut names = NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(files, names);
}
