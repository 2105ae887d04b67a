//! LightGen against its recordings.

use candle_core::{Device, Tensor};
use gtr_backends::checkpoint::Checkpoint;
use gtr_backends::lightgen::{LightGenConfig, LightGenGenerator, LightGenModel, Positions, TextFeatures, interpolate};
use gtr_core::Grid;

use crate::golden::{Golden, assert_near, floats, positions, recording, recordings};
use crate::run::Run;

const FOLDER: &str = "lightgen_tiny";

pub(crate) fn config() -> LightGenConfig {
    let json = Golden::find("lightgen_tiny/weights").json["config"].to_string();
    LightGenConfig::parse(FOLDER, &json).unwrap()
}

fn load(grid: Grid) -> LightGenModel {
    let checkpoint = Checkpoint::open(&recording("lightgen_tiny/weights.safetensors")).unwrap();
    LightGenModel::load(config().with_grid(grid).unwrap(), checkpoint, &Device::Cpu).unwrap()
}

fn grid(golden: &Golden, at: &str) -> Grid {
    let side = |name: &str| u32::try_from(golden.json[at][name].as_u64().unwrap()).unwrap();
    Grid::new(side("seq_h"), side("seq_w")).unwrap()
}

fn text(golden: &Golden, model: &LightGenModel, image: usize) -> TextFeatures {
    model.embed_text(&golden.tensor("texts").get(image).unwrap()).unwrap()
}

#[test]
fn texts_match_the_reference() {
    let golden = Golden::find("lightgen_tiny/text");
    let model = load(Grid::new(16, 16).unwrap());
    let tolerance = 1e-5_f64.max(10.0 * golden.number("/f32_rounding_noise_max_abs_vs_f64"));
    for image in 0..golden.tensor("texts").dim(0).unwrap() {
        let expected = |name: &str| golden.tensor(name).get(image).unwrap();
        let projected = model.project_text(&expected("texts")).unwrap();
        assert_near("text_proj", &projected, &expected("text_proj"), tolerance);
        assert_near("text_emb", text(&golden, &model, image).embedded(), &expected("text_emb"), tolerance);
        assert_near("no text", model.no_text().embedded(), &expected("fake_latent_expanded"), 0.0);
    }
}

#[test]
fn position_embeddings_match_the_reference() {
    let golden = Golden::find("lightgen_tiny/pos_embed");
    let weights = Golden::find("lightgen_tiny/weights");
    for name in golden.names() {
        let (size, table) = name.split_once('.').unwrap();
        let (height, width) = size[1..].split_once('w').unwrap();
        let grid = Grid::new(height.parse().unwrap(), width.parse().unwrap()).unwrap();
        let expected = golden.tensor(name);
        let width = expected.dim(2).unwrap();
        let found = interpolate(&weights.f32s(table), 16, width, grid);
        let found = Tensor::from_vec(found, (1, grid.tokens(), width), &Device::Cpu).unwrap();
        assert_near(name, &found, expected, 1e-5);
    }
}

/// The tokens at `positions` of each image: `[images, known, channels]`.
fn known_values(tokens: &Tensor, known: &[Vec<u32>]) -> Option<Tensor> {
    let images = known.iter().enumerate().map(|(image, known)| {
        let index = Tensor::new(known.as_slice(), tokens.device()).unwrap();
        tokens.get(image).unwrap().index_select(&index, 0).unwrap()
    });
    (!known[0].is_empty()).then(|| Tensor::stack(&images.collect::<Vec<_>>(), 0).unwrap())
}

#[test]
fn encoder_and_decoders_match_the_reference() {
    for name in recordings(FOLDER, "encdec") {
        let golden = Golden::find(&name);
        let model = load(grid(&golden, "grid"));
        let count = golden.tensor("tokens").dim(0).unwrap();
        let texts: Vec<_> = (0..count).map(|image| text(&golden, &model, image)).collect();
        let all: Vec<u32> = (0..u32::try_from(model.config().tokens()).unwrap()).collect();
        let names = golden.names();
        for state in names.iter().filter_map(|name| name.strip_suffix(".mask")) {
            let masks: Vec<Vec<f32>> = golden.tensor(&format!("{state}.mask")).to_vec2().unwrap();
            let known: Vec<Vec<u32>> = masks.iter().map(|mask| positions(mask).1).collect();
            let images: Vec<_> = known.iter().map(|known| Positions { known, targets: &all }).collect();
            let check = |quantity: &str, noise: &str, found: &Tensor| {
                let what = format!("{state}.{quantity}");
                let noise = golden.number(&format!("/f32_rounding_noise_max_abs_vs_f64/{state}/{noise}"));
                let tolerance = 1e-5_f64.max(10.0 * noise);
                assert_near(&format!("{name} {what}"), found, golden.tensor(&what), tolerance);
            };
            let encoded = model.encode(&images, known_values(golden.tensor("tokens"), &known).as_ref()).unwrap();
            match &encoded {
                Some(encoded) => check("enc", "enc", encoded),
                None => assert_eq!(state, "allmasked"),
            }
            let decoded = model.decode(&images, encoded.as_ref()).unwrap();
            check("dec", "dec", &decoded);
            let attend = |texts: &[&TextFeatures]| model.attend(&images, &decoded, texts).unwrap();
            check("z_cond", "z", &attend(&texts.iter().collect::<Vec<_>>()));
            check("z_uncond", "z", &attend(&vec![model.no_text(); count]));
        }
    }
}

#[test]
fn tokens_are_joined_as_the_reference_joins_them() {
    use gtr_core::{MaskedGenerator, Targets};
    for name in recordings(FOLDER, "encdec") {
        let golden = Golden::find(&name);
        let mut generator = generator(grid(&golden, "grid"));
        let tokens: Vec<_> = generator.grid().iter().collect();
        let rows = golden.tensor("tokens");
        let count = rows.dim(0).unwrap();
        let mut canvas = gtr_backends::lightgen::Canvas::new(vec![None; count], false);
        let targets = Targets::new((0..count).map(|_| tokens.as_slice()));
        generator.commit(&mut canvas, &targets, rows.flatten_to(1).unwrap()).unwrap();
        let found = generator.latents(&canvas).unwrap();
        assert_eq!(floats(&found), golden.f32s("tokens_unpatchified"), "{name}");
    }
}

fn generator(grid: Grid) -> LightGenGenerator {
    LightGenGenerator::new(load(grid), gtr_backends::checkpoint::Section::Whole)
}

#[test]
fn recorded_runs_are_repeated() {
    for name in recordings(FOLDER, "sample") {
        let golden = Golden::find(&name);
        let generator = generator(grid(&golden, "call"));
        let mut run = Run::new(golden, generator, |golden, generator, image| {
            golden.has("texts").then(|| text(golden, generator.model(), image))
        });
        run.step_by_step();
        run.free_running();
    }
}
