//! Checkpoints: reading, and error messages.

use std::collections::HashMap;
use std::fs;

use candle_core::{DType, Device, Tensor};
use gtr_backends::BackendError;
use gtr_backends::checkpoint::{Checkpoint, Section, Wanted, WeightsKind};
use gtr_backends::mar::{MarConfig, MarModel};

use crate::golden::{path, tiny_config};

fn weights() -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path("mar_tiny/weights.safetensors"), &Device::Cpu).unwrap()
}

/// Tries to load the tiny model from modified weights.
fn load(alter: impl FnOnce(&mut HashMap<String, Tensor>)) -> Result<MarModel, BackendError> {
    let mut weights = weights();
    alter(&mut weights);
    let bytes = safetensors::serialize(&weights, None).unwrap();
    MarModel::load(&tiny_config(), Checkpoint::from_bytes("altered.safetensors", bytes)?, &Device::Cpu)
}

fn message(result: Result<MarModel, BackendError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn archive_and_safetensors_have_the_same_averaged_weights() {
    let mut archive = Checkpoint::open(&path("mar_tiny/checkpoint-last.pth")).unwrap();
    let mut plain = Checkpoint::open(&path("mar_tiny/weights.safetensors")).unwrap();
    assert_eq!((archive.section().name(), plain.section()), ("model_ema", &Section::whole()));
    assert_eq!(archive.section().weights(), WeightsKind::Averaged);
    let names: Vec<String> = plain.tensors().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(archive.tensors().map(|(name, _)| name).collect::<Vec<_>>(), names);
    for name in &names {
        assert_eq!(archive.info(name), plain.info(name), "{name}");
        assert_eq!(archive.read_f32(name).unwrap(), plain.read_f32(name).unwrap(), "{name}");
    }
    let mut raw =
        Checkpoint::open_section(&path("mar_tiny/checkpoint-last.pth"), &Wanted::Named("model".into())).unwrap();
    assert_eq!((raw.section().name(), raw.section().weights()), ("model", WeightsKind::Asked));
    for name in &names {
        assert_ne!(raw.read_f32(name).unwrap(), plain.read_f32(name).unwrap(), "{name}");
    }
}

#[test]
fn halves_and_doubles_are_read() {
    for dtype in [DType::F16, DType::BF16, DType::F64] {
        let values = Tensor::new(&[1.5_f32, -0.25, 0.0], &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let bytes = safetensors::serialize([("x", &values)], None).unwrap();
        let mut checkpoint = Checkpoint::from_bytes("x", bytes).unwrap();
        assert_eq!(checkpoint.read_f32("x").unwrap(), [1.5, -0.25, 0.0]);
        assert_eq!(checkpoint.read_f64("x").unwrap(), [1.5, -0.25, 0.0]);
    }
}

#[test]
fn a_misnamed_tensor_is_distinguished_from_a_missing_one() {
    let misnamed = |weights: &mut HashMap<String, Tensor>| {
        let tensor = weights.remove("encoder_blocks.1.norm1.bias").unwrap();
        weights.insert("encoder_blocks.1.norm_1.bias".into(), tensor);
    };
    assert_eq!(
        message(load(misnamed)),
        "altered.safetensors: it has no tensor `encoder_blocks.1.norm1.bias` (shape [32]); the most similar name in the file \
         is `encoder_blocks.1.norm_1.bias`"
    );
    let missing = |weights: &mut HashMap<String, Tensor>| drop(weights.remove("mask_token"));
    assert_eq!(message(load(missing)), "altered.safetensors: it has no tensor `mask_token` (shape [1, 1, 32])");
}

#[test]
fn a_wrong_shape_is_reported_with_both_shapes() {
    let misshaped = |weights: &mut HashMap<String, Tensor>| {
        let transposed = weights["z_proj.weight"].t().unwrap().contiguous().unwrap();
        weights.insert("z_proj.weight".into(), transposed);
    };
    assert_eq!(
        message(load(misshaped)),
        "altered.safetensors: tensor `z_proj.weight` has the shape [16, 32], expected [32, 16]"
    );
}

#[test]
fn unused_tensors_are_an_error() {
    let more = |weights: &mut HashMap<String, Tensor>| {
        let tensor = weights["mask_token"].clone();
        weights.insert("encoder_blocks.2.norm1.bias".into(), tensor);
    };
    assert_eq!(
        message(load(more)),
        "altered.safetensors: it has 1 tensor that the model does not use, first `encoder_blocks.2.norm1.bias`: the \
         configuration does not match these weights"
    );
}

#[test]
fn non_finite_weights_are_named() {
    for (value, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let broken = |weights: &mut HashMap<String, Tensor>| {
            let mut values = vec![0.5; 32];
            values[7] = value;
            weights.insert("decoder_norm.bias".into(), Tensor::new(values, &Device::Cpu).unwrap());
        };
        let expected = format!(
            "altered.safetensors: tensor `decoder_norm.bias` has the value {text} at element 7: weights must be finite"
        );
        assert_eq!(message(load(broken)), expected);
    }
}

/// Creates a folder with the digits model.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let models = path("../../models/mar-digits");
    for name in ["config.json", "mar-digits.safetensors"] {
        fs::copy(models.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn models_can_be_opened_by_folder_and_by_file() {
    let folder = folder();
    let (path, file) = (folder.path().to_str().unwrap(), folder.path().join("mar-digits.safetensors"));
    for model in [path, file.to_str().unwrap()] {
        assert_eq!(
            gtr_backends::open_mar(model, &gtr_backends::Files::default(), &Device::Cpu).unwrap().config().name,
            "mar-digits"
        );
    }
    assert!(gtr_backends::open("digits", Some(&file), &Device::Cpu).is_ok());
    let other = crate::golden::path("mar_tiny/weights.safetensors");
    let error = gtr_backends::open("digits", Some(&other), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("expected [10, 128]"), "{error}");
    fs::copy(&file, folder.path().join("second.pth")).unwrap();
    let error = gtr_backends::open_mar(path, &gtr_backends::Files::default(), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("in the folder, found 2"), "{error}");
    fs::remove_file(folder.path().join("config.json")).unwrap();
    let error = gtr_backends::open_mar(path, &gtr_backends::Files::default(), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("cannot be read") && error.contains("config.json"), "{error}");
}

#[test]
fn the_config_of_the_published_code_is_accepted() {
    let config = tiny_config();
    assert_eq!((config.grid.height(), config.grid.width(), config.token_channels()), (8, 8, 16));
    assert_eq!(config.image_decoder, None);
}

#[test]
fn invalid_configs_are_refused() {
    let text = fs::read_to_string(path("../../models/mar-digits/config.json")).unwrap();
    let right: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (field, value, expected) in [
        ("encoder_embed_dim", serde_json::json!(130), "`encoder_embed_dim` 130 is not a multiple of the 4 heads"),
        ("encoder_embed_dim", serde_json::json!(1_u64 << 40), "`encoder_embed_dim` must be 1 to 8192"),
        ("decoder_depth", serde_json::json!(0), "`decoder_depth` must be 1 to 128, not 0"),
        ("grid", serde_json::json!([4096, 4096]), "`tokens of the grid` must be 1 to 65536"),
        ("grid", serde_json::json!([0, 8]), "invalid grid 0x8"),
        ("grid", serde_json::json!([8, 4]), "`image`: expected [32, 16] from grid and patches, found [32, 32]"),
        ("mlp_ratio", serde_json::json!(-1), "`mlp_ratio` must be above 0"),
        ("token_embed_dim", serde_json::json!(17), "`token_embed_dim` 17 is not supported, only 16"),
        ("max_timestep", serde_json::json!(1000), "`max_timestep`: a timestep must be 0 to 999, not 1000"),
        ("noise_schedule", serde_json::json!("linear"), "`noise_schedule` \"linear\" is not supported"),
        ("layer_norm_eps", serde_json::json!(1e-5), "`layer_norm_eps`"),
        ("class_num", serde_json::json!(-3), "class_num"),
        ("patchsize", serde_json::json!(4), "unknown field `patchsize`"),
        ("decoder", serde_json::json!("kl"), "`decoder`: expected `identity` or no field, found `kl`"),
        ("latent_scale", serde_json::json!(0.0), "`latent_scale`: expected a number above 0"),
    ] {
        let mut config = right.clone();
        config[field] = value;
        let error = MarConfig::parse("mine", &config.to_string()).unwrap_err().to_string();
        assert!(error.starts_with("mine: ") && error.contains(expected), "{error}");
    }
}
