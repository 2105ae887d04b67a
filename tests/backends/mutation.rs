//! Conformance detects any weight that is off by one per cent.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::mar::{MarModel, Sequence};

use crate::golden::{Golden, distance, floats, path, positions, tiny_from};

/// Returns the deviation of a model from the recordings, in multiples of the tolerance.
fn badness(model: &MarModel, encdec: &Golden, head: &Golden) -> f64 {
    let mut worst = 0.0_f64;
    let all: Vec<u32> = (0..64).collect();
    let masks: Vec<Vec<f32>> = encdec.tensor("half.mask").to_vec2().unwrap();
    let labels = encdec.u32s("labels");
    let known: Vec<Vec<u32>> = masks.iter().map(|mask| positions(mask).1).collect();
    let values = known.iter().enumerate().map(|(image, known)| {
        let index = Tensor::new(known.as_slice(), &Device::Cpu).unwrap();
        encdec.tensor("tokens").get(image).unwrap().index_select(&index, 0).unwrap()
    });
    let values = Tensor::stack(&values.collect::<Vec<_>>(), 0).unwrap();
    for half in ["cond", "uncond"] {
        let class = |image: usize| (half == "cond").then(|| labels[image]);
        let sequences: Vec<_> = known
            .iter()
            .enumerate()
            .map(|(image, known)| Sequence { class: class(image), known, targets: &all })
            .collect();
        let encoded = model.encode(&sequences, Some(&values)).unwrap();
        let decoded = model.decode(&sequences, &encoded).unwrap();
        worst = worst.max(distance(&floats(&decoded), &encdec.f32s(&format!("half.{half}.dec"))) / 1.8e-5);
    }
    let network = model.head();
    let x = network.embed_tokens(head.tensor("x")).unwrap();
    let timesteps = network.embed_timesteps(&head.u32s("t")).unwrap();
    let conditions = network.embed_conditions(head.tensor("c")).unwrap();
    let out = network.predict(&x, &timesteps, &conditions).unwrap();
    worst.max(distance(&floats(&out), &head.f32s("out")) / 1.9e-5)
}

#[test]
fn one_weight_off_by_one_per_cent_is_detected() {
    let (encdec, head) = (Golden::open("mar_tiny/encdec"), Golden::open("mar_tiny/head"));
    let right = candle_core::safetensors::load(path("mar_tiny/weights.safetensors"), &Device::Cpu).unwrap();
    let right: BTreeMap<String, Tensor> = right.into_iter().collect();
    let judge = |weights: &BTreeMap<String, Tensor>| {
        let bytes = safetensors::serialize(weights, None).unwrap();
        let generator = tiny_from(Checkpoint::from_bytes("altered weights", bytes).unwrap());
        badness(generator.model(), &encdec, &head)
    };
    assert!(judge(&right) <= 1.0);
    let labels = encdec.u32s("labels");
    let mut unnoticed = Vec::new();
    for (name, tensor) in &right {
        let values = floats(tensor);
        // Only weights that matter: the class of the prompt; not the bias of keys, which the softmax cancels.
        let parts = match name.as_str() {
            "class_emb.weight" => labels[0] as usize * 32..(labels[0] as usize + 1) * 32,
            _ if name.ends_with("qkv.bias") => 64..96,
            _ => 0..values.len(),
        };
        // One of the four largest weights, because the largest may feed an inactive neuron.
        let mut parts: Vec<usize> = parts.collect();
        parts.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
        let noticed = parts.iter().take(4).any(|&place| {
            let (mut values, mut altered) = (values.clone(), right.clone());
            values[place] *= 1.01;
            altered.insert(name.clone(), Tensor::from_vec(values, tensor.shape(), &Device::Cpu).unwrap());
            judge(&altered) > 1.0
        });
        if !noticed {
            unnoticed.push(name);
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}
