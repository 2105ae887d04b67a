//! The autoencoder KL-16 and related ones.

use candle_core::{Device, Tensor};
use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::vae::{DecoderSize, KlDecoder, KlEncoder, LatentMoments};

use crate::golden::{Golden, path};

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&path(&format!("vae_kl16_tiny/{name}.safetensors"))).unwrap()
}

#[test]
fn the_log_variance_is_clamped() {
    let encoder = KlEncoder::load(open("weights_encoder"), &Device::Cpu).unwrap();
    let image = Tensor::full(1e9_f32, (1, 3, 16, 16), &Device::Cpu).unwrap();
    let LatentMoments { log_variance, .. } = encoder.encode(&image).unwrap();
    let values: Vec<f32> = log_variance.flatten_all().unwrap().to_vec1().unwrap();
    assert!(values.iter().all(|value| (-30.0..=20.0).contains(value)), "{values:?}");
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    let golden = Golden::open("vae_kl16_tiny/golden");
    let decoder = KlDecoder::load(open("weights_decoder"), &Device::Cpu).unwrap();
    let latent = golden.tensor("latent").narrow(0, 0, 1).unwrap();
    let other = (&latent * 0.5).unwrap();
    let together = decoder.pictures(&Tensor::cat(&[&other, &latent], 0).unwrap()).unwrap();
    assert!(decoder.pictures(&latent).unwrap()[0] == together[1]);
    assert!(decoder.pictures(&other).unwrap()[0] == together[0]);
}

#[test]
fn published_sizes_have_the_published_number_of_parameters() {
    // Both decoders, including the 1x1 convolution, if there is one.
    assert_eq!(KlDecoder::layout(&DecoderSize::stable_diffusion_3()).unwrap().parameters(), 49_545_475);
    assert_eq!(DecoderSize::kl16().stride(), 16);
    assert_eq!(DecoderSize::stable_diffusion_3().stride(), 8);
}

#[test]
fn sizes_are_those_of_the_files() {
    let decoder = KlDecoder::load(open("weights_decoder"), &Device::Cpu).unwrap();
    assert!(decoder.section().note().is_none());
    let encoder = KlEncoder::load(open("weights_encoder"), &Device::Cpu).unwrap();
    assert_eq!(encoder.size().latent_channels(), decoder.size().latent_channels);
    // Twice the sides are four times the pixels. Attention grows with the square of them.
    let (small, large) = (decoder.operations(4, 4), decoder.operations(8, 8));
    assert!(large > 4.0 * small && large < 5.0 * small, "{small} {large}");
}

#[test]
fn unsupported_sizes_are_refused() {
    let message = |size: &DecoderSize| {
        let loaded = KlDecoder::layout(size)
            .and_then(|layout| KlDecoder::load(Checkpoint::random("test", &layout, 1), &Device::Cpu));
        loaded.unwrap_err().to_string()
    };
    let size = DecoderSize { latent_channels: 2, post_quant: None, widths: vec![32], blocks: 1, image_channels: 1 };
    let text = message(&DecoderSize { widths: vec![48], ..size.clone() });
    assert!(text.ends_with("expected a multiple of 32 channels in each level, found 48"), "{text}");
    let text = message(&DecoderSize { image_channels: 65, ..size.clone() });
    assert!(text.ends_with("`decoder.conv_out.weight` has 65 channels, expected 1 to 64"), "{text}");
    let text = message(&DecoderSize { blocks: 40, ..size });
    assert!(text.contains("autoencoders of 1 level with "), "{text}");
}

#[test]
fn other_files_are_not_autoencoders() {
    let message = |result: Result<KlDecoder, gtr_backends::BackendError>| result.unwrap_err().to_string();
    let other = Checkpoint::open(&crate::golden::path("mar_tiny/weights.safetensors")).unwrap();
    let text = message(KlDecoder::load(other, &Device::Cpu));
    assert!(text.ends_with("weights.safetensors: expected an autoencoder, found a MAR model"), "{text}");
    let text = message(KlDecoder::load(open("weights_encoder"), &Device::Cpu));
    assert!(text.contains("an autoencoder has `decoder.conv_out.weight`"), "{text}");
    let decoder = KlDecoder::load(open("weights_decoder"), &Device::Cpu).unwrap();
    let wrong = Tensor::zeros((1, 4, 2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
    let text = decoder.decode(&wrong).unwrap_err().to_string();
    assert_eq!(text, "expected latents of 16 channels for the autoencoder, found 4");
}

/// candle before 0.11 computed wrong convolutions if the numbers of channels, rows and columns were equal.
#[test]
fn convolutions_with_equal_sides_are_correct() {
    for side in [16_usize, 128] {
        let value = |place: usize, factor: usize| f32::from(u8::try_from(place * factor % 251).unwrap()) / 251.0 - 0.5;
        let x: Vec<f32> = (0..side.pow(3)).map(|place| value(place, 7919)).collect();
        let filter: Vec<f32> = (0..side * side * 9).map(|place| value(place, 104_729)).collect();
        let tensor = Tensor::from_vec(x.clone(), (1, side, side, side), &Device::Cpu).unwrap();
        let kernel = Tensor::from_vec(filter.clone(), (side, side, 3, 3), &Device::Cpu).unwrap();
        let found = tensor.conv2d(&kernel, 1, 1, 1, 1).unwrap();
        let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
        // Positions in all channels, rows and columns.
        for place in (0..side.pow(3)).step_by(if side == 16 { 1 } else { 1021 }) {
            let (to, row, column) = (place / side / side, place / side % side, place % side);
            let mut sum = 0.0_f64;
            for from in 0..side {
                for (down, right) in (0..3).flat_map(|down| (0..3).map(move |right| (down, right))) {
                    let (Some(y), Some(z)) = ((row + down).checked_sub(1), (column + right).checked_sub(1)) else {
                        continue;
                    };
                    if y < side && z < side {
                        let weight = filter[((to * side + from) * 3 + down) * 3 + right];
                        sum += f64::from(weight) * f64::from(x[(from * side + y) * side + z]);
                    }
                }
            }
            assert!((f64::from(found[place]) - sum).abs() < 1e-3, "{side}: {} is not {sum} at {place}", found[place]);
        }
    }
}
