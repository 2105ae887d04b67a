//! Solvers and reuse in the chains of the diffusion head.

use std::path::Path;

use candle_core::{Device, Tensor};
use gtr_backends::Families;
use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::conform::{Options, conform};
use gtr_backends::diffusion::{Conditions, DiffusionHead, sample};
use gtr_backends::mar::{MarConfig, MarGenerator, MarModel};
use gtr_core::solver::{Ddim, Ddpm, Dpm, DpmOrder, NoiseLevel, Update};
use gtr_core::{
    Denoise, DiffusionSteps, Fraction, Grid, HeadReuse, HeadRow, ImageIndex, Noise, NoiseSource, Registry, Seed,
    Solver, StepContext, StepReuse, Timestep, TimestepLimit, Timesteps,
};
use serde_json::{Value, json};

use crate::golden::{Golden, floats, path, tiny};

/// Number of rows of a request.
const ROWS: u16 = 18;

fn digits() -> MarGenerator {
    gtr_backends::open_mar("digits", &gtr_backends::Files::default(), &Device::Cpu).unwrap()
}

/// A model whose head has seven blocks.
fn seven_blocks() -> MarModel {
    let config = Golden::open("lazymar_tiny/weights").json["config"].to_string();
    let config = MarConfig::parse("lazymar_tiny", &config).unwrap();
    let weights = Checkpoint::open(&path("lazymar_tiny/weights.safetensors")).unwrap();
    MarModel::load(&config, weights, &Device::Cpu).unwrap()
}

fn stochastic() -> Ddim {
    Ddim { eta: Fraction::new(0.7).unwrap() }
}

/// Inputs of a request: every row with its conditions and the number of its timesteps.
struct Inputs<'a> {
    head: &'a DiffusionHead,
    rows: Vec<HeadRow>,
    conditions: Conditions,
    timesteps: Vec<Timesteps>,
}

impl<'a> Inputs<'a> {
    /// Rows with 25, 4 and 1 evaluations, mixed.
    #[expect(clippy::cast_precision_loss, reason = "conditions are short")]
    fn new(head: &'a DiffusionHead, guided: bool) -> Self {
        let limit = TimestepLimit::Max(Timestep::new(949).unwrap());
        let timesteps = [25, 4, 1].map(|steps| Timesteps::new(DiffusionSteps::new(steps).unwrap(), limit).unwrap());
        let row = |(number, token)| HeadRow { image: ImageIndex(5), token, group: [0, 2, 1, 0, 1][number % 5] };
        let grid = Grid::new(1, u32::from(ROWS)).unwrap();
        let width = head.size().condition;
        let vectors = |phase: f32| {
            let values = (0..ROWS)
                .flat_map(|row| (0..width).map(move |place| (f32::from(row) * 1.3 + place as f32 * 0.7 + phase).sin()));
            Tensor::from_vec(values.collect(), (usize::from(ROWS), width), &Device::Cpu).unwrap()
        };
        let conditions = Conditions { conditional: vectors(0.0), unconditional: guided.then(|| vectors(1.0)) };
        Self { head, rows: grid.iter().enumerate().map(row).collect(), conditions, timesteps: timesteps.to_vec() }
    }

    fn is_guided(&self) -> bool {
        self.conditions.unconditional.is_some()
    }

    fn context(&self, temperature: f64, reuse: Option<HeadReuse>) -> StepContext {
        let reuse = reuse.map(|reuse| StepReuse { cached: None, head: Some(reuse) });
        let guidance = if self.is_guided() { 1.7 } else { 1.0 };
        StepContext { guidance, temperature, reuse, ..StepContext::single(usize::from(ROWS), 0) }
    }

    fn sample(&self, solver: &dyn Solver, temperature: f64, reuse: Option<HeadReuse>) -> Vec<f32> {
        let (noise, step) = (Noise::new(Seed(8)), self.context(temperature, reuse));
        let request = Denoise { timesteps: &self.timesteps, rows: &self.rows, step: &step, solver, noise: &noise };
        floats(&sample(self.head, &self.conditions, &request).unwrap())
    }

