//! The network of the diffusion head.

use candle_core::{D, Device, Tensor};
use gtr_backends::diffusion::{DiffusionHead, waves};

use crate::golden::{Golden, assert_near, tiny};

fn predict(head: &DiffusionHead, x: &Tensor, timesteps: &[u32], z: &Tensor) -> Tensor {
    let (x, t) = (head.embed_tokens(x).unwrap(), head.embed_timesteps(timesteps).unwrap());
    head.predict(&x, &t, &head.embed_conditions(z).unwrap()).unwrap()
}

#[test]
fn every_part_matches_the_reference() {
    let (golden, generator) = (Golden::open("mar_tiny/head"), tiny());
    let head = generator.model().head();
    let timesteps = golden.u32s("t");
    let frequencies: Vec<f32> = timesteps.iter().copied().flat_map(waves).collect();
    let frequencies = Tensor::from_vec(frequencies, (timesteps.len(), 256), &Device::Cpu).unwrap();
    assert_near("t_freq", &frequencies, golden.tensor("t_freq"), 1e-5);
    let embedded_timesteps = head.embed_timesteps(&timesteps).unwrap();
    assert_near("t_emb", &embedded_timesteps, golden.tensor("t_emb"), 1e-5);
    let conditions = head.embed_conditions(golden.tensor("c")).unwrap();
    assert_near("c_emb", &conditions, golden.tensor("c_emb"), 1e-5);
    let x = head.embed_tokens(golden.tensor("x")).unwrap();
    assert_near("h_in", &x, golden.tensor("h_in"), 1e-5);

    let mut blocks = Vec::new();
    let out = head
        .trace(&x, &embedded_timesteps, &conditions, |block| {
            blocks.push(block.narrow(0, 0, timesteps.len()).unwrap());
        })
        .unwrap();
    assert_eq!(blocks.len(), 2);
    for (number, block) in blocks.iter().enumerate() {
        assert_near("block", block, golden.tensor(&format!("h_block{number}")), 1e-5);
    }
    let noise = golden.number("/f32_rounding_noise_max_abs_vs_f64/out");
    assert_near("out", &out, golden.tensor("out"), 1e-5_f64.max(10.0 * noise));
}

#[test]
fn guidance_matches_the_reference() {
    let (golden, generator) = (Golden::open("mar_tiny/head"), tiny());
    let head = generator.model().head();
    let x = golden.tensor("x");
    let half = x.dim(0).unwrap() / 2;
    let x = x.narrow(0, 0, half).unwrap();
    let both = Tensor::cat(&[&x, &x], 0).unwrap();
    let out = predict(head, &both, &golden.u32s("cfg.t"), golden.tensor("c"));
    let channels = x.dim(1).unwrap();
    let eps = out.narrow(1, 0, channels).unwrap();
    let (cond, uncond) = (eps.narrow(0, 0, half).unwrap(), eps.narrow(0, half, half).unwrap());
    for scale in [3.0, 1.7] {
        let guided = (&uncond + ((&cond - &uncond).unwrap() * scale).unwrap()).unwrap();
        let guided = Tensor::cat(&[&guided, &guided], 0).unwrap();
        let expected = golden.tensor(&format!("cfg{scale:.1}.out"));
        let found = Tensor::cat(&[&guided, &out.narrow(1, channels, channels).unwrap()], D::Minus1).unwrap();
        assert_near("guided output", &found, expected, 1e-4);
    }
}

#[test]
fn the_digits_head_matches_the_reference() {
    let golden = Golden::open("digits");
    let generator = gtr_backends::open("digits", None, &Device::Cpu).unwrap();
    let out =
        predict(generator.model().head(), golden.tensor("head.x"), &golden.u32s("head.t"), golden.tensor("head.z"));
    assert_near("head.out", &out, golden.tensor("head.out"), 1e-5);
}
