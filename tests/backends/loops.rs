//! Denoising chains of recorded conditioning vectors with recorded noise.

use candle_core::Tensor;
use gtr_backends::diffusion::{Conditions, DiffusionHead, sample};
use gtr_core::{Denoise, DiffusionSteps, Grid, ImageIndex, Row, TimestepLimit, Timesteps};

use crate::golden::{Golden, Recorded, assert_near, tiny};

pub(crate) fn halves(z: &Tensor, rows: usize) -> Conditions {
    let half = |from| z.narrow(0, from, rows).unwrap();
    Conditions { conditional: half(0), unconditional: (z.dim(0).unwrap() > rows).then(|| half(rows)) }
}

fn draw(
    head: &DiffusionHead,
    conditions: &Conditions,
    (first, rest): (&Tensor, &Tensor),
    timesteps: &Timesteps,
    (guidance, temperature): (f64, f64),
) -> Tensor {
    let grid = Grid::new(1, 64).unwrap();
    let rows: Vec<_> = (0..first.dim(0).unwrap())
        .map(|row| Row { image: ImageIndex(0), token: grid.token(row).unwrap(), group: 0 })
        .collect();
    let noise = Recorded {
        rows: rows.iter().enumerate().map(|(number, row)| ((row.image, row.token), number)).collect(),
        first: crate::golden::floats(first),
        rest: crate::golden::floats(rest),
        stride: rest.dim(1).unwrap(),
    };
    let timesteps = std::slice::from_ref(timesteps);
    sample(head, conditions, &Denoise { timesteps, rows: &rows, guidance, temperature, noise: &noise }).unwrap()
}

#[test]
fn chains_match_the_reference() {
    let (golden, generator) = (Golden::open("mar_tiny/p_sample_loop"), tiny());
    let names = golden.names();
    let cases: Vec<_> = names.iter().filter_map(|name| name.strip_suffix(".out")).collect();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let parts: Vec<&str> = case.split('_').collect();
        let [steps, temperature, guidance] = parts[..] else { panic!("{case}") };
        let number = |text: &str, prefix: &str| text.strip_prefix(prefix).unwrap().parse::<f64>().unwrap();
        let steps = DiffusionSteps::new(steps[1..].parse().unwrap()).unwrap();
        let timesteps = Timesteps::new(steps, TimestepLimit::NONE).unwrap();
        let first = golden.tensor(&format!("{case}.init_noise"));
        let rows = first.dim(0).unwrap();
        let found = draw(
            generator.model().head(),
            &halves(golden.tensor(&format!("{case}.z")), rows),
            (first, golden.tensor(&format!("{case}.noise"))),
            &timesteps,
            (number(guidance, "cfg"), number(temperature, "T")),
        );
        let expected = golden.tensor(&format!("{case}.out")).narrow(0, 0, rows).unwrap();
        let error = golden.json["f32_rounding_noise_vs_f64"][case]["max_abs_err"].as_f64().unwrap();
        assert_near(case, &found, &expected, 10.0 * error);
    }
}

#[test]
fn digits_chains_match_the_reference() {
    let golden = Golden::open("digits");
    let generator = gtr_backends::open("digits", None, &gtr_backends::Device::Cpu).unwrap();
    let guidance = golden.number("/config/cfg");
    for steps in [2, 20, 50] {
        let name = |part: &str| format!("loop{steps}.{part}");
        let limit = gtr_core::MaskedGenerator::timestep_limit(&generator);
        let timesteps = Timesteps::new(DiffusionSteps::new(steps).unwrap(), limit).unwrap();
        assert_eq!(timesteps.values(), golden.u32s(&name("timesteps")));
        let conditions = Conditions {
            conditional: golden.tensor("head.z").clone(),
            unconditional: Some(golden.tensor("head.z_uncond").clone()),
        };
        let noise = (golden.tensor(&name("init")), golden.tensor(&name("noise")));
        let found = draw(generator.model().head(), &conditions, noise, &timesteps, (guidance, 1.0));
        let expected = golden.tensor(&name("out"));
        let largest = golden.f32s(&name("out")).iter().fold(0_f32, |largest, value| largest.max(value.abs()));
        assert_near(&name("out"), &found, expected, 1e-3 * f64::from(largest));
    }
}