    /// The same inputs with one row only.
    fn only(&self, row: usize) -> Self {
        let select = |vectors: &Tensor| vectors.narrow(0, row, 1).unwrap();
        let conditions = Conditions {
            conditional: select(&self.conditions.conditional),
            unconditional: self.conditions.unconditional.as_ref().map(select),
        };
        Self { head: self.head, rows: vec![self.rows[row]], conditions, timesteps: self.timesteps.clone() }
    }

    /// Predicts the noise of one row, with guidance.
    #[expect(clippy::cast_possible_truncation, reason = "the network computes in f32")]
    fn predict(&self, row: usize, x: &[f64], timestep: u32) -> Vec<f64> {
        let head = self.head;
        let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        let tokens = head.embed_tokens(&Tensor::from_vec(x, (1, head.size().channels), &Device::Cpu).unwrap()).unwrap();
        let times = head.embed_timesteps(&[timestep]).unwrap();
        let half = |vectors: &Tensor| {
            let vectors = head.embed_conditions(&vectors.narrow(0, row, 1).unwrap()).unwrap();
            let out = floats(&head.predict(&tokens, &times, &vectors).unwrap());
            out[..head.size().channels].iter().map(|&value| f64::from(value)).collect::<Vec<_>>()
        };
        let with = half(&self.conditions.conditional);
        let Some(without) = &self.conditions.unconditional else { return with };
        half(without).iter().zip(&with).map(|(without, with)| without + 1.7 * (with - without)).collect()
    }

    /// Runs the chain of one row in f64, but for the network.
    fn in_f64(&self, row: usize, solver: &dyn Solver, temperature: f64) -> Vec<f64> {
        let HeadRow { image, token, group } = self.rows[row];
        let (noise, channels) = (Noise::new(Seed(8)), self.head.size().channels);
        let draw = |number: u32| {
            let mut values = vec![0.0; channels];
            noise.fill_normal(image, token, number, &mut values);
            values.into_iter().map(f64::from).collect::<Vec<_>>()
        };
        let timesteps: Vec<u32> = self.timesteps[group].values().iter().rev().copied().collect();
        let level = |&timestep: &u32| {
            let share = alphas_cumprod(timestep);
            NoiseLevel { signal: share.sqrt(), noise: (1.0 - share).sqrt() }
        };
        let levels: Vec<NoiseLevel> = timesteps.iter().map(level).chain([NoiseLevel::CLEAN]).collect();
        let (mut x, mut previous) = (draw(0), vec![0.0; channels]);
        for (evaluation, &timestep) in timesteps.iter().enumerate() {
            let Update::Linear(update) = solver.update(&levels, evaluation) else { panic!("{solver:?}") };
            let (predicted, level) = (self.predict(row, &x, timestep), levels[evaluation]);
            let noise = draw(u32::try_from(evaluation).unwrap() + 1);
            for channel in 0..channels {
                let x0 = (x[channel] - level.noise * predicted[channel]) / level.signal;
                x[channel] = update.x * x[channel]
                    + update.x0 * x0
                    + update.previous_x0 * previous[channel]
                    + update.noise * noise[channel] * temperature;
                previous[channel] = x0;
            }
        }
        x
    }
}

