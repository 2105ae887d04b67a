//! The text encoder.

use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::t5;
use gtr_backends::TextEncoder;
use gtr_backends::checkpoint::{Checkpoint, Section};
use gtr_backends::text::{T5Config, T5Encoder};

use crate::golden::{assert_near, random_tensors, write_random};

/// The configuration of a small T5 in the format of Hugging Face.
pub(crate) fn t5_config(feed_forward: &str) -> String {
    serde_json::json!({
        "vocab_size": 40, "d_model": 24, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 4,
        "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "dropout_rate": 0.1,
        "layer_norm_epsilon": 1e-6, "initializer_factor": 1.0, "feed_forward_proj": feed_forward,
        "tie_word_embeddings": false, "is_encoder_decoder": true, "use_cache": true, "pad_token_id": 0, "eos_token_id": 1,
        "architectures": ["T5EncoderModel"],
    })
    .to_string()
}

/// Words of the tokenizer: token 3 + n is word n.
const WORDS: [&str; 6] = ["a", "red", "cat", "on", "the", "roof"];

/// A tokenizer that knows a few words and ends each text with `</s>`.
pub(crate) fn tokenizer() -> String {
    let mut vocabulary = serde_json::json!({ "<pad>": 0, "</s>": 1, "<unk>": 2 });
    for (number, word) in WORDS.iter().enumerate() {
        vocabulary[*word] = serde_json::json!(3 + number);
    }
    let end = serde_json::json!({ "SpecialToken": { "id": "</s>", "type_id": 0 } });
    let text = |id| serde_json::json!({ "Sequence": { "id": id, "type_id": 0 } });
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": {
            "type": "TemplateProcessing", "single": [text("A"), end.clone()], "pair": [text("A"), end.clone(), text("B"), end],
            "special_tokens": { "</s>": { "id": "</s>", "ids": [1], "tokens": ["</s>"] } },
        },
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>" },
    })
    .to_string()
}

/// Writes a small text encoder in the format of Hugging Face.
pub(crate) fn write_text_encoder(folder: &Path) {
    let config = t5_config("gated-gelu");
    fs::write(folder.join("config.json"), &config).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer()).unwrap();
    write_random(
        &T5Encoder::layout(&T5Config::parse("t5", &config).unwrap()).unwrap(),
        5,
        &folder.join("model.safetensors"),
    );
}

fn open(folder: &Path) -> TextEncoder {
    TextEncoder::open(folder, 128, None, &Device::Cpu).unwrap()
}

#[test]
fn without_padding_the_encoder_agrees_with_candle() {
    for feed_forward in ["gated-gelu", "relu"] {
        let text = t5_config(feed_forward);
        let config = T5Config::parse("t5", &text).unwrap();
        let layout = T5Encoder::layout(&config).unwrap();
        let ours = T5Encoder::load(&config, Checkpoint::random("t5", &layout, 5), &Device::Cpu).unwrap();
        let builder = VarBuilder::from_tensors(random_tensors(&layout, 5), DType::F32, &Device::Cpu);
        let mut theirs = t5::T5EncoderModel::load(builder, &serde_json::from_str(&text).unwrap()).unwrap();
        let tokens: Vec<u32> = (0..128).map(|place| (place * 7 + 3) % 40).collect();
        let expected = theirs.forward(&Tensor::new(tokens.as_slice(), &Device::Cpu).unwrap().unsqueeze(0).unwrap());
        let found = ours.encode(&tokens, tokens.len()).unwrap();
        assert_near(feed_forward, &found, &expected.unwrap().squeeze(0).unwrap(), 1e-5);
    }
}

#[test]
fn no_token_attends_to_padding() {
    let config = T5Config::parse("t5", &t5_config("gated-gelu")).unwrap();
    let layout = T5Encoder::layout(&config).unwrap();
    let encoder = T5Encoder::load(&config, Checkpoint::random("t5", &layout, 5), &Device::Cpu).unwrap();
    let short = [4, 9, 17, 1];
    let mut padded = short.to_vec();
    padded.resize(32, 0);
    let alone = encoder.encode(&short, 4).unwrap();
    let masked = encoder.encode(&padded, 4).unwrap();
    assert_eq!(masked.dims(), [32, 24]);
    assert_near("known tokens", &masked.narrow(0, 0, 4).unwrap(), &alone, 1e-5);
    let unmasked = encoder.encode(&padded, 32).unwrap().narrow(0, 0, 4).unwrap();
    let difference: f32 = (unmasked - alone).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap();
    assert!(difference > 1e-2, "{difference}");
}

#[test]
fn prompts_are_padded_or_truncated() {
    let folder = tempfile::tempdir().unwrap();
    write_text_encoder(folder.path());
    let encoder = open(folder.path());
    assert_eq!((encoder.length(), encoder.width(), encoder.section()), (128, 24, &Section::whole()));
    let short = encoder.encode("a red cat").unwrap();
    assert_eq!((short.tokens, short.cut, short.vectors.dims()), (4, false, [128, 24].as_slice()));
    let empty = encoder.encode("").unwrap();
    assert_eq!((empty.tokens, empty.cut), (1, false));
    let fitting = encoder.encode(&"roof ".repeat(127)).unwrap();
    assert_eq!((fitting.tokens, fitting.cut), (128, false));
    let long = encoder.encode(&"roof ".repeat(128)).unwrap();
    assert_eq!((long.tokens, long.cut), (128, true));
    // Truncated tokens have no effect, and the end token is kept.
    let longer = encoder.encode(&format!("{}cat", "roof ".repeat(500))).unwrap();
    assert_near("cut", &longer.vectors, &fitting.vectors, 0.0);
}

