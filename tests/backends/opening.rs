//! Models by name: sizes from a checkpoint, random weights, and error messages for unsuitable files.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use candle_core::{Device, Tensor};
use gtr_backends::checkpoint::{Checkpoint, Section, Wanted, WeightLayout, WeightsKind};
use gtr_backends::lightgen::{LightGenConfig, LightGenModel};
use gtr_backends::mar::{MarConfig, MarModel};
use gtr_backends::vae::{DecoderSize, KlDecoder};
use gtr_backends::{Families, Files, open_lightgen, open_mar};
use gtr_core::{Grid, MaskedGenerator, StepContext, Targets};

use crate::golden::{Golden, path};

/// Writes the tensors of a model, all zero; `f16` keeps the file small.
pub(crate) fn write_zeros(layout: &WeightLayout, file: &PathBuf) {
    let tensors: HashMap<String, Tensor> = layout
        .tensors()
        .map(|(name, shape)| (name.to_owned(), Tensor::zeros(shape, candle_core::DType::F16, &Device::Cpu).unwrap()))
        .collect();
    candle_core::safetensors::save(&tensors, file).unwrap();
}

/// A published model with fewer or narrower blocks, small enough for a test.
fn small_mar() -> MarConfig {
    let mut config = MarConfig::named("mar-b").unwrap();
    for stack in [&mut config.encoder, &mut config.decoder] {
        stack.hidden = 8;
    }
    config
}

#[test]
fn published_models_have_their_published_sizes() {
    let count = |name: &str| MarModel::layout(&MarConfig::named(name).unwrap()).unwrap().parameters();
    assert_eq!(["mar-b", "mar-l", "mar-h"].map(count), [207_924_768, 478_326_304, 942_403_104]);
    let count = |name: &str| LightGenModel::layout(&LightGenConfig::named(name).unwrap()).unwrap().parameters();
    let expected = [406_689_152, 792_244_352, 1_414_206_336];
    assert_eq!(["lightgen-base", "lightgen-large", "lightgen-huge"].map(count), expected);
    let families = Families::builtin();
    for name in families.published() {
        let found = families.find(name).unwrap();
        assert!(name.starts_with(families.of(&found).name()), "{name}");
    }
}

#[test]
fn a_checkpoint_of_another_size_is_a_one_line_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint.safetensors");
    write_zeros(&MarModel::layout(&small_mar()).unwrap(), &file);
    let files = Files { weights: Some(&file), ..Files::default() };
    let text = open_mar("mar-h", &files, &Device::Cpu).unwrap_err().to_string();
    assert!(
        text.ends_with("has 12 encoder blocks of width 768, mar-h has 20 of width 1280: it is a checkpoint of mar-b"),
        "{text}"
    );
}

#[test]
fn kinds_of_checkpoints_are_recognized() {
    let mar = path("mar_tiny/weights.safetensors");
    let lightgen = path("lightgen_tiny/weights.safetensors");
    let vae = path("vae_kl16_tiny/weights_decoder.safetensors");
    let as_mar = |file: &PathBuf| {
        let files = Files { weights: Some(file), ..Files::default() };
        open_mar("mar-b", &files, &Device::Cpu).unwrap_err().to_string()
    };
    let as_lightgen = |file: &PathBuf| {
        let files = Files { weights: Some(file), ..Files::default() };
        open_lightgen("lightgen-base", &files, None, &Device::Cpu).unwrap_err().to_string()
    };
    assert!(as_mar(&lightgen).ends_with("expected a MAR model, found a LightGen model"));
    assert!(as_lightgen(&mar).ends_with("expected a LightGen model, found a MAR model"));
    assert!(as_lightgen(&vae).ends_with("expected a LightGen model, found an autoencoder"));
    let missing = PathBuf::from("nowhere/checkpoint.pth");
    assert_eq!(as_mar(&missing), "nowhere/checkpoint.pth: cannot be read");
    let nothing = open_mar("mar-l", &Files::default(), &Device::Cpu).unwrap_err().to_string();
    assert_eq!(nothing, "the weights of mar-l are not part of the program: give its checkpoint with --weights");
    let unknown = open_lightgen("lightgen", &Files::default(), None, &Device::Cpu).unwrap_err().to_string();
    assert!(unknown.contains("lightgen-base, lightgen-large, lightgen-huge"), "{unknown}");
    let both = Files { weights: Some(&mar), random: Some(1), ..Files::default() };
    assert!(open_mar("mar-b", &both, &Device::Cpu).unwrap_err().to_string().contains("not both"));
}

/// Creates a folder with the tiny MAR model of the recordings and the configuration of the published code.
fn tiny_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = Golden::open("mar_tiny/weights").json["config"].to_string();
    fs::write(folder.path().join("config.json"), config).unwrap();
    fs::copy(path("mar_tiny/weights.safetensors"), folder.path().join("weights.safetensors")).unwrap();
    folder
}