/// Product of the alphas of the squared-cosine process up to a timestep.
fn alphas_cumprod(timestep: u32) -> f64 {
    let bar = |step: u32| {
        let share = f64::from(step) / 1000.0;
        ((share + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2)
    };
    (0..=timestep).map(|step| (bar(step + 1) / bar(step)).max(0.001)).product()
}

#[test]
fn chains_equal_a_loop_in_f64() {
    let generator = digits();
    let first = Dpm { order: DpmOrder::First, ..Dpm::default() };
    for guided in [false, true] {
        let inputs = Inputs::new(generator.model().head(), guided);
        let solvers: [(&dyn Solver, f64); 5] = [
            (&Ddim::default(), 1.0),
            (&stochastic(), 1.0),
            (&stochastic(), 0.8),
            (&first, 1.0),
            (&Dpm::default(), 1.0),
        ];
        for (solver, temperature) in solvers {
            let found = inputs.sample(solver, temperature, None);
            let expected: Vec<f64> =
                (0..inputs.rows.len()).flat_map(|row| inputs.in_f64(row, solver, temperature)).collect();
            assert_eq!(found.len(), expected.len());
            let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
            for (found, expected) in found.iter().zip(&expected) {
                let difference = (f64::from(*found) - expected).abs();
                assert!(difference <= 1e-5 * largest, "{solver:?} {temperature}: {found} {expected} of {largest}");
            }
        }
    }
}

#[test]
fn solvers_differ() {
    let generator = digits();
    let inputs = Inputs::new(generator.model().head(), true);
    let solvers: [&dyn Solver; 4] = [&Ddpm {}, &Ddim::default(), &stochastic(), &Dpm::default()];
    let results: Vec<Vec<f32>> = solvers.iter().map(|solver| inputs.sample(*solver, 1.0, None)).collect();
    for (number, one) in results.iter().enumerate() {
        assert!(results[..number].iter().all(|other| other != one), "{number}");
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn reuse(period: u32) -> HeadReuse {
    HeadReuse { period: DiffusionSteps::new(period).unwrap(), warm: Fraction::new(0.9).unwrap() }
}

/// Calls `check` with heads of different depths, guided and unguided.
fn for_each_head(check: impl Fn(&Inputs<'_>)) {
    let (digits, two_blocks, seven_blocks) = (digits(), tiny(), seven_blocks());
    for head in [digits.model().head(), two_blocks.model().head(), seven_blocks.head()] {
        check(&Inputs::new(head, false));
        check(&Inputs::new(head, true));
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_rows_with_other_step_counts() {
    for_each_head(|inputs| {
        let cases: [(&dyn Solver, Option<HeadReuse>); 4] = [
            (&stochastic(), None),
            (&Dpm::default(), None),
            (&Ddpm {}, Some(reuse(3))),
            (&Dpm::default(), Some(reuse(7))),
        ];
        for (solver, reuse) in cases {
            let (together, channels) = (bits(&inputs.sample(solver, 0.9, reuse)), inputs.head.size().channels);
            for (row, expected) in together.chunks_exact(channels).enumerate() {
                let alone = bits(&inputs.only(row).sample(solver, 0.9, reuse));
                assert_eq!(alone, expected, "{solver:?} {reuse:?} {row}");
            }
        }
    });
}

#[test]
fn with_every_evaluation_complete_the_bits_are_those_without_reuse() {
    for_each_head(|inputs| {
        for solver in [&Ddpm {} as &dyn Solver, &Dpm::default()] {
            let expected = bits(&inputs.sample(solver, 0.9, None));
            assert_eq!(bits(&inputs.sample(solver, 0.9, Some(reuse(1)))), expected, "{solver:?}");
        }
    });
}

#[test]
fn reuse_changes_the_rows_with_more_than_two_evaluations() {
    for_each_head(|inputs| {
        let channels = inputs.head.size().channels;
        let [none, some] = [None, Some(reuse(7))].map(|reuse| inputs.sample(&Ddpm {}, 1.0, reuse));
        for (row, (none, some)) in none.chunks_exact(channels).zip(some.chunks_exact(channels)).enumerate() {
            // Of a single evaluation, none can be left out.
            let single = inputs.timesteps[inputs.rows[row].group].evaluations() == 1;
            assert_eq!(bits(none) == bits(some), single, "{row}");
            assert!(some.iter().all(|value| value.is_finite()), "{row}");
        }
    });
}

/// Returns true if these recordings of a folder pass after a change of their copies.
fn passes(folder: &str, files: &[&str], change: impl FnOnce(&Path)) -> bool {
    let parent = tempfile::tempdir().unwrap();
    let copy = parent.path().join(folder);
    std::fs::create_dir_all(&copy).unwrap();
    for file in files {
        std::fs::copy(path(folder).join(file), copy.join(file)).unwrap();
    }
    change(&copy);
    conform(&[copy], &Options::default(), &Registry::builtin(), &Families::builtin()).unwrap().passed()
}

/// Adds `by` to a value of a tensor.
fn change_tensor(file: &Path, name: &str, place: usize, by: f32) {
    let mut tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let mut values = floats(&tensors[name]);
    values[place] += by;
    let changed = Tensor::from_vec(values, tensors[name].shape(), &Device::Cpu).unwrap();
    tensors.insert(name.to_owned(), changed);
    candle_core::safetensors::save(&tensors, file).unwrap();
}

/// Replaces the value of a description.
fn change_json(file: &Path, pointer: &str, value: Value) {
    let mut json: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    *json.pointer_mut(pointer).unwrap() = value;
    std::fs::write(file, json.to_string()).unwrap();
}

#[test]
fn changes_of_recorded_steps_are_detected() {
    let check = |change: &dyn Fn(&Path)| passes("", &["solvers.json"], |folder| change(&folder.join("solvers.json")));
    assert!(check(&|_| ()));
    let recorded: Value = serde_json::from_str(&std::fs::read_to_string(path("solvers.json")).unwrap()).unwrap();
    let noisy = recorded["cases"].as_array().unwrap().iter().position(|case| case.get("noise").is_some()).unwrap();
    for (pointer, value) in [
        ("/cases/40/x/3/2".to_owned(), json!(0.25)),
        ("/cases/9/timesteps/1".to_owned(), json!(200)),
        ("/cases/9/solver".to_owned(), json!({ "kind": "ddpm" })),
        (format!("/cases/{noisy}/solver/eta"), json!(0.9)),
        (format!("/cases/{noisy}/noise/0/0"), json!(0.0)),
        (format!("/cases/{noisy}/noise/0"), json!([])),
        ("/data/mixture/means/0".to_owned(), json!(-1.21)),
        ("/data/mixture/means".to_owned(), json!([])),
    ] {
        assert!(!check(&|file| change_json(file, &pointer, value.clone())), "{pointer}");
    }
}

#[test]
fn changes_of_the_recorded_reuse_of_a_head_are_detected() {
    let files = ["weights.json", "weights.safetensors", "p_sample_loop.json", "p_sample_loop.safetensors"];
    let check = |change: &dyn Fn(&Path)| passes("lazymar_tiny", &files, change);
    assert!(check(&|_| ()));
    for (name, place, by) in [
        ("s100_T1.0_cfg2.5.out", 9, 0.01),
        ("s50_T1.0_cfg2.5.trace", 3000, 0.3),
        ("s50_T1.0_cfg2.5.model_out", 11_816, 0.1),
        ("s20_T1.0_cfg3.0.noise", 700, 0.5),
        ("s100_T0.9_cfg1.7.z", 40, 0.1),
    ] {
        assert!(!check(&|folder| change_tensor(&folder.join("p_sample_loop.safetensors"), name, place, by)), "{name}");
    }
    for (pointer, value) in [
        ("/constants/head_refresh_period", json!(8)),
        ("/constants/head_skipped_blocks", json!([1, 2, 3])),
        ("/loops/s20_T1.0_cfg3.0/warm_indices", json!([18])),
        ("/loops/s20_T1.0_cfg3.0/refresh_indices/1", json!(13)),
    ] {
        assert!(!check(&|folder| change_json(&folder.join("p_sample_loop.json"), pointer, value.clone())), "{pointer}");
    }
    // Block 2 is skipped by most evaluations, block 5 by none.
    for block in [2, 5] {
        let name = format!("diffloss.net.res_blocks.{block}.mlp.2.bias");
        assert!(!check(&|folder| change_tensor(&folder.join("weights.safetensors"), &name, 3, 0.1)), "{name}");
    }
}