#[test]
fn weights_may_be_in_several_files() {
    let folder = tempfile::tempdir().unwrap();
    write_text_encoder(folder.path());
    let expected = open(folder.path()).encode("the cat").unwrap().vectors;
    let whole = folder.path().join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&whole, &Device::Cpu).unwrap();
    fs::remove_file(whole).unwrap();
    // The decoder and the duplicate names of the whole model are ignored.
    tensors.insert("encoder.embed_tokens.weight".into(), tensors["shared.weight"].clone());
    tensors.insert("decoder.final_layer_norm.weight".into(), Tensor::zeros(24, DType::F32, &Device::Cpu).unwrap());
    let mut map = serde_json::Map::new();
    let mut parts = [std::collections::HashMap::new(), std::collections::HashMap::new()];
    let mut names: Vec<_> = tensors.keys().cloned().collect();
    names.sort();
    for (number, name) in names.into_iter().enumerate() {
        map.insert(name.clone(), serde_json::json!(format!("model-{}.safetensors", number % 2)));
        let tensor = tensors[&name].clone();
        parts[number % 2].insert(name, tensor);
    }
    for (number, part) in parts.iter().enumerate() {
        candle_core::safetensors::save(part, folder.path().join(format!("model-{number}.safetensors"))).unwrap();
    }
    let index = folder.path().join("model.safetensors.index.json");
    let write = |map: &serde_json::Map<String, serde_json::Value>| {
        fs::write(&index, serde_json::json!({ "metadata": {}, "weight_map": map }).to_string()).unwrap();
    };
    write(&map);
    assert_near("parts", &open(folder.path()).encode("the cat").unwrap().vectors, &expected, 0.0);

    let refuse = || TextEncoder::open(folder.path(), 128, None, &Device::Cpu).unwrap_err().to_string();
    let mut wrong = map.clone();
    wrong.insert("shared.weight".into(), serde_json::json!("../model-0.safetensors"));
    write(&wrong);
    assert!(refuse().contains("which is not in the same folder"), "{}", refuse());
    let mut wrong = map.clone();
    wrong.insert("encoder.more".into(), serde_json::json!("model-0.safetensors"));
    write(&wrong);
    assert!(refuse().contains("`encoder.more` is missing in `model-0.safetensors`"), "{}", refuse());
}

#[test]
fn an_encoder_only_checkpoint_has_the_other_table_name_and_no_decoder() {
    let folder = tempfile::tempdir().unwrap();
    write_text_encoder(folder.path());
    let expected = open(folder.path()).encode("the cat").unwrap().vectors;
    let at = |name: &str| folder.path().join(name);
    let mut tensors = candle_core::safetensors::load(at("model.safetensors"), &Device::Cpu).unwrap();
    let table = tensors.remove("shared.weight").unwrap();
    tensors.insert("encoder.embed_tokens.weight".into(), table);
    candle_core::safetensors::save(&tensors, at("model.safetensors")).unwrap();
    assert_near("encoder alone", &open(folder.path()).encode("the cat").unwrap().vectors, &expected, 0.0);
    // The index names a file of the decoder, which is missing.
    fs::rename(at("model.safetensors"), at("model-00001-of-00002.safetensors")).unwrap();
    let mut map: serde_json::Map<String, serde_json::Value> =
        tensors.keys().map(|name| (name.clone(), "model-00001-of-00002.safetensors".into())).collect();
    map.insert("decoder.final_layer_norm.weight".into(), "model-00002-of-00002.safetensors".into());
    fs::write(at("model.safetensors.index.json"), serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    assert_near("parts of it", &open(folder.path()).encode("the cat").unwrap().vectors, &expected, 0.0);
}

#[test]
fn missing_or_wrong_files_are_one_line_errors() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = || TextEncoder::open(folder.path(), 128, None, &Device::Cpu).unwrap_err().to_string();
    assert!(refuse().ends_with("config.json: cannot be read"));
    fs::write(folder.path().join("config.json"), r#"{"d_model": 24}"#).unwrap();
    assert!(refuse().contains("missing field `vocab_size`"), "{}", refuse());
    fs::write(folder.path().join("config.json"), t5_config("gated-silu")).unwrap();
    assert!(refuse().contains("`feed_forward_proj`: expected relu or gated-gelu, found `gated-silu`"), "{}", refuse());
    fs::write(folder.path().join("config.json"), t5_config("gated-gelu")).unwrap();
    assert!(refuse().ends_with("tokenizer.json: cannot be read"), "{}", refuse());
    fs::write(folder.path().join("spiece.model"), "").unwrap();
    assert!(refuse().contains("found only spiece.model; convert it with `python -c"), "{}", refuse());
    fs::remove_file(folder.path().join("spiece.model")).unwrap();
    fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    assert!(refuse().contains("it is not a tokenizer"), "{}", refuse());
    fs::write(folder.path().join("tokenizer.json"), tokenizer()).unwrap();
    assert!(refuse().ends_with("model.safetensors: cannot be read"));
    // Random weights need no file.
    let random = TextEncoder::open(folder.path(), 128, Some(1), &Device::Cpu).unwrap();
    assert_eq!(random.section(), &Section::random());
    fs::copy(crate::golden::path("mar_tiny/weights.safetensors"), folder.path().join("model.safetensors")).unwrap();
    assert!(refuse().ends_with("expected a T5 text encoder, found a MAR model"), "{}", refuse());
}
