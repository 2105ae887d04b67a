//! LightGen, compared with its recordings.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use gtr_backends::BackendError;
use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::lightgen::{LightGenConfig, LightGenGenerator, LightGenModel, Positions, TextFeatures};
use gtr_core::Grid;

use crate::golden::{Golden, distance, floats, path, positions};

const FOLDER: &str = "lightgen_tiny";

pub(crate) fn config() -> LightGenConfig {
    let json = Golden::open("lightgen_tiny/weights").json["config"].to_string();
    LightGenConfig::parse(FOLDER, &json).unwrap()
}

fn load(grid: Grid) -> LightGenModel {
    let checkpoint = Checkpoint::open(&path("lightgen_tiny/weights.safetensors")).unwrap();
    LightGenModel::load(&config().with_grid(grid).unwrap(), checkpoint, &Device::Cpu).unwrap()
}

fn grid(golden: &Golden, at: &str) -> Grid {
    let side = |name: &str| u32::try_from(golden.json[at][name].as_u64().unwrap()).unwrap();
    Grid::new(side("seq_h"), side("seq_w")).unwrap()
}

fn text(golden: &Golden, model: &LightGenModel, image: usize) -> TextFeatures {
    model.embed_text(&golden.tensor("texts").get(image).unwrap()).unwrap()
}

/// Returns the tokens at `positions` of each image: `[images, known, channels]`.
fn known_values(tokens: &Tensor, known: &[Vec<u32>]) -> Option<Tensor> {
    let images = known.iter().enumerate().map(|(image, known)| {
        let index = Tensor::new(known.as_slice(), tokens.device()).unwrap();
        tokens.get(image).unwrap().index_select(&index, 0).unwrap()
    });
    (!known[0].is_empty()).then(|| Tensor::stack(&images.collect::<Vec<_>>(), 0).unwrap())
}

/// Returns the deviation of a model from the recording of a half-known image, in multiples of the tolerance.
fn badness(model: &LightGenModel, golden: &Golden) -> f64 {
    let masks: Vec<Vec<f32>> = golden.tensor("half.mask").to_vec2().unwrap();
    let known: Vec<Vec<u32>> = masks.iter().map(|mask| positions(mask).1).collect();
    let all: Vec<u32> = (0..u32::try_from(model.config().tokens()).unwrap()).collect();
    let images: Vec<_> = known.iter().map(|known| Positions { known, targets: &all }).collect();
    let encoded = model.encode(&images, known_values(golden.tensor("tokens"), &known).as_ref()).unwrap();
    let decoded = model.decode(&images, encoded.as_ref()).unwrap();
    let texts: Vec<_> = (0..images.len()).map(|image| text(golden, model, image)).collect();
    let attend = |texts: &[&TextFeatures]| floats(&model.attend(&images, &decoded, texts).unwrap());
    let tolerance = 10.0 * golden.number("/f32_rounding_noise_max_abs_vs_f64/half/z");
    let conditional = distance(&attend(&texts.iter().collect::<Vec<_>>()), &golden.f32s("half.z_cond"));
    conditional.max(distance(&attend(&vec![model.no_text(); images.len()]), &golden.f32s("half.z_uncond"))) / tolerance
}