#[test]
fn an_autoencoder_decodes_latents() {
    let folder = tiny_folder();
    let vae = path("vae_kl16_tiny/weights_decoder.safetensors");
    let model = folder.path().to_str().unwrap();
    let files = Files { vae: Some(&vae), ..Files::default() };
    let mut generator = open_mar(model, &files, &Device::Cpu).unwrap();
    let class = generator.class(1).unwrap();
    let mut canvas = generator.canvas(&[class], false).unwrap();
    let tokens: Vec<_> = generator.grid().iter().collect();
    let latents: Vec<f32> = Golden::open("vae_kl16_tiny/golden").f32s("latent");
    let values: Vec<f32> = latents.iter().cycle().take(64 * 16).copied().collect();
    let values = Tensor::from_vec(values, (64, 16), &Device::Cpu).unwrap();
    generator.commit(&mut canvas, &Targets::new([tokens.as_slice()]), values).unwrap();

    let decoder = KlDecoder::load(Checkpoint::open(&vae).unwrap(), &Device::Cpu).unwrap();
    let expected = decoder.pictures(&(generator.latents(&canvas).unwrap() / 0.2325).unwrap()).unwrap();
    let found = generator.decode(canvas.clone()).unwrap();
    assert_eq!((found[0].width(), found[0].height(), found[0].channels()), (128, 128, 3));
    assert!(found == expected && found[0].pixels().iter().all(|pixel| (0.0..=1.0).contains(pixel)));

    let mut without = open_mar(model, &Files::default(), &Device::Cpu).unwrap();
    let text = without.decode(canvas).unwrap_err().to_string();
    assert!(text.contains("are latents: decoding them needs an autoencoder"), "{text}");
}

#[test]
fn an_unsuitable_autoencoder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vae.safetensors");
    let size = DecoderSize { latent_channels: 4, post_quant: None, widths: vec![32, 32], blocks: 1, image_channels: 3 };
    write_zeros(&KlDecoder::layout(&size).unwrap(), &file);
    let tiny = tiny_folder();
    let files = Files { vae: Some(&file), ..Files::default() };
    let text = open_mar(tiny.path().to_str().unwrap(), &files, &Device::Cpu).unwrap_err().to_string();
    assert!(
        text.ends_with(
            "the autoencoder decodes latents of 4 channels at 1/2 of the resolution, the model generates 16 channels at 1/16"
        ),
        "{text}"
    );
    let text = open_mar("digits", &files, &Device::Cpu).unwrap_err().to_string();
    assert!(text.starts_with("the tokens of `digits` are pixels and need no autoencoder: leave out "), "{text}");
}

#[test]
fn random_weights_are_reproducible_and_labelled() {
    let folder = tiny_folder();
    let model = folder.path().to_str().unwrap();
    let open = |seed| {
        let vae = path("vae_kl16_tiny/weights_decoder.safetensors");
        let files = Files { random: Some(seed), vae: Some(&vae), ..Files::default() };
        open_mar(model, &files, &Device::Cpu).unwrap()
    };
    let features = |seed| {
        let mut generator = open(seed);
        assert_eq!(generator.section(), &Section::random());
        let class = generator.class(3).unwrap();
        let mut canvas = generator.canvas(&[class], true).unwrap();
        let token = generator.grid().token(5).unwrap();
        let step = StepContext::single(generator.grid().tokens(), 0);
        let features = generator.features(&mut canvas, &Targets::new([[token].as_slice()]), &step).unwrap();
        generator.feature_reader().unwrap().host_features(&features).unwrap().values
    };
    let once = features(1);
    assert!(once.iter().all(|value| value.is_finite()));
    assert_eq!(once, features(1));
    assert_ne!(once, features(2));
    assert_eq!(Section::random().to_string(), "random weights");
}

#[test]
fn raw_weights_are_used_for_models_published_with_them() {
    let file = path("mar_tiny/checkpoint-last.pth");
    let raw = Checkpoint::open_section(&file, &Wanted::Raw).unwrap();
    assert_eq!(raw.section().weights(), WeightsKind::RawAsPublished);
    let mut sections = [raw, Checkpoint::open_section(&file, &Wanted::Named("model".into())).unwrap()];
    let [raw, model] = &mut sections;
    assert_eq!(raw.read_f32("fake_latent").unwrap(), model.read_f32("fake_latent").unwrap());
    assert_ne!(raw.read_f32("fake_latent").unwrap(), Checkpoint::open(&file).unwrap().read_f32("fake_latent").unwrap());
    // A plain file has no sections.
    assert_eq!(
        Checkpoint::open_section(&path("mar_tiny/weights.safetensors"), &Wanted::Raw).unwrap().section(),
        &Section::whole()
    );
    // The recorded archive, if it is available.
    let archive = path("lightgen_tiny/checkpoint-last.pth");
    if archive.exists() {
        let mut archive = Checkpoint::open_section(&archive, &Wanted::Raw).unwrap();
        let mut plain = Checkpoint::open(&path("lightgen_tiny/weights.safetensors")).unwrap();
        let names: Vec<String> = plain.tensors().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(archive.tensors().len(), names.len());
        for name in names {
            assert_eq!(archive.read_f32(&name).unwrap(), plain.read_f32(&name).unwrap(), "{name}");
        }
    }
}

#[test]
fn picture_sizes_are_multiples_of_a_token() {
    let config = LightGenConfig::named("lightgen-large").unwrap();
    let wide = config.clone().with_pixels(256, 768).unwrap();
    assert_eq!((wide.grid, wide.pixels()), (Grid::new(16, 48).unwrap(), (256, 768)));
    let text = config.clone().with_pixels(250, 512).unwrap_err().to_string();
    assert_eq!(text, "250x512 pixels are not a whole number of tokens: both sides must be multiples of 16");
    let text = config.with_pixels(16, 1 << 21).unwrap_err().to_string();
    assert!(text.contains("expected at most 65536 tokens"), "{text}");
}