#[test]
fn one_weight_off_by_one_per_cent_is_detected() {
    let golden = Golden::open("lightgen_tiny/encdec_h8w16");
    let weights = path("lightgen_tiny/weights.safetensors");
    let right: BTreeMap<String, Tensor> =
        candle_core::safetensors::load(weights, &Device::Cpu).unwrap().into_iter().collect();
    let config = config().with_grid(grid(&golden, "grid")).unwrap();
    let judge = |weights: &BTreeMap<String, Tensor>| {
        let checkpoint = Checkpoint::from_bytes("altered", safetensors::serialize(weights, None).unwrap()).unwrap();
        badness(&LightGenModel::load(&config, checkpoint, &Device::Cpu).unwrap(), &golden)
    };
    assert!(judge(&right) <= 1.0);
    let mut unnoticed = Vec::new();
    // The head is that of MAR, which has the same test.
    for (name, tensor) in right.iter().filter(|(name, _)| !name.starts_with("diffloss")) {
        let values = floats(tensor);
        // Except the bias of keys, which the softmax cancels.
        let parts = match name.as_str() {
            _ if name.ends_with("qkv.bias") => 64..96,
            _ if name.ends_with("attn.kv.bias") => 32..64,
            _ => 0..values.len(),
        };
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

#[test]
fn vectors_do_not_depend_on_threads_or_batch() {
    use gtr_core::{MaskedGenerator, StepContext, Targets};
    let golden = Golden::open("lightgen_tiny/encdec_h8w16");
    let features = |threads: usize, images: &[usize]| {
        let mut generator = generator(grid(&golden, "grid"));
        let texts: Vec<_> = images.iter().map(|&image| text(&golden, generator.model(), image)).collect();
        let grid = generator.grid();
        let tokens: Vec<_> = (0..grid.tokens()).map(|place| grid.token((place * 5 + 1) % 128).unwrap()).collect();
        let values: Vec<Tensor> = images.iter().map(|&image| golden.tensor("tokens").get(image).unwrap()).collect();
        let values: Vec<Tensor> = values.iter().map(|values| values.narrow(0, 0, 40).unwrap()).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| {
            let mut canvas = generator.canvas(&texts, true).unwrap();
            let known = Targets::new(images.iter().map(|_| &tokens[..40]));
            generator.commit(&mut canvas, &known, Tensor::cat(&values, 0).unwrap()).unwrap();
            let targets = Targets::new(images.iter().map(|_| &tokens[40..59]));
            let step = StepContext { guidance: 2.0, ..StepContext::single(128, 40) };
            generator.features(&mut canvas, &targets, &step).unwrap()
        });
        let bits = |tensor: &Tensor| floats(tensor).into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let half = 19 * 32;
        let (with, without) = (bits(&found.conditional), bits(found.unconditional.as_ref().unwrap()));
        with.chunks(half).zip(without.chunks(half)).map(|(a, b)| [a, b].concat()).collect::<Vec<_>>()
    };
    let expected = features(1, &[0, 1]);
    assert!(expected[0] != expected[1]);
    for threads in [2, 3, 5] {
        assert!(features(threads, &[0, 1]) == expected, "{threads} threads");
    }
    assert!(features(2, &[1]) == expected[1..]);
}

#[test]
fn inconsistent_requests_are_refused() {
    let model = load(Grid::new(4, 6).unwrap());
    let message = |result: Result<Option<Tensor>, BackendError>| result.unwrap_err().to_string();
    let encode = |images: &[Positions<'_>]| message(model.encode(images, None));
    assert_eq!(encode(&[]), "expected at least one image");
    assert_eq!(encode(&[Positions { known: &[], targets: &[24] }]), "token 24 is not on the model's grid of 4x6");
    let images = [Positions { known: &[], targets: &[1] }, Positions { known: &[], targets: &[1, 2] }];
    assert_eq!(encode(&images), "the images of a batch must have the same numbers of known tokens and targets");
    assert_eq!(encode(&[Positions { known: &[1], targets: &[2] }]), "expected the values of 1 known token");
    let images = [Positions { known: &[], targets: &[1] }];
    let decoded = model.decode(&images, None).unwrap();
    let text = model.attend(&images, &decoded, &[]).unwrap_err().to_string();
    assert_eq!(text, "every image needs a text, embedded by the same model");
    let text = model.embed_text(&Tensor::zeros((5, 24), candle_core::DType::F32, &Device::Cpu).unwrap());
    let text = text.unwrap_err().to_string();
    assert_eq!(text, "expected a text of shape [7, 24], found [5, 24]");
}

#[test]
fn invalid_configs_are_refused() {
    let right = &Golden::open("lightgen_tiny/weights").json["config"];
    for (field, value, expected) in [
        ("encoder_embed_dim", serde_json::json!(30), "`encoder_embed_dim` 30 is not a multiple of the 4 heads"),
        ("encoder_embed_dim", serde_json::json!(64), "`encoder_embed_dim` 64 is not supported, only 32"),
        ("cross_depth", serde_json::json!(0), "`cross_depth` must be 1 to 128, not 0"),
        ("text_depth", serde_json::json!(1_u64 << 40), "`text_depth` must be 1 to 128"),
        ("caption_channels", serde_json::json!(1_u64 << 40), "`caption_channels` must be 1 to 65536"),
        ("max_length", serde_json::json!(0), "`max_length` must be 1 to 4096, not 0"),
        ("img_size", serde_json::json!(0), "`img_size` 0"),
        ("img_size", serde_json::json!(1_u32 << 30), "`img_size` 1073741824"),
        ("pos_embed_grid", serde_json::json!(32), "`pos_embed_grid` 32 is not supported, only 16"),
        ("interpolate_offset", serde_json::json!(0.0), "`interpolate_offset` 0.0 is not supported, only 0.1"),
        ("class_num", serde_json::json!(10), "unknown field `class_num`"),
    ] {
        let mut config = right.clone();
        config[field] = value;
        let error = LightGenConfig::parse("mine", &config.to_string()).unwrap_err().to_string();
        assert!(error.starts_with("mine: ") && error.contains(expected), "{error}");
    }
}

pub(crate) fn generator(grid: Grid) -> LightGenGenerator {
    LightGenGenerator::new(load(grid), gtr_backends::checkpoint::Section::whole())
}
